//! The reading of what the provider shows (safety.md §7, §8). `CLOSE` alone says nothing: it is decided from our own decision,
//! our evidence, the notice, and the time. Weaker never replaces stronger; what contradicts is parked (S-H).

use super::Remit;
use super::facts::{At, Input, Provider, Why};
use crate::doubt::Doubt;
use crate::machine::{Cx, Next};
use crate::policy::{LeviedProof, LeviedTerminal};
use domain::Time;
use domain::levy::{NextStep, OrderSeen, RemitSeen, RemitStatus};
use domain::record::{Decision, Severity, Write};
use serde_json::json;
use std::time::Duration;

/// The provider's promise (000 §2.4).
const AUTO_CLOSE: Duration = Duration::from_secs(72 * 3600);

impl Remit {
    /// A hint: look at once. Hints about what is settled change nothing.
    pub(super) fn hinted(mut self, notice: Option<Time>, cx: &Cx<'_>) -> Next<Self> {
        if let Some(close_time) = notice {
            self.facts.notice = Some(close_time);
        }
        self.facts.look_at = self.facts.look_at.min(cx.now);
        match &mut self.at {
            At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } => {
                doubt.look_at = doubt.look_at.min(cx.now)
            }
            _ => {}
        }
        Next::to(self)
    }

    /// A look that failed says nothing about the remit (P18): look again, more slowly.
    pub(super) fn look_failed(mut self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        self.facts.look(self.facts.looks + 1, cx);
        let unreachable = self.unreachable_waiting();
        let doubt = match &self.at {
            At::Open { .. } => {
                self.at = At::Open { ask: None };
                None
            }
            At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } => {
                Some(doubt.clone().unclear(cx.now, cx.params))
            }
            At::Permitted(_)
            | At::Paying(_)
            | At::PayoutInDoubt { .. }
            | At::Paid
            | At::Confirming { .. }
            | At::Levying { .. }
            | At::GateClosed { .. } => None,
            _ => return None,
        };
        let case = doubt
            .as_ref()
            .filter(|doubt| doubt.tell_now())
            .map(|_| self.case("in_doubt", Severity::High, &[], json!({"why": "queries settle nothing"}), input, cx));
        if let Some(doubt) = doubt {
            self = self.with_doubt(doubt);
        }
        Some(Next::to(self).and(unreachable).and(case))
    }

    fn with_doubt(mut self, new: Doubt) -> Self {
        if let At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } | At::Levying { doubt, .. } =
            &mut self.at
        {
            *doubt = new;
        }
        self
    }

    /// The order as a live query showed it.
    pub(super) fn seen(mut self, seen: &OrderSeen, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Some(remit) = seen.remits.iter().find(|remit| remit.provider_order_id == input.provider_order_id) else {
            return self.look_failed(input, cx);
        };
        self.facts.looks = 0;
        self.facts.look_at = cx.now + cx.params.slow_look;
        if let RemitStatus::Unknown(word) = &remit.status {
            return self.seen_unknown(word, input, cx);
        }
        match &self.at {
            At::Open { .. } | At::Permitted(_) | At::Paying(_) | At::PayoutInDoubt { .. } | At::GateClosed { .. } => {
                Some(self.seen_undecided(seen, remit, input, cx))
            }
            At::Paid => Some(self.seen_paid(remit, input, cx)),
            At::Confirming { .. } | At::ConfirmInDoubt { .. } => Some(self.seen_confirming(seen, remit, input, cx)),
            At::Levying { .. } => Some(self.seen_levying(seen, remit, input, cx)),
            At::CancelInDoubt { .. } => Some(self.seen_cancelling(remit, cx)),
            At::Cancelling { .. } => Some(Next::to(self)),
            At::Levied { .. } | At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => {
                None
            }
            At::Contradicted { .. } | At::ReturnedAfterLevy | At::NeedsOperator { .. } => None,
        }
    }

    /// A word in no table parks with the raw value (P14); but while a permit is out its report must still find its place.
    fn seen_unknown(self, word: &str, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        match &self.at {
            At::Permitted(_) | At::Paying(_) | At::PayoutInDoubt { .. } => {
                let case = self.case("unknown_status", Severity::High, &[], json!({"status": word}), input, cx);
                Some(Next::to(self).with(case))
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
    fn still_open(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
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

    fn provider_closed(input: &Input, cx: &Cx<'_>) -> Provider {
        if cx.now < input.deadline { Provider::Externally } else { Provider::Automatically }
    }

    /// The provider closed it and we had decided nothing.
    fn closed_undecided(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let provider = Self::provider_closed(input, cx);
        match &self.at {
            At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, closed: None, .. } => {
                let payout = payout.clone();
                let case = self.case(
                    "may_be_paid_without_levy",
                    Severity::Critical,
                    &["paid", "not_paid"],
                    json!({"why": "closed at the provider while a payment may be under way"}),
                    input,
                    cx,
                );
                let event = crate::payout::Event::Expired;
                self.in_doubt(payout, event, Some(provider), cx)
                    .with(Write::CloseGate { remit: cx.me, at: cx.now })
                    .with(case)
            }
            At::PayoutInDoubt { .. } => Next::to(self),
            _ => self.closed_unpaid(provider, input, cx).with_first(Write::CloseGate { remit: cx.me, at: cx.now }),
        }
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
            RemitStatus::Accepted => {
                let Some(proof) = self.facts.proof.clone() else { return self.contradict("paid without evidence", cx) };
                let late = (cx.now >= input.deadline).then(|| {
                    self.case(
                        "confirmed_past_deadline",
                        Severity::High,
                        &[],
                        json!({"why": "CONTINUE goes after the deadline"}),
                        input,
                        cx,
                    )
                });
                self.facts.decided_at = Some(cx.now);
                let decision = Decision {
                    remit: cx.me,
                    next_step: NextStep::Continue,
                    evidence: Some(proof.evidence),
                    arising_time: proof.paid_at,
                    at: cx.now,
                };
                let still = self.still_open(input, cx);
                let (remit, writes) = (still.state, still.writes);
                remit
                    .go(At::Confirming { sends: 1, seen_real: cx.real })
                    .with(Write::Decide(decision))
                    .and(writes)
                    .and(late)
            }
            RemitStatus::Closed => {
                let provider = Self::provider_closed(input, cx);
                self.closed_paid(provider, input, cx).with_first(Write::CloseGate { remit: cx.me, at: cx.now })
            }
            RemitStatus::Processing | RemitStatus::Remitted => {
                self.contradict("the levy runs without a decision of ours", cx)
            }
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }

    /// CONTINUE may have been applied.
    fn seen_confirming(mut self, seen: &OrderSeen, remit: &RemitSeen, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match (&remit.status, self.at.clone()) {
            (RemitStatus::Accepted, At::ConfirmInDoubt { refusal: Some(refusal), .. }) => {
                self.park(Why::ConfirmRefused(refusal), cx)
            }
            (RemitStatus::Accepted, At::ConfirmInDoubt { doubt, .. }) => {
                Next::to(self.with_doubt(doubt.negative(cx.now, cx.params)))
            }
            (RemitStatus::Accepted, At::Confirming { sends, .. }) => {
                self.go(At::Confirming { sends, seen_real: cx.real })
            }
            (RemitStatus::Processing | RemitStatus::Remitted, _) => {
                let sent_at = self.facts.decided_at.unwrap_or(cx.now);
                self.facts.look(0, cx);
                let applied = self.go(At::Levying {
                    since: cx.now,
                    sent_at,
                    acknowledged: false,
                    doubt: Doubt::new(sent_at, cx.now),
                });
                applied.state.seen_levying(seen, remit, input, cx).with(Self::close_cases(
                    &["deadline_near", "in_doubt"],
                    "the levy is running",
                    cx,
                ))
            }
            (RemitStatus::Closed, at) => {
                let acknowledged = matches!(at, At::ConfirmInDoubt { acknowledged: true, .. });
                self.levy_closed(seen, acknowledged, input, cx)
            }
            (_, _) => Next::to(self),
        }
    }

    fn seen_levying(mut self, seen: &OrderSeen, remit: &RemitSeen, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let At::Levying { acknowledged, doubt, .. } = self.at.clone() else { return Next::to(self) };
        match &remit.status {
            RemitStatus::Remitted if cx.policy.levied_terminal_status != LeviedTerminal::Close => {
                self.levied(input, cx)
            }
            RemitStatus::Processing | RemitStatus::Remitted => {
                self.facts.running = true;
                let asked = doubt.asked + 1;
                self.facts.look(asked, cx);
                self.facts.looks = 0;
                Next::to(self.with_doubt(Doubt { asked, ..doubt }))
            }
            RemitStatus::Closed => self.levy_closed(seen, acknowledged, input, cx),
            RemitStatus::Accepted => self.acknowledged_yet_open(doubt, input, cx),
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }

    /// Queries keep showing ACCEPT after an acknowledged CONTINUE: a lagging copy at first, then a doubt with an alarm (§10.1).
    fn acknowledged_yet_open(mut self, doubt: Doubt, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if self.facts.running {
            return self.contradict("the levy ran, and now the provider shows ACCEPT", cx);
        }
        let doubt = doubt.negative(cx.now, cx.params);
        self.facts.look_at = doubt.look_at;
        if !doubt.disproved() {
            return Next::to(self.with_doubt(doubt));
        }
        let case = self.case(
            "continue_not_applied",
            Severity::High,
            &[],
            json!({"why": "acknowledged, and the provider keeps showing ACCEPT"}),
            input,
            cx,
        );
        self.go(At::ConfirmInDoubt { doubt, sends: 1, refusal: None, acknowledged: true }).with(case)
    }

    /// `CLOSE` after our CONTINUE (safety.md §7): levied only on proof.
    fn levy_closed(self, seen: &OrderSeen, acknowledged: bool, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let same_time = self.facts.proof.as_ref().is_some_and(|proof| seen.arising_time == Some(proof.paid_at));
        let by_time = input.unsplit && same_time;
        let known_applied = acknowledged || self.facts.running;
        if let Some(close_time) = self.facts.notice {
            let before_ours = !known_applied && self.facts.decided_at.is_some_and(|decided| close_time < decided);
            return if before_ours {
                self.closed_paid(Self::provider_closed(input, cx), input, cx)
            } else {
                self.contradict("a close notice came, and CONTINUE was sent", cx)
            };
        }
        if !known_applied {
            // Nothing but the evidence of our own time can tell a levy from another's close.
            return if by_time {
                self.levied(input, cx)
            } else {
                self.contradict("closed while CONTINUE was in doubt", cx)
            };
        }
        let in_time = cx.now < input.first_sent + AUTO_CLOSE - cx.params.skew;
        let proved = by_time
            || match cx.policy.levied_proof {
                LeviedProof::BeforeDeadline => in_time,
                LeviedProof::SeenRunning => self.facts.running,
                LeviedProof::Acknowledged => acknowledged,
            };
        let ends_so = cx.policy.levied_terminal_status != LeviedTerminal::Remit;
        if proved && ends_so { self.levied(input, cx) } else { self.park(Why::LevyUnproven, cx) }
    }

    fn levied(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if self.facts.returned {
            return self.returned_after_levy(input, cx);
        }
        let answered =
            Self::close_cases(&["in_doubt", "continue_not_applied", "confirmed_past_deadline"], "levied", cx);
        self.finish(At::Levied { at: cx.now }, cx).with(answered)
    }

    /// CANCEL may have been applied; CLOSE is consistent with it, whoever closed (§10.1).
    fn seen_cancelling(self, remit: &RemitSeen, cx: &Cx<'_>) -> Next<Self> {
        match (&remit.status, self.at.clone()) {
            (RemitStatus::Closed, _) => {
                self.finish(At::Cancelled, cx).with(Self::close_cases(&["in_doubt"], "cancelled", cx))
            }
            (RemitStatus::Accepted, At::CancelInDoubt { refusal: Some(refusal), .. }) => {
                self.park(Why::CancelRefused(refusal), cx)
            }
            (RemitStatus::Accepted, At::CancelInDoubt { doubt, .. }) => {
                Next::to(self.with_doubt(doubt.negative(cx.now, cx.params)))
            }
            (RemitStatus::Processing | RemitStatus::Remitted, _) => {
                self.contradict("the levy runs after our CANCEL", cx)
            }
            (_, _) => Next::to(self),
        }
    }
}
