//! `levee demo`: the main job on your machine. Provider and bank simulators on loopback, the product on a database of its own, people
//! who are asked to sign, a payday file with mistakes in it, orders that wait for signatures, a payer that asks permits and pays at the
//! bank, 72 virtual hours in seconds. At the end both ledgers are compared; exit 0 only if they are equal, every safety audit is 0 and nothing is in limbo.

pub(crate) mod http;
pub(crate) mod stack;
pub(crate) mod payday;
pub(crate) mod office;
mod people;
mod papers;
mod specimens;
mod payer;
mod pace;
pub(crate) mod truth;
mod closing;

use crate::client::Output;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Args)]
pub(crate) struct Demo {
    /// A payday file of your own; default: the one shipped, 200 synthetic people with mistakes on purpose.
    #[arg(value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// So many synthetic people instead.
    #[arg(long, value_name = "N", conflicts_with = "file")]
    orders: Option<usize>,
    /// How much the provider and the bank misbehave: none, some, many, or a TOML file.
    #[arg(long, default_value = "some")]
    faults: String,
    /// Keep the database folder.
    #[arg(long)]
    keep: bool,
    /// Use this database instead of SQLite in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Seed of the simulators' dice.
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
}

#[derive(Args)]
pub(crate) struct Up {
    /// Where the API listens.
    #[arg(long, default_value = "127.0.0.1:8700", value_name = "ADDR")]
    listen: String,
    /// none, some, many, or a TOML file.
    #[arg(long, default_value = "none")]
    faults: String,
    /// Virtual seconds per real second.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(i64).range(1..=10_000), value_name = "S")]
    speed: i64,
    /// Where the database lives; default: a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Demo {
    pub(crate) async fn run(self, output: &Output) -> Result<ExitCode> {
        let file = match (&self.file, self.orders) {
            (Some(path), _) => std::fs::read(path).with_context(|| format!("read {}", path.display()))?,
            (None, Some(orders)) => payday::generate(orders).into_bytes(),
            (None, None) => payday::SHIPPED.as_bytes().to_vec(),
        };
        let setup = stack::Setup {
            database: self.database.clone(),
            listen: "127.0.0.1:0".into(),
            faults: crate::sim::faults(&self.faults)?,
            seed: self.seed,
            speed: 60,
            timings: simulator::Timings::default(),
            keep: self.keep,
            rate_per_second: 2000,
            concurrency: 64,
            tune: |config| {
                let policy = config.policies.entry("main".into()).or_default();
                policy.require_sign_up = Some(people::CONTRACT);
                policy.require_id_card = Some(true);
                policy.voucher_days = Some(30);
            },
        };
        let mut progress = closing::Progress::new(output.json);
        let stack = stack::Stack::start(setup).await?;
        progress.say(&format!(
            "simulators on {}, levee on {}, database {}",
            stack.sim.url(),
            stack.office.base(),
            stack.database
        ));
        let staff = office::Staff::hire(&stack).await?;
        let mut desk = people::Desk::invite(&stack, staff.operator.clone(), &file, &progress).await?;
        let cards = papers::bring_cards(&staff.operator, &file, &progress).await?;
        let batch = office::import(&staff, &file, &mut progress).await?;
        let begun = stack.clock.now();
        let mut payer = payer::Payer::new(&stack);
        pace::run(&stack, &mut payer, &mut desk, begun + HOUR * 72, &mut progress).await?;
        progress.finish(stack.clock.now());
        let report = closing::Report::take(&stack, &batch, &cards).await?;
        report.print(output)?;
        let good = report.good();
        stack.stop().await?;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Up {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let setup = stack::Setup {
            database: self.database.clone(),
            listen: self.listen.clone(),
            faults: crate::sim::faults(&self.faults)?,
            seed: 7,
            speed: self.speed,
            timings: simulator::Timings::default(),
            keep: false,
            rate_per_second: 2000,
            concurrency: 64,
            tune: |_| (),
        };
        let stack = stack::Stack::start(setup).await?;
        println!("listening on {}", stack.office.base());
        println!("provider and bank simulators on {}", stack.sim.url());
        println!("admin key: {}", stack::ADMIN_KEY);
        println!("try: LEVEE_URL={} LEVEE_KEY={} levee order list", stack.office.base(), stack::ADMIN_KEY);
        crate::serve::interrupted().await;
        stack.stop().await?;
        Ok(ExitCode::SUCCESS)
    }
}
