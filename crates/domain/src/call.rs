//! What a process may ask of a provider, and what it may be told, in our own words. Adapters translate; the engine carries.

use crate::effect::EffectClass;
use crate::levy::{NextStep, OrderSeen, Terms};
use crate::{ProviderOrderId, RequestId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A named operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    CreateOrder,
    FindOrder,
    DecideRemit,
    BareCreate,
    BareConfirm,
}

impl Operation {
    pub const ALL: [Operation; 5] = [
        Operation::CreateOrder,
        Operation::FindOrder,
        Operation::DecideRemit,
        Operation::BareCreate,
        Operation::BareConfirm,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Operation::CreateOrder => "create_order",
            Operation::FindOrder => "find_order",
            Operation::DecideRemit => "decide_remit",
            Operation::BareCreate => "bare_create",
            Operation::BareConfirm => "bare_confirm",
        }
    }

    /// The lane group it shares a rate limit and a breaker with: a flood of creates must not starve queries of what is in doubt.
    pub fn group(self) -> &'static str {
        match self {
            Operation::CreateOrder | Operation::BareCreate => "create",
            Operation::FindOrder => "query",
            Operation::DecideRemit | Operation::BareConfirm => "decide",
        }
    }

    pub fn class(self) -> EffectClass {
        match self {
            Operation::CreateOrder | Operation::DecideRemit => EffectClass::VerifyThenRetry,
            Operation::FindOrder => EffectClass::Query,
            Operation::BareCreate | Operation::BareConfirm => EffectClass::Keyed,
        }
    }
}

/// One call a state wants. Holds ids, never personal data: the engine hands the person over at the send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    CreateOrder { request_id: RequestId, person: Uuid, terms: Terms },
    FindOrder { request_id: RequestId, person: Uuid },
    DecideRemit { order_id: ProviderOrderId, next_step: NextStep, arising_time: Time },
    Bare { step: BareStep, key: String },
}

/// A call of the process that only measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BareStep {
    Create,
    Confirm,
}

impl Request {
    pub fn operation(&self) -> Operation {
        match self {
            Request::CreateOrder { .. } => Operation::CreateOrder,
            Request::FindOrder { .. } => Operation::FindOrder,
            Request::DecideRemit { .. } => Operation::DecideRemit,
            Request::Bare { step: BareStep::Create, .. } => Operation::BareCreate,
            Request::Bare { step: BareStep::Confirm, .. } => Operation::BareConfirm,
        }
    }

    /// The person whose data the call carries or compares.
    pub fn person(&self) -> Option<Uuid> {
        match self {
            Request::CreateOrder { person, .. } | Request::FindOrder { person, .. } => Some(*person),
            Request::DecideRemit { .. } | Request::Bare { .. } => None,
        }
    }
}

/// What a verified answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    OrderAccepted {
        accept_time: Option<Time>,
    },
    OrderSeen(OrderSeen),
    /// The code the account's settings name as "no such order". Not proof by itself (P02).
    OrderAbsent,
    RemitDecided,
    BareDone,
}
