//! What every process is: a state that wants something, and events that move it.

use crate::needs::Require;
use crate::{Freezes, Params, Policy};
use domain::record::Write;
use domain::{Answer, InstanceId, Request, Time, Verdict};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// What a transition may know beside its own state: the time, the instance it happens to, and the rules in force.
#[derive(Debug, Clone, Copy)]
pub struct Cx<'a> {
    pub me: InstanceId,
    pub parent: Option<InstanceId>,
    pub tenant: &'a str,
    pub account: &'a str,
    /// Business time.
    pub now: Time,
    /// Real database time, only for the age of an observation (*f*): where an answer is applied, that of its question.
    pub real: Time,
    /// No claim before this one can have sent what the present state wants.
    pub unsent: bool,
    pub params: &'a Params,
    pub policy: &'a Policy,
    pub freezes: &'a Freezes,
}

/// What a state wants now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<E> {
    /// A fact of time or of the state itself: write it.
    Record(E),
    /// Ask a provider, now.
    Call(Request),
    /// Sleep until then, or until a signal.
    Wait(Time),
    /// A person must act (an open task or case says who and by when); look again at the time given, if any.
    Ask(Option<Time>),
    /// Start the next prepared rows of this batch, after row `after`.
    Release { after: i64, limit: usize },
    /// Let another machine know that this one waits for it, and start it where it may be; answered by `Required`.
    Require(Require),
    /// Nothing, for ever.
    Rest,
}

/// The state after an event, and the rows written with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Next<M> {
    pub state: M,
    pub writes: Vec<Write>,
}

impl<M> Next<M> {
    pub fn to(state: M) -> Self {
        Self { state, writes: Vec::new() }
    }

    pub fn with(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// A row that must be written before the others.
    pub fn with_first(mut self, write: Write) -> Self {
        self.writes.insert(0, write);
        self
    }

    /// And from there at once.
    pub fn then(self, f: impl FnOnce(M) -> Next<M>) -> Self {
        let Next { state, writes } = f(self.state);
        Self { state, writes: self.writes }.and(writes)
    }

    pub fn and(mut self, writes: impl IntoIterator<Item = Write>) -> Self {
        self.writes.extend(writes);
        self
    }
}

/// An event that its state has no arrow for: a bug. The instance is parked, nothing moves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state {state} has no arrow for {event}")]
pub struct Illegal {
    pub state: &'static str,
    pub event: &'static str,
}

/// One state machine. Pure: everything it knows is in its arguments.
pub trait Machine: Sized + Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + 'static {
    /// The workflow's name in rows, API and CLI.
    const NAME: &'static str;
    /// Every state as it prints, in process order, and whether it is at rest.
    const STATES: &'static [(&'static str, bool)];
    /// What it was started with; never changes. Ids and terms, no personal data.
    type Input: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + 'static;
    type Event: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + 'static;

    /// The state's printed name.
    fn name(&self) -> &'static str;
    /// The event's name in histories and matrices.
    fn event_name(event: &Self::Event) -> &'static str;
    /// What this state wants. One arm per state, no `_`.
    fn step(&self, input: &Self::Input, cx: &Cx<'_>) -> Step<Self::Event>;
    /// What to assume when the state is taken over from a dead worker: a call may have been sent.
    fn found(&self, cx: &Cx<'_>) -> Option<Self::Event>;
    /// The fact that a call's outcome is to this state. `sent_at` is the business time just before the write.
    fn answered(&self, request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Self::Event;
    /// The gate at every send: checked again just before the write, whatever was decided before (F86).
    fn may_send(&self, input: &Self::Input, request: &Request, cx: &Cx<'_>) -> bool;
    /// What may happen. One arm per arrow.
    fn apply(self, input: &Self::Input, event: Self::Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal>;
    /// Real time after which a commit of this transition must not happen (a permit older than *f*).
    fn not_after(_event: &Self::Event, _cx: &Cx<'_>) -> Option<Time> {
        None
    }
    /// Hazard class: 0 in doubt or near a deadline, 1 money waiting for its levy, 2 somebody waits for an answer, 3 new work, 4 routine looks.
    fn class(&self, input: &Self::Input, cx: &Cx<'_>) -> i16;
    /// What it waits for, in words (English), for people.
    fn waits_for(&self, input: &Self::Input) -> Option<String>;
    /// Parks the instance because of a bug or an undecodable event: `needs_operator` with a case.
    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self>;
    /// One or more specimens of every state and every event, with an input, from which matrix, diagram and goldens are made.
    fn specimens() -> Specimens<Self>;
}

/// See [`Machine::specimens`].
pub struct Specimens<M: Machine> {
    pub input: M::Input,
    pub states: Vec<M>,
    pub events: Vec<M::Event>,
}
