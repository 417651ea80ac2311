//! One instance as the fleet has it: its row, the rows beside it, the workers at it, what is on the wire, and the far side.

use crate::kept::Kept;
use crate::ledger::Ledger;
use crate::rules::Broken;
use domain::record::Write;
use domain::{Answer, Request, Time, Verdict};
use serde::Serialize;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;
use workflows::machine::Machine;

/// The place in a model's list of instants.
pub(crate) type Tick = u8;

/// Whose machine it is, and everything that is not ours: the provider, the bank, the payer, people.
pub(crate) trait Far: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    type Machine: Machine<Event: Sync, Input: Sync> + Sync;
    /// What the outside may do by itself.
    type Act: Clone + PartialEq + Debug + Send + Sync;

    fn acts(&self, at: &Here<'_, Self::Machine>, acts: &mut Vec<Self::Act>);
    /// Does it; answers the letters it posts.
    fn act(&mut self, act: &Self::Act, at: &Here<'_, Self::Machine>) -> Vec<<Self::Machine as Machine>::Event>;
    /// Every answer that a query may get now, in words.
    fn sights(&self, at: &Here<'_, Self::Machine>) -> Vec<Sight<Self>>;
    /// Whether it is one of the surprises that are bounded in number.
    fn surprises(&self, act: &Self::Act) -> bool;
    /// What the provider may make of a request that changes something.
    fn hows(&self, request: &Request, at: &Here<'_, Self::Machine>) -> Vec<How>;
    /// Whether a request may arrive twice.
    fn repeats(&self) -> bool;
    fn process(&mut self, request: &Request, how: How, at: &Here<'_, Self::Machine>) -> Verdict<Answer>;
    /// The truth about a send that leaves now.
    fn leaves(&mut self, request: &Request, at: &Here<'_, Self::Machine>) -> Result<(), Broken>;
    /// The truth about what has just been committed.
    fn committed(&mut self, before: &Self::Machine, at: &Here<'_, Self::Machine>) -> Result<(), Broken>;
    /// Whether an answer says that the call in doubt is not applied.
    fn negative(answer: &Verdict<Answer>) -> bool;
    /// What the model ends at, beside rest.
    fn over(&self, machine: &Self::Machine) -> bool;
}

/// What may be seen of the world when the outside acts.
pub(crate) struct Here<'a, M: Machine> {
    pub(crate) machine: &'a M,
    pub(crate) ledger: &'a Ledger,
    pub(crate) now: Time,
    /// Surprises that may still happen.
    pub(crate) left: u8,
    /// A letter waits to be read.
    pub(crate) unread: bool,
    /// Requests under way.
    pub(crate) flights: usize,
    /// How long a request may be under way, and a copy may lag.
    pub(crate) quarantine: Duration,
    /// How far the clocks of the fleet lie apart (A4).
    pub(crate) skew: Duration,
}

/// An answer that a query may get, in words; and the far side after it: what moves there by itself shows when it is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Sight<F> {
    pub(crate) word: &'static str,
    pub(crate) answer: Verdict<Answer>,
    pub(crate) far: F,
    pub(crate) surprise: bool,
}

/// What a provider may make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum How {
    Apply,
    Refuse,
}

/// The row of the instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Row<S, E> {
    pub(crate) state: S,
    pub(crate) claims: u8,
    /// The worker whose token it carries, and the tick at which its lease has lapsed.
    pub(crate) holder: Option<(u8, Tick)>,
    pub(crate) wake_at: Option<Time>,
    /// Unread letters, oldest first.
    pub(crate) letters: Vec<E>,
    /// One of them came after the live claim.
    pub(crate) unseen: bool,
}

/// What a worker has done and not committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Draft {
    pub(crate) moved: bool,
    pub(crate) writes: Vec<Write>,
    pub(crate) consumed: usize,
    pub(crate) not_after: Option<Time>,
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        !self.moved && self.consumed == 0
    }
}

/// What a worker with a claim is about to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Commit the draft, and keep the claim for the call that follows, or end it (with a delay, or when the machine says).
    Committing { keep: bool, wake_at: Option<Time> },
    /// Ask a question; since when, for its answer may come late.
    Looking { request: Kept<Request>, asked: Tick },
    /// Send what changes something: the gate comes last.
    Sending(Kept<Request>),
    /// Wait for its answer.
    Awaiting { request: Kept<Request>, sent_at: Time },
}

/// A worker that holds a claim, or believes it does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hand<S> {
    pub(crate) phase: Phase,
    pub(crate) machine: S,
    pub(crate) draft: Kept<Draft>,
    pub(crate) claims: u8,
    pub(crate) until: Tick,
    /// Nobody has committed since it read the row: what the compare of the revision says.
    pub(crate) current: bool,
    pub(crate) taken_over: bool,
    pub(crate) sent: bool,
    /// The freeze switch as it was when the row was taken.
    pub(crate) frozen: bool,
}

/// A request on the wire. It arrives while its `tick` is younger than the quarantine, or never.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Flight {
    pub(crate) request: Kept<Request>,
    pub(crate) tick: Tick,
    /// The worker that still waits for the answer.
    pub(crate) to: Option<u8>,
}

/// What S-G is judged by: the last send without a definite answer, and the negative probes since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Watch {
    pub(crate) sent: Option<Time>,
    pub(crate) negatives: u8,
    pub(crate) last_negative: Option<Time>,
    /// The first request; every other must be the same, but for the one revision.
    pub(crate) first: Option<Kept<Request>>,
    pub(crate) sends: u8,
}

/// The stored forms of a far side's machine.
pub(crate) type State<F> = Kept<<F as Far>::Machine>;
pub(crate) type Event<F> = Kept<<<F as Far>::Machine as Machine>::Event>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World<F: Far> {
    pub(crate) row: Row<State<F>, Event<F>>,
    pub(crate) ledger: Ledger,
    pub(crate) hands: [Option<Hand<State<F>>>; 2],
    pub(crate) net: Vec<Flight>,
    pub(crate) far: F,
    pub(crate) tick: Tick,
    /// Seconds by which the second worker's clock is off.
    pub(crate) skew: i8,
    pub(crate) frozen: bool,
    /// Surprises that may still happen: faults, odd words, and what people do.
    pub(crate) left: u8,
    pub(crate) watch: Watch,
    pub(crate) broken: Option<Broken>,
}
