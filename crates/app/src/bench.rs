//! `levee bench`: what one durable step costs, measured so that other engines can be measured the same way.
//!
//! The far side, the server and whoever drives them are processes of their own, so that each one's cost is its own. Nothing is
//! cached or skipped that the product would do: the server is the product's engine, worker, committers and accept loop.

mod bare;
mod drive;
mod far;
mod fleet;
mod floor;
mod http;
mod meter;
mod parked;
mod real;
mod report;

use crate::client::Output;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::process::ExitCode;

#[derive(Subcommand, Debug)]
pub(crate) enum Bench {
    /// Three durable steps: a call, a signal from outside, a call.
    Bare(Bare),
    /// Orders with one remit each, from a payday file to levied, against the simulators.
    Real(real::Real),
    /// Several workers on one PostgreSQL: rate and cost, fairness, a dead provider, a rate limit.
    Fleet(fleet::Fleet),
    /// Whether anything grows with the number of orders that wait: the same figures with none, and with very many beside them.
    Parked(parked::Parked),
    /// The far side of the bare workload alone.
    Far(Far),
    /// What the same PostgreSQL does with nothing in front of it: one transaction a step, and batches.
    Floor(floor::Floor),
}

#[derive(Args, Debug, Clone)]
pub(crate) struct Bare {
    /// An empty database that may be filled: sqlite://PATH or postgres://…; default: SQLite in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Only serve the workload here, to be driven from outside: POST /start/{id}, POST /cb/{id}, GET /donecount, GET /donetimes.
    #[arg(long, value_name = "ADDR", requires = "stub")]
    listen: Option<SocketAddr>,
    /// The far side that is called: GET {stub}/create/{id} and GET {stub}/confirm/{id}.
    #[arg(long, value_name = "URL")]
    stub: Option<String>,
    /// Lifecycles of the throughput run.
    #[arg(long, default_value_t = 30_000, value_name = "N")]
    lifecycles: usize,
    /// Lifecycles begun and not yet done, at most.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    outstanding: usize,
    /// Seconds of the latency run, at 50 lifecycles a second; 0 leaves it out.
    #[arg(long, default_value_t = 20, value_name = "S")]
    latency_seconds: u64,
    /// Seconds for each of PostgreSQL's own limits beside it; 0 leaves them out.
    #[arg(long, default_value_t = 10, value_name = "S")]
    floor_seconds: u64,
    /// Rows driven at once by the server; with `--lane` besides those whose calls are under way.
    #[arg(long, default_value_t = 1024, value_name = "N")]
    concurrency: usize,
    /// Milliseconds that a group of several waits for more.
    #[arg(long, default_value_t = 2, value_name = "MS")]
    linger: u64,
    /// Most turns in one commit; 1 turns group commit off.
    #[arg(long, default_value_t = 512, value_name = "N")]
    group: usize,
    /// Calls under way in one lane of the server; default: as many as rows.
    #[arg(long, value_name = "N")]
    lane: Option<usize>,
    /// Calls a second in one lane of the whole fleet, at most.
    #[arg(long, value_name = "N")]
    rate: Option<i64>,
    /// The far side of a second account, whose rows are there already.
    #[arg(long, value_name = "URL", requires = "listen")]
    other: Option<String>,
    /// Takes in, but drives nothing before POST /work.
    #[arg(long, requires = "listen")]
    hold: bool,
}

#[derive(Args, Debug, Clone)]
pub(crate) struct Far {
    #[arg(long, default_value = "127.0.0.1:9099", value_name = "ADDR")]
    listen: SocketAddr,
    /// Signals each created lifecycle so many milliseconds later.
    #[arg(long, default_value_t = 100, value_name = "MS")]
    signal_after: u64,
}

impl Bench {
    pub(crate) async fn run(self, output: &Output) -> Result<ExitCode> {
        match self {
            Bench::Bare(bare) if bare.listen.is_some() => bare::serve(&bare).await,
            Bench::Bare(bare) => drive::bare(&bare, output).await,
            Bench::Real(real) => real.run(output).await,
            Bench::Fleet(fleet) => fleet.run(output).await,
            Bench::Parked(parked) => parked.run(output).await,
            Bench::Far(far) => far::serve(&far).await,
            Bench::Floor(floor) => floor.run(output).await,
        }
    }
}
