//! `Idempotency-Key`: one effect and one answer, however often and however many at once it is asked (F88).
//!
//! The first request under a key runs; the others wait for its answer. Refusals are kept like successes. Only an answer that
//! says "ask again" (503) is not final: it is kept as the end of one *attempt*, and the next request under the key makes another.
//! Attempts meet the same letters, because a message's own name follows from the key ([`Deed`]): nothing is done twice.

use crate::api::{Api, Deed};
use crate::problem::Error;
use crate::role::Caller;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{Idempotency, Saved};
use tokio::sync::watch;

/// How long a request waits for an earlier one under its key.
const WAIT: Duration = Duration::from_secs(10);
/// How often another process's answer is looked for.
const LOOK: Duration = Duration::from_millis(100);
const NAME: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The keyed requests that run in this process.
#[derive(Default)]
pub(crate) struct Desk(Mutex<HashMap<(String, String), watch::Receiver<()>>>);

/// One keyed request being run here; dropping it lets the others look for its answer.
struct Seat<'a> {
    desk: &'a Desk,
    place: (String, String),
    _open: watch::Sender<()>,
}

/// The answer is true for now only: the next request under the key asks again.
#[derive(Clone, Copy)]
pub(crate) struct NotFinal;

/// What a key and a body come to.
enum Turn {
    /// Run it, as this attempt.
    Run(u32),
    Answer(Saved),
}

impl Desk {
    fn sit(&self, place: (String, String)) -> Result<Seat<'_>, watch::Receiver<()>> {
        let mut running = self.running();
        if let Some(other) = running.get(&place) {
            return Err(other.clone());
        }
        let (open, wait) = watch::channel(());
        running.insert(place.clone(), wait);
        Ok(Seat { desk: self, place, _open: open })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(String, String), watch::Receiver<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.desk.running().remove(&self.place);
    }
}

/// The key of a request, if it has one.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    let bad = || {
        Error::field(
            "Idempotency-Key",
            "bad_key",
            "the key has 1 to 255 printable ASCII characters",
            "幂等键应为 1 至 255 个可见 ASCII 字符",
        )
    };
    let text = value.to_str().map_err(|_| bad())?;
    let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if fits { Ok(Some(text.to_owned())) } else { Err(bad()) }
}

/// Runs a request under its key, or answers what it was answered before.
pub(crate) async fn once<F>(
    api: &Api,
    caller: &Caller,
    key: String,
    request: Request,
    body: &Bytes,
    run: impl FnOnce(Request) -> F,
) -> Result<Response, Error>
where
    F: Future<Output = Response>,
{
    let digest = digest_of(&request, body);
    let until = Instant::now() + WAIT;
    let _seat = loop {
        match api.desk().sit((caller.tenant.clone(), key.clone())) {
            Ok(seat) => break seat,
            // Its channel closes when it is done; then the answer, or the next attempt, is there for the taking.
            Err(mut other) => tokio::time::timeout(until.saturating_duration_since(Instant::now()), other.changed())
                .await
                .map(|_| ())
                .map_err(|_| running())?,
        }
    };
    match turn(api, caller, &key, &digest, until).await? {
        Turn::Answer(saved) => Ok(replay(saved)),
        Turn::Run(before) => {
            let mut request = request;
            request.extensions_mut().insert(Deed { key: Some(key.clone()), before });
            let response = run(request).await;
            keep(api, caller, &attempt(&key, before), response).await
        }
    }
}

/// Whether to run, and as which attempt. Whoever began elsewhere and has not answered after [`WAIT`] is gone: his attempt is taken
/// over, which the names of its messages make safe.
async fn turn(api: &Api, caller: &Caller, key: &str, digest: &str, until: Instant) -> Result<Turn, Error> {
    let mut before = 0;
    loop {
        match api.store().idempotency(&caller.tenant, &attempt(key, before), digest, api.now()).await? {
            Idempotency::Fresh => return Ok(Turn::Run(before)),
            Idempotency::OtherBody => {
                return Err(Error::conflict(
                    "idempotency_key_reused",
                    "this Idempotency-Key was used with another request",
                ));
            }
            Idempotency::Done(saved) if saved.status == StatusCode::SERVICE_UNAVAILABLE.as_u16() => before += 1,
            Idempotency::Done(saved) => return Ok(Turn::Answer(saved)),
            Idempotency::Running if Instant::now() < until => tokio::time::sleep(LOOK).await,
            Idempotency::Running => return Ok(Turn::Run(before)),
        }
    }
}

/// The name of one attempt. No key of a client contains the separator.
fn attempt(key: &str, before: u32) -> String {
    if before == 0 { key.to_owned() } else { format!("{key}\u{1f}{before}") }
}

/// Method, path, query and body: the same key for another call is another body.
fn digest_of(request: &Request, body: &Bytes) -> String {
    let mut digest = Sha256::new();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    for part in [request.method().as_str().as_bytes(), path.as_bytes(), body.as_ref()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

async fn keep(api: &Api, caller: &Caller, key: &str, response: Response) -> Result<Response, Error> {
    let not_final = response.extensions().get::<NotFinal>().is_some();
    let (parts, body) = response.into_parts();
    // Our own answers are in memory already: there is nothing to bound.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| Error::Internal)?;
    let status = if not_final { StatusCode::SERVICE_UNAVAILABLE } else { parts.status };
    let saved = Saved { status: status.as_u16(), body: bytes.to_vec() };
    if let Err(error) = api.store().save_answer(&caller.tenant, key, saved).await {
        // The deed is durable under its own name; a repeat finds that instead of this answer.
        tracing::warn!(%error, "an answer could not be kept under its Idempotency-Key");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(saved: Saved) -> Response {
    let status = StatusCode::from_u16(saved.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let refused = status.is_client_error() || status.is_server_error();
    let media = if refused { "application/problem+json" } else { "application/json" };
    let mut response = Response::new(Body::from(saved.body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn running() -> Error {
    Error::conflict(
        "idempotency_running",
        "an earlier request under this Idempotency-Key is still running: repeat it to collect the answer",
    )
}
