//! The named tables.

use super::{BankFaults, CallFault, CallbackFault, Faults};
use crate::bank::Outcome;
use std::collections::BTreeMap;

/// The named tables of `--faults`: `none`, `some` (about a third of the chaos dice) and `many` (the chaos dice of testing.md §4
/// as they stand, with 429 and stale reads added).
pub fn preset(name: &str) -> Option<Faults> {
    match name {
        "none" => Some(Faults::default()),
        "some" => Some(Faults {
            calls: chaos_calls(3),
            callbacks: chaos_callbacks(3),
            bank: chaos_bank(3),
            ..Faults::default()
        }),
        "many" => Some(Faults {
            calls: chaos_calls(1),
            callbacks: chaos_callbacks(1),
            bank: chaos_bank(1),
            ..Faults::default()
        }),
        _ => None,
    }
}

fn chaos_calls(part: u16) -> BTreeMap<CallFault, u16> {
    let chances = [
        (CallFault::SystemFailureBefore, 50),
        (CallFault::SystemFailureAfter, 50),
        (CallFault::DropBefore, 30),
        (CallFault::DropAfter, 30),
        (CallFault::Late, 20),
        (CallFault::Doubled, 20),
        (CallFault::BadSignature, 20),
        (CallFault::ServerErrorBefore, 15),
        (CallFault::ServerErrorAfter, 15),
        (CallFault::TooManyRequests, 15),
        (CallFault::Stale, 15),
        (CallFault::CallbackFirst, 15),
        (CallFault::MixUp, 10),
        (CallFault::Html, 10),
        (CallFault::Drip, 10),
        (CallFault::Delay, 10),
        (CallFault::Truncated, 10),
        (CallFault::MissingSignature, 5),
        (CallFault::Huge, 5),
    ];
    chances.into_iter().map(|(kind, chance)| (kind, (chance / part).max(1))).collect()
}

fn chaos_callbacks(part: u16) -> BTreeMap<CallbackFault, u16> {
    let chances = [
        (CallbackFault::Lost, 100),
        (CallbackFault::Duplicated, 200),
        (CallbackFault::Delayed, 100),
        (CallbackFault::Forged, 30),
        (CallbackFault::Replayed, 50),
        (CallbackFault::Reflected, 20),
        (CallbackFault::FalseNotice, 10),
    ];
    chances.into_iter().map(|(kind, chance)| (kind, (chance / part).max(1))).collect()
}

fn chaos_bank(part: u16) -> BankFaults {
    let chances = [
        (Outcome::Later, 300),
        (Outcome::Late, 45),
        (Outcome::Failed, 30),
        (Outcome::FailedLater, 30),
        (Outcome::Unknown, 30),
        (Outcome::AnswerLost, 30),
        (Outcome::Returned, 15),
    ];
    chances.into_iter().map(|(kind, chance)| (kind, (chance / part).max(1))).collect()
}
