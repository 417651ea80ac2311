//! What may be bound, from the types the store speaks.

use super::Value;
use domain::{InstanceId, Time};
use uuid::Uuid;

impl From<i64> for Value {
    fn from(v: i64) -> Value {
        Value::Int(Some(v))
    }
}

impl From<Option<i64>> for Value {
    fn from(v: Option<i64>) -> Value {
        Value::Int(v)
    }
}

impl From<Time> for Value {
    fn from(v: Time) -> Value {
        Value::Int(Some(v.millis()))
    }
}

impl From<Option<Time>> for Value {
    fn from(v: Option<Time>) -> Value {
        Value::Int(v.map(Time::millis))
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Value {
        Value::Text(Some(v.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(v: &String) -> Value {
        Value::Text(Some(v.clone()))
    }
}

impl From<String> for Value {
    fn from(v: String) -> Value {
        Value::Text(Some(v))
    }
}

impl From<Option<String>> for Value {
    fn from(v: Option<String>) -> Value {
        Value::Text(v)
    }
}

impl From<Option<&str>> for Value {
    fn from(v: Option<&str>) -> Value {
        Value::Text(v.map(str::to_owned))
    }
}

impl From<&serde_json::Value> for Value {
    fn from(v: &serde_json::Value) -> Value {
        Value::Text(Some(v.to_string()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Value {
        Value::Bytes(Some(v))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(v: Option<Vec<u8>>) -> Value {
        Value::Bytes(v)
    }
}

impl From<Uuid> for Value {
    fn from(v: Uuid) -> Value {
        Value::Uuid(Some(v))
    }
}

impl From<Option<Uuid>> for Value {
    fn from(v: Option<Uuid>) -> Value {
        Value::Uuid(v)
    }
}

impl From<InstanceId> for Value {
    fn from(v: InstanceId) -> Value {
        Value::Uuid(Some(v.0))
    }
}

impl From<Option<InstanceId>> for Value {
    fn from(v: Option<InstanceId>) -> Value {
        Value::Uuid(v.map(|id| id.0))
    }
}

impl From<Vec<Uuid>> for Value {
    fn from(v: Vec<Uuid>) -> Value {
        Value::Uuids(v)
    }
}

impl From<Vec<String>> for Value {
    fn from(v: Vec<String>) -> Value {
        Value::Texts(v)
    }
}
