//! A simulation that finds nothing when the product is broken is worthless (safety.md §16.5): every planted bug must be caught, each
//! in a process of its own, or stand here with the reason why it cannot do harm.

use super::Simulate;
use crate::show::{self, Style};
use anyhow::{Context as _, Result, bail};
use domain::planted::Bug;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Orders per run of the hunt, and runs at most: 20,000 orders (testing.md §3).
const ORDERS: usize = 50;
const RUNS: u64 = 400;
/// Trouble at which most bugs show early.
const INTENSITY: u32 = 3;

/// Bugs that something else makes harmless, and what.
const EQUIVALENT: [(Bug, &str); 0] = [];

/// What the hunt for one bug found.
struct Caught {
    bug: Bug,
    /// `seed S after N orders: violation`.
    how: Option<String>,
}

pub(super) fn all(options: &Simulate) -> Result<ExitCode> {
    if !cfg!(debug_assertions) {
        bail!("bugs are planted only in builds with debug assertions: --profile simulation");
    }
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::SeqCst)) {
            let how = hunt(*bug, options)?;
            eprintln!("{bug:?}: {}", how.as_deref().unwrap_or("not caught"));
            found.lock().unwrap_or_else(PoisonError::into_inner).push(Caught { bug: *bug, how });
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

fn hunt(bug: Bug, options: &Simulate) -> Result<Option<String>> {
    let levee = std::env::current_exe().context("find this program")?;
    let mut child = Command::new(levee);
    child.args(["simulate", "--no-shrink", "--first", "--threads", "1", "--plant", &format!("{bug:?}")]);
    child.args(["--orders", &ORDERS.to_string(), "--seeds", &RUNS.to_string(), "--seed", &options.seed.to_string()]);
    child.args(["--intensity", &INTENSITY.to_string()]);
    if let Some(minutes) = options.minutes {
        child.args(["--minutes", &minutes.to_string()]);
    }
    let output = child.output().context("start the hunt")?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().find_map(|line| line.strip_prefix("caught: ")).map(str::to_owned))
}

fn table(mut found: Vec<Caught>) -> ExitCode {
    found.sort_by_key(|caught| caught.bug as u8);
    let excuse = |bug: Bug| EQUIVALENT.iter().find(|(equivalent, _)| *equivalent == bug).map(|(_, why)| *why);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|caught| {
            let how = match (&caught.how, excuse(caught.bug)) {
                (Some(how), _) => how.clone(),
                (None, Some(why)) => format!("equivalent: {why}"),
                (None, None) => "NOT CAUGHT".to_owned(),
            };
            vec![format!("{:?}", caught.bug), how]
        })
        .collect();
    println!("{}", show::table(Style::of_stdout(), &["bug", "caught"], &rows));
    let escaped = found.iter().filter(|caught| caught.how.is_none() && excuse(caught.bug).is_none()).count();
    println!("{} of {} bugs caught, {escaped} escaped", found.iter().filter(|c| c.how.is_some()).count(), found.len());
    if escaped == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
