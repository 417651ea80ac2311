//! # Payout (付款): one attempt to pay one remit, under one permit and one bank order number
//!
//! ```text
//!  permit_issued ──► instructed ──► success ──► returned!
//!       │   │            │            ▲
//!       │   │            ├──► final_failed
//!       │   └──► in_doubt ┴──────────┘
//!       └──► expired_attested
//! ```
//!
//! Promises. 1. The bank order number never changes: an attempt is repeated under it, or not at all (P22).
//!           2. Only the bank's final word makes `success` or `final_failed`; time-outs make `in_doubt` (F80).
//!           3. `expired_attested` needs the payer's word that the bank does not know the number, and after the bank's own
//!              "unknown" that word is refused.
//!
//! The attempt lives inside its remit: one row decides about paying and confirming, in one commit (S-B, S-D).

use crate::Illegal;
use domain::Time;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One attempt, with the state it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    pub permit: Uuid,
    pub attempt: u32,
    pub bank_order_no: String,
    pub pay_before: Time,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A payer may pay until `pay_before`.
    PermitIssued,
    /// A bank channel of ours has sent the instruction.
    Instructed,
    /// Nobody knows. `unknown`: the bank itself said so, hence only the bank's final word counts.
    InDoubt { unknown: bool },
    /// Bank-final, with evidence.
    Success,
    /// Bank-final: nothing was paid, and nothing can be under this number.
    FinalFailed,
    /// The permit was never used: the payer attests that the bank does not know the number.
    ExpiredAttested,
    /// 退票: paid, and given back by the bank.
    Returned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    Instructed,
    Paid,
    Failed,
    Unknown,
    Attested,
    Expired,
    Returned,
}

impl State {
    pub const ALL: [State; 8] = [
        State::PermitIssued,
        State::Instructed,
        State::InDoubt { unknown: false },
        State::InDoubt { unknown: true },
        State::Success,
        State::FinalFailed,
        State::ExpiredAttested,
        State::Returned,
    ];

    /// As it prints in the API and in the permit's row.
    pub fn name(self) -> &'static str {
        match self {
            State::PermitIssued => "permit_issued",
            State::Instructed => "instructed",
            State::InDoubt { .. } => "in_doubt",
            State::Success => "success",
            State::FinalFailed => "final_failed",
            State::ExpiredAttested => "expired_attested",
            State::Returned => "returned",
        }
    }

    /// Whether money may still move, or may have moved unknown to us.
    pub fn live(self) -> bool {
        match self {
            State::PermitIssued | State::Instructed | State::InDoubt { .. } => true,
            State::Success | State::FinalFailed | State::ExpiredAttested | State::Returned => false,
        }
    }

    pub fn apply(self, event: Event) -> Result<State, Illegal> {
        let illegal = Illegal { state: self.name(), event: event.name() };
        match (self, event) {
            (State::PermitIssued, Event::Instructed) => Ok(State::Instructed),
            (State::PermitIssued | State::Instructed | State::InDoubt { .. }, Event::Paid) => Ok(State::Success),
            (State::PermitIssued | State::Instructed | State::InDoubt { .. }, Event::Failed) => Ok(State::FinalFailed),
            // The bank gave it back before anybody reported it paid: nothing was paid in the end.
            (State::PermitIssued | State::Instructed | State::InDoubt { .. }, Event::Returned) => {
                Ok(State::FinalFailed)
            }
            (State::PermitIssued | State::Instructed | State::InDoubt { .. }, Event::Unknown) => {
                Ok(State::InDoubt { unknown: true })
            }
            (State::PermitIssued | State::Instructed, Event::Expired) => {
                Ok(State::InDoubt { unknown: self == State::Instructed })
            }
            (State::PermitIssued | State::InDoubt { unknown: false }, Event::Attested) => Ok(State::ExpiredAttested),
            (State::Success, Event::Returned) => Ok(State::Returned),
            (
                _,
                Event::Instructed
                | Event::Paid
                | Event::Failed
                | Event::Unknown
                | Event::Attested
                | Event::Expired
                | Event::Returned,
            ) => Err(illegal),
        }
    }
}

impl Event {
    pub const ALL: [Event; 7] = [
        Event::Instructed,
        Event::Paid,
        Event::Failed,
        Event::Unknown,
        Event::Attested,
        Event::Expired,
        Event::Returned,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Event::Instructed => "Instructed",
            Event::Paid => "Paid",
            Event::Failed => "Failed",
            Event::Unknown => "Unknown",
            Event::Attested => "Attested",
            Event::Expired => "Expired",
            Event::Returned => "Returned",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_d_no_event_revives_an_attempt_that_is_over() {
        for state in State::ALL.into_iter().filter(|s| !s.live()) {
            for event in Event::ALL {
                if let Ok(next) = state.apply(event) {
                    assert!(!next.live(), "{} + {} = {}", state.name(), event.name(), next.name());
                }
            }
        }
    }

    #[test]
    fn after_the_banks_unknown_only_the_bank_counts() {
        assert!(State::InDoubt { unknown: true }.apply(Event::Attested).is_err());
        assert_eq!(State::InDoubt { unknown: false }.apply(Event::Attested), Ok(State::ExpiredAttested));
        assert!(State::Instructed.apply(Event::Attested).is_err(), "an instruction that left cannot be attested away");
    }

    #[test]
    fn f80_expiry_is_doubt_not_failure() {
        assert_eq!(State::PermitIssued.apply(Event::Expired), Ok(State::InDoubt { unknown: false }));
    }
}
