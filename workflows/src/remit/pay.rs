//! Permits and what payers report (safety.md §6). Reporting twice, late or against an earlier word is safe: it opens a case at
//! most, nothing flips.

use super::Remit;
use super::facts::{At, Input, Proof, Provider, Why};
use crate::machine::{Cx, Next};
use crate::payout::{self, Payout};
use crate::policy::{Direction, Guard};
use domain::levy::OrderSeen;
use domain::record::{Evidence, Permit, Severity, Write};
use domain::{Money, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// 付款结果 `paid`: bank-final success, as the payer reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    pub permit: Uuid,
    pub amount: Money,
    /// The bank's final success time.
    pub paid_at: Time,
    pub bank_serial: String,
    /// A payee that was given with the report is the order's payee.
    pub payee_ok: bool,
    pub source: String,
}

/// Evidence that a person brings, with a second person's approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceGiven {
    pub amount: Money,
    pub paid_at: Time,
    pub bank_serial: String,
    pub payee_ok: bool,
    pub source: String,
}

/// The answer to a permit request, kept on the letter that asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitAnswer {
    Granted {
        permit_id: Uuid,
        attempt: u32,
        bank_order_no: String,
        amount: Money,
        pay_before: Time,
    },
    Refused {
        code: String,
        detail: String,
    },
    /// The live query failed: nothing is known, ask again.
    Unreachable,
}

impl PermitAnswer {
    fn refused(code: &str, detail: &str) -> Self {
        PermitAnswer::Refused { code: code.into(), detail: detail.into() }
    }

    fn to(self, ask: Uuid) -> Write {
        Write::Answer { ask, body: serde_json::to_value(self).unwrap_or_default() }
    }
}

impl Remit {
    /// A payer asks. What can be refused without a look is refused; else the live query comes first (S-C).
    pub(super) fn permit_asked(self, ask: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match self.refusal(input, cx) {
            Some((code, detail)) => Next::to(self).with(PermitAnswer::refused(code, detail).to(ask)),
            None => self.go(At::Open { ask: Some(ask) }),
        }
    }

