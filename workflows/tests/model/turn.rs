//! The engine's turn, as `crates/engine` takes it: claim, takeover, letters, what the state wants, the gate at the send, the commit
//! under token and revision. The transitions are the machines' own. Faults of the engine are planted here as there.

use crate::checker::Model;
use crate::kept::Kept;
use crate::rules::{Broken, Rule};
use crate::world::{Draft, Far, Hand, Here, Phase, State, Tick, World};
use domain::effect::EffectClass;
use domain::planted::{Bug, planted};
use domain::{Request, Time};
use std::time::Duration;
use workflows::machine::{Cx, Illegal, Machine, Next, Step};

/// How a commit came out, as the worker learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Done,
    /// The connection broke: the turn is durable.
    UnknownApplied,
    /// The connection broke: nothing is durable.
    UnknownLost,
}

/// Steps under one claim, at most (`engine::drive`).
const STEPS: usize = 64;
/// How long a row waits whose gate was shut (`Rules::hold`).
pub(crate) const HOLD: Duration = Duration::from_secs(5);
/// The lease ends this much before the next instant at the latest: between two instants every lease lapses.
const REST: Duration = Duration::from_millis(100);

pub(crate) fn changes(request: &Request) -> bool {
    request.operation().class() != EffectClass::Query
}

impl<F: Far> Model<F> {
    /// The time as a worker reads it.
    pub(crate) fn time(&self, world: &World<F>, w: usize) -> Time {
        self.time_at(world, w, world.tick)
    }

    /// An instant as a worker reads it.
    pub(crate) fn time_at(&self, world: &World<F>, w: usize, tick: Tick) -> Time {
        let now = self.instants[usize::from(tick)];
        let skew = if w == 1 { i64::from(world.skew) * 1000 } else { 0 };
        Time::from_millis(now.millis() + skew)
    }

