//! What a sign-up was asked for, and why a person may have to settle it.

use domain::{InstanceId, RequestId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is asked for. Never changes; the person's data is in its own encrypted row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub contract: Contract,
    pub person: Uuid,
    /// Length of the person's name in characters (P11).
    pub name_chars: usize,
    /// 资质方 ID; without it the contract is with the provider itself.
    pub party: Option<String>,
    /// The invitation that failed before this one.
    pub again: Option<Again>,
}

/// Which contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Contract {
    /// 商户签约: the 共享经济综合服务协议 (000 §2.1).
    SyncSign { request_id: RequestId },
    /// 签约: the 授权协议 (000 §2.2). Has no id of ours (P50).
    SignUp { credit_code: Option<String>, customer_id: Option<String> },
}

/// A new invitation after one that failed: who decided so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    pub of: InstanceId,
    /// 1 is the first new one.
    pub number: u32,
    pub by: String,
}

/// Why a person must settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The provider takes shorter names; nothing is ever shortened (P11).
    NameTooLong,
    UnknownStatus(String),
    /// Sent again and again, and never accepted.
    SendsExhausted,
    Bug(String),
}

impl Why {
    pub fn words(&self) -> String {
        match self {
            Why::NameTooLong => "the name is longer than the provider takes".into(),
            Why::UnknownStatus(word) => format!("the provider shows a status of no table: {word}"),
            Why::SendsExhausted => "it was sent again and again, and never accepted".into(),
            Why::Bug(why) => format!("a fault of levee: {why}"),
        }
    }
}
