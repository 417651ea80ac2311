//! 退票: the bank gives a payment back (safety.md §8). Before a decision that is as if it had never been paid; later it is an
//! incident, and nothing moves by itself.

use super::Remit;
use super::facts::{At, Input};
use super::pay::bank_order_no;
use crate::cases;
use crate::machine::{Cx, Next};
use crate::payout::{self, Payout};
use crate::voucher;
use domain::record::{Severity, Write};
use serde_json::json;
use uuid::Uuid;

impl Remit {
    /// 退票 of a payment under a permit.
    pub(super) fn returned_reported(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if self.live(permit).is_some() {
            return self.attempt_over(permit, payout::Event::Returned, input, cx);
        }
        let ours = self.facts.proof.as_ref().is_some_and(|proof| proof.permit == Some(permit));
        if !ours || self.facts.returned {
            return self.word_beside(permit, payout::Event::Returned, input, cx);
        }
        let moved = Write::MovePermit { permit, state: payout::State::Returned.name().into() };
        self.came_undone(input, cx).with(moved)
    }

    /// 退票 of a payment without a permit. The same word again is a repeat; one about a payment nobody knows is on record.
    pub(super) fn payment_returned(mut self, serial: &str, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let proved = self.facts.proof.as_ref().filter(|proof| proof.permit.is_none());
        let corrected = || self.facts.noted.contains(&format!("evidence/{serial}"));
        let ours = proved.is_some_and(|proof| proof.bank_serial == serial || corrected()) && !self.facts.returned;
        if !self.first_time(returned(serial)) {
            return Next::to(self);
        }
        if ours {
            return self.came_undone(input, cx);
        }
        let facts = json!({"report": payout::Event::Returned.name(), "bank_serial": serial});
        let case = self.case("contradictory_report", Severity::Critical, &["closed"], facts, input, cx);
        Next::to(self).with(case)
    }

    /// Whether the bank returned the payment of this serial.
    pub(super) fn came_back(&self, serial: &str) -> bool {
        self.facts.noted.contains(&returned(serial))
    }

    /// The payment that proves this remit came back. Before a decision that is as if it had never been; later it is an incident.
    fn came_undone(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if matches!(self.at, At::Paid) {
            return self.revoked(input, cx);
        }
        self.facts.returned = true;
        if matches!(self.at, At::Confirming { .. } | At::ConfirmInDoubt { .. }) {
            return self.contradict("the bank returned the payment while CONTINUE was on its way", cx);
        }
        if matches!(self.at, At::Levied { .. }) {
            return self.returned_after_levy(input, cx);
        }
        let (kind, why) = if matches!(self.at, At::Levying { .. }) {
            ("returned_after_levy", "the bank returned the payment while the levy runs")
        } else {
            ("returned_unlevied", "the bank returned the payment; nothing is to be levied")
        };
        let case = self.case(kind, Severity::Critical, &["closed"], json!({"why": why}), input, cx);
        Next::to(self).with(case)
    }

    /// Returned before a decision: the evidence is revoked.
    fn revoked(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(proof) = self.facts.proof.take() else { return Next::to(self) };
        if let Some(permit) = proof.permit {
            let attempt = self.facts.attempts;
            let bank_order_no = bank_order_no(input, attempt);
            let state = payout::State::Returned;
            self.facts.ended.push(Payout { permit, attempt, bank_order_no, pay_before: cx.now, state });
        }
        let answered =
            cases::close(&["deadline_near", "confirm_frozen", "paid_at_ahead"], "the bank returned the payment", cx);
        let revoked = Write::RevokeEvidence { evidence: proof.evidence, at: cx.now };
        let unowed = proof.voucher.map(voucher::returned);
        self.unpaid(input, cx).with_first(answered).with(revoked).and(unowed)
    }

    pub(super) fn returned_after_levy(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let facts = json!({"why": "the bank returned the payment after the levy"});
        let case = self.case("returned_after_levy", Severity::Critical, &["closed"], facts, input, cx);
        let told_before = cases::close(&["returned_after_levy"], "the levy has ended", cx);
        self.finish(At::ReturnedAfterLevy, cx).with(told_before).with(case)
    }
}

/// How a payment that came back is remembered.
fn returned(serial: &str) -> String {
    format!("returned/{serial}")
}
