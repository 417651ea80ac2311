//! Each audit finds nothing in a sound store, and fires on a row broken by hand.

use super::rules::{decide, evidence, permit, without_triggers, writes};
use super::*;
use crate::testing;
use domain::levy::NextStep;
use domain::record::{Permit, Write};

async fn findings(fresh: &Fresh) -> Vec<(String, i64)> {
    let found = fresh.store.audits(now(fresh, t(5)), AuditPlan::default()).await.unwrap();
    found.into_iter().map(|finding| (finding.audit, finding.count)).collect()
}

async fn fires(fresh: &Fresh, audit: &str, broken: &[String]) {
    for sql in broken {
        raw(fresh, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let found = findings(fresh).await;
    assert!(
        found.iter().any(|(name, count)| name == audit && *count > 0),
        "{audit} on {:?}: {found:?}",
        fresh.store.kind()
    );
}

/// Two remits: one paid and confirmed, one cancelled.
async fn sound(fresh: &Fresh) -> (InstanceId, InstanceId, Uuid, Uuid) {
    let (paid, cancelled) = (put(fresh, machine("paid")).await, put(fresh, machine("cancelled")).await);
    let permit = permit(paid, 1, fresh);
    let proof = domain::record::Evidence { permit: Some(permit.id), ..evidence(paid, None) };
    let success = Write::MovePermit { permit: permit.id, state: "success".into() };
    let list = vec![
        Write::IssuePermit(permit.clone()),
        success,
        Write::KeepEvidence(proof.clone()),
        decide(paid, NextStep::Continue, Some(proof.id)),
    ];
    assert!(is_done(&writes(fresh, paid, list).await));
    let list = vec![Write::CloseGate { remit: cancelled, at: t(5) }, decide(cancelled, NextStep::Cancel, None)];
    assert!(is_done(&writes(fresh, cancelled, list).await));
    fresh.store.act("acme", rules::act("approve")).await.unwrap();
    (paid, cancelled, permit.id, proof.id)
}

#[tokio::test]
async fn a_sound_store_breaks_no_rule() {
    for fresh in testing::stores().await {
        sound(&fresh).await;
        let found = findings(&fresh).await;
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["I10", "I13", "I2", "I20", "I23", "I24", "I27", "S-A", "S-B", "S-C", "S-D", "S-E", "S-H"]);
        assert!(found.iter().all(|(_, count)| *count == 0), "{:?}: {found:?}", fresh.store.kind());
    }
}

#[tokio::test]
async fn each_audit_fires_on_a_broken_row() {
    for audit in ["I10", "I13", "I20", "I23", "I24", "I27", "S-A", "S-B", "S-C", "S-D", "S-E", "S-H"] {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let (paid, cancelled, permit, proof) = sound(&fresh).await;
            for table in ["permit", "evidence", "decision", "decision_revision", "gate", "history", "audit"] {
                without_triggers(&fresh, table).await;
            }
            let [paid, cancelled, permit, proof, other] =
                [paid.0, cancelled.0, permit, proof, Uuid::new_v4()].map(|id| id_of(&fresh, id));
            let copy = |state: &str, attempt: i64, cutoff: &str| {
                format!(
                    "insert into permit select {other}, remit, tenant, {attempt}, bank_order_no, amount_fen, pay_before, {cutoff}, issued_at, \
                     observed_real, issued_real, '{state}' from permit where id = {permit}"
                )
            };
            let broken: Vec<String> = match audit {
                "I10" => vec![format!("update evidence set amount_fen = 1 where id = {proof}")],
                "I13" => vec![format!("update decision set arising_time = 7 where remit = {paid}")],
                "I20" => vec![format!("update instance set emitted = 3 where id = {paid}")],
                "I23" => vec!["update audit set what = 'nothing'".into()],
                "I24" => lone_approval(&fresh, &paid),
                "I27" => vec![copy("final_failed", 2, "pay_cutoff + 1")],
                "S-A" => vec![format!("update evidence set revoked_at = 9 where id = {proof}")],
                "S-B" => vec![format!("update permit set remit = {cancelled}, state = 'in_doubt' where id = {permit}")],
                "S-C" => vec![format!("update decision set at = 1 where remit = {paid}")],
                "S-D" => vec!["drop index permit_one_success".into(), copy("success", 2, "pay_cutoff")],
                "S-E" => vec![format!("insert into decision_revision values ({cancelled}, 1, {proof}, 1)")],
                _ => vec![format!("update history set event = 'x' where instance = {paid} and seq = 2")],
            };
            fires(&fresh, audit, &broken).await;
        }
    }
}

