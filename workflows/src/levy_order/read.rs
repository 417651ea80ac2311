//! The reading of an order's `CLOSE` and of looks that found nothing (safety.md §7, P13).

use super::{Child, Order, Under, Why, case, close_cases};
use crate::doubt::{Doubt, TELL_AFTER, decaying};
use crate::machine::{Cx, Next};
use crate::remit::{self, Remit};
use crate::{levy_order::Input, quote};
use domain::levy::{OrderSeen, OrderStatus, RemitSeen};
use domain::record::{Severity, Spawn, Write};
use domain::{Fault, InstanceId};
use serde_json::json;

impl Order {
    /// The order as a live query showed it: a positive answer counts at once.
    pub(super) fn seen(self, seen: &OrderSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let under = match &self {
            Order::CreateInDoubt { first_sent, unwanted, doubt, .. } => Under {
                first_sent: *first_sent,
                accept_time: seen.accept_time,
                asked: 0,
                look_at: doubt.look_at,
                unwanted: *unwanted,
            },
            Order::Accepted(under) | Order::Splitting(under) => {
                Under { accept_time: under.accept_time.or(seen.accept_time), ..under.clone() }
            }
            Order::Gated { .. } | Order::Creating { .. } | Order::Ready { .. } => return None,
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled | Order::NeedsOperator { .. } => {
                return None;
            }
        };
        let found = matches!(self, Order::CreateInDoubt { .. }).then(|| close_cases("the provider has it", cx));
        let again = Under { asked: under.asked + 1, look_at: cx.now + decaying(under.asked), ..under };
        let was_splitting = matches!(self, Order::Splitting(_));
        let next = match &seen.status {
            OrderStatus::Accepted if was_splitting => Next::to(Order::Splitting(again)),
            OrderStatus::Accepted => Next::to(Order::Accepted(again)),
            OrderStatus::Processing => Next::to(Order::Splitting(again)),
            OrderStatus::Closed => self.closed(seen, again, input, cx),
            OrderStatus::Unknown(word) => Order::Accepted(again).park(Why::UnknownStatus(word.clone()), cx),
        };
        Some(match found {
            Some(found) => next.with_first(found),
            None => next,
        })
    }

    /// `CLOSE` has four meanings and one contradiction.
    fn closed(self, seen: &OrderSeen, under: Under, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let reason = seen.fail_reason.clone().filter(|reason| !reason.trim().is_empty());
        match (seen.remits.is_empty(), reason) {
            (false, None) => {
                let (unwanted, order) = (under.unwanted, Order::Splitting(under));
                order.ready(seen, unwanted, false, input, cx)
            }
            (true, Some(reason)) => Next::to(Order::Rejected { reason }),
            (true, None) => {
                // In doubt: neither created nor refused. Looking goes on; a person is told once.
                let told = (under.asked == TELL_AFTER).then(|| {
                    case(
                        "closed_without_word",
                        Severity::High,
                        &[],
                        json!({"why": "CLOSE with neither remits nor a reason"}),
                        cx,
                    )
                });
                Next::to(Order::Splitting(under)).and(told)
            }
            (false, Some(reason)) => {
                Order::Splitting(under).park(Why::PartialCreation { seen: Box::new(seen.clone()), reason }, cx)
            }
        }
    }

    /// The remits are there: one child each. `accepted`: two persons took the split as it is.
    pub(super) fn ready(
        self,
        seen: &OrderSeen,
        unwanted: bool,
        accepted: bool,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        let (first_sent, accept_time) = self.first_sent().unwrap_or((cx.now, None));
        let times = Order::times_from(first_sent, accept_time.or(seen.accept_time), cx.params, cx.policy);
        let broken = quote::broken(input.terms.asked, &seen.remits, cx.policy).filter(|_| !accepted);
        let mut remits: Vec<Child> = Vec::new();
        let mut writes = Vec::new();
        for remit in &seen.remits {
            let id = InstanceId(domain::ids::derive(cx.now, cx.me.0, &format!("remit/{}", remit.provider_order_id)));
            if remits.iter().any(|child| child.id == id) {
                continue;
            }
            let child = remit_input(remit, seen.remits.len() == 1, &times, input, cx);
            writes.push(spawn(id, &child, broken.is_none(), cx));
            if unwanted {
                writes.push(Write::Tell { to: id, event: json!({"CancelAsked": {"by": "order"}}) });
            }
            remits.push(Child { id, tax_agent_location_id: remit.tax_agent_location_id.clone(), ended: None });
        }
        if let Some(why) = broken {
            writes.push(case(
                "quote_mismatch",
                Severity::High,
                &["accept_remits", "cancel_each"],
                json!({"why": why}),
                cx,
            ));
        }
        let look_at = times.deadline + super::DAY;
        Next::to(Order::Ready { times, remits, look_at }).and(writes)
    }

