//! The server on the other side: one HTTP client, answers read under a cap, refusals as RFC 9457 problems.

use crate::cli::Unreachable;
use anyhow::{Context, Result, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, Url, redirect, retry};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_URL: &str = "http://127.0.0.1:8700";
/// Longest answer that is read.
const ANSWER_MAX: usize = 32 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A permit's live query may take 10 s; a payday file some minutes.
const PATIENCE: Duration = Duration::from_secs(30);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(300);
const UPLOAD_BYTES: usize = 256 * 1024;

/// A server, and the key to speak to it with.
pub(crate) struct Remote {
    base: Url,
    /// `Bearer …`; marked sensitive, so it never prints.
    key: HeaderValue,
    http: Client,
}

/// What a request carries.
pub(crate) enum Body {
    None,
    Json(Value),
    Csv(Vec<u8>),
    /// JSON as a file holds it.
    Raw(Vec<u8>),
    /// A file as a form brings it.
    File {
        kind: &'static str,
        whose: Whose,
        file: Vec<u8>,
    },
}

/// Whose a file is: the form's field, and what it says.
pub(crate) type Whose = (&'static str, String);

/// What came back, as sent and as read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) value: Value,
}

/// The server said no.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) answer: Answer,
    /// Under which key the same request may be asked again.
    pub(crate) idempotency_key: Option<String>,
}

impl Body {
    /// With as much time as its size takes.
    fn carried_by(self, request: RequestBuilder) -> RequestBuilder {
        let patience = |bytes: &[u8]| if bytes.len() > UPLOAD_BYTES { UPLOAD_PATIENCE } else { PATIENCE };
        let (kind, bytes) = match self {
            Body::None => return request.timeout(PATIENCE),
            Body::File { kind, whose: (field, whose), file } => {
                let request = request.timeout(patience(&file));
                let file = Part::bytes(file).file_name("file");
                return request.multipart(Form::new().text("kind", kind).text(field, whose).part("file", file));
            }
            Body::Json(value) => ("application/json", value.to_string().into_bytes()),
            Body::Raw(bytes) => ("application/json", bytes),
            Body::Csv(bytes) => ("text/csv", bytes),
        };
        request.header(CONTENT_TYPE, kind).timeout(patience(&bytes)).body(bytes)
    }
}

impl Remote {
    /// `LEVEE_URL` and `LEVEE_KEY`; the key may be `file:PATH`.
    pub(crate) fn from_environment() -> Result<Self> {
        let url = std::env::var("LEVEE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
        let Some(key) = std::env::var("LEVEE_KEY").ok().filter(|key| !key.is_empty()) else {
            bail!(
                "LEVEE_KEY is not set: give an API key, best as LEVEE_KEY=file:PATH; an admin makes one with `levee key create`"
            );
        };
        Self::new(&url, &key)
    }

    pub(crate) fn new(url: &str, key: &str) -> Result<Self> {
        let base = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.with_context(|| format!("LEVEE_URL must be an address such as {DEFAULT_URL}"))?;
        let key = match key.strip_prefix("file:") {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("read LEVEE_KEY from {path}"))?,
            None => key.to_owned(),
        };
        let mut key = HeaderValue::from_str(&format!("Bearer {}", key.trim()))
            .context("LEVEE_KEY has characters that no key has")?;
        key.set_sensitive(true);
        let secure = base.scheme() == "https";
        if !secure && !matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            eprintln!(
                "levee: LEVEE_URL is plain http to another machine: the key and the answers can be read on the way"
            );
        }
        Ok(Self { base, key, http: client(secure)? })
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer> {
        self.send(Method::GET, path, query, Body::None, None).await
    }

    /// Asks for something, once however often this request is repeated under its key.
    pub(crate) async fn post(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body,
        key: Option<String>,
    ) -> Result<Answer> {
        let key = key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        self.send(Method::POST, path, query, body, Some(key)).await
    }

    pub(crate) async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer> {
        self.send(Method::DELETE, path, query, Body::None, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Body,
        key: Option<String>,
    ) -> Result<Answer> {
        let mut request = self.http.request(method, self.address(path, query)?).header(AUTHORIZATION, self.key.clone());
        if let Some(key) = &key {
            request = request.header(
                "Idempotency-Key",
                HeaderValue::from_str(key).context("--idempotency-key must be printable ASCII")?,
            );
        }
        request = body.carried_by(request);
        let mut answer = request.send().await.map_err(|why| self.lost(&why, key.as_deref()))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|why| self.lost(&why, key.as_deref()))? {
            if bytes.len() + piece.len() > ANSWER_MAX {
                bail!("the answer is longer than {ANSWER_MAX} bytes: ask for less with --limit");
            }
            bytes.extend_from_slice(&piece);
        }
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if value.is_null() && status.is_success() && !bytes.is_empty() {
            bail!("{} answered with something that is not JSON: is LEVEE_URL the address of levee?", self.base);
        }
        let answer = Answer { bytes, value };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(Refused { status: status.as_u16(), answer, idempotency_key: key }.into())
        }
    }

    /// Every part of the path is one segment, whatever it holds.
    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url> {
        if let Some(bad) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            bail!("{bad:?} is no id");
        }
        let mut url = self.base.clone();
        url.set_query(None);
        url.path_segments_mut()
            .map_err(|()| anyhow::anyhow!("LEVEE_URL has no path"))?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// No answer: before the request left nothing happened, after it nobody knows.
    fn lost(&self, why: &reqwest::Error, key: Option<&str>) -> Unreachable {
        let server = self.base.as_str().trim_end_matches('/');
        if why.is_connect() {
            return Unreachable(format!("cannot reach the server at {server}: start `levee serve`, or set LEVEE_URL"));
        }
        let again = key
            .map_or(String::new(), |key| format!("; it may have been taken: ask again with --idempotency-key {key}"));
        Unreachable(format!("the server at {server} did not answer{again}"))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client of the admin API; `providers` has the one that meets providers"
)]
fn client(secure: bool) -> Result<Client> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("levee/", env!("CARGO_PKG_VERSION")));
    let builder = if secure {
        // The machine's own roots: the server's certificate is often of the company's own authority. An error here means that
        // another provider is already installed, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        builder
    } else {
        // A machine without any certificates still reaches its own server.
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .context("set up TLS")?;
        builder
            .tls_backend_preconfigured(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
    };
    builder.build().context("make the HTTP client (are the machine's CA certificates installed?)")
}

/// One line per field at fault, else what the server says as a whole.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(crate::show::clean);
        let problem = &self.answer.value;
        let errors = problem.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty());
        let Some(errors) = errors else {
            let Some(detail) = text(problem, "detail").or_else(|| text(problem, "title")) else {
                return write!(f, "the server answered with status {}", self.status);
            };
            f.write_str(&detail)?;
            return text(problem, "code").map_or(Ok(()), |code| write!(f, " ({code})"));
        };
        for (n, error) in errors.iter().enumerate() {
            let row = error.get("row").and_then(Value::as_i64).map_or(String::new(), |row| format!("row {row}, "));
            let (field, message) =
                (text(error, "field").unwrap_or_default(), text(error, "message").unwrap_or_default());
            write!(f, "{}{row}{field}: {message}", if n == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
