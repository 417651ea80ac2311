//! All configured accounts by name, and the two things the engine does with them: call one, and receive a callback for one.

use crate::transport::Transport;
use crate::{olading, stub};
use domain::effect::EffectClass;
use domain::papers::{Bounds, FileKind};
use domain::{Answer, Operation, Person, Request, Time, Verdict};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// All configured accounts.
#[derive(Debug)]
pub struct Providers(BTreeMap<String, Account>);

/// One account as configured: `[accounts.NAME] provider = "…"` and that provider's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a process has a handful of accounts")]
pub enum AccountConfig {
    Olading(olading::Settings),
    /// The far side of `levee bench`: no configuration file can name it.
    #[serde(skip)]
    Stub(stub::Settings),
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has a handful of accounts")]
enum Account {
    Olading(olading::Client),
    Stub(stub::Client),
}

/// One operation that an adapter can perform, in words: what conformance suites and documents go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name on the wire.
    pub name: &'static str,
    pub path: &'static str,
    pub class: EffectClass,
}

/// A setting that cannot be used: which one, what is wrong, and what to write instead. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("accounts.{account}.{key} {problem}: {remedy}")]
pub struct ConfigFault {
    pub account: String,
    pub key: &'static str,
    pub problem: String,
    pub remedy: String,
}

/// One send.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub account: &'a str,
    pub request: &'a Request,
    /// Whose data the call carries or compares, in the order of [`Request::people`]; the request itself holds ids only.
    pub people: &'a [Person],
    /// The contents of its files, in the order of [`Request::files`].
    pub files: &'a [Arc<Vec<u8>>],
    /// Names this attempt, where a provider wants another id for each.
    pub attempt: Uuid,
    /// Business time, for the timestamp of the message.
    pub now: Time,
    pub timeout: Duration,
    /// Asked last, just before the first byte may leave (I12, F8); `false` stops the send.
    pub gate: &'a (dyn Fn() -> bool + Send + Sync),
}

/// What became of one send.
#[derive(Debug)]
pub struct Sent<T = Answer> {
    pub verdict: Verdict<T>,
    /// `None` when no byte left.
    pub exchange: Option<Exchange>,
}

/// The exact bytes of one exchange, to be kept encrypted: they hold personal data, hence no printing of bodies.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The operation's name on the wire.
    pub operation: &'static str,
    /// The body exactly as sent.
    pub request: Vec<u8>,
    /// The body exactly as received; empty when none was read whole.
    pub answer: Vec<u8>,
    pub status: Option<u16>,
    /// Real time it took; zero over a local peer.
    pub took: Duration,
}

/// A callback whose signature holds. It is a hint: it makes the engine ask, it moves nothing (I15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub name: String,
    /// `None` when it says nothing that can be asked about: stored and acknowledged all the same.
    pub hint: Option<domain::levy::Hint>,
    /// SHA-256 of the raw body, for deduplication.
    pub digest: [u8; 32],
    /// The exact bytes that acknowledge it (P44).
    pub ack: &'static str,
}

/// Why a callback is not taken. The caller answers anything but the acknowledgement and writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("no such account")]
    UnknownAccount,
    #[error("body over the limit")]
    TooLarge,
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("bad signature")]
    BadSignature,
    /// A message of our own, sent back to us: one key signs both directions (TR1).
    #[error("our own message reflected")]
    Reflected,
    #[error("not a callback's name")]
    UnknownName,
}

/// How long to wait before an account that is not configured is looked for again: a person must mend the configuration.
const ACCOUNT_MISSING_DELAY: Duration = Duration::from_secs(60);

impl Providers {
    /// Checks every account and names the first key at fault.
    pub fn new(accounts: BTreeMap<String, AccountConfig>, transport: Transport) -> Result<Self, ConfigFault> {
        let open = |(name, config): (String, AccountConfig)| {
            let account = match config {
                AccountConfig::Olading(settings) => {
                    olading::Client::new(&name, settings, transport.clone()).map(Account::Olading)?
                }
                AccountConfig::Stub(settings) => Account::Stub(stub::Client::new(&name, settings, transport.clone())),
            };
            Ok((name, account))
        };
        accounts.into_iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names on the wire of the operations that are verified before a retry (S-G), of every provider there is.
    pub fn verified(&self) -> impl Iterator<Item = &'static str> {
        let of = |operation: &Descriptor| operation.class == EffectClass::VerifyThenRetry;
        olading::OPERATIONS.into_iter().chain(stub::OPERATIONS).filter(of).map(|operation| operation.name)
    }

    /// The typed client of an Olading account: all its operations, and its settings.
    pub fn olading(&self, account: &str) -> Option<&olading::Client> {
        match self.0.get(account)? {
            Account::Olading(client) => Some(client),
            Account::Stub(_) => None,
        }
    }

    /// Everything an account's adapter can perform, in the order of the provider's document; empty without such an account.
    pub fn operations(&self, account: &str) -> &'static [Descriptor] {
        match self.0.get(account) {
            Some(Account::Olading(_)) => &olading::OPERATIONS,
            Some(Account::Stub(_)) => &stub::OPERATIONS,
            None => &[],
        }
    }

    /// What the account's adapter performs for an operation of the process book.
    pub fn operation(&self, account: &str, operation: Operation) -> Option<Descriptor> {
        match self.0.get(account)? {
            Account::Olading(_) => olading::performs(operation),
            Account::Stub(_) => stub::performs(operation),
        }
    }

    /// The most that the account's provider takes of a file; `None` where it takes none.
    pub fn bounds(&self, account: &str, kind: FileKind) -> Option<Bounds> {
        match self.0.get(account)? {
            Account::Olading(client) => Some(olading::limits::bounds(kind, client.settings())),
            Account::Stub(_) => None,
        }
    }

    /// One send. Never fails: whatever happens is a verdict.
    pub async fn call(&self, ask: Ask<'_>) -> Sent {
        match self.0.get(ask.account) {
            Some(Account::Olading(client)) => client.ask(ask).await,
            Some(Account::Stub(client)) => client.ask(ask).await,
            None => {
                // Not a refusal: an order must not end because somebody took its account out of the configuration.
                tracing::error!(account = ask.account, "account not configured");
                Sent::unsent(Verdict::NotNow(ACCOUNT_MISSING_DELAY))
            }
        }
    }

    /// Verifies a callback over its raw bytes. The content type is not judged: the signature covers what matters.
    pub fn receive(&self, account: &str, _content_type: Option<&str>, body: &[u8]) -> Result<Received, Rejected> {
        match self.0.get(account) {
            Some(Account::Olading(client)) => client.receive(body),
            Some(Account::Stub(_)) => Err(Rejected::UnknownName),
            None => Err(Rejected::UnknownAccount),
        }
    }

    /// Takes a code that `doctor` found out for a gap of the documents, for example `order_not_found`; a configured code
    /// stands. `false` when the account or the gap is unknown, or the code already means something else.
    pub fn set_learned(&self, account: &str, gap: &str, code: &str) -> bool {
        match self.0.get(account) {
            Some(Account::Olading(client)) => client.learn(gap, code),
            Some(Account::Stub(_)) | None => false,
        }
    }
}

impl<T> Sent<T> {
    /// No byte left.
    pub(crate) fn unsent(verdict: Verdict<T>) -> Self {
        Self { verdict, exchange: None }
    }
}

impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("account", &self.account).field("request", self.request).finish_non_exhaustive()
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("operation", &self.operation)
            .field("request_bytes", &self.request.len())
            .field("answer_bytes", &self.answer.len())
            .field("status", &self.status)
            .field("took", &self.took)
            .finish()
    }
}
