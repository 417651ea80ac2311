//! Drives the bare workload from outside: starts far side and server as processes, and counts what comes of it.

use super::http::Connection;
use super::meter::{self, Reading};
use super::report::{self, Latency, Rate, Report};
use super::{Bare, floor};
use crate::client::Output;
use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, interval, sleep};

/// Connections that start lifecycles.
const STARTERS: usize = 64;
/// Lifecycles a second in the latency run.
const PER_SECOND: u64 = 50;
/// Lifecycles that warm everything up before anything is counted.
const WARM_UP: usize = 2000;
/// PostgreSQL's processes hand their counts in about once a second.
const COUNTS_ARRIVE: Duration = Duration::from_millis(1500);
/// Nothing is done for so long: something is wrong.
const STUCK: Duration = Duration::from_secs(30);

/// A process of this program, and where it listens.
struct Part {
    child: Child,
    url: String,
}

struct Drive {
    server: Part,
    far: Part,
    control: Connection,
    begun: usize,
}

pub(super) async fn bare(options: &Bare, output: &Output) -> Result<ExitCode> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let lite = format!("sqlite://{}/levee.db", folder.path().display());
    let database = options.database.clone().unwrap_or(lite);
    let far = Part::start(&["far", "--listen", "127.0.0.1:0"]).await?;
    let [concurrency, group, linger] =
        [options.concurrency.to_string(), options.group.to_string(), options.linger.to_string()];
    let server = ["bare", "--listen", "127.0.0.1:0", "--stub", &far.url, "--database", &database];
    let tuned = ["--concurrency", &concurrency, "--group", &group, "--linger", &linger];
    let server = Part::start(&[&server[..], &tuned[..]].concat()).await?;
    let whom = server.url.trim_start_matches("http://").to_owned();
    Connection::open(&far.url).await?.send("POST", &format!("/signal/{whom}")).await?;
    let control = Connection::open(&server.url).await?;
    let mut drive = Drive { server, far, control, begun: 0 };
    let disk = drive.disk(&database).await?;

    drive.finish(WARM_UP.min(options.lifecycles), options.outstanding).await?;
    sleep(COUNTS_ARRIVE).await;
    let before = drive.read().await?;
    let begun = super::bare::nanoseconds();
    drive.finish(options.lifecycles, options.outstanding).await?;
    sleep(COUNTS_ARRIVE).await;
    let after = drive.read().await?;
    let ended = drive.ends().await?.into_values().max().unwrap_or(begun);
    let rate = Rate { lifecycles: options.lifecycles, nanoseconds: ended.saturating_sub(begun), before, after };

    let latency = if options.latency_seconds == 0 { None } else { Some(drive.latency(options, &disk).await?) };
    drop(drive);
    let (url, seconds) = (database.clone(), options.floor_seconds);
    let floors = match (kind(&database), seconds) {
        ("sqlite", _) | (_, 0) => None,
        _ => tokio::task::spawn_blocking(move || floor::measure(&url, seconds)).await??,
    };
    report::print("bare", kind(&database), Report { rate, latency, floors }.figures(), output);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn kind(database: &str) -> &str {
    database.split_once(':').map_or(database, |(scheme, _)| scheme)
}

impl Part {
    async fn start(words: &[&str]) -> Result<Self> {
        let levee = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(levee);
        command.arg("bench").args(words).stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().context("start a part of the benchmark")?;
        let mut said = BufReader::new(child.stdout.take().context("read what it says")?).lines();
        while let Some(line) = said.next_line().await.context("read what it says")? {
            if let Some(url) = line.strip_prefix("listening on ") {
                return Ok(Self { child, url: url.to_owned() });
            }
        }
        bail!("`levee bench {}` ended before it listened", words.join(" "))
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }
}

impl Drive {
    async fn read(&mut self) -> Result<Reading> {
        let pid = self.server.pid()?;
        meter::read(&mut self.control, pid).await
    }

    /// The folder whose disk the database flushes to.
    async fn disk(&mut self, database: &str) -> Result<PathBuf> {
        if let Some(folder) = self.read().await?.spent.data_directory {
            return Ok(folder.into());
        }
        let file = PathBuf::from(database.trim_start_matches("sqlite://"));
        Ok(file.parent().filter(|folder| folder.is_dir()).map_or_else(|| ".".into(), Into::into))
    }

