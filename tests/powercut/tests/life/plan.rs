//! Draws what to do next: operations as the product makes them, over synthetic machines.

use super::ledger::Ledger;
use super::op::{Op, TENANT};
use super::t;
use domain::levy::NextStep;
use domain::record::{Decision, Evidence, Move, OpenCase, Permit, Severity, Write};
use domain::{BankCard, Cellphone, Clock, IdCard, InstanceId, Money, Person, PersonName, ids};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use std::time::Duration;
use store::{Act, ClaimAsk, Claimed, Due, Guard, Held, LetGo, Line, NewExchange, NewInstance, Post, Target, Turn};
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(120);

/// The next operation.
pub(crate) fn op(dice: &mut StdRng, ledger: &mut Ledger, clock: &Clock) -> Op {
    if !ledger.held.is_empty() && dice.random_bool(0.6) {
        let many = dice.random_range(1..=3.min(ledger.held.len()));
        let claims: Vec<Claimed> = ledger.held.drain(..many).collect();
        if dice.random_bool(0.15) {
            let release = |claim: Claimed| LetGo { id: claim.id, token: claim.token, wake_at: None };
            return Op::Release(claims.into_iter().map(release).collect());
        }
        return Op::Commit(claims.iter().map(|claim| turn(dice, ledger, clock, claim)).collect());
    }
    match dice.random_range(0..10) {
        0..=3 => Op::Claim(ClaimAsk {
            limit: 4,
            closed_lanes: vec![],
            per_lane: 4,
            rooms: std::collections::BTreeMap::new(),
            only_lane: None,
            lease: LEASE,
            now: t(1000),
        }),
        4..=7 => {
            let many = dice.random_range(1..=3);
            Op::Submit((0..many).map(|_| machine(dice, ledger, None)).collect())
        }
        _ => small(dice, ledger),
    }
}

/// A post, a case or an act.
pub(crate) fn small(dice: &mut StdRng, ledger: &mut Ledger) -> Op {
    let number = next(ledger);
    let machine = ledger.any(dice).map(|(id, _)| id);
    match (dice.random_range(0..4), machine) {
        (0, Some(id)) => Op::OpenCase(id, case("asked")),
        (1, Some(id)) => Op::Post(vec![post(number, Target::Instance(id)), post(next(ledger), address(dice, ledger))]),
        (2, _) => Op::Post(vec![post(number, address(dice, ledger))]),
        _ => Op::Act(Act {
            who: "li".into(),
            what: "approve".into(),
            subject: format!("act-{number}"),
            detail: json!({ "n": number }),
            at: t(5),
        }),
    }
}

/// Whom every order pays.
pub(crate) fn payee() -> Person {
    Person {
        name: PersonName::parse("张三").expect("a name"),
        id_card: IdCard::parse("110101199003070011").expect("an ID number"),
        cellphone: Cellphone::parse("13800000000").expect("a phone number"),
        bankcard: BankCard::parse("6222000000000000004").expect("a card"),
    }
}

fn next(ledger: &mut Ledger) -> u64 {
    ledger.number += 1;
    ledger.number
}

/// An address that nobody owns yet, or one that somebody does.
fn address(dice: &mut StdRng, ledger: &Ledger) -> Target {
    Target::Address(format!("main/{}", dice.random_range(0..=ledger.number)))
}

fn post(number: u64, to: Target) -> Post {
    Post {
        id: Uuid::new_v4(),
        tenant: TENANT.into(),
        to,
        event: json!({ "Rang": number }),
        source: "callback".into(),
        dedupe: Some(format!("post-{number}")),
        raw: Some(vec![7; 300]),
        at: t(2),
    }
}

fn machine(dice: &mut StdRng, ledger: &mut Ledger, parent: Option<InstanceId>) -> NewInstance {
    let number = next(ledger);
    let guard = dice.random_bool(0.3).then(|| Guard {
        // Now and then a key that is taken already; never twice in one operation.
        key: format!("dup-{}", if dice.random_bool(0.5) { number } else { number / 8 * 8 }),
        held: Held {
            state: json!("held"),
            state_name: "held".into(),
            due: due("-", true),
            writes: vec![Write::OpenCase(case("duplicate"))],
        },
    });
    NewInstance {
        id: InstanceId(ids::draw(t(0))),
        workflow: "order".into(),
        tenant: TENANT.into(),
        account: "main".into(),
        business_key: format!("key-{number}"),
        address: dice.random_bool(0.5).then(|| format!("main/{number}")),
        parent,
        batch_row: None,
        person: ledger.payee,
        content_hash: "same".into(),
        input: json!({ "amount": "100.00", "person": ledger.payee }),
        state: json!("gated"),
        state_name: "gated".into(),
        due: due("main:create", true),
        guard,
        at: t(0),
    }
}

