//! `levee key …`

use super::{Body, Once, Output, Remote};
use crate::show::{self, Column};
use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes an API key. It is shown this once.
    Create {
        /// The person: four-eyes rules compare it.
        name: String,
        #[arg(long, value_enum)]
        role: Role,
        /// Default: the tenant of your own key.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        once: Once,
    },
    /// A tenant's keys, without their secrets.
    List {
        /// Default: the tenant of your own key.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Ends a key, for ever.
    Revoke {
        id: String,
        /// Default: the tenant of your own key.
        #[arg(long)]
        tenant: Option<String>,
    },
}

/// Each may what the next ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Admin,
    Approver,
    Operator,
    Viewer,
}

const COLUMNS: [Column; 6] = [
    ("id", "/id"),
    ("name", "/name"),
    ("role", "/role"),
    ("tenant", "/tenant"),
    ("created", "/created_at"),
    ("revoked", "/revoked_at"),
];

impl Key {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await.map(|()| ExitCode::SUCCESS);
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<()> {
        match self {
            Key::Create { name, role, tenant, once } => {
                let role = role.to_possible_value().map(|value| value.get_name().to_owned());
                let mut body = json!({ "name": name, "role": role });
                if let Some(tenant) = tenant {
                    body["tenant"] = Value::from(tenant);
                }
                out.print(&remote.post(&["keys"], &[], Body::Json(body), once.idempotency_key).await?, |_, key| {
                    show::record(key)
                });
                eprintln!("the key is shown this once: keep it in a file and use it as LEVEE_KEY=file:PATH");
            }
            Key::List { tenant } => out.page(&remote.get(&["keys"], &of(&tenant)).await?, &COLUMNS),
            Key::Revoke { id, tenant } => {
                out.print(&remote.delete(&["keys", &id], &of(&tenant)).await?, |_, key| show::record(key));
            }
        }
        Ok(())
    }
}

fn of(tenant: &Option<String>) -> Vec<(&str, &str)> {
    tenant.iter().map(|tenant| ("tenant", tenant.as_str())).collect()
}
