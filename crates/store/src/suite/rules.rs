//! Each constraint, twice: through a turn on every database, and through raw SQL on both.

use super::*;
use crate::testing;
use domain::levy::NextStep;
use domain::record::{Decision, Evidence, Permit, Write};

/// Takes a table's triggers away, as an intruder with the owner's rights would.
pub(super) async fn without_triggers(fresh: &Fresh, table: &str) {
    match fresh.store.kind() {
        Kind::Postgres => {
            raw(fresh, &format!("alter table {table} disable trigger user")).await.unwrap();
        }
        Kind::Sqlite => {
            let Inner::Sql(sql) = &fresh.store.inner else { return };
            let names = sql
                .all("select name from sqlite_master where type = 'trigger' and tbl_name = $1", vec![table.into()])
                .await
                .unwrap();
            for name in names {
                raw(fresh, &format!("drop trigger {}", name.get::<String>("name").unwrap())).await.unwrap();
            }
        }
        Kind::Memory => {}
    }
}

pub(super) fn permit(remit: InstanceId, attempt: u32, fresh: &Fresh) -> Permit {
    Permit {
        id: ids::draw(t(5)),
        remit,
        attempt,
        bank_order_no: format!("bank{attempt}"),
        amount: yuan("100.00"),
        pay_before: t(3600),
        pay_cutoff: t(7200),
        issued_at: t(5),
        observed_real: fresh.options.clock.real(),
        state: "permit_issued".into(),
    }
}

pub(super) fn evidence(remit: InstanceId, permit: Option<Uuid>) -> Evidence {
    let (bank_serial, source) = ("serial".into(), "api".into());
    Evidence {
        id: ids::draw(t(5)),
        remit,
        permit,
        amount: yuan("100.00"),
        paid_at: t(4),
        bank_serial,
        source,
        at: t(5),
    }
}

pub(super) fn decide(remit: InstanceId, next_step: NextStep, evidence: Option<Uuid>) -> Write {
    Write::Decide(Decision { remit, next_step, evidence, arising_time: t(4), at: t(5) })
}

/// Commits writes on a fresh machine; the machine, and what was answered.
pub(super) async fn writes(fresh: &Fresh, id: InstanceId, writes: Vec<Write>) -> Committed {
    let claimed = claim_one(fresh, id).await;
    let answer = commit(fresh, Turn { writes, ..turn(&claimed, "moved") }).await;
    if !is_done(&answer) {
        fresh.store.release(vec![LetGo { id, token: claimed.token, wake_at: None }]).await.unwrap();
    }
    answer
}

pub(super) async fn allowed(fresh: &Fresh, id: InstanceId, list: Vec<Write>) {
    let answer = writes(fresh, id, list).await;
    assert!(is_done(&answer), "{:?}: {answer:?}", fresh.store.kind());
}

pub(super) async fn forbidden(fresh: &Fresh, id: InstanceId, list: Vec<Write>, rule: &str) {
    assert_eq!(writes(fresh, id, list).await, Committed::Forbidden(rule.into()), "{:?}", fresh.store.kind());
}

#[tokio::test]
async fn s_a_continue_needs_its_evidence() {
    for fresh in testing::stores().await {
        let (id, other) = (put(&fresh, machine("r")).await, put(&fresh, machine("other")).await);
        forbidden(&fresh, id, vec![decide(id, NextStep::Continue, None)], "decision_needs_evidence").await;
        forbidden(&fresh, id, vec![decide(id, NextStep::Continue, Some(Uuid::new_v4()))], "decision_evidence").await;
        let strange = evidence(other, None);
        allowed(&fresh, other, vec![Write::KeepEvidence(strange.clone())]).await;
        forbidden(&fresh, id, vec![decide(id, NextStep::Continue, Some(strange.id))], "decision_evidence").await;
        let less = Evidence { amount: yuan("99.99"), ..evidence(id, None) };
        forbidden(
            &fresh,
            id,
            vec![Write::KeepEvidence(less.clone()), decide(id, NextStep::Continue, Some(less.id))],
            "decision_evidence",
        )
        .await;
        let revoked = evidence(id, None);
        allowed(
            &fresh,
            id,
            vec![Write::KeepEvidence(revoked.clone()), Write::RevokeEvidence { evidence: revoked.id, at: t(6) }],
        )
        .await;
        forbidden(&fresh, id, vec![decide(id, NextStep::Continue, Some(revoked.id))], "decision_evidence").await;
        forbidden(
            &fresh,
            id,
            vec![Write::KeepEvidence(Evidence { source: "hearsay".into(), ..evidence(id, None) })],
            "evidence_source",
        )
        .await;
        forbidden(
            &fresh,
            id,
            vec![Write::KeepEvidence(Evidence { bank_serial: String::new(), ..evidence(id, None) })],
            "evidence_serial",
        )
        .await;
        let good = evidence(id, None);
        allowed(&fresh, id, vec![Write::KeepEvidence(good.clone()), decide(id, NextStep::Continue, Some(good.id))])
            .await;
        forbidden(&fresh, id, vec![Write::RevokeEvidence { evidence: good.id, at: t(7) }], "evidence_decided").await;
        forbidden(&fresh, id, vec![Write::IssuePermit(permit(id, 1, &fresh))], "permit_decided").await;
        assert_eq!(fresh.store.evidence(id).await.unwrap().len(), 2);
        assert_eq!(fresh.store.money_at_risk().await.unwrap(), 20_000);
        let revise = |evidence| Write::ReviseDecision { remit: id, arising_time: t(3), evidence, at: t(8) };
        forbidden(&fresh, id, vec![revise(revoked.id)], "revision_evidence").await;
        allowed(&fresh, id, vec![revise(good.id)]).await;
        assert!(matches!(writes(&fresh, id, vec![revise(good.id)]).await, Committed::Forbidden(_)), "one revision");
        assert_eq!(fresh.store.decision(id).await.unwrap().unwrap().arising_time, t(3));
    }
}

