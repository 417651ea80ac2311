//! The reading of what the provider shows after our CONTINUE (safety.md §7): levied only on proof.

use super::Remit;
use super::cases::OF_CONFIRMING;
use super::facts::{At, Input, Why};
use super::read::Shown;
use crate::cases;
use crate::doubt::Doubt;
use crate::machine::{Cx, Next};
use crate::policy::{LeviedProof, LeviedTerminal};
use domain::Time;
use domain::levy::{OrderSeen, RemitStatus};
use domain::record::Severity;
use serde_json::json;
use std::time::Duration;

/// The provider's promise (000 §2.4).
const AUTO_CLOSE: Duration = Duration::from_secs(72 * 3600);

impl Remit {
    /// CONTINUE may have been applied.
    pub(super) fn seen_confirming(mut self, shown: Shown<'_>, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let unsent = matches!(self.at, At::Confirming { sends: 1, .. }) && cx.unsent;
        match &shown.remit.status {
            // A notice before this look was stale: nothing of ours has left that it could be about.
            RemitStatus::Accepted if unsent => {
                self.still_open(input, cx).then(|remit| remit.not_applied(shown, input, cx))
            }
            RemitStatus::Accepted => self.not_applied(shown, input, cx),
            RemitStatus::Processing | RemitStatus::Remitted if unsent => {
                self.contradict("the levy runs before CONTINUE was sent", cx)
            }
            RemitStatus::Closed if unsent => {
                let provider = Self::provider_closed(input, cx);
                let shut = self.shut_gate(cx);
                self.closed_paid(provider, input, cx).with_first(shut)
            }
            RemitStatus::Processing | RemitStatus::Remitted => self.applied(shown, input, cx),
            RemitStatus::Closed => {
                let acknowledged = matches!(self.at, At::ConfirmInDoubt { acknowledged: true, .. });
                self.levy_closed(shown.order, acknowledged, input, cx)
            }
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }

    /// ACCEPT: CONTINUE is not applied, as far as this look can tell.
    fn not_applied(self, shown: Shown<'_>, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if let At::Confirming { sends, .. } = self.at {
            return self.go(At::Confirming { sends, seen_real: cx.real });
        }
        let At::ConfirmInDoubt { doubt, refusal, .. } = self.at.clone() else { return Next::to(self) };
        match refusal {
            Some(refusal) => self.park(Why::ConfirmRefused(refusal), cx),
            None => self.negative(doubt, shown.asked_at, input, cx),
        }
    }

    fn applied(mut self, shown: Shown<'_>, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let sent_at = self.facts.decided_at.unwrap_or(cx.now);
        self.facts.look(0, cx);
        let doubt = Self::doubt_of_continue(sent_at, self.at.sends(), input, cx);
        let running = cases::close(OF_CONFIRMING, "the levy is running", cx);
        self.go(At::Levying { since: cx.now, sent_at, acknowledged: false, doubt })
            .with(running)
            .then(|levying| levying.seen_levying(shown, input, cx))
    }

    pub(super) fn seen_levying(mut self, shown: Shown<'_>, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let At::Levying { acknowledged, doubt, .. } = self.at.clone() else { return Next::to(self) };
        match &shown.remit.status {
            RemitStatus::Remitted if cx.policy.levied_terminal_status != LeviedTerminal::Close => {
                self.levied(input, cx)
            }
            RemitStatus::Processing | RemitStatus::Remitted => {
                self.facts.running = true;
                let asked = doubt.asked + 1;
                self.facts.look(asked, cx);
                self.facts.looks = 0;
                // It runs: whatever a lagging copy said before counts no more.
                Next::to(self.with_doubt(Doubt { asked, negatives: 0, last_negative: None, ..doubt }))
            }
            RemitStatus::Closed => self.levy_closed(shown.order, acknowledged, input, cx),
            RemitStatus::Accepted => self.acknowledged_yet_open(doubt, shown.asked_at, input, cx),
            RemitStatus::Unknown(_) => Next::to(self),
        }
    }

    /// Queries keep showing ACCEPT after an acknowledged CONTINUE: a lagging copy at first, then a doubt with an alarm (§10.1).
    fn acknowledged_yet_open(mut self, doubt: Doubt, asked_at: Time, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let doubt = doubt.negative(asked_at, cx.now, cx.params);
        self.facts.look_at = doubt.look_at;
        if !doubt.disproved() {
            return Next::to(self.with_doubt(doubt));
        }
        if self.facts.running {
            // One stale read lowers no belief (S-H, F57); a provider that keeps to it contradicts itself.
            return self.contradict("the levy ran, and the provider keeps showing ACCEPT", cx);
        }
        let why = json!({"why": "acknowledged, and the provider keeps showing ACCEPT"});
        let sends = doubt.sends.max(1);
        let told = (sends == 1).then(|| self.case("continue_not_applied", Severity::High, &[], why, input, cx));
        self.go(At::ConfirmInDoubt { doubt, sends, refusal: None, acknowledged: true }).and(told)
    }

    /// `CLOSE` after our CONTINUE (safety.md §7): levied only on proof.
    fn levy_closed(self, seen: &OrderSeen, acknowledged: bool, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let same_time = self.facts.proof.as_ref().is_some_and(|proof| seen.arising_time == Some(proof.paid_at));
        let by_time = input.unsplit && same_time;
        let known_applied = acknowledged || self.facts.running;
        if let Some(close_time) = self.facts.notice {
            // A time before our decision proves nothing either: the decision rests on a live ACCEPT, which denies it. Had the
            // levy run, levying again would tax the person twice; people look which of the two was wrong.
            let before_ours = self.facts.decided_at.is_some_and(|decided| close_time + cx.params.skew < decided);
            return self.contradict(
                match before_ours {
                    true => "a close notice names a time before our decision, when a query still showed ACCEPT",
                    false => "a close notice came, and CONTINUE was sent",
                },
                cx,
            );
        }
        if !known_applied {
            // Nothing but the evidence of our own time can tell a levy from another's close.
            return if by_time {
                self.levied(input, cx)
            } else {
                self.contradict("closed while CONTINUE was in doubt", cx)
            };
        }
        let in_time = cx.now < input.first_sent.min(input.accept_time) + AUTO_CLOSE - cx.params.skew;
        let proved = by_time
            || match cx.policy.levied_proof {
                LeviedProof::BeforeDeadline => in_time,
                LeviedProof::SeenRunning => self.facts.running,
                LeviedProof::Acknowledged => acknowledged,
            };
        let ends_so = cx.policy.levied_terminal_status != LeviedTerminal::Remit;
        if proved && ends_so { self.levied(input, cx) } else { self.park(Why::LevyUnproven, cx) }
    }

    pub(super) fn levied(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if self.facts.returned {
            return self.returned_after_levy(input, cx);
        }
        self.finish(At::Levied { at: cx.now }, cx)
    }
}
