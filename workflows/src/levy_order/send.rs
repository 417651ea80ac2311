//! To the provider: CREATE, and the doubt about it (P01, P02, S-G).

use super::{DAY, Order, SENDS_MAX, Times, Under, Why};
use crate::cases;
use crate::doubt::{Doubt, decaying};
use crate::machine::{Cx, Next};
use domain::planted::{Bug, planted};
use domain::{Refusal, RequestId, Time};
use std::time::Duration;
use uuid::Uuid;

/// The provider's promise (000 §2.4).
const AUTO_CLOSE: Duration = Duration::from_secs(72 * 3600);

impl Order {
    /// The times that follow from the first send, once it may have happened.
    pub fn times(&self) -> Option<&Times> {
        match self {
            Order::Ready { times, .. } | Order::Settled { times, .. } => Some(times),
            Order::NeedsOperator { back, .. } => back.times(),
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Rejected { .. }
            | Order::Cancelled => None,
        }
    }

    /// The earliest send of CREATE, as far as one may have happened.
    pub fn first_sent(&self) -> Option<(Time, Option<Time>)> {
        match self {
            Order::CreateInDoubt { first_sent, .. } => Some((*first_sent, None)),
            Order::Accepted(under) | Order::Splitting(under) => Some((under.first_sent, under.accept_time)),
            Order::Ready { times, .. } | Order::Settled { times, .. } => {
                Some((times.first_sent, Some(times.accept_time)))
            }
            Order::Creating { first_sent, .. } => first_sent.map(|at| (at, None)),
            Order::NeedsOperator { back, .. } => back.first_sent(),
            Order::Gated { .. } | Order::Rejected { .. } | Order::Cancelled => None,
        }
    }

    /// D and `pay_cutoff` (safety.md §5): from the earliest moment the provider may count from.
    pub fn times_from(
        first_sent: Time,
        accept_time: Option<Time>,
        params: &crate::Params,
        policy: &crate::Policy,
    ) -> Times {
        let accept_time = accept_time.unwrap_or(first_sent);
        let deadline = first_sent.min(accept_time) + AUTO_CLOSE - params.margin - params.skew;
        let pay_cutoff =
            crate::calendar::latest_start(&policy.bank_channel, deadline - params.confirm_budget(), params.bank_bound);
        Times { first_sent, accept_time, deadline, pay_cutoff }
    }

    /// When the remits' parent looks around next.
    pub(super) fn watch_at(times: &Times) -> Time {
        times.deadline + DAY
    }

    pub(super) fn created(self, sent_at: Time, accept_time: Option<Time>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Creating { first_sent, unwanted, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        let look_at = cx.now + decaying(0);
        Some(Next::to(Order::Accepted(Under { first_sent, accept_time, asked: 0, look_at, unwanted })))
    }

    pub(super) fn create_in_doubt(self, sent_at: Time, refused: Option<Refusal>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Creating { first_sent, sends, unwanted, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        let doubt = Doubt::new(sent_at, cx.now, sends);
        Some(Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted }))
    }

    /// CREATE may have left at any time since the state was entered. Every other state asks only questions.
    pub(super) fn maybe_sent(self, cx: &Cx<'_>) -> Self {
        let Order::Creating { since, first_sent, sends, unwanted } = self else { return self };
        let first_sent = first_sent.unwrap_or(since);
        Order::CreateInDoubt { first_sent, doubt: Doubt::new(cx.now, cx.now, sends), sends, refused: None, unwanted }
    }

    /// The worker that held the claim is gone.
    pub(super) fn worker_lost(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        matches!(self, Order::Creating { .. }).then(|| Next::to(self.maybe_sent(cx)))
    }

    pub(super) fn send_again(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } = self else { return None };
        if !doubt.disproved() {
            return None;
        }
        if unwanted {
            // Proved absent and not wanted: nothing is at the provider, nothing will be (P07).
            return Some(Next::to(Order::Cancelled).with(cases::close(&[], "never arrived, and not wanted", cx)));
        }
        if let Some(refusal) = refused {
            return Some(Self::rejected(refusal.to_string(), cx));
        }
        if sends >= SENDS_MAX {
            // The sends before stay on record: a refusal of the next one is no proof that none of them arrived.
            let doubt = Doubt::new(cx.now, cx.now, 1);
            let back = Order::CreateInDoubt { first_sent, doubt, sends: 1, refused: None, unwanted };
            return Some(back.park(Why::SendsExhausted, cx));
        }
        let again = Order::Creating { since: cx.now, first_sent: Some(first_sent), sends: sends + 1, unwanted };
        Some(Next::to(again).with(cases::close(&[], "proved not applied", cx)))
    }

    pub(super) fn rejected(reason: String, cx: &Cx<'_>) -> Next<Self> {
        Next::to(Order::Rejected { reason }).with(cases::close(&[], "rejected", cx))
    }
}

/// Every send of an order goes under its one id (P01).
pub(super) fn name_of(request_id: &RequestId, sends: u32) -> RequestId {
    if !planted(Bug::NewIdOnRetry) || sends < 2 {
        return request_id.clone();
    }
    let other = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{request_id}/{sends}").as_bytes());
    RequestId::try_from(other.simple().to_string()).unwrap_or_else(|_| request_id.clone())
}
