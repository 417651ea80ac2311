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

mod read;
mod specimens;
#[cfg(test)]
mod tests;

use crate::doubt::{Doubt, decaying};
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::policy::Direction;
use crate::remit::needs;
use domain::levy::{Hint, OrderSeen, Terms};
use domain::record::{OpenCase, OpenTask, Severity, Write};
use domain::{Answer, Fault, InstanceId, Refusal, Request, RequestId, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// What is asked for. Never changes; the person's data is in its own encrypted row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub request_id: RequestId,
    pub person: Uuid,
    /// Length of the person's name in characters (P11).
    pub name_chars: usize,
    pub terms: Terms,
    /// The order this one replaces after a proven failure or close.
    pub replaces: Option<InstanceId>,
}

/// Why an order is held before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Same person, amount, task and business day as an earlier order (P12).
    SuspectedDuplicate,
    /// The last hours of a tax month (P31).
    MonthEnd,
}

/// The times that follow from the first send (safety.md §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub first_sent: Time,
    pub accept_time: Time,
    pub deadline: Time,
    pub pay_cutoff: Time,
}

/// An order on its way at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Under {
    pub first_sent: Time,
    pub accept_time: Option<Time>,
    pub asked: u32,
    pub look_at: Time,
    /// Cancel was asked: the remits are cancelled once they are there.
    pub unwanted: bool,
}

/// One remit, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub id: InstanceId,
    pub tax_agent_location_id: String,
    pub ended: Option<String>,
}

/// How a settled order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Levied,
    PartlyLevied,
    Cancelled,
    Closed,
}

/// Why a person must settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The provider takes shorter names; nothing is ever shortened (P11).
    NameTooLong,
    UnknownStatus(String),
    /// `CLOSE` with remits *and* a reason: perhaps only some were created.
    PartialCreation {
        seen: Box<OrderSeen>,
        reason: String,
    },
    /// Sent again and again, and never accepted.
    SendsExhausted,
    Bug(String),
}

