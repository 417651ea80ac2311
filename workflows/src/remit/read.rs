//! The reading of what the provider shows (safety.md §7, §8). `CLOSE` alone says nothing: it is decided from our own decision,
//! our evidence, the notice, and the time. Weaker never replaces stronger; what contradicts is parked (S-H).

use super::Remit;
use super::facts::{At, Input, Provider, Why};
use crate::doubt::{Doubt, TELL_AFTER, in_time};
use crate::machine::{Cx, Next};
use crate::policy::Direction;
use domain::Time;
use domain::levy::{NextStep, OrderSeen, RemitSeen, RemitStatus};
use domain::planted::{Bug, planted};
use domain::record::{Decision, Severity, Write};
use serde_json::json;

/// What one live query showed.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) order: &'a OrderSeen,
    /// This remit in it.
    pub(super) remit: &'a RemitSeen,
    /// When the question left: "not applied" counts from then (safety.md §10).
    pub(super) asked_at: Time,
}

impl Remit {
    /// A hint: look at once. Hints about what is settled change nothing.
    pub(super) fn hinted(mut self, notice: Option<Time>, cx: &Cx<'_>) -> Next<Self> {
        if self.at.resting() {
            return Next::to(self);
        }
        if notice.is_some() && planted(Bug::NoticeCloses) {
            return self.finish(At::AutoClosedUnpaid, cx);
        }
        if let Some(close_time) = notice {
            self.facts.notice = Some(close_time);
        }
        self.facts.look_at = self.facts.look_at.min(cx.now);
        if let At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } = &mut self.at {
            doubt.look_at = doubt.look_at.min(cx.now);
        }
        if let (At::Confirming { seen_real, .. }, Some(_)) = (&mut self.at, notice) {
            // The look that CONTINUE rests on is older than the notice: ask first (safety.md §8).
            *seen_real = Time::from_millis(0);
        }
        Next::to(self)
    }

    /// A look that failed says nothing about the remit (P18): look again, more slowly.
    pub(super) fn look_failed(mut self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let looking = !self.at.resting()
            && !matches!(self.at, At::Cancelling { .. } | At::Contradicted { .. } | At::NeedsOperator { .. });
        if !looking {
            return None;
        }
        self.facts.look(self.facts.looks + 1, cx);
        if self.facts.proof.is_some() {
            self.facts.look_at = in_time(self.facts.look_at, cx.now, input.deadline, cx.params);
        }
        let unreachable = self.unreachable_waiting();
        if matches!(self.at, At::Open { .. }) {
            self.at = At::Open { ask: None };
        }
        if let At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } = &self.at {
            let doubt = doubt.clone().unclear(cx.now, cx.params);
            let told = self.told_of_doubt(&doubt, input, cx);
            return Some(Next::to(self.with_doubt(doubt)).and(told));
        }
        let why = json!({"why": "queries have not shown this remit for a long time"});
        let lost = (self.facts.looks == TELL_AFTER)
            .then(|| self.case("our_order_missing_at_provider", Severity::High, &[], why, input, cx));
        Some(Next::to(self).and(unreachable).and(lost))
    }

    /// A person is told of a doubt that looks do not settle, once.
    pub(super) fn told_of_doubt(&self, doubt: &Doubt, input: &Input, cx: &Cx<'_>) -> Option<Write> {
        let why = json!({"why": "queries settle nothing"});
        doubt.tell_now().then(|| self.case("in_doubt", Severity::High, &[], why, input, cx))
    }

    /// A probe said "not applied".
    pub(super) fn negative(self, doubt: Doubt, asked_at: Time, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let doubt = doubt.negative(asked_at, cx.now, cx.params);
        let told = self.told_of_doubt(&doubt, input, cx);
        Next::to(self.with_doubt(doubt)).and(told)
    }

    pub(super) fn with_doubt(mut self, new: Doubt) -> Self {
        if let At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } | At::Levying { doubt, .. } =
            &mut self.at
        {
            *doubt = new;
        }
        self
    }

    /// The order as a live query showed it.
    pub(super) fn seen(mut self, order: &OrderSeen, asked_at: Time, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Some(remit) = order.remits.iter().find(|remit| remit.provider_order_id == input.provider_order_id) else {
            return self.look_failed(input, cx);
        };
        self.facts.looks = 0;
        self.facts.look_at = cx.now + cx.params.slow_look;
        if let RemitStatus::Unknown(word) = &remit.status {
            return self.seen_unknown(word, input, cx);
        }
        let shown = Shown { order, remit, asked_at };
        match &self.at {
            At::Open { .. } | At::Permitted(_) | At::Paying(_) | At::PayoutInDoubt { .. } | At::GateClosed { .. } => {
                Some(self.seen_undecided(order, remit, input, cx))
            }
            At::Paid => Some(self.seen_paid(remit, input, cx)),
            At::Confirming { .. } | At::ConfirmInDoubt { .. } => Some(self.seen_confirming(shown, input, cx)),
            At::Levying { .. } => Some(self.seen_levying(shown, input, cx)),
            At::CancelInDoubt { .. } => Some(self.seen_cancelling(shown, input, cx)),
            At::Cancelling { .. } => Some(Next::to(self)),
            At::Levied { .. } | At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => {
                None
            }
            At::Contradicted { .. } | At::ReturnedAfterLevy | At::NeedsOperator { .. } => None,
        }
    }

    /// A word in no table parks with the raw value (P14); but while a permit is out its report must still find its place.
    fn seen_unknown(mut self, word: &str, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        match &self.at {
            At::Permitted(_) | At::Paying(_) | At::PayoutInDoubt { .. } => {
                let new = self.first_time(format!("unknown_status/{word}"));
                let status = json!({"status": word});
                let case = new.then(|| self.case("unknown_status", Severity::High, &[], status, input, cx));
                Some(Next::to(self).and(case))
            }
            At::Open { .. } | At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } => {
                Some(self.park(Why::UnknownStatus(word.into()), cx))
            }
            At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } => {
                Some(self.park(Why::UnknownStatus(word.into()), cx))
            }
            At::Levied { .. } | At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => {
                None
            }
            At::Contradicted { .. } | At::ReturnedAfterLevy | At::NeedsOperator { .. } => None,
        }
    }

    fn seen_undecided(self, seen: &OrderSeen, remit: &RemitSeen, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match (&remit.status, &self.at) {
            (RemitStatus::Accepted, At::Open { ask: Some(ask) }) => {
                let ask = *ask;
                self.grant(ask, seen, remit.amount, input, cx)
            }
            (RemitStatus::Accepted, _) => self.still_open(input, cx),
            (RemitStatus::Closed, _) => self.closed_undecided(input, cx),
            (RemitStatus::Processing | RemitStatus::Remitted, _) => {
                self.contradict("the levy runs without a decision of ours", cx)
            }
            (RemitStatus::Unknown(_), _) => Next::to(self),
        }
    }

    /// ACCEPT after a close notice: the notice was stale or forged. Past D a person is told beside it.
    pub(super) fn still_open(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let stale = self.facts.notice.take().is_some() && cx.now >= input.deadline;
        let case = stale.then(|| {
            self.case(
                "stale_notice",
                Severity::Medium,
                &[],
                json!({"why": "a close notice came, and the provider still shows ACCEPT"}),
                input,
                cx,
            )
        });
        Next::to(self).and(case)
    }

    /// Whose doing a `CLOSE` that we did not ask for is: before D the 72 h job cannot have run.
    pub(super) fn provider_closed(input: &Input, cx: &Cx<'_>) -> Provider {
        if cx.now < input.deadline { Provider::Externally } else { Provider::Automatically }
    }

    /// The provider closed it and we had decided nothing.
    fn closed_undecided(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let provider = Self::provider_closed(input, cx);
        let shut = self.shut_gate(cx);
        let Some(payout) = self.live_payout().cloned().filter(|_| !planted(Bug::CloseWhilePending)) else {
            return self.closed_unpaid(provider, input, cx).with_first(shut);
        };
        if matches!(self.at, At::PayoutInDoubt { closed: Some(_), .. }) {
            return Next::to(self);
        }
        let facts = json!({"why": "closed at the provider while a payment may be under way"});
        let moves = &["paid", "not_paid"];
        let case = self.case("may_be_paid_without_levy", Severity::Critical, moves, facts, input, cx);
        let mut next = self.in_doubt(payout, crate::payout::Event::Expired, cx);
        if let At::PayoutInDoubt { closed, .. } = &mut next.state.at {
            *closed = Some(provider);
        }
        next.with(shut).with(case)
    }

    /// Closed at the provider, and provably not paid.
    pub(super) fn closed_unpaid(self, provider: Provider, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match provider {
            Provider::Automatically => self.finish(At::AutoClosedUnpaid, cx),
            Provider::Externally => {
                let severity = if self.facts.attempts > 0 { Severity::High } else { Severity::Info };
                let case = self.case(
                    "closed_externally",
                    severity,
                    &["closed"],
                    json!({"why": "closed well before the deadline, not by us"}),
                    input,
                    cx,
                );
                self.finish(At::ClosedExternally, cx).with(case)
            }
        }
    }

    /// Closed at the provider although paid: to be levied again (补征), by two persons.
    pub(super) fn closed_paid(self, provider: Provider, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let case = self.case(
            "auto_closed_paid",
            Severity::Critical,
            &["levied", "closed"],
            json!({"why": "paid, and closed at the provider without a levy"}),
            input,
            cx,
        );
        let at = match provider {
            Provider::Automatically => At::AutoClosedPaid,
            Provider::Externally => At::ClosedExternally,
        };
        self.finish(at, cx).with(case)
    }

    fn seen_paid(mut self, remit: &RemitSeen, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match &remit.status {
            RemitStatus::Accepted => self.decide_continue(input, cx),
            RemitStatus::Closed => {
                let provider = Self::provider_closed(input, cx);
                let shut = self.shut_gate(cx);
                self.closed_paid(provider, input, cx).with_first(shut)
            }
            RemitStatus::Processing | RemitStatus::Remitted => {
                self.contradict("the levy runs without a decision of ours", cx)
            }
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }

    /// Evidence, and a live ACCEPT: the decision is written before anything is sent (S-A, S-E).
    fn decide_continue(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(proof) = self.facts.proof.clone() else { return self.contradict("paid without evidence", cx) };
        if self.frozen(Direction::Confirm, input, cx) || proof.paid_at > cx.now {
            return self.still_open(input, cx);
        }
        let past = json!({"why": "CONTINUE goes after the deadline"});
        let late = (cx.now >= input.deadline)
            .then(|| self.case("confirmed_past_deadline", Severity::High, &[], past, input, cx));
        self.facts.decided_at = Some(cx.now);
        let decision = Decision {
            remit: cx.me,
            next_step: NextStep::Continue,
            evidence: Some(proof.evidence),
            arising_time: proof.paid_at,
            // Another worker's clock may lag: a decision is never older than its evidence (S-A).
            at: cx.now.max(proof.since),
        };
        let decide = |remit: Self| {
            remit.go(At::Confirming { sends: 1, seen_real: cx.real }).with(Write::Decide(decision)).and(late)
        };
        self.still_open(input, cx).then(decide)
    }

    /// CANCEL may have been applied; CLOSE is consistent with it, whoever closed (§10.1).
    fn seen_cancelling(self, shown: Shown<'_>, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match &shown.remit.status {
            RemitStatus::Closed => self.finish(At::Cancelled, cx),
            RemitStatus::Processing | RemitStatus::Remitted => self.contradict("the levy runs after our CANCEL", cx),
            RemitStatus::Accepted => {
                let At::CancelInDoubt { doubt, refusal, .. } = self.at.clone() else { return Next::to(self) };
                match refusal {
                    Some(refusal) => self.park(Why::CancelRefused(refusal), cx),
                    None => self.negative(doubt, shown.asked_at, input, cx),
                }
            }
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }
}
