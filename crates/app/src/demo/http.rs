//! Plain JSON over HTTP, as any outside program would speak to levee and to the bank.

use anyhow::{Context, Result, bail};
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::time::Duration;

/// One server and the key to it.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
    key: Option<String>,
}

/// Longer than the ten seconds a permit may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// For an answer that is not there yet.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

impl Http {
    pub(crate) fn new(base: &str, key: Option<&str>) -> Result<Self> {
        let client = providers::http_client().context("make the HTTP client")?;
        Ok(Self { client, base: base.to_owned(), key: key.map(str::to_owned) })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same server under another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let (status, body) = self.send(reqwest::Method::GET, path, "application/json", Vec::new()).await?;
        if status != 200 {
            bail!("GET {path} answered {status}: {body}");
        }
        Ok(body)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send(reqwest::Method::POST, path, "application/json", serde_json::to_vec(body)?).await
    }

    /// Posts under one Idempotency-Key, again while the answer, or a part of it, is not there yet: what is given out once, like a
    /// permit, is not lost with an answer that came too late.
    pub(crate) async fn collect(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let (key, body) = (uuid::Uuid::new_v4().to_string(), serde_json::to_vec(body)?);
        let mut tries = 1;
        loop {
            let (once, key) = (body.clone(), Some(key.as_str()));
            let answer = self.send_once(reqwest::Method::POST, path, "application/json", once, key).await;
            let late = answer.as_ref().map_or(true, |(status, answer)| {
                *status == 503
                    // The first one, which nobody here waits for any more, is still at work.
                    || answer["code"] == "idempotency_running"
                    || answer["items"].as_array().is_some_and(|items| items.iter().any(|i| i["status"] == 503))
            });
            if !late || tries == TRIES {
                return answer;
            }
            tries += 1;
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// Posts and insists on success.
    pub(crate) async fn done(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.post(path, body).await?;
        if !(200..300).contains(&status) {
            bail!("POST {path} answered {status}: {answer}");
        }
        Ok(answer)
    }

    /// Uploads one file, and whose it is.
    pub(crate) async fn upload(&self, kind: &str, whose: (&'static str, &str), file: Vec<u8>) -> Result<(u16, Value)> {
        let form = Form::new()
            .text("kind", kind.to_owned())
            .text(whose.0, whose.1.to_owned())
            .part("file", Part::bytes(file).file_name("scan"));
        let request = self.client.post(format!("{}/v1/documents", self.base)).timeout(TIMEOUT).multipart(form);
        self.answer(request).await
    }

    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(u16, Value)> {
        self.send_once(method, path, content_type, body, None).await
    }

    async fn send_once(
        &self,
        method: reqwest::Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
        idempotency_key: Option<&str>,
    ) -> Result<(u16, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .header("content-type", content_type)
            .timeout(TIMEOUT)
            .body(body);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.answer(request).await
    }

    async fn answer(&self, mut request: reqwest::RequestBuilder) -> Result<(u16, Value)> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let mut answer = request.send().await.with_context(|| format!("reach {}", self.base))?;
        let status = answer.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.context("read the answer")? {
            bytes.extend_from_slice(&chunk);
        }
        let value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok((status, value))
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let after = cursor.as_deref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}{joint}limit=200{after}")).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }
}
