//! What remits and people say to an order. A person's move closes the case that it answers; one that is not legal any more puts
//! the question again and says why.

use super::{Child, DAY, Order, Outcome, Under, Why};
use crate::cases::{self, Answered};
use crate::levy_order::Input;
use crate::machine::{Cx, Machine, Next};
use domain::InstanceId;
use domain::levy::Hint;
use domain::record::{Severity, Write};
use serde_json::{Value, json};

/// What a move led to, or why it is not legal now.
type Settled = Result<Next<Order>, String>;

impl Order {
    /// Before CREATE can have left: cancelled. After: a wish that is kept until the remits are there.
    pub(super) fn cancel_asked(self, by: &str, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Order::Gated { .. } => Next::to(Order::Cancelled).with(Write::CloseTasks { at: cx.now }),
            // What was sent before, if anything, is proved absent; nothing of this state has left.
            Order::Creating { .. } if cx.unsent => Next::to(Order::Cancelled),
            Order::Creating { .. } | Order::CreateInDoubt { .. } | Order::Accepted(_) | Order::Splitting(_) => {
                Next::to(self.not_wanted())
            }
            Order::Ready { ref remits, .. } => {
                let tell = tell_open(remits, &json!({"CancelAsked": {"by": by}}));
                Next::to(self).and(tell)
            }
            Order::NeedsOperator { why: Why::NameTooLong | Why::SendsExhausted, .. } => {
                Next::to(Order::Cancelled).with(cases::close(&[], "cancelled", cx))
            }
            Order::NeedsOperator { .. } => self.behind(|back| back.cancel_asked(by, cx), cx),
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled => Next::to(self),
        }
    }

    /// The wish of a cancellation, kept where CREATE may have left.
    fn not_wanted(self) -> Self {
        match self {
            Order::Creating { since, first_sent, sends, .. } => {
                Order::Creating { since, first_sent, sends, unwanted: true }
            }
            Order::CreateInDoubt { first_sent, doubt, sends, refused, .. } => {
                Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted: true }
            }
            Order::Accepted(under) => Order::Accepted(Under { unwanted: true, ..under }),
            Order::Splitting(under) => Order::Splitting(Under { unwanted: true, ..under }),
            Order::Gated { .. }
            | Order::Ready { .. }
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled
            | Order::NeedsOperator { .. } => self,
        }
    }

    fn unwanted(&self) -> bool {
        if let Order::Creating { unwanted, .. }
        | Order::CreateInDoubt { unwanted, .. }
        | Order::Accepted(Under { unwanted, .. })
        | Order::Splitting(Under { unwanted, .. }) = self
        {
            return *unwanted;
        }
        false
    }

    /// A parked order hears what it would hear where it came from, and stays parked, unless it ends by it.
    fn behind(self, f: impl FnOnce(Self) -> Next<Self>, cx: &Cx<'_>) -> Next<Self> {
        let Order::NeedsOperator { why, back } = self else { return f(self) };
        let mut next = f(*back);
        if next.state.resting() {
            return next.with(cases::close(&[], "it has ended", cx));
        }
        next.state = Order::NeedsOperator { why, back: Box::new(next.state) };
        next
    }

    pub(super) fn remit_done(self, remit: InstanceId, state: &str, cx: &Cx<'_>) -> Next<Self> {
        let ended = |remits: &mut [Child]| {
            for child in remits.iter_mut().filter(|child| child.id == remit) {
                child.ended = Some(state.to_owned());
            }
        };
        match self {
            Order::Ready { times, mut remits, look_at } => {
                ended(&mut remits);
                let Some(outcome) = outcome(&remits) else { return Next::to(Order::Ready { times, remits, look_at }) };
                let answered = cases::close(&[], "every remit has ended", cx);
                Next::to(Order::Settled { times, outcome, remits }).with(answered)
            }
            // A remit that ended may yet end otherwise: levied after all, or returned after the levy.
            Order::Settled { times, outcome: before, mut remits } => {
                ended(&mut remits);
                let outcome = outcome(&remits).filter(|_| !remits.is_empty()).unwrap_or(before);
                Next::to(Order::Settled { times, outcome, remits })
            }
            Order::NeedsOperator { .. } => self.behind(|back| back.remit_done(remit, state, cx), cx),
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Rejected { .. }
            | Order::Cancelled => Next::to(self),
        }
    }

    pub(super) fn watched(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Ready { times, remits, .. } = self else { return None };
        Some(Next::to(Order::Ready { times, remits, look_at: cx.now + DAY }))
    }

    pub(super) fn hinted(self, hint: &Hint, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Order::CreateInDoubt { first_sent, mut doubt, sends, refused, unwanted } => {
                doubt.look_at = doubt.look_at.min(cx.now);
                Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted })
            }
            Order::Accepted(under) => Next::to(Order::Accepted(Under { look_at: cx.now, ..under })),
            Order::Splitting(under) => Next::to(Order::Splitting(Under { look_at: cx.now, ..under })),
            Order::Ready { ref remits, .. } => {
                let tell = pass_on(remits, hint);
                Next::to(self).and(tell)
            }
            Order::NeedsOperator { .. } => self.behind(|back| back.hinted(hint, cx), cx),
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled => Next::to(self),
        }
    }

    /// A person's move. It closes its case, also where the state stays; one that is not legal any more puts the question again.
    pub(super) fn resolved(self, case: &Answered, name: &str, by: &str, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let settled = match name {
            "retry" => Ok(self.clone().retry(cx)),
            "abandon" => self.clone().abandon(cx),
            "accept_remits" => self.clone().accept_remits(by, input, cx),
            "cancel_each" => self.clone().cancel_each(by, input, cx),
            _ => Err("an order has no such move".into()),
        };
        match settled {
            Ok(next) => next.with_first(case.closed(name, by, cx)),
            Err(why) => Next::to(self).with(case.reopened(name, &why)),
        }
    }

    fn went_on(&self) -> String {
        format!("the order is {} now", self.name())
    }

    /// Looked at again. A person's word alone never sends CREATE again: the probes do (S-G).
    fn retry(self, cx: &Cx<'_>) -> Next<Self> {
        let fault = cases::close(&["internal_fault"], "to be looked at again", cx);
        match self {
            Order::NeedsOperator { why, back } if why.moves().contains(&"retry") => {
                let answered = cases::close(&[why.kind(), "internal_fault"], "to be looked at again", cx);
                Next::to(back.maybe_sent(cx)).with(answered)
            }
            Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } => {
                let doubt = doubt.look_now(cx.now);
                let answered = cases::close(&["create_in_doubt"], "to be looked at again", cx);
                let again = Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted };
                Next::to(again).with(fault).with(answered)
            }
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Ready { .. } => Next::to(self).with(fault),
            // A fault on top of a question: the fault is gone, the question stays.
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled | Order::NeedsOperator { .. } => {
                Next::to(self).with(fault)
            }
        }
    }

    /// Two persons do not want it any more. What may be at the provider is asked for until that is settled (P07).
    fn abandon(self, cx: &Cx<'_>) -> Settled {
        if matches!(self, Order::NeedsOperator { why: Why::NameTooLong | Why::SendsExhausted, .. }) {
            return Ok(Next::to(Order::Cancelled).with(cases::close(&[], "abandoned", cx)));
        }
        if let Order::CreateInDoubt { first_sent, doubt, sends, refused, .. } = self {
            let doubt = doubt.look_now(cx.now);
            let answered = cases::close(&["create_in_doubt"], "abandoned: cancelled as soon as it is settled", cx);
            let unwanted = Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted: true };
            return Ok(Next::to(unwanted).with(answered));
        }
        if self == Order::Cancelled { Ok(Next::to(self)) } else { Err(self.went_on()) }
    }

    fn accept_remits(self, by: &str, input: &Input, cx: &Cx<'_>) -> Settled {
        if let Order::NeedsOperator { why: Why::PartialCreation { seen, .. }, back } = self {
            let answered = cases::close(&[], "the listed remits were accepted", cx);
            let unwanted = back.unwanted();
            return Ok(back.ready(&seen, unwanted, true, input, cx).with_first(answered));
        }
        let Order::Ready { remits, .. } = &self else { return Err(self.went_on()) };
        let tell = tell_open(remits, &json!({"QuoteAccepted": {"by": by}}));
        Ok(Next::to(self).and(tell).with(cases::close(&["quote_mismatch"], "the split was accepted as it is", cx)))
    }

    fn cancel_each(self, by: &str, input: &Input, cx: &Cx<'_>) -> Settled {
        if let Order::NeedsOperator { why: Why::PartialCreation { seen, .. }, back } = self {
            let answered = cases::close(&[], "each remit is cancelled", cx);
            return Ok(back.ready(&seen, true, true, input, cx).with_first(answered));
        }
        let answered = cases::close(&["quote_mismatch"], "each remit is cancelled", cx);
        if matches!(self, Order::Ready { .. }) {
            return Ok(self.cancel_asked(by, cx).with(answered));
        }
        Err(self.went_on())
    }

    /// A person settles what no rule may. At rest it stays where it is, and a parked order keeps its question.
    pub(super) fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open(why.kind(), Severity::High, why.moves(), json!({"why": why.words()}), cx);
        if self.resting() || matches!(self, Order::NeedsOperator { .. }) {
            return Next::to(self).with(case);
        }
        let back = Box::new(self.maybe_sent(cx));
        Next::to(Order::NeedsOperator { why, back }).with(case)
    }

    fn resting(&self) -> bool {
        matches!(self, Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled)
    }
}

