//! Several workers on one PostgreSQL: what they do together, and what must not come of it. Each run has a database of its own, so that
//! none inherits rows, bloat or breakers of another.

mod dead;
mod fair;
mod limited;

use super::bare::{self, TENANT};
use super::drive::{self, Drive};
use super::report;
use crate::client::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use engine::{Engine, Limits, New};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use workflows::bare::{Bare, Input};
use workflows::machine::Machine as _;

/// Servers of the runs that compare nothing but what they drive.
const SERVERS: usize = 2;
/// Rows of one seeding transaction.
const SEED: usize = 1000;

#[derive(Args, Debug, Clone)]
pub(crate) struct Fleet {
    /// A PostgreSQL server, as postgres://…: databases are made on it, and dropped.
    #[arg(long, value_name = "URL")]
    database: String,
    /// Lifecycles of each throughput run.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    lifecycles: usize,
    /// Lifecycles begun and not yet done, at most.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    outstanding: usize,
    /// Due rows of the tenant that has many, and of the less hazardous class.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    crowd: usize,
    /// Due rows of the account whose far side is dead.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    dead: usize,
    /// Seconds of each latency run, at 50 lifecycles a second.
    #[arg(long, default_value_t = 5, value_name = "S")]
    latency_seconds: u64,
    /// Calls a second that a lane of the whole fleet may make.
    #[arg(long, default_value_t = 50, value_name = "N")]
    rate: u32,
    /// Seconds for which the limited lane has work.
    #[arg(long, default_value_t = 22, value_name = "S")]
    limited_seconds: u32,
}

/// What the table and the JSON line are made of.
type Figures = Vec<(&'static str, Value)>;

/// One run's database, the servers on it, and an engine that only puts rows there.
struct Ground<'a> {
    server: &'a str,
    name: String,
    drive: Drive,
    engine: Engine,
}

/// Rows that are due, each one call away from its end.
#[derive(Clone, Copy)]
struct Rows {
    /// Their keys begin so.
    prefix: &'static str,
    tenant: &'static str,
    account: &'static str,
    class: i16,
    count: usize,
    /// After now.
    due_in: Duration,
    /// Also half of them two calls away, in the other lane.
    both_lanes: bool,
}

impl Rows {
    fn new(prefix: &'static str, count: usize) -> Self {
        Rows {
            prefix,
            tenant: TENANT,
            account: bare::ACCOUNT,
            class: 3,
            count,
            due_in: Duration::ZERO,
            both_lanes: false,
        }
    }
}

impl Fleet {
    pub(crate) async fn run(&self, output: &Output) -> Result<ExitCode> {
        if !drive::kind(&self.database).starts_with("postgres") {
            bail!("a fleet needs a PostgreSQL server");
        }
        let mut figures = vec![("lifecycles", json!(self.lifecycles))];
        figures.extend(self.scale().await?);
        figures.extend(fair::measure(self).await?);
        figures.extend(dead::measure(self).await?);
        figures.extend(limited::measure(self).await?);
        report::print("fleet", "postgres", figures, output);
        Ok(ExitCode::SUCCESS)
    }

    /// The same load on one, two and four servers.
    async fn scale(&self) -> Result<Figures> {
        let mut figures = Figures::new();
        let names = [
            (1, ["workers_1_per_second", "workers_1_cpu_seconds_per_1000", "workers_1_database_cpu_seconds_per_1000"]),
            (2, ["workers_2_per_second", "workers_2_cpu_seconds_per_1000", "workers_2_database_cpu_seconds_per_1000"]),
            (4, ["workers_4_per_second", "workers_4_cpu_seconds_per_1000", "workers_4_database_cpu_seconds_per_1000"]),
        ];
        for (servers, [rate, cpu, database]) in names {
            let mut ground = Ground::new(self, "scale", servers, &["--concurrency", "1024"]).await?;
            ground.drive.finish(drive::WARM_UP.min(self.lifecycles), self.outstanding).await?;
            let took = ground.drive.rate(self.lifecycles, self.outstanding).await?;
            figures.extend([
                (rate, json!(took.per_second())),
                (cpu, took.server_cpu()),
                (database, took.database_cpu()),
            ]);
            ground.clear().await?;
        }
        Ok(figures)
    }
}

impl<'a> Ground<'a> {
    async fn new(fleet: &'a Fleet, run: &str, servers: usize, words: &[&str]) -> Result<Self> {
        let name = format!("levee_fleet_{run}_{servers}_{}", std::process::id());
        let url = store::create_database(&fleet.database, &name).await.context("make a database")?;
        let engine = bare::engine(&url, [], Limits::default()).await?;
        let drive = Drive::start(servers, &url, words).await?;
        Ok(Self { server: &fleet.database, name, drive, engine })
    }

    async fn clear(self) -> Result<()> {
        drop(self.drive);
        self.engine.store.close().await;
        store::drop_database(self.server, &self.name).await.context("drop a database")
    }

    async fn seed(&self, rows: Rows) -> Result<()> {
        let due_at = self.engine.clock.now() + rows.due_in;
        let mut prepared = Vec::with_capacity(SEED);
        for number in 0..rows.count {
            let key = format!("{}-{number}", rows.prefix);
            let state = if rows.both_lanes && number % 2 == 0 {
                Bare::begin(due_at)
            } else {
                Bare::Confirming { tries: 0, at: due_at }
            };
            let mut new = self.engine.prepare(New {
                workflow: Bare::NAME.into(),
                tenant: rows.tenant.into(),
                account: rows.account.into(),
                business_key: key.clone(),
                input: json!(Input { key }),
                state: json!(state),
                ..New::default()
            })?;
            (new.due.wake_at, new.due.class) = (Some(due_at), rows.class);
            prepared.push(new);
            if prepared.len() == SEED || number + 1 == rows.count {
                self.engine.submit_all(std::mem::take(&mut prepared)).await.context("put rows there")?;
            }
        }
        Ok(())
    }
}
