//! How bytes reach a provider: HTTP, or an in-process peer for the deterministic simulation.
//!
//! One client factory (security.md §5): rustls with ring and the webpki roots, no redirects, no proxy from the environment, no
//! decompression, no retries, and answers read piece by piece under a cap (`faults.md` §2.4).

use reqwest::{Client, redirect, retry};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The way out. Clones share one connection pool.
#[derive(Clone)]
pub enum Transport {
    Http(Client),
    Local(Arc<dyn Peer>),
}

/// The other side, in this process. It answers when it likes: in the simulation an answer takes virtual time, and may be dropped
/// on its way.
pub trait Peer: Send + Sync {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a>;
}

/// An exchange under way.
pub type Exchanging<'a> = Pin<Box<dyn Future<Output = Result<WireAnswer, WireFault>> + Send + 'a>>;

/// One request.
#[derive(Clone)]
pub struct WireRequest {
    pub method: Method,
    pub account: String,
    pub url: String,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    /// For the whole exchange, from connecting to the last byte.
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// What came back, whatever its status.
#[derive(Clone)]
pub struct WireAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why nothing (usable) came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// Connecting failed (DNS, TCP, TLS): provably no byte of the request left (F43).
    NotSent,
    Timeout,
    /// The connection broke after a byte may have left.
    Broken,
    /// The answer is longer than [`ANSWER_MAX`].
    TooLarge,
}

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
    #[error("build the HTTP client")]
    Build(#[source] reqwest::Error),
}

/// Longest answer that is read.
pub const ANSWER_MAX: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence while an answer is awaited or read.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than common servers keep a connection (20 s and more), so that a write seldom meets a closed one.
const POOL_IDLE: Duration = Duration::from_secs(15);
/// A body above this is an upload: writing it may well take longer than [`IDLE_TIMEOUT`], only the call's timeout bounds it.
const UPLOAD_BYTES: usize = 256 * 1024;

impl Transport {
    /// Over HTTP, with the one client of this crate.
    pub fn http() -> Result<Self, ClientFault> {
        http_client().map(Self::Http)
    }

    /// Sends, and reads the whole answer. Also says how long it took (zero over a local peer, which must stay deterministic).
    pub(crate) async fn exchange(&self, request: &WireRequest) -> (Result<WireAnswer, WireFault>, Duration) {
        match self {
            Transport::Http(client) => {
                let begun = Instant::now();
                let outcome = send(client, request).await;
                (outcome, begun.elapsed())
            }
            Transport::Local(peer) => (peer.exchange(request).await.and_then(capped), Duration::ZERO),
        }
    }
}

/// A local peer's long answer meets the same cap.
fn capped(answer: WireAnswer) -> Result<WireAnswer, WireFault> {
    if answer.body.len() > ANSWER_MAX { Err(WireFault::TooLarge) } else { Ok(answer) }
}

/// The one HTTP client: rustls with ring, no redirects, no proxy, no compression. The CLI speaks to the admin API through it too.
#[expect(clippy::disallowed_methods, reason = "the one client factory")]
pub fn http_client() -> Result<Client, ClientFault> {
    Client::builder()
        .tls_backend_preconfigured(tls().map_err(ClientFault::Tls)?)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_nodelay(true)
        .user_agent("levee")
        .build()
        .map_err(ClientFault::Build)
}

/// ring is named here: nothing depends on a process-wide default provider.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

async fn send(client: &Client, request: &WireRequest) -> Result<WireAnswer, WireFault> {
    let patience = if request.body.len() > UPLOAD_BYTES { request.timeout } else { IDLE_TIMEOUT };
    let sending = match request.method {
        Method::Get => client.get(&request.url),
        Method::Post => client
            .post(&request.url)
            .header(reqwest::header::CONTENT_TYPE, request.content_type)
            .body(request.body.clone()),
    };
    let mut answer = within(patience, sending.timeout(request.timeout).send()).await?;
    let headers = answer.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let (status, headers) = (answer.status().as_u16(), headers.collect());
    let mut body = Vec::new();
    while let Some(piece) = within(IDLE_TIMEOUT, answer.chunk()).await? {
        if body.len() + piece.len() > ANSWER_MAX {
            return Err(WireFault::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(WireAnswer { status, headers, body })
}

async fn within<T>(limit: Duration, step: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, WireFault> {
    match tokio::time::timeout(limit, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(WireFault::of(&error)),
        Err(_) => Err(WireFault::Timeout),
    }
}

impl WireFault {
    fn of(error: &reqwest::Error) -> Self {
        // A builder error is an address that does not parse: no connection was even tried.
        if error.is_connect() || error.is_builder() {
            return Self::NotSent;
        }
        if error.is_timeout() { Self::Timeout } else { Self::Broken }
    }
}

impl WireAnswer {
    /// The header's value, if it is there exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            (None, _) | (Some(_), Some(_)) => None,
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Http(_) => "Http",
            Transport::Local(_) => "Local",
        })
    }
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireRequest({}, {}, {} bytes)", self.account, self.url, self.body.len())
    }
}

impl fmt::Debug for WireAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests;
