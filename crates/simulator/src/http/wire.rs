//! A [`Reply`] as bytes on the wire.

use crate::sim::{Answer, Reply, Wire};
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures::stream;
use std::time::Duration;
use std::{convert::Infallible, fmt};

/// Marks a response that must never be written: the connection closes instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// A dripping answer comes in this many pieces, together three times as long as a slow one.
const DRIPS: usize = 12;

/// Waits as long as the reply wants, then answers or drops. `slow_ms` paces a dripping answer.
pub(super) async fn respond(reply: Reply, slow_ms: u64) -> Response {
    tokio::time::sleep(Duration::from_millis(reply.hold_ms)).await;
    match reply.wire {
        Wire::Answer(answer) => {
            let body = Body::from(answer.body.clone());
            response(&answer, body)
        }
        Wire::Drip(answer) => {
            let body = drip(answer.body.clone(), Duration::from_millis(slow_ms / 4));
            response(&answer, body)
        }
        Wire::Drop => dropped(),
    }
}

pub(super) fn dropped() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Dropped);
    response
}

fn response(answer: &Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn drip(bytes: Vec<u8>, pause: Duration) -> Body {
    let size = bytes.len().div_ceil(DRIPS).max(1);
    let pieces: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
    Body::from_stream(stream::unfold(pieces.into_iter(), move |mut left| async move {
        let piece = left.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(piece), left))
    }))
}
