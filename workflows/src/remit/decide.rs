//! Our one decision, CONTINUE or CANCEL, and its sends.

use super::cases::OF_CONFIRMING;
use super::facts::{At, Input};
use super::{Event, FREEZE_LOOK, Remit};
use crate::cases;
use crate::doubt::Doubt;
use crate::machine::{Cx, Next, Step};
use crate::payout;
use crate::policy::{CancelNeverPermitted, Direction};
use domain::levy::NextStep;
use domain::planted::{Bug, planted};
use domain::record::{Decision, Severity, Write};
use domain::{Refusal, Request, Time};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Sends of one decision, all proved not applied, after which a person is told.
const TELL_AFTER_SENDS: u32 = 3;
const EVIDENCE_LOOK: Duration = Duration::from_secs(15 * 60);

impl Remit {
    pub(super) fn look(&self, input: &Input) -> Step<Event> {
        Step::Call(Request::FindOrder { request_id: input.request_id.clone(), person: input.person })
    }

    /// The next look when it is due; else sleep until it is, until `at`, or until a person must be told.
    pub(super) fn look_or_wait(&self, at: Time, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        if cx.now >= self.facts.look_at {
            return self.look(input);
        }
        Step::Wait(self.told_by(at.min(self.facts.look_at), input, cx))
    }

    /// Evidence is there: CONTINUE goes as soon as a live query says ACCEPT, whatever the time (safety.md §5).
    pub(super) fn want_to_confirm(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let paid_at = self.facts.proof.as_ref().map_or(cx.now, |proof| proof.paid_at);
        match () {
            () if self.frozen(Direction::Confirm, input, cx) => self.look_or_wait(cx.now + FREEZE_LOOK, input, cx),
            // An arising_time in the future would be refused; the payer's clock runs ahead of ours.
            () if paid_at > cx.now => Step::Wait(self.told_by(paid_at, input, cx)),
            () if self.facts.looks == 0 => self.look(input),
            () => self.look_or_wait(self.facts.look_at, input, cx),
        }
    }

    /// CONTINUE is decided: it leaves while the live query is fresh.
    pub(super) fn want_to_continue(&self, seen_real: Time, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let fresh = cx.real.since(seen_real) <= cx.params.observation_age;
        match () {
            () if self.frozen(Direction::Confirm, input, cx) => self.look_or_wait(cx.now + FREEZE_LOOK, input, cx),
            () if fresh => Step::Call(self.decision_call(input, NextStep::Continue, cx)),
            () if self.facts.looks == 0 => self.look(input),
            () => self.look_or_wait(self.facts.look_at, input, cx),
        }
    }

    pub(super) fn want_to_settle(&self, doubt: &Doubt, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        match () {
            () if doubt.disproved() => Step::Record(Event::Disproved),
            () if cx.now >= doubt.look_at => self.look(input),
            () => Step::Wait(self.told_by(doubt.look_at, input, cx)),
        }
    }

    pub(super) fn want_to_cancel(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let At::GateClosed { wanted_gone, .. } = &self.at else { return Step::Wait(self.facts.look_at) };
        let never_permitted = self.facts.attempts == 0 && !wanted_gone;
        let keep = never_permitted && cx.policy.cancel_never_permitted != CancelNeverPermitted::PayCutoff;
        match () {
            () if self.evidence_pending(cx) => self.look_or_wait(cx.now + EVIDENCE_LOOK, input, cx),
            () if keep => self.look_or_wait(self.facts.look_at, input, cx),
            () if self.frozen(Direction::Cancel, input, cx) => self.look_or_wait(cx.now + FREEZE_LOOK, input, cx),
            () => Step::Record(Event::CancelDecided),
        }
    }

    /// A person brought evidence, and the second person has his time: until the proposal lapses.
    pub(super) fn evidence_pending(&self, cx: &Cx<'_>) -> bool {
        self.facts.proof.is_none() && self.facts.brought.is_some_and(|at| !cases::lapsed(at, cx.now))
    }

    pub(super) fn evidence_brought(mut self, case: Option<Uuid>, cx: &Cx<'_>) -> Next<Self> {
        self.facts.brought = Some(cx.now);
        self.facts.brought_in.extend(case.filter(|case| !self.facts.brought_in.contains(case)));
        Next::to(self)
    }

    /// Two persons have answered this case: what was brought there waits no longer.
    pub(super) fn evidence_answered(&mut self, case: Uuid) {
        self.facts.brought_in.retain(|waits| *waits != case);
        if self.facts.brought_in.is_empty() {
            self.facts.brought = None;
        }
    }

    /// The one call of a decision. CANCEL must carry a time too; it means nothing there (P32).
    pub(super) fn decision_call(&self, input: &Input, next_step: NextStep, cx: &Cx<'_>) -> Request {
        let arising_time = match next_step {
            NextStep::Continue if planted(Bug::ArisingTimeIsNow) => cx.now,
            NextStep::Continue => self.facts.proof.as_ref().map_or(cx.now, |proof| proof.paid_at),
            NextStep::Cancel => self.facts.decided_at.unwrap_or(cx.now),
        };
        Request::DecideRemit { order_id: input.provider_order_id.clone(), next_step, arising_time }
    }

    /// The payer's "not paid": bank-final, or attested unused.
    pub(super) fn ended(self, permit: Uuid, event: payout::Event, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        self.through(cx, |remit| remit.attempt_over(permit, event, input, cx))
    }

