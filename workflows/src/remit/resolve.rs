//! What people decide. Only the legal moves of a case come here, with evidence and a second person where it takes them; a move
//! that no longer fits the state changes nothing.

use super::Remit;
use super::facts::{At, Input, Why};
use super::pay::EvidenceGiven;
use crate::machine::{Cx, Next};
use crate::payout;
use domain::record::{Evidence, Severity, Write};
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
        match (name, evidence, self.at.clone()) {
            ("paid", Some(given), at) => self.resolved_paid(given, &at, input, cx),
            ("not_paid", _, at) => self.resolved_not_paid(&at, input, cx),
            (
                "levied",
                Some(_),
                At::Contradicted { .. }
                | At::NeedsOperator { why: Why::LevyUnproven, .. }
                | At::Levying { .. }
                | At::AutoClosedPaid
                | At::ClosedExternally,
            ) => self.finish(At::Levied { at: cx.now }, cx).with(Self::close_cases(
                &[],
                "settled by two persons: levied",
                cx,
            )),
            (
                "closed",
                _,
                At::Contradicted { .. }
                | At::NeedsOperator { why: Why::LevyUnproven | Why::ConfirmRefused(_) | Why::CancelRefused(_), .. }
                | At::Levying { .. },
            ) => self.resolved_closed(cx),
            ("resend_corrected", Some(given), At::NeedsOperator { why: Why::ConfirmRefused(_), .. }) => {
                self.resend_corrected(given, cx)
            }
            ("retry", _, At::NeedsOperator { why: Why::CancelRefused(_), .. }) => self.go(At::Cancelling { sends: 1 }),
            ("retry", _, At::NeedsOperator { why: Why::UnknownStatus(_) | Why::Bug(_), back }) => {
                let mut remit = self;
                remit.facts.look_at = cx.now;
                remit.go(*back)
            }
            (_, _, _) => Next::to(self),
        }
    }

    /// Evidence brought by a person: for a payout in doubt, or for a payment without a permit (§6.6).
    fn resolved_paid(self, given: EvidenceGiven, at: &At, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if given.unfit(input, cx).is_some() {
            return Next::to(self);
        }
        match at {
            At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => {
                let closed = if let At::PayoutInDoubt { closed, .. } = at { *closed } else { None };
                let Some(payout) = payout.moved(payout::Event::Paid) else { return Next::to(self) };
                let moved = payout.row();
                self.proven(given, Some(payout.permit), closed, input, cx).with_first(moved)
            }
            At::Open { .. } | At::GateClosed { .. } | At::NeedsOperator { why: Why::PaidAfterFinal, .. } => {
                let bypass = self.case(
                    "payment_without_permit",
                    Severity::Critical,
                    &["closed"],
                    json!({"bank_serial": given.bank_serial}),
                    input,
                    cx,
                );
                let refusal = self.refuse_waiting("not_payable", "a payment without a permit was found");
                self.proven(given, None, None, input, cx).with(bypass).and(refusal)
            }
            _ => Next::to(self),
        }
    }

    /// Two persons hold the bank's word that nothing was paid.
    fn resolved_not_paid(mut self, at: &At, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match at {
            At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => {
                let permit = payout.permit;
                self.failed_reported(permit, input, cx)
            }
            At::NeedsOperator { why: Why::PaidAfterFinal, .. } => {
                self.at = At::Open { ask: None };
                self.open_or_closed(input, cx)
            }
            _ => Next::to(self),
        }
    }

    /// Closed without a levy, by two persons' word: cancelled, or paid and to be levied again.
    fn resolved_closed(self, cx: &Cx<'_>) -> Next<Self> {
        let how = Self::close_cases(&[], "settled by two persons: closed", cx);
        let at = if self.facts.proof.is_some() { At::AutoClosedPaid } else { At::Cancelled };
        self.finish(at, cx).with(how)
    }

    /// The one revision of a decision: the same direction, with a corrected time, after a definite refusal (S-E).
    fn resend_corrected(mut self, given: EvidenceGiven, cx: &Cx<'_>) -> Next<Self> {
        let id = domain::ids::derive(cx.now, cx.me.0, &format!("evidence/corrected/{}", given.bank_serial));
        let Some(proof) = &mut self.facts.proof else { return Next::to(self) };
        proof.evidence = id;
        proof.paid_at = given.paid_at;
        proof.bank_serial.clone_from(&given.bank_serial);
        let evidence = Evidence {
            id,
            remit: cx.me,
            permit: proof.permit,
            amount: given.amount,
            paid_at: given.paid_at,
            bank_serial: given.bank_serial,
            source: given.source,
            at: cx.now,
        };
        let revision = Write::ReviseDecision { remit: cx.me, arising_time: given.paid_at, evidence: id, at: cx.now };
        self.go(At::Confirming { sends: 1, seen_real: domain::Time::from_millis(0) })
            .with(Write::KeepEvidence(evidence))
            .with(revision)
    }
}
