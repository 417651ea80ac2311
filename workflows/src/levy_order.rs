//! # Levy order (代征订单): one person, one amount, one `request_id`, split by the provider into remits
//!
//! ```text
//!   gated ──► creating ⇄ create_in_doubt ──► accepted ──► splitting ──► ready ──► settled
//!     │           └──────────┴───────────────────┴────────────┴──► rejected
//!     └──► cancelled (CREATE never left)                      anything a person must settle: needs_operator!
//! ```
//!
//! Promises. 1. One `request_id` for ever, derived before the first byte; a re-send is identical (S-E, P01).
//!           2. A time-out is doubt, never failure: we ask, and send again only after quarantine and two negative probes (P02, S-G).
//!           3. `ready` needs remits, no reason, and order `CLOSE`; every other reading of `CLOSE` is told apart (P13).
//!           4. Nothing may be paid unless the split adds up (P06).
//!           5. An order that is not wanted any more is cancelled as soon as its remits can be (P07).

mod facts;
mod gate;
mod read;
mod resolve;
mod send;
mod specimens;
mod words;
#[cfg(test)]
mod tests;

pub use facts::{Child, Hold, Input, Outcome, Times, Under, Why};

use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::needs::Standing;
use crate::policy::Direction;
use domain::levy::{Hint, OrderSeen};
use domain::{Answer, Fault, InstanceId, Refusal, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where the order stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Nothing has been sent. `hold`: a person must let it go. `needs`: how far what it needs of others is met.
    Gated {
        since: Time,
        hold: Option<Hold>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        needs: BTreeMap<u32, Standing>,
    },
    /// CREATE may be sent.
    Creating {
        since: Time,
        first_sent: Option<Time>,
        sends: u32,
        unwanted: bool,
    },
    /// CREATE may have been applied. `refused`: it was refused, one look confirms it.
    CreateInDoubt {
        first_sent: Time,
        doubt: Doubt,
        sends: u32,
        refused: Option<Refusal>,
        unwanted: bool,
    },
    /// Accepted: the person's quota is held.
    Accepted(Under),
    /// 正在创建内部系统订单.
    Splitting(Under),
    /// The remits are there and may be paid one by one.
    Ready {
        times: Times,
        remits: Vec<Child>,
        look_at: Time,
    },
    Settled {
        times: Times,
        outcome: Outcome,
        /// How each ended: one may yet be levied after all.
        #[serde(default)]
        remits: Vec<Child>,
    },
    Rejected {
        reason: String,
    },
    /// CREATE never left.
    Cancelled,
    NeedsOperator {
        why: Why,
        back: Box<Order>,
    },
}

/// What may happen to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // From outside, through the inbox.
    /// A verified callback: a hint to look.
    Hinted(Hint),
    ReleaseAsked {
        by: String,
        reason: String,
    },
    CancelAsked {
        by: String,
    },
    /// Another machine has been asked for what this one needs of it, and has said how that stands.
    Required {
        need: u32,
    },
    Met {
        need: u32,
    },
    Unmet {
        need: u32,
        reason: String,
    },
    RemitDone {
        remit: InstanceId,
        state: String,
    },
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        evidence: Option<Value>,
        by: String,
    },
    // From calls.
    Created {
        sent_at: Time,
        accept_time: Option<Time>,
    },
    CreateRefused {
        sent_at: Time,
        refusal: Refusal,
    },
    CreateUnsure {
        sent_at: Time,
        fault: Fault,
    },
    Seen(OrderSeen),
    Absent {
        asked_at: Time,
    },
    LookFailed {
        fault: Fault,
    },
    // From time and the state itself.
    GateOpened,
    Held(Hold),
    NameTooLong,
    Disproved,
    WorkerLost,
    /// Routine wake-up while the remits are at work.
    Watched,
}

const STATES: &[(&str, bool)] = &[
    ("gated", false),
    ("creating", false),
    ("create_in_doubt", false),
    ("accepted", false),
    ("splitting", false),
    ("ready", false),
    ("settled", true),
    ("rejected", true),
    ("cancelled", true),
    ("needs_operator", false),
];

const DAY: Duration = Duration::from_secs(24 * 3600);
const FREEZE_LOOK: Duration = Duration::from_secs(60);
/// After so many proved losses on the way something is wrong that no re-send mends.
const SENDS_MAX: u32 = 5;

