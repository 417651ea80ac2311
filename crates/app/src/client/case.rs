//! `levee case …`

use super::{Body, Once, Output, Page, Remote};
use crate::show::{self, Column, Style};
use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Case {
    /// Cases, newest first.
    List {
        /// open, proposed or resolved.
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One case: what is known, and the moves that are legal.
    Show { id: String },
    /// Makes a move, or proposes it where a second person is needed.
    Resolve {
        id: String,
        /// One of the case's moves, for example not_paid.
        #[arg(long = "move", value_name = "MOVE")]
        name: String,
        #[arg(long)]
        reason: String,
        /// JSON, or file:PATH of it.
        #[arg(long, value_name = "JSON")]
        evidence: Option<String>,
        #[command(flatten)]
        once: Once,
    },
    /// The second person's yes to a proposed move.
    Approve {
        id: String,
        #[command(flatten)]
        once: Once,
    },
}

const COLUMNS: [Column; 8] = [
    ("id", "/id"),
    ("kind", "/kind"),
    ("severity", "/severity"),
    ("state", "/state"),
    ("workflow", "/instance/workflow"),
    ("instance", "/instance/id"),
    ("due", "/sla_at"),
    ("owner", "/owner_role"),
];

const MOVES: [Column; 2] = [("move", "/move"), ("needs", "/needs")];

impl Case {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await.map(|()| ExitCode::SUCCESS);
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<()> {
        match self {
            Case::List { state, kind, page } => {
                let mut limit = String::new();
                let query = page.query(&[("state", &state), ("kind", &kind)], &mut limit);
                out.page(&remote.get(&["cases"], &query).await?, &COLUMNS);
            }
            Case::Show { id } => out.print(&remote.get(&["cases", &id], &[]).await?, view),
            Case::Resolve { id, name, reason, evidence, once } => {
                let mut body = json!({ "move": name, "reason": reason });
                if let Some(evidence) = evidence {
                    body["evidence"] = read_evidence(&evidence)?;
                }
                out.print(
                    &remote.post(&["cases", &id, "resolve"], &[], Body::Json(body), once.idempotency_key).await?,
                    view,
                );
            }
            Case::Approve { id, once } => {
                let answer = remote.post(&["cases", &id, "approve"], &[], Body::None, once.idempotency_key).await?;
                out.print(&answer, view);
            }
        }
        Ok(())
    }
}

fn read_evidence(text: &str) -> Result<Value> {
    let text = match text.strip_prefix("file:") {
        Some(path) => super::read(path)?,
        None => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&text).context("--evidence must be JSON, for example {\"bank_serial\":\"…\"}")
}

/// A case as a record, and its legal moves as a table.
fn view(style: Style, case: &Value) -> String {
    let mut text = show::record(case);
    let moves = case.get("moves").and_then(Value::as_array).filter(|moves| moves.iter().any(Value::is_object));
    if let Some(moves) = moves {
        text.push('\n');
        text.push_str(&show::list(style, moves, &MOVES));
    }
    text
}
