//! What payers and people report about attempts (safety.md §6). Reporting twice, late or against an earlier word is safe: it opens
//! a case at most, nothing flips.

use super::Remit;
use super::cases::OF_ATTEMPT;
use super::facts::{At, Input, Proof, Provider, Why};
use super::pay::{EvidenceGiven, Paid};
use crate::cases;
use crate::machine::{Cx, Next};
use crate::payout::{self, Payout};
use domain::planted::{Bug, planted};
use domain::record::{Evidence, Severity, Write};
use serde_json::json;
use uuid::Uuid;

impl Remit {
    /// A parked remit hears what it would hear where it came from, and stays parked: a live payout's report finds its place.
    pub(super) fn through(mut self, cx: &Cx<'_>, f: impl FnOnce(Self) -> Next<Self>) -> Next<Self> {
        let At::NeedsOperator { why, back } = self.at.clone() else { return f(self) };
        self.at = *back;
        let mut next = f(self);
        if next.state.at.resting() || matches!(next.state.at, At::Contradicted { .. } | At::NeedsOperator { .. }) {
            return next.with_first(cases::close(&[why.kind()], "overtaken by a report", cx));
        }
        next.state.at = At::NeedsOperator { why, back: Box::new(next.state.at) };
        next
    }

    pub(super) fn live_payout(&self) -> Option<&Payout> {
        self.at.live_payout()
    }

    /// The live attempt under this permit.
    pub(super) fn live(&self, permit: Uuid) -> Option<Payout> {
        self.live_payout().filter(|payout| payout.permit == permit).cloned()
    }

    /// The provider closed its side while the attempt was in doubt.
    fn provider_side(&self) -> Option<Provider> {
        if let At::PayoutInDoubt { closed, .. } = &self.at { *closed } else { None }
    }

    /// A bank channel of ours sent the instruction. Too late or not, it left: from here only the bank's word counts.
    pub(super) fn instructed(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(payout) = self.live(permit) else {
            return self.word_beside(permit, payout::Event::Instructed, input, cx);
        };
        if let (At::Permitted(_), Some(payout)) = (&self.at, payout.moved(payout::Event::Instructed)) {
            let moved = payout.row();
            return self.go(At::Paying(payout)).with(moved);
        }
        if payout.state == (payout::State::InDoubt { unknown: false }) {
            return self.in_doubt(payout, payout::Event::Unknown, cx);
        }
        Next::to(self)
    }

    /// Said again with the voucher that was left out before, it brings the voucher.
    pub(super) fn paid_reported(self, mut paid: Paid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let (serial, voucher) = (paid.bank_serial.clone(), paid.voucher.take());
        let next = self.paid(paid, input, cx);
        let brought = voucher.and_then(|voucher| next.state.bring(voucher, &serial, input, cx));
        next.and(brought)
    }

    fn paid(mut self, paid: Paid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(payout) = self.live(paid.permit) else {
            return self.paid_beside(Some(paid.permit), &paid.bank_serial, input, cx);
        };
        let given = EvidenceGiven {
            amount: paid.amount,
            paid_at: paid.paid_at,
            bank_serial: paid.bank_serial,
            payee_ok: paid.payee_ok,
            source: paid.source,
        };
        if given.unfit(input, cx).is_some() {
            // Money moved, but not this remit's money: neither CONTINUE nor CANCEL until a person knows more.
            let case = self.misfit(&given, input, cx);
            return self.in_doubt(payout, payout::Event::Unknown, cx).and(case);
        }
        self.attempt_paid(payout, given, input, cx)
    }

