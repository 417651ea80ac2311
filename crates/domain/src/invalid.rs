//! Bad input: which rule a value broke, in a code for programs and in two languages for people.

use serde::{Deserialize, Serialize};

/// Why a value was refused. Never contains the value itself: it may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// Stable machine code, for example `id_card_checksum`.
    pub code: String,
    /// What is wrong and how to mend it, in English.
    pub message: String,
    /// The same in Chinese (中文).
    pub message_zh: String,
}

impl Invalid {
    pub fn new(code: &str, message: &str, message_zh: &str) -> Self {
        Self { code: code.into(), message: message.into(), message_zh: message_zh.into() }
    }
}
