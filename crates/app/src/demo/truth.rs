//! Both ledgers side by side: what levee believes against what really happened at the provider and the bank.

use anyhow::Result;
use domain::Money;
use serde_json::Value;
use simulator::{CallFault, Ended, Ledger, Operation, PaymentStatus};
use std::collections::{BTreeMap, BTreeSet};

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Of people, at the provider.
    pub(crate) signatures: usize,
    /// Pictures and vouchers that the provider has.
    pub(crate) papers: usize,
    pub(crate) orders: usize,
    pub(crate) remits: usize,
    pub(crate) paid: i64,
    pub(crate) evidenced: i64,
    /// One line per difference; none when the ledgers are equal.
    pub(crate) differences: Vec<String>,
}

/// Compares orders (with their remits, as the API shows them) with the simulators' ledger.
pub(crate) fn compare(orders: &[Value], truth: &Ledger) -> Result<Comparison> {
    let mut found = Comparison { orders: orders.len(), ..Comparison::default() };
    let ours: BTreeMap<&str, &Value> =
        orders.iter().filter_map(|order| Some((order["request_id"].as_str()?, order))).collect();
    once_each(truth, &ours, &mut found);
    let remits: BTreeMap<&str, &Value> = orders
        .iter()
        .flat_map(|order| order["remits"].as_array().into_iter().flatten())
        .filter_map(|remit| Some((remit["provider_order_id"].as_str()?, remit)))
        .collect();
    found.remits = remits.len();
    ends_agree(truth, &ours, &remits, &mut found);
    money_agrees(truth, &remits, &mut found);
    nothing_invented(orders, truth, &mut found);
    nothing_refused_by_us(&ours, truth, &mut found);
    Ok(found)
}

/// Whoever has signed at the provider, by this invitation or by one that came after it, is signed with us, and nobody else is.
pub(crate) fn signatures_agree(sign_ups: &[Value], truth: &Ledger, found: &mut Comparison) {
    let signed = truth.sign_ups.iter().filter(|one| one.statuses.last().is_some_and(|(_, word)| word == "SIGN"));
    let signed: BTreeSet<&str> = signed.filter_map(|one| one.request_id.as_deref()).collect();
    found.signatures = signed.len();
    let after: BTreeMap<&str, &Value> =
        sign_ups.iter().filter_map(|one| Some((one["again_of"].as_str()?, one))).collect();
    for sign_up in sign_ups {
        let next = |one: &&Value| after.get(one["id"].as_str().unwrap_or_default()).copied();
        let mut invitations = std::iter::successors(Some(sign_up), next);
        let there = invitations.any(|one| one["request_id"].as_str().is_some_and(|id| signed.contains(id)));
        if there != (sign_up["state"] == "signed") {
            found
                .differences
                .push(format!("sign-up {} is {}, at the provider signed: {there}", sign_up["id"], sign_up["state"]));
        }
    }
}

/// A paper that is with the provider, by the interface it came by and whom or what it is of, is one that we know to be there, and no
/// other: `ours` says so of each that we have brought.
pub(crate) fn papers_agree(operation: Operation, ours: &[(String, bool)], truth: &Ledger, found: &mut Comparison) {
    let there: BTreeSet<&str> = truth
        .documents
        .iter()
        .filter(|document| document.operation == operation.name())
        .map(|document| document.id.as_str())
        .collect();
    found.papers += there.len();
    for (id, known) in ours {
        let there = there.contains(id.as_str());
        if there != *known {
            let word = operation.name();
            found.differences.push(format!("{word} of {id}: with us {known}, at the provider {there}"));
        }
    }
    for stranger in there.iter().filter(|there| !ours.iter().any(|(id, _)| id == *there)) {
        found.differences.push(format!("the provider has a paper of {stranger} that we did not bring"));
    }
}

/// Requests under which the provider has more orders than we and its own network made: a middlebox that sends a CREATE twice
/// (F46) is not our doing, a late arrival is.
pub(crate) fn surplus(truth: &Ledger) -> BTreeMap<&str, usize> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for order in truth.orders.iter().filter(|order| order.cause != Some(CallFault::Doubled)) {
        *seen.entry(&order.request_id).or_default() += 1;
    }
    seen.retain(|_, times| *times > 1);
    seen
}

/// I3: one order per request id, and each of them ours.
fn once_each(truth: &Ledger, ours: &BTreeMap<&str, &Value>, found: &mut Comparison) {
    for (request_id, times) in surplus(truth) {
        found.differences.push(format!("the provider has {times} orders under {request_id}"));
    }
    for order in &truth.orders {
        if !ours.contains_key(order.request_id.as_str()) {
            found.differences.push(format!("the provider has an order {} that we do not know", order.request_id));
        }
    }
}

