//! The server of the bare workload: the product's engine, worker and accept loop behind two routes.

use crate::{serve, wiring};
use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use domain::ids;
use engine::{Engine, Limits, New, Rules};
use providers::{AccountConfig, Providers, Transport, stub};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Filter, Options, Post, Posted, Store, Target};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use workflows::bare::{Bare, Input};
use workflows::machine::Machine as _;

pub(super) const TENANT: &str = "default";
pub(super) const ACCOUNT: &str = "stub";
/// The second account, where there is one.
pub(super) const OTHER: &str = "other";

#[derive(Clone)]
struct Server {
    engine: Engine,
    /// Whatever is done, with the moment (nanoseconds since 1970) just after the commit that says so.
    done: Arc<Mutex<Vec<(String, u128)>>>,
    /// Told when the worker may begin.
    work: Arc<Notify>,
}

pub(super) async fn serve(bare: &super::Bare) -> Result<ExitCode> {
    let listen = bare.listen.context("say where to listen")?;
    let database = bare.database.as_deref().unwrap_or("sqlite://bench.db");
    let stub = (ACCOUNT, bare.stub.clone().unwrap_or_default());
    let accounts = std::iter::once(stub).chain(bare.other.clone().map(|url| (OTHER, url)));
    let limits = Limits {
        concurrency: bare.lane.unwrap_or(bare.concurrency),
        rate_per_second: bare.rate,
        // As for a provider's account.
        burst: bare.rate.map_or(1, |rate| rate * 2),
    };
    let engine = engine(database, accounts, limits).await?;
    let server = Server { engine: engine.clone(), done: Arc::default(), work: Arc::default() };
    let work = server.work.clone();
    if !bare.hold {
        work.notify_one();
    }
    server.remember().await?;
    let (stop, mut rests) = (CancellationToken::new(), engine.bell.rests());
    let done = server.done.clone();
    tokio::spawn(async move {
        while let Some(key) = rests.recv().await {
            done.lock().unwrap_or_else(PoisonError::into_inner).push((key, nanoseconds()));
        }
    });
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
    println!("listening on http://{}", listener.local_addr().context("read the address")?);
    let options = worker::Options {
        concurrency: bare.lane.map_or(bare.concurrency, |_| engine.places(bare.concurrency)),
        group: bare.group,
        linger: Duration::from_millis(bare.linger),
        ..worker::Options::default()
    };
    let limits = api::Limits { connections: 4096, ..api::Limits::default() };
    let intake = worker::take_in(&engine, &options);
    let serving = tokio::spawn(api::serve(listener, router(server), limits, stop.clone()));
    let worker = worker::run(engine.clone(), stop.clone(), options);
    let stopped = stop.clone();
    let working = tokio::spawn(async move {
        if stopped.run_until_cancelled(work.notified()).await.is_none() {
            return Ok(());
        }
        worker.await
    });
    serve::interrupted().await;
    stop.cancel();
    serving.await.context("stop serving")?;
    intake.end().await;
    working.await.context("stop working")??;
    engine.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// An engine of the bare workload on this database, which is migrated: with these accounts, and where each one's far side is.
pub(super) async fn engine(
    database: &str,
    accounts: impl IntoIterator<Item = (&'static str, String)>,
    limits: Limits,
) -> Result<Engine> {
    let clock = wiring::host_clock();
    // Unsafe durability settings are refused here as in the product.
    let options = Options {
        master_key: [7; 32],
        dev: false,
        pool_size: 16,
        clock: clock.clone(),
        exclusive: true,
        blobs: store::Blobs::Database,
    };
    let store = Store::connect(database, options).await.context("open the database")?;
    store.migrate().await.context("migrate the schema")?;
    clock.sync(store.time().await.context("read the clock")?, store.pace().await.context("read the pace")?);
    let account = |(name, url): (&str, String)| (name.to_owned(), AccountConfig::Stub(stub::Settings { url }));
    let accounts: BTreeMap<_, _> = accounts.into_iter().map(account).collect();
    let providers = Providers::new(accounts, Transport::http().context("make the HTTP client")?)?;
    let rules = Rules { default_limits: limits, ..Rules::default() };
    Ok(Engine::new(store, providers, clock, rules))
}

impl Server {
    /// What an earlier process has finished: known to the millisecond.
    async fn remember(&self) -> Result<()> {
        let filter = Filter {
            workflow: Some(Bare::NAME.into()),
            state: Some("done".into()),
            limit: usize::MAX >> 1,
            ..Filter::default()
        };
        let rows = self.engine.store.list(filter).await.context("list what is done")?;
        let at = |ms: i64| u128::try_from(ms).unwrap_or(0) * 1_000_000;
        let rows = rows.into_iter().map(|row| (row.business_key, at(row.updated_at.millis())));
        self.done.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
        Ok(())
    }

    fn done(&self) -> Vec<(String, u128)> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/start/{id}", post(start))
        .route("/cb/{id}", post(signal))
        .route("/donecount", get(done_count))
        .route("/donetimes", get(done_times))
        .route("/spent", get(spent))
        .route("/work", post(work))
        .with_state(server)
}

/// Answered when the start is durable; the same id again starts nothing new.
async fn start(State(server): State<Server>, Path(id): Path<String>) -> StatusCode {
    let engine = &server.engine;
    let new = New {
        workflow: Bare::NAME.into(),
        tenant: TENANT.into(),
        account: ACCOUNT.into(),
        business_key: id.clone(),
        address: Some(id.clone()),
        input: json!(Input { key: id }),
        state: json!(Bare::begin(engine.clock.now())),
        ..New::default()
    };
    engine.submit(new).await.map_or(StatusCode::SERVICE_UNAVAILABLE, |_| StatusCode::CREATED)
}

/// Answered when the signal is durable, also before anybody is there to hear it.
async fn signal(State(server): State<Server>, Path(id): Path<String>) -> StatusCode {
    let at = server.engine.clock.now();
    let post = Post {
        id: ids::draw(at),
        tenant: TENANT.into(),
        to: Target::Address(id),
        event: Bare::signal(),
        source: "api".into(),
        dedupe: None,
        raw: None,
        at,
    };
    match server.engine.post(post).await {
        Ok(Posted::Stored | Posted::Orphan | Posted::Duplicate) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn work(State(server): State<Server>) -> StatusCode {
    server.work.notify_one();
    StatusCode::OK
}

async fn done_count(State(server): State<Server>) -> String {
    server.done.lock().unwrap_or_else(PoisonError::into_inner).len().to_string()
}

async fn done_times(State(server): State<Server>) -> String {
    server.done().into_iter().fold(String::new(), |mut text, (id, at)| {
        let _ = writeln!(text, "{id} {at}");
        text
    })
}

async fn spent(State(server): State<Server>) -> std::result::Result<Json<Value>, StatusCode> {
    let spent = server.engine.store.spent().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let of = spent.server;
    Ok(Json(json!({
        "statements": spent.statements,
        "commits": spent.commits,
        "wal_bytes": of.as_ref().map(|of| of.wal_bytes),
        "flushes": of.as_ref().map(|of| of.flushes),
        "backend": of.as_ref().map(|of| of.backend),
        "data_directory": of.as_ref().map(|of| of.data_directory.clone()),
    })))
}

#[expect(
    clippy::disallowed_methods,
    reason = "an outside observer's clock: the benchmark compares it with the driver's"
)]
pub(super) fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
