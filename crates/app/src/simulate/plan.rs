//! What one run is made of: everything that follows from its seed, and what was switched off by hand. Printed whole when it fails.

use super::dice::Dice;
use clap::ValueEnum;
use providers::olading::settings::LeviedProof;
use simulator::faults::{CallFault, CallbackFault};
use simulator::switches::{
    ArisingTime, CloseOrigin, DuplicateRequest, DuplicateShown, LateConfirm, LevyWord, LevyingWord, OverCap, Per,
    Repeat,
};
use simulator::{Faults, Outcome, Switches};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One source of trouble; each can be switched off, and is when a failing run is shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Trouble {
    /// Faults of the provider's calls.
    Calls,
    /// Slow and refused connections.
    Network,
    /// Callbacks that are lost, doubled, late, forged, reflected or false.
    Callbacks,
    /// Payments that fail, wait, come back.
    Bank,
    Crashes,
    Pauses,
    /// Commits and other writes of unknown outcome, and connections lost before them.
    Connections,
    /// The provider is away for hours or days.
    Outages,
    /// The database is away for minutes.
    Blackouts,
    Freezes,
    /// What people decide about cases and tasks.
    Operators,
    /// Payers who forget, hand back, are late, and say things twice.
    Payers,
    /// Orders that are repeated, cancelled, wrong, or closed oddly by the provider.
    Oddities,
    /// The provider's answers to the open questions.
    Switches,
    /// Workers whose clocks are a little off.
    Clocks,
}

/// How long the trouble lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Until the very end.
    Safety,
    /// It stops, and everything must come to rest or to a person.
    Liveness,
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) orders: usize,
    pub(super) intensity: u32,
    pub(super) without: BTreeSet<Trouble>,
    pub(super) mode: Mode,
    pub(super) switches: Switches,
    pub(super) account: Account,
}

/// What our side is configured to believe; an honest customer's settings fit his provider.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) levied_proof: LeviedProof,
    /// The customer knows the provider's code for an unknown order.
    pub(super) knows_not_found: bool,
    pub(super) rate_per_second: Option<i64>,
}

/// How late a call may be carried out, an answer may be old, and the network may take: together less than the quarantine, which is
/// what the quarantine is for (safety.md §5).
const LATE_SECONDS: u64 = 100;
const STALE_SECONDS: u64 = 60;
const LAG_SECONDS: u64 = 60;
pub(super) const NETWORK_SECONDS: u64 = 40;

impl Plan {
    pub(super) fn draw(seed: u64, orders: usize, intensity: u32, without: &BTreeSet<Trouble>) -> Self {
        let mut dice = Dice::new(seed ^ 0x5EED);
        let mode = if dice.strikes(2500) { Mode::Safety } else { Mode::Liveness };
        let (switches, account) = switches(&mut dice);
        let mut plan = Plan { seed, orders, intensity, without: without.clone(), mode, switches, account };
        if !plan.has(Trouble::Switches) {
            plan.switches = Switches::default();
            plan.account = Account::default();
        }
        plan
    }

    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.intensity > 0 && !self.without.contains(&trouble)
    }

    /// A chance in ten thousand at intensity 1, as it is in this run.
    pub(super) fn chance(&self, trouble: Trouble, per_10k: u32) -> u32 {
        if self.has(trouble) { (per_10k * self.intensity).min(9000) } else { 0 }
    }

    /// The simulated far side's dice.
    pub(super) fn faults(&self) -> Faults {
        let scale = self.intensity;
        Faults {
            calls: if self.has(Trouble::Calls) { scaled(&calls(), scale) } else { BTreeMap::new() },
            operations: BTreeMap::new(),
            callbacks: if self.has(Trouble::Callbacks) { scaled(&callbacks(), scale) } else { BTreeMap::new() },
            bank: if self.has(Trouble::Bank) { scaled(&bank(), scale) } else { BTreeMap::new() },
            slow_ms: 31_000,
            late_seconds: LATE_SECONDS,
            stale_seconds: STALE_SECONDS,
            callback_delay_seconds: 30 * 3600,
        }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self { levied_proof: LeviedProof::BeforeDeadline, knows_not_found: true, rate_per_second: None }
    }
}

