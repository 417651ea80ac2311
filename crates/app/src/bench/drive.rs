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
pub(super) const WARM_UP: usize = 2000;
/// PostgreSQL's processes hand their counts in about once a second.
const COUNTS_ARRIVE: Duration = Duration::from_millis(1500);
/// Nothing is done for so long: something is wrong.
const STUCK: Duration = Duration::from_secs(30);

/// A process of this program, and where it listens.
struct Part {
    child: Child,
    url: String,
}

struct Server {
    part: Part,
    control: Connection,
}

/// The servers of one database, their far side, and what has been started there.
pub(super) struct Drive {
    servers: Vec<Server>,
    far: Part,
    begun: usize,
}

pub(super) async fn bare(options: &Bare, output: &Output) -> Result<ExitCode> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let lite = format!("sqlite://{}/levee.db", folder.path().display());
    let database = options.database.clone().unwrap_or(lite);
    let [concurrency, group, linger] =
        [options.concurrency.to_string(), options.group.to_string(), options.linger.to_string()];
    let tuned = ["--concurrency", &concurrency, "--group", &group, "--linger", &linger];
    let mut drive = Drive::start(1, &database, &tuned).await?;
    let disk = drive.disk(&database).await?;

    drive.finish(WARM_UP.min(options.lifecycles), options.outstanding).await?;
    let rate = drive.rate(options.lifecycles, options.outstanding).await?;

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
    /// So many servers of this database, each with these words, and a far side that signals them in turn.
    pub(super) async fn start(count: usize, database: &str, words: &[&str]) -> Result<Self> {
        let far = Part::start(&["far", "--listen", "127.0.0.1:0"]).await?;
        let mut servers = Vec::with_capacity(count);
        let common = ["bare", "--listen", "127.0.0.1:0", "--stub", &far.url, "--database", database];
        for _ in 0..count {
            let part = Part::start(&[&common[..], words].concat()).await?;
            servers.push(Server { control: Connection::open(&part.url).await?, part });
        }
        let whom: Vec<&str> = servers.iter().map(|server| server.part.url.trim_start_matches("http://")).collect();
        Connection::open(&far.url).await?.send("POST", &format!("/signal/{}", whom.join(","))).await?;
        Ok(Self { servers, far, begun: 0 })
    }

    /// Lets servers that were told to hold drive what is due, and says when.
    pub(super) async fn work(&mut self) -> Result<u128> {
        let begun = super::bare::nanoseconds();
        for server in &mut self.servers {
            server.control.send("POST", "/work").await?;
        }
        Ok(begun)
    }

    /// So many more lifecycles as fast as they go, and what they cost.
    pub(super) async fn rate(&mut self, lifecycles: usize, outstanding: usize) -> Result<Rate> {
        sleep(COUNTS_ARRIVE).await;
        let before = self.read().await?;
        let begun = super::bare::nanoseconds();
        let first = self.begun;
        self.finish(lifecycles, outstanding).await?;
        sleep(COUNTS_ARRIVE).await;
        let after = self.read().await?;
        let ends = self.ends().await?;
        let ended = (first..self.begun).filter_map(|number| ends.get(&id(number))).max();
        let nanoseconds = ended.copied().unwrap_or(begun).saturating_sub(begun);
        Ok(Rate { lifecycles, nanoseconds, before, after })
    }

    pub(super) async fn read(&mut self) -> Result<Reading> {
        let mut sum = Reading::default();
        for server in &mut self.servers {
            sum = sum.and(meter::read(&mut server.control, server.part.pid()?).await?);
        }
        Ok(sum)
    }

    /// When each call came to the far side.
    pub(super) async fn calls(&self) -> Result<Vec<u128>> {
        let said = Connection::open(&self.far.url).await?.text("/calls").await?;
        said.lines().map(|line| line.parse().context("read when a call came")).collect()
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
        let mut done = 0;
        for server in &mut self.servers {
            let count: usize =
                server.control.text("/donecount").await?.parse().context("read the count of what is done")?;
            done += count;
        }
        Ok(done)
    }

    /// What is done by now, and when each was.
    pub(super) async fn ends(&mut self) -> Result<HashMap<String, u128>> {
        let mut ends = HashMap::new();
        for server in &mut self.servers {
            ends.extend(times(&server.control.text("/donetimes").await?)?);
        }
        Ok(ends)
    }

    /// Starts so many more lifecycles, never more than `outstanding` at once, and waits until all are done.
    pub(super) async fn finish(&mut self, lifecycles: usize, outstanding: usize) -> Result<()> {
        let (first, last) = (self.begun, self.begun + lifecycles);
        self.begun = last;
        let next = Arc::new(AtomicUsize::new(first));
        let places = Arc::new(Semaphore::new(outstanding));
        let mut starters = Vec::new();
        for starter in 0..STARTERS {
            let url = self.servers[starter % self.servers.len()].part.url.clone();
            let (next, places) = (next.clone(), places.clone());
            starters.push(tokio::spawn(async move {
                let mut connection = Connection::open(&url).await?;
                loop {
                    let place = places.acquire().await.context("wait for a place")?;
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= last {
                        return Ok::<(), anyhow::Error>(());
                    }
                    connection.send("POST", &format!("/start/{}", id(number))).await?;
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
        let folder = disk.to_owned();
        let during = Duration::from_secs(3);
        let mut flushes = tokio::task::spawn_blocking(move || meter::flushes(&folder, during)).await??;
        let begun = self.steady(options.latency_seconds).await?;
        let sent = times(&Connection::open(&self.far.url).await?.text("/sent").await?)?;
        let ends = self.ends().await?;
        let took = |id: &String| Some(ends.get(id)?.saturating_sub(*sent.get(id)?));
        let mut took: Vec<u128> = begun.keys().filter_map(took).collect();
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

    /// Lifecycles at a steady pace for so long, all done in the end: when each was begun.
    pub(super) async fn steady(&mut self, seconds: u64) -> Result<HashMap<String, u128>> {
        let count = usize::try_from(seconds * PER_SECOND).unwrap_or(usize::MAX);
        let (first, last) = (self.begun, self.begun + count);
        self.begun = last;
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap_or(1));
        let mut connections = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            connections.push(Connection::open(&server.part.url).await?);
        }
        let mut begun = HashMap::with_capacity(count);
        for number in first..last {
            ticks.tick().await;
            begun.insert(id(number), super::bare::nanoseconds());
            let to = number % connections.len();
            connections[to].send("POST", &format!("/start/{}", id(number))).await?;
        }
        let waited = Instant::now();
        while self.done().await? < last {
            sleep(Duration::from_millis(20)).await;
            if waited.elapsed() > STUCK {
                bail!("the last lifecycles of the latency run are not done");
            }
        }
        Ok(begun)
    }
}

fn id(number: usize) -> String {
    format!("b-{number}")
}

/// Lines "id unix_nanoseconds".
fn times(text: &str) -> Result<HashMap<String, u128>> {
    let read = |line: &str| {
        let (id, at) = line.split_once(' ')?;
        Some((id.to_owned(), at.parse().ok()?))
    };
    text.lines().map(|line| read(line).with_context(|| format!("read the line {line}"))).collect()
}
