//! The gate: what an order waits for before anything is sent (P12, P31, P47). First a person's word on a suspected duplicate, then what
//! it needs of others, one after the other, then the month, its limit, and the freeze.

use super::{Event, FREEZE_LOOK, Hold, Input, Order, Why, frozen};
use crate::machine::{Cx, Next, Step};
use crate::needs::{ASK_AGAIN, Need, Standing};
use crate::policy::Guard;
use domain::Time;
use domain::record::{OpenTask, Write};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// How far each need is met, by its number; one that is missing has not been asked about.
pub(super) type Needs = BTreeMap<u32, Standing>;

impl Order {
    /// An order that has just been asked for.
    pub fn new(now: Time) -> Self {
        Self::gated(now, None)
    }

    /// A suspected duplicate: a person confirms it, under a task with an SLA (P12).
    pub fn suspected_duplicate(now: Time) -> Self {
        Self::gated(now, Some(Hold::SuspectedDuplicate))
    }

    pub(super) fn gated(since: Time, hold: Option<Hold>) -> Self {
        Order::Gated { since, hold, needs: Needs::new() }
    }

    /// The task that owns a held order.
    pub fn release_task(id: Uuid, now: Time, sla: Duration) -> Write {
        Write::OpenTask(OpenTask { id, kind: "release_order".into(), sla_at: now + sla, at: now })
    }

    pub(super) fn want_to_create(since: Time, needs: &Needs, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        match () {
            () if input.name_chars > cx.policy.name_max_chars => Step::Record(Event::NameTooLong),
            () if !all_met(needs, input) => want_needs(needs, input, cx),
            () if guarded(cx) => Step::Record(Event::Held(Hold::MonthEnd)),
            () if input.over_limit && cx.now < since.beijing().month_end() => {
                Step::Record(Event::Held(Hold::MonthLimit))
            }
            () if frozen(input, cx) => Step::Wait(cx.now + FREEZE_LOOK),
            () => Step::Record(Event::GateOpened),
        }
    }

    /// A hold by the guard ends with the month, or earlier by a person's release.
    pub(super) fn want_next_month(cx: &Cx<'_>) -> Step<Event> {
        if guarded(cx) { Step::Ask(Some(cx.now.beijing().month_end())) } else { Step::Record(Event::GateOpened) }
    }

    /// The limit is a month's: the hold ends with the month in which the order was asked for.
    pub(super) fn want_month_after(since: Time, cx: &Cx<'_>) -> Step<Event> {
        let end = since.beijing().month_end();
        if cx.now < end { Step::Ask(Some(end)) } else { Step::Record(Event::GateOpened) }
    }

    fn creating(cx: &Cx<'_>) -> Self {
        Order::Creating { since: cx.now, first_sent: None, sends: 1, unwanted: false }
    }

    pub(super) fn gate_opened(self, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Gated { hold, needs, .. } = self else { return None };
        match hold {
            None if all_met(&needs, input) => Some(Next::to(Self::creating(cx))),
            Some(Hold::MonthEnd | Hold::MonthLimit) => {
                Some(Next::to(Self::creating(cx)).with(Write::CloseTasks { at: cx.now }))
            }
            None | Some(Hold::SuspectedDuplicate) => None,
        }
    }

    /// The guard is the last gate: its hold comes when every need is met.
    pub(super) fn held(self, hold: Hold, cx: &Cx<'_>) -> Option<Next<Self>> {
        let Order::Gated { since, hold: None, needs } = self else { return None };
        let id = domain::ids::derive(cx.now, cx.me.0, "task/release_order");
        let task = Self::release_task(id, cx.now, cx.params.task_sla);
        Some(Next::to(Order::Gated { since, hold: Some(hold), needs }).with(task))
    }

    pub(super) fn name_too_long(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        matches!(self, Order::Gated { hold: None, .. }).then(|| self.park(Why::NameTooLong, cx))
    }