fn lone_approval(fresh: &Fresh, instance: &str) -> Vec<String> {
    let insert = format!(
        "insert into \"case\" (id, instance, workflow, tenant, kind, severity, owner_role, opened_at, sla_at, moves, facts, state, proposed_by, \
         approved_by) values ({}, {instance}, 'w', 'acme', 'k', 'high', 'r', 1, 1, '[]', '{{}}', 'proposed', 'li', 'li')",
        id_of(fresh, Uuid::new_v4())
    );
    let drop = match fresh.store.kind() {
        Kind::Postgres => "alter table \"case\" drop constraint case_four_eyes",
        Kind::Sqlite | Kind::Memory => "pragma ignore_check_constraints = on",
    };
    vec![drop.into(), insert]
}

#[tokio::test]
async fn i2_a_paid_remit_must_be_confirmed_in_time_or_have_a_case() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("r")).await;
        assert!(is_done(&writes(&fresh, id, vec![Write::KeepEvidence(evidence(id, None))]).await));
        let late = async || {
            let found = fresh.store.audits(now(&fresh, t(5 + 3601)), AuditPlan::default()).await.unwrap();
            found.into_iter().find(|finding| finding.audit == "I2").unwrap().count
        };
        assert_eq!((findings(&fresh).await.iter().map(|(_, n)| n).sum::<i64>(), late().await), (0, 1));
        fresh.store.open_case(id, "acme", office::case("paid_not_levied")).await.unwrap();
        assert_eq!(late().await, 0);
    }
}

#[tokio::test]
async fn s_c_fires_in_memory_too() {
    let fresh = testing::memory().await;
    let id = put(&fresh, machine("r")).await;
    let old = permit(id, 1, &fresh);
    let observed_real = old.observed_real - std::time::Duration::from_secs(20);
    assert!(is_done(&writes(&fresh, id, vec![Write::IssuePermit(Permit { observed_real, ..old })]).await));
    let strict = AuditPlan { freshness: std::time::Duration::from_secs(10), ..AuditPlan::default() };
    let found = fresh.store.audits(now(&fresh, t(5)), strict).await.unwrap();
    assert_eq!(found.iter().find(|finding| finding.audit == "S-C").unwrap().count, 1);
}

#[tokio::test]
async fn i9_limbo_is_what_nothing_will_ever_move() {
    for fresh in testing::stores().await {
        let resting = [("order".to_owned(), "settled".to_owned())];
        let limbo = async || fresh.store.limbo(now(&fresh, t(5)), &resting).await.unwrap();
        let id = put(&fresh, machine("a")).await;
        assert_eq!(limbo().await.count, 0, "it has a due time");
        let claimed = claim_one(&fresh, id).await;
        let stuck = Turn { due: due("-", 3, None), ..turn(&claimed, "waiting") };
        assert!(is_done(&commit(&fresh, stuck).await));
        let found = limbo().await;
        assert_eq!((found.audit.as_str(), found.count, found.examples), ("L-2", 1, vec![id.to_string()]));
        fresh.store.open_case(id, "acme", office::case("stuck")).await.unwrap();
        assert_eq!(limbo().await.count, 0, "a case owns it");
        let rests =
            put(&fresh, NewInstance { due: due("-", 3, None), state_name: "settled".into(), ..machine("b") }).await;
        assert_eq!(limbo().await.count, 0, "{rests} rests");
    }
}

#[tokio::test]
async fn watchers_count_and_look_ahead() {
    for fresh in testing::stores().await {
        put(&fresh, machine("a")).await;
        put(&fresh, NewInstance { due: due("-", 3, Some(t(50))), ..machine("b") }).await;
        let counts = fresh.store.counts().await.unwrap();
        assert_eq!(counts, [Count { workflow: "order".into(), state: "gated".into(), count: 2 }]);
        assert_eq!(fresh.store.due_oldest(t(9)).await.unwrap(), Some(t(0)));
        assert_eq!(fresh.store.due_oldest(t(-9)).await.unwrap(), None);
        claim_all(&fresh, t(1)).await;
        assert_eq!(fresh.store.due_oldest(t(9)).await.unwrap(), None);
        assert_eq!(fresh.store.next_wake().await.unwrap(), Some(t(0)), "claimed or not");
    }
}
