//! Posts callbacks, over plain http: the way out is as independent of the product's client as the way in.

use super::ServeError;
use crate::Client;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// A receiver that takes longer has not acknowledged (real time).
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer that is read.
const ANSWER_MAX: usize = 4 * 1024 * 1024;

/// A callback URL is plain http, and of this machine unless other machines are allowed.
pub(super) fn callback_allowed(client: &Client, allow_remote: bool) -> Result<(), ServeError> {
    let Some(url) = &client.callback_url else { return Ok(()) };
    let refused = || ServeError::CallbackUrl(client.client_key.clone());
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let host = uri.host().ok_or_else(refused)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if uri.scheme_str() == Some("http") && (loopback || allow_remote) { Ok(()) } else { Err(refused()) }
}

/// Whether the receiver answered 200 and exactly `SUCCESS` (000 §1.1.3, P44).
pub(super) async fn deliver(url: &str, body: String) -> bool {
    let form = "application/x-www-form-urlencoded;charset=UTF-8";
    let answer = tokio::time::timeout(PATIENCE, exchange(Method::POST, url, form, body.into())).await;
    matches!(answer, Ok(Some((StatusCode::OK, _, text))) if text.as_ref() == b"SUCCESS")
}

/// One request on a connection of its own. `None`: no whole answer came.
pub(super) async fn exchange(
    method: Method,
    url: &str,
    content_type: &str,
    body: Bytes,
) -> Option<(StatusCode, header::HeaderMap, Bytes)> {
    let uri: Uri = url.parse().ok()?;
    let (host, port) = (uri.host()?.trim_start_matches('[').trim_end_matches(']'), uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect((host, port)).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, uri.authority()?.as_str())
        .header(header::CONTENT_TYPE, content_type)
        .body(Body::from(body))
        .ok()?;
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            to_bytes(Body::new(body), ANSWER_MAX).await.ok().map(|bytes| (parts.status, parts.headers, bytes))
        }
        Err(_) => None,
    };
    driver.abort();
    answer
}
