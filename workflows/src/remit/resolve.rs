//! What people decide. Only the legal moves of a case come here, with evidence and a second person where it takes them. A move
//! closes the case that it answers and no other, also where it changes nothing; one that is not legal any more, because the remit
//! went on meanwhile, puts the question again and says why.

use super::Remit;
use super::cases::{NOTES, OF_A_VERDICT};
use super::facts::{At, Input, Why};
use super::pay::EvidenceGiven;
use crate::cases::Answered;
use crate::machine::{Cx, Next};
use crate::{cases, payout};
use domain::record::{Severity, Write};
use serde_json::json;

/// What a move led to, or why it is not legal now.
type Settled = Result<Next<Remit>, String>;

impl Remit {
    pub(super) fn quote_accepted(mut self) -> Next<Self> {
        self.facts.quote_ok = true;
        Next::to(self)
    }

    pub(super) fn resolved(
        self,
        case: &Answered,
        name: &str,
        evidence: Option<EvidenceGiven>,
        by: &str,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        match self.clone().settled(case, name, evidence, input, cx) {
            Ok(mut next) => {
                next.state.evidence_answered(case.id);
                next.with_first(case.closed(name, by, cx))
            }
            Err(why) => Next::to(self).with(case.reopened(name, &why)),
        }
    }

