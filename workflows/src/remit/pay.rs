//! Permits (safety.md §6): what a payer asks, and what it is answered.

use super::Remit;
use super::facts::{At, Input};
use crate::document::Brought;
use crate::machine::{Cx, Next};
use crate::payout::{self, Payout};
use crate::policy::{Direction, Guard};
use domain::levy::OrderSeen;
use domain::planted::{Bug, planted};
use domain::record::{Permit, Severity, Write};
use domain::{Money, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// `payer` of an account whose merchant pays the person (safety.md §15.0).
const MERCHANT: &str = "merchant";

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
    /// The bank's voucher, where it came with the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Brought>,
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

impl EvidenceGiven {
    /// What must never be: evidence that no bank has given ([`Bug::ClockConfirms`], [`Bug::UnknownIsPaid`]).
    pub(super) fn invented(input: &Input, cx: &Cx<'_>) -> Self {
        let (bank_serial, source) = ("none".into(), "api".into());
        Self { amount: input.amount, paid_at: cx.now, bank_serial, payee_ok: true, source }
    }
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
            At::Permitted(_) if planted(Bug::SecondPermit) => self.gate(input, cx),
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
        let frozen = self.frozen(Direction::Pay, input, cx);
        let settles_by = cx.now + cx.params.bank_bound;
        let crosses = cx.policy.month_edge == Guard::Hold && settles_by >= cx.now.beijing().month_end();
        let other_pays = cx.policy.payer.as_deref().is_some_and(|payer| payer != MERCHANT);
        match () {
            () if self.facts.gate_shut => Some(("gate_closed", "the pay gate of this remit is closed")),
            () if cx.now >= input.pay_cutoff && !planted(Bug::PermitAfterCutoff) => {
                Some(("gate_closed", "it is past pay_cutoff: a payment might not be levied in time"))
            }
            () if !self.facts.quote_ok => {
                Some(("quote_mismatch", "the provider's split does not add up: see the order's case"))
            }
            () if other_pays => {
                Some(("not_payable", "by this account's settings the merchant does not pay the person"))
            }
            () if self.evidence_pending(cx) => Some((
                "in_doubt",
                "somebody brought evidence that this remit is paid: two persons answer its case first",
            )),
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
        if let Some((code, detail)) = self.gate(input, cx) {
            return Next::to(self).with(PermitAnswer::refused(code, detail).to(ask));
        }
        if seen.same_card == Some(false) {
            return self.refuse_changed(
                "card_changed",
                "the card on the provider's order is not the order's card",
                ask,
                input,
                cx,
            );
        }
        if amount != input.amount {
            self.facts.quote_ok = false;
            return self.refuse_changed("quote_mismatch", "the provider now shows another amount", ask, input, cx);
        }
        self.issue(ask, input, cx)
    }

    /// What the provider shows is not what was quoted: one case, however often a payer asks.
    fn refuse_changed(mut self, code: &str, detail: &str, ask: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let new = self.first_time(code.to_owned());
        let case = new.then(|| self.case(code, Severity::High, &[], json!({"why": detail}), input, cx));
        Next::to(self).with(PermitAnswer::refused(code, detail).to(ask)).and(case)
    }

    fn issue(mut self, ask: Uuid, input: &Input, cx: &Cx<'_>) -> Next<Self> {
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
}

/// 银行订单号: follows from the order and the attempt, so that a lost commit meets the bank's own record (F21).
pub(super) fn bank_order_no(input: &Input, attempt: u32) -> String {
    let name = format!("{}/{}/{attempt}", input.request_id, input.provider_order_id);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
}
