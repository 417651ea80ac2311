//! How a claim ends: committed, given back, dropped, or parked. Everything a drive writes is written here.

use crate::Engine;
use crate::draft::{Claim, Draft};
use crate::drive::{Drive, Driven, End};
use domain::ids;
use domain::planted::{Bug, planted};
use domain::record::{OpenCase, Severity};
use metrics::counter;
use serde_json::json;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;
use store::{Claimed, Committed, Error, LetGo, fail_point};
use workflows::book::{self, Running};

/// When a row that does not load is looked at again: a newer program may know it.
const QUARANTINE: Duration = Duration::from_secs(600);
/// The shortest sleep of a row that changed nothing.
const REST: Duration = Duration::from_millis(100);

impl Drive<'_> {
    /// The state wants to wait: whatever was done becomes durable, and the claim ends.
    pub(crate) async fn finish(&mut self) -> End {
        let due = self.seat.due(self.machine.as_ref());
        match due.wake_at {
            // A time that has passed would bring the row back at once, for ever.
            Some(at) if self.draft.is_empty() => self.give_back(Some(at.max(self.engine.after(REST)))).await.into(),
            Some(_) | None => self.commit(Claim::Ended(None)).await,
        }
    }

    /// Lets the row go for a real delay, with nothing sent: what is pending is committed, else the claim is given back.
    pub(crate) async fn let_go(&mut self, delay: Duration) -> End {
        let wake_at = self.engine.after(delay);
        if self.draft.is_empty() {
            return self.give_back(Some(wake_at)).await.into();
        }
        self.commit(Claim::Ended(Some(wake_at))).await
    }

    /// Makes the draft durable and keeps the claim: claims = 1 in the new state is the write-ahead record of its call.
    pub(crate) async fn commit_and_go_on(&mut self) -> ControlFlow<End> {
        // With its first commit a suspect is a row like any other, and need not be alone any longer.
        if self.row.suspect() || self.turns + 1 >= self.engine.rules.turns_per_claim {
            return Break(self.commit(Claim::Ended(None)).await);
        }
        let until = self.engine.clock.real() + self.engine.rules.lease;
        match self.commit(Claim::Kept(until)).await {
            End::Driven(Driven::Committed) => Continue(()),
            end @ (End::Driven(_) | End::Forbidden(_)) => Break(end),
        }
    }

    async fn commit(&mut self, claim: Claim) -> End {
        let turn = match self.draft.turn(self.engine, &self.row, &self.seat, self.machine.as_ref(), claim) {
            Ok(turn) => turn,
            Err(error) => return End::Forbidden(format!("spawn: {error}")),
        };
        let again = claim == Claim::Ended(None) && turn.due.wake_at.is_some_and(|at| at <= turn.at);
        match self.committer.commit(self.engine, turn).await {
            Ok(Committed::Done { revision, head, signals }) => {
                (self.row.revision, self.row.head) = (revision, head);
                self.committed(claim, signals, again).await.into()
            }
            Ok(Committed::Conflict) => self.conflict().await.into(),
            Ok(Committed::Forbidden(constraint)) => End::Forbidden(constraint),
            Err(Error::Unavailable) if planted(Bug::UnknownCommitIsDone) => {
                let lines = i64::try_from(self.draft.lines().len()).unwrap_or(0);
                let (revision, signals) = (self.row.revision + lines, self.row.signals);
                self.row.revision = revision;
                self.committed(claim, signals, again).await.into()
            }
            Err(error) => self.refused(&error).await.into(),
        }
    }

    async fn committed(&mut self, claim: Claim, signals: i64, again: bool) -> Driven {
        let draft = std::mem::take(&mut self.draft);
        for line in draft.lines() {
            tracing::info!("{} {} {} -> {}: {}", self.row.workflow, self.row.id, line.from, line.to, line.event);
        }
        draft.answers().for_each(|(ask, answer)| self.engine.bell.answered(ask, answer));
        counter!("levee_turns_total", "workflow" => self.row.workflow.clone(), "outcome" => "committed").increment(1);
        (self.turns, self.sent, self.taken_over, self.seat.unsent) = (self.turns + 1, false, false, true);
        if self.machine.resting() {
            self.engine.bell.rested(&self.row.business_key);
        }
        self.row.state = self.machine.state();
        self.row.inbox.clear();
        self.row.claims = 1;
        if again || draft.wakes_others() {
            self.engine.bell.ring();
        }
        let Claim::Kept(until) = claim else { return Driven::Committed };
        self.row.claimed_until = until;
        // What came in meanwhile is heard before anything is sent: the commit has made the row due.
        if signals > self.row.signals { self.give_back(None).await } else { Driven::Committed }
    }

    async fn give_back(&mut self, wake_at: Option<domain::Time>) -> Driven {
        let claim = LetGo { id: self.row.id, token: self.row.token, wake_at };
        match self.committer.let_go(self.engine, claim).await {
            Ok(()) => Driven::LetGo,
            Err(error) => self.refused(&error).await,
        }
    }

    /// Somebody else moved the row, or this turn came too late for its own `not_after`: it is dropped. The claim is given back at
    /// once, unless something may have been sent under it; for who else holds the row the token does not fit.
    async fn conflict(&mut self) -> Driven {
        if !self.sent {
            self.give_back(None).await;
        }
        Driven::Conflict
    }

    /// The store did not take it. Nothing is known to be written, and the lease lapses by itself.
    pub(crate) async fn refused(&mut self, error: &Error) -> Driven {
        match error {
            Error::Unavailable => {
                tracing::warn!(%error, "dropped a turn");
                Driven::Unavailable
            }
            Error::Refused(_) | Error::Forbidden(_) | Error::Schema { .. } => {
                tracing::error!(%error, "dropped a turn");
                Driven::Unavailable
            }
            Error::Corrupt { .. } => quarantine(self.engine, &self.row, &error.to_string(), false).await,
        }
    }

    /// A bug or an attack: the instance is parked as it was before this turn, in doubt where something may have left. Its letters
    /// count as read, the bytes of its calls are kept.
    pub(crate) async fn park_forbidden(&mut self, constraint: &str) -> Driven {
        tracing::error!(constraint, "forbidden turn");
        let untouched = !self.sent;
        match load(&self.row) {
            Ok(machine) => self.machine = machine,
            Err(why) => return quarantine(self.engine, &self.row, &why, untouched).await,
        }
        self.draft = std::mem::take::<Draft>(&mut self.draft).without_transitions();
        if self.sent {
            self.lose_outcome();
        } else {
            self.take_over();
        }
        self.park(&format!("the database forbids it ({constraint})"));
        match self.commit(Claim::Ended(None)).await {
            End::Driven(Driven::Committed) => Driven::Forbidden,
            End::Driven(driven) => driven,
            End::Forbidden(again) => {
                quarantine(self.engine, &self.row, &format!("the database forbids to park it ({again})"), untouched)
                    .await
            }
        }
    }
}