/// Each remit ended the same way on both sides, or a case explains why we do not say so.
fn ends_agree(
    truth: &Ledger,
    orders: &BTreeMap<&str, &Value>,
    remits: &BTreeMap<&str, &Value>,
    found: &mut Comparison,
) {
    // Under a request that was sent twice for us, a query shows one order of the two, and the other is nobody's.
    let doubled = truth.orders.iter().filter(|order| order.cause == Some(CallFault::Doubled));
    let doubled: BTreeSet<&str> = doubled.map(|order| order.request_id.as_str()).collect();
    for theirs in &truth.remits {
        let Some(ours) = remits.get(theirs.order_id.as_str()) else {
            let parked = orders.get(theirs.request_id.as_str()).is_some_and(|order| order["case_id"].is_string());
            if parked || doubled.contains(theirs.request_id.as_str()) {
                continue;
            }
            found.differences.push(format!("the provider has a remit {} that we do not know", theirs.order_id));
            continue;
        };
        let state = ours["state"].as_str().unwrap_or_default();
        let agrees = match theirs.ended {
            Some(Ended::Levied) => matches!(state, "levied" | "returned_after_levy"),
            Some(Ended::Cancelled) => state == "cancelled",
            // A CLOSE after our CANCEL was sent is consistent with it, whoever closed (safety.md §8).
            Some(Ended::AutoClosed) => {
                matches!(state, "auto_closed_unpaid" | "auto_closed_paid" | "closed_externally" | "cancelled")
            }
            None => !matches!(
                state,
                "levied" | "returned_after_levy" | "cancelled" | "auto_closed_unpaid" | "auto_closed_paid"
            ),
        };
        let explained = ours["case_id"].is_string();
        if !agrees && !explained {
            found.differences.push(format!(
                "remit {}: the provider ended it as {:?}, we say {state}",
                theirs.order_id, theirs.ended
            ));
        }
    }
}

/// Every success at the bank is the evidence of exactly one remit, to the fen; every levy has the bank's own time.
fn money_agrees(truth: &Ledger, remits: &BTreeMap<&str, &Value>, found: &mut Comparison) {
    let mut by_serial: BTreeMap<&str, Vec<(&str, &Value)>> = BTreeMap::new();
    for (id, remit) in remits {
        if let Some(serial) = remit["evidence"]["bank_serial"].as_str() {
            by_serial.entry(serial).or_default().push((id, remit));
        }
    }
    for (serial, _) in by_serial.iter().filter(|(_, remits)| remits.len() > 1) {
        found.differences.push(format!("bank serial {serial} is the evidence of more than one remit"));
    }
    for payment in &truth.payments {
        let last = payment.statuses.last().map(|(_, status)| *status);
        if last != Some(PaymentStatus::Success) {
            continue;
        }
        found.paid += payment.amount.fen();
        let serial = payment.bank_serial.as_deref().unwrap_or_default();
        match by_serial.get(serial).and_then(|remits| remits.first()) {
            Some((id, remit)) if remit["evidence"]["amount"] == payment.amount.to_string() => {
                found.evidenced += payment.amount.fen();
                let theirs = truth.remits.iter().find(|theirs| theirs.order_id == *id);
                let unlevied = theirs.and_then(|theirs| theirs.ended).filter(|ended| *ended != Ended::Levied);
                if let Some(ended) = unlevied.filter(|_| !remit["case_id"].is_string()) {
                    found.differences.push(format!("remit {id} is paid, and the provider ended it as {ended:?}"));
                }
            }
            Some((id, _)) => {
                found.differences.push(format!("remit {id} is evidenced with another amount than the bank paid"))
            }
            None => found.differences.push(format!(
                "the bank paid {} under {} and no remit has the evidence",
                payment.amount, payment.bank_order_no
            )),
        }
    }
    let serials: BTreeSet<&str> = truth.payments.iter().filter_map(|payment| payment.bank_serial.as_deref()).collect();
    for serial in by_serial.keys().filter(|serial| !serials.contains(*serial)) {
        found.differences.push(format!("bank serial {serial} is evidence of a payment that the bank never made"));
    }
    for theirs in &truth.remits {
        let Some(decision) = theirs.decision.as_ref().filter(|decision| decision.next_step == "CONTINUE") else {
            continue;
        };
        let paid_at = remits
            .get(theirs.order_id.as_str())
            .and_then(|remit| remit["evidence"]["paid_at"].as_str())
            .and_then(domain::Time::parse);
        if paid_at != Some(decision.arising_time) {
            found
                .differences
                .push(format!("remit {}: levied at {}, paid at {paid_at:?}", theirs.order_id, decision.arising_time));
        }
    }
}

/// What we call accepted is there.
fn nothing_invented(orders: &[Value], truth: &Ledger, found: &mut Comparison) {
    let known: BTreeSet<&str> = truth.orders.iter().map(|order| order.request_id.as_str()).collect();
    for order in orders {
        let state = order["state"].as_str().unwrap_or_default();
        let request_id = order["request_id"].as_str().unwrap_or_default();
        if matches!(state, "accepted" | "splitting" | "ready" | "settled") && !known.contains(request_id) {
            found.differences.push(format!("we say {state} about {request_id}, which the provider does not have"));
        }
    }
}