    /// Why no permit can be issued now, in the contract's codes.
    fn refusal(&self, input: &Input, cx: &Cx<'_>) -> Option<(&'static str, &'static str)> {
        match &self.at {
            At::Open { ask: Some(_) } => Some(("permit_live", "another request for this remit is being answered")),
            At::Open { ask: None } => self.gate(input, cx),
            At::Permitted(_) | At::Paying(_) => Some((
                "permit_live",
                "a permit for this remit is out: report its result, or attest that it was not used",
            )),
            At::PayoutInDoubt { .. } => {
                Some(("in_doubt", "nobody knows whether this remit was paid: only the bank's final word counts"))
            }
            At::Paid => Some(("decided", "this remit is paid")),
            At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } | At::Levied { .. } => {
                Some(("decided", "this remit is paid and decided"))
            }
            At::GateClosed { .. } => Some(("gate_closed", "the pay gate of this remit is closed")),
            At::Cancelling { .. } | At::CancelInDoubt { .. } | At::Cancelled => {
                Some(("decided", "this remit is being cancelled"))
            }
            At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => {
                Some(("not_payable", "the provider has closed this remit"))
            }
            At::Contradicted { .. } | At::NeedsOperator { .. } => {
                Some(("not_payable", "the remit is parked for a person"))
            }
            At::ReturnedAfterLevy => {
                Some(("not_payable", "the payment was returned after the levy: paying again needs a repay"))
            }
        }
    }

    /// The pay gate itself, at the question and again at the grant.
    fn gate(&self, input: &Input, cx: &Cx<'_>) -> Option<(&'static str, &'static str)> {
        let frozen = cx.freezes.frozen(Direction::Pay, cx.account, cx.tenant, Some(&input.tax_agent_location_id));
        let settles_by = cx.now + cx.params.bank_bound;
        let crosses = cx.policy.month_edge == Guard::Hold && settles_by >= cx.now.beijing().month_end();
        match () {
            () if cx.now >= input.pay_cutoff => {
                Some(("gate_closed", "it is past pay_cutoff: a payment might not be levied in time"))
            }
            () if !self.facts.quote_ok => {
                Some(("quote_mismatch", "the provider's split does not add up: see the order's case"))
            }
            () if frozen => Some(("frozen", "paying is frozen here")),
            () if crosses => Some(("month_edge", "the payment could settle in the next tax month")),
            () => None,
        }
    }

    /// The live query said ACCEPT while a payer waits.
    pub(super) fn grant(
        mut self,
        ask: Uuid,
        seen: &OrderSeen,
        amount: Money,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        self.at = At::Open { ask: None };
        let refusal = match self.gate(input, cx) {
            Some(refusal) => Some(refusal),
            None if seen.same_card == Some(false) => {
                Some(("card_changed", "the card on the provider's order is not the order's card"))
            }
            None if amount != input.amount => Some(("quote_mismatch", "the provider now shows another amount")),
            None => None,
        };
        if let Some((code, detail)) = refusal {
            let changed = matches!(code, "card_changed" | "quote_mismatch");
            let case = changed.then(|| self.case(code, Severity::High, &[], json!({"why": detail}), input, cx));
            return Next::to(self).with(PermitAnswer::refused(code, detail).to(ask)).and(case);
        }
        self.facts.attempts += 1;
        let attempt = self.facts.attempts;
        let id = domain::ids::derive(cx.now, cx.me.0, &format!("permit/{attempt}"));
        let bank_order_no = bank_order_no(input, attempt);
        let pay_before = (cx.now + cx.params.permit_ttl).min(input.pay_cutoff);
        let state = payout::State::PermitIssued;
        let permit = Permit {
            id,
            remit: cx.me,
            attempt,
            bank_order_no: bank_order_no.clone(),
            amount: input.amount,
            pay_before,
            pay_cutoff: input.pay_cutoff,
            issued_at: cx.now,
            observed_real: cx.real,
            state: state.name().into(),
        };
        let answer = PermitAnswer::Granted {
            permit_id: id,
            attempt,
            bank_order_no: bank_order_no.clone(),
            amount: input.amount,
            pay_before,
        };
        let payout = Payout { permit: id, attempt, bank_order_no, pay_before, state };
        self.go(At::Permitted(payout)).with(Write::IssuePermit(permit)).with(answer.to(ask))
    }

    /// A payer that waits in `open` is answered before the state is left.
    pub(super) fn refuse_waiting(&self, code: &str, detail: &str) -> Option<Write> {
        let At::Open { ask: Some(ask) } = &self.at else { return None };
        Some(PermitAnswer::refused(code, detail).to(*ask))
    }

    pub(super) fn unreachable_waiting(&self) -> Option<Write> {
        let At::Open { ask: Some(ask) } = &self.at else { return None };
        Some(PermitAnswer::Unreachable.to(*ask))
    }

    pub(super) fn instructed(self, permit: Uuid, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Permitted(payout) = &self.at else { return None };
        if payout.permit != permit || cx.now >= payout.pay_before {
            return None;
        }
        let payout = payout.moved(payout::Event::Instructed)?;
        let moved = payout.row();
        Some(self.go(At::Paying(payout)).with(moved))
    }

    pub(super) fn paid_reported(self, paid: Paid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some((payout, closed)) = self.live(paid.permit) else {
            return self.paid_beside(&paid, input, cx);
        };
        let given = EvidenceGiven {
            amount: paid.amount,
            paid_at: paid.paid_at,
            bank_serial: paid.bank_serial,
            payee_ok: paid.payee_ok,
            source: paid.source,
        };
        if let Some((kind, why)) = given.unfit(input, cx) {
            // Money moved, but not this remit's money: neither CONTINUE nor CANCEL until a person knows more.
            let case = self.case(
                kind,
                Severity::Critical,
                &["paid", "not_paid"],
                json!({"why": why, "bank_serial": given.bank_serial}),
                input,
                cx,
            );
            return self.in_doubt(payout, payout::Event::Unknown, closed, cx).with(case);
        }
        let Some(payout) = payout.moved(payout::Event::Paid) else { return Next::to(self) };
        let moved = payout.row();
        self.proven(given, Some(payout.permit), closed, input, cx).with_first(moved)
    }

    /// Evidence is stored: from here on only CONTINUE, or a person.
    pub(super) fn proven(
        mut self,
        given: EvidenceGiven,
        permit: Option<Uuid>,
        closed: Option<Provider>,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        let ahead = given.paid_at > cx.now + cx.params.skew;
        let id = domain::ids::derive(cx.now, cx.me.0, &format!("evidence/{}", given.bank_serial));
        let evidence = Evidence {
            id,
            remit: cx.me,
            permit,
            amount: given.amount,
            paid_at: given.paid_at,
            bank_serial: given.bank_serial.clone(),
            source: given.source,
            at: cx.now,
        };
        self.facts.proof =
            Some(Proof { evidence: id, permit, paid_at: given.paid_at, bank_serial: given.bank_serial, since: cx.now });
        self.facts.look(0, cx);
        self.facts.look_at = cx.now;
        self.facts.rungs = 0;
        let case = ahead
            .then(|| self.case("paid_at_ahead", Severity::Medium, &[], json!({"paid_at": given.paid_at}), input, cx));
        let next = match closed {
            Some(provider) => self.closed_paid(provider, input, cx),
            None => self.go(At::Paid).with(Self::close_cases(
                &["payout_in_doubt", "deadline_near"],
                "the payment is proved",
                cx,
            )),
        };
        next.with_first(Write::KeepEvidence(evidence)).and(case)
    }

    pub(super) fn failed_reported(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        self.attempt_over(permit, payout::Event::Failed, input, cx)
    }

    pub(super) fn attested(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        self.attempt_over(permit, payout::Event::Attested, input, cx)
    }

    /// The attempt ended without a payment: the remit is open again, or its gate closes.
    fn attempt_over(mut self, permit: Uuid, event: payout::Event, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some((payout, closed)) = self.live(permit) else {
            return self.word_beside(permit, event, input, cx);
        };
        // Refused: an attestation after the bank's own "unknown" (the API has said so already).
        let Some(payout) = payout.moved(event) else { return Next::to(self) };
        let moved = payout.row();
        self.facts.ended.push(payout);
        let answered = Self::close_cases(
            &[
                "payout_in_doubt",
                "deadline_near",
                "may_be_paid_without_levy",
                "paid_amount_mismatch",
                "paid_payee_mismatch",
                "paid_at_out_of_range",
            ],
            event.name(),
            cx,
        );
        let next = match closed {
            Some(provider) => self.closed_unpaid(provider, input, cx),
            None => self.open_or_closed(input, cx),
        };
        next.with_first(moved).with(answered)
    }

    pub(super) fn open_or_closed(mut self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        self.facts.look_at = cx.now + cx.params.slow_look;
        if cx.now < input.pay_cutoff { self.go(At::Open { ask: None }) } else { self.close_gate(false, cx) }
    }

    pub(super) fn unknown_reported(self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let Some((payout, closed)) = self.live(permit) else {
            return self.word_beside(permit, payout::Event::Unknown, input, cx);
        };
        let fresh = !matches!(self.at, At::PayoutInDoubt { .. });
        let case = fresh.then(|| {
            self.case(
                "payout_in_doubt",
                Severity::High,
                &["paid", "not_paid"],
                json!({"why": "the bank does not know"}),
                input,
                cx,
            )
        });
        self.in_doubt(payout, payout::Event::Unknown, closed, cx).and(case)
    }

    /// Neither reported nor attested in time: expiry alone proves nothing.
    pub(super) fn permit_expired(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let (At::Permitted(payout) | At::Paying(payout)) = &self.at else { return None };
        let payout = payout.clone();
        let case = self.case(
            "payout_in_doubt",
            Severity::High,
            &["paid", "not_paid"],
            json!({"why": "the permit expired unreported"}),
            input,
            cx,
        );
        Some(self.in_doubt(payout, payout::Event::Expired, None, cx).with(case))
    }

    pub(super) fn in_doubt(
        mut self,
        payout: Payout,
        event: payout::Event,
        closed: Option<Provider>,
        cx: &Cx<'_>,
    ) -> Next<Self> {
        let since = if let At::PayoutInDoubt { since, .. } = &self.at { *since } else { cx.now };
        if since == cx.now {
            self.facts.rungs = 0;
        }
        let payout = payout.moved(event).unwrap_or(payout);
        let moved = payout.row();
        self.go(At::PayoutInDoubt { payout, since, closed }).with(moved)
    }

    /// 退票.
    pub(super) fn returned_reported(mut self, permit: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if self.live(permit).is_some() {
            return self.attempt_over(permit, payout::Event::Returned, input, cx);
        }
        let ours = self.facts.proof.as_ref().is_some_and(|proof| proof.permit == Some(permit));
        if !ours || self.facts.returned {
            return self.word_beside(permit, payout::Event::Returned, input, cx);
        }
        match &self.at {
            At::Paid => {
                let evidence =
                    self.facts.proof.take().map(|proof| Write::RevokeEvidence { evidence: proof.evidence, at: cx.now });
                let moved = Write::MovePermit { permit, state: payout::State::Returned.name().into() };
                self.facts.ended.push(Payout {
                    permit,
                    attempt: self.facts.attempts,
                    bank_order_no: bank_order_no(input, self.facts.attempts),
                    pay_before: cx.now,
                    state: payout::State::Returned,
                });
                self.open_or_closed(input, cx).and(evidence).with(moved)
            }
            At::Confirming { .. } | At::ConfirmInDoubt { .. } => {
                self.facts.returned = true;
                self.contradict("the bank returned the payment while CONTINUE was on its way", cx)
            }
            At::Levying { .. } => {
                self.facts.returned = true;
                let case = self.case(
                    "returned_after_levy",
                    Severity::Critical,
                    &[],
                    json!({"why": "the bank returned the payment while the levy runs"}),
                    input,
                    cx,
                );
                Next::to(self).with(case)
            }
            At::Levied { .. } => {
                self.facts.returned = true;
                self.returned_after_levy(input, cx)
            }
            _ => self.word_beside(permit, payout::Event::Returned, input, cx),
        }
    }

    pub(super) fn returned_after_levy(self, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let case = self.case(
            "returned_after_levy",
            Severity::Critical,
            &["closed"],
            json!({"why": "the bank returned the payment after the levy"}),
            input,
            cx,
        );
        self.finish(At::ReturnedAfterLevy, cx).with(case)
    }

    /// The live attempt under this permit, and whether the provider has closed its side.
    fn live(&self, permit: Uuid) -> Option<(Payout, Option<Provider>)> {
        match &self.at {
            At::Permitted(payout) | At::Paying(payout) if payout.permit == permit => Some((payout.clone(), None)),
            At::PayoutInDoubt { payout, closed, .. } if payout.permit == permit => Some((payout.clone(), *closed)),
            _ => None,
        }
    }

    /// "Paid" for an attempt that is not live: a repeat, or a contradiction.
    fn paid_beside(self, paid: &Paid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        if let Some(proof) = &self.facts.proof {
            if proof.permit == Some(paid.permit) && proof.bank_serial == paid.bank_serial {
                return Next::to(self);
            }
            let case =
                self.case("paid_twice", Severity::Critical, &[], json!({"bank_serial": paid.bank_serial}), input, cx);
            return Next::to(self).with(case);
        }
        let facts = json!({"why": "reported paid after the attempt was final", "bank_serial": paid.bank_serial});
        match &self.at {
            At::Open { .. } | At::GateClosed { .. } => self.park(Why::PaidAfterFinal, cx),
            At::Permitted(_) | At::Paying(_) => {
                let case = self.case("paid_after_final", Severity::Critical, &["paid", "not_paid"], facts, input, cx);
                Next::to(self).with(case)
            }
            _ => {
                let case = self.case("cancelled_paid", Severity::Critical, &["closed"], facts, input, cx);
                Next::to(self).with(case)
            }
        }
    }

    /// Another word for an attempt that is not live: the same word again is a repeat, any other a contradiction on record.
    fn word_beside(self, permit: Uuid, event: payout::Event, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let ended = self.facts.ended.iter().find(|payout| payout.permit == permit);
        let repeat = ended.is_some_and(|payout| match event {
            payout::Event::Failed => {
                payout.state == payout::State::FinalFailed || payout.state == payout::State::ExpiredAttested
            }
            payout::Event::Attested => {
                payout.state == payout::State::ExpiredAttested || payout.state == payout::State::FinalFailed
            }
            payout::Event::Returned => {
                payout.state == payout::State::Returned || payout.state == payout::State::FinalFailed
            }
            payout::Event::Instructed | payout::Event::Paid | payout::Event::Unknown | payout::Event::Expired => false,
        });
        let returned_again = event == payout::Event::Returned && self.facts.returned;
        if repeat || returned_again {
            return Next::to(self);
        }
        let case = self.case(
            "contradictory_report",
            Severity::Critical,
            &[],
            json!({"report": event.name(), "permit": permit}),
            input,
            cx,
        );
        Next::to(self).with(case)
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
}

/// 银行订单号: follows from the order and the attempt, so that a lost commit meets the bank's own record (F21).
fn bank_order_no(input: &Input, attempt: u32) -> String {
    let name = format!("{}/{}/{attempt}", input.request_id, input.provider_order_id);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
}