/// How the order ended, once every remit has.
fn outcome(remits: &[Child]) -> Option<Outcome> {
    let ended: Option<Vec<&str>> = remits.iter().map(|child| child.ended.as_deref()).collect();
    let ended = ended?;
    let levied = ended.iter().filter(|state| matches!(**state, "levied" | "returned_after_levy")).count();
    let cancelled = ended.iter().all(|state| *state == "cancelled");
    Some(match () {
        () if levied == ended.len() => Outcome::Levied,
        () if levied > 0 => Outcome::PartlyLevied,
        () if cancelled => Outcome::Cancelled,
        () => Outcome::Closed,
    })
}

fn tell_open(remits: &[Child], event: &Value) -> Vec<Write> {
    let open = remits.iter().filter(|child| child.ended.is_none());
    open.map(|child| Write::Tell { to: child.id, event: event.clone() }).collect()
}

/// A close notice names a location, no order: it goes to the remits there, or to all (P41). Any other hint goes to all.
fn pass_on(remits: &[Child], hint: &Hint) -> Vec<Write> {
    match hint {
        Hint::OrderChanged { .. } | Hint::SignUpEnded { .. } | Hint::PaperJudged { .. } => {
            tell_open(remits, &json!("HintSeen"))
        }
        Hint::Closed { tax_agent_location_id, close_time, .. } => {
            let there: Vec<Child> =
                remits.iter().filter(|child| child.tax_agent_location_id == *tax_agent_location_id).cloned().collect();
            let addressed = if there.is_empty() { remits } else { &there };
            tell_open(addressed, &json!({"NoticeSeen": {"close_time": close_time}}))
        }
    }
}
