//! A green run that tested little is red (testing.md §6): every fault that the run claims must have struck.

use super::Simulate;
use super::tally::Tally;
use simulator::faults::{CallFault, CallbackFault};
use simulator::{Operation, Outcome};

/// From so many orders on, and with nothing left out, everything must have happened at least once.
const ENOUGH: u64 = 5000;

const OPERATIONS: [Operation; 3] = [Operation::CreateOrderV2, Operation::QueryOrderV2, Operation::ConfirmOrderV2];
const CALLBACKS: [CallbackFault; 7] = [
    CallbackFault::Lost,
    CallbackFault::Duplicated,
    CallbackFault::Delayed,
    CallbackFault::Forged,
    CallbackFault::Replayed,
    CallbackFault::Reflected,
    CallbackFault::FalseNotice,
];
const PAYMENTS: [Outcome; 9] = [
    Outcome::Later,
    Outcome::Late,
    Outcome::Failed,
    Outcome::FailedLater,
    Outcome::Unknown,
    Outcome::AnswerLost,
    Outcome::AnswerLostFailed,
    Outcome::Returned,
    Outcome::Stuck,
];
const NEAR: [&str; 24] = [
    "callbacks acknowledged",
    "callbacks not acknowledged",
    "calls timed out",
    "calls while the provider is away",
    "claims applied, answer lost",
    "commits applied, answer lost",
    "conflicts",
    "connections lost before a write",
    "connections refused",
    "crashes",
    "database blackouts",
    "freezes thrown",
    "operator moves",
    "orders closed oddly",
    "orders submitted again",
    "other answers of the database lost",
    "pauses",
    "payments returned",
    "permits forgotten",
    "permits handed back",
    "provider outages",
    "re-sends",
    "reports said twice",
    "takeovers",
];
const CRASHES: [&str; 9] = [
    "before a claim",
    "after a claim",
    "before a commit",
    "after a commit",
    "before a release",
    "after a release",
    "before the first byte",
    "with a request under way",
    "with an answer under way",
];

/// What was claimed and never struck.
pub(super) fn thin(tally: &Tally, options: &Simulate) -> Vec<String> {
    let whole = options.without.is_empty() && options.intensity > 0 && tally.orders >= ENOUGH;
    if !whole {
        return Vec::new();
    }
    let calls = OPERATIONS.iter().flat_map(|operation| {
        let fitting = CallFault::ALL.into_iter().filter(|fault| fault.fits(*operation));
        fitting.map(|fault| format!("{}/{}/{}", operation.name(), fault.phase().word(), fault.word()))
    });
    let callbacks = CALLBACKS.iter().map(|fault| format!("CREATE_ORDER_V2/callback/{}", fault.word()));
    let payments = PAYMENTS.iter().map(|outcome| format!("BANK/payment/{}", outcome.word()));
    let far = calls.chain(callbacks).chain(payments).filter(|key| !tally.pairs.contains_key(key));
    let near = NEAR.iter().filter(|what| tally.of(what) == 0).map(|what| (*what).to_owned());
    let crashes =
        CRASHES.iter().filter(|point| !tally.crashes.contains_key(**point)).map(|point| format!("crash {point}"));
    far.chain(near).chain(crashes).map(|what| format!("never struck: {what}")).collect()
}