#[tokio::test]
async fn s_b_s_e_cancel_needs_a_closed_gate_and_nothing_live() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("r")).await;
        let cancel = || decide(id, NextStep::Cancel, None);
        let close = || Write::CloseGate { remit: id, at: t(5) };
        let live = permit(id, 1, &fresh);
        forbidden(&fresh, id, vec![cancel()], "decision_needs_gate").await;
        allowed(&fresh, id, vec![Write::IssuePermit(live.clone())]).await;
        forbidden(&fresh, id, vec![close(), cancel()], "decision_payout_live").await;
        allowed(&fresh, id, vec![Write::MovePermit { permit: live.id, state: "expired_attested".into() }]).await;
        let paid = evidence(id, None);
        forbidden(&fresh, id, vec![Write::KeepEvidence(paid), close(), cancel()], "decision_paid").await;
        allowed(&fresh, id, vec![close(), cancel()]).await;
        forbidden(&fresh, id, vec![Write::IssuePermit(permit(id, 2, &fresh))], "permit_gate_closed").await;
        assert!(matches!(writes(&fresh, id, vec![cancel()]).await, Committed::Forbidden(_)), "one decision");
        forbidden(
            &fresh,
            id,
            vec![Write::ReviseDecision { remit: id, arising_time: t(3), evidence: Uuid::new_v4(), at: t(8) }],
            "revision_direction",
        )
        .await;
        assert_eq!(fresh.store.decision(id).await.unwrap().unwrap().next_step, NextStep::Cancel);
    }
}

/// A remit that is paid and decided, and one that is cancelled, for an intruder to break.
async fn decided(fresh: &Fresh) -> (InstanceId, Uuid, Uuid) {
    let (id, cancelled) = (put(fresh, machine("paid")).await, put(fresh, machine("cancelled")).await);
    let (permit, mut proof) = (permit(id, 1, fresh), evidence(id, None));
    proof.permit = Some(permit.id);
    let moved = Write::MovePermit { permit: permit.id, state: "success".into() };
    let list = vec![
        Write::IssuePermit(permit.clone()),
        moved,
        Write::KeepEvidence(proof.clone()),
        decide(id, NextStep::Continue, Some(proof.id)),
    ];
    allowed(fresh, id, list).await;
    let revise = Write::ReviseDecision { remit: id, arising_time: t(3), evidence: proof.id, at: t(8) };
    allowed(fresh, id, vec![revise]).await;
    allowed(
        fresh,
        cancelled,
        vec![Write::CloseGate { remit: cancelled, at: t(5) }, decide(cancelled, NextStep::Cancel, None)],
    )
    .await;
    fresh.store.act("acme", vec![act("login")]).await.unwrap();
    (id, permit.id, proof.id)
}