/// What we call rejected was refused in so many words: a bare CLOSE says nothing (P13).
fn nothing_refused_by_us(ours: &BTreeMap<&str, &Value>, truth: &Ledger, found: &mut Comparison) {
    for theirs in &truth.orders {
        let rejected = ours.get(theirs.request_id.as_str()).is_some_and(|order| order["state"] == "rejected");
        let closed = theirs.statuses.last().is_some_and(|(_, status)| status == "CLOSE");
        if rejected && closed && theirs.fail_reason.is_none() && theirs.remits.is_empty() {
            found
                .differences
                .push(format!("we say {} is rejected, and the provider gave no reason", theirs.request_id));
        }
    }
}

/// Yuan, as people read them.
pub(crate) fn yuan(fen: i64) -> String {
    Money::from_fen(fen).map_or_else(|_| "?".into(), |money| money.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One remit of 100.00, paid and levied at the same moment.
    fn truth() -> Ledger {
        serde_json::from_value(json!({
            "now": "2026-01-08T09:00:00.000+08:00", "calls": [], "quota": [], "places": [], "sign_ups": [], "documents": [],
            "callbacks": [], "coverage": {},
            "orders": [{
                "key": 1, "client": "c", "request_id": "r1", "person": "p", "card": "k", "net": "100.00", "gross": null,
                "first_send": "2026-01-05T09:00:00.000+08:00", "accept_time": "2026-01-05T09:00:00.000+08:00", "statuses": [],
                "fail_reason": null, "remits": ["1"], "cause": null,
            }],
            "remits": [{
                "order_id": "1", "order_key": 1, "request_id": "r1", "tax_agent_location_id": "2001", "amount": "100.00",
                "fee": "6.00", "compensate_fee": "0.00", "sum_fee": "6.00", "actual_amount": "106.00",
                "deadline": "2026-01-08T09:00:00.000+08:00", "statuses": [], "ended": "levied", "decision": {
                    "next_step": "CONTINUE", "at": "2026-01-05T10:00:00.000+08:00", "arising_time": "2026-01-05T09:30:00.000+08:00",
                },
            }],
            "payments": [{
                "bank_order_no": "b1", "amount": "100.00", "card": "k", "card_masked": "****", "outcome": "success",
                "asked_at": "2026-01-05T09:30:00.000+08:00", "statuses": [["2026-01-05T09:30:00.000+08:00", "success"]],
                "bank_serial": "s1", "repeats": 0, "refused_repeats": 0,
            }],
        }))
        .unwrap()
    }

    fn ours(serial: &str) -> Vec<Value> {
        let evidence = json!({"bank_serial": serial, "amount": "100.00", "paid_at": "2026-01-05T09:30:00.000+08:00"});
        let remit = json!({"provider_order_id": "1", "state": "levied", "evidence": evidence});
        vec![json!({"request_id": "r1", "state": "settled", "remits": [remit]})]
    }

    #[test]
    fn equal_ledgers_have_no_difference() {
        let found = compare(&ours("s1"), &truth()).unwrap();
        assert!(found.differences.is_empty(), "{:?}", found.differences);
        assert_eq!((found.paid, found.evidenced), (10_000, 10_000));
    }

    #[test]
    fn evidence_of_a_payment_that_never_was_is_a_difference() {
        let found = compare(&ours("s2"), &truth()).unwrap();
        assert!(found.differences.iter().any(|line| line.contains("never made")), "{:?}", found.differences);
        assert!(
            found.differences.iter().any(|line| line.contains("no remit has the evidence")),
            "{:?}",
            found.differences
        );
    }

    #[test]
    fn a_rejection_that_the_provider_never_spoke_is_a_difference() {
        let mut truth = truth();
        let order = &mut truth.orders[0];
        (order.remits, order.statuses) = (Vec::new(), vec![(order.accept_time, "CLOSE".to_owned())]);
        (truth.remits, truth.payments) = (Vec::new(), Vec::new());
        let ours = vec![json!({"request_id": "r1", "state": "rejected", "remits": []})];
        assert_eq!(compare(&ours, &truth).unwrap().differences.len(), 1);
        truth.orders[0].fail_reason = Some("资质方审核未通过".into());
        assert!(compare(&ours, &truth).unwrap().differences.is_empty());
    }

    #[test]
    fn a_paid_remit_that_ended_unlevied_needs_a_case() {
        let mut truth = truth();
        (truth.remits[0].ended, truth.remits[0].decision) = (Some(Ended::AutoClosed), None);
        let mut ours = ours("s1");
        ours[0]["remits"][0]["state"] = json!("auto_closed_paid");
        assert_eq!(compare(&ours, &truth).unwrap().differences.len(), 1);
        ours[0]["remits"][0]["case_id"] = json!("c1");
        assert!(compare(&ours, &truth).unwrap().differences.is_empty());
    }
}
