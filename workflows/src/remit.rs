//! # Remit (打款订单): one split of a levy order, paid once and levied once
//!
//! ```text
//!   open ◄──► permitted ──► payout_in_doubt ──► paid ──► confirming ⇄ confirm_in_doubt
//!    │            └────────────┴──► (failed: open)              └──► levying ──► levied ──► returned_after_levy!
//!    ▼ pay_cutoff, or the order is not wanted
//!   gate_closed ──► cancelling ⇄ cancel_in_doubt ──► cancelled
//!
//!   the provider closed it: auto_closed_unpaid · auto_closed_paid! · closed_externally!
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
//! `remit/pay.rs` holds permits and payout reports, `remit/read.rs` the reading of what the provider shows, `remit/resolve.rs`
//! what people decide.

mod facts;
mod pay;
mod read;
mod resolve;
mod specimens;
#[cfg(test)]
mod tests;

pub use facts::{At, Facts, Input, Proof, Provider, Why, needs};
pub use pay::{EvidenceGiven, Paid, PermitAnswer};

use crate::doubt::Doubt;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::policy::{CancelNeverPermitted, Direction};
use domain::levy::{NextStep, OrderSeen};
use domain::record::{Decision, Write};
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
    /// The payer attests that the permit was not used.
    Attested {
        permit: Uuid,
        by: String,
        reason: String,
    },
    CancelAsked {
        by: String,
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
        r#move: String,
        evidence: Option<EvidenceGiven>,
        by: String,
    },
    // From calls.
    Seen(OrderSeen),
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
        let look = Step::Call(Request::FindOrder { request_id: input.request_id.clone(), person: input.person });
        let look_at = self.facts.look_at;
        let look_or = |times: &[Time]| {
            if cx.now >= look_at { look.clone() } else { Step::Wait(times.iter().copied().fold(look_at, Time::min)) }
        };
        let settle = |doubt: &Doubt, rung: Option<Time>| match () {
            () if doubt.disproved() => Step::Record(Event::Disproved),
            () if cx.now >= doubt.look_at => look.clone(),
            () => Step::Wait(rung.map_or(doubt.look_at, |rung| rung.min(doubt.look_at))),
        };
        if let Some(tell) = self.due_tell(input, cx) {
            return Step::Record(Event::Told(tell));
        }
        let rung = self.next_rung(input, cx);
        let or_rung = |at: Time| rung.map_or(at, |rung| rung.min(at));
        match &self.at {
            At::Open { ask: Some(_) } => look,
            At::Open { ask: None } if cx.now >= input.pay_cutoff => Step::Record(Event::PayCutoffReached),
            At::Open { ask: None } => look_or(&[input.pay_cutoff]),
            At::Permitted(payout) | At::Paying(payout) => {
                let expiry = payout.pay_before + cx.params.permit_grace;
                if cx.now >= expiry { Step::Record(Event::PermitExpired) } else { look_or(&[expiry]) }
            }
            At::PayoutInDoubt { .. } => look_or(&[or_rung(look_at)]),
            At::Paid => self.want_to_confirm(input, cx, look_or(&[or_rung(look_at)])),
            At::Confirming { seen_real, .. } => {
                let fresh = cx.real.since(*seen_real) <= cx.params.observation_age;
                match () {
                    () if self.frozen(Direction::Confirm, input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
                    () if fresh => Step::Call(self.decision_call(input, NextStep::Continue, cx)),
                    () if self.facts.looks == 0 => look,
                    () => look_or(&[or_rung(look_at)]),
                }
            }
            At::ConfirmInDoubt { doubt, .. } => settle(doubt, rung),
            At::Levying { .. } => look_or(&[or_rung(look_at)]),
            At::GateClosed { .. } => self.want_to_cancel(input, cx, look_or(&[])),
            At::Cancelling { .. } if self.frozen(Direction::Cancel, input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            At::Cancelling { .. } => Step::Call(self.decision_call(input, NextStep::Cancel, cx)),
            At::CancelInDoubt { doubt, .. } => settle(doubt, None),
            At::Contradicted { .. } => Step::Ask(None),
            At::NeedsOperator { .. } if self.may_cancel_parked(input, cx) => Step::Record(Event::PayCutoffReached),
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

    fn answered(&self, _request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let deciding = matches!(self.at, At::Confirming { .. } | At::Cancelling { .. });
        match verdict {
            Verdict::Done(Answer::OrderSeen(seen)) => Event::Seen(seen),
            Verdict::Done(Answer::OrderAbsent) => Event::Absent,
            Verdict::Done(Answer::RemitDecided) => Event::Acknowledged { sent_at },
            Verdict::Refused(refusal) if deciding && matches!(_request, Request::DecideRemit { .. }) => {
                Event::DecisionRefused { sent_at, refusal }
            }
            Verdict::Unsure(fault) if deciding && matches!(_request, Request::DecideRemit { .. }) => {
                Event::DecisionUnsure { sent_at, fault }
            }
            Verdict::Unsure(fault) => Event::LookFailed { fault },
            Verdict::Done(Answer::OrderAccepted { .. }) => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Refused(refusal) => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, input: &Input, request: &Request, cx: &Cx<'_>) -> bool {
        match request {
            Request::FindOrder { .. } => true,
            Request::CreateOrder { .. } => false,
            Request::DecideRemit { next_step: NextStep::Continue, .. } => {
                let proven = self.facts.proof.is_some() && !self.facts.returned;
                matches!(self.at, At::Confirming { .. }) && proven && !self.frozen(Direction::Confirm, input, cx)
            }
            Request::DecideRemit { next_step: NextStep::Cancel, .. } => {
                matches!(self.at, At::Cancelling { .. })
                    && self.facts.proof.is_none()
                    && !self.frozen(Direction::Cancel, input, cx)
            }
        }
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.at.name(), event: event.name() };
        let next = match event {
            Event::PermitAsked { ask } => Some(self.permit_asked(ask, input, cx)),
            Event::Instructed { permit } => self.instructed(permit, cx),
            Event::PaidReported(paid) => Some(self.paid_reported(paid, input, cx)),
            Event::FailedReported { permit } => Some(self.failed_reported(permit, input, cx)),
            Event::UnknownReported { permit } => Some(self.unknown_reported(permit, input, cx)),
            Event::ReturnedReported { permit } => Some(self.returned_reported(permit, input, cx)),
            Event::Attested { permit, .. } => Some(self.attested(permit, input, cx)),
            Event::CancelAsked { .. } => Some(self.cancel_asked(cx)),
            Event::QuoteAccepted { .. } => Some(self.quote_accepted()),
            Event::NoticeSeen { close_time } => Some(self.hinted(Some(close_time.unwrap_or(cx.now)), cx)),
            Event::HintSeen => Some(self.hinted(None, cx)),
            Event::CaseResolved { r#move, evidence, .. } => Some(self.resolved(&r#move, evidence, input, cx)),
            Event::Seen(seen) => self.seen(&seen, input, cx),
            Event::Absent => self.look_failed(input, cx),
            Event::LookFailed { .. } => self.look_failed(input, cx),
            Event::Acknowledged { sent_at } => self.acknowledged(sent_at, cx),
            Event::DecisionRefused { sent_at, refusal } => self.decision_in_doubt(sent_at, Some(refusal), cx),
            Event::DecisionUnsure { sent_at, .. } => self.decision_in_doubt(sent_at, None, cx),
            Event::WorkerLost => self.decision_in_doubt(cx.now, None, cx),
            Event::PayCutoffReached => self.pay_cutoff_reached(cx),
            Event::PermitExpired => self.permit_expired(input, cx),
            Event::CancelDecided => self.cancel_decided(cx),
            Event::Disproved => self.send_again(cx),
            Event::Told(tell) => Some(self.told(tell, input, cx)),
        };
        next.ok_or(illegal)
    }

    /// What rests on a live query must be committed while that query is fresh (S-C).
    fn not_after(event: &Event, cx: &Cx<'_>) -> Option<Time> {
        matches!(event, Event::Seen(_)).then(|| cx.real + cx.params.observation_age)
    }

    fn class(&self, input: &Input, cx: &Cx<'_>) -> i16 {
        let near = cx.now + Duration::from_secs(12 * 3600) >= input.deadline;
        match &self.at {
            At::PayoutInDoubt { .. } | At::ConfirmInDoubt { .. } | At::CancelInDoubt { .. } => 0,
            At::Paid | At::Confirming { .. } => {
                if near {
                    0
                } else {
                    1
                }
            }
            At::Open { ask: Some(_) } => 1,
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

    /// Evidence is there: CONTINUE goes as soon as a live query says ACCEPT, whatever the time (safety.md §5).
    fn want_to_confirm(&self, input: &Input, cx: &Cx<'_>, look: Step<Event>) -> Step<Event> {
        let paid_at = self.facts.proof.as_ref().map_or(cx.now, |proof| proof.paid_at);
        if self.frozen(Direction::Confirm, input, cx) {
            return Step::Wait(cx.now + FREEZE_LOOK);
        }
        // An arising_time in the future would be refused; the payer's clock runs ahead of ours.
        if paid_at > cx.now { Step::Wait(paid_at) } else { look }
    }

    fn want_to_cancel(&self, input: &Input, cx: &Cx<'_>, look: Step<Event>) -> Step<Event> {
        let At::GateClosed { wanted_gone, .. } = &self.at else { return look };
        let never_permitted = self.facts.attempts == 0 && !wanted_gone;
        let keep = never_permitted && cx.policy.cancel_never_permitted != CancelNeverPermitted::PayCutoff;
        match () {
            () if keep => look,
            () if self.frozen(Direction::Cancel, input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            () => Step::Record(Event::CancelDecided),
        }
    }

    /// The one call of a decision. CANCEL must carry a time too; it means nothing there (P32).
    fn decision_call(&self, input: &Input, next_step: NextStep, cx: &Cx<'_>) -> Request {
        let arising_time = match next_step {
            NextStep::Continue => self.facts.proof.as_ref().map_or(cx.now, |proof| proof.paid_at),
            NextStep::Cancel => self.facts.decided_at.unwrap_or(cx.now),
        };
        Request::DecideRemit { order_id: input.provider_order_id.clone(), next_step, arising_time }
    }

    fn pay_cutoff_reached(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match &self.at {
            At::Open { .. } => Some(self.close_gate(false, cx)),
            At::NeedsOperator { .. } => Some(self.close_gate(false, cx).with(Write::CloseCases {
                kinds: vec![],
                how: "pay_cutoff passed and nothing was paid".into(),
                at: cx.now,
            })),
            _ => None,
        }
    }

    /// The gate closes for ever; a waiting payer learns it.
    fn close_gate(self, wanted_gone: bool, cx: &Cx<'_>) -> Next<Self> {
        let refusal = self.refuse_waiting("gate_closed", "the pay gate of this remit is closed");
        self.go(At::GateClosed { since: cx.now, wanted_gone })
            .with(Write::CloseGate { remit: cx.me, at: cx.now })
            .and(refusal)
    }

    fn cancel_asked(self, cx: &Cx<'_>) -> Next<Self> {
        match &self.at {
            At::Open { .. } => self.close_gate(true, cx),
            At::GateClosed { since, .. } => {
                let since = *since;
                self.go(At::GateClosed { since, wanted_gone: true })
            }
            // Paid for, decided, in doubt or over: the wish changes nothing (S-B).
            _ => Next::to(self),
        }
    }

    fn cancel_decided(mut self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::GateClosed { .. } = &self.at else { return None };
        self.facts.decided_at = Some(cx.now);
        let decision =
            Decision { remit: cx.me, next_step: NextStep::Cancel, evidence: None, arising_time: cx.now, at: cx.now };
        Some(self.go(At::Cancelling { sends: 1 }).with(Write::Decide(decision)))
    }

    fn acknowledged(mut self, sent_at: Time, cx: &Cx<'_>) -> Option<Next<Self>> {
        match self.at {
            At::Confirming { .. } => {
                self.facts.look(0, cx);
                Some(
                    self.go(At::Levying {
                        since: cx.now,
                        sent_at,
                        acknowledged: true,
                        doubt: Doubt::new(sent_at, cx.now),
                    })
                    .with(Self::close_cases(&["deadline_near"], "the levy is running", cx)),
                )
            }
            At::Cancelling { .. } => Some(self.finish(At::Cancelled, cx)),
            _ => None,
        }
    }

    fn decision_in_doubt(self, last_sent: Time, refusal: Option<Refusal>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let doubt = Doubt::new(last_sent, cx.now);
        match self.at {
            At::Confirming { sends, .. } => {
                Some(self.go(At::ConfirmInDoubt { doubt, sends, refusal, acknowledged: false }))
            }
            At::Cancelling { sends } => Some(self.go(At::CancelInDoubt { doubt, sends, refusal })),
            _ => None,
        }
    }

    /// Quarantine and two negative probes are behind us: the identical call, once more (S-G).
    fn send_again(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        match &self.at {
            At::ConfirmInDoubt { doubt, sends, .. } if doubt.disproved() => {
                let sends = sends + 1;
                Some(self.go(At::Confirming { sends, seen_real: cx.real }))
            }
            At::CancelInDoubt { doubt, sends, .. } if doubt.disproved() => {
                let sends = sends + 1;
                Some(self.go(At::Cancelling { sends }))
            }
            _ => None,
        }
    }

    fn go(mut self, at: At) -> Next<Self> {
        self.at = at;
        Next::to(self)
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Event::PermitAsked { .. } => "PermitAsked",
            Event::Instructed { .. } => "Instructed",
            Event::PaidReported(_) => "PaidReported",
            Event::FailedReported { .. } => "FailedReported",
            Event::UnknownReported { .. } => "UnknownReported",
            Event::ReturnedReported { .. } => "ReturnedReported",
            Event::Attested { .. } => "Attested",
            Event::CancelAsked { .. } => "CancelAsked",
            Event::QuoteAccepted { .. } => "QuoteAccepted",
            Event::NoticeSeen { .. } => "NoticeSeen",
            Event::HintSeen => "HintSeen",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Seen(_) => "Seen",
            Event::Absent => "Absent",
            Event::LookFailed { .. } => "LookFailed",
            Event::Acknowledged { .. } => "Acknowledged",
            Event::DecisionRefused { .. } => "DecisionRefused",
            Event::DecisionUnsure { .. } => "DecisionUnsure",
            Event::PayCutoffReached => "PayCutoffReached",
            Event::PermitExpired => "PermitExpired",
            Event::CancelDecided => "CancelDecided",
            Event::Disproved => "Disproved",
            Event::WorkerLost => "WorkerLost",
            Event::Told(_) => "Told",
        }
    }
}
