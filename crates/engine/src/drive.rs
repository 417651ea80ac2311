//! The turn loop: claim → letters → step → (call) → commit, at most a few turns per claim (design.md §4).
//!
//! 1. A row claimed before in this state has perhaps been sent: `found` comes first, and is committed before any call.
//! 2. Letters are heard in order.
//! 3. Then what the state wants, until it wants to wait.
//! 4. A suspect, claimed again and again without coming to an end, is driven alone ([`Claimed::suspect`]): only deaths of a worker that
//!    did nothing else count against it, and what lay beside the culprit goes on for ever.
//!
//! Nothing is sent on a transition that is not durable, and nothing durable is written but through [`Draft`], and what another machine
//! is told of a need, which is written once however often it is done. A turn whose commit is refused is dropped: the row is the truth,
//! and says what happens next.

use crate::Engine;
use crate::commit::Committer;
use crate::draft::Draft;
use crate::finish::{load, quarantine};
use crate::seat::Seat;
use domain::effect::EffectClass;
use domain::planted::{Bug, planted};
use metrics::counter;
use serde_json::json;
use std::ops::ControlFlow::{self, Break, Continue};
use store::{Claimed, Letter, SUSPECT};
use tracing::Instrument;
use uuid::Uuid;
use workflows::book::{Moved, Running, Want, Wrong};

/// How one claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven {
    /// The last turn is durable.
    Committed,
    /// Given back with nothing sent and nothing written.
    LetGo,
    /// Somebody else moved the row: the turn was dropped.
    Conflict,
    /// A constraint forbade the turn; the instance is parked.
    Forbidden,
    /// The row does not load, or cannot even be parked: a case is open.
    Quarantined,
    /// The store is away. The lease lapses, and `found` deals with it.
    Unavailable,
}

/// Drives alone without coming to an end after which a row is taken for poisoned (F11).
const POISONED: i32 = 10;
/// Steps under one claim, at most: a machine that still wants more turns in circles.
const STEPS: usize = 64;

impl Driven {
    fn outcome(self) -> &'static str {
        match self {
            Driven::Committed => "committed",
            Driven::LetGo => "let_go",
            Driven::Conflict => "conflict",
            Driven::Forbidden => "forbidden",
            Driven::Quarantined => "quarantined",
            Driven::Unavailable => "unavailable",
        }
    }

    /// Committed turns are counted one by one where they become durable.
    pub(crate) fn count(self, workflow: &str) {
        if self != Driven::Committed {
            counter!("levee_turns_total", "workflow" => workflow.to_owned(), "outcome" => self.outcome()).increment(1);
        }
    }
}

impl Engine {
    /// Drives one claimed row as far as it goes now. Whoever drives a suspect drives nothing else meanwhile.
    pub async fn drive(&self, row: Claimed, committer: &Committer) -> Driven {
        let span = tracing::info_span!("drive", instance = %row.id, workflow = row.workflow, state = row.state_name);
        let workflow = row.workflow.clone();
        let driven = drive(self, row, committer).instrument(span).await;
        driven.count(&workflow);
        driven
    }
}

async fn drive(engine: &Engine, mut row: Claimed, committer: &Committer) -> Driven {
    if row.suspect() {
        // Counted before anything of it is touched: what comes next may be the end of this process.
        row.claimed_until = engine.clock.real() + engine.rules.lease;
        match engine.store.single_out(row.id, row.token, row.claimed_until).await {
            Ok(Some(claims)) => row.claims = claims,
            Ok(None) => return Driven::Conflict,
            Err(error) => {
                tracing::warn!(%error, "left a suspect alone");
                return Driven::Unavailable;
            }
        }
    }
    match load(&row) {
        Ok(machine) => Drive::new(engine, row, machine, committer).run().await,
        Err(why) => quarantine(engine, &row, &why, true).await,
    }
}

/// One claim being driven.
pub(crate) struct Drive<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) row: Claimed,
    pub(crate) seat: Seat,
    pub(crate) machine: Box<dyn Running>,
    pub(crate) draft: Draft,
    pub(crate) committer: &'a Committer,
    /// The draft begins with a takeover: durable before anything is sent.
    pub(crate) taken_over: bool,
    /// A call that changes something may have left since the last commit.
    pub(crate) sent: bool,
    /// Commits under this claim.
    pub(crate) turns: usize,
}

/// Why a drive ends, as far as the loop still has to act on it.
pub(crate) enum End {
    Driven(Driven),
    Forbidden(String),
}

impl From<Driven> for End {
    fn from(driven: Driven) -> Self {
        End::Driven(driven)
    }
}

impl<'a> Drive<'a> {
    pub(crate) fn new(engine: &'a Engine, row: Claimed, machine: Box<dyn Running>, committer: &'a Committer) -> Self {
        let seat = Seat::of(engine, &row);
        Self {
            engine,
            row,
            seat,
            machine,
            draft: Draft::default(),
            committer,
            taken_over: false,
            sent: false,
            turns: 0,
        }
    }

