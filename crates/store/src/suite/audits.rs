//! Each audit finds nothing in a sound store, and fires on a row broken by hand, on all three databases.

use super::people::person;
use super::rules::{decide, evidence, permit, without_triggers, writes};
use super::*;
use crate::testing;
use domain::levy::NextStep;
use domain::record::{Permit, Write};

const ALL: [&str; 19] = [
    "I10", "I11", "I13", "I14", "I15", "I19", "I2", "I20", "I23", "I24", "I27", "S-A", "S-B", "S-C", "S-D", "S-E",
    "S-F", "S-G", "S-H",
];

/// What is broken, and the audit that must see it.
const BROKEN: [(&str, &str); 36] = [
    ("I10", "evidence of another amount"),
    ("I10", "a fee that does not add up"),
    ("I10", "a split that does not add up"),
    ("I11", "a remit without a person"),
    ("I11", "a remit of another person"),
    ("I11", "a report for another payee"),
    ("I13", "another arising time"),
    ("I13", "an arising time in the future"),
    ("I14", "a line from elsewhere"),
    ("I14", "a state without its line"),
    ("I15", "a move by a callback"),
    ("I19", "an unpaid remit never cancelled"),
    ("I2", "a payment never confirmed"),
    ("I2", "a close that nobody was told of"),
    ("I2", "an explanation by one person"),
    ("I2", "an explanation of something else"),
    ("I2", "an explanation before the payment"),
    ("I2", "an explanation of what is not over"),
    ("I20", "an outbox row gone"),
    ("I20", "a rest nobody was told of"),
    ("I23", "an act rewritten"),
    ("I24", "one person approving alone"),
    ("I27", "a later cut-off"),
    ("S-A", "evidence revoked"),
    ("S-B", "a payout in doubt"),
    ("S-C", "a decision before its permit"),
    ("S-D", "two successes"),
    ("S-E", "a revision of a cancel"),
    ("S-F", "a machine gone"),
    ("S-F", "a machine under another name"),
    ("S-F", "a letter gone"),
    ("S-F", "a letter nobody will read"),
    ("S-G", "a send inside the quarantine"),
    ("S-G", "a send after one look"),
    ("S-G", "a send after a takeover"),
    ("S-H", "a line rewritten"),
];

pub(super) fn plan() -> AuditPlan {
    let word = str::to_owned;
    AuditPlan {
        resting: ["settled", "levied", "auto_closed_paid"].map(|state| (word("order"), word(state))).to_vec(),
        leaves_rest: vec![("order".into(), "settled".into(), "returned".into())],
        verified: vec![word("CREATE")],
        ..AuditPlan::default()
    }
}

pub(super) async fn count(fresh: &Fresh, audit: &str, at: Time, plan: AuditPlan) -> i64 {
    let found = fresh.store.audits(now(fresh, at), plan.clone()).await.unwrap();
    let recent = fresh.store.recent_audits(now(fresh, at), plan.clone(), t(-1_000_000)).await.unwrap();
    assert_eq!(found, recent, "slice by slice the same is found");
    let broken = found.into_iter().find(|finding| finding.audit == audit).unwrap().count;
    if fresh.store.kind() == Kind::Postgres {
        let (mut way, mut after) = (0, Some(Uuid::nil()));
        while let Some(cursor) = after {
            let (found, next) = fresh.store.next_audits(now(fresh, at), plan.clone(), cursor).await.unwrap();
            way += found.iter().find(|finding| finding.audit == audit).unwrap().count;
            after = next;
        }
        assert_eq!(broken, way, "{audit}, and on the way through everything");
    }
    broken
}

/// A store in which nothing is wrong.
pub(crate) struct Sound {
    /// A remit of an order, paid and confirmed, with its permit and its evidence.
    pub(crate) paid: InstanceId,
    pub(crate) permit: Uuid,
    pub(crate) proof: Uuid,
    pub(crate) cancelled: InstanceId,
    /// Paid, closed by the provider, and explained by two persons in this case.
    pub(crate) closed: InstanceId,
    pub(crate) explained: Uuid,
    /// It sent, was in doubt, looked twice and sent again.
    pub(crate) sent: InstanceId,
    /// It came to rest.
    pub(crate) rests: InstanceId,
    /// A letter waits for it.
    pub(crate) waits: InstanceId,
    pub(crate) person: Uuid,
}

