//! One process's worker from start to stop.

use crate::backend::{Due, Rows};
use crate::{fetch, gather, house};
use apalis::prelude::{Event, Monitor, MonitorError, ParallelizeExt, WorkerBuilder, WorkerBuilderExt};
use engine::{Claimed, Committer, Engine, commit_group};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{RwLock, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How one process works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rows driven at once.
    pub concurrency: usize,
    /// How long a due row waits at most for a worker when no ring is heard (F15).
    pub poll: Duration,
    /// Most turns in one commit.
    pub group: usize,
    /// Commits under way at once: one for SQLite, which has one writer.
    pub committers: usize,
    /// How long a group of several waits for more, claims and commits alike: the bound on what grouping adds to each step.
    pub linger: Duration,
    /// How long calls under way may still take when the worker is told to stop (F7).
    pub grace: Duration,
    /// How often gauges are set, and how often the safety audits run.
    pub figures: Duration,
    pub audits: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            poll: Duration::from_millis(50),
            group: 512,
            committers: 1,
            linger: Duration::from_millis(2),
            grace: Duration::from_secs(25),
            figures: Duration::from_secs(15),
            audits: Duration::from_secs(300),
        }
    }
}

/// Why a worker ended that was not told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("keep the workers running")]
    Monitor(#[source] MonitorError),
    #[error("keep the workers running: they ended by themselves")]
    Ended,
}

pub type Result<T> = std::result::Result<T, Error>;

/// How long the last writes of abandoned turns are waited for.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Works until told to stop, and then: claims no more, begins no call, ends or abandons those under way, gives claims back, flushes.
/// An error means that the process should end: a supervisor starts it afresh, and the rows are where they were.
pub async fn run(engine: Engine, stop: CancellationToken, options: Options) -> Result<()> {
    let helpers = CancellationToken::new();
    let _ends_helpers = helpers.clone().drop_guard();
    let stopping = async {
        stop.cancelled().await;
        engine.stop_sending();
        helpers.cancel();
        Ok(())
    };
    let (hand_over, rows) = mpsc::channel(options.concurrency.div_ceil(2));
    engine.intake.hand_to(hand_over.downgrade());
    let (turns, committers) =
        gather::spawn(&engine, &options, |engine, group| async move { commit_group(&engine, group).await });
    let committer = Committer::Grouped(turns);
    let pace = fetch::Pace { poll: options.poll, linger: options.linger };
    let fetcher = tokio::spawn(fetch::fetch(engine.clone(), hand_over, helpers.clone(), pace));
    let housekeeper = tokio::spawn(house::keep(engine.clone(), helpers.clone(), options.clone()));
    let monitor = monitor(&engine, Rows(Arc::new(Mutex::new(rows))), committer, &options, stop.clone());
    let ended = tokio::select! {
        ended = monitor.run_with_signal(stopping) => Some(ended),
        () = over(&stop, options.grace) => None,
    };
    helpers.cancel();
    if ended.is_none() {
        tracing::warn!("abandoned the calls still under way: their leases lapse, and what they did is asked for");
    }
    let told = stop.is_cancelled();
    let _ = timeout(LAST_WRITES, last_writes(&engine, fetcher, committers)).await;
    housekeeper.abort();
    match ended {
        Some(Err(error)) => Err(Error::Monitor(error)),
        Some(Ok(())) | None if told => Ok(()),
        Some(Ok(())) | None => Err(Error::Ended),
    }
}

/// The apalis worker. Every row runs in a task of its own (all cores, and a panic is that row's alone, F10); the limit stands
/// outside, so that no row leaves the channel before it can begin. A suspect waits until all others have ended, and they wait for it:
/// if this process dies meanwhile, it was that row (F11).
fn monitor(engine: &Engine, rows: Rows, committer: Committer, options: &Options, stop: CancellationToken) -> Monitor {
    let (engine, concurrency) = (engine.clone(), options.concurrency);
    // Never the name of an earlier process: apalis treats a known name as its own past.
    let name = format!("levee-{}-{}", std::process::id(), engine.clock.real().millis());
    let company = Arc::new(RwLock::new(()));
    let worker = move |restarts: usize| {
        let (drives, committer, company) = (engine.clone(), committer.clone(), company.clone());
        let drive = move |row: Claimed| {
            let (engine, committer, company) = (drives.clone(), committer.clone(), company.clone());
            async move {
                if row.suspect() {
                    let _alone = company.write().await;
                    engine.drive(row, &committer).await;
                } else {
                    let _with_others = company.read().await;
                    engine.drive(row, &committer).await;
                }
            }
        };
        WorkerBuilder::new(format!("{name}-{restarts}"))
            .backend(Due::new(engine.clone(), rows.clone()))
            .concurrency(concurrency)
            .parallelize(tokio::spawn)
            .enable_tracing()
            .catch_panic()
            .build(drive)
    };
    let monitor = Monitor::new().on_event(|_, event| {
        // A drive answers no error: this is a panic, and the row's lease says the rest.
        if matches!(event, Event::Error(_)) {
            tracing::error!("a drive ended in a panic");
        }
    });
    monitor.register(worker).should_restart(move |worker, error| {
        tracing::error!(worker = worker.name(), %error, "worker failed");
        !stop.is_cancelled()
    })
}

/// Ends when the grace after the stop is over.
async fn over(stop: &CancellationToken, grace: Duration) {
    stop.cancelled().await;
    sleep(grace).await;
}

async fn last_writes(engine: &Engine, fetcher: JoinHandle<()>, committers: Vec<JoinHandle<()>>) {
    let _ = fetcher.await;
    for committer in committers {
        let _ = committer.await;
    }
    if let Err(error) = engine.return_tokens().await {
        tracing::debug!(%error, "failed to return tokens");
    }
}