impl Machine for Order {
    const NAME: &'static str = "levy_order";
    const STATES: &'static [(&'static str, bool)] = STATES;
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        match self {
            Order::Gated { .. } => "gated",
            Order::Creating { .. } => "creating",
            Order::CreateInDoubt { .. } => "create_in_doubt",
            Order::Accepted(_) => "accepted",
            Order::Splitting(_) => "splitting",
            Order::Ready { .. } => "ready",
            Order::Settled { .. } => "settled",
            Order::Rejected { .. } => "rejected",
            Order::Cancelled => "cancelled",
            Order::NeedsOperator { .. } => "needs_operator",
        }
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let look = || Step::Call(Request::FindOrder { request_id: input.request_id.clone(), person: input.person });
        let look_at = |at: Time| if cx.now >= at { look() } else { Step::Wait(at) };
        match self {
            Order::Gated { hold: Some(Hold::SuspectedDuplicate), .. } => Step::Ask(None),
            Order::Gated { hold: Some(Hold::MonthEnd), .. } => Self::want_next_month(cx),
            Order::Gated { hold: Some(Hold::MonthLimit), since, .. } => Self::want_month_after(*since, cx),
            Order::Gated { hold: None, needs, since } => Self::want_to_create(*since, needs, input, cx),
            Order::Creating { .. } if frozen(input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            Order::Creating { sends, .. } => Step::Call(Request::CreateOrder {
                request_id: send::name_of(&input.request_id, *sends),
                person: input.person,
                terms: input.terms.clone(),
            }),
            Order::CreateInDoubt { doubt, .. } if doubt.disproved() => Step::Record(Event::Disproved),
            Order::CreateInDoubt { doubt, .. } => look_at(doubt.look_at),
            Order::Accepted(under) | Order::Splitting(under) => look_at(under.look_at),
            Order::Ready { look_at, .. } if cx.now >= *look_at => Step::Record(Event::Watched),
            Order::Ready { look_at, .. } => Step::Wait(*look_at),
            Order::NeedsOperator { .. } => Step::Ask(None),
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled => Step::Rest,
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        match self {
            Order::Creating { .. } => Some(Event::WorkerLost),
            // Every other state asks only questions.
            Order::Gated { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Ready { .. } => None,
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled | Order::NeedsOperator { .. } => None,
        }
    }

    fn answered(&self, request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let creating = matches!(request, Request::CreateOrder { .. });
        match verdict {
            Verdict::Done(Answer::OrderAccepted { accept_time }) => Event::Created { sent_at, accept_time },
            Verdict::Done(Answer::OrderSeen(seen)) => Event::Seen(seen),
            Verdict::Done(Answer::OrderAbsent) => Event::Absent { asked_at: sent_at },
            Verdict::Done(_) => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Refused(refusal) if creating => Event::CreateRefused { sent_at, refusal },
            Verdict::Unsure(fault) if creating => Event::CreateUnsure { sent_at, fault },
            Verdict::Refused(refusal) => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            Verdict::Unsure(fault) => Event::LookFailed { fault },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, input: &Input, request: &Request, cx: &Cx<'_>) -> bool {
        let create = matches!(request, Request::CreateOrder { .. });
        let may_create = matches!(self, Order::Creating { .. }) && !frozen(input, cx);
        matches!(request, Request::FindOrder { .. }) || (create && may_create)
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: event.name() };
        let next = match event {
            Event::Hinted(hint) => Some(self.hinted(&hint, cx)),
            Event::ReleaseAsked { .. } => Some(self.release_asked(cx)),
            Event::CancelAsked { by } => Some(self.cancel_asked(&by, cx)),
            Event::Required { need } => Some(self.required(need, cx)),
            Event::Met { need } => Some(self.met(need, cx)),
            Event::Unmet { need, reason } => Some(self.unmet(need, reason, input, cx)),
            Event::RemitDone { remit, state } => Some(self.remit_done(remit, &state, cx)),
            Event::CaseResolved { case, r#move, by, .. } => Some(self.resolved(&case, &r#move, &by, input, cx)),
            Event::Created { sent_at, accept_time } => self.created(sent_at, accept_time, cx),
            Event::CreateRefused { sent_at, refusal } => self.create_in_doubt(sent_at, Some(refusal), cx),
            Event::CreateUnsure { sent_at, .. } => self.create_in_doubt(sent_at, None, cx),
            Event::WorkerLost => self.worker_lost(cx),
            Event::Seen(seen) => self.seen(&seen, input, cx),
            Event::Absent { asked_at } => self.absent(asked_at, cx),
            Event::LookFailed { fault } => self.look_failed(&fault, cx),
            Event::GateOpened => self.gate_opened(input, cx),
            Event::Held(hold) => self.held(hold, cx),
            Event::NameTooLong => self.name_too_long(cx),
            Event::Disproved => self.send_again(cx),
            Event::Watched => self.watched(cx),
        };
        next.ok_or(illegal)
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        match self {
            Order::CreateInDoubt { .. } => 0,
            Order::Gated { .. } | Order::Creating { .. } => 3,
            Order::Accepted(_) | Order::Splitting(_) => 3,
            Order::Ready { .. }
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled
            | Order::NeedsOperator { .. } => 4,
        }
    }

    fn waits_for(&self, input: &Input) -> Option<String> {
        match self {
            Order::Gated { hold: Some(Hold::SuspectedDuplicate), .. } => {
                Some("a person: the same person, amount, task and day as an earlier order".into())
            }
            Order::Gated { hold: Some(Hold::MonthEnd), .. } => Some("the new tax month, or a person's release".into()),
            Order::Gated { hold: Some(Hold::MonthLimit), .. } => {
                Some("the next tax month, or a person's release: it exceeds the person's monthly limit".into())
            }
            Order::Gated { hold: None, needs, .. } => {
                Some(gate::words(needs, input).unwrap_or_else(|| "its turn to be sent".into()))
            }
            Order::Creating { .. } => Some("the provider to accept it".into()),
            Order::CreateInDoubt { .. } => Some("proof whether the provider has it".into()),
            Order::Accepted(_) | Order::Splitting(_) => Some("the provider to split it into remits".into()),
            Order::Ready { remits, .. } => Some(format!(
                "{} of {} remits to end",
                remits.iter().filter(|r| r.ended.is_none()).count(),
                remits.len()
            )),
            Order::NeedsOperator { why, .. } => Some(format!("a person: {}", why.words())),
            Order::Settled { .. } | Order::Rejected { .. } | Order::Cancelled => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        self.park(Why::Bug(why.into()), cx)
    }

    fn specimens() -> Specimens<Self> {
        specimens::all()
    }
}

fn frozen(input: &Input, cx: &Cx<'_>) -> bool {
    cx.freezes.frozen(Direction::Create, cx.account, cx.tenant, input.terms.tax_agent_location_id.as_deref())
}
