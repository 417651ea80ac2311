//! The far side of the bare workload: answers two GETs, and signals what it has created a little later, when it is told where.

use super::Far;
use super::bare::nanoseconds;
use super::http::Connection;
use crate::serve;
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Connections that signal.
const CALLERS: usize = 64;

#[derive(Clone)]
struct FarSide {
    after: Duration,
    signals: mpsc::UnboundedSender<(String, Instant)>,
    /// Whom to signal in turn: hosts and ports of `POST /signal/{whom}`, between commas.
    whom: watch::Sender<Vec<String>>,
    /// When each call came, as `GET /calls` says it.
    calls: Arc<Mutex<Vec<u128>>>,
    sent: Arc<Mutex<Vec<(String, u128)>>>,
}

impl FarSide {
    fn came(&self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(nanoseconds());
    }
}

pub(super) async fn serve(options: &Far) -> Result<ExitCode> {
    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    println!("listening on http://{}", listener.local_addr().context("read the address")?);
    let (signals, mut waiting) = mpsc::unbounded_channel::<(String, Instant)>();
    let (due, ready) = mpsc::unbounded_channel();
    let after = Duration::from_millis(options.signal_after);
    let far = FarSide { after, signals, whom: watch::Sender::default(), calls: Arc::default(), sent: Arc::default() };
    // All wait equally long, so the first that came is the first that is due.
    tokio::spawn(async move {
        while let Some((id, at)) = waiting.recv().await {
            sleep_until(at).await;
            let _ = due.send(id);
        }
    });
    let ready = Arc::new(tokio::sync::Mutex::new(ready));
    for caller in 0..CALLERS {
        tokio::spawn(call(far.clone(), caller, ready.clone()));
    }
    let router = Router::new()
        .route("/create/{id}", get(created))
        .route("/confirm/{id}", get(confirmed))
        .route("/signal/{whom}", post(signal))
        .route("/calls", get(calls))
        .route("/sent", get(sent))
        .with_state(far);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).with_graceful_shutdown(serve::interrupted()).await.context("serve")?;
    Ok(ExitCode::SUCCESS)
}

async fn created(State(far): State<FarSide>, Path(id): Path<String>) -> &'static str {
    far.came();
    let _ = far.signals.send((id, Instant::now() + far.after));
    "ok"
}

async fn confirmed(State(far): State<FarSide>) -> &'static str {
    far.came();
    "ok"
}

async fn signal(State(far): State<FarSide>, Path(whom): Path<String>) -> StatusCode {
    far.whom.send_replace(whom.split(',').map(str::to_owned).collect());
    StatusCode::OK
}

/// Unix nanoseconds, one a line, in the order in which the calls came.
async fn calls(State(far): State<FarSide>) -> String {
    let calls = far.calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.iter().fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "{at}");
        text
    })
}

/// Lines "id unix_nanoseconds": when each signal began to leave.
async fn sent(State(far): State<FarSide>) -> String {
    let sent = far.sent.lock().unwrap_or_else(PoisonError::into_inner);
    sent.iter().fold(String::new(), |mut text, (id, at)| {
        let _ = writeln!(text, "{id} {at}");
        text
    })
}

/// One caller: takes the next due signal, sends it, and sends it again where nobody took it.
async fn call(far: FarSide, caller: usize, ready: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>>) {
    let mut whom = far.whom.subscribe();
    let mut connection: Option<Connection> = None;
    loop {
        let next = ready.lock().await.recv().await;
        let Some(id) = next else { return };
        let Ok(host) = whom.wait_for(|hosts| !hosts.is_empty()).await.map(|hosts| hosts[caller % hosts.len()].clone())
        else {
            return;
        };
        far.sent.lock().unwrap_or_else(PoisonError::into_inner).push((id.clone(), nanoseconds()));
        loop {
            if connection.is_none() {
                connection = Connection::open(&host).await.ok();
            }
            let taken = match &mut connection {
                Some(open) => open.send("POST", &format!("/cb/{id}")).await.is_ok(),
                None => false,
            };
            if taken {
                break;
            }
            connection = None;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
