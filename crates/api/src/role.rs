//! What a key may do.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Each role may do everything that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Approver,
    Admin,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Approver, Role::Admin];

    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
            Role::Admin => "admin",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who calls: the key's name is the person for four-eyes, its tenant is the only one it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) role: Role,
}

/// The platform's own tenant: its admins make other tenants' keys and set switches for all.
pub(crate) const PLATFORM: &str = "default";

impl Caller {
    pub(crate) fn of_platform(&self) -> bool {
        self.tenant == PLATFORM
    }
}