/// Every open question, answered by the dice (protocols.md §5).
fn switches(dice: &mut Dice) -> (Switches, Account) {
    use DuplicateRequest::{Error, SameAnswer, SecondOrder};
    let switches = Switches {
        duplicate_request: dice.one_of(&[SecondOrder, SecondOrder, SameAnswer, Error]),
        duplicate_shown: dice.one_of(&[DuplicateShown::First, DuplicateShown::Latest]),
        query_lag_seconds: dice.one_of(&[0, 0, 10, LAG_SECONDS]),
        callbacks: dice.one_of(&[Per::Order, Per::Remit]),
        close_notice: dice.one_of(&[Per::Order, Per::Remit]),
        close_origin: dice.one_of(&[CloseOrigin::FirstSend, CloseOrigin::Accept, CloseOrigin::Ready]),
        late_confirm: dice.one_of(&[LateConfirm::Refused, LateConfirm::Accepted]),
        repeated_confirm: dice.one_of(&[Repeat::SameAnswer, Repeat::Error]),
        contrary_confirm: dice.one_of(&[Repeat::Error, Repeat::SameAnswer]),
        levied_as: dice.one_of(&[LevyWord::Close, LevyWord::Remit]),
        levying_as: dice.one_of(&[LevyingWord::Process, LevyingWord::Process, LevyingWord::Remit]),
        arising_time: dice.one_of(&[ArisingTime::Any, ArisingTime::NotFuture, ArisingTime::WithinOrder]),
        month_cap: dice.one_of(&[OverCap::Close, OverCap::Refuse]),
        month_cap_restored: dice.strikes(5000),
        errors_echo_ids: dice.strikes(9000),
        ids_as_numbers: dice.strikes(3000),
        ..Switches::default()
    };
    let account = Account {
        levied_proof: dice.one_of(&[LeviedProof::BeforeDeadline, LeviedProof::SeenRunning, LeviedProof::Acknowledged]),
        knows_not_found: !dice.strikes(1000),
        rate_per_second: dice.strikes(2000).then_some(50),
    };
    (switches, account)
}

fn calls() -> Vec<(CallFault, u32)> {
    vec![
        (CallFault::SystemFailureBefore, 25),
        (CallFault::SystemFailureAfter, 25),
        (CallFault::DropBefore, 20),
        (CallFault::DropAfter, 25),
        (CallFault::Late, 15),
        (CallFault::Doubled, 4),
        (CallFault::BadSignature, 10),
        (CallFault::MissingSignature, 5),
        (CallFault::ServerErrorBefore, 10),
        (CallFault::ServerErrorAfter, 10),
        (CallFault::TooManyRequests, 10),
        (CallFault::Stale, 15),
        (CallFault::CallbackFirst, 10),
        (CallFault::MixUp, 8),
        (CallFault::Html, 6),
        (CallFault::Drip, 5),
        (CallFault::Delay, 8),
        (CallFault::Truncated, 6),
        (CallFault::Huge, 1),
    ]
}

fn callbacks() -> Vec<(CallbackFault, u32)> {
    vec![
        (CallbackFault::Lost, 90),
        (CallbackFault::Duplicated, 120),
        (CallbackFault::Delayed, 70),
        (CallbackFault::Forged, 30),
        (CallbackFault::Replayed, 50),
        (CallbackFault::Reflected, 20),
        (CallbackFault::FalseNotice, 50),
    ]
}

fn bank() -> Vec<(Outcome, u32)> {
    vec![
        (Outcome::Later, 150),
        (Outcome::Late, 40),
        (Outcome::Failed, 25),
        (Outcome::FailedLater, 25),
        (Outcome::Unknown, 25),
        (Outcome::AnswerLost, 20),
        (Outcome::AnswerLostFailed, 8),
        (Outcome::Returned, 15),
        (Outcome::Stuck, 2),
    ]
}

/// Chances in a thousand times the intensity; at most nine tenths of everything goes wrong.
fn scaled<K: Copy + Ord>(table: &[(K, u32)], intensity: u32) -> BTreeMap<K, u16> {
    let sum: u32 = table.iter().map(|(_, chance)| chance * intensity).sum();
    let fits = |chance: u32| if sum > 900 { (chance * 900 / sum).max(1) } else { chance };
    table.iter().map(|(kind, chance)| (*kind, u16::try_from(fits(chance * intensity)).unwrap_or(0))).collect()
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        f.write_str(&name)
    }
}
