//! The processes by name, behind one face for the engine.

use crate::machine::{Cx, Machine, Step};
use crate::needs::Require;
use crate::{
    bare::Bare, batch::Batch, document::Document, draw, id_card_check::IdCardCheck, levy_order::Order, remit::Remit,
    sign_up::SignUp, voucher::Voucher,
};
use domain::record::Write;
use domain::{Answer, Request, Time, Verdict};
use serde::Deserialize as _;
use serde_json::Value;

/// A workflow as the book lists it.
pub struct Entry {
    pub name: &'static str,
    /// Every state as it prints, and whether it is at rest.
    pub states: &'static [(&'static str, bool)],
    load: Load,
    /// The arrows that leave a state at rest, from and to (I14).
    pub leaves_rest: fn() -> Vec<(&'static str, &'static str)>,
    pub mermaid: fn() -> String,
    pub matrix: fn() -> String,
}

/// Input and state to a loaded instance.
type Load = fn(&Value, &Value) -> Result<Box<dyn Running>, Undecodable>;

/// What a running machine wants, with its event kept inside.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Take the transition that is true now: [`Running::record`].
    Record,
    Call(Request),
    Wait(Time),
    Ask(Option<Time>),
    Release {
        after: i64,
        limit: usize,
    },
    Require(Require),
    Rest,
}

/// One transition taken, ready for a history line.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub event: &'static str,
    /// The whole event, serialised: ids and words, no personal data.
    pub detail: Value,
    pub from: &'static str,
    pub to: &'static str,
    pub writes: Vec<Write>,
    /// Real time after which this transition must not be committed.
    pub not_after: Option<Time>,
}

/// Why an event moved nothing.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    #[error(transparent)]
    Illegal(#[from] crate::Illegal),
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
}

/// A row that does not load: quarantined with a case, never guessed at.
#[derive(Debug, thiserror::Error)]
#[error("{what} of workflow {workflow} does not load: {source}")]
pub struct Undecodable {
    pub workflow: &'static str,
    pub what: &'static str,
    source: serde_json::Error,
}

