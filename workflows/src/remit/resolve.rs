//! What people decide. Only the legal moves of a case come here, with evidence and a second person where it takes them; a move
//! that no longer fits the state changes nothing.

use super::Remit;
use super::facts::{At, Input, Why};
use super::pay::EvidenceGiven;
use crate::machine::{Cx, Next};
use crate::{cases, payout};
use domain::record::{Severity, Write};
use serde_json::json;

impl Remit {
    pub(super) fn quote_accepted(mut self) -> Next<Self> {
        self.facts.quote_ok = true;
        Next::to(self)
    }

    pub(super) fn resolved(
        self,
        name: &str,
        evidence: Option<EvidenceGiven>,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        match (name, evidence) {
            ("paid", Some(given)) => self.resolved_paid(given, input, cx),
            ("not_paid", _) => self.resolved_not_paid(input, cx),
            ("levied", Some(_)) => self.resolved_levied(input, cx),
            ("closed", _) => self.resolved_closed(input, cx),
            ("resend_corrected", Some(given)) => self.resend_corrected(given, input, cx),
            ("retry", _) => self.retry(cx),
            (_, _) => Next::to(self),
        }
    }

    /// Whether a person may say how the levy ended. Not while a payment may still be under way.
    fn open_to_verdict(&self) -> bool {
        if let At::NeedsOperator { why, back } = &self.at {
            let refused = matches!(why, Why::ConfirmRefused(_) | Why::CancelRefused(_));
            return (refused || matches!(why, Why::LevyUnproven)) && !matches!(**back, At::Contradicted { .. });
        }
        matches!(self.at, At::Contradicted { payout: None, .. } | At::Levying { .. })
    }

    /// Looked at again, from where it was parked. What may have been sent is proved first (S-G).
    fn retry(mut self, cx: &Cx<'_>) -> Next<Self> {
        let fault = cases::close(&["internal_fault"], "to be looked at again", cx);
        let At::NeedsOperator { why, back } = self.at.clone() else { return Next::to(self).with(fault) };
        let answered = cases::close(&[why.kind(), "internal_fault"], "to be looked at again", cx);
        let mut back = *back;
        match why {
            Why::UnknownStatus(_) | Why::Bug(_) => {}
            Why::CancelRefused(_) => {
                if let At::CancelInDoubt { refusal, .. } = &mut back {
                    *refusal = None;
                }
            }
            Why::ConfirmRefused(_) | Why::LevyUnproven | Why::PaidAfterFinal => return Next::to(self).with(fault),
        }
        self.facts.look_at = cx.now;
        if matches!(back, At::Open { .. }) && self.facts.unwanted {
            return self.close_gate(cx).with(answered);
        }
        // A state that was stored before `set_aside` was the rule.
        let back = back.set_aside(cx);
        self.go(back).with(answered)
    }

    /// Evidence brought by a person: for a payout in doubt, or for a payment without a permit (§6.6).
    fn resolved_paid(mut self, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if given.unfit(input, cx).is_some() {
            let case = self.misfit(&given, input, cx);
            return Next::to(self).and(case);
        }
        if let At::NeedsOperator { why: Why::PaidAfterFinal, back } = self.at.clone() {
            let answered = cases::close(&["paid_after_final"], "two persons: paid", cx);
            self.at = *back;
            self.facts.paid_after_final = false;
            return self.proven(given, None, input, cx).with(answered);
        }
        self.through(cx, |remit| remit.paid_by_word(given, input, cx))
    }

    fn paid_by_word(mut self, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if let Some(payout) = self.live_payout().cloned() {
            return self.attempt_paid(payout, given, input, cx);
        }
        if !matches!(self.at, At::Open { .. } | At::GateClosed { .. }) {
            return self.paid_beside(None, &given.bank_serial, input, cx);
        }
        let facts = json!({"bank_serial": given.bank_serial});
        let new = self.first_time(format!("bypass/{}", given.bank_serial));
        let bypass = new.then(|| self.case("payment_without_permit", Severity::Critical, &[], facts, input, cx));
        let refusal = self.refuse_waiting("not_payable", "a payment without a permit was found");
        self.proven(given, None, input, cx).and(bypass).and(refusal)
    }