    async fn done(&mut self) -> Result<usize> {
        self.control.text("/donecount").await?.parse().context("read the count of what is done")
    }

    async fn ends(&mut self) -> Result<HashMap<String, u128>> {
        times(&self.control.text("/donetimes").await?)
    }

    /// Starts so many more lifecycles, never more than `outstanding` at once, and waits until all are done.
    async fn finish(&mut self, lifecycles: usize, outstanding: usize) -> Result<()> {
        let (first, last) = (self.begun, self.begun + lifecycles);
        self.begun = last;
        let next = Arc::new(AtomicUsize::new(first));
        let places = Arc::new(Semaphore::new(outstanding));
        let mut starters = Vec::new();
        for _ in 0..STARTERS {
            let (next, places, url) = (next.clone(), places.clone(), self.server.url.clone());
            starters.push(tokio::spawn(async move {
                let mut connection = Connection::open(&url).await?;
                loop {
                    let place = places.acquire().await.context("wait for a place")?;
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= last {
                        return Ok::<(), anyhow::Error>(());
                    }
                    connection.send("POST", &format!("/start/b-{number}")).await?;
                    place.forget();
                }
            }));
        }
        let (mut done, mut moved) = (first, Instant::now());
        while done < last {
            sleep(Duration::from_millis(5)).await;
            let now = self.done().await?;
            places.add_permits(now.saturating_sub(done));
            if now > done {
                (done, moved) = (now, Instant::now());
            }
            if moved.elapsed() > STUCK {
                bail!("nothing was done for {} s: {done} of {last} are", STUCK.as_secs());
            }
        }
        // Whoever still waits for a place has nothing left to start.
        places.add_permits(STARTERS);
        for starter in starters {
            starter.await.context("a starter broke off")??;
        }
        Ok(())
    }

    /// A quiet run: from the moment a signal leaves the far side to the durable end. The disk's flushes are timed meanwhile.
    async fn latency(&mut self, options: &Bare, disk: &std::path::Path) -> Result<Latency> {
        let count = options.latency_seconds * PER_SECOND;
        let (first, last) = (self.begun, self.begun + usize::try_from(count).unwrap_or(usize::MAX));
        self.begun = last;
        let folder = disk.to_owned();
        let during = Duration::from_secs(3);
        let mut flushes = tokio::task::spawn_blocking(move || meter::flushes(&folder, during)).await??;
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap_or(1));
        let mut connection = Connection::open(&self.server.url).await?;
        for number in first..last {
            ticks.tick().await;
            connection.send("POST", &format!("/start/b-{number}")).await?;
        }
        let waited = Instant::now();
        while self.done().await? < last {
            sleep(Duration::from_millis(20)).await;
            if waited.elapsed() > STUCK {
                bail!("the last lifecycles of the latency run are not done");
            }
        }
        let sent = times(&Connection::open(&self.far.url).await?.text("/sent").await?)?;
        let ends = self.ends().await?;
        let took = |number: usize| {
            let id = format!("b-{number}");
            Some(ends.get(&id)?.saturating_sub(*sent.get(&id)?))
        };
        let mut took: Vec<u128> = (first..last).filter_map(took).collect();
        let folder = disk.to_owned();
        flushes.extend(tokio::task::spawn_blocking(move || meter::flushes(&folder, during)).await??);
        Ok(Latency {
            count: took.len(),
            p50: meter::percentile(&mut took, 50),
            p99: meter::percentile(&mut took, 99),
            flush_p50: meter::percentile(&mut flushes, 50),
            flush_p99: meter::percentile(&mut flushes, 99),
        })
    }
}

/// Lines "id unix_nanoseconds".
fn times(text: &str) -> Result<HashMap<String, u128>> {
    let read = |line: &str| {
        let (id, at) = line.split_once(' ')?;
        Some((id.to_owned(), at.parse().ok()?))
    };
    text.lines().map(|line| read(line).with_context(|| format!("read the line {line}"))).collect()
}