    /// The case about evidence that does not fit; one per payment.
    pub(super) fn misfit(&mut self, given: &EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Option<Write> {
        let (kind, why) = given.unfit(input, cx)?;
        let facts = json!({"why": why, "bank_serial": given.bank_serial});
        self.first_time(format!("{kind}/{}", given.bank_serial))
            .then(|| self.case(kind, Severity::Critical, &["paid", "not_paid"], facts, input, cx))
    }

    /// The live attempt is bank-final paid.
    pub(super) fn attempt_paid(self, payout: Payout, given: EvidenceGiven, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(payout) = payout.moved(payout::Event::Paid) else { return Next::to(self) };
        let moved = payout.row();
        self.proven(given, Some(payout.permit), input, cx).with_first(moved)
    }

    /// Evidence is stored: from here on only CONTINUE, or a person.
    pub(super) fn proven(
        mut self,
        given: EvidenceGiven,
        permit: Option<Uuid>,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        let ahead = (given.paid_at > cx.now + cx.params.paid_ahead)
            .then(|| self.case("paid_at_ahead", Severity::Medium, &[], json!({"paid_at": given.paid_at}), input, cx));
        let kept = self.keep(given, permit, "evidence", cx);
        let owed = self.owe_voucher(input, cx);
        self.facts.look(0, cx);
        self.facts.look_at = cx.now;
        self.facts.rungs = 0;
        let answered = cases::close(OF_ATTEMPT, "the payment is proved", cx);
        let next = if let At::Contradicted { why, .. } = self.at.clone() {
            self.go(At::Contradicted { why, payout: None })
        } else if let Some(provider) = self.provider_side() {
            self.closed_paid(provider, input, cx)
        } else {
            self.go(At::Paid)
        };
        next.with_first(answered).with_first(kept).and(ahead).and(owed)
    }

    /// Remembers the evidence, and writes its row.
    pub(super) fn keep(&mut self, given: EvidenceGiven, permit: Option<Uuid>, what: &str, cx: &Cx<'_>) -> Write {
        let EvidenceGiven { amount, paid_at, bank_serial, source, payee_ok: _ } = given;
        // Evidence that was corrected stays known by its serial: the bank may return it under that.
        let before = self.facts.proof.take();
        // A correction is of the same payment, which owes what it owed.
        let voucher = before.as_ref().and_then(|before| before.voucher);
        if let Some(before) = before.filter(|before| before.bank_serial != bank_serial) {
            self.first_time(format!("evidence/{}", before.bank_serial));
        }
        let id = domain::ids::derive(cx.now, cx.me.0, &format!("{what}/{bank_serial}"));
        let (since, serial) = (cx.now, bank_serial.clone());
        self.facts.proof = Some(Proof { evidence: id, permit, paid_at, bank_serial: serial, since, voucher });
        Write::KeepEvidence(Evidence { id, remit: cx.me, permit, amount, paid_at, bank_serial, source, at: cx.now })
    }

    /// The attempt ended without a payment: the remit is open again, or its gate closes.
    pub(super) fn attempt_over(mut self, permit: Uuid, event: payout::Event, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(payout) = self.live(permit) else { return self.word_beside(permit, event, input, cx) };
        // Refused: an attestation after the bank's own "unknown" (the API has said so already).
        let Some(payout) = payout.moved(event) else { return Next::to(self) };
        let moved = payout.row();
        self.facts.ended.push(payout);
        let answered = cases::close(OF_ATTEMPT, event.name(), cx);
        let next = if let At::Contradicted { why, .. } = self.at.clone() {
            self.go(At::Contradicted { why, payout: None })
        } else if self.facts.paid_after_final {
            self.unpaid(input, cx).then(|remit| remit.park(Why::PaidAfterFinal, cx))
        } else if let Some(provider) = self.provider_side() {
            self.closed_unpaid(provider, input, cx)
        } else {
            self.unpaid(input, cx)
        };
        next.with_first(answered).with_first(moved)
    }

    /// Nothing is paid and nothing is live: open again, or on the way to its cancellation.
    pub(super) fn unpaid(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        self.facts.look_at = cx.now + cx.params.slow_look;
        if cx.now < input.pay_cutoff && !self.facts.unwanted && !self.facts.gate_shut {
            return self.go(At::Open { ask: None });
        }
        self.close_gate(cx)
    }

    pub(super) fn unknown_reported(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some(payout) = self.live(permit) else {
            return self.word_beside(permit, payout::Event::Unknown, input, cx);
        };
        if planted(Bug::UnknownIsPaid) {
            return self.attempt_paid(payout, EvidenceGiven::invented(input, cx), input, cx);
        }
        if planted(Bug::UnknownIsFailed) {
            return self.attempt_over(permit, payout::Event::Failed, input, cx);
        }
        let fresh = matches!(self.at, At::Permitted(_) | At::Paying(_));
        let case = fresh.then(|| self.doubt_case("the bank does not know", input, cx));
        self.in_doubt(payout, payout::Event::Unknown, cx).and(case)
    }

    /// Neither reported nor attested in time: expiry alone proves nothing.
    pub(super) fn permit_expired(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let (At::Permitted(payout) | At::Paying(payout)) = &self.at else { return None };
        if cx.now < payout.pay_before {
            return None;
        }
        let payout = payout.clone();
        if planted(Bug::ClockConfirms) {
            return Some(self.attempt_paid(payout, EvidenceGiven::invented(input, cx), input, cx));
        }
        let case = self.doubt_case("the permit expired unreported", input, cx);
        Some(self.in_doubt(payout, payout::Event::Expired, cx).with(case))
    }

    fn doubt_case(&self, why: &str, input: &Input, cx: &Cx<'_>) -> Write {
        self.case("payout_in_doubt", Severity::High, &["paid", "not_paid"], json!({"why": why}), input, cx)
    }

    /// Nobody knows about the live attempt. What was known of the provider's side stays known.
    pub(super) fn in_doubt(mut self, payout: Payout, event: payout::Event, cx: &Cx<'_>) -> Next<Self> {
        let payout = payout.moved(event).unwrap_or(payout);
        let moved = payout.row();
        let at = if let At::PayoutInDoubt { since, closed, .. } = &self.at {
            At::PayoutInDoubt { payout, since: *since, closed: *closed }
        } else if let At::Contradicted { why, .. } = &self.at {
            At::Contradicted { why: why.clone(), payout: Some(payout) }
        } else {
            self.facts.rungs = 0;
            At::PayoutInDoubt { payout, since: cx.now, closed: None }
        };
        self.go(at).with(moved)
    }

    /// "Paid" where no attempt of that permit is live: a repeat, or a contradiction. `permit`: none for a payment without one.
    pub(super) fn paid_beside(mut self, permit: Option<Uuid>, serial: &str, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let proved = self.facts.proof.as_ref();
        let same =
            proved.is_some_and(|proof| proof.bank_serial == serial && (permit.is_none() || proof.permit == permit));
        // The payment that came back has been reported before.
        let gone = |payout: &Payout| Some(payout.permit) == permit && payout.state == payout::State::Returned;
        if same || self.facts.ended.iter().any(gone) {
            return Next::to(self);
        }
        let twice = proved.is_some();
        if !self.first_time(format!("paid/{}/{serial}", permit.unwrap_or_default())) {
            return Next::to(self);
        }
        let facts = json!({"why": "reported paid where no attempt is live", "bank_serial": serial});
        let case = |remit: &Self, kind, moves| remit.case(kind, Severity::Critical, moves, facts, input, cx);
        if twice {
            let case = case(&self, "paid_twice", &["closed"]);
            return Next::to(self).with(case);
        }
        if matches!(self.at, At::Open { .. } | At::GateClosed { .. }) {
            return self.park(Why::PaidAfterFinal, cx);
        }
        if matches!(self.at, At::Cancelling { .. } | At::CancelInDoubt { .. }) {
            // CANCEL must not leave, or leave again, for what may be paid (S-B).
            return self.contradict("reported paid, and CANCEL is decided", cx);
        }
        let (kind, moves): (_, &[&str]) = match () {
            () if self.live_payout().is_some() => {
                self.facts.paid_after_final = true;
                ("paid_after_final", &["closed"])
            }
            () if matches!(self.at, At::AutoClosedUnpaid | At::ClosedExternally) => ("auto_closed_paid", &["closed"]),
            () => ("cancelled_paid", &["closed"]),
        };
        let case = case(&self, kind, moves);
        Next::to(self).with(case)
    }

    /// Another word for an attempt that is not live: the same word again is a repeat, any other a contradiction on record.
    pub(super) fn word_beside(mut self, permit: Uuid, event: payout::Event, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let ended = self.facts.ended.iter().find(|payout| payout.permit == permit);
        let repeat = ended.is_some_and(|payout| payout.says(event));
        let returned_again = event == payout::Event::Returned && self.facts.returned;
        if repeat || returned_again || !self.first_time(format!("{}/{permit}", event.name())) {
            return Next::to(self);
        }
        let facts = json!({"report": event.name(), "permit": permit});
        let case = self.case("contradictory_report", Severity::Critical, &["closed"], facts, input, cx);
        Next::to(self).with(case)
    }
}

impl At {
    pub(super) fn live_payout(&self) -> Option<&Payout> {
        if let At::Permitted(payout)
        | At::Paying(payout)
        | At::PayoutInDoubt { payout, .. }
        | At::Contradicted { payout: Some(payout), .. } = self
        {
            return Some(payout);
        }
        None
    }
}

impl EvidenceGiven {
    /// Why this is no evidence for this remit (S-A), as a break type and in words.
    pub(super) fn unfit(&self, input: &Input, cx: &Cx<'_>) -> Option<(&'static str, &'static str)> {
        match () {
            () if self.amount != input.amount => {
                Some(("paid_amount_mismatch", "the amount paid is not the remit's amount"))
            }
            () if !self.payee_ok => Some(("paid_payee_mismatch", "the payee is not the order's payee")),
            () if self.paid_at < input.accept_time - cx.params.arising_tolerance => {
                Some(("paid_at_out_of_range", "the payment is older than the order"))
            }
            () => None,
        }
    }
}

impl Payout {
    pub(super) fn moved(&self, event: payout::Event) -> Option<Payout> {
        let state = self.state.apply(event).ok()?;
        Some(Payout { state, ..self.clone() })
    }

    pub(super) fn row(&self) -> Write {
        Write::MovePermit { permit: self.permit, state: self.state.name().into() }
    }

    /// Whether a report only repeats how this attempt ended.
    fn says(&self, event: payout::Event) -> bool {
        use payout::State::{ExpiredAttested, FinalFailed, Returned};
        match event {
            payout::Event::Failed | payout::Event::Attested => matches!(self.state, FinalFailed | ExpiredAttested),
            payout::Event::Returned => matches!(self.state, Returned | FinalFailed),
            payout::Event::Instructed | payout::Event::Paid | payout::Event::Unknown | payout::Event::Expired => false,
        }
    }
}
