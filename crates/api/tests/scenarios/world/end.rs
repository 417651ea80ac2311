//! The oracle: what every story must end with, whatever befell it. The far side's own books say what really happened.

use super::far::{fact, last_status};
use super::{World, text};
use serde_json::Value;
use simulator::{Ended, Ledger, Operation, PaymentStatus};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// The story is over: nothing done twice, nothing levied that was not paid, nobody in limbo.
    pub(crate) async fn end(mut self) {
        self.settle().await;
        for finding in self.engine.audits().await.expect("the store answers") {
            assert_eq!(finding.count, 0, "audit {}: {:?}", finding.audit, finding.examples);
        }
        let limbo = self.engine.limbo().await.expect("the store answers");
        assert_eq!(limbo.count, 0, "in limbo: {:?}", limbo.examples);
        let ledger = self.ledger();
        let remits = self.all("/v1/remits").await;
        self.one_order_per_request(&ledger).await;
        one_decision_per_remit(&ledger);
        self.money_and_tax_agree(&ledger);
        ends_agree(&remits, &ledger);
        self.stop_api().await;
        self.engine.store.close().await;
        self.far.shutdown().await;
        drop(self.folder.take());
    }

    /// S-E: one effect under each request id, every order at the provider is one of ours, and a repeat says the same again.
    async fn one_order_per_request(&self, ledger: &Ledger) {
        let orders = self.all("/v1/orders").await;
        let ours: BTreeSet<&str> = orders.iter().map(|order| text(&order["request_id"])).collect();
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        // What a fault of the far side made (a request it doubled or carried out late) is not our doing.
        for order in ledger.orders.iter().filter(|order| order.cause.is_none()) {
            *made.entry(&order.request_id).or_default() += 1;
        }
        for (id, times) in made {
            assert_eq!(times, 1, "{times} orders under {id}");
            assert!(ours.contains(id), "an order {id} that nobody asked for");
        }
        let mut said: BTreeMap<&str, &BTreeMap<String, String>> = BTreeMap::new();
        for call in
            ledger.calls.iter().filter(|call| call.operation == Operation::CreateOrderV2.name() && !call.id.is_empty())
        {
            let first = said.entry(&call.id).or_insert(&call.facts);
            assert_eq!(**first, call.facts, "a repeat of {} says something else", call.id);
        }
    }

    /// S-A, S-B, S-D against the bank's book: each remit is paid at most once, each levy is of a payment made, at the bank's own
    /// time, and nothing cancelled was paid.
    fn money_and_tax_agree(&self, ledger: &Ledger) {
        let paying = self.paying.lock().expect("no panic before");
        let of = |number: &str| {
            paying.get(number).cloned().unwrap_or_else(|| panic!("a payment under {number}, which nobody permitted"))
        };
        let mut paid: BTreeMap<String, usize> = BTreeMap::new();
        let mut succeeded: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for payment in &ledger.payments {
            let remit = of(&payment.bank_order_no);
            if last_status(payment) == Some(PaymentStatus::Success) {
                *paid.entry(remit.clone()).or_default() += 1;
            }
            let at = payment.statuses.iter().find(|(_, status)| *status == PaymentStatus::Success).map(|(at, _)| *at);
            succeeded.entry(remit).or_default().extend(at.map(|at| (payment.amount, at)));
        }
        for remit in &ledger.remits {
            let id = &remit.order_id;
            assert!(paid.get(id).copied().unwrap_or(0) <= 1, "remit {id} is paid twice");
            let Some(decision) = &remit.decision else { continue };
            if decision.next_step == "CONTINUE" {
                let proofs = succeeded.get(id).cloned().unwrap_or_default();
                let proved = proofs.contains(&(remit.amount, decision.arising_time));
                assert!(proved, "remit {id} is levied at {}, and was paid {proofs:?}", decision.arising_time);
            } else {
                assert!(!paid.contains_key(id), "remit {id} is cancelled, and paid");
            }
        }
    }
}

/// S-E: no remit has ever been told both.
fn one_decision_per_remit(ledger: &Ledger) {
    let mut told: BTreeMap<&str, &str> = BTreeMap::new();
    for call in ledger.calls.iter().filter(|call| call.operation == Operation::ConfirmOrderV2.name()) {
        let step = fact(call, "next_step");
        assert_eq!(*told.entry(&call.id).or_insert(step), step, "remit {} was told both", call.id);
    }
}

/// Each remit ended the same way on both sides, or a case says that somebody still has to look.
fn ends_agree(remits: &[Value], ledger: &Ledger) {
    let by_fault: BTreeSet<u64> = ledger.orders.iter().filter(|o| o.cause.is_some()).map(|o| o.key).collect();
    for theirs in ledger.remits.iter().filter(|remit| !by_fault.contains(&remit.order_key)) {
        let Some(ours) = remits.iter().find(|ours| text(&ours["provider_order_id"]) == theirs.order_id) else {
            // An order that was never split into remits here: parked, or still being looked at.
            continue;
        };
        let state = text(&ours["state"]);
        let agrees = match theirs.ended {
            Some(Ended::Levied) => ["levied", "levying", "returned_after_levy"].contains(&state),
            Some(Ended::Cancelled) => state == "cancelled",
            Some(Ended::AutoClosed) => ["auto_closed_unpaid", "auto_closed_paid", "closed_externally"].contains(&state),
            None => !["levied", "cancelled", "auto_closed_unpaid", "auto_closed_paid"].contains(&state),
        };
        let owned = !ours["case_id"].is_null();
        assert!(agrees || owned, "remit {}: there {:?}, here {state}", theirs.order_id, theirs.ended);
    }
}
