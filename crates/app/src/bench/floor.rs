//! What the same PostgreSQL does with nothing in front of it, by pgbench: the limits that a lifecycle of three durable steps (four
//! durable writes) is measured against.

use crate::client::Output;
use crate::show;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[derive(Args, Debug, Clone)]
pub(crate) struct Floor {
    /// A database that may be filled.
    #[arg(long, value_name = "URL")]
    database: String,
    /// Seconds for each of the two.
    #[arg(long, default_value_t = 10, value_name = "S")]
    seconds: u64,
}

/// Lifecycles a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floors {
    /// One transaction a durable write, 32 clients.
    pub(super) single: u64,
    /// 500 durable writes a statement, 4 clients.
    pub(super) batched: u64,
}

const SCHEMA: &str = include_str!("floor/schema.sql");
const SINGLE: &str = include_str!("floor/single.sql");
const BATCHED: &str = include_str!("floor/batched.sql");
/// Writes of one batched statement, and of one lifecycle.
const BATCH: u64 = 500;
const WRITES: u64 = 4;

impl Floor {
    pub(super) async fn run(&self, output: &Output) -> Result<ExitCode> {
        let (database, seconds) = (self.database.clone(), self.seconds);
        let floors = tokio::task::spawn_blocking(move || measure(&database, seconds)).await??;
        let Some(Floors { single, batched }) = floors else { bail!("pgbench is missing: install postgresql-15") };
        if !output.json {
            show::print(&format!("one transaction a step: {single} lifecycles/s\nbatched: {batched} lifecycles/s\n"));
        }
        println!("{}", json!({"floor_single_per_second": single, "floor_batched_per_second": batched}));
        Ok(ExitCode::SUCCESS)
    }
}

/// `None` without pgbench.
pub(super) fn measure(database: &str, seconds: u64) -> Result<Option<Floors>> {
    let Some(pgbench) = found() else { return Ok(None) };
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let run = |name: &str, script: &str, load: &[&str]| {
        let file = folder.path().join(name);
        std::fs::write(&file, script).context("write a script")?;
        rate(&pgbench, database, &file, load)
    };
    let during = seconds.to_string();
    run("schema.sql", SCHEMA, &["-c", "1", "-t", "1"])?;
    let single = run("single.sql", SINGLE, &["-c", "32", "-j", "2", "-M", "prepared", "-T", &during])?;
    let batched = run("batched.sql", BATCHED, &["-c", "4", "-j", "2", "-M", "prepared", "-T", &during])?;
    Ok(Some(Floors { single, batched: batched * BATCH / WRITES }))
}

fn found() -> Option<PathBuf> {
    let known = Path::new("/usr/lib/postgresql/15/bin/pgbench");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("pgbench"));
    std::iter::once(known.to_owned()).chain(on_path).find(|file| file.is_file())
}

/// Whole scripts a second, as pgbench says it.
fn rate(pgbench: &Path, database: &str, script: &Path, load: &[&str]) -> Result<u64> {
    let output = Command::new(pgbench).arg("-n").args(load).arg("-f").arg(script).arg(database).output();
    let output = output.context("run pgbench")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(['.', ' ']).next()?.parse().ok());
    rate.with_context(|| format!("read pgbench's rate: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
