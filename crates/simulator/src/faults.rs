//! Faults: which, when, and how often in a thousand (testing.md §4, faults.md §4).
//!
//! One throw decides each call: at most one fault befalls it, so the chances of one table may not exceed 1000 together. What
//! was really injected is counted by operation × phase × kind in the ledger's coverage.

use crate::Operation;
use crate::bank::Outcome;
use crate::dice::Dice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod presets;
#[cfg(test)]
mod tests;

pub use presets::preset;

/// The dice of one run; also the format of `--faults FILE` (TOML).
///
/// ```toml
/// slow_ms = 1500
/// [calls]
/// drop_after = 30
/// [operations.CONFIRM_ORDER_V2]
/// drop_after = 300
/// [callbacks]
/// lost = 100
/// [bank]
/// late = 50
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// What every interface suffers that has no table of its own.
    pub calls: BTreeMap<CallFault, u16>,
    /// Whole tables for single interfaces.
    pub operations: BTreeMap<Operation, BTreeMap<CallFault, u16>>,
    pub callbacks: BTreeMap<CallbackFault, u16>,
    /// How payments end; the rest succeeds at once.
    pub bank: BankFaults,
    /// Real milliseconds of a slow answer: more than the caller's timeout.
    pub slow_ms: u64,
    /// A late call is carried out up to this many virtual seconds later (F47: less than the quarantine).
    pub late_seconds: u64,
    /// A stale read shows a state up to this many virtual seconds old.
    pub stale_seconds: u64,
    /// A delayed callback comes up to this many virtual seconds later.
    pub callback_delay_seconds: u64,
}

/// Chances of the ways a payment can end, in thousandths.
pub type BankFaults = BTreeMap<Outcome, u16>;

/// What may befall one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallFault {
    /// The request is lost: the connection closes, nothing happened (F44).
    DropBefore,
    /// Code `0001`, nothing happened (F48).
    SystemFailureBefore,
    /// HTTP 5xx, nothing happened (F48).
    ServerErrorBefore,
    /// HTTP 429 with `Retry-After`, nothing happened (F59).
    TooManyRequests,
    /// No answer in time, and carried out afterwards (F47).
    Late,
    /// A middlebox sends the request twice (F46).
    Doubled,
    /// A query reads an old copy (F57).
    Stale,
    /// The order's result is ready at once and its callback overtakes the answer (F70, P40).
    CallbackFirst,
    /// Carried out, the answer lost (F45).
    DropAfter,
    /// Carried out, and answered `0001` (F49).
    SystemFailureAfter,
    /// Carried out, and answered HTTP 5xx (F49).
    ServerErrorAfter,
    /// Carried out, the right answer after the caller's timeout (F45).
    Delay,
    /// Carried out, the answer's `Api-Sign` is wrong (F54, P04).
    BadSignature,
    /// Carried out, no `Api-Sign` (F54).
    MissingSignature,
    /// Carried out, but the (well signed) answer of another call comes back (F55).
    MixUp,
    /// Carried out, a page of HTML with status 200 (F53).
    Html,
    /// Carried out, the JSON ends in the middle, signed as it is (F53).
    Truncated,
    /// Carried out, the answer drips byte by byte (F50).
    Drip,
    /// Carried out, the well signed answer is 2 MiB long (F51).
    Huge,
}

/// When a fault strikes, seen from the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Before,
    During,
    After,
}

/// What may befall one callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackFault {
    /// Never sent (F78).
    Lost,
    /// One to four more copies, at once and out of order (F67).
    Duplicated,
    /// Hours late (F68, F69).
    Delayed,
    /// Beside the real one, one with a wrong signature (F72).
    Forged,
    /// The same bytes again, days later (F73).
    Replayed,
    /// One of the client's own signed requests is posted to its callback URL (F73, TR1).
    Reflected,
    /// A well signed CLOSE_ORDER_NOTICE for a remit that is not closed (F73).
    FalseNotice,
}

/// Why a table of faults was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    #[error("read the faults: {0}")]
    Format(#[from] toml::de::Error),
    #[error("the chances of `{table}` exceed 1000 in a thousand together")]
    TooMuch { table: String },
}

impl CallFault {
    pub const ALL: [CallFault; 19] = [
        CallFault::DropBefore,
        CallFault::SystemFailureBefore,
        CallFault::ServerErrorBefore,
        CallFault::TooManyRequests,
        CallFault::Late,
        CallFault::Doubled,
        CallFault::Stale,
        CallFault::CallbackFirst,
        CallFault::DropAfter,
        CallFault::SystemFailureAfter,
        CallFault::ServerErrorAfter,
        CallFault::Delay,
        CallFault::BadSignature,
        CallFault::MissingSignature,
        CallFault::MixUp,
        CallFault::Html,
        CallFault::Truncated,
        CallFault::Drip,
        CallFault::Huge,
    ];

