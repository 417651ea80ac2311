//! # Batch (批量): a payday file, approved by a second person and released row by row
//!
//! ```text
//!   validating ──► approval ──► releasing ⇄ paused
//!                                   └──► done
//! ```
//!
//! Promises. 1. Nothing is released before another person than the uploader approved it.
//!           2. Wrong rows never hold up good ones; each is named with its field and remedy.
//!           3. A row released twice is one order: its business key is unique for ever.
//!
//! The batch only starts orders; how they fare is a query, not a state of it.

use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use domain::record::{OpenTask, Write};
use domain::{Answer, Money, Request, Time, Verdict};
use serde::{Deserialize, Serialize};

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Who uploaded it: another person approves.
    pub uploader: String,
    /// Hex SHA-256 of the upload.
    pub digest: String,
    /// Good rows and their sum.
    pub count: usize,
    pub sum: Money,
    pub wrong: usize,
}

/// Where the batch stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// Its rows are stored.
    Validating,
    /// Waits for a second person, then for its release.
    Approval {
        approved_by: Option<String>,
    },
    /// Orders start, a chunk per turn; `through` is the last row done.
    Releasing {
        through: i64,
        approved_by: String,
    },
    Paused {
        through: i64,
        approved_by: String,
    },
    Done {
        through: i64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    Validated,
    Approved { by: String },
    ReleaseAsked { by: String },
    PauseAsked { by: String },
    RowsReleased { through: i64, last: bool },
}

/// Orders per turn: one commit's worth.
const CHUNK: usize = 200;

