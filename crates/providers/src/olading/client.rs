//! One account: sends an operation and judges the answer. Nothing is `Done` without a verified signature, the name that was
//! asked and the ids that were asked (safety.md §10).

use super::Operation;
use super::codec::{Codec, Envelope};
use super::limits::LimitBroken;
use super::settings::{PRINTED_CODES, Settings};
use crate::transport::{Method, Transport, WireAnswer, WireFault, WireRequest};
use crate::{ConfigFault, Exchange, Sent};
use domain::planted::{Bug, planted};
use domain::{Fault, Refusal, Time, Verdict};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// A configured account.
#[derive(Debug)]
pub struct Client {
    pub(super) account: String,
    base: String,
    settings: Settings,
    pub(super) codec: Codec,
    transport: Transport,
    learned: RwLock<BTreeMap<Gap, String>>,
}

/// When and within what one send happens.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Business time, for the message's timestamp.
    pub now: Time,
    pub timeout: Duration,
    /// Asked last, just before the first byte may leave.
    pub gate: &'a (dyn Fn() -> bool + Send + Sync),
}

/// A code the document does not print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    DuplicateRequestId,
    OrderNotFound,
    ClockRefused,
    NotSigned,
    MonthCap,
}

/// What a code says about the call it answers.
enum Meaning {
    Success,
    Refusal,
    /// Our clock is off: nothing was accepted.
    Later,
    NoSuchOrder,
    Ambiguous,
}

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
/// Nothing left: the way out was closed, or the provider was not reached.
const NOT_SENT_DELAY: Duration = Duration::from_secs(1);
/// A refused clock needs a person or NTP; asking every second helps neither.
const CLOCK_DELAY: Duration = Duration::from_secs(60);
/// A provider's message is kept this far.
const MESSAGE_MAX_CHARS: usize = 200;

