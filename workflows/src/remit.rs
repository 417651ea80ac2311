//! # Remit (打款订单): one split of a levy order, paid once and levied once
//!
//! ```text
//!   open ◄──► permitted ──► payout_in_doubt ──► paid ──► confirming ⇄ confirm_in_doubt
//!    │            └────────────┴──► (failed: open)              └──► levying ──► levied ──► returned_after_levy!
//!    ▼ pay_cutoff, or the order is not wanted
//!   gate_closed ──► cancelling ⇄ cancel_in_doubt ──► cancelled
//!
//!   the provider closed it: auto_closed_unpaid · auto_closed_paid! · closed_externally! (paid ones ──► levied, by two persons)
//!   facts that contradict: contradicted!           anything a person must settle: needs_operator!
//! ```
//!
//! Promises. 1. CONTINUE leaves only with final evidence of exactly this remit's amount and payee, after a live query said
//!              ACCEPT (S-A). No clock confirms.
//!           2. CANCEL leaves only after the pay gate is closed for ever and no attempt is live or in doubt (S-B).
//!           3. A permit is issued only on a live query not older than *f*, before `pay_cutoff`, once (S-C, S-D).
//!           4. One decision, written before it is sent, never flipped; a re-send is identical and proved needed (S-E, S-G).
//!           5. A close notice moves nothing: it makes us look (S-H, I15).
//!
//! `remit/pay.rs` holds permits, `remit/report.rs` payers' reports, `remit/returned.rs` 退票, `remit/read.rs` and `remit/levy.rs` the reading of what the
//! provider shows, `remit/decide.rs` our decision and its sends, `remit/duty.rs` the voucher that a payment owes, `remit/resolve.rs` what people decide.

mod cases;
mod decide;
mod duty;
mod facts;
mod levy;
mod pay;
mod read;
mod report;
mod resolve;
mod returned;
mod specimens;
mod words;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod reviewed;
#[cfg(test)]
mod incidents;
#[cfg(test)]
mod walks;

pub use crate::cases::{Answered, lapse_before, lapsed, needs};
pub use facts::{At, Facts, Input, Proof, Provider, Why};
pub use pay::{EvidenceGiven, Paid, PermitAnswer};

use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::payout;
use crate::policy::Direction;
use domain::levy::{NextStep, OrderSeen};
use domain::planted::{Bug, planted};
use domain::{Answer, Fault, Refusal, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// A remit: what is known about it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remit {
    pub facts: Facts,
    pub at: At,
}

/// What may happen to a remit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // From outside, through the inbox.
    /// A payer asks whether it may pay now; `ask` is the letter to answer.
    PermitAsked {
        ask: Uuid,
    },
    /// A bank channel of ours sent the instruction.
    Instructed {
        permit: Uuid,
    },
    PaidReported(Paid),
    FailedReported {
        permit: Uuid,
    },
    UnknownReported {
        permit: Uuid,
    },
    /// 退票.
    ReturnedReported {
        permit: Uuid,
    },
    /// 退票 of a payment that no permit covered: its bank serial names it.
    PaymentReturned {
        bank_serial: String,
    },
    /// The payer attests that the permit was not used.
    Attested {
        permit: Uuid,
        by: String,
        reason: String,
    },
    CancelAsked {
        by: String,
    },
    /// Evidence without a permit was brought; it waits for a second person in this case.
    EvidenceBrought {
        by: String,
        #[serde(default)]
        case: Option<Uuid>,
    },
    /// The broken quote was accepted by two persons.
    QuoteAccepted {
        by: String,
    },
    /// CLOSE_ORDER_NOTICE: a hint to look.
    NoticeSeen {
        close_time: Option<Time>,
    },
    /// Some other callback about the order: a hint to look.
    HintSeen,
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        evidence: Option<EvidenceGiven>,
        by: String,
    },
    // From calls.
    Seen {
        asked_at: Time,
        order: OrderSeen,
    },
    /// The query found no such order.
    Absent,
    LookFailed {
        fault: Fault,
    },
    /// CONTINUE or CANCEL was acknowledged.
    Acknowledged {
        sent_at: Time,
    },
    DecisionRefused {
        sent_at: Time,
        refusal: Refusal,
    },
    DecisionUnsure {
        sent_at: Time,
        fault: Fault,
    },
    // From time and the state itself.
    PayCutoffReached,
    PermitExpired,
    CancelDecided,
    /// Both negative probes are in: the identical call may go again.
    Disproved,
    WorkerLost,
    /// A rung of the escalation ladder, a levy that runs too long, or a frozen confirmation: tell a person.
    Told(Tell),
}

/// What a person is told beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    DeadlineNear,
    LevyLate,
    ConfirmFrozen,
}

