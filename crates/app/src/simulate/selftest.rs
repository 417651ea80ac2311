//! A simulation that finds nothing when the product is broken is worthless (safety.md §16.5): every planted bug must be caught, each
//! in a process of its own, or stand here with the reason why it cannot do harm.

use super::Simulate;
use crate::show::{self, Style};
use anyhow::{Context as _, Result, bail};
use domain::planted::Bug;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Orders per run, and runs of each hunt at most: 20,000 orders in all hunts for a bug (testing.md §3). In a small world nothing is ever late.
const ORDERS: usize = 500;
const RUNS: u64 = 20;
/// Trouble at which most bugs show early, and more of it for those that do not: a question that is under way when its quarantine ends
/// is rare.
const INTENSITIES: [u32; 2] = [3, 5];

/// Bugs that other proofs catch, and why a whole run cannot.
const ELSEWHERE: [(Bug, &str); 1] = [(
    Bug::GateAtDecisionOnly,
    "the model, and f86 beside the engine's call: here a gate is asked within a lease of its decision, and permits ask their own",
)];

/// What the hunt for one bug found; without one it is the control, in which nothing may be found.
struct Caught {
    bug: Option<Bug>,
    /// `seed S after N orders: violation`.
    how: Option<String>,
}

pub(super) fn all(options: &Simulate) -> Result<ExitCode> {
    if !cfg!(debug_assertions) {
        bail!("bugs are planted only in builds with debug assertions: --profile simulation");
    }
    let hunts: Vec<Option<Bug>> = std::iter::once(None).chain(Bug::ALL.iter().copied().map(Some)).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        while let Some(bug) = hunts.get(next.fetch_add(1, Ordering::SeqCst)).copied() {
            let how = hunt(bug, options)?;
            eprintln!("{}: {}", name(bug), how.as_deref().unwrap_or("nothing caught"));
            found.lock().unwrap_or_else(PoisonError::into_inner).push(Caught { bug, how });
        }
        Ok(())
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a hunt broke off"))??;
        }
        Ok(())
    })?;
    Ok(table(found.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

fn name(bug: Option<Bug>) -> String {
    bug.map_or_else(|| "(no bug)".to_owned(), |bug| format!("{bug:?}"))
}

fn hunt(bug: Option<Bug>, options: &Simulate) -> Result<Option<String>> {
    let elsewhere = bug.is_some_and(|bug| ELSEWHERE.iter().any(|(other, _)| *other == bug));
    for intensity in INTENSITIES.into_iter().take(if elsewhere { 1 } else { INTENSITIES.len() }) {
        if let Some(how) = hunt_at(intensity, bug, options)? {
            return Ok(Some(how));
        }
    }
    Ok(None)
}

fn hunt_at(intensity: u32, bug: Option<Bug>, options: &Simulate) -> Result<Option<String>> {
    let levee = std::env::current_exe().context("find this program")?;
    let mut child = Command::new(levee);
    child.args(["simulate", "--no-shrink", "--first", "--threads", "1"]);
    if let Some(bug) = bug {
        child.args(["--plant", &format!("{bug:?}")]);
    }
    child.args(["--orders", &ORDERS.to_string(), "--seeds", &RUNS.to_string(), "--seed", &options.seed.to_string()]);
    child.args(["--intensity", &intensity.to_string()]);
    if let Some(minutes) = options.minutes {
        child.args(["--minutes", &minutes.to_string()]);
    }
    let output = child.output().context("start the hunt")?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().find_map(|line| line.strip_prefix("caught: ")).map(str::to_owned))
}

fn table(mut found: Vec<Caught>) -> ExitCode {
    found.sort_by_key(|caught| caught.bug.map(|bug| bug as u8));
    let elsewhere = |bug: Bug| ELSEWHERE.iter().find(|(other, _)| *other == bug).map(|(_, proof)| *proof);
    let mut wrong = 0;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|caught| {
            let (how, right) = match (caught.bug, &caught.how) {
                (None, None) => ("nothing found, as it must be".to_owned(), true),
                (None, Some(how)) => (format!("FOUND WITHOUT A BUG: {how}"), false),
                (Some(_), Some(how)) => (how.clone(), true),
                (Some(bug), None) => match elsewhere(bug) {
                    Some(proof) => (format!("caught by {proof}"), true),
                    None => ("NOT CAUGHT".to_owned(), false),
                },
            };
            wrong += usize::from(!right);
            vec![name(caught.bug), how]
        })
        .collect();
    println!("{}", show::table(Style::of_stdout(), &["bug", "caught"], &rows));
    let caught = found.iter().filter(|caught| caught.bug.is_some() && caught.how.is_some()).count();
    println!("{caught} of {} bugs caught here, {wrong} wrong", Bug::ALL.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
