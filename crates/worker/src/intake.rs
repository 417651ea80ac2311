//! The gatherers of what comes in, in a process that serves clients: starts and posts that come together are written together.

use crate::Options;
use crate::gather::gather;
use engine::{Arrival, Engine, take_group};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// Gatherers at work. What comes in after their end is written one by one.
pub struct TakingIn {
    arrivals: mpsc::Sender<Arrival>,
    gatherers: Vec<JoinHandle<()>>,
}

/// From now on starts and posts of this engine are gathered.
pub fn take_in(engine: &Engine, options: &Options) -> TakingIn {
    let (arrivals, queue) = mpsc::channel(options.group);
    let queue = Arc::new(Mutex::new(queue));
    engine.intake.gather(arrivals.downgrade());
    let gatherer = || {
        let engine = engine.clone();
        let write = move |group| {
            let engine = engine.clone();
            async move { take_group(&engine, group).await }
        };
        tokio::spawn(gather(queue.clone(), options.group, options.linger, write))
    };
    let gatherers = (0..options.committers.max(1)).map(|_| gatherer()).collect();
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
