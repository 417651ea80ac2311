//! The core on a socket: provider, bank and control endpoints, and the pump that lets due things happen.
//!
//! | call | body → answer |
//! |---|---|
//! | `POST /api/tax/v1`, `POST /api/levy/v1` | form `req` + `sign` → Olading's answer (000 §1.1) |
//! | `POST /bank/v1/payments` | [`crate::Instruction`] → [`crate::Payment`]; 409 another payment under that number, 400 senseless |
//! | `GET /bank/v1/payments/{bank_order_no}` | → [`crate::Payment`], 404 |
//! | `GET /bank/v1/statement` | → `{items: [line]}`, final lines only |
//! | `GET /_sim/ledger` · `/coverage` · `/due` | [`crate::Ledger`] · counts · `{now, due, in_flight}` |
//! | `GET` and `PUT /_sim/faults` | [`crate::Faults`], or `{preset}` |
//! | `GET` and `PUT /_sim/switches` | [`crate::Switches`]; a missing switch has its default |
//! | `PUT /_sim/clients` | [`crate::Client`]: added, or the one of that key replaced |
//! | `POST /_sim/olading/script` · `/bank/script` | [`crate::OladingScript`] · [`crate::BankScript`] |
//! | `POST /_sim/callbacks/mute` | `{muted}` |
//! | `POST /_sim/clock/advance` | `{seconds}` → `{now}` |

mod client;
mod control;
mod pump;
mod routes;
mod wire;
#[cfg(test)]
mod tests;

use crate::{Config, FaultError, Sim};
use axum::body::Body;
use domain::{Clock, Time};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt as _;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("`listen = {0}` is no socket address: write for example 127.0.0.1:8800")]
    Address(String),
    #[error(
        "`listen = {0}` is not loopback: a provider that misbehaves on purpose stays on this machine unless `allow_remote` is set"
    )]
    NotLoopback(String),
    #[error(
        "the callback URL of client `{0}` is no plain http URL of this machine: set `allow_remote` to call another one"
    )]
    CallbackUrl(String),
    #[error(transparent)]
    Faults(#[from] FaultError),
    #[error("bind {address}")]
    Bind { address: SocketAddr, source: io::Error },
}

/// A simulator at work, until [`Running::shutdown`] or until it is dropped.
pub struct Running {
    pub addr: SocketAddr,
    /// The core, for looking and for scripts. Hold the lock briefly.
    pub sim: Arc<Mutex<Sim>>,
    in_flight: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// What every handler and the pump share.
#[derive(Clone)]
struct Shared {
    sim: Arc<Mutex<Sim>>,
    clock: Clock,
    /// Rings when a call may have made something due.
    bell: Arc<Notify>,
    /// Callbacks that have left and are not answered yet.
    in_flight: Arc<AtomicUsize>,
    allow_remote: bool,
}

impl Shared {
    /// The core, told how fast virtual time runs now.
    fn sim(&self) -> MutexGuard<'_, Sim> {
        let mut sim = self.sim.lock().unwrap_or_else(PoisonError::into_inner);
        sim.set_speed(self.clock.pace().speed_milli);
        sim
    }
}

/// Starts the simulator on `config.listen`; all its times are those of `clock` (business time).
pub async fn serve(config: Config, clock: Clock) -> Result<Running, ServeError> {
    let address = address(&config)?;
    for client in &config.clients {
        client::callback_allowed(client, config.allow_remote)?;
    }
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
    let addr = listener.local_addr().map_err(|source| ServeError::Bind { address, source })?;
    let allow_remote = config.allow_remote;
    let sim = Arc::new(Mutex::new(Sim::new(config)?));
    let shared = Shared { sim: Arc::clone(&sim), clock, bell: Arc::default(), in_flight: Arc::default(), allow_remote };
    let in_flight = Arc::clone(&shared.in_flight);
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(listener, routes::router(shared.clone()), stopped.clone()));
    let pumping = tokio::spawn(pump::run(shared, stopped));
    tracing::info!(%addr, "simulator is listening");
    Ok(Running { addr, sim, in_flight, stop, tasks: vec![accepting, pumping] })
}

impl Running {
    /// `http://ADDR`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// When something will next happen by itself: a clock that runs ahead stops there.
    pub fn due(&self) -> Option<Time> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner).due()
    }

    /// Callbacks that have left and are not answered yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Stops listening, cuts what is open and ends the pump.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has been reported already.
            let _ended = task.await;
        }
    }
}

fn address(config: &Config) -> Result<SocketAddr, ServeError> {
    let address: SocketAddr = config.listen.parse().map_err(|_| ServeError::Address(config.listen.clone()))?;
    if address.ip().is_loopback() || config.allow_remote {
        Ok(address)
    } else {
        Err(ServeError::NotLoopback(config.listen.clone()))
    }
}

/// Own accept loop: `axum::serve` cannot close a connection without an answer, which is half of what this crate is for.
async fn accept(listener: TcpListener, router: axum::Router, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            Some(_) = connections.join_next() => {}
            arrived = listener.accept() => {
                if let Ok((stream, _)) = arrived {
                    connections.spawn(connection(stream, router.clone()));
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, router: axum::Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> = router.oneshot(request.map(Body::new)).await;
            let response = answered.unwrap_or_else(|never| match never {});
            // hyper closes a connection whose service fails: exactly a lost answer.
            if response.extensions().get::<wire::Dropped>().is_some() { Err(wire::Dropped) } else { Ok(response) }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::trace!(%error, "connection ended");
    }
}