    pub(crate) fn cx<T>(&self, world: &World<F>, w: usize, hand: &Hand<State<F>>, f: impl FnOnce(&Cx<'_>) -> T) -> T {
        let now = self.time(world, w);
        let freezes = if hand.frozen { &self.shut } else { &self.free };
        f(&Cx {
            me: self.me,
            parent: self.parent,
            tenant: "default",
            account: "main",
            now,
            real: now,
            unsent: hand.claims < 2,
            params: &self.params,
            policy: &self.policy,
            freezes,
        })
    }

    pub(crate) fn due(&self, world: &World<F>) -> bool {
        let due = world.row.wake_at.is_some_and(|at| at <= self.now(world));
        due && world.row.holder.is_none_or(|(_, until)| world.tick >= until)
    }

    pub(crate) fn claim(&self, world: &mut World<F>, w: usize) {
        if !planted(Bug::CountClaimsAfterCall) {
            world.row.claims += 1;
        }
        let until = world.tick + 1;
        world.row.holder = Some((w as u8, until));
        world.row.unseen = false;
        let mut hand = Hand {
            phase: Phase::Committing { keep: false, wake_at: None },
            machine: world.row.state.clone(),
            draft: Kept::new(Draft::default()),
            claims: world.row.claims,
            until,
            current: true,
            taken_over: false,
            sent: false,
            frozen: world.frozen,
        };
        self.take_over(world, w, &mut hand);
        for letter in world.row.letters.clone() {
            let mut draft = (*hand.draft).clone();
            draft.consumed += 1;
            hand.draft = Kept::new(draft);
            self.take(world, w, &mut hand, Some((*letter).clone()));
        }
        self.run(world, w, hand);
    }

    fn take_over(&self, world: &World<F>, w: usize, hand: &mut Hand<State<F>>) {
        if hand.claims < 2 || planted(Bug::ForgetTakeover) {
            return;
        }
        if let Some(event) = self.cx(world, w, hand, |cx| hand.machine.found(cx)) {
            hand.taken_over = true;
            self.take(world, w, hand, Some(event));
        } else if let Step::Call(request) = self.cx(world, w, hand, |cx| hand.machine.step(&self.input, cx))
            && changes(&request)
        {
            self.park(world, w, hand, "its call may have been sent, and its state does not say what to assume then");
        }
    }

    /// Takes a transition into the draft. `None`: the one that the state records by itself.
    pub(crate) fn take(&self, world: &World<F>, w: usize, hand: &mut Hand<State<F>>, event: Option<MachineEvent<F>>) {
        let taken = self.cx(world, w, hand, |cx| {
            let machine: F::Machine = (*hand.machine).clone();
            let event = event.or_else(|| match machine.step(&self.input, cx) {
                Step::Record(event) => Some(event),
                Step::Call(_) | Step::Wait(_) | Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest => {
                    None
                }
            });
            let event = event.ok_or(Illegal { state: "", event: "record" })?;
            let not_after = F::Machine::not_after(&event, cx);
            machine.apply(&self.input, event, cx).map(|next| (next, not_after))
        });
        match taken {
            Ok((next, not_after)) => self.moved(hand, next, not_after),
            Err(illegal) => self.park(world, w, hand, &illegal.to_string()),
        }
    }

    fn park(&self, world: &World<F>, w: usize, hand: &mut Hand<State<F>>, why: &str) {
        let next = self.cx(world, w, hand, |cx| (*hand.machine).clone().parked(why, cx));
        self.moved(hand, next, None);
    }

    fn moved(&self, hand: &mut Hand<State<F>>, next: Next<F::Machine>, not_after: Option<Time>) {
        let mut draft = (*hand.draft).clone();
        draft.moved = true;
        draft.writes.extend(next.writes);
        draft.not_after = [draft.not_after, not_after].into_iter().flatten().min();
        (hand.draft, hand.machine) = (Kept::new(draft), Kept::new(next.state));
    }

    /// What the state wants, until something leaves this process: a question, a send, a commit.
    pub(crate) fn run(&self, world: &mut World<F>, w: usize, mut hand: Hand<State<F>>) {
        for _ in 0..STEPS {
            match self.cx(world, w, &hand, |cx| hand.machine.step(&self.input, cx)) {
                Step::Record(_) => self.take(world, w, &mut hand, None),
                Step::Call(request) => {
                    if let Some(phase) = self.call(world, w, &mut hand, request) {
                        hand.phase = phase;
                        world.hands[w] = Some(hand);
                        return;
                    }
                }
                Step::Wait(_) | Step::Ask(_) | Step::Rest | Step::Release { .. } | Step::Require(_) => {
                    return self.end(world, w, hand, None);
                }
            }
        }
        let spins = format!("{} wants more after {STEPS} steps", hand.machine.name());
        world.broken = Some(Broken::new(Rule::Limbo, spins));
    }

    /// The gates before a call. `None`: ask the state again.
    fn call(&self, world: &World<F>, w: usize, hand: &mut Hand<State<F>>, request: Request) -> Option<Phase> {
        let changes = changes(&request);
        let late = world.tick >= hand.until && !planted(Bug::SendPastLease);
        let open = self.cx(world, w, hand, |cx| hand.machine.may_send(&self.input, &request, cx));
        if late || !open {
            return Some(Phase::Committing { keep: false, wake_at: Some(self.time(world, w) + HOLD) });
        }
        if hand.taken_over || (changes && !hand.draft.is_empty()) {
            return Some(Phase::Committing { keep: true, wake_at: None });
        }
        if changes && hand.claims >= 2 && !planted(Bug::ForgetTakeover) {
            self.park(world, w, hand, "its call may have been sent under an earlier claim");
            return None;
        }
        let request = Kept::new(request);
        Some(if changes { Phase::Sending(request) } else { Phase::Looking { request, asked: world.tick } })
    }

    /// The claim ends: with a commit, or given back where nothing was done.
    pub(crate) fn end(&self, world: &mut World<F>, w: usize, mut hand: Hand<State<F>>, wake_at: Option<Time>) {
        let due = self.wake(world, w, &hand);
        if hand.draft.is_empty()
            && let Some(at) = wake_at.or(due)
        {
            return self.give_back(world, w, &hand, Some(at.max(self.time(world, w) + REST)));
        }
        hand.phase = Phase::Committing { keep: false, wake_at };
        world.hands[w] = Some(hand);
    }

    fn wake(&self, world: &World<F>, w: usize, hand: &Hand<State<F>>) -> Option<Time> {
        self.cx(world, w, hand, |cx| match hand.machine.step(&self.input, cx) {
            Step::Record(_) | Step::Call(_) | Step::Release { .. } | Step::Require(_) => Some(cx.now),
            Step::Wait(until) => Some(until),
            Step::Ask(until) => until,
            Step::Rest => None,
        })
    }

    fn give_back(&self, world: &mut World<F>, w: usize, hand: &Hand<State<F>>, wake_at: Option<Time>) {
        world.hands[w] = None;
        if world.row.holder != Some((w as u8, hand.until)) {
            return;
        }
        (world.row.claims, world.row.holder) = (0, None);
        if wake_at.is_some() && !world.row.unseen {
            world.row.wake_at = wake_at;
        }
    }

    pub(crate) fn commit(&self, world: &mut World<F>, w: usize, known: Known) {
        let Some(mut hand) = world.hands[w].take() else { return };
        let Phase::Committing { keep, wake_at } = hand.phase.clone() else { return };
        if hand.draft.is_empty() && !keep && wake_at.is_some() {
            return self.give_back(world, w, &hand, wake_at);
        }
        let mine = hand.current && world.row.holder == Some((w as u8, hand.until));
        let late = hand.draft.not_after.is_some_and(|not_after| self.time(world, w) > not_after);
        if (!mine && !planted(Bug::NoFence)) || late {
            if hand.claims < 2 && !hand.sent {
                self.give_back(world, w, &hand, None);
            }
            return;
        }
        let before = world.row.state.clone();
        if known != Known::UnknownLost {
            self.write(world, w, &hand, keep, wake_at);
            if world.broken.is_none() {
                let mut far = world.far.clone();
                world.broken = far.committed(&before, &self.here(world)).err();
                world.far = far;
            }
        }
        let told = known == Known::Done || planted(Bug::UnknownCommitIsDone);
        if !keep || !told || world.broken.is_some() {
            return;
        }
        if world.row.unseen && !planted(Bug::LostWakeup) {
            return self.give_back(world, w, &Hand { until: world.tick + 1, ..hand }, None);
        }
        hand.draft = Kept::new(Draft::default());
        (hand.claims, hand.taken_over, hand.sent, hand.current, hand.until) = (1, false, false, true, world.tick + 1);
        self.run(world, w, hand);
    }

    /// One transaction.
    fn write(&self, world: &mut World<F>, w: usize, hand: &Hand<State<F>>, keep: bool, wake_at: Option<Time>) {
        let due = wake_at.or(self.wake(world, w, hand));
        if let Err(broken) = world.ledger.take(&hand.draft.writes, self.now(world)) {
            world.broken = Some(broken);
            return;
        }
        let read = hand.draft.consumed.min(world.row.letters.len());
        world.row.letters.drain(..read);
        world.row.state = hand.machine.clone();
        world.row.claims = u8::from(keep);
        world.row.holder = keep.then_some((w as u8, world.tick + 1));
        let unseen = world.row.unseen && !planted(Bug::LostWakeup);
        world.row.wake_at = if unseen { Some(self.now(world)) } else { due };
        if let Some(other) = &mut world.hands[1 - w] {
            other.current = false;
        }
    }

    pub(crate) fn here<'a>(&self, world: &'a World<F>) -> Here<'a, F::Machine> {
        Here {
            machine: &world.row.state,
            ledger: &world.ledger,
            left: world.left,
            unread: !world.row.letters.is_empty(),
            now: self.now(world),
            flights: world.net.len(),
            quarantine: self.params.quarantine,
            skew: Duration::from_secs(u64::from(world.skew.unsigned_abs())),
        }
    }
}

pub(crate) type MachineEvent<F> = <<F as Far>::Machine as Machine>::Event;
