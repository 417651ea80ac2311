//! What the server and its database have used: processor time from /proc, log and flushes from PostgreSQL, and what one flush takes
//! on the same disk.

use super::http::Connection;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fs::{self, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Clock ticks a second in /proc, on every Linux that levee runs on.
const TICKS: u64 = 100;

/// One reading.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) spent: Spent,
    pub(super) server_ms: u64,
    pub(super) database_ms: u64,
    pub(super) peak_kib: u64,
}

/// As `GET /spent` says it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Spent {
    pub(super) statements: u64,
    pub(super) commits: u64,
    pub(super) wal_bytes: Option<u64>,
    pub(super) flushes: Option<u64>,
    backend: Option<u32>,
    pub(super) data_directory: Option<String>,
}

impl Reading {
    /// Together with another server of the same database.
    pub(super) fn and(self, other: Reading) -> Reading {
        let (spent, more) = (self.spent, other.spent);
        let spent =
            Spent { statements: spent.statements + more.statements, commits: spent.commits + more.commits, ..more };
        Reading {
            spent,
            server_ms: self.server_ms + other.server_ms,
            database_ms: other.database_ms,
            peak_kib: self.peak_kib + other.peak_kib,
        }
    }
}

/// A process's line of /proc/PID/stat, as far as it is needed.
struct Stat {
    parent: u32,
    own_ms: u64,
    with_children_ms: u64,
}

pub(super) async fn read(server: &mut Connection, pid: u32) -> Result<Reading> {
    let spent: Spent = serde_json::from_str(&server.text("/spent").await?).context("read what was spent")?;
    let database_ms = spent.backend.map_or(Some(0), database_ms).context("read PostgreSQL's processes")?;
    let server_ms = stat(pid).context("read the server's process")?.own_ms;
    Ok(Reading { spent, server_ms, database_ms, peak_kib: peak_kib(pid).unwrap_or(0) })
}

/// Of all processes of one PostgreSQL server: those that live, and those that its postmaster has buried.
pub(super) fn database_ms(backend: u32) -> Option<u64> {
    let postmaster = stat(backend)?.parent;
    let living = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = living.filter_map(stat).filter(|stat| stat.parent == postmaster).map(|stat| stat.own_ms);
    Some(children.sum::<u64>() + stat(postmaster)?.with_children_ms)
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold blanks.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ms = |field: usize| fields.get(field)?.parse::<u64>().ok().map(|ticks| ticks * 1000 / TICKS);
    let own_ms = ms(11)? + ms(12)?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, own_ms, with_children_ms: own_ms + ms(13)? + ms(14)? })
}

/// Processor time of this process so far.
pub(super) fn own_ms() -> Option<u64> {
    Some(stat(std::process::id())?.own_ms)
}

fn peak_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// How long a flush of one page takes on the disk of this folder: the times of as many as fit into the given time.
pub(super) fn flushes(folder: &Path, during: Duration) -> Result<Vec<Duration>> {
    let path = folder.join(format!("levee-flush-{}", std::process::id()));
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path).context("try a flush")?;
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < during {
        let one = Instant::now();
        file.rewind().and_then(|()| file.write_all(&[7; 8192])).context("write a page")?;
        file.sync_data().context("flush a page")?;
        took.push(one.elapsed());
    }
    fs::remove_file(path).context("remove the flushed file")?;
    Ok(took)
}

/// The value that so many per cent of them do not exceed.
pub(super) fn percentile<T: Copy + Ord + Default>(values: &mut [T], per_cent: usize) -> T {
    values.sort_unstable();
    let place = (values.len() * per_cent).div_ceil(100).saturating_sub(1);
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occur() {
        let mut values: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(
            (percentile(&mut values, 50), percentile(&mut values, 99), percentile(&mut values, 100)),
            (50, 99, 100)
        );
        assert_eq!(percentile(&mut [7_u32], 99), 7);
        assert_eq!(percentile::<u32>(&mut [], 99), 0);
    }

    #[test]
    fn this_process_has_a_parent_and_a_size() {
        let me = stat(std::process::id()).unwrap();
        assert!(me.parent > 0 && me.with_children_ms >= me.own_ms);
        assert!(peak_kib(std::process::id()).unwrap() > 0);
    }
}