/// One loaded instance. Every method but the readers takes at most one transition.
pub trait Running: Send {
    fn state_name(&self) -> &'static str;
    fn state(&self) -> Value;
    fn resting(&self) -> bool;
    fn want(&self, cx: &Cx<'_>) -> Want;
    /// The transition of [`Want::Record`].
    fn record(&mut self, cx: &Cx<'_>) -> Result<Moved, Wrong>;
    /// What a takeover from a lost worker means; `None` where nothing can have been sent.
    fn found(&mut self, cx: &Cx<'_>) -> Option<Result<Moved, Wrong>>;
    /// An event from the inbox.
    fn hear(&mut self, event: &Value, cx: &Cx<'_>) -> Result<Moved, Wrong>;
    /// A call's outcome. `NotNow` never comes here: it changes nothing.
    fn answered(
        &mut self,
        request: &Request,
        sent_at: Time,
        verdict: Verdict<Answer>,
        cx: &Cx<'_>,
    ) -> Result<Moved, Wrong>;
    fn may_send(&self, request: &Request, cx: &Cx<'_>) -> bool;
    fn class(&self, cx: &Cx<'_>) -> i16;
    fn waits_for(&self) -> Option<String>;
    /// Parks it: `needs_operator` with a case.
    fn park(&mut self, why: &str, cx: &Cx<'_>) -> Moved;
}

/// Every workflow, in reading order.
pub fn all() -> [Entry; 8] {
    [
        entry::<Order>(),
        entry::<Remit>(),
        entry::<SignUp>(),
        entry::<Document>(),
        entry::<IdCardCheck>(),
        entry::<Voucher>(),
        entry::<Batch>(),
        entry::<Bare>(),
    ]
}

pub fn find(name: &str) -> Option<Entry> {
    all().into_iter().find(|entry| entry.name == name)
}

/// Loads an instance of a workflow by name.
pub fn load(name: &str, input: &Value, state: &Value) -> Option<Result<Box<dyn Running>, Undecodable>> {
    find(name).map(|entry| (entry.load)(input, state))
}

/// The states at rest, as `(workflow, state)`: everything else must have an owner (no limbo).
pub fn resting() -> Vec<(String, String)> {
    let rest = |entry: Entry| {
        entry
            .states
            .iter()
            .filter(|(_, rest)| *rest)
            .map(move |(state, _)| (entry.name.to_owned(), (*state).to_owned()))
    };
    all().into_iter().flat_map(rest).collect()
}

fn entry<M: Machine>() -> Entry {
    Entry {
        name: M::NAME,
        states: M::STATES,
        load: load_one::<M>,
        leaves_rest: draw::leaves_rest::<M>,
        mermaid: draw::mermaid::<M>,
        matrix: draw::matrix::<M>,
    }
}

fn load_one<M: Machine>(input: &Value, state: &Value) -> Result<Box<dyn Running>, Undecodable> {
    let bad = |what| move |source| Undecodable { workflow: M::NAME, what, source };
    let input = M::Input::deserialize(input).map_err(bad("input"))?;
    let state = M::deserialize(state).map_err(bad("state"))?;
    Ok(Box::new(Live::<M> { input, state }))
}

struct Live<M: Machine> {
    input: M::Input,
    state: M,
}

impl<M: Machine> Live<M> {
    fn take(&mut self, event: M::Event, cx: &Cx<'_>) -> Result<Moved, Wrong> {
        let from = self.state.name();
        let name = M::event_name(&event);
        let detail = serde_json::to_value(&event).unwrap_or(Value::Null);
        let not_after = M::not_after(&event, cx);
        let next = self.state.clone().apply(&self.input, event, cx)?;
        self.state = next.state;
        Ok(Moved { event: name, detail, from, to: self.state.name(), writes: next.writes, not_after })
    }
}

impl<M: Machine> Running for Live<M> {
    fn state_name(&self) -> &'static str {
        self.state.name()
    }

    fn state(&self) -> Value {
        serde_json::to_value(&self.state).unwrap_or(Value::Null)
    }

    fn resting(&self) -> bool {
        let name = self.state.name();
        M::STATES.iter().any(|(state, rest)| *rest && *state == name)
    }

    fn want(&self, cx: &Cx<'_>) -> Want {
        match self.state.step(&self.input, cx) {
            Step::Record(_) => Want::Record,
            Step::Call(request) => Want::Call(request),
            Step::Wait(until) => Want::Wait(until),
            Step::Ask(until) => Want::Ask(until),
            Step::Release { after, limit } => Want::Release { after, limit },
            Step::Require(require) => Want::Require(require),
            Step::Rest => Want::Rest,
        }
    }

    fn record(&mut self, cx: &Cx<'_>) -> Result<Moved, Wrong> {
        match self.state.step(&self.input, cx) {
            Step::Record(event) => self.take(event, cx),
            Step::Call(_) | Step::Wait(_) | Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest => {
                Err(crate::Illegal { state: self.state.name(), event: "record" }.into())
            }
        }
    }

    fn found(&mut self, cx: &Cx<'_>) -> Option<Result<Moved, Wrong>> {
        let event = self.state.found(cx)?;
        Some(self.take(event, cx))
    }

    fn hear(&mut self, event: &Value, cx: &Cx<'_>) -> Result<Moved, Wrong> {
        let event =
            M::Event::deserialize(event).map_err(|source| Undecodable { workflow: M::NAME, what: "event", source })?;
        self.take(event, cx)
    }

    fn answered(
        &mut self,
        request: &Request,
        sent_at: Time,
        verdict: Verdict<Answer>,
        cx: &Cx<'_>,
    ) -> Result<Moved, Wrong> {
        let event = self.state.answered(request, sent_at, verdict);
        self.take(event, cx)
    }

    fn may_send(&self, request: &Request, cx: &Cx<'_>) -> bool {
        self.state.may_send(&self.input, request, cx)
    }

    fn class(&self, cx: &Cx<'_>) -> i16 {
        self.state.class(&self.input, cx)
    }

    fn waits_for(&self) -> Option<String> {
        self.state.waits_for(&self.input)
    }

    fn park(&mut self, why: &str, cx: &Cx<'_>) -> Moved {
        let from = self.state.name();
        let next = self.state.clone().parked(why, cx);
        self.state = next.state;
        Moved {
            event: "Parked",
            detail: Value::String(why.into()),
            from,
            to: self.state.name(),
            writes: next.writes,
            not_after: None,
        }
    }
}
