//! `levee simulate`: the real engine and store with the simulated provider and bank in one process, on virtual time, from a seed
//! (testing.md §3). Workers crash, pause and race, the far side misbehaves, the database loses connections, people act; and after
//! each run every audit, both ledgers and the search for limbo must find nothing. A failing seed replays exactly.

mod client;
mod core;
mod coverage;
mod dice;
mod ear;
mod near;
mod door;
mod office;
mod oracle;
mod payer;
mod people;
mod plan;
mod report;
mod runs;
mod selftest;
mod shrink;
mod tally;
mod trace;
mod verdict;
mod weather;
mod wire;
mod workers;
mod world;

use crate::client::Output;
use anyhow::Result;
use clap::Args;
use plan::Trouble;
use std::process::ExitCode;

#[derive(Args, Debug, Clone)]
pub(crate) struct Simulate {
    /// How many runs, each with the next seed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Orders per run.
    #[arg(long, default_value_t = 500, value_name = "M")]
    orders: usize,
    /// How much goes wrong: 0, 1, 3, 5.
    #[arg(long, default_value_t = 1, value_name = "I")]
    intensity: u32,
    /// memory:, sqlite:, or the URL of a PostgreSQL server on which scratch databases may be made.
    #[arg(long, default_value = "memory:", value_name = "URL")]
    database: String,
    /// Runs at once.
    #[arg(long, default_value_t = 2, value_name = "N")]
    threads: usize,
    /// Begin no further run after so many minutes.
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Leave these troubles out.
    #[arg(long, value_delimiter = ',', value_name = "TROUBLES")]
    without: Vec<Trouble>,
    /// Plant a bug on purpose (builds with debug assertions only).
    #[arg(long, value_name = "BUG")]
    plant: Option<String>,
    /// Plant every bug in turn, each in a process of its own; every one must be caught.
    #[arg(long)]
    self_test: bool,
    /// Stop at the first run that fails.
    #[arg(long)]
    first: bool,
    /// Do not look for the smallest run that still fails.
    #[arg(long)]
    no_shrink: bool,
    /// Tell every event as it happens.
    #[arg(long)]
    aloud: bool,
    /// Print the digest of every run.
    #[arg(long)]
    digests: bool,
}

impl Simulate {
    pub(crate) fn run(self, _output: &Output) -> Result<ExitCode> {
        if self.self_test { selftest::all(&self) } else { runs::all(&self) }
    }
}
