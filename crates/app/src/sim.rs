//! `levee sim`: the provider and bank simulators alone.

use anyhow::{Context, Result};
use clap::Args;
use domain::clock::{Pace, host_time};
use domain::{Clock, Time};
use simulator::{Config, Faults};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Sim {
    /// Where to listen; loopback unless the file allows more.
    #[arg(long, default_value = "127.0.0.1:8790", value_name = "ADDR")]
    listen: String,
    /// Virtual seconds per real second.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..=10_000), value_name = "S")]
    speed: i64,
    /// Where virtual time begins; default: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    epoch: Option<Time>,
    /// Seed of every dice.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// none, some, many, or a TOML file.
    #[arg(long, default_value = "none", value_name = "FILE")]
    faults: String,
    /// The provider's client and where it calls back: KEY:SECRET[@URL]. May be repeated.
    #[arg(long = "client", value_name = "KEY:SECRET[@URL]", value_parser = client)]
    clients: Vec<simulator::Client>,
}

impl Sim {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mut config =
            Config { listen: self.listen.clone(), seed: self.seed, faults: faults(&self.faults)?, ..Config::default() };
        if !self.clients.is_empty() {
            config.clients = self.clients;
        }
        let real = host_time();
        let pace = Pace {
            epoch: self.epoch.unwrap_or(real),
            origin: real,
            speed_milli: self.speed * 1000,
            advanced: Duration::ZERO,
        };
        let running = simulator::serve(config, Clock::running(real, pace)).await.context("start the simulators")?;
        println!("simulating on {}", running.url());
        crate::serve::interrupted().await;
        running.shutdown().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A preset by name, or a table from a file.
pub(crate) fn faults(name: &str) -> Result<Faults> {
    if let Some(preset) = simulator::preset(name) {
        return Ok(preset);
    }
    let path = PathBuf::from(name);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("faults are none, some, many or a TOML file; read {name}"))?;
    Faults::from_toml(&text).with_context(|| format!("read the faults in {name}"))
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "write for example 2026-01-05T09:00:00.000+08:00".into())
}

fn client(text: &str) -> Result<simulator::Client, String> {
    let (pair, url) = text.split_once('@').map_or((text, None), |(pair, url)| (pair, Some(url.to_owned())));
    let (key, secret) = pair.split_once(':').ok_or("write KEY:SECRET or KEY:SECRET@URL")?;
    Ok(simulator::Client { client_key: key.into(), secret: secret.into(), callback_url: url })
}
