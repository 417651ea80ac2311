//! What one send to a provider is known to have done (safety.md §10). `Unsure` is the default; anything else must be earned.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The outcome of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict<T> {
    /// Applied, proven by a verified answer with the ids that were asked.
    Done(T),
    /// Definite: nothing moved.
    Refused(Refusal),
    /// Provably not accepted: no byte left, or a documented "later". Try again after the delay (real time).
    NotNow(Duration),
    /// Nobody knows. Never failed, never done: a probe finds out.
    Unsure(Fault),
}

impl<T> Verdict<T> {
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Verdict::Done(t) => Verdict::Done(f(t)),
            Verdict::Refused(r) => Verdict::Refused(r),
            Verdict::NotNow(d) => Verdict::NotNow(d),
            Verdict::Unsure(f) => Verdict::Unsure(f),
        }
    }

    /// The word for metrics: `done`, `refused`, `not_now`, `unsure`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Done(_) => "done",
            Verdict::Refused(_) => "refused",
            Verdict::NotNow(_) => "not_now",
            Verdict::Unsure(_) => "unsure",
        }
    }
}

/// A definite refusal: the provider's code and words (its text is untrusted), or the name of the limit we checked before sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: String,
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// Why a verdict is unsure. No personal data: never a body, never a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// No answer within the call timeout.
    Timeout,
    /// The connection broke after a byte may have left.
    Broken,
    /// An HTTP status other than 200.
    Status(u16),
    /// The answer's signature is missing or wrong (P04).
    BadSignature,
    /// Not what the documents describe: HTML, truncated, another shape.
    Unreadable,
    /// The answer names other ids than were asked (I26).
    Unbound,
    /// Longer than the cap.
    TooLarge,
    /// A code that is ambiguous (`0001`) or in no table.
    UnknownCode(String),
    /// The worker that may have sent it is gone (`found`).
    WorkerLost,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Timeout => f.write_str("timeout"),
            Fault::Broken => f.write_str("connection broken"),
            Fault::Status(code) => write!(f, "http status {code}"),
            Fault::BadSignature => f.write_str("bad or missing signature"),
            Fault::Unreadable => f.write_str("unreadable answer"),
            Fault::Unbound => f.write_str("answer of another call"),
            Fault::TooLarge => f.write_str("answer too large"),
            Fault::UnknownCode(code) => write!(f, "ambiguous code {code}"),
            Fault::WorkerLost => f.write_str("worker lost"),
        }
    }
}