    /// Two persons hold the bank's word that nothing was paid.
    fn resolved_not_paid(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if let At::NeedsOperator { why: Why::PaidAfterFinal, .. } = &self.at {
            let answered = cases::close(&["paid_after_final"], "two persons: not paid", cx);
            self.facts.paid_after_final = false;
            return self.unpaid(input, cx).with(answered);
        }
        let Some(payout) = self.live_payout() else { return Next::to(self) };
        let permit = payout.permit;
        self.attempt_over(permit, payout::Event::Failed, input, cx)
    }

    /// Levied, by two persons' word.
    fn resolved_levied(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let closed_paid = self.facts.proof.is_some() && matches!(self.at, At::AutoClosedPaid | At::ClosedExternally);
        let refused = matches!(self.at, At::NeedsOperator { why: Why::ConfirmRefused(_) | Why::CancelRefused(_), .. });
        if refused || !(self.open_to_verdict() || closed_paid) {
            return self.reopened(cx);
        }
        self.levied(input, cx).with_first(cases::close(&[], "settled by two persons: levied", cx))
    }

    /// Closed without a levy, by two persons' word: cancelled, or paid and to be levied again. At rest it closes what was noted.
    fn resolved_closed(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let how = cases::close(&[], "settled by two persons: closed", cx);
        if self.at.resting() {
            return Next::to(self).with(how);
        }
        if !self.open_to_verdict() {
            return self.reopened(cx);
        }
        let provider = super::Provider::Automatically;
        let next = match &self.facts.proof {
            Some(_) if !self.facts.returned => self.closed_paid(provider, input, cx),
            // Nobody keeps income from it: nothing is to be levied.
            Some(_) | None => self.finish(At::Cancelled, cx),
        };
        next.with_first(how)
    }

    /// The verdict came while a payment may be under way: the question stays, and is put again.
    fn reopened(self, cx: &Cx<'_>) -> Next<Self> {
        let At::Contradicted { why, payout: Some(_) } = &self.at else { return Next::to(self) };
        let facts = json!({"why": why, "waits_for": "the final word on the live permit"});
        let put_aside = cases::close(&["contradiction"], "the live permit must be settled first", cx);
        let case = cases::open("contradiction", Severity::Critical, &["levied", "closed"], facts, cx);
        Next::to(self).with(put_aside).with(case)
    }

    /// The one revision of a decision: the same direction, with a corrected time, after a definite refusal (S-E).
    fn resend_corrected(mut self, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let asked = matches!(&self.at, At::NeedsOperator { why: Why::ConfirmRefused(_), .. });
        let possible = asked && !self.facts.revised && !self.facts.returned && given.paid_at <= cx.now;
        let Some(permit) = self.facts.proof.as_ref().map(|proof| proof.permit).filter(|_| possible) else {
            return Next::to(self);
        };
        if given.unfit(input, cx).is_some() {
            let facts = json!({"why": "the corrected evidence does not fit the remit"});
            let moves = &["resend_corrected", "closed"];
            let case = self.case("confirm_refused", Severity::High, moves, facts, input, cx);
            return Next::to(self)
                .with(cases::close(&["confirm_refused"], "the evidence given does not fit", cx))
                .with(case);
        }
        let arising_time = given.paid_at;
        let kept = self.keep(given, permit, "evidence/corrected", cx);
        let Some(proof) = &self.facts.proof else { return Next::to(self) };
        let revision = Write::ReviseDecision { remit: cx.me, arising_time, evidence: proof.evidence, at: cx.now };
        self.facts.revised = true;
        self.facts.rungs = 0;
        self.facts.looks = 0;
        let answered = cases::close(&["confirm_refused"], "sent again with a corrected time", cx);
        // Sent before, hence the second send; a look comes first, for no sight is that old.
        self.go(At::Confirming { sends: 2, seen_real: domain::Time::from_millis(0) })
            .with(kept)
            .with(revision)
            .with(answered)
    }
}