async fn sound(fresh: &Fresh) -> Sound {
    let person = fresh.store.put_person("acme", &person("4111111111111111")).await.unwrap();
    let terms = json!({ "person": person, "terms": { "asked": { "net": "100.00" } } });
    let order = put(fresh, NewInstance { input: terms, person: Some(person), ..machine("order") }).await;
    let quote = json!({
        "amount": "100.00", "fee": "3.00", "compensate_fee": "0.50", "sum_fee": "3.50", "actual_amount": "103.50", "person": person,
        "deadline": t(90_000), "pay_cutoff": t(7200),
    });
    let remit = |key: &str, parent| NewInstance { input: quote.clone(), parent, person: Some(person), ..machine(key) };
    let paid = put(fresh, remit("paid", Some(order))).await;
    let cancelled = put(fresh, remit("cancelled", None)).await;
    let permit = permit(paid, 1, fresh);
    let proof = domain::record::Evidence { permit: Some(permit.id), ..evidence(paid, None) };
    let list = vec![
        Write::IssuePermit(permit.clone()),
        Write::MovePermit { permit: permit.id, state: "success".into() },
        Write::KeepEvidence(proof.clone()),
        decide(paid, NextStep::Continue, Some(proof.id)),
    ];
    comes_to_rest(fresh, paid, "levied", list).await;
    let (closed, explained) = explained(fresh, remit("closed", None)).await;
    let list = vec![Write::CloseGate { remit: cancelled, at: t(5) }, decide(cancelled, NextStep::Cancel, None)];
    assert!(is_done(&writes(fresh, cancelled, list).await));
    fresh.store.act("acme", vec![rules::act("approve")]).await.unwrap();
    let [sent, rests, waits] =
        [put(fresh, machine("sent")).await, put(fresh, machine("rests")).await, put(fresh, machine("waits")).await];
    let claimed = claim_one(fresh, sent).await;
    let exchanges = vec![
        call("CREATE", "unsure", 0),
        call("FIND", "done", 301),
        call("FIND", "done", 362),
        call("CREATE", "done", 363),
    ];
    assert!(is_done(&commit(fresh, Turn { exchanges, ..turn(&claimed, "sent") }).await));
    comes_to_rest(fresh, rests, "settled", vec![]).await;
    fresh.store.post(vec![post(Target::Instance(waits), None)]).await.unwrap();
    Sound { paid, permit: permit.id, proof: proof.id, cancelled, closed, explained, sent, rests, waits, person }
}

async fn comes_to_rest(fresh: &Fresh, id: InstanceId, state: &str, writes: Vec<Write>) {
    let claimed = claim_one(fresh, id).await;
    let rest = Turn { resting: true, due: due("-", 3, None), writes, ..turn(&claimed, state) };
    assert!(is_done(&commit(fresh, rest).await));
}

/// A payment whose remit was closed without a levy, and what two persons made of it.
async fn explained(fresh: &Fresh, remit: NewInstance) -> (InstanceId, Uuid) {
    let id = put(fresh, remit).await;
    let case = office::case("auto_closed_paid");
    let proof = domain::record::Evidence { bank_serial: "of the closed".into(), ..evidence(id, None) };
    comes_to_rest(fresh, id, "auto_closed_paid", vec![Write::KeepEvidence(proof), Write::OpenCase(case.clone())]).await;
    let (name, reason, by) = ("closed".into(), "paid by hand at the tax office".into(), "li".into());
    let proposal = Proposal { name, reason, evidence: None, by, at: t(6) };
    assert!(fresh.store.case_step(cases::step(case.id, cases::propose(&proposal, 0))).await.unwrap());
    assert!(fresh.store.case_step(cases::step(case.id, cases::approve(&proposal, "wang"))).await.unwrap());
    fresh.store.post(vec![post(Target::Instance(id), None)]).await.unwrap();
    let claimed = claim_one(fresh, id).await;
    let list = vec![Write::CloseCase { case: case.id, how: "closed, by wang".into(), at: t(7) }];
    let consumed = claimed.inbox.iter().map(|letter| letter.id).collect();
    let heard =
        Turn { resting: true, due: due("-", 3, None), consumed, writes: list, ..turn(&claimed, "auto_closed_paid") };
    assert!(is_done(&commit(fresh, heard).await));
    (id, case.id)
}