    /// "Not found": proof only after the quarantine, twice, apart (P02).
    pub(super) fn absent(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self {
            Order::CreateInDoubt { sends: 1, refused: Some(refusal), .. } => {
                Some(Next::to(Order::Rejected { reason: refusal.to_string() }))
            }
            Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } => {
                let doubt = doubt.negative(cx.now, cx.params);
                Some(Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted }))
            }
            Order::Accepted(under) => Some(Order::looked_in_vain(under, Order::Accepted, cx)),
            Order::Splitting(under) => Some(Order::looked_in_vain(under, Order::Splitting, cx)),
            _ => None,
        }
    }

    /// A failing query is never proof of failure (§10). But a definite refusal of a first send stands unless a query *shows* the
    /// order: an unknown code of the query does not hold it up (§11).
    pub(super) fn look_failed(self, fault: &Fault, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self {
            Order::CreateInDoubt { sends: 1, refused: Some(refusal), .. } if matches!(fault, Fault::UnknownCode(_)) => {
                Some(Next::to(Order::Rejected { reason: refusal.to_string() }))
            }
            Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } => {
                let doubt = doubt.unclear(cx.now, cx.params);
                let told = told_of_doubt(&doubt, cx);
                Some(Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted }).and(told))
            }
            Order::Accepted(under) => Some(Order::looked_in_vain(under, Order::Accepted, cx)),
            Order::Splitting(under) => Some(Order::looked_in_vain(under, Order::Splitting, cx)),
            _ => None,
        }
    }

    /// The provider accepted it; a look that finds nothing reads a lagging copy, until it lasts.
    fn looked_in_vain(under: Under, state: fn(Under) -> Order, cx: &Cx<'_>) -> Next<Order> {
        let asked = under.asked + 1;
        let told = (asked == TELL_AFTER).then(|| {
            case(
                "our_order_missing_at_provider",
                Severity::High,
                &[],
                json!({"why": "accepted, and queries do not show it"}),
                cx,
            )
        });
        Next::to(state(Under { asked, look_at: cx.now + decaying(asked), ..under })).and(told)
    }
}

fn told_of_doubt(doubt: &Doubt, cx: &Cx<'_>) -> Option<Write> {
    doubt.tell_now().then(|| case("create_in_doubt", Severity::High, &["retry", "abandon"], json!({"why": "queries settle nothing: is code_order_not_found set for this account? `levee doctor` learns it"}), cx))
}

fn remit_input(remit: &RemitSeen, unsplit: bool, times: &super::Times, input: &Input, cx: &Cx<'_>) -> remit::Input {
    remit::Input {
        order: cx.me,
        request_id: input.request_id.clone(),
        person: input.person,
        provider_order_id: remit.provider_order_id.clone(),
        tax_agent_location_id: remit.tax_agent_location_id.clone(),
        amount: remit.amount,
        fee: remit.fee,
        compensate_fee: remit.compensate_fee,
        sum_fee: remit.sum_fee,
        actual_amount: remit.actual_amount,
        unsplit,
        first_sent: times.first_sent,
        accept_time: times.accept_time,
        deadline: times.deadline,
        pay_cutoff: times.pay_cutoff,
    }
}

fn spawn(id: InstanceId, child: &remit::Input, quote_ok: bool, cx: &Cx<'_>) -> Write {
    let state = Remit::new(quote_ok, cx.now, cx.params.slow_look);
    Write::Spawn(Spawn {
        id,
        workflow: "remit".into(),
        business_key: format!("{}/{}", cx.account, child.provider_order_id),
        address: Some(format!("{}/remit/{}", cx.account, child.provider_order_id)),
        person: Some(child.person),
        input: serde_json::to_value(child).unwrap_or_default(),
        state: serde_json::to_value(&state).unwrap_or_default(),
    })
}