const STATES: &[(&str, bool)] = &[
    ("open", false),
    ("permitted", false),
    ("paying", false),
    ("payout_in_doubt", false),
    ("paid", false),
    ("confirming", false),
    ("confirm_in_doubt", false),
    ("levying", false),
    ("levied", true),
    ("gate_closed", false),
    ("cancelling", false),
    ("cancel_in_doubt", false),
    ("cancelled", true),
    ("auto_closed_unpaid", true),
    ("auto_closed_paid", true),
    ("closed_externally", true),
    ("contradicted", false),
    ("returned_after_levy", true),
    ("needs_operator", false),
];

/// How long a step that a freeze stops sleeps before it looks at the switch again.
const FREEZE_LOOK: Duration = Duration::from_secs(60);
/// Hours before D from which a confirmation goes before everything else.
const HURRY: Duration = Duration::from_secs(12 * 3600);

impl Machine for Remit {
    const NAME: &'static str = "remit";
    const STATES: &'static [(&'static str, bool)] = STATES;
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        self.at.name()
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        if let Some(tell) = self.due_tell(input, cx) {
            return Step::Record(Event::Told(tell));
        }
        match &self.at {
            At::Open { ask: Some(_) } => self.look(input),
            At::Open { ask: None } if cx.now >= input.pay_cutoff => Step::Record(Event::PayCutoffReached),
            At::Open { ask: None } => self.look_or_wait(input.pay_cutoff, input, cx),
            At::Permitted(payout) | At::Paying(payout) => {
                let expiry = payout.pay_before + cx.params.permit_grace;
                if cx.now >= expiry { Step::Record(Event::PermitExpired) } else { self.look_or_wait(expiry, input, cx) }
            }
            At::PayoutInDoubt { .. } | At::Levying { .. } => self.look_or_wait(self.facts.look_at, input, cx),
            At::Paid => self.want_to_confirm(input, cx),
            At::Confirming { seen_real, .. } => self.want_to_continue(*seen_real, input, cx),
            At::ConfirmInDoubt { doubt, .. } | At::CancelInDoubt { doubt, .. } => self.want_to_settle(doubt, input, cx),
            At::GateClosed { .. } => self.want_to_cancel(input, cx),
            At::Cancelling { .. } if self.frozen(Direction::Cancel, input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            At::Cancelling { .. } => Step::Call(self.decision_call(input, NextStep::Cancel, cx)),
            At::Contradicted { .. } => Step::Ask(None),
            At::NeedsOperator { .. } if self.cancellable_parked() && cx.now >= input.pay_cutoff => {
                Step::Record(Event::PayCutoffReached)
            }
            At::NeedsOperator { .. } => Step::Ask(Some(input.pay_cutoff).filter(|at| *at > cx.now)),
            At::Levied { .. }
            | At::Cancelled
            | At::AutoClosedUnpaid
            | At::AutoClosedPaid
            | At::ClosedExternally
            | At::ReturnedAfterLevy => Step::Rest,
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        match &self.at {
            At::Confirming { .. } | At::Cancelling { .. } => Some(Event::WorkerLost),
            // Every other state asks only questions, and a question may be repeated.
            At::Open { .. } | At::Permitted(_) | At::Paying(_) | At::PayoutInDoubt { .. } | At::Paid => None,
            At::ConfirmInDoubt { .. }
            | At::Levying { .. }
            | At::Levied { .. }
            | At::GateClosed { .. }
            | At::CancelInDoubt { .. } => None,
            At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => None,
            At::Contradicted { .. } | At::ReturnedAfterLevy | At::NeedsOperator { .. } => None,
        }
    }

    fn answered(&self, request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let deciding = matches!(request, Request::DecideRemit { .. });
        match verdict {
            Verdict::Done(Answer::OrderSeen(order)) => Event::Seen { asked_at: sent_at, order },
            Verdict::Done(Answer::OrderAbsent) => Event::Absent,
            Verdict::Done(Answer::RemitDecided) => Event::Acknowledged { sent_at },
            Verdict::Refused(refusal) if deciding => Event::DecisionRefused { sent_at, refusal },
            Verdict::Unsure(fault) if deciding => Event::DecisionUnsure { sent_at, fault },
            Verdict::Unsure(fault) => Event::LookFailed { fault },
            Verdict::Done(_) => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Refused(refusal) => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, input: &Input, request: &Request, cx: &Cx<'_>) -> bool {
        let Request::DecideRemit { next_step, .. } = request else {
            return matches!(request, Request::FindOrder { .. });
        };
        match next_step {
            NextStep::Continue => {
                let proven = self.facts.proof.is_some() && !self.facts.returned;
                matches!(self.at, At::Confirming { .. }) && proven && !self.frozen(Direction::Confirm, input, cx)
            }
            NextStep::Cancel => {
                matches!(self.at, At::Cancelling { .. })
                    && self.facts.proof.is_none()
                    && !self.evidence_pending(cx)
                    && !self.frozen(Direction::Cancel, input, cx)
            }
        }
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.at.name(), event: event.name() };
        let next = match event {
            Event::PermitAsked { ask } => Some(self.permit_asked(ask, input, cx)),
            Event::Instructed { permit } => Some(self.through(cx, |remit| remit.instructed(permit, input, cx))),
            Event::PaidReported(paid) => Some(self.through(cx, |remit| remit.paid_reported(paid, input, cx))),
            Event::FailedReported { permit } => Some(self.ended(permit, payout::Event::Failed, input, cx)),
            Event::UnknownReported { permit } => {
                Some(self.through(cx, |remit| remit.unknown_reported(permit, input, cx)))
            }
            Event::ReturnedReported { permit } => {
                Some(self.through(cx, |remit| remit.returned_reported(permit, input, cx)))
            }
            Event::PaymentReturned { bank_serial } => {
                Some(self.through(cx, |remit| remit.payment_returned(&bank_serial, input, cx)))
            }
            Event::Attested { permit, .. } => Some(self.ended(permit, payout::Event::Attested, input, cx)),
            Event::CancelAsked { .. } => Some(self.cancel_asked(cx)),
            Event::EvidenceBrought { case, .. } => Some(self.evidence_brought(case, cx)),
            Event::QuoteAccepted { .. } => Some(self.quote_accepted()),
            Event::NoticeSeen { close_time } => Some(self.hinted(Some(close_time.unwrap_or(cx.now)), cx)),
            Event::HintSeen => Some(self.hinted(None, cx)),
            Event::CaseResolved { case, r#move, evidence, by } => {
                Some(self.resolved(&case, &r#move, evidence, &by, input, cx))
            }
            Event::Seen { asked_at, order } => self.seen(&order, asked_at, input, cx),
            Event::Absent => self.look_failed(input, cx),
            Event::LookFailed { .. } => self.look_failed(input, cx),
            Event::Acknowledged { sent_at } => self.acknowledged(sent_at, input, cx),
            Event::DecisionRefused { sent_at, refusal } => self.decision_in_doubt(sent_at, Some(refusal), input, cx),
            Event::DecisionUnsure { sent_at, .. } => self.decision_in_doubt(sent_at, None, input, cx),
            Event::WorkerLost => self.decision_in_doubt(cx.now, None, input, cx),
            Event::PayCutoffReached => self.pay_cutoff_reached(input, cx),
            Event::PermitExpired => self.permit_expired(input, cx),
            Event::CancelDecided => self.cancel_decided(cx),
            Event::Disproved => self.send_again(input, cx),
            Event::Told(tell) => self.told(tell, input, cx),
        };
        next.ok_or(illegal)
    }

    /// What rests on a live query must be committed while that query is fresh (S-C).
    fn not_after(event: &Event, cx: &Cx<'_>) -> Option<Time> {
        (matches!(event, Event::Seen { .. }) && !planted(Bug::PermitOnStaleRemit))
            .then(|| cx.real + cx.params.observation_age)
    }

    fn class(&self, input: &Input, cx: &Cx<'_>) -> i16 {
        // What is paid goes first near its deadline, and before its tax month ends.
        let near = cx.now + HURRY >= input.deadline || cx.now + cx.params.month_guard >= cx.now.beijing().month_end();
        match &self.at {
            At::PayoutInDoubt { .. } | At::ConfirmInDoubt { .. } | At::CancelInDoubt { .. } => 0,
            At::Paid | At::Confirming { .. } if near => 0,
            At::Paid | At::Confirming { .. } | At::Open { ask: Some(_) } => 1,
            At::GateClosed { .. } | At::Cancelling { .. } => 2,
            At::Levying { .. } | At::Open { ask: None } | At::Permitted(_) | At::Paying(_) => 4,
            At::Levied { .. } | At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally => 4,
            At::Contradicted { .. } | At::ReturnedAfterLevy | At::NeedsOperator { .. } => 4,
        }
    }

    fn waits_for(&self, input: &Input) -> Option<String> {
        self.at.waits_for(input)
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        self.park(Why::Bug(why.into()), cx)
    }

    fn specimens() -> Specimens<Self> {
        specimens::all()
    }
}

impl Remit {
    /// A remit as its order's list first showed it.
    pub fn new(quote_ok: bool, now: Time, slow_look: Duration) -> Self {
        Self { facts: Facts::new(quote_ok, now + slow_look), at: At::Open { ask: None } }
    }

    fn frozen(&self, direction: Direction, input: &Input, cx: &Cx<'_>) -> bool {
        cx.freezes.frozen(direction, cx.account, cx.tenant, Some(&input.tax_agent_location_id))
    }

    fn go(mut self, at: At) -> Next<Self> {
        self.at = at;
        Next::to(self)
    }
}
