//! Callbacks in. Verified, made durable in one post, then acknowledged (S-F). A callback moves nothing: it is a hint that makes a
//! machine ask (I15, F73).

use crate::{Engine, Error};
use domain::ids;
use domain::planted::{Bug, planted};
use metrics::counter;
use providers::{Received, Rejected};
use serde_json::json;
use store::{Post, Posted, Target};
use uuid::Uuid;

/// The exact bytes that acknowledge a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    pub body: &'static str,
}

/// Why a callback is not acknowledged; the provider is expected to send it again.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It proves nothing about its sender: no effect at all.
    #[error("verify a callback: {0}")]
    Rejected(#[from] Rejected),
    /// It could not be made durable.
    #[error("store a callback")]
    Unavailable(#[source] Error),
}

impl Engine {
    /// Takes one callback of an account.
    pub async fn receive(&self, account: &str, content_type: Option<&str>, body: &[u8]) -> Result<Ack, NotTaken> {
        let received = match self.providers.receive(account, content_type, body) {
            Ok(received) => received,
            Err(rejected) => {
                self.count(account, refusal(rejected));
                return Err(rejected.into());
            }
        };
        let ack = Ack { body: received.ack };
        let hinted = received.hint.is_some();
        match self.post(self.as_post(account, received, body)).await {
            Ok(posted) => {
                self.count(account, outcome(posted, hinted));
                if posted == Posted::Orphan && hinted {
                    tracing::warn!(account, "callback for an id that nobody has: kept until somebody has it");
                }
                Ok(ack)
            }
            Err(_) if planted(Bug::AckBeforeCommit) => Ok(ack),
            Err(error) => {
                self.count(account, "unavailable");
                Err(NotTaken::Unavailable(error))
            }
        }
    }

    fn as_post(&self, account: &str, received: Received, body: &[u8]) -> Post {
        let at = self.clock.now();
        // One that says nothing we can ask about waits at an address that nobody has: durable, and seen as an orphan.
        let address = match &received.hint {
            Some(hint) => format!("{account}/{}", hint.request_id()),
            None => format!("{account}/callback/{}", received.name),
        };
        let dedupe = format!("callback/{account}/{}", hex::encode(received.digest));
        Post {
            id: ids::derive(at, Uuid::nil(), &dedupe),
            tenant: self.rules.tenant(account).to_owned(),
            to: Target::Address(address),
            event: json!({ "Hinted": received.hint }),
            source: "callback".to_owned(),
            dedupe: Some(dedupe),
            raw: Some(body.to_vec()),
            at,
        }
    }

    /// Only our own accounts become labels: a stranger must not fill the metrics with names.
    fn count(&self, account: &str, outcome: &'static str) {
        let known = self.providers.names().any(|name| name == account);
        let account = if known { account } else { "unknown" };
        counter!("levee_callbacks_total", "account" => account.to_owned(), "outcome" => outcome).increment(1);
    }
}

fn outcome(posted: Posted, hinted: bool) -> &'static str {
    match posted {
        Posted::Stored => "stored",
        Posted::Duplicate => "duplicate",
        Posted::Orphan if hinted => "orphan",
        Posted::Orphan => "kept",
    }
}

fn refusal(rejected: Rejected) -> &'static str {
    match rejected {
        Rejected::UnknownAccount => "unknown_account",
        Rejected::TooLarge => "too_large",
        Rejected::Malformed(_) => "malformed",
        Rejected::BadSignature => "bad_signature",
        Rejected::Reflected => "reflected",
        Rejected::UnknownName => "unknown_name",
    }
}