/// Where the order stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Nothing has been sent. `hold`: a person must let it go.
    Gated {
        since: Time,
        hold: Option<Hold>,
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
    RemitDone {
        remit: InstanceId,
        state: String,
    },
    CaseResolved {
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
    Absent,
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

/// The provider's promise (000 §2.4).
const AUTO_CLOSE: Duration = Duration::from_secs(72 * 3600);
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
            Order::Gated { hold: Some(_), .. } => Step::Ask(None),
            Order::Gated { hold: None, .. } => self.want_to_create(input, cx),
            Order::Creating { .. } if frozen(input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            Order::Creating { .. } => Step::Call(Request::CreateOrder {
                request_id: input.request_id.clone(),
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
            Verdict::Done(Answer::OrderAbsent) => Event::Absent,
            Verdict::Done(Answer::RemitDecided) => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Refused(refusal) if creating => Event::CreateRefused { sent_at, refusal },
            Verdict::Unsure(fault) if creating => Event::CreateUnsure { sent_at, fault },
            Verdict::Refused(refusal) => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            Verdict::Unsure(fault) => Event::LookFailed { fault },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, input: &Input, request: &Request, cx: &Cx<'_>) -> bool {
        match request {
            Request::CreateOrder { .. } => matches!(self, Order::Creating { .. }) && !frozen(input, cx),
            Request::FindOrder { .. } => true,
            Request::DecideRemit { .. } => false,
        }
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: event.name() };
        let next = match event {
            Event::Hinted(hint) => Some(self.hinted(&hint, cx)),
            Event::ReleaseAsked { .. } => Some(self.release_asked(cx)),
            Event::CancelAsked { by } => Some(self.cancel_asked(&by, cx)),
            Event::RemitDone { remit, state } => Some(self.remit_done(remit, &state, cx)),
            Event::CaseResolved { r#move, by, .. } => Some(self.resolved(&r#move, &by, input, cx)),
            Event::Created { sent_at, accept_time } => self.created(sent_at, accept_time, cx),
            Event::CreateRefused { sent_at, refusal } => self.create_in_doubt(sent_at, Some(refusal), cx),
            Event::CreateUnsure { sent_at, .. } => self.create_in_doubt(sent_at, None, cx),
            Event::WorkerLost => self.worker_lost(cx),
            Event::Seen(seen) => self.seen(&seen, input, cx),
            Event::Absent => self.absent(cx),
            Event::LookFailed { fault } => self.look_failed(&fault, cx),
            Event::GateOpened => self.gate_opened(cx),
            Event::Held(hold) => self.held(hold, cx),
            Event::NameTooLong => Some(self.park(Why::NameTooLong, cx)),
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

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match self {
            Order::Gated { hold: Some(Hold::SuspectedDuplicate), .. } => {
                Some("a person: the same person, amount, task and day as an earlier order".into())
            }
            Order::Gated { hold: Some(Hold::MonthEnd), .. } => Some("the new tax month, or a person's release".into()),
            Order::Gated { hold: None, .. } => Some("its turn to be sent".into()),
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

impl Order {
    /// An order that has just been asked for.
    pub fn new(now: Time) -> Self {
        Order::Gated { since: now, hold: None }
    }

    /// A suspected duplicate: a person confirms it, under a task with an SLA (P12).
    pub fn suspected_duplicate(now: Time) -> Self {
        Order::Gated { since: now, hold: Some(Hold::SuspectedDuplicate) }
    }

    /// The task that owns a held order.
    pub fn release_task(id: Uuid, now: Time, sla: Duration) -> Write {
        Write::OpenTask(OpenTask { id, kind: "release_order".into(), sla_at: now + sla, at: now })
    }

    /// The times that follow from the first send, once it may have happened.
    pub fn times(&self) -> Option<&Times> {
        match self {
            Order::Ready { times, .. } | Order::Settled { times, .. } => Some(times),
            Order::NeedsOperator { back, .. } => back.times(),
            Order::Gated { .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Rejected { .. }
            | Order::Cancelled => None,
        }
    }

    /// The earliest send of CREATE, as far as one may have happened.
    pub fn first_sent(&self) -> Option<(Time, Option<Time>)> {
        match self {
            Order::CreateInDoubt { first_sent, .. } => Some((*first_sent, None)),
            Order::Accepted(under) | Order::Splitting(under) => Some((under.first_sent, under.accept_time)),
            Order::Ready { times, .. } | Order::Settled { times, .. } => {
                Some((times.first_sent, Some(times.accept_time)))
            }
            Order::Creating { first_sent, .. } => first_sent.map(|at| (at, None)),
            Order::NeedsOperator { back, .. } => back.first_sent(),
            Order::Gated { .. } | Order::Rejected { .. } | Order::Cancelled => None,
        }
    }

    /// D and `pay_cutoff` (safety.md §5): from the earliest moment the provider may count from.
    pub fn times_from(
        first_sent: Time,
        accept_time: Option<Time>,
        params: &crate::Params,
        policy: &crate::Policy,
    ) -> Times {
        let accept_time = accept_time.unwrap_or(first_sent);
        let deadline = first_sent.min(accept_time) + AUTO_CLOSE - params.margin - params.skew;
        let pay_cutoff =
            crate::calendar::latest_start(&policy.bank_channel, deadline - params.confirm_budget(), params.bank_bound);
        Times { first_sent, accept_time, deadline, pay_cutoff }
    }

    fn want_to_create(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let guarded = cx.policy.month_edge == crate::policy::Guard::Hold
            && cx.now + cx.params.month_guard >= cx.now.beijing().month_end();
        match () {
            () if input.name_chars > cx.policy.name_max_chars => Step::Record(Event::NameTooLong),
            () if guarded => Step::Record(Event::Held(Hold::MonthEnd)),
            () if frozen(input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            () => Step::Record(Event::GateOpened),
        }
    }

    fn gate_opened(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Gated { hold: None, .. } = self else { return None };
        Some(Next::to(Order::Creating { since: cx.now, first_sent: None, sends: 1, unwanted: false }))
    }

    fn held(self, hold: Hold, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Gated { since, hold: None } = self else { return None };
        let task =
            Self::release_task(domain::ids::derive(cx.now, cx.me.0, "task/release_order"), cx.now, cx.params.task_sla);
        Some(Next::to(Order::Gated { since, hold: Some(hold) }).with(task))
    }

    fn release_asked(self, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Order::Gated { hold: Some(_), .. } => {
                Next::to(Order::Creating { since: cx.now, first_sent: None, sends: 1, unwanted: false })
                    .with(Write::CloseTasks { at: cx.now })
            }
            other => Next::to(other),
        }
    }

    /// Before CREATE can have left: cancelled. After: a wish that is kept until the remits are there.
    fn cancel_asked(self, by: &str, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Order::Gated { .. } => Next::to(Order::Cancelled).with(Write::CloseTasks { at: cx.now }),
            Order::Creating { first_sent: None, .. } if cx.unsent => Next::to(Order::Cancelled),
            Order::Creating { since, first_sent, sends, .. } => {
                Next::to(Order::Creating { since, first_sent, sends, unwanted: true })
            }
            Order::CreateInDoubt { first_sent, doubt, sends, refused, .. } => {
                Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted: true })
            }
            Order::Accepted(under) => Next::to(Order::Accepted(Under { unwanted: true, ..under })),
            Order::Splitting(under) => Next::to(Order::Splitting(Under { unwanted: true, ..under })),
            Order::Ready { times, remits, look_at } => {
                let tell = tell_open(&remits, &json!({"CancelAsked": {"by": by}}));
                Next::to(Order::Ready { times, remits, look_at }).and(tell)
            }
            Order::NeedsOperator { why: Why::NameTooLong, .. } => {
                Next::to(Order::Cancelled).with(close_cases("cancelled", cx))
            }
            other => Next::to(other),
        }
    }

    fn created(self, sent_at: Time, accept_time: Option<Time>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Creating { first_sent, unwanted, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        Some(Next::to(Order::Accepted(Under {
            first_sent,
            accept_time,
            asked: 0,
            look_at: cx.now + decaying(0),
            unwanted,
        })))
    }

    fn create_in_doubt(self, sent_at: Time, refused: Option<Refusal>, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Creating { first_sent, sends, unwanted, .. } = self else { return None };
        let first_sent = first_sent.unwrap_or(sent_at);
        Some(Next::to(Order::CreateInDoubt {
            first_sent,
            doubt: Doubt::new(sent_at, cx.now),
            sends,
            refused,
            unwanted,
        }))
    }

    /// The worker that held the claim is gone: CREATE may have left at any time since the state was entered.
    fn worker_lost(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Creating { since, first_sent, sends, unwanted } = self else { return None };
        let first_sent = first_sent.unwrap_or(since);
        Some(Next::to(Order::CreateInDoubt {
            first_sent,
            doubt: Doubt::new(cx.now, cx.now),
            sends,
            refused: None,
            unwanted,
        }))
    }

    fn send_again(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted } = self else { return None };
        if !doubt.disproved() {
            return None;
        }
        if unwanted {
            // Proved absent and not wanted: nothing is at the provider, nothing will be (P07).
            return Some(Next::to(Order::Cancelled).with(close_cases("never arrived, and not wanted", cx)));
        }
        if let Some(refusal) = refused {
            return Some(Next::to(Order::Rejected { reason: refusal.to_string() }).with(close_cases("refused", cx)));
        }
        if sends >= SENDS_MAX {
            let back = Order::CreateInDoubt {
                first_sent,
                doubt: Doubt::new(cx.now, cx.now),
                sends: 0,
                refused: None,
                unwanted,
            };
            return Some(back.park(Why::SendsExhausted, cx));
        }
        Some(
            Next::to(Order::Creating { since: cx.now, first_sent: Some(first_sent), sends: sends + 1, unwanted })
                .with(close_cases("proved not applied", cx)),
        )
    }

    fn remit_done(self, remit: InstanceId, state: &str, cx: &Cx<'_>) -> Next<Self> {
        let Order::Ready { times, mut remits, look_at } = self else { return Next::to(self) };
        for child in remits.iter_mut().filter(|child| child.id == remit) {
            child.ended = Some(state.to_owned());
        }
        match outcome(&remits) {
            Some(outcome) => Next::to(Order::Settled { times, outcome }).with(close_cases("every remit has ended", cx)),
            None => Next::to(Order::Ready { times, remits, look_at }),
        }
    }

    fn watched(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Ready { times, remits, .. } = self else { return None };
        Some(Next::to(Order::Ready { times, remits, look_at: cx.now + DAY }))
    }

    fn hinted(self, hint: &Hint, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Order::CreateInDoubt { first_sent, mut doubt, sends, refused, unwanted } => {
                doubt.look_at = doubt.look_at.min(cx.now);
                Next::to(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted })
            }
            Order::Accepted(under) => Next::to(Order::Accepted(Under { look_at: cx.now, ..under })),
            Order::Splitting(under) => Next::to(Order::Splitting(Under { look_at: cx.now, ..under })),
            Order::Ready { times, remits, look_at } => {
                let tell = pass_on(&remits, hint);
                Next::to(Order::Ready { times, remits, look_at }).and(tell)
            }
            other => Next::to(other),
        }
    }

    fn resolved(self, name: &str, by: &str, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        match (name, self) {
            (
                "retry",
                Order::NeedsOperator { why: Why::UnknownStatus(_) | Why::Bug(_) | Why::SendsExhausted, back },
            ) => Next::to(*back).with(close_cases("to be looked at again", cx)),
            // Two persons know that the provider does not have it: the identical call may go again.
            ("retry", Order::CreateInDoubt { first_sent, sends, unwanted, .. }) => {
                Next::to(Order::Creating { since: cx.now, first_sent: Some(first_sent), sends: sends + 1, unwanted })
                    .with(close_cases("two persons: never arrived", cx))
            }
            (
                "abandon",
                Order::NeedsOperator { why: Why::NameTooLong | Why::SendsExhausted, .. } | Order::CreateInDoubt { .. },
            ) => Next::to(Order::Cancelled).with(close_cases("abandoned", cx)),
            ("accept_remits", Order::NeedsOperator { why: Why::PartialCreation { seen, .. }, back }) => {
                back.ready(&seen, false, true, input, cx).with(close_cases("the listed remits were accepted", cx))
            }
            ("cancel_each", Order::NeedsOperator { why: Why::PartialCreation { seen, .. }, back }) => {
                back.ready(&seen, true, false, input, cx).with(close_cases("each remit is cancelled", cx))
            }
            ("accept_remits", Order::Ready { times, remits, look_at }) => {
                let tell = tell_open(&remits, &json!({"QuoteAccepted": {"by": by}}));
                Next::to(Order::Ready { times, remits, look_at }).and(tell)
            }
            ("cancel_each", order @ Order::Ready { .. }) => order.cancel_asked(by, cx),
            (_, other) => Next::to(other),
        }
    }

    fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let case = case(why.kind(), Severity::High, why.moves(), json!({"why": why.words()}), cx);
        let back = match self {
            Order::NeedsOperator { back, .. } => back,
            other => Box::new(other),
        };
        Next::to(Order::NeedsOperator { why, back }).with(case)
    }
}

/// How the order ended, once every remit has.
fn outcome(remits: &[Child]) -> Option<Outcome> {
    let ended: Option<Vec<&str>> = remits.iter().map(|child| child.ended.as_deref()).collect();
    let ended = ended?;
    let levied = ended.iter().filter(|state| matches!(**state, "levied" | "returned_after_levy")).count();
    let cancelled = ended.iter().all(|state| *state == "cancelled");
    Some(match () {
        () if levied == ended.len() => Outcome::Levied,
        () if levied > 0 => Outcome::PartlyLevied,
        () if cancelled => Outcome::Cancelled,
        () => Outcome::Closed,
    })
}

fn tell_open(remits: &[Child], event: &Value) -> Vec<Write> {
    let open = remits.iter().filter(|child| child.ended.is_none());
    open.map(|child| Write::Tell { to: child.id, event: event.clone() }).collect()
}

/// A close notice names a location, no order: it goes to the remits there, or to all (P41). Any other hint goes to all.
fn pass_on(remits: &[Child], hint: &Hint) -> Vec<Write> {
    match hint {
        Hint::OrderChanged { .. } => tell_open(remits, &json!("HintSeen")),
        Hint::Closed { tax_agent_location_id, close_time, .. } => {
            let there: Vec<Child> =
                remits.iter().filter(|child| child.tax_agent_location_id == *tax_agent_location_id).cloned().collect();
            let addressed = if there.is_empty() { remits } else { &there };
            tell_open(addressed, &json!({"NoticeSeen": {"close_time": close_time}}))
        }
    }
}

fn case(kind: &str, severity: Severity, moves: &[&str], facts: Value, cx: &Cx<'_>) -> Write {
    Write::OpenCase(OpenCase {
        id: domain::ids::derive(cx.now, cx.me.0, &format!("case/{kind}")),
        kind: kind.into(),
        severity,
        owner_role: "operations".into(),
        opened_at: cx.now,
        sla_at: cx.now + cx.params.case_sla,
        moves: moves.iter().map(|name| needs(name)).collect(),
        facts,
        group: None,
    })
}

fn close_cases(how: &str, cx: &Cx<'_>) -> Write {
    Write::CloseCases { kinds: Vec::new(), how: how.into(), at: cx.now }
}

impl Why {
    fn words(&self) -> String {
        match self {
            Why::NameTooLong => {
                "the name is longer than the provider takes: ask the provider how to register it".into()
            }
            Why::UnknownStatus(word) => format!("the provider shows the unknown status {word:?}"),
            Why::PartialCreation { reason, .. } => {
                format!("remits were created, and a failure was reported as well: {reason}")
            }
            Why::SendsExhausted => "it was sent again and again and never arrived".into(),
            Why::Bug(what) => format!("an internal fault ({what})"),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Why::NameTooLong => "name_too_long",
            Why::UnknownStatus(_) => "unknown_status",
            Why::PartialCreation { .. } => "partial_creation",
            Why::SendsExhausted => "sends_exhausted",
            Why::Bug(_) => "internal_fault",
        }
    }

    fn moves(&self) -> &'static [&'static str] {
        match self {
            Why::NameTooLong => &["abandon"],
            Why::UnknownStatus(_) | Why::Bug(_) => &["retry"],
            Why::PartialCreation { .. } => &["accept_remits", "cancel_each"],
            Why::SendsExhausted => &["retry", "abandon"],
        }
    }
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Event::Hinted(_) => "Hinted",
            Event::ReleaseAsked { .. } => "ReleaseAsked",
            Event::CancelAsked { .. } => "CancelAsked",
            Event::RemitDone { .. } => "RemitDone",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Created { .. } => "Created",
            Event::CreateRefused { .. } => "CreateRefused",
            Event::CreateUnsure { .. } => "CreateUnsure",
            Event::Seen(_) => "Seen",
            Event::Absent => "Absent",
            Event::LookFailed { .. } => "LookFailed",
            Event::GateOpened => "GateOpened",
            Event::Held(_) => "Held",
            Event::NameTooLong => "NameTooLong",
            Event::Disproved => "Disproved",
            Event::WorkerLost => "WorkerLost",
            Event::Watched => "Watched",
        }
    }
}
