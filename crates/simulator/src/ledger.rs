//! The ledger of truth: what really happened on the far side, whatever was answered. The oracle of every test.
//!
//! Append-only while the simulator runs; taken as one serialisable value by [`crate::Sim::ledger`]. Personal data stands in it
//! only as a [`fingerprint`] or masked.

use crate::bank::{Outcome, PaymentStatus};
use crate::faults::CallFault;
use domain::{Money, Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Everything that happened, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub now: Time,
    /// Every call that arrived, accepted or refused, and every one carried out late or doubled.
    pub calls: Vec<CallLine>,
    pub orders: Vec<OrderTruth>,
    pub remits: Vec<RemitTruth>,
    pub payments: Vec<PaymentTruth>,
    pub quota: Vec<QuotaTruth>,
    /// What each person was paid or is to be paid through each place, by month.
    pub places: Vec<PlaceTruth>,
    pub sign_ups: Vec<SignUpTruth>,
    pub documents: Vec<DocumentTruth>,
    /// Every callback that left.
    pub callbacks: Vec<CallbackLine>,
    /// Faults really injected: `CREATE_ORDER_V2/after/drop_after` → count.
    pub coverage: BTreeMap<String, u64>,
}

/// One arrival of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLine {
    pub seq: u64,
    pub at: Time,
    pub client: String,
    /// The interface's name, or what came in its place.
    pub operation: String,
    /// `request_id`, `order_id` … as the interface names its subject; a fingerprint where that is an ID number.
    pub id: String,
    /// `next_step`, `arising_time`, `amount` … where they matter.
    pub facts: BTreeMap<String, String>,
    pub effect: Effect,
    pub fault: Option<CallFault>,
    /// The code that was meant; whether it arrived depends on `fault`.
    pub code: Option<String>,
}

/// What a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It changed the provider's state.
    Accepted,
    /// Answered as before, nothing changed.
    Duplicate,
    /// A query was answered.
    Read,
    /// Refused with a code, nothing changed.
    Refused,
    /// Lost, failed or turned away before anything happened, or not yet carried out.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTruth {
    /// The provider's own number; a duplicate `request_id` has several.
    pub key: u64,
    pub client: String,
    pub request_id: String,
    /// Fingerprint of the ID number.
    pub person: String,
    /// Fingerprint of the card number.
    pub card: String,
    pub net: Option<Money>,
    pub gross: Option<Money>,
    pub first_send: Time,
    pub accept_time: Time,
    pub statuses: Vec<(Time, String)>,
    pub fail_reason: Option<String>,
    pub remits: Vec<String>,
    /// Set when the order exists only because of a fault (a doubled or late request).
    pub cause: Option<CallFault>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemitTruth {
    pub order_id: String,
    pub order_key: u64,
    pub request_id: String,
    pub tax_agent_location_id: String,
    pub amount: Money,
    pub fee: Money,
    pub compensate_fee: Money,
    pub sum_fee: Money,
    pub actual_amount: Money,
    /// When the closing job may close it.
    pub deadline: Time,
    pub statuses: Vec<(Time, String)>,
    pub decision: Option<DecisionTruth>,
    pub ended: Option<Ended>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionTruth {
    pub next_step: String,
    pub at: Time,
    pub arising_time: Time,
}

/// The true meaning of a remit's last status (P15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Levied,
    Cancelled,
    AutoClosed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTruth {
    pub bank_order_no: String,
    pub amount: Money,
    /// Fingerprint of the card number.
    pub card: String,
    /// 末四位 between stars.
    pub card_masked: String,
    pub asked_at: Time,
    /// How it was meant to end from the first.
    pub outcome: Outcome,
    pub statuses: Vec<(Time, PaymentStatus)>,
    pub bank_serial: Option<String>,
    /// Arrivals after the first under this number: the same instruction, and another one (refused).
    pub repeats: u32,
    pub refused_repeats: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaTruth {
    pub person: String,
    /// `2026-01`, a Beijing month.
    pub month: String,
    pub held: Money,
    pub limit: Money,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceTruth {
    pub person: String,
    pub tax_agent_location_id: String,
    pub month: String,
    pub placed: Money,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUpTruth {
    pub client: String,
    /// SYNC_SIGN's `request_id`; SIGN_UP has none (P50).
    pub request_id: Option<String>,
    pub person: String,
    pub agent: Option<String>,
    pub statuses: Vec<(Time, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentTruth {
    pub client: String,
    /// The interface it came by.
    pub operation: String,
    /// `contract_id`, `order_id`, or the fingerprint of the ID number.
    pub id: String,
    pub at: Time,
    pub status: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackLine {
    pub at: Time,
    pub letter: u64,
    pub client: String,
    pub name: String,
    /// What made it: `true`, or the word of the fault.
    pub kind: String,
    /// Whether it was answered `SUCCESS`; unknown until then.
    pub acknowledged: Option<bool>,
}

/// Names a person or a card without telling it: the first 16 hex digits of a salted SHA-256. Tests compute the same to compare.
pub fn fingerprint(text: &str) -> String {
    hex(&Sha256::digest(format!("levee-sim:{text}")))[..16].to_owned()
}

/// SHA-256 of a file, hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2026-01`.
pub(crate) fn month_text((year, month): (i32, u32)) -> String {
    format!("{year}-{month:02}")
}
