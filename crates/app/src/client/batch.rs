//! `levee batch …`

use super::{Answer, Body, Once, Output, Page, Remote};
use crate::show::{self, Column, Style};
use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Batch {
    /// Uploads a payday file: CSV with a header row, or JSON `{"orders": [...]}`; `-` is CSV from standard input.
    Import {
        file: String,
        /// Only checks: nothing is kept, and rows at fault end with exit code 1.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        once: Once,
    },
    /// One batch in numbers.
    Show { id: String },
    /// Where each row has got to.
    Rows {
        id: String,
        #[command(flatten)]
        page: Page,
    },
    /// The second person's yes (approver, and not the uploader).
    Approve(Step),
    /// Starts the orders, or goes on after a pause.
    Release(Step),
    /// Starts no further orders; those started go on.
    Pause(Step),
    /// Asks for the pay permits of all open remits, page by page.
    Permits {
        #[command(flatten)]
        step: Step,
        #[command(flatten)]
        page: Page,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Step {
    id: String,
    #[command(flatten)]
    once: Once,
}

const ERRORS: [Column; 4] = [("row", "/row"), ("field", "/field"), ("code", "/code"), ("message", "/message")];

const ROWS: [Column; 5] = [
    ("row", "/row"),
    ("business key", "/business_key"),
    ("order", "/order_id"),
    ("state", "/state"),
    ("errors", "/errors"),
];

const PERMITS: [Column; 8] = [
    ("remit", "/remit_id"),
    ("permit", "/permit/permit_id"),
    ("bank order", "/permit/bank_order_no"),
    ("amount", "/permit/amount"),
    ("payee", "/permit/payee/name"),
    ("card", "/permit/payee/bankcard_no"),
    ("pay before", "/permit/pay_before"),
    ("refused", "/problem/code"),
];

impl Batch {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await;
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        match self {
            Batch::Import { file, dry_run, once } => return import(remote, out, &file, dry_run, once).await,
            Batch::Show { id } => out.print(&remote.get(&["batches", &id], &[]).await?, view),
            Batch::Rows { id, page } => {
                let mut limit = String::new();
                out.page(&remote.get(&["batches", &id, "rows"], &page.query(&[], &mut limit)).await?, &ROWS);
            }
            Batch::Approve(step) => out.print(&step.post(remote, "approve", &[]).await?, view),
            Batch::Release(step) => out.print(&step.post(remote, "release", &[]).await?, view),
            Batch::Pause(step) => out.print(&step.post(remote, "pause", &[]).await?, view),
            Batch::Permits { step, page } => {
                let mut limit = String::new();
                out.page(&step.post(remote, "pay-permits", &page.query(&[], &mut limit)).await?, &PERMITS);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Step {
    async fn post(self, remote: &Remote, verb: &str, query: &[(&str, &str)]) -> Result<Answer> {
        remote.post(&["batches", &self.id, verb], query, Body::None, self.once.idempotency_key).await
    }
}

async fn import(remote: &Remote, out: &Output, file: &str, dry_run: bool, once: Once) -> Result<ExitCode> {
    let bytes = super::read(file)?;
    let json = Path::new(file).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let body = if json { Body::Raw(bytes) } else { Body::Csv(bytes) };
    let query: &[(&str, &str)] = if dry_run { &[("dry_run", "true")] } else { &[] };
    let answer = remote.post(&["batches"], query, body, once.idempotency_key).await?;
    out.print(&answer, view);
    let wrong = answer.value.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
    // Wrong rows do not hold up good ones; a dry run is there to say whether any is wrong.
    Ok(ExitCode::from(u8::from(dry_run && wrong)))
}

/// A batch as a record, and its wrong rows as a table.
fn view(style: Style, batch: &Value) -> String {
    let mut text = show::record(batch);
    let errors = batch.get("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty());
    if let Some(errors) = errors {
        text.push('\n');
        text.push_str(&show::list(style, errors, &ERRORS));
    }
    text
}
