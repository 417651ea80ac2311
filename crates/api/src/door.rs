//! The door every request passes: what it is, who sends it, whether he may, and how much he may send.
//!
//! Denied by default: a path that is not in the table of [`crate::routes`] has no way in, and a test holds every route against
//! every role (F97).

use crate::api::Api;
use crate::idempotency;
use crate::problem::Error;
use crate::role::Caller;
use crate::routes::{Access, Route, allowed_methods, route};
use crate::sips::Sips;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;
use tokio::time::timeout;

/// A body must be here after this long, however it drips (F76).
const BODY: Duration = Duration::from_secs(10);
/// A refused file is read to its end, and forgotten, up to this many bytes.
const SPILLED_MAX: usize = 64 * 1024 * 1024;

/// Middleware of the admin router.
pub(crate) async fn door(State(api): State<Api>, request: Request, next: Next) -> Response {
    match admit(&api, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn admit(api: &Api, request: Request, next: Next) -> Result<Response, Error> {
    let Some(path) = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()) else {
        return Err(Error::NotFound("path"));
    };
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let route = route(method, &path).ok_or_else(|| Error::Method(allowed_methods(&path)))?;
    match route.access {
        Access::Open => patient(route, next.run(request)).await,
        Access::Role(role) => {
            let caller = api.caller(request.headers(), request.extensions().get().copied()).await?;
            if caller.role < role {
                return Err(Error::Role(role));
            }
            enter(api, route, caller, request, next).await
        }
    }
}

async fn enter(
    api: &Api,
    route: &'static Route,
    caller: Caller,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    request.extensions_mut().insert(caller.clone());
    if *request.method() == Method::GET || *request.method() == Method::HEAD {
        return patient(route, next.run(request)).await;
    }
    if route.streamed {
        return through(route, request, next).await;
    }
    let key = if *request.method() == Method::POST { idempotency::key_of(request.headers())? } else { None };
    let (request, body) = buffer(request, route).await?;
    let api = api.clone();
    let work = async move {
        match key {
            Some(key) => idempotency::once(&api, &caller, key, request, &body, |request| next.run(request)).await,
            None => Ok(next.run(request).await),
        }
    };
    // A client that goes away must not take a half-done deed with it: the handler lives in a task of its own (faults.md §2.1).
    let task = tokio::spawn(work);
    match timeout(route.patience, task).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => {
            tracing::error!(%panic, path = route.path, "a handler ended by panic");
            Err(Error::Internal)
        }
        Err(_) => Err(slow()),
    }
}

/// The body under its limit, piece by piece, to a handler that lives in a task of its own.
async fn through(route: &'static Route, request: Request, next: Next) -> Result<Response, Error> {
    if let Some(length) = declared(request.headers()).filter(|length| *length > route.body_max) {
        if length <= SPILLED_MAX {
            let _whatever_comes = timeout(BODY, spill(request.into_body())).await;
        }
        return Err(Error::TooLarge(route.body_max));
    }
    let request = request.map(|body| Body::new(Sips::new(Limited::new(body, route.body_max))));
    match timeout(route.patience, tokio::spawn(next.run(request))).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(panic)) => {
            tracing::error!(%panic, path = route.path, "a handler ended by panic");
            Err(Error::Internal)
        }
        Err(_) => Err(slow()),
    }
}

/// A file that is too large is on its way already: a connection that is closed under unread bytes loses the answer.
async fn spill(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

async fn patient(route: &Route, work: impl Future<Output = Response>) -> Result<Response, Error> {
    timeout(route.patience, work).await.map_err(|_| slow())
}

fn slow() -> Error {
    Error::later(
        "timeout",
        "this takes longer than usual: repeat it under the same Idempotency-Key to collect the answer",
    )
}

/// Reads the whole body under the route's limit, and puts it back.
async fn buffer(request: Request, route: &Route) -> Result<(Request, Bytes), Error> {
    let (parts, body) = request.into_parts();
    if declared(&parts.headers).is_some_and(|length| length > route.body_max) {
        return Err(Error::TooLarge(route.body_max));
    }
    let bytes = read(body, route.body_max, BODY.max(route.patience / 2)).await?;
    Ok((Request::from_parts(parts, Body::from(bytes.clone())), bytes))
}

/// What the client says its body will be: too much is refused before it is sent.
pub(crate) fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body of at most `most` bytes, within `within`.
pub(crate) async fn read(body: Body, most: usize, within: Duration) -> Result<Bytes, Error> {
    let read = timeout(within, Limited::new(body, most).collect()).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge(most)),
        Ok(Err(_)) => Err(Error::bad("unreadable_body", "the body ended before it was whole")),
        Err(_) => Err(Error::bad("slow_body", "the body took too long to arrive")),
    }
}