    pub const fn phase(self) -> Phase {
        match self {
            CallFault::DropBefore
            | CallFault::SystemFailureBefore
            | CallFault::ServerErrorBefore
            | CallFault::TooManyRequests => Phase::Before,
            CallFault::Late | CallFault::Doubled | CallFault::Stale | CallFault::CallbackFirst => Phase::During,
            CallFault::DropAfter
            | CallFault::SystemFailureAfter
            | CallFault::ServerErrorAfter
            | CallFault::Delay
            | CallFault::BadSignature
            | CallFault::MissingSignature
            | CallFault::MixUp
            | CallFault::Html
            | CallFault::Truncated
            | CallFault::Drip
            | CallFault::Huge => Phase::After,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            CallFault::DropBefore => "drop_before",
            CallFault::SystemFailureBefore => "system_failure_before",
            CallFault::ServerErrorBefore => "server_error_before",
            CallFault::TooManyRequests => "too_many_requests",
            CallFault::Late => "late",
            CallFault::Doubled => "doubled",
            CallFault::Stale => "stale",
            CallFault::CallbackFirst => "callback_first",
            CallFault::DropAfter => "drop_after",
            CallFault::SystemFailureAfter => "system_failure_after",
            CallFault::ServerErrorAfter => "server_error_after",
            CallFault::Delay => "delay",
            CallFault::BadSignature => "bad_signature",
            CallFault::MissingSignature => "missing_signature",
            CallFault::MixUp => "mix_up",
            CallFault::Html => "html",
            CallFault::Truncated => "truncated",
            CallFault::Drip => "drip",
            CallFault::Huge => "huge",
        }
    }

    /// Whether the fault means anything for that interface: only orders have a result that can overtake their answer, a
    /// query cannot be late or doubled to any effect, and only the order query keeps old copies.
    pub fn fits(self, operation: Operation) -> bool {
        match self {
            CallFault::Late | CallFault::Doubled => !operation.reads(),
            CallFault::Stale => operation == Operation::QueryOrderV2,
            CallFault::CallbackFirst => operation == Operation::CreateOrderV2,
            CallFault::DropBefore
            | CallFault::SystemFailureBefore
            | CallFault::ServerErrorBefore
            | CallFault::TooManyRequests
            | CallFault::DropAfter
            | CallFault::SystemFailureAfter
            | CallFault::ServerErrorAfter
            | CallFault::Delay
            | CallFault::BadSignature
            | CallFault::MissingSignature
            | CallFault::MixUp
            | CallFault::Html
            | CallFault::Truncated
            | CallFault::Drip
            | CallFault::Huge => true,
        }
    }
}

impl Phase {
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Before => "before",
            Phase::During => "during",
            Phase::After => "after",
        }
    }
}

impl CallbackFault {
    pub const ALL: [CallbackFault; 7] = [
        CallbackFault::Lost,
        CallbackFault::Duplicated,
        CallbackFault::Delayed,
        CallbackFault::Forged,
        CallbackFault::Replayed,
        CallbackFault::Reflected,
        CallbackFault::FalseNotice,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            CallbackFault::Lost => "lost",
            CallbackFault::Duplicated => "duplicated",
            CallbackFault::Delayed => "delayed",
            CallbackFault::Forged => "forged",
            CallbackFault::Replayed => "replayed",
            CallbackFault::Reflected => "reflected",
            CallbackFault::FalseNotice => "false_notice",
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            calls: BTreeMap::new(),
            operations: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            bank: BTreeMap::new(),
            slow_ms: 1500,
            late_seconds: 180,
            stale_seconds: 300,
            callback_delay_seconds: 6 * 3600,
        }
    }
}

impl Faults {
    /// Reads `--faults FILE`.
    pub fn from_toml(text: &str) -> Result<Self, FaultError> {
        let faults: Faults = toml::from_str(text)?;
        faults.check()?;
        Ok(faults)
    }

    /// Every table's chances add up to at most 1000.
    pub fn check(&self) -> Result<(), FaultError> {
        let of =
            |name: &str, sum: u32| if sum > 1000 { Err(FaultError::TooMuch { table: name.into() }) } else { Ok(()) };
        of("calls", sum(&self.calls))?;
        of("callbacks", sum(&self.callbacks))?;
        of("bank", sum(&self.bank))?;
        self.operations.iter().try_for_each(|(operation, table)| of(operation.name(), sum(table)))
    }

    pub(crate) fn for_call(&self, operation: Operation, dice: &mut Dice) -> Option<CallFault> {
        let table = self.operations.get(&operation).unwrap_or(&self.calls);
        throw(table, dice).filter(|fault| fault.fits(operation))
    }

    pub(crate) fn for_callback(&self, dice: &mut Dice) -> Option<CallbackFault> {
        throw(&self.callbacks, dice)
    }

    pub(crate) fn for_payment(&self, dice: &mut Dice) -> Option<Outcome> {
        throw(&self.bank, dice)
    }
}

fn sum<K>(table: &BTreeMap<K, u16>) -> u32 {
    table.values().map(|chance| u32::from(*chance)).sum()
}

/// One throw against the table's chances laid end to end.
fn throw<K: Copy + Ord>(table: &BTreeMap<K, u16>, dice: &mut Dice) -> Option<K> {
    if table.is_empty() {
        return None;
    }
    let mut left = dice.per_mille();
    table.iter().find_map(|(kind, chance)| {
        if left < *chance {
            return Some(*kind);
        }
        left -= chance;
        None
    })
}
