//! What a turn has done so far and not yet committed: one commit writes it whole, or not at all (principle 3).

use crate::seat::Seat;
use crate::{Engine, Result};
use domain::planted::{Bug, planted};
use domain::record::Write;
use domain::{Time, ids};
use providers::Exchange;
use serde_json::Value;
use store::{Claimed, Due, Letter, Line, NewExchange, NewInstance, Turn};
use uuid::Uuid;
use workflows::book::{Moved, Running};

/// Transitions taken in memory.
#[derive(Default)]
pub(crate) struct Draft {
    lines: Vec<Line>,
    consumed: Vec<Uuid>,
    writes: Vec<Write>,
    children: Vec<NewInstance>,
    exchanges: Vec<NewExchange>,
    not_after: Option<Time>,
}

/// Whether this worker goes on with the row after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Keeps it until this real time: the commit is the write-ahead record of what comes next.
    Kept(Time),
    /// Gives it up; the row is due again when its machine says so, or at this business time.
    Ended(Option<Time>),
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.consumed.is_empty()
    }

    pub(crate) fn letters(&self) -> usize {
        self.consumed.len()
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Posts that it answers, with the answers.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Uuid, &Value)> {
        self.writes
            .iter()
            .filter_map(|write| if let Write::Answer { ask, body } = write { Some((*ask, body)) } else { None })
    }

    /// Whether it makes another machine due.
    pub(crate) fn wakes_others(&self) -> bool {
        !self.children.is_empty()
            || self.writes.iter().any(|write| matches!(write, Write::Tell { .. } | Write::Spawn(_)))
    }

    /// A transition, with what caused it.
    pub(crate) fn moved(&mut self, moved: Moved, cause: &str, at: Time, exchange: Option<Uuid>) {
        let Moved { event, detail, from, to, writes, not_after } = moved;
        self.lines.push(Line {
            event: event.to_owned(),
            detail,
            from: from.to_owned(),
            to: to.to_owned(),
            at,
            cause: cause.to_owned(),
            exchange,
        });
        self.writes.extend(writes);
        self.not_after = [self.not_after, not_after].into_iter().flatten().min();
    }

    pub(crate) fn read(&mut self, letter: &Letter) {
        self.consumed.push(letter.id);
    }

    pub(crate) fn release(&mut self, children: impl IntoIterator<Item = NewInstance>) {
        self.children.extend(children);
    }

    /// Keeps one call's exact bytes; answers the id that its history line names.
    pub(crate) fn exchanged(&mut self, row: &Claimed, exchange: Exchange, verdict: &str, at: Time) -> Uuid {
        let name = format!("exchange/{}/{}", row.revision, self.exchanges.len());
        let id = ids::derive(at, row.id.0, &name);
        self.exchanges.push(NewExchange {
            id,
            operation: exchange.operation.to_owned(),
            request: exchange.request,
            answer: exchange.answer,
            status: exchange.status,
            verdict: verdict.to_owned(),
            took_ms: i64::try_from(exchange.took.as_millis()).unwrap_or(i64::MAX),
            at,
        });
        id
    }

    /// What is left when its transitions were forbidden: the letters are read, the bytes that went over the wire are kept.
    pub(crate) fn without_transitions(self) -> Self {
        Self { consumed: self.consumed, exchanges: self.exchanges, ..Self::default() }
    }

    /// The turn as the store takes it. Children are prepared here: only the engine knows where they wait first.
    pub(crate) fn turn(
        &self,
        engine: &Engine,
        row: &Claimed,
        seat: &Seat,
        machine: &dyn Running,
        claim: Claim,
    ) -> Result<Turn> {
        let at = engine.clock.now();
        let mut children = self.children.clone();
        let mut writes = Vec::with_capacity(self.writes.len());
        for write in &self.writes {
            if let Write::Spawn(spawn) = write {
                children.push(engine.prepare_child(seat, spawn.clone())?);
            } else {
                writes.push(write.clone());
            }
        }
        let (due, keep_until) = place(seat, machine, claim);
        Ok(Turn {
            id: row.id,
            tenant: row.tenant.clone(),
            account: row.account.clone(),
            token: row.token,
            revision: row.revision,
            head: row.head.clone(),
            state: machine.state(),
            state_name: machine.state_name().to_owned(),
            resting: machine.resting(),
            due,
            seen: if planted(Bug::LostWakeup) { i64::MAX } else { row.signals },
            lines: self.lines.clone(),
            consumed: self.consumed.clone(),
            writes,
            children,
            exchanges: self.exchanges.clone(),
            keep_until,
            not_after: self.not_after,
            at,
        })
    }
}

fn place(seat: &Seat, machine: &dyn Running, claim: Claim) -> (Due, Option<Time>) {
    let due = seat.due(machine);
    match claim {
        Claim::Kept(until) => (due, Some(until)),
        Claim::Ended(None) => (due, None),
        Claim::Ended(Some(wake_at)) => (Due { wake_at: Some(wake_at), ..due }, None),
    }
}