impl Machine for Batch {
    const NAME: &'static str = "batch";
    const STATES: &'static [(&'static str, bool)] =
        &[("validating", false), ("approval", false), ("releasing", false), ("paused", false), ("done", true)];
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        match self {
            Batch::Validating => "validating",
            Batch::Approval { .. } => "approval",
            Batch::Releasing { .. } => "releasing",
            Batch::Paused { .. } => "paused",
            Batch::Done { .. } => "done",
        }
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Validated => "Validated",
            Event::Approved { .. } => "Approved",
            Event::ReleaseAsked { .. } => "ReleaseAsked",
            Event::PauseAsked { .. } => "PauseAsked",
            Event::RowsReleased { .. } => "RowsReleased",
        }
    }

    fn step(&self, _input: &Input, _cx: &Cx<'_>) -> Step<Event> {
        match self {
            Batch::Validating => Step::Record(Event::Validated),
            Batch::Approval { .. } | Batch::Paused { .. } => Step::Ask(None),
            Batch::Releasing { through, .. } => Step::Release { after: *through, limit: CHUNK },
            Batch::Done { .. } => Step::Rest,
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        // It calls nobody: a takeover just goes on.
        None
    }

    fn answered(&self, _request: &Request, _sent_at: Time, _verdict: Verdict<Answer>) -> Event {
        // It calls nobody, so nothing answers; validating again is harmless.
        Event::Validated
    }

    fn may_send(&self, _input: &Input, _request: &Request, _cx: &Cx<'_>) -> bool {
        false
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        let done = Write::CloseTasks { at: cx.now };
        match (self, event) {
            (Batch::Validating, Event::Validated) if input.count == 0 => Ok(Next::to(Batch::Done { through: 0 })),
            (Batch::Validating, Event::Validated) => {
                Ok(Next::to(Batch::Approval { approved_by: None }).with(task("approve_batch", cx)))
            }
            (Batch::Approval { approved_by: None }, Event::Approved { by }) if by != input.uploader => {
                Ok(Next::to(Batch::Approval { approved_by: Some(by) }).with(done).with(task("release_batch", cx)))
            }
            (Batch::Approval { approved_by: Some(approved_by) }, Event::ReleaseAsked { .. }) => {
                Ok(Next::to(Batch::Releasing { through: 0, approved_by }).with(done))
            }
            (Batch::Paused { through, approved_by }, Event::ReleaseAsked { .. }) => {
                Ok(Next::to(Batch::Releasing { through, approved_by }).with(done))
            }
            (Batch::Releasing { through, approved_by }, Event::PauseAsked { .. }) => {
                Ok(Next::to(Batch::Paused { through, approved_by }).with(task("release_batch", cx)))
            }
            (Batch::Releasing { .. }, Event::RowsReleased { through, last: true }) => {
                Ok(Next::to(Batch::Done { through }))
            }
            (Batch::Releasing { approved_by, .. }, Event::RowsReleased { through, last: false }) => {
                Ok(Next::to(Batch::Releasing { through, approved_by }))
            }
            // A wish that no longer fits changes nothing; the API has told its sender.
            (batch, Event::Approved { .. } | Event::ReleaseAsked { .. } | Event::PauseAsked { .. }) => {
                Ok(Next::to(batch))
            }
            (_, Event::Validated | Event::RowsReleased { .. }) => Err(illegal),
        }
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        3
    }

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match self {
            Batch::Validating => Some("its rows to be checked".into()),
            Batch::Approval { approved_by: None } => Some("approval by another person than the uploader".into()),
            Batch::Approval { approved_by: Some(_) } => Some("its release".into()),
            Batch::Releasing { .. } => Some("its orders to be started".into()),
            Batch::Paused { .. } => Some("its release to go on".into()),
            Batch::Done { .. } => None,
        }
    }

    /// A batch touches no money: a fault leaves it where it is, with a task.
    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let paused = if let Batch::Releasing { through, approved_by } = self {
            Batch::Paused { through, approved_by }
        } else {
            self
        };
        Next::to(paused).with(task(&format!("internal_fault: {why}"), cx))
    }

    fn specimens() -> Specimens<Self> {
        let by = || "amei".to_owned();
        let input = Input { uploader: "boss".into(), digest: "d".repeat(64), count: 3, sum: Money::ZERO, wrong: 1 };
        let states = vec![
            Batch::Validating,
            Batch::Approval { approved_by: None },
            Batch::Approval { approved_by: Some(by()) },
            Batch::Releasing { through: 200, approved_by: by() },
            Batch::Paused { through: 200, approved_by: by() },
            Batch::Done { through: 3 },
        ];
        let events = vec![
            Event::Validated,
            Event::Approved { by: by() },
            Event::ReleaseAsked { by: by() },
            Event::PauseAsked { by: by() },
            Event::RowsReleased { through: 400, last: false },
            Event::RowsReleased { through: 400, last: true },
        ];
        Specimens { input, states, events }
    }
}

fn task(kind: &str, cx: &Cx<'_>) -> Write {
    let id = domain::ids::derive(cx.now, cx.me.0, &format!("task/{kind}"));
    Write::OpenTask(OpenTask { id, kind: kind.into(), sla_at: cx.now + cx.params.task_sla, at: cx.now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::with_cx;

    #[test]
    fn i24_the_uploader_cannot_approve_his_own_batch() {
        with_cx(|cx| {
            let input = Batch::specimens().input;
            let waiting = Batch::Approval { approved_by: None };
            let same = waiting.clone().apply(&input, Event::Approved { by: "boss".into() }, cx).unwrap();
            assert_eq!(same.state, waiting);
            let other = waiting.apply(&input, Event::Approved { by: "amei".into() }, cx).unwrap();
            assert_eq!(other.state, Batch::Approval { approved_by: Some("amei".into()) });
        });
    }

    #[test]
    fn nothing_is_released_before_the_approval() {
        with_cx(|cx| {
            let input = Batch::specimens().input;
            let waiting = Batch::Approval { approved_by: None };
            assert_eq!(
                waiting.clone().apply(&input, Event::ReleaseAsked { by: "boss".into() }, cx).unwrap().state,
                waiting
            );
        });
    }
}
