//! What an order was asked for, and what is known about it on its way.

use crate::needs::Need;
use domain::levy::{OrderSeen, Terms};
use domain::{InstanceId, RequestId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is asked for. Never changes; the person's data is in its own encrypted row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub request_id: RequestId,
    pub person: Uuid,
    /// Length of the person's name in characters (P11).
    pub name_chars: usize,
    pub terms: Terms,
    /// The order this one replaces after a proven failure or close.
    pub replaces: Option<InstanceId>,
    /// What must be met before it is sent, as the account's policy was when it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// With the person's other orders of this month it exceeds the account's monthly limit (P08).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over_limit: bool,
}

/// Why an order is held before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Same person, amount, task and business day as an earlier order (P12).
    SuspectedDuplicate,
    /// The last hours of a tax month (P31).
    MonthEnd,
    /// Over the person's monthly limit, as far as we know (P08): the provider would refuse it, or it waits for the next month.
    MonthLimit,
}

/// The times that follow from the first send (safety.md §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub first_sent: Time,
    pub accept_time: Time,
    pub deadline: Time,
    pub pay_cutoff: Time,
}

/// An order on its way at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Under {
    pub first_sent: Time,
    pub accept_time: Option<Time>,
    pub asked: u32,
    pub look_at: Time,
    /// Cancel was asked: the remits are cancelled once they are there.
    pub unwanted: bool,
}

/// One remit, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    pub id: InstanceId,
    pub tax_agent_location_id: String,
    pub ended: Option<String>,
}

/// How a settled order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Levied,
    PartlyLevied,
    Cancelled,
    Closed,
}

/// Why a person must settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The provider takes shorter names; nothing is ever shortened (P11).
    NameTooLong,
    UnknownStatus(String),
    /// `CLOSE` with remits *and* a reason: perhaps only some were created.
    PartialCreation {
        seen: Box<OrderSeen>,
        reason: String,
    },
    /// Sent again and again, and never accepted.
    SendsExhausted,
    Bug(String),
}
