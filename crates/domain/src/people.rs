//! Sign-ups (签约) in our own words: whom we ask about, and what a provider shows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whose contract with whom; without a party (资质方), with the provider itself. Holds ids, never personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUpKey {
    pub person: Uuid,
    pub party: Option<String>,
}

/// 签约状态 as a query shows it, unread: before 24 h "not signed" means "not yet" (P48).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignSeen {
    Signed,
    NotSigned,
    /// A word in no table: parks with the raw value, never fails.
    Unknown(String),
}