    fn settled(
        self,
        case: &Answered,
        name: &str,
        evidence: Option<EvidenceGiven>,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Settled {
        // What is only noted, and whatever is still asked at rest, is closed by two persons at any time: it moves nothing.
        let noted = self.at.resting() || NOTES.contains(&case.kind.as_str());
        match (name, evidence) {
            ("closed", _) if noted => Ok(Next::to(self)),
            // This piece of paper proves nothing; it says nothing about any attempt.
            ("not_paid", _) if case.kind == PAYMENT_EVIDENCE => Ok(Next::to(self)),
            ("paid", Some(given)) => self.settled_paid(given, input, cx),
            ("not_paid", _) => self.settled_not_paid(input, cx),
            ("levied", Some(_)) => self.settled_levied(input, cx),
            ("closed", _) => self.settled_closed(input, cx),
            ("resend_corrected", Some(given)) => self.resend_corrected(given, input, cx),
            ("retry", _) => Ok(self.retry(cx)),
            (_, _) => Err("a remit has no such move, or it needs evidence".into()),
        }
    }

    /// Where it stands, or stood when it was parked.
    fn beneath(&self) -> &At {
        if let At::NeedsOperator { back, .. } = &self.at { back } else { &self.at }
    }

    /// Whether a person may say how the levy ended. Not while a payment may still be under way.
    fn open_to_verdict(&self) -> bool {
        if let At::NeedsOperator { why, back } = &self.at {
            let refused = matches!(why, Why::ConfirmRefused(_) | Why::CancelRefused(_));
            return (refused || matches!(why, Why::LevyUnproven)) && !matches!(**back, At::Contradicted { .. });
        }
        matches!(self.at, At::Contradicted { payout: None, .. } | At::Levying { .. })
    }

    fn no_verdict(&self) -> String {
        if self.beneath().live_payout().is_some() {
            return "a permit is live, and a payment may be under way: its final word comes first".into();
        }
        format!("the remit is {} now", self.at.name())
    }

    /// Looked at again, from where it was parked. What may have been sent is proved first (S-G).
    fn retry(mut self, cx: &Cx<'_>) -> Next<Self> {
        let again = "to be looked at again";
        let At::NeedsOperator { why, back } = self.at.clone() else {
            return Next::to(self).with(cases::close(&["internal_fault"], again, cx));
        };
        let answered = cases::close(&[why.kind(), "internal_fault"], again, cx);
        let mut back = *back;
        match why {
            Why::UnknownStatus(_) | Why::Bug(_) => {}
            Why::CancelRefused(_) => {
                if let At::CancelInDoubt { refusal, .. } = &mut back {
                    *refusal = None;
                }
            }
            // A fault on top of a question: the fault is gone, the question stays.
            Why::ConfirmRefused(_) | Why::LevyUnproven | Why::PaidAfterFinal => {
                return Next::to(self).with(cases::close(&["internal_fault"], again, cx));
            }
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
    fn settled_paid(mut self, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Settled {
        if let Some((_, why)) = given.unfit(input, cx) {
            return Err(why.into());
        }
        if self.came_back(&given.bank_serial) {
            return Err("the bank has returned this payment".into());
        }
        if let At::NeedsOperator { why: Why::PaidAfterFinal, back } = self.at.clone() {
            let answered = cases::close(&["paid_after_final", "internal_fault"], "two persons: paid", cx);
            self.at = *back;
            self.facts.paid_after_final = false;
            return Ok(self.proven(given, None, input, cx).with(answered));
        }
        Ok(self.through(cx, |remit| remit.paid_by_word(given, input, cx)))
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
        let bypass =
            new.then(|| self.case("payment_without_permit", Severity::Critical, &["closed"], facts, input, cx));
        let refusal = self.refuse_waiting("not_payable", "a payment without a permit was found");
        self.proven(given, None, input, cx).and(bypass).and(refusal)
    }

    /// Two persons hold the bank's word that nothing was paid.
    fn settled_not_paid(mut self, input: &Input, cx: &Cx<'_>) -> Settled {
        if let At::NeedsOperator { why: Why::PaidAfterFinal, .. } = &self.at {
            let answered = cases::close(&["paid_after_final", "internal_fault"], "two persons: not paid", cx);
            self.facts.paid_after_final = false;
            return Ok(self.unpaid(input, cx).with(answered));
        }
        if let Some(permit) = self.beneath().live_payout().map(|payout| payout.permit) {
            return Ok(self.ended(permit, payout::Event::Failed, input, cx));
        }
        let proved = self.facts.proof.is_some() && !self.facts.returned;
        if proved { Err("the payment is proved".into()) } else { Ok(Next::to(self)) }
    }

    /// Levied, by two persons' word.
    fn settled_levied(self, input: &Input, cx: &Cx<'_>) -> Settled {
        if matches!(self.at, At::Levied { .. } | At::ReturnedAfterLevy) {
            return Ok(Next::to(self));
        }
        let closed_paid = self.facts.proof.is_some() && matches!(self.at, At::AutoClosedPaid | At::ClosedExternally);
        let refused = matches!(self.at, At::NeedsOperator { why: Why::ConfirmRefused(_) | Why::CancelRefused(_), .. });
        if refused || !(self.open_to_verdict() || closed_paid) {
            return Err(self.no_verdict());
        }
        Ok(self.levied(input, cx).with_first(cases::close(OF_A_VERDICT, "settled by two persons: levied", cx)))
    }

    /// Closed without a levy, by two persons' word: cancelled, or paid and to be levied again.
    fn settled_closed(self, input: &Input, cx: &Cx<'_>) -> Settled {
        if !self.open_to_verdict() {
            return Err(self.no_verdict());
        }
        let how = cases::close(OF_A_VERDICT, "settled by two persons: closed", cx);
        let next = match &self.facts.proof {
            Some(_) if !self.facts.returned => self.closed_paid(super::Provider::Automatically, input, cx),
            // Nobody keeps income from it: nothing is to be levied.
            Some(_) | None => self.finish(At::Cancelled, cx),
        };
        Ok(next.with_first(how))
    }

    /// The one revision of a decision: the same direction, with a corrected time, after a definite refusal (S-E).
    fn resend_corrected(mut self, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Settled {
        if !matches!(&self.at, At::NeedsOperator { why: Why::ConfirmRefused(_), .. }) {
            return Err(format!("CONTINUE does not stand refused: the remit is {} now", self.at.name()));
        }
        let permit = match &self.facts.proof {
            Some(proof) if !self.facts.revised && !self.facts.returned => proof.permit,
            Some(_) if self.facts.revised => return Err("the one correction has been made".into()),
            Some(_) | None => return Err("the bank has returned the payment".into()),
        };
        if given.paid_at > cx.now {
            return Err("the corrected time lies in the future".into());
        }
        if let Some((_, why)) = given.unfit(input, cx) {
            return Err(why.into());
        }
        let arising_time = given.paid_at;
        let kept = self.keep(given, permit, "evidence/corrected", cx);
        let Some(proof) = &self.facts.proof else { return Err("there is no evidence to correct".into()) };
        let revision = Write::ReviseDecision { remit: cx.me, arising_time, evidence: proof.evidence, at: cx.now };
        self.facts.revised = true;
        self.facts.rungs = 0;
        self.facts.looks = 0;
        let answered = cases::close(&["confirm_refused", "internal_fault"], "sent again with a corrected time", cx);
        // Sent before, hence the second send; a look comes first, for no sight is that old.
        Ok(self
            .go(At::Confirming { sends: 2, seen_real: domain::Time::from_millis(0) })
            .with(kept)
            .with(revision)
            .with(answered))
    }
}

/// The case that brought evidence waits in (`POST /v1/remits/{id}/evidence`).
const PAYMENT_EVIDENCE: &str = "payment_evidence";