/// The machine of a row, or why it does not load.
pub(crate) fn load(row: &Claimed) -> Result<Box<dyn Running>, String> {
    match book::load(&row.workflow, &row.input, &row.state) {
        Some(Ok(machine)) => Ok(machine),
        Some(Err(undecodable)) => Err(undecodable.to_string()),
        None => Err(format!("workflow {} is not in the process book of this program", row.workflow)),
    }
}

/// A row nobody can drive gets an owner: a case. It is given back for a while, unless something may have been sent under this claim:
/// then its lease lapses, and the count that says so stays.
pub(crate) async fn quarantine(engine: &Engine, row: &Claimed, why: &str, give_back: bool) -> Driven {
    tracing::error!(instance = %row.id, why, "quarantined");
    let now = engine.clock.now();
    let case = OpenCase {
        id: ids::derive(row.created_at, row.id.0, "case/quarantined"),
        kind: "quarantined".to_owned(),
        severity: Severity::High,
        owner_role: "operations".to_owned(),
        opened_at: now,
        sla_at: now + engine.rules.params.case_sla,
        moves: Vec::new(),
        facts: json!({ "why": why, "workflow": row.workflow, "state": row.state_name }),
        group: None,
    };
    fail_point("open_case");
    if engine.store.open_case(row.id, &row.tenant, case).await.is_err() {
        return Driven::Unavailable;
    }
    let claim = LetGo { id: row.id, token: row.token, wake_at: Some(engine.after(QUARANTINE)) };
    if give_back && engine.give_back(vec![claim]).await.is_err() {
        return Driven::Unavailable;
    }
    Driven::Quarantined
}
