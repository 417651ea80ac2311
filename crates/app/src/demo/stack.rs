//! Simulators and product in one process, on one clock.

use super::http::Http;
use crate::config::{Config, Dev, Role};
use crate::serve::{self, Running};
use anyhow::{Context, Result};
use base64::Engine as _;
use domain::clock::{Pace, host_time};
use domain::{Clock, Time};
use providers::AccountConfig;
use providers::olading::Settings;
use simulator::Faults;
use std::path::PathBuf;
use std::time::Duration;

/// The admin key of every demo: worth nothing outside it.
pub(crate) const ADMIN_KEY: &str = "levee-demo-admin-key-000000";
const CLIENT_KEY: &str = "levee-demo";
const CLIENT_SECRET: &str = "levee-demo-secret-密钥";
/// A Monday morning in Beijing.
const EPOCH: &str = "2026-01-05T09:00:00.000+08:00";

pub(crate) struct Setup {
    pub(crate) database: Option<String>,
    pub(crate) listen: String,
    pub(crate) faults: Faults,
    pub(crate) seed: u64,
    pub(crate) speed: i64,
    /// How long provider, bank and people take.
    pub(crate) timings: simulator::Timings,
    pub(crate) keep: bool,
    /// What the provider allows a lane.
    pub(crate) rate_per_second: u32,
    pub(crate) concurrency: u32,
    /// The last word on the product's settings.
    pub(crate) tune: fn(&mut Config),
}

pub(crate) struct Stack {
    pub(crate) sim: simulator::Running,
    pub(crate) running: Running,
    pub(crate) clock: Clock,
    /// The admin API, with the admin's key.
    pub(crate) office: Http,
    pub(crate) bank: Http,
    pub(crate) database: String,
    folder: Option<PathBuf>,
}

impl Stack {
    pub(crate) async fn start(setup: Setup) -> Result<Self> {
        let epoch = Time::parse(EPOCH).context("read the demo's epoch")?;
        let real = host_time();
        let clock = Clock::running(
            real,
            Pace { epoch, origin: real, speed_milli: setup.speed * 1000, advanced: Duration::ZERO },
        );
        let client =
            simulator::Client { client_key: CLIENT_KEY.into(), secret: CLIENT_SECRET.into(), callback_url: None };
        let world = simulator::Config {
            seed: setup.seed,
            faults: setup.faults.clone(),
            // One in 25 does not sign, and nobody says so (000 §2.1 R4). A signature whose callback is lost is found by a query.
            switches: simulator::Switches {
                sync_sign_silent_per_mille: 40,
                batch_shows_sync_sign: true,
                ..simulator::Switches::default()
            },
            timings: setup.timings.clone(),
            clients: vec![client.clone()],
            ..simulator::Config::default()
        };
        let sim = simulator::serve(world, clock.clone()).await.context("start the simulators")?;

        let folder =
            setup.database.is_none().then(|| std::env::temp_dir().join(format!("levee-demo-{}", uuid::Uuid::new_v4())));
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
        }
        let database = match (&setup.database, &folder) {
            (Some(url), _) => url.clone(),
            (None, Some(folder)) => format!("sqlite://{}", folder.join("levee.db").display()),
            (None, None) => "memory:".into(),
        };
        let config = configuration(&setup, &database, &sim.url(), epoch);
        let running = serve::start(
            &config,
            &[Role::Api, Role::Callback, Role::Worker, Role::Scheduler],
            clock.clone(),
            false,
            true,
        )
        .await?;
        let base = format!("http://{}", running.addr.context("the API listens")?);
        let told = simulator::Client { callback_url: Some(format!("{base}/callbacks/main")), ..client };
        sim.sim.lock().map_err(|_| anyhow::anyhow!("the simulator broke"))?.set_client(told);
        let office = Http::new(&base, Some(ADMIN_KEY))?;
        let bank = Http::new(&sim.url(), None)?;
        let folder = folder.filter(|_| !setup.keep);
        Ok(Self { sim, running, clock, office, bank, database, folder })
    }

    /// Moves the fleet's business time forward.
    pub(crate) async fn advance(&self, by: Duration) -> Result<()> {
        let store = &self.running.engine.store;
        let pace = store.advance_clock(by).await.context("advance the clock")?;
        let real = store.time().await.context("read the database's clock")?;
        self.clock.sync(real, pace);
        self.running.engine.bell.ring();
        Ok(())
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.running.stop().await;
        self.sim.shutdown().await;
        if let Some(folder) = self.folder {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        Ok(())
    }
}

fn configuration(setup: &Setup, database: &str, provider: &str, epoch: Time) -> Config {
    let mut settings = Settings::new(provider, CLIENT_KEY, CLIENT_SECRET);
    settings.code_order_not_found = Some("1404".into());
    settings.rate_per_second = setup.rate_per_second;
    settings.concurrency = setup.concurrency;
    settings.payer = Some("merchant".into());
    settings.sign_up_query_covers_sync_sign = true;
    let mut config = Config::default();
    config.server.listen.clone_from(&setup.listen);
    config.database.url = database.to_owned();
    config.accounts.insert("main".into(), AccountConfig::Olading(settings));
    config.security.master_key =
        Some(base64::engine::general_purpose::STANDARD.encode(*b"a demo's key protects nothing...").into());
    config.security.bootstrap_key = Some(ADMIN_KEY.to_owned().into());
    config.dev = Dev { enabled: true, clock_speed: setup.speed * 1000, epoch: Some(epoch) };
    (setup.tune)(&mut config);
    config
}