pub(super) fn act(what: &str) -> Act {
    Act { who: "li".into(), what: what.into(), subject: "remit".into(), detail: json!({ "b": 1, "a": 2 }), at: t(1) }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table of everything an intruder may try")]
async fn a_psql_session_cannot_break_the_rules() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let (remit, permit, proof) = decided(&fresh).await;
        let open = put(&fresh, machine("open")).await;
        let [remit, permit, proof, open] = [remit.0, permit, proof, open.0].map(|id| id_of(&fresh, id));
        let new = || id_of(&fresh, Uuid::new_v4());
        let real = fresh.options.clock.real().millis();
        let copied = "workflow, tenant, account, business_key, content_hash, input, state, state_name, revision, head, lane, class, created_at, \
                      updated_at";
        let nameless =
            format!("insert into instance (id, {copied}) select {}, {copied} from instance where id = {open}", new());
        let insert_permit = |remit: &str, attempt: i64, cutoff: i64, observed: i64, state: &str| {
            format!(
                "insert into permit (id, remit, tenant, attempt, bank_order_no, amount_fen, pay_before, pay_cutoff, issued_at, observed_real, \
                 issued_real, state) values ({}, {remit}, 'acme', {attempt}, 'b', 1, 1, {cutoff}, 1, {observed}, {real}, '{state}')",
                new()
            )
        };
        let decision = |remit: &str, step: &str, evidence: &str, gate: &str| {
            format!(
                "insert into decision (remit, next_step, evidence, gate, arising_time, at) values ({remit}, '{step}', {evidence}, {gate}, 1, 1)"
            )
        };
        let case = |approved: &str| {
            format!(
                "insert into \"case\" (id, instance, workflow, tenant, kind, severity, owner_role, opened_at, sla_at, moves, facts, state, \
                 proposed_by, approved_by) values ({}, {open}, 'remit', 'acme', 'k', 'high', 'ops', 1, 1, '[]', '{{}}', 'proposed', 'li', {approved})",
                new()
            )
        };
        for (broken, rule) in [
            (insert_permit(&open, 1, 1, real, "permit_issued"), "permit_before_cutoff"),
            (insert_permit(&open, 1, 9, real - 31_000, "permit_issued"), "permit_fresh"),
            (insert_permit(&open, 1, 9, real, "strange"), "permit_state"),
            (insert_permit(&open, 7, 9, real, "permit_issued"), "permit_attempt_order"),
            (insert_permit(&remit, 2, 9, real, "permit_issued"), "permit_decided"),
            (format!("update permit set bank_order_no = 'x' where id = {permit}"), "permit_immutable"),
            (format!("update permit set amount_fen = 1 where id = {permit}"), "permit_immutable"),
            (format!("delete from permit where id = {permit}"), "permit_immutable"),
            (format!("update evidence set amount_fen = 1 where id = {proof}"), "evidence_immutable"),
            (format!("update evidence set revoked_at = 9 where id = {proof}"), "evidence_decided"),
            (format!("delete from evidence where id = {proof}"), "evidence_immutable"),
            ("update gate set at = 1".into(), "gate_immutable"),
            ("delete from gate".into(), "gate_immutable"),
            (decision(&open, "CONTINUE", "null", "null"), "decision_needs_evidence"),
            (decision(&open, "CONTINUE", &proof, "null"), "decision_evidence"),
            (decision(&open, "CANCEL", "null", "null"), "decision_needs_gate"),
            (decision(&open, "MAYBE", "null", "null"), "decision_step"),
            (format!("update decision set next_step = 'CANCEL' where remit = {remit}"), "decision_immutable"),
            (format!("delete from decision where remit = {remit}"), "decision_immutable"),
            ("update decision_revision set arising_time = 1".into(), "revision_immutable"),
            ("delete from decision_revision".into(), "revision_immutable"),
            ("update history set event = 'x'".into(), "history_append_only"),
            ("delete from history".into(), "history_append_only"),
            ("update audit set who = 'x'".into(), "audit_append_only"),
            ("delete from audit".into(), "audit_append_only"),
            (case("'li'"), "case_four_eyes"),
            ("update identity set person = null".into(), "identity_written_once"),
            ("delete from identity".into(), "identity_written_once"),
            (nameless, "instance_identity"),
            ("update instance set class = -1".into(), "instance_class"),
            ("update instance set token = null, claimed_until = 1".into(), "instance_claim"),
        ] {
            assert_eq!(
                raw(&fresh, &broken).await,
                Err(Error::Forbidden(rule.into())),
                "{:?}: {broken}",
                fresh.store.kind()
            );
        }
        assert_eq!(raw(&fresh, &case("'wang'")).await, Ok(1), "another person may approve");
        // Keys and references: the drivers name them differently.
        for broken in [
            insert_permit(&new(), 1, 9, real, "permit_issued"),
            format!("insert into gate (remit, at) values ({}, 1)", new()),
            decision(&remit, "CONTINUE", &proof, "null"),
            format!(
                "insert into identity (instance, tenant, workflow, business_key) select {}, tenant, workflow, business_key from identity \
                 where instance = {open}",
                new()
            ),
            format!(
                "insert into identity (instance, tenant, workflow, business_key, address) values ({}, 't', 'w', 'a', 'one'), \
                 ({}, 't', 'w', 'b', 'one')",
                new(),
                new()
            ),
            format!(
                "insert into identity (instance, tenant, workflow, business_key) select instance, tenant, workflow, 'again' from identity \
                 where instance = {open}"
            ),
        ] {
            let answer = raw(&fresh, &broken).await;
            assert!(matches!(answer, Err(Error::Forbidden(_))), "{:?}: {broken}: {answer:?}", fresh.store.kind());
        }
    }
}

#[tokio::test]
async fn the_indexes_hold_without_the_triggers() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let id = put(&fresh, machine("r")).await;
        without_triggers(&fresh, "permit").await;
        let insert = |attempt: i64, state: &str| {
            let (new, remit) = (id_of(&fresh, Uuid::new_v4()), id_of(&fresh, id.0));
            format!("insert into permit values ({new}, {remit}, 'acme', {attempt}, 'b', 1, 1, 9, 1, 1, 1, '{state}')")
        };
        assert_eq!(raw(&fresh, &insert(1, "in_doubt")).await, Ok(1));
        assert!(raw(&fresh, &insert(2, "instructed")).await.is_err(), "one live permit");
        assert!(raw(&fresh, &insert(1, "final_failed")).await.is_err(), "one attempt of a number");
        assert_eq!(raw(&fresh, &insert(2, "success")).await, Ok(1));
        assert!(raw(&fresh, &insert(3, "success")).await.is_err(), "one success");
    }
}
