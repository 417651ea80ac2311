//! Both ledgers side by side: what levee says (the API) against what really happened at the provider and the bank.

use crate::world::millis;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One line per difference; none when the ledgers are equal. `orders` as the API shows them, with their remits.
pub fn differences(orders: &[Value], ledger: &Value) -> Vec<String> {
    let remits: BTreeMap<&str, &Value> = orders
        .iter()
        .flat_map(|order| list(&order["remits"]))
        .map(|remit| (text(&remit["provider_order_id"]), remit))
        .collect();
    let mut found = Vec::new();
    once_each(orders, ledger, &mut found);
    ends_agree(orders, &remits, ledger, &mut found);
    money_agrees(&remits, ledger, &mut found);
    levies_are_of_payments(&remits, ledger, &mut found);
    found
}

/// Asserts that they are equal.
#[track_caller]
pub fn equal(orders: &[Value], ledger: &Value) {
    let found = differences(orders, ledger);
    assert!(found.is_empty(), "the ledgers differ:\n{}", found.join("\n"));
}

/// One order per request id, each of them ours, none of ours missing. What a fault of the far side made (a request it doubled or
/// carried out late) is not our doing.
fn once_each(orders: &[Value], ledger: &Value, found: &mut Vec<String>) {
    let mut theirs: BTreeMap<&str, usize> = BTreeMap::new();
    for order in list(&ledger["orders"]).iter().filter(|order| order["cause"].is_null()) {
        *theirs.entry(text(&order["request_id"])).or_default() += 1;
    }
    let ours: BTreeSet<&str> = orders.iter().map(|order| text(&order["request_id"])).collect();
    if ours.len() != orders.len() {
        found.push("two of our orders have one request id".into());
    }
    for (id, times) in &theirs {
        if *times > 1 {
            found.push(format!("the provider has {times} orders under {id}"));
        }
        if !ours.contains(id) {
            found.push(format!("the provider has an order {id} that we do not know"));
        }
    }
    let any: BTreeSet<&str> = list(&ledger["orders"]).iter().map(|order| text(&order["request_id"])).collect();
    for order in
        orders.iter().filter(|order| ["accepted", "splitting", "ready", "settled"].contains(&text(&order["state"])))
    {
        if !any.contains(text(&order["request_id"])) {
            found.push(format!(
                "we say {} about {}, which the provider does not have",
                order["state"], order["request_id"]
            ));
        }
    }
}

/// Each remit ended the same way on both sides, or a case explains why we do not say so.
fn ends_agree(orders: &[Value], remits: &BTreeMap<&str, &Value>, ledger: &Value, found: &mut Vec<String>) {
    let parked = orders.iter().filter(|order| order["state"] == "needs_operator");
    let parked: BTreeSet<&str> = parked.map(|order| text(&order["request_id"])).collect();
    let by_fault: Vec<&Value> =
        list(&ledger["orders"]).iter().filter(|order| !order["cause"].is_null()).map(|order| &order["key"]).collect();
    for theirs in list(&ledger["remits"]).iter().filter(|remit| !by_fault.contains(&&remit["order_key"])) {
        let id = text(&theirs["order_id"]);
        let Some(ours) = remits.get(id) else {
            // An order that is parked has a case: a person is asked to look for its remits.
            if !parked.contains(text(&theirs["request_id"])) {
                found.push(format!("the provider has a remit {id} that we do not know"));
            }
            continue;
        };
        let state = text(&ours["state"]);
        let agrees = match theirs["ended"].as_str() {
            Some("levied") => ["levied", "returned_after_levy"].contains(&state),
            Some("cancelled") => state == "cancelled",
            Some(_) => ["auto_closed_unpaid", "auto_closed_paid", "closed_externally"].contains(&state),
            None => !["levied", "returned_after_levy", "cancelled", "auto_closed_unpaid", "auto_closed_paid"]
                .contains(&state),
        };
        if !agrees && ours["case_id"].is_null() {
            found.push(format!("remit {id}: the provider ended it as {}, we say {state}", theirs["ended"]));
        }
    }
}

/// Every success at the bank is the evidence of exactly one remit, to the fen. A second payment of a remit would be nobody's.
fn money_agrees(remits: &BTreeMap<&str, &Value>, ledger: &Value, found: &mut Vec<String>) {
    let mut evidence: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for remit in remits.values() {
        if let Some(serial) = remit["evidence"]["bank_serial"].as_str() {
            evidence.entry(serial).or_default().push(remit);
        }
    }
    for payment in list(&ledger["payments"]) {
        let last = list(&payment["statuses"]).last().map(|status| text(&status[1]));
        if last != Some("success") {
            continue;
        }
        let (serial, amount) = (text(&payment["bank_serial"]), &payment["amount"]);
        match evidence.remove(serial).as_deref() {
            Some([remit]) if remit["evidence"]["amount"] == *amount && remit["amount"] == *amount => {}
            Some([_]) => found.push(format!("the evidence of {serial} has another amount than the bank paid")),
            Some(_) => found.push(format!("{serial} is the evidence of more than one remit")),
            None => found.push(format!(
                "the bank paid {amount} under {} and no remit has the evidence",
                payment["bank_order_no"]
            )),
        }
    }
    let returned: BTreeSet<&str> =
        list(&ledger["payments"]).iter().map(|payment| text(&payment["bank_serial"])).collect();
    for serial in evidence.into_keys().filter(|serial| !returned.contains(serial)) {
        found.push(format!("we hold evidence {serial}, which the bank never gave"));
    }
}

/// Tax is levied on a payment that was made, at the bank's own time.
fn levies_are_of_payments(remits: &BTreeMap<&str, &Value>, ledger: &Value, found: &mut Vec<String>) {
    let paid: BTreeMap<&str, i64> = list(&ledger["payments"])
        .iter()
        .filter_map(|payment| {
            let success = list(&payment["statuses"]).iter().find(|status| status[1] == "success")?;
            Some((payment["bank_serial"].as_str()?, millis(&success[0])))
        })
        .collect();
    for theirs in list(&ledger["remits"]).iter().filter(|remit| remit["decision"]["next_step"] == "CONTINUE") {
        let id = text(&theirs["order_id"]);
        let ours = remits.get(id).copied().unwrap_or(&Value::Null);
        // Revoked evidence (退票 after the levy) is not shown any more; its case is.
        let Some(serial) = ours["evidence"]["bank_serial"].as_str() else {
            if ours["case_id"].is_null() && ours["state"] != "returned_after_levy" {
                found.push(format!("remit {id} is levied without evidence"));
            }
            continue;
        };
        if paid.get(serial) != Some(&millis(&theirs["decision"]["arising_time"])) {
            found.push(format!(
                "remit {id} is levied at {}, which is not when {serial} was paid",
                theirs["decision"]["arising_time"]
            ));
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
