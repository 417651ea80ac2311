//! `levee serve`: the product, by roles.

use crate::config::{Config, Role};
use crate::wiring::{self, Access};
use anyhow::{Context, Result};
use domain::Clock;
use engine::Engine;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A running set of roles in this process.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    /// Where the API and the callbacks are served, if they are.
    pub(crate) addr: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Serves until it is told to stop.
pub(crate) async fn run(config: Config, roles: Option<Vec<Role>>, reconcile_only: bool) -> Result<ExitCode> {
    let roles = roles.unwrap_or_else(|| config.server.roles.clone());
    let running = start(&config, &roles, wiring::host_clock(), reconcile_only, false).await?;
    if let Some(addr) = running.addr {
        println!("listening on http://{addr}");
    } else {
        println!("working");
    }
    let failed = tokio::select! {
        () = interrupted() => false,
        () = running.stop.cancelled() => true,
    };
    running.stop().await;
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Opens the database and starts the roles. `migrate`: the database is the command's own.
pub(crate) async fn start(
    config: &Config,
    roles: &[Role],
    clock: Clock,
    reconcile_only: bool,
    migrate: bool,
) -> Result<Running> {
    let store = wiring::store(config, Access::Server, &clock).await?;
    if migrate {
        store.migrate().await.context("migrate the schema")?;
    }
    store.check_schema().await.context("check the schema")?;
    wiring::clock(config, &store, &clock).await?;
    let engine = wiring::engine(config, store, clock, reconcile_only)?;
    wiring::learned(&engine.store, &engine.providers).await?;
    engine.refresh_freezes().await.context("read the freezes")?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let mut running = Running { engine, addr: None, stop, tasks };
    running.serve_http(config, roles).await?;
    running.work(config, roles);
    running.tasks.close();
    Ok(running)
}

impl Running {
    async fn serve_http(&mut self, config: &Config, roles: &[Role]) -> Result<()> {
        let (admin, callbacks) = (roles.contains(&Role::Api), roles.contains(&Role::Callback));
        if !admin && !callbacks {
            return Ok(());
        }
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().ok();
        let rendered =
            move || metrics.as_ref().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
        let settings = api::Settings {
            dev: config.dev.enabled,
            bootstrap: config.bootstrap_key()?,
            order_accounts: config.accounts.keys().cloned().collect(),
            metrics: Arc::new(rendered),
        };
        let api = api::Api::new(self.engine.clone(), settings);
        api.ensure_bootstrap().await.map_err(|why| anyhow::anyhow!("store the bootstrap key: {why}"))?;
        let mut router = axum::Router::new();
        if admin {
            router = router.merge(api::router(api.clone()));
        }
        if callbacks {
            router = router.merge(api::callbacks(api));
        }
        let listener = TcpListener::bind(&config.server.listen)
            .await
            .with_context(|| format!("listen on {}", config.server.listen))?;
        self.addr = Some(listener.local_addr().context("read the address")?);
        let stop = self.stop.clone();
        let intake = worker::take_in(&self.engine, &worker::Options::default());
        self.tasks.spawn(async move {
            api::serve(listener, router, api::Limits::default(), stop).await;
            intake.end().await;
        });
        Ok(())
    }

    fn work(&self, config: &Config, roles: &[Role]) {
        if !roles.contains(&Role::Worker) {
            return;
        }
        let (engine, stop) = (self.engine.clone(), self.stop.clone());
        let concurrency = engine.places(config.engine.concurrency);
        let options = worker::Options { concurrency, ..worker::Options::default() };
        self.tasks.spawn(async move {
            if let Err(why) = worker::run(engine, stop.clone(), options).await {
                tracing::error!(error = %why, "the worker ended");
            }
            // A process without its worker must not look alive: it ends, and its supervisor starts it again.
            stop.cancel();
        });
    }

    /// Stops claiming, finishes what is under way, and closes the database.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        self.engine.store.close().await;
    }
}

/// SIGINT or SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
