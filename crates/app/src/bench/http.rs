//! A small HTTP client that costs little, so that who drives does not take the cores from who is measured: connections that are
//! kept, one request at a time on each.

use anyhow::{Context, Result, bail};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const ANSWER_MAX: usize = 256 * 1024 * 1024;

/// One kept connection.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    host: String,
}

impl Connection {
    /// To `http://HOST:PORT`.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).await.with_context(|| format!("connect to {host}"))?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.context("speak HTTP")?;
        tokio::spawn(connection);
        Ok(Self { sender, host })
    }

    /// The body of a 2xx answer; anything else is an error. Once more on a new connection where the old one had been closed: a
    /// server closes idle ones, and every request of the workload may be repeated.
    pub(super) async fn send(&mut self, method: &str, path: &str) -> Result<Vec<u8>> {
        match self.exchange(method, path).await {
            Ok(body) => Ok(body),
            Err(_) if self.sender.is_closed() => {
                *self = Self::open(&self.host).await?;
                self.exchange(method, path).await
            }
            Err(error) => Err(error),
        }
    }

    async fn exchange(&mut self, method: &str, path: &str) -> Result<Vec<u8>> {
        self.sender.ready().await.context("keep the connection")?;
        let request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        let answer = self.sender.send_request(request.body(Body::empty())?).await.context("read an answer")?;
        let status = answer.status();
        let body = to_bytes(Body::new(answer.into_body()), ANSWER_MAX).await.context("read a body")?;
        if !status.is_success() {
            bail!("{method} {path}: {status}");
        }
        Ok(body.to_vec())
    }

    pub(super) async fn text(&mut self, path: &str) -> Result<String> {
        String::from_utf8(self.send("GET", path).await?).context("read text")
    }
}
