//! `levee remit …`

use super::{Body, Once, Output, Page, Remote, object};
use crate::show::{self, Column, Style};
use anyhow::Result;
use base64::Engine as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Remit {
    /// Remits, newest first.
    List {
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One remit.
    Show { id: String },
    /// Asks for the permit to pay: amount, payee, and the number to pay under. Nothing may be paid without one.
    Permit {
        id: String,
        #[command(flatten)]
        once: Once,
    },
    /// Reports what the bank said of a payment.
    Report(Box<Report>),
    /// States that a permit was not used and never will be.
    Attest {
        id: String,
        #[arg(long, value_name = "ID")]
        permit: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
    },
    /// Cancels one unpaid remit.
    Cancel {
        id: String,
        #[command(flatten)]
        once: Once,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    id: String,
    #[arg(long, value_name = "ID")]
    permit: String,
    #[arg(long, value_enum)]
    outcome: Outcome,
    /// In yuan: "1234.50".
    #[arg(long, value_name = "YUAN", required_if_eq("outcome", "paid"))]
    amount: Option<String>,
    /// When the bank's success became final.
    #[arg(long, value_name = "TIME", required_if_eq("outcome", "paid"))]
    paid_at: Option<String>,
    #[arg(long, required_if_eq("outcome", "paid"))]
    bank_serial: Option<String>,
    #[arg(long)]
    bank_order_no: Option<String>,
    /// The card that was paid: refused as evidence when it is not the payee's.
    #[arg(long)]
    payee_bankcard_no: Option<String>,
    /// The bank's receipt.
    #[arg(long, value_name = "PDF")]
    voucher_pdf: Option<String>,
    #[command(flatten)]
    once: Once,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// Final.
    Paid,
    /// Final: no money moved.
    Failed,
    /// Nobody knows yet.
    Unknown,
    /// 退票: the money came back.
    Returned,
}

const COLUMNS: [Column; 9] = [
    ("id", "/id"),
    ("order", "/order_id"),
    ("provider order", "/provider_order_id"),
    ("amount", "/amount"),
    ("fee", "/sum_fee"),
    ("state", "/state"),
    ("pay cutoff", "/pay_cutoff"),
    ("deadline", "/deadline"),
    ("case", "/case_id"),
];

impl Remit {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await.map(|()| ExitCode::SUCCESS);
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<()> {
        let (id, verb, body, once) = match self {
            Remit::List { state, page } => {
                let mut limit = String::new();
                out.page(&remote.get(&["remits"], &page.query(&[("state", &state)], &mut limit)).await?, &COLUMNS);
                return Ok(());
            }
            Remit::Show { id } => {
                out.print(&remote.get(&["remits", &id], &[]).await?, view);
                return Ok(());
            }
            Remit::Permit { id, once } => (id, "pay-permit", Body::None, once),
            Remit::Report(report) => {
                let body = Body::Json(report.body()?);
                (report.id, "payout-results", body, report.once)
            }
            Remit::Attest { id, permit, reason, once } => {
                (id, "attest-not-paid", Body::Json(json!({ "permit_id": permit, "reason": reason })), once)
            }
            Remit::Cancel { id, once } => (id, "cancel", Body::None, once),
        };
        let answer = remote.post(&["remits", &id, verb], &[], body, once.idempotency_key).await?;
        out.print(&answer, view);
        Ok(())
    }
}

/// A remit, also where it is the answer to a report.
fn view(_: Style, answer: &Value) -> String {
    show::record(answer.get("remit").unwrap_or(answer))
}

impl Report {
    pub(super) fn body(&self) -> Result<Value> {
        let outcome = self.outcome.to_possible_value().map(|value| value.get_name().to_owned());
        let voucher = self.voucher_pdf.as_deref().map(super::read).transpose()?;
        let voucher = voucher.map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
        Ok(object(&[
            ("permit_id", &Some(self.permit.clone())),
            ("outcome", &outcome),
            ("amount", &self.amount),
            ("paid_at", &self.paid_at),
            ("bank_serial", &self.bank_serial),
            ("bank_order_no", &self.bank_order_no),
            ("payee_bankcard_no", &self.payee_bankcard_no),
            ("voucher_pdf", &voucher),
        ]))
    }
}
