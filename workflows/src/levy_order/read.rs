//! The reading of an order's `CLOSE` and of looks that found nothing (safety.md §7, P13).

use super::{Child, Order, Under, Why};
use crate::cases;
use crate::doubt::{Doubt, TELL_AFTER, decaying};
use crate::machine::{Cx, Next};
use crate::remit::{self, Remit};
use crate::{levy_order::Input, quote};
use domain::levy::{OrderSeen, OrderStatus, RemitSeen};
use domain::planted::{Bug, planted};
use domain::record::{Severity, Spawn, Write};
use domain::{Fault, InstanceId, Time};
use serde_json::json;

/// Questions that the remits answer by being there.
const LOOKED_FOR: [&str; 3] = ["our_order_missing_at_provider", "closed_without_word", "splitting_too_long"];

impl Order {
    /// The order as a live query showed it: a positive answer counts at once.
    pub(super) fn seen(self, seen: &OrderSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let (was_in_doubt, was_splitting) =
            (matches!(self, Order::CreateInDoubt { .. }), matches!(self, Order::Splitting(_)));
        let under = if let Order::CreateInDoubt { first_sent, unwanted, doubt, .. } = &self {
            let (accept_time, look_at) = (seen.accept_time, doubt.look_at);
            Under { first_sent: *first_sent, accept_time, asked: 0, look_at, unwanted: *unwanted }
        } else if let Order::Accepted(under) | Order::Splitting(under) = &self {
            Under { accept_time: under.accept_time.or(seen.accept_time), ..under.clone() }
        } else {
            return None;
        };
        let found = was_in_doubt.then(|| cases::close(&[], "the provider has it", cx));
        let again = Under { asked: under.asked + 1, look_at: cx.now + decaying(under.asked), ..under };
        let here = if was_splitting { Order::Splitting } else { Order::Accepted };
        let next = match &seen.status {
            OrderStatus::Accepted => Self::not_yet_split(again, here, cx),
            OrderStatus::Processing => Self::not_yet_split(again, Order::Splitting, cx),
            OrderStatus::Closed => self.closed(seen, again, input, cx),
            OrderStatus::Unknown(word) => here(again).park(Why::UnknownStatus(word.clone()), cx),
        };
        Some(match found {
            Some(found) => next.with_first(found),
            None => next,
        })
    }

    /// Accepted, and still without remits. Looking goes on; a person is told once.
    fn not_yet_split(under: Under, state: fn(Under) -> Order, cx: &Cx<'_>) -> Next<Self> {
        let why = "accepted long ago, and not split into remits yet";
        let told = Self::told_once(&under, "splitting_too_long", why, cx);
        Next::to(state(under)).and(told)
    }

    fn told_once(under: &Under, kind: &str, why: &str, cx: &Cx<'_>) -> Option<Write> {
        (under.asked == TELL_AFTER).then(|| cases::open(kind, Severity::High, &[], json!({"why": why}), cx))
    }

    /// `CLOSE` has four meanings and one contradiction.
    fn closed(self, seen: &OrderSeen, under: Under, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let reason = seen.fail_reason.clone().filter(|reason| !reason.trim().is_empty());
        match (seen.remits.is_empty(), reason) {
            (false, None) => {
                let answered = cases::close(&LOOKED_FOR, "the remits are there", cx);
                let unwanted = under.unwanted;
                Order::Splitting(under).ready(seen, unwanted, false, input, cx).with_first(answered)
            }
            (true, Some(reason)) => Self::rejected(reason, cx),
            (true, None) if planted(Bug::BareCloseIsRejected) => Self::rejected("closed".into(), cx),
            (true, None) => {
                // In doubt: neither created nor refused. Looking goes on; a person is told once.
                let told = Self::told_once(&under, "closed_without_word", "CLOSE with neither remits nor a reason", cx);
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
        if let Some(why) = quote::warning(input.terms.asked, &seen.remits, cx.policy) {
            writes.push(cases::open("split_sum_mismatch", Severity::Medium, &[], json!({"why": why}), cx));
        }
        if let Some(why) = broken {
            writes.push(cases::open(
                "quote_mismatch",
                Severity::High,
                &["accept_remits", "cancel_each"],
                json!({"why": why}),
                cx,
            ));
        }
        let look_at = Order::watch_at(&times);
        Next::to(Order::Ready { times, remits, look_at }).and(writes)
    }

    /// "Not found": proof only after the quarantine, twice, apart (P02).
    pub(super) fn absent(self, asked_at: Time, cx: &Cx<'_>) -> Option<Next<Self>> {
        if let Order::CreateInDoubt { sends: 1, refused: Some(refusal), .. } = &self {
            return Some(Self::rejected(refusal.to_string(), cx));
        }
        if planted(Bug::NotFoundIsFailed) {
            return Some(Self::rejected("not found".into(), cx));
        }
        self.looked_in_vain(|doubt| doubt.negative(asked_at, cx.now, cx.params), cx)
    }

    /// A failing query is never proof of failure (§10). But a definite refusal of a first send stands unless a query *shows* the
    /// order: an unknown code of the query does not hold it up (§11).
    pub(super) fn look_failed(self, fault: &Fault, cx: &Cx<'_>) -> Option<Next<Self>> {
        if let Order::CreateInDoubt { sends: 1, refused: Some(refusal), .. } = &self
            && matches!(fault, Fault::UnknownCode(_))
        {
            return Some(Self::rejected(refusal.to_string(), cx));
        }
        self.looked_in_vain(|doubt| doubt.unclear(cx.now, cx.params), cx)
    }

    /// A look that showed no order. Once the provider has accepted it, that reads a lagging copy, until it lasts.
    fn looked_in_vain(self, then: impl FnOnce(Doubt) -> Doubt, cx: &Cx<'_>) -> Option<Next<Self>> {
        if let Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } = self {
            let doubt = then(doubt);
            let told = told_of_doubt(&doubt, cx);
            return Some(Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted }).and(told));
        }
        let state = if matches!(self, Order::Splitting(_)) { Order::Splitting } else { Order::Accepted };
        let (Order::Accepted(under) | Order::Splitting(under)) = self else { return None };
        let asked = under.asked + 1;
        let under = Under { asked, look_at: cx.now + decaying(asked), ..under };
        let told = Self::told_once(&under, "our_order_missing_at_provider", "accepted, and queries do not show it", cx);
        Some(Next::to(state(under)).and(told))
    }
}

fn told_of_doubt(doubt: &Doubt, cx: &Cx<'_>) -> Option<Write> {
    let why = "queries settle nothing: is code_order_not_found set for this account? `levee doctor` learns it";
    let moves = &["retry", "abandon"];
    doubt.tell_now().then(|| cases::open("create_in_doubt", Severity::High, moves, json!({"why": why}), cx))
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