fn due(lane: &str, wakes: bool) -> Due {
    Due { wake_at: wakes.then(|| t(0)), lane: lane.into(), class: 3 }
}

fn case(kind: &str) -> OpenCase {
    OpenCase {
        id: ids::draw(t(5)),
        kind: kind.into(),
        severity: Severity::High,
        owner_role: "finance".into(),
        opened_at: t(5),
        sla_at: t(500),
        moves: vec![Move { name: "levied".into(), needs: vec!["evidence".into()] }],
        facts: json!({ "why": "drawn" }),
        group: None,
    }
}

/// The next transition of a claimed machine, with the rows that belong to it in the same transaction.
fn turn(dice: &mut StdRng, ledger: &mut Ledger, clock: &Clock, claim: &Claimed) -> Turn {
    let (to, mut writes) = step(dice, ledger, clock, claim);
    writes.push(Write::Emit { topic: "remit.moved".into(), body: json!({ "to": to }) });
    if let Some((other, _)) = ledger.any(dice).filter(|(other, _)| *other != claim.id && dice.random_bool(0.2)) {
        writes.push(Write::Tell { to: other, event: json!("Told") });
    }
    let line = |from: &str, to: &str| Line {
        event: "Moved".into(),
        detail: json!({ "to": to }),
        from: from.into(),
        to: to.into(),
        at: t(5),
        cause: "timer".into(),
        exchange: None,
    };
    let mut lines = vec![line(&claim.state_name, to)];
    if dice.random_bool(0.3) {
        lines.insert(0, line(&claim.state_name, &claim.state_name));
    }
    let children = if dice.random_bool(0.15) { vec![machine(dice, ledger, Some(claim.id))] } else { vec![] };
    let exchanges = if dice.random_bool(0.4) { vec![exchange()] } else { vec![] };
    let rests = to == "settled" || to == "cancelled";
    Turn {
        id: claim.id,
        tenant: TENANT.into(),
        account: claim.account.clone(),
        token: claim.token,
        revision: claim.revision,
        head: claim.head.clone(),
        state: json!(to),
        state_name: to.to_owned(),
        resting: rests,
        due: due("main:query", !rests),
        seen: claim.signals,
        lines,
        consumed: claim.inbox.iter().map(|letter| letter.id).collect(),
        writes,
        children,
        exchanges,
        keep_until: (!rests && dice.random_bool(0.4)).then(|| clock.real() + LEASE),
        not_after: None,
        at: t(5),
    }
}

/// From a new order through permit and evidence to its decision, or to a closed gate and a cancel.
fn step(dice: &mut StdRng, ledger: &Ledger, clock: &Clock, claim: &Claimed) -> (&'static str, Vec<Write>) {
    let (remit, amount) = (claim.id, Money::parse("100.00").expect("an amount"));
    let known = &ledger.machines[&remit];
    let decide =
        |next_step, evidence| Write::Decide(Decision { remit, next_step, evidence, arising_time: t(4), at: t(5) });
    match claim.state_name.as_str() {
        "permitted" => {
            let permit = known.permits.keys().next().copied();
            let evidence = Evidence {
                id: ids::draw(t(5)),
                remit,
                permit,
                amount,
                paid_at: t(4),
                bank_serial: format!("serial-{}", ledger.number),
                source: "api".into(),
                at: t(5),
            };
            let success = permit.map(|permit| Write::MovePermit { permit, state: "success".into() });
            let writes = success.into_iter().chain([Write::KeepEvidence(evidence), Write::OpenCase(case("paid"))]);
            ("paid", writes.collect())
        }
        "paid" => {
            let close = Write::CloseCases { kinds: vec![], how: "decided".into(), at: t(5) };
            ("settled", vec![decide(NextStep::Continue, known.evidence.first().copied()), close])
        }
        "settled" => ("settled", vec![]),
        "cancelled" => ("cancelled", vec![]),
        _ if dice.random_bool(0.2) => {
            ("cancelled", vec![Write::CloseGate { remit, at: t(5) }, decide(NextStep::Cancel, None)])
        }
        _ => {
            let permit = Permit {
                id: ids::draw(t(5)),
                remit,
                attempt: 1,
                bank_order_no: format!("bank-{remit}"),
                amount,
                pay_before: t(3600),
                pay_cutoff: t(7200),
                issued_at: t(5),
                observed_real: clock.real(),
                state: "permit_issued".into(),
            };
            ("permitted", vec![Write::IssuePermit(permit)])
        }
    }
}

fn exchange() -> NewExchange {
    NewExchange {
        id: Uuid::new_v4(),
        operation: "QUERY_ORDER".into(),
        request: vec![1; 400],
        answer: vec![2; 900],
        status: Some(200),
        verdict: "done".into(),
        took_ms: 12,
        at: t(5),
    }
}