    async fn run(mut self) -> Driven {
        let mut end = self.go().await;
        if matches!(end, End::Forbidden(_)) && self.draft.letters() > 1 && !self.sent && self.begin_again() {
            end = self.go().await;
        }
        self.end(end).await
    }

    pub(crate) async fn end(&mut self, end: End) -> Driven {
        match end {
            End::Driven(driven) => driven,
            End::Forbidden(constraint) => self.park_forbidden(&constraint).await,
        }
    }

    /// With the first letter alone, so that the offending one is found and the others are heard.
    fn begin_again(&mut self) -> bool {
        let Ok(machine) = load(&self.row) else { return false };
        self.machine = machine;
        self.draft = Draft::default();
        self.taken_over = false;
        self.row.inbox.truncate(1);
        // The letters left behind count as unseen: the commit makes the row due again.
        self.row.signals -= 1;
        true
    }

    async fn go(&mut self) -> End {
        self.take_over();
        if self.row.claims > SUSPECT + POISONED {
            // Whatever it stumbles over comes later: its letters stay unread.
            self.park(&format!("driven alone {POISONED} times without coming to an end"));
            return self.finish().await;
        }
        for letter in self.row.inbox.clone() {
            self.hear(&letter);
        }
        self.steps().await
    }

    /// What the state wants, until it wants to wait.
    pub(crate) async fn steps(&mut self) -> End {
        for _ in 0..STEPS {
            if let Break(end) = self.step().await {
                return end;
            }
        }
        self.park(&format!("it still wants more after {STEPS} steps"));
        self.finish().await
    }

    /// Somebody held this row in this state, and is gone: a call may have left (F2, F3).
    pub(crate) fn take_over(&mut self) {
        if self.row.claims < 2 || planted(Bug::ForgetTakeover) {
            return;
        }
        let cx = self.seat.cx();
        let (now, found) = (cx.now, self.machine.found(&cx));
        match found {
            Some(Ok(moved)) => {
                self.taken_over = true;
                self.draft.moved(moved, "takeover", now, None);
            }
            Some(Err(wrong)) => self.park(&wrong.to_string()),
            // Nothing says what to assume, so nothing may be sent.
            None if self.wants_effect() => {
                self.park("its call may have been sent, and its state does not say what to assume then")
            }
            None => {}
        }
    }

    /// Something may have left in this state, and its outcome cannot be written: the same as a lost worker.
    pub(crate) fn lose_outcome(&mut self) {
        self.row.claims = self.row.claims.max(2);
        self.seat.unsent = false;
        self.take_over();
    }

    fn wants_effect(&self) -> bool {
        let want = self.machine.want(&self.seat.cx());
        matches!(want, Want::Call(request) if request.operation().class() != EffectClass::Query)
    }

    fn hear(&mut self, letter: &Letter) {
        self.draft.read(letter);
        let heard = self.machine.hear(&letter.event, &self.seat.cx());
        self.take(heard, &letter.source, None);
    }

    async fn step(&mut self) -> ControlFlow<End> {
        let want = self.machine.want(&self.seat.cx());
        match want {
            Want::Record => {
                let recorded = self.machine.record(&self.seat.cx());
                self.take(recorded, "timer", None);
                Continue(())
            }
            // Boxed: a call's state is large, and whoever drives many at once would carry it for each.
            Want::Call(request) => Box::pin(self.call(request)).await,
            Want::Release { after, limit } => self.release_rows(after, limit).await,
            Want::Require(require) => self.require(&require).await,
            Want::Wait(_) | Want::Ask(_) | Want::Rest => Break(self.finish().await),
        }
    }

    /// Takes a transition into the draft; one that its state has no arrow for parks the instance: a bug must be seen.
    pub(crate) fn take(&mut self, moved: std::result::Result<Moved, Wrong>, cause: &str, exchange: Option<Uuid>) {
        match moved {
            Ok(moved) => self.draft.moved(moved, cause, self.engine.clock.now(), exchange),
            Err(wrong) => self.park(&wrong.to_string()),
        }
    }

    pub(crate) fn park(&mut self, why: &str) {
        tracing::error!(why, "parked");
        let cx = self.seat.cx();
        let (now, moved) = (cx.now, self.machine.park(why, &cx));
        self.draft.moved(moved, "engine", now, None);
    }

    /// The next prepared rows of a batch become machines in the commit that says so.
    async fn release_rows(&mut self, after: i64, limit: usize) -> ControlFlow<End> {
        let rows = match self.engine.store.prepared(self.row.id, after, limit).await {
            Ok(rows) => rows,
            Err(error) => return Break(self.refused(&error).await.into()),
        };
        let through = rows.last().map_or(after, |(row, _)| *row);
        let event = json!({ "RowsReleased": { "through": through, "last": rows.len() < limit } });
        self.draft.release(rows.into_iter().map(|(_, child)| child));
        let heard = self.machine.hear(&event, &self.seat.cx());
        self.take(heard, "timer", None);
        self.commit_and_go_on().await
    }
}
