//! Many runs on a few threads, and what came of them.

use super::plan::Plan;
use super::tally::Tally;
use super::world::{Outcome, World};
use super::{Simulate, coverage, report, shrink};
use anyhow::{Context as _, Result, bail};
use domain::planted::{Bug, plant};
use domain::{Clock, Time};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Options, Scratch};

/// A Monday morning in Beijing, and a day not far from a month's end.
const BEGINS: [&str; 4] = [
    "2026-01-05T09:00:00.000+08:00",
    "2026-03-11T22:30:00.000+08:00",
    "2026-04-28T15:00:00.000+08:00",
    "2026-10-01T00:00:00.000+08:00",
];

/// One run that failed.
pub(super) struct Failure {
    pub(super) plan: Plan,
    pub(super) violations: Vec<String>,
}

pub(super) fn all(options: &Simulate) -> Result<ExitCode> {
    if let Some(name) = &options.plant {
        let bug = Bug::ALL.iter().find(|bug| format!("{bug:?}") == *name);
        let Some(bug) = bug else { bail!("no bug is called {name}: {:?}", Bug::ALL) };
        if !cfg!(debug_assertions) {
            bail!("bugs are planted only in builds with debug assertions");
        }
        plant(Some(*bug));
    }
    let begun = Instant::now();
    let (tally, failures, runs) = run_all(options, begun)?;
    report::print(&tally, runs, begun.elapsed());
    let thin = coverage::thin(&tally, options);
    for line in &thin {
        println!("thin coverage: {line}");
    }
    for failure in &failures {
        let least = if options.no_shrink { None } else { Some(shrink::shrink(failure, &options.database)?) };
        print_failure(options, failure, least.as_ref());
    }
    let good = failures.is_empty() && thin.is_empty();
    println!("{} violations", failures.iter().map(|failure| failure.violations.len()).sum::<usize>());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn run_all(options: &Simulate, begun: Instant) -> Result<(Tally, Vec<Failure>, u64)> {
    let (next, stop) = (AtomicU64::new(options.seed), AtomicBool::new(false));
    let end = options.seed + options.seeds;
    let limit = options.minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let (tally, failures, runs) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()), AtomicU64::new(0));
    let without: BTreeSet<_> = options.without.iter().copied().collect();
    let work = || -> Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            let late = limit.is_some_and(|limit| begun.elapsed() > limit);
            if seed >= end || late || stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            let plan = Plan::draw(seed, options.orders, options.intensity, &without);
            let outcome = one(&plan, &options.database, options.aloud)?;
            runs.fetch_add(1, Ordering::SeqCst);
            if options.digests {
                println!("seed {seed}: {}", outcome.trace);
            }
            let violations = outcome.violations;
            tally.lock().unwrap_or_else(PoisonError::into_inner).add(outcome.tally);
            if !violations.is_empty() {
                let orders = tally.lock().unwrap_or_else(PoisonError::into_inner).orders;
                println!("caught: seed {seed} after {orders} orders: {}", violations[0]);
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(Failure { plan, violations });
                stop.store(options.first || failures.len() >= 5, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a run broke off"))??;
        }
        Ok(())
    })?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((tally, failures, runs.into_inner()))
}

/// One run from its plan, on a fresh store of its own.
pub(super) fn one(plan: &Plan, database: &str, aloud: bool) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("make a runtime")?;
    let seed = usize::try_from(plan.seed).unwrap_or(0);
    let begin = Time::parse(BEGINS[seed % BEGINS.len()]).context("read the beginning")?;
    let clock = Clock::manual(begin);
    runtime.block_on(async {
        let options = Options {
            master_key: [7; 32],
            dev: true,
            pool_size: 4,
            clock: clock.clone(),
            exclusive: true,
            blobs: store::Blobs::Database,
        };
        let scratch = Scratch::open(database, options).await.context("make a scratch database")?;
        let world = World::new(plan.clone(), scratch.clone(), clock, aloud).await?;
        let outcome = world.run().await;
        scratch.drop().await.context("drop the scratch database")?;
        outcome
    })
}

fn print_failure(options: &Simulate, failure: &Failure, least: Option<&Failure>) {
    println!("\nseed {} FAILED; its options: {:?}", failure.plan.seed, failure.plan);
    for violation in failure.violations.iter().take(20) {
        println!("  {violation}");
    }
    println!("replay: {}", command(options, &failure.plan));
    if let Some(least) = least {
        println!("smallest: {}", command(options, &least.plan));
        for violation in least.violations.iter().take(5) {
            println!("  {violation}");
        }
    }
}

/// The command that repeats a run exactly.
fn command(options: &Simulate, plan: &Plan) -> String {
    let mut words =
        format!("levee simulate --seed {} --orders {} --intensity {}", plan.seed, plan.orders, plan.intensity);
    if options.database != "memory:" {
        words.push_str(&format!(" --database {}", options.database));
    }
    if !plan.without.is_empty() {
        let without: Vec<String> = plan.without.iter().map(ToString::to_string).collect();
        words.push_str(&format!(" --without {}", without.join(",")));
    }
    if let Some(bug) = &options.plant {
        words.push_str(&format!(" --plant {bug}"));
    }
    words
}
