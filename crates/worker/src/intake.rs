//! The gatherers of what comes in, in a process that serves clients: starts and posts that come together are written together.

use crate::{Options, gather};
use engine::{Arrival, Engine, take_group};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Gatherers at work. What comes in after their end is written one by one.
pub struct TakingIn {
    arrivals: mpsc::Sender<Arrival>,
    gatherers: Vec<JoinHandle<()>>,
}

/// From now on starts and posts of this engine are gathered.
pub fn take_in(engine: &Engine, options: &Options) -> TakingIn {
    let write = |engine, group| async move { take_group(&engine, group).await };
    let (arrivals, gatherers) = gather::spawn(engine, options, write);
    engine.intake.gather(arrivals.downgrade());
    TakingIn { arrivals, gatherers }
}

impl TakingIn {
    /// Writes what is still waiting, and ends.
    pub async fn end(self) {
        drop(self.arrivals);
        for gatherer in self.gatherers {
            let _ = gatherer.await;
        }
    }
}
