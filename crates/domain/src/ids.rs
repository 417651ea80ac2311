//! Identities. Ours are UUIDs; those sent to providers fit 32 characters by construction (P10).

use crate::{Invalid, Time};
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// One running state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub Uuid);

impl InstanceId {
    /// A UUIDv7 drawn at `now`.
    pub fn new(now: Time) -> Self {
        Self(draw(now))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fresh UUIDv7 at `now`.
pub fn draw(now: Time) -> Uuid {
    let random = Uuid::new_v4().into_bytes();
    v7(now, &random)
}

/// Below every id drawn at `at` or later.
pub fn first(at: Time) -> Uuid {
    Uuid::from_u128(u128::try_from(at.millis()).unwrap_or(0) << 80)
}

/// A UUIDv7-shaped id that follows from its owner and a name: the same transition, run again, makes the same rows.
pub fn derive(now: Time, owner: Uuid, name: &str) -> Uuid {
    v7(now, Uuid::new_v5(&owner, name.as_bytes()).as_bytes())
}

fn v7(now: Time, bytes: &[u8; 16]) -> Uuid {
    let mut tail = [0; 10];
    tail.copy_from_slice(&bytes[..10]);
    let ms = u64::try_from(now.millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid()
}

/// 请求流水号: our id for one levy order at a provider. 32 lower-case hex digits when we mint it; at most 32 characters ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

/// 订单号: the provider's id of one remit order (打款订单). Not a [`RequestId`] (T05).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderOrderId(String);

const WIRE_MAX: usize = 32;

fn wire_id(text: String, what: &str) -> Result<String, Invalid> {
    let fits = (1..=WIRE_MAX).contains(&text.chars().count()) && text.chars().all(|c| c.is_ascii_graphic());
    if fits {
        return Ok(text);
    }
    Err(Invalid::new("id_length", &format!("{what} has 1 to 32 printable characters"), "编号应为 1 至 32 个可见字符"))
}

impl TryFrom<String> for RequestId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        wire_id(text, "a request id").map(Self)
    }
}

impl TryFrom<String> for ProviderOrderId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        wire_id(text, "an order id").map(Self)
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> String {
        id.0
    }
}

impl From<ProviderOrderId> for String {
    fn from(id: ProviderOrderId) -> String {
        id.0
    }
}

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProviderOrderId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProviderOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p10_a_request_id_over_32_characters_cannot_exist() {
        assert!(RequestId::try_from("x".repeat(32)).is_ok());
        assert!(RequestId::try_from("123e4567-e89b-12d3-a456-426614174000".to_owned()).is_err());
        assert!(RequestId::try_from(String::new()).is_err());
    }

    #[test]
    fn a_derived_id_follows_from_its_owner() {
        let (now, owner) = (Time::from_millis(1_767_575_000_000), Uuid::from_u128(7));
        assert_eq!(derive(now, owner, "permit/1"), derive(now, owner, "permit/1"));
        assert_ne!(derive(now, owner, "permit/1"), derive(now, owner, "permit/2"));
        assert_eq!(derive(now, owner, "permit/1").get_version_num(), 7);
    }
}