impl Client {
    pub(crate) fn new(account: &str, settings: Settings, transport: Transport) -> Result<Self, ConfigFault> {
        let base = settings.check(account)?;
        let codec = Codec::new(&settings);
        Ok(Self { account: account.to_owned(), base, settings, codec, transport, learned: RwLock::default() })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// One send of one operation.
    pub async fn send<O: Operation>(&self, operation: &O, call: Call<'_>) -> Sent<O::Answer> {
        if let Err(broken) = operation.check(&self.settings) {
            return Sent::unsent(Verdict::Refused(broken.into()));
        }
        let Ok(body) = self.codec.seal(O::NAME, operation, call.now) else {
            return Sent::unsent(Verdict::Refused(invalid("the request cannot be written as JSON".to_owned())));
        };
        let request = WireRequest {
            method: Method::Post,
            account: self.account.clone(),
            url: format!("{}{}", self.base, O::PATH),
            content_type: CONTENT_TYPE,
            body,
            timeout: call.timeout,
        };
        if !(call.gate)() {
            return Sent::unsent(Verdict::NotNow(NOT_SENT_DELAY));
        }
        let (outcome, took) = self.transport.exchange(&request).await;
        let verdict = match &outcome {
            Ok(answer) => self.judge(operation, answer),
            Err(fault) => unanswered(*fault),
        };
        self.log(O::NAME, &verdict, took);
        let (status, answer) = match outcome {
            Ok(answer) => (Some(answer.status), answer.body),
            Err(WireFault::NotSent) => return Sent::unsent(verdict),
            Err(WireFault::Timeout | WireFault::Broken | WireFault::TooLarge) => (None, Vec::new()),
        };
        let kept = operation.kept().and_then(|kept| self.codec.seal(O::NAME, &kept, call.now).ok());
        let request = kept.unwrap_or(request.body);
        Sent { verdict, exchange: Some(Exchange { operation: O::NAME, request, answer, status, took }) }
    }

    fn judge<O: Operation>(&self, operation: &O, answer: &WireAnswer) -> Verdict<O::Answer> {
        if answer.status != 200 {
            return Verdict::Unsure(Fault::Status(answer.status));
        }
        if answer.header("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            // Not asked for, and not inflated: the signature would be over other bytes.
            return Verdict::Unsure(Fault::Unreadable);
        }
        let verified = answer.header("Api-Sign").is_some_and(|sign| self.codec.verify(&answer.body, sign));
        if !verified && !planted(Bug::BelieveBadSignature) {
            return Verdict::Unsure(Fault::BadSignature);
        }
        let Some(envelope) = Envelope::read(&answer.body) else { return Verdict::Unsure(Fault::Unreadable) };
        let echoes = if planted(Bug::BelieveForeignAnswer) { Vec::new() } else { operation.echoes() };
        if envelope.name.as_str() != O::NAME || envelope.contradicts(&echoes) {
            return Verdict::Unsure(Fault::Unbound);
        }
        let code = envelope.code.as_str();
        match self.meaning::<O>(code) {
            Meaning::Success if !envelope.repeats(&echoes) => Verdict::Unsure(Fault::Unbound),
            Meaning::Success => envelope.data().map_or(Verdict::Unsure(Fault::Unreadable), Verdict::Done),
            Meaning::Refusal => {
                let message = envelope.message().chars().take(MESSAGE_MAX_CHARS).collect();
                Verdict::Refused(Refusal { code: code.to_owned(), message })
            }
            Meaning::Later => Verdict::NotNow(CLOCK_DELAY),
            // A "not found" that names no order may be another order's: believed, it would be half the proof for a re-send (TR2, S-G).
            Meaning::NoSuchOrder if O::absent().is_some() && !envelope.repeats(&echoes) => {
                Verdict::Unsure(Fault::Unbound)
            }
            // Only a query can find nothing; on any other operation the code is one of no table.
            Meaning::NoSuchOrder => O::absent().map_or(Verdict::Unsure(unknown(code)), Verdict::Done),
            Meaning::Ambiguous => Verdict::Unsure(unknown(code)),
        }
    }

    /// A duplicate `request_id` is not among the meanings on purpose: it says "query", as every unknown code does.
    fn meaning<O: Operation>(&self, code: &str) -> Meaning {
        let is = |gap| self.code(gap).as_deref() == Some(code);
        match code {
            "0" => Meaning::Success,
            "0002" | "0003" | "1009" | "1010" => Meaning::Refusal,
            _ if is(Gap::ClockRefused) => Meaning::Later,
            _ if is(Gap::OrderNotFound) => Meaning::NoSuchOrder,
            _ if O::CREATES && (is(Gap::NotSigned) || is(Gap::MonthCap)) => Meaning::Refusal,
            _ => Meaning::Ambiguous,
        }
    }

    /// Whether this code says that an id of ours was there before.
    pub(super) fn says_duplicate(&self, code: &str) -> bool {
        self.code(Gap::DuplicateRequestId).as_deref() == Some(code)
    }

    /// The configured code, else the learned one.
    fn code(&self, gap: Gap) -> Option<String> {
        let configured = match gap {
            Gap::DuplicateRequestId => &self.settings.code_duplicate_request_id,
            Gap::OrderNotFound => &self.settings.code_order_not_found,
            Gap::ClockRefused => &self.settings.code_clock_refused,
            Gap::NotSigned => &self.settings.code_not_signed,
            Gap::MonthCap => &self.settings.code_month_cap,
        };
        configured.clone().or_else(|| self.learned.read().unwrap_or_else(PoisonError::into_inner).get(&gap).cloned())
    }

    /// A code that already means something, printed or configured, is not taken: one code cannot say two things.
    pub(crate) fn learn(&self, gap: &str, code: &str) -> bool {
        let Some(gap) = Gap::named(gap) else { return false };
        let taken = Gap::ALL.into_iter().any(|other| other != gap && self.code(other).as_deref() == Some(code));
        if code.trim().is_empty() || PRINTED_CODES.contains(&code) || taken {
            return false;
        }
        self.learned.write().unwrap_or_else(PoisonError::into_inner).insert(gap, code.to_owned());
        true
    }

    /// Never a body, a code or an id.
    fn log<T>(&self, operation: &'static str, verdict: &Verdict<T>, took: Duration) {
        let (account, word) = (self.account.as_str(), verdict.word());
        match verdict {
            Verdict::Done(_) | Verdict::Refused(_) => {
                tracing::debug!(account, operation, verdict = word, ?took, "call")
            }
            Verdict::NotNow(CLOCK_DELAY) => {
                tracing::error!(account, operation, verdict = word, ?took, "provider refuses our clock: check NTP");
            }
            Verdict::NotNow(_) => tracing::info!(account, operation, verdict = word, ?took, "not reached"),
            Verdict::Unsure(Fault::BadSignature) => {
                tracing::error!(account, operation, verdict = word, ?took, "answer with a bad or missing signature");
            }
            Verdict::Unsure(_) => tracing::warn!(account, operation, verdict = word, ?took, "in doubt"),
        }
    }
}

impl Gap {
    const ALL: [Gap; 5] =
        [Gap::DuplicateRequestId, Gap::OrderNotFound, Gap::ClockRefused, Gap::NotSigned, Gap::MonthCap];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gap| gap.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Gap::DuplicateRequestId => "duplicate_request_id",
            Gap::OrderNotFound => "order_not_found",
            Gap::ClockRefused => "clock_refused",
            Gap::NotSigned => "not_signed",
            Gap::MonthCap => "month_cap",
        }
    }
}

fn unanswered<T>(fault: WireFault) -> Verdict<T> {
    match fault {
        WireFault::NotSent => Verdict::NotNow(NOT_SENT_DELAY),
        WireFault::Timeout if planted(Bug::TimeoutIsRefused) => {
            Verdict::Refused(invalid("no answer in time".to_owned()))
        }
        WireFault::Timeout => Verdict::Unsure(Fault::Timeout),
        WireFault::Broken => Verdict::Unsure(Fault::Broken),
        WireFault::TooLarge => Verdict::Unsure(Fault::TooLarge),
    }
}

fn unknown(code: &str) -> Fault {
    Fault::UnknownCode(code.chars().take(MESSAGE_MAX_CHARS).collect())
}

/// A refusal of our own, before anything was sent.
pub(super) fn invalid(message: String) -> Refusal {
    Refusal { code: "invalid".to_owned(), message }
}

impl From<LimitBroken> for Refusal {
    fn from(broken: LimitBroken) -> Self {
        invalid(broken.to_string())
    }
}

#[cfg(test)]
mod tests;