    pub(super) fn pay_cutoff_reached(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        if cx.now < input.pay_cutoff {
            return None;
        }
        if matches!(self.at, At::Open { .. }) {
            return Some(self.close_gate(cx));
        }
        self.cancellable_parked().then(|| self.leave_parked("pay_cutoff passed and nothing was paid", cx))
    }

    /// A parked remit is given up: its question is moot.
    fn leave_parked(mut self, how: &str, cx: &Cx<'_>) -> Next<Self> {
        if let At::NeedsOperator { back, .. } = self.at.clone() {
            self.at = *back;
        }
        let moot = cases::close(&["unknown_status"], how, cx);
        self.close_gate(cx).with_first(moot)
    }

    /// The row that closes the pay gate for ever (S-B).
    pub(super) fn shut_gate(&mut self, cx: &Cx<'_>) -> Write {
        self.facts.gate_shut = true;
        if planted(Bug::DropGateClose) {
            return Write::CloseTasks { at: cx.now };
        }
        Write::CloseGate { remit: cx.me, at: cx.now }
    }

    /// The gate closes; a waiting payer learns it.
    pub(super) fn close_gate(mut self, cx: &Cx<'_>) -> Next<Self> {
        let refusal = self.refuse_waiting("gate_closed", "the pay gate of this remit is closed");
        let shut = self.shut_gate(cx);
        let wanted_gone = self.facts.unwanted;
        self.go(At::GateClosed { since: cx.now, wanted_gone }).with(shut).and(refusal)
    }

    /// Nobody wants it. Where it may be paid already, the wish waits for proof that it is not (S-B).
    pub(super) fn cancel_asked(mut self, cx: &Cx<'_>) -> Next<Self> {
        let undecided = self.facts.proof.is_none() && self.facts.decided_at.is_none() && !self.at.resting();
        if !undecided {
            return Next::to(self);
        }
        self.facts.unwanted = true;
        let permitted = matches!(self.at, At::Permitted(_)) && planted(Bug::CancelPermitted);
        if matches!(self.at, At::Open { .. }) || permitted {
            return self.close_gate(cx);
        }
        if self.cancellable_parked() {
            return self.leave_parked("not wanted any more, and nothing was paid", cx);
        }
        if let At::GateClosed { wanted_gone, .. } = &mut self.at {
            *wanted_gone = true;
        }
        Next::to(self)
    }

    pub(super) fn cancel_decided(mut self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let free = self.facts.proof.is_none() && self.facts.decided_at.is_none() && !self.evidence_pending(cx);
        if !matches!(self.at, At::GateClosed { .. }) || !free {
            return None;
        }
        self.facts.decided_at = Some(cx.now);
        let decision =
            Decision { remit: cx.me, next_step: NextStep::Cancel, evidence: None, arising_time: cx.now, at: cx.now };
        let shut = self.shut_gate(cx);
        Some(self.go(At::Cancelling { sends: 1 }).with(shut).with(Write::Decide(decision)))
    }

    /// What CONTINUE has not reached at D, the provider closes.
    pub(super) fn doubt_of_continue(last_sent: Time, sends: u32, input: &Input, cx: &Cx<'_>) -> Doubt {
        Doubt::new(last_sent, cx.now, sends).before(input.deadline)
    }

    pub(super) fn acknowledged(mut self, sent_at: Time, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        if matches!(self.at, At::Cancelling { .. }) {
            return Some(self.finish(At::Cancelled, cx));
        }
        if !matches!(self.at, At::Confirming { .. }) {
            return None;
        }
        self.facts.look(0, cx);
        let doubt = Self::doubt_of_continue(sent_at, self.at.sends(), input, cx);
        let running = cases::close(OF_CONFIRMING, "the levy is running", cx);
        Some(self.go(At::Levying { since: cx.now, sent_at, acknowledged: true, doubt }).with(running))
    }

    pub(super) fn decision_in_doubt(
        self,
        last_sent: Time,
        refusal: Option<Refusal>,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Option<Next<Self>> {
        if let At::Confirming { sends, .. } = self.at {
            let doubt = Self::doubt_of_continue(last_sent, sends, input, cx);
            return Some(self.go(At::ConfirmInDoubt { doubt, sends, refusal, acknowledged: false }));
        }
        let At::Cancelling { sends } = self.at else { return None };
        let doubt = Doubt::new(last_sent, cx.now, sends);
        Some(self.go(At::CancelInDoubt { doubt, sends, refusal }))
    }

    /// Quarantine and two negative probes are behind us: the identical call, once more (S-G).
    pub(super) fn send_again(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let (At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. }) = &self.at else { return None };
        if !doubt.disproved() {
            return None;
        }
        let (At::ConfirmInDoubt { sends, .. } | At::CancelInDoubt { sends, .. }) = self.at else { return None };
        let why = json!({"why": format!("sent {sends} times, and the provider keeps showing ACCEPT")});
        let told =
            (sends == TELL_AFTER_SENDS).then(|| self.case("decision_in_vain", Severity::High, &[], why, input, cx));
        let again = if matches!(self.at, At::ConfirmInDoubt { .. }) {
            At::Confirming { sends: sends + 1, seen_real: cx.real }
        } else {
            At::Cancelling { sends: sends + 1 }
        };
        Some(self.go(again).and(told))
    }
}