    /// A confirmed duplicate still passes the other gates; the guard's own hold has been the last of them.
    pub(super) fn release_asked(self, cx: &Cx<'_>) -> Next<Self> {
        let done = Write::CloseTasks { at: cx.now };
        match self {
            Order::Gated { since, hold: Some(Hold::SuspectedDuplicate), needs } => {
                Next::to(Order::Gated { since, hold: None, needs }).with(done)
            }
            Order::Gated { hold: Some(Hold::MonthEnd | Hold::MonthLimit), .. } => {
                Next::to(Self::creating(cx)).with(done)
            }
            Order::Gated { hold: None, .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Ready { .. }
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled
            | Order::NeedsOperator { .. } => Next::to(self),
        }
    }

    /// The other has been asked. What it said before stands until it says something else.
    pub(super) fn required(self, need: u32, cx: &Cx<'_>) -> Next<Self> {
        self.need(need, |before| match before {
            Some(Standing::Met) => Standing::Met,
            Some(Standing::Unmet { reason, .. }) => Standing::Unmet { at: cx.now, reason },
            Some(Standing::Asked { .. }) | None => Standing::Asked { at: cx.now },
        })
    }

    /// Whoever was to see to it need not any more, unless another one has failed.
    pub(super) fn met(self, need: u32, cx: &Cx<'_>) -> Next<Self> {
        let owned = self.has_failed_needs();
        let next = self.need(need, |_| Standing::Met);
        let over = owned && !next.state.has_failed_needs();
        if over { next.with(Write::CloseTasks { at: cx.now }) } else { next }
    }

    /// A person sees to it, under a task with an SLA. What has been met stays met: the signature was there once.
    pub(super) fn unmet(self, need: u32, reason: String, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let owned = self.has_failed_needs();
        let next = self.need(need, |before| match before {
            Some(Standing::Met) => Standing::Met,
            Some(Standing::Asked { .. } | Standing::Unmet { .. }) | None => Standing::Unmet { at: cx.now, reason },
        });
        if owned || !next.state.has_failed_needs() {
            return next;
        }
        let id = domain::ids::derive(cx.now, cx.me.0, &format!("task/unmet/{}", cx.now.millis()));
        let sla_at = cx.now + cx.params.task_sla;
        let failed = usize::try_from(need).ok().and_then(|place| input.needs.get(place));
        let kind = failed.map_or("invite_again", |need| need.remedy().0).into();
        next.with(Write::OpenTask(OpenTask { id, kind, sla_at, at: cx.now }))
    }

    fn has_failed_needs(&self) -> bool {
        matches!(self, Order::Gated { needs, .. } if needs.values().any(|one| matches!(one, Standing::Unmet { .. })))
    }

    /// Beyond the gate nothing is needed any more.
    fn need(self, need: u32, change: impl FnOnce(Option<Standing>) -> Standing) -> Next<Self> {
        match self {
            Order::Gated { since, hold, mut needs } => {
                let standing = change(needs.remove(&need));
                needs.insert(need, standing);
                Next::to(Order::Gated { since, hold, needs })
            }
            Order::NeedsOperator { why, back } if matches!(*back, Order::Gated { .. }) => {
                let back = Box::new(back.need(need, change).state);
                Next::to(Order::NeedsOperator { why, back })
            }
            Order::NeedsOperator { .. }
            | Order::Creating { .. }
            | Order::CreateInDoubt { .. }
            | Order::Accepted(_)
            | Order::Splitting(_)
            | Order::Ready { .. }
            | Order::Settled { .. }
            | Order::Rejected { .. }
            | Order::Cancelled => Next::to(self),
        }
    }
}

fn all_met(needs: &Needs, input: &Input) -> bool {
    open(needs, input).next().is_none()
}

/// The needs that are not met, with how far they are.
fn open<'a>(needs: &'a Needs, input: &'a Input) -> impl Iterator<Item = (u32, &'a Need, Option<&'a Standing>)> {
    (0..)
        .zip(&input.needs)
        .map(|(number, need)| (number, need, needs.get(&number)))
        .filter(|(.., standing)| !matches!(standing, Some(Standing::Met)))
}

fn want_needs(needs: &Needs, input: &Input, cx: &Cx<'_>) -> Step<Event> {
    // A later one rests on those before it: a provider knows nobody's pictures before he has signed (000 §2.10 R1).
    match open(needs, input).next() {
        Some((number, need, standing)) => match standing.and_then(Standing::ask_at) {
            Some(later) if cx.now < later => Step::Wait(later),
            Some(_) | None => Step::Require(need.require(number, cx.now)),
        },
        None => Step::Wait(cx.now + ASK_AGAIN),
    }
}

/// What is not met yet, in words.
pub(super) fn words(needs: &Needs, input: &Input) -> Option<String> {
    let open: Vec<String> = open(needs, input)
        .map(|(_, need, standing)| match standing {
            Some(Standing::Unmet { reason, .. }) => format!("{} ({reason}: {})", need.what, need.remedy().1),
            Some(Standing::Asked { .. } | Standing::Met) | None => need.what.clone(),
        })
        .collect();
    (!open.is_empty()).then(|| open.join("; "))
}

/// The last hours of a tax month, where the account's guard holds (P31).
fn guarded(cx: &Cx<'_>) -> bool {
    cx.policy.month_edge == Guard::Hold && cx.now + cx.params.month_guard >= cx.now.beijing().month_end()
}
