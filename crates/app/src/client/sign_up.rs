//! `levee sign-up …`

use super::{Body, Once, Output, Page, Remote};
use crate::show::{self, Column, Style};
use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum SignUp {
    /// Invites people to sign. Personal data on a command line is seen by every user of the machine, so it comes from a file.
    Create {
        /// One sign-up as JSON, or many as {"items": […]}; `-` for standard input.
        #[arg(long, value_name = "JSON")]
        file: String,
        #[command(flatten)]
        once: Once,
    },
    /// Invites the people of a spreadsheet; a payday file will do.
    Import {
        #[arg(value_name = "FILE.csv")]
        file: String,
        /// Of rows that say none: sync_sign or sign_up.
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        once: Once,
    },
    /// Sign-ups, newest first; `--state not_signed` lists whom to invite again.
    List {
        #[arg(long)]
        state: Option<String>,
        /// A name, ID number, phone, the phone's last four digits, or card.
        #[arg(long)]
        person: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One sign-up.
    Show {
        id: String,
        /// Personal data in clear, where the key's role may see it; audited.
        #[arg(long)]
        reveal: bool,
    },
    /// Invites again after an invitation that failed.
    InviteAgain {
        id: String,
        #[command(flatten)]
        once: Once,
    },
}

const COLUMNS: [Column; 7] = [
    ("id", "/id"),
    ("kind", "/kind"),
    ("name", "/person/name"),
    ("party", "/tax_agent_parent_id"),
    ("state", "/state"),
    ("until", "/until"),
    ("reason", "/reason"),
];
const TAKEN: [Column; 4] = [("row", "/row"), ("status", "/status"), ("id", "/id"), ("errors", "/errors")];

impl SignUp {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await.map(|()| ExitCode::SUCCESS);
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<()> {
        match self {
            SignUp::Create { file, once } => {
                let body =
                    serde_json::from_slice(&super::read(&file)?).with_context(|| format!("read {file} as JSON"))?;
                out.print(&remote.post(&["sign-ups"], &[], Body::Json(body), once.idempotency_key).await?, view);
            }
            SignUp::Import { file, kind, once } => {
                let query: Vec<(&str, &str)> = kind.iter().map(|kind| ("kind", kind.as_str())).collect();
                let body = Body::Csv(super::read(&file)?);
                out.print(&remote.post(&["sign-ups"], &query, body, once.idempotency_key).await?, view);
            }
            SignUp::List { state, person, page } => {
                let mut limit = String::new();
                let query = page.query(&[("state", &state), ("person", &person)], &mut limit);
                out.page(&remote.get(&["sign-ups"], &query).await?, &COLUMNS);
            }
            SignUp::Show { id, reveal } => {
                let query: &[(&str, &str)] = if reveal { &[("reveal", "true")] } else { &[] };
                out.print(&remote.get(&["sign-ups", &id], query).await?, view);
            }
            SignUp::InviteAgain { id, once } => {
                let path = ["sign-ups", &id, "invite-again"];
                out.print(&remote.post(&path, &[], Body::None, once.idempotency_key).await?, view);
            }
        }
        Ok(())
    }
}

/// One sign-up, or what became of many.
fn view(style: Style, answer: &Value) -> String {
    match answer.get("items").and_then(Value::as_array) {
        Some(items) => show::list(style, items, &TAKEN),
        None => show::record(answer),
    }
}