fn call(operation: &str, verdict: &str, at: i64) -> NewExchange {
    let (operation, verdict, bytes) = (operation.to_owned(), verdict.to_owned(), b"x".to_vec());
    let (request, answer) = (bytes.clone(), bytes);
    NewExchange { id: Uuid::new_v4(), operation, request, answer, status: None, verdict, took_ms: 1, at: t(at) }
}

#[tokio::test]
async fn a_sound_store_breaks_no_rule() {
    for fresh in testing::stores().await {
        sound(&fresh).await;
        let found = fresh.store.audits(now(&fresh, t(400)), plan()).await.unwrap();
        assert_eq!(found.iter().map(|finding| finding.audit.as_str()).collect::<Vec<_>>(), ALL);
        assert!(found.iter().all(|finding| finding.count == 0), "{:?}: {found:?}", fresh.store.kind());
        assert_eq!(count(&fresh, "I19", t(80_000), plan()).await, 0, "what is cancelled is not leaked");
        assert_eq!(count(&fresh, "I2", t(80_000), plan()).await, 0, "what is paid is levied, or explained");
    }
}

#[tokio::test]
async fn each_audit_fires_on_a_broken_row() {
    for (audit, what) in BROKEN {
        for fresh in testing::stores().await {
            let sound = sound(&fresh).await;
            if let Inner::Memory(memory) = &fresh.store.inner {
                memory.lock().break_row(what, &sound);
            }
            for table in ["permit", "evidence", "decision", "decision_revision", "gate", "history", "audit"] {
                without_triggers(&fresh, table).await;
            }
            for sql in broken(&fresh, what, &sound) {
                raw(&fresh, &sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
            }
            let at = if ["I19", "I2"].contains(&audit) { t(80_000) } else { t(400) };
            assert!(count(&fresh, audit, at, plan()).await > 0, "{audit}, {what}, on {:?}", fresh.store.kind());
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table: one arm per way to break a row")]
fn broken(fresh: &Fresh, what: &str, sound: &Sound) -> Vec<String> {
    let Sound { paid, permit, proof, cancelled, closed, explained, sent, rests, waits, person } = sound;
    let [paid, cancelled, closed] = [paid, cancelled, closed].map(|id| id_of(fresh, id.0));
    let [sent, rests, waits] = [sent, rests, waits].map(|id| id_of(fresh, id.0));
    let [permit, proof, explained, other] = [*permit, *proof, *explained, Uuid::new_v4()].map(|id| id_of(fresh, id));
    let copy = |state: &str, attempt: i64, cutoff: &str| {
        format!(
            "insert into permit select {other}, remit, tenant, {attempt}, bank_order_no, amount_fen, pay_before, {cutoff}, issued_at, \
             observed_real, issued_real, '{state}' from permit where id = {permit}"
        )
    };
    let quote = |from: &str, to: &str| {
        format!("update instance set input = replace(input, '{from}', '{to}') where id = {paid}")
    };
    let line = |change: &str| format!("update history set {change} where instance = {paid} and seq = 2");
    match what {
        "evidence of another amount" => vec![format!("update evidence set amount_fen = 1 where id = {proof}")],
        "a fee that does not add up" => vec![quote("3.50", "3.51")],
        "a split that does not add up" => {
            vec!["update instance set input = replace(input, '\"net\":\"100.00\"', '\"net\":\"100.01\"')".into()]
        }
        "a remit without a person" => vec![format!("update instance set person = null where id = {paid}")],
        "a remit of another person" => vec![quote(&person.to_string(), "somebody")],
        "a report for another payee" => {
            vec![line("detail = '{\"PaidReported\":{\"bank_serial\":\"serial\",\"payee_ok\":false}}'")]
        }
        "another arising time" => vec![format!("update decision set arising_time = 7 where remit = {paid}")],
        "an arising time in the future" => {
            let later = t(6).millis();
            vec![
                format!("update decision set arising_time = {later}"),
                format!("update evidence set paid_at = {later}"),
            ]
        }
        "a line from elsewhere" => vec![line("from_state = 'elsewhere'")],
        "a state without its line" => vec![format!("update instance set state_name = 'elsewhere' where id = {paid}")],
        "a move by a callback" => vec![line("cause = 'callback'")],
        "an unpaid remit never cancelled" => vec![format!("delete from decision where remit = {cancelled}")],
        "a payment never confirmed" => vec![format!("update instance set state_name = 'paid' where id = {paid}")],
        "a close that nobody was told of" => vec![format!("delete from \"case\" where id = {explained}")],
        "an explanation by one person" => {
            vec![format!("update \"case\" set approved_by = null where id = {explained}")]
        }
        "an explanation of something else" => {
            vec![format!("update \"case\" set kind = 'payment_without_permit' where id = {explained}")]
        }
        "an explanation before the payment" => {
            vec![format!("update evidence set at = {} where remit = {closed}", t(8).millis())]
        }
        "an explanation of what is not over" => {
            vec![format!("update instance set state_name = 'paid' where id = {closed}")]
        }
        "an outbox row gone" => vec![format!("update instance set emitted = 3 where id = {paid}")],
        "a rest nobody was told of" => vec![format!("update outbox set topic = 'moved' where instance = {rests}")],
        "an act rewritten" => vec!["update audit set what = 'nothing'".into()],
        "one person approving alone" => lone_approval(fresh, &paid),
        "a later cut-off" => vec![copy("final_failed", 2, "pay_cutoff + 1")],
        "evidence revoked" => vec![format!("update evidence set revoked_at = 9 where id = {proof}")],
        "a payout in doubt" => {
            vec![format!("update permit set remit = {cancelled}, state = 'in_doubt' where id = {permit}")]
        }
        "a decision before its permit" => vec![format!("update decision set at = 1 where remit = {paid}")],
        "two successes" => vec!["drop index permit_one_success".into(), copy("success", 2, "pay_cutoff")],
        "a revision of a cancel" => vec![format!("insert into decision_revision values ({cancelled}, 1, {proof}, 1)")],
        "a machine gone" => vec![format!(
            "insert into history select {other}, seq, event, detail, from_state, to_state, at, cause, exchange, hash from history \
             where instance = {paid} and seq = 1"
        )],
        "a machine under another name" => {
            vec![format!("update instance set business_key = 'other' where id = {paid}")]
        }
        "a letter gone" => vec![format!("delete from inbox where instance = {waits}")],
        "a letter nobody will read" => vec![format!("update instance set wake_at = null where id = {waits}")],
        "a send inside the quarantine" => {
            vec![format!("update exchange set at = {} where at = {}", t(200).millis(), t(363).millis())]
        }
        "a send after one look" => vec![format!("delete from exchange where at = {}", t(301).millis())],
        "a send after a takeover" => {
            vec![format!(
                "update history set cause = 'takeover', at = {} where instance = {sent} and seq = 2",
                t(362).millis()
            )]
        }
        "a line rewritten" => vec![line("event = 'x'")],
        other => panic!("nobody knows how to break {other}"),
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
async fn i14_rest_is_left_only_by_an_arrow_of_the_book() {
    for fresh in testing::stores().await {
        let id = sound(&fresh).await.rests;
        fresh.store.post(vec![post(Target::Instance(id), None)]).await.unwrap();
        let claimed = claim_one(&fresh, id).await;
        assert!(is_done(&commit(&fresh, turn(&claimed, "returned")).await));
        assert_eq!(count(&fresh, "I14", t(400), plan()).await, 0, "drawn");
        assert_eq!(count(&fresh, "I14", t(400), AuditPlan { leaves_rest: vec![], ..plan() }).await, 1, "not drawn");
    }
}

#[tokio::test]
async fn i20_only_a_state_at_rest_is_told_as_rested() {
    for fresh in testing::stores().await {
        let id = put(&fresh, machine("a")).await;
        let claimed = claim_one(&fresh, id).await;
        let waits = Turn { due: due("-", 3, None), ..turn(&claimed, "settled") };
        assert!(is_done(&commit(&fresh, waits).await), "it waits for a person");
        assert_eq!(
            count(&fresh, "I20", t(5), plan()).await,
            1,
            "no `rested` row was written, and the plan says it rests"
        );
    }
}

#[tokio::test]
async fn i10_a_broken_quote_that_two_persons_accepted_is_theirs() {
    for fresh in testing::stores().await {
        let person = fresh.store.put_person("acme", &person("4111111111111111")).await.unwrap();
        let terms = json!({ "person": person, "terms": { "asked": { "gross": "103.00" } } });
        let order = put(&fresh, NewInstance { input: terms, ..machine("order") }).await;
        let input = json!({ "amount": "100.00", "fee": "1.00", "compensate_fee": "0.00", "sum_fee": "9.00", "actual_amount": "103.50" });
        let remit = put(&fresh, NewInstance { input, parent: Some(order), person: Some(person), ..machine("r") }).await;
        let exact = || AuditPlan { gross_exact: vec!["main".into()], ..plan() };
        assert_eq!(count(&fresh, "I10", t(5), exact()).await, 0, "nothing may be paid");
        assert!(is_done(&writes(&fresh, remit, vec![Write::IssuePermit(permit(remit, 1, &fresh))]).await));
        assert_eq!(count(&fresh, "I10", t(5), exact()).await, 2, "the fee of the remit, the sum of the order");
        assert_eq!(count(&fresh, "I10", t(5), plan()).await, 1, "this account's gross sums are not held to the fen");
        let case = office::case("quote_mismatch");
        let proposal = Proposal {
            name: "accept_remits".into(),
            reason: "agreed".into(),
            evidence: None,
            by: "li".into(),
            at: t(6),
        };
        fresh.store.open_case(order, "acme", case.clone()).await.unwrap();
        assert!(fresh.store.case_step(cases::step(case.id, cases::propose(&proposal, 0))).await.unwrap());
        assert!(fresh.store.case_step(cases::step(case.id, cases::approve(&proposal, "wang"))).await.unwrap());
        assert_eq!(count(&fresh, "I10", t(5), exact()).await, 0);
    }
}

#[tokio::test]
async fn i2_near_its_deadline_a_paid_remit_has_a_case() {
    for fresh in testing::stores().await {
        let input = json!({ "amount": "100.00", "deadline": t(12 * 3600 + 10) });
        let id = put(&fresh, NewInstance { input, ..machine("r") }).await;
        assert!(is_done(&writes(&fresh, id, vec![Write::KeepEvidence(evidence(id, None))]).await));
        assert_eq!(count(&fresh, "I2", t(9), plan()).await, 0);
        assert_eq!(count(&fresh, "I2", t(11), plan()).await, 1, "less than 12 hours are left");
        let settle = std::time::Duration::from_secs(120);
        assert_eq!(count(&fresh, "I2", t(11), AuditPlan { settle, ..plan() }).await, 0, "its calls need their time");
        fresh.store.open_case(id, "acme", office::case("deadline_near")).await.unwrap();
        assert_eq!(count(&fresh, "I2", t(11), plan()).await, 0);
    }
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
        let early = fresh.store.audits(now(&fresh, t(5)), AuditPlan::default()).await.unwrap();
        assert_eq!(early.into_iter().find(|finding| finding.audit == "I2").unwrap().count, 0);
        assert_eq!(late().await, 1);
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
