//! The engine: claims due machines, drives them, commits, receives. It runs any workflow of the book and knows none by name
//! (design.md §4).
//!
//! The row is the truth, the job is a doorbell. Everything here is a plain function: no task is spawned, nothing sleeps but
//! [`Engine::ask`] waiting for its answer, and there is no clock of its own. Clock, store and transport are handed in, so the
//! simulation runs this same code on virtual time. Fetcher, committer and rings live in `worker`.
//!
//! What must hold, and where it is kept:
//!
//! 1. The claim is durable before any byte leaves (principle 4): `drive` commits every pending transition before a call that
//!    changes something, and that commit is the write-ahead record.
//! 2. A row claimed twice in one state has perhaps been sent: `found` is applied and committed before anything else (F2, F3).
//! 3. Every gate stands at every send: `call` asks again just before the first byte, with a fresh clock and fresh freezes (F86).
//! 4. What is acknowledged is durable: `receive` and `post` answer after the commit (S-F).
//! 5. A claim is given back only by who knows that nothing was sent under it.

#[cfg(test)]
extern crate self as engine;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

mod rules;
mod bell;
mod seat;
mod submit;
mod post;
mod receive;
mod intake;
mod lanes;
mod claim;
mod drive;
mod call;
mod together;
mod require;
mod finish;
mod draft;
mod commit;
mod settle;
mod watch;
mod auditor;
mod refresh;

pub use auditor::Auditor;
pub use bell::Bell;
pub use commit::{Committer, Waiting, commit_group};
pub use drive::Driven;
pub use intake::{Arrival, Intake, take_group};
pub use post::Ask;
pub use providers::Rejected;
pub use receive::{Ack, NotTaken};
pub use rules::{Limits, Rules};
pub use store::Claimed;
pub use submit::{New, NewGuard};
pub use watch::{Doubts, Figures};

use domain::papers::{Bounds, FileKind};
use domain::{Clock, Operation, Time};
use providers::Providers;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::{Moment, Store};
use workflows::Freezes;

/// One engine; clones are handles to the same one.
#[derive(Clone)]
pub struct Engine {
    pub store: Store,
    pub providers: Arc<Providers>,
    pub clock: Clock,
    pub rules: Arc<Rules>,
    pub bell: Bell,
    pub intake: Intake,
    lanes: lanes::Lanes,
    freezes: Arc<RwLock<Frozen>>,
    stopping: Arc<AtomicBool>,
    /// Lanes of calls that several machines may share.
    shared_lanes: Vec<String>,
}

/// The freeze switches as last read, and when (real time).
#[derive(Default)]
struct Frozen {
    switches: Arc<Freezes>,
    read_at: Option<Time>,
}

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("find workflow {0} in the process book")]
    UnknownWorkflow(String),
    #[error("read the first state of a machine")]
    Undecodable(#[from] workflows::book::Undecodable),
    #[error("find instance {0}")]
    UnknownInstance(domain::InstanceId),
}

/// What every fallible function of the engine answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Engine {
    pub fn new(store: Store, providers: Providers, clock: Clock, rules: Rules) -> Self {
        let shared_lanes = seat::shared_lanes(providers.names());
        Self {
            store,
            providers: Arc::new(providers),
            clock,
            rules: Arc::new(rules),
            bell: Bell::default(),
            intake: Intake::default(),
            lanes: lanes::Lanes::default(),
            freezes: Arc::default(),
            stopping: Arc::default(),
            shared_lanes,
        }
    }

    /// The two times of now.
    pub fn moment(&self) -> Moment {
        Moment { business: self.clock.now(), real: self.clock.real() }
    }

    /// How many rows a worker must be able to drive at once, so that so many are never without a place: calls of a dead provider may
    /// hold one each until they time out, as many as its lanes are wide.
    pub fn places(&self, besides: usize) -> usize {
        let groups: BTreeSet<&str> = Operation::ALL.into_iter().map(Operation::group).collect();
        let width = |account: &str| -> usize {
            groups.iter().map(|group| self.rules.limits(&format!("{account}:{group}")).concurrency).sum()
        };
        besides + self.providers.names().map(width).sum::<usize>()
    }

    /// The most that an account's provider takes of a file; `None` where it takes none.
    pub fn bounds(&self, account: &str, kind: FileKind) -> Option<Bounds> {
        self.providers.bounds(account, kind)
    }

    /// From now on no call is begun; what is under way ends by itself (F7).
    pub fn stop_sending(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn freezes(&self) -> Arc<Freezes> {
        self.freezes.read().unwrap_or_else(PoisonError::into_inner).switches.clone()
    }

    /// The business time that a real delay from now ends at.
    pub(crate) fn after(&self, delay: Duration) -> Time {
        let speed = u128::try_from(self.clock.pace().speed_milli.max(1)).unwrap_or(1000);
        let business = delay.as_millis().saturating_mul(speed) / 1000;
        self.clock.now() + Duration::from_millis(u64::try_from(business).unwrap_or(u64::MAX))
    }
}
