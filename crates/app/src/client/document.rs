//! `levee document …`

use super::{Body, Once, Output, Page, Remote, Whose};
use crate::show::{self, Column};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use domain::papers::FileKind;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Document {
    /// Uploads a picture, a video or a PDF of a person or of a payment. What it is is judged by its content, not by its name.
    Upload {
        /// agreement, id_card_front, id_card_back, face_video, face_frame or bank_voucher.
        #[arg(long, value_parser = kind)]
        kind: FileKind,
        #[command(flatten)]
        whose: Of,
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Brings uploaded documents to the provider: one, or the front and the back of an ID card.
    Submit(Submit),
    /// Submissions, newest first; `--state needs_operator` lists those that wait for a person.
    List {
        #[arg(long)]
        state: Option<String>,
        /// A name, ID number, phone, the phone's last four digits, or card.
        #[arg(long)]
        person: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One submission.
    Show { id: String },
}

/// Whose a document is. Personal data on a command line is seen by every user of the machine, so it comes from a file.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Of {
    /// The person as in an order, as JSON; `-` for standard input.
    #[arg(long, value_name = "JSON")]
    person_file: Option<String>,
    /// The order whose person it is of; of a voucher, the order with its one remit.
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    /// Of a voucher: the remit.
    #[arg(long, value_name = "ID")]
    remit: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// What the uploads answered.
    #[arg(required = true, num_args = 1..=2, value_name = "ID")]
    documents: Vec<String>,
    /// May be left out when the tenant has one account that takes orders.
    #[arg(long)]
    account: Option<String>,
    /// Of an agreement: your number of it, never used again.
    #[arg(long)]
    contract_id: Option<String>,
    /// Of an agreement with a 资质方 (授权协议).
    #[arg(long)]
    tax_agent_parent_id: Option<String>,
    /// Of an agreement with a 资质地 (代征协议).
    #[arg(long)]
    tax_agent_location_id: Option<String>,
    /// It replaces one that the provider has.
    #[arg(long)]
    renewal: bool,
    #[command(flatten)]
    once: Once,
}

const COLUMNS: [Column; 6] = [
    ("id", "/id"),
    ("kind", "/kind"),
    ("account", "/account"),
    ("state", "/state"),
    ("waits for", "/waits_for"),
    ("reason", "/reason"),
];

impl Document {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await.map(|()| ExitCode::SUCCESS);
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<()> {
        match self {
            Document::Upload { kind, whose, file } => {
                let body = Body::File { kind: kind.name(), whose: whose.read()?, file: super::read(&file)? };
                out.print(&remote.post(&["documents"], &[], body, None).await?, |_, value| show::record(value));
            }
            Document::Submit(submit) => {
                let (body, key) = submit.body();
                let answer = remote.post(&["document-submissions"], &[], Body::Json(body), key).await?;
                out.print(&answer, |_, value| show::record(value));
            }
            Document::List { state, person, page } => {
                let mut limit = String::new();
                let query = page.query(&[("state", &state), ("person", &person)], &mut limit);
                out.page(&remote.get(&["document-submissions"], &query).await?, &COLUMNS);
            }
            Document::Show { id } => {
                out.print(&remote.get(&["document-submissions", &id], &[]).await?, |_, value| show::record(value));
            }
        }
        Ok(())
    }
}

impl Of {
    fn read(self) -> Result<Whose> {
        let Of { person_file, order, remit } = self;
        match (person_file, order, remit) {
            (Some(path), ..) => {
                let person = String::from_utf8(super::read(&path)?).with_context(|| format!("read {path} as text"))?;
                Ok(("person", person))
            }
            (None, Some(order), _) => Ok(("order", order)),
            (None, None, remit) => Ok(("remit", remit.unwrap_or_default())),
        }
    }
}

impl Submit {
    fn body(self) -> (Value, Option<String>) {
        let mut body = Map::from_iter([("document_ids".to_owned(), json!(self.documents))]);
        let given = [
            ("account", self.account),
            ("contract_id", self.contract_id),
            ("tax_agent_parent_id", self.tax_agent_parent_id),
            ("tax_agent_location_id", self.tax_agent_location_id),
        ];
        body.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
        if self.renewal {
            body.insert("renewal".to_owned(), json!(true));
        }
        (Value::Object(body), self.once.idempotency_key)
    }
}

fn kind(text: &str) -> Result<FileKind, String> {
    let names = FileKind::ALL.map(FileKind::name).join(", ");
    FileKind::named(text).ok_or_else(|| format!("one of {names}"))
}
