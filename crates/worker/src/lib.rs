//! The fleet's hands, and the only apalis in levee: Monitor, WorkerBuilder and tower layers over a `Backend` of our own on due rows
//! (dependencies.md fact 1).
//!
//! Whoever knows anything durable is the engine; here are the tasks that keep it going. A **fetcher** claims rows as there is room
//! and a **channel** holds them; the **worker** drives up to 64 at once; a **committer** writes turns that end together in one
//! transaction; the **housekeeper** keeps clock, freezes and figures fresh. Losing any of them, or the process, loses no row: leases
//! lapse, and `found` deals with what may have been sent.
//!
//! What is absent: apalis keeps no table here, retries nothing, and no layer drops a turn that runs: a timeout between a call and
//! its commit would make a doubt where there is an answer.

#[cfg(test)]
#[path = "../../engine/tests/support/mod.rs"]
mod support;

mod fetch;
mod backend;
mod gather;
mod intake;
mod house;
mod run;

pub use intake::{TakingIn, take_in};
pub use run::{Error, Options, Result, run};

use engine::Engine;

/// Drives in the current task, committing each turn by itself, until nothing is due: tests and the demo.
pub async fn until_idle(engine: &Engine) -> std::result::Result<usize, engine::Error> {
    engine.until_idle().await
}
