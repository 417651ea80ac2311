//! `levee order …`

use super::{Body, Once, Output, Page, Remote, object, watch};
use crate::show::{self, Column, Style};
use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Creates a levy order. The same business key with the same content is the same order.
    Create {
        #[command(flatten)]
        fields: Box<Fields>,
        #[command(flatten)]
        once: Once,
    },
    /// Orders, newest first.
    List(List),
    /// One order with its remits.
    Show {
        id: String,
        /// Personal data in clear, where the key's role may see it; audited.
        #[arg(long)]
        reveal: bool,
    },
    /// Everything that happened to an order, in words.
    Timeline { id: String },
    /// Follows an order until it is at rest.
    Watch(watch::Watch),
    /// Cancels an order, as long as nothing was paid.
    Cancel {
        id: String,
        #[command(flatten)]
        once: Once,
    },
    /// Lets an order go that waits as a suspected duplicate or by a guard (approver).
    Release {
        id: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        once: Once,
    },
    /// A new order linked to one that failed or closed unpaid; what is not given is taken from the old one.
    Replace {
        id: String,
        #[command(flatten)]
        fields: Box<Fields>,
        #[command(flatten)]
        once: Once,
    },
}

/// An order's content. Personal data on a command line is seen by every user of the machine: `--file -` takes it from standard
/// input. The server names every field that is missing.
#[derive(Debug, Args)]
pub(crate) struct Fields {
    /// The whole order as JSON, `-` for standard input (which no other user of the machine sees); other options change fields of it.
    #[arg(long, value_name = "JSON")]
    file: Option<String>,
    /// Your own number of this payment, unique for ever.
    #[arg(long)]
    business_key: Option<String>,
    /// Through which account; default: the only one that takes orders.
    #[arg(long)]
    account: Option<String>,
    /// 姓名
    #[arg(long)]
    name: Option<String>,
    /// 身份证号
    #[arg(long)]
    id_card: Option<String>,
    /// 手机号
    #[arg(long)]
    cellphone: Option<String>,
    /// 银行卡号
    #[arg(long)]
    bankcard_no: Option<String>,
    /// What the person receives, in yuan: "1234.50".
    #[arg(long, value_name = "YUAN", conflicts_with = "gross")]
    net: Option<String>,
    /// What the enterprise pays in all, in yuan.
    #[arg(long, value_name = "YUAN")]
    gross: Option<String>,
    /// 开票模式
    #[arg(long, value_enum, ignore_case = true)]
    tax_mode: Option<TaxMode>,
    /// 资质方 ID
    #[arg(long)]
    tax_agent_parent_id: Option<String>,
    /// 资质所在地 ID; without it the provider may split over several places.
    #[arg(long)]
    tax_agent_location_id: Option<String>,
    /// 统一社会信用代码 of the enterprise
    #[arg(long, conflicts_with = "customer_id")]
    credit_code: Option<String>,
    /// The provider's id of the enterprise
    #[arg(long)]
    customer_id: Option<String>,
    #[arg(long)]
    task_id: Option<String>,
    #[arg(long)]
    remark: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
enum TaxMode {
    /// 普票
    General,
    /// 专票
    Special,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(long)]
    state: Option<String>,
    #[arg(long)]
    business_key: Option<String>,
    /// Name, ID number, phone (or its last four digits) or card, exactly.
    #[arg(long)]
    person: Option<String>,
    /// Created at or after, for example 2026-01-05T09:00:00+08:00.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    page: Page,
}

const COLUMNS: [Column; 8] = [
    ("id", "/id"),
    ("business key", "/business_key"),
    ("state", "/state"),
    ("outcome", "/outcome"),
    ("waits for", "/waits_for"),
    ("pay cutoff", "/pay_cutoff"),
    ("deadline", "/deadline"),
    ("updated", "/updated_at"),
];

/// The remits of one order.
const REMITS: [Column; 8] = [
    ("remit", "/id"),
    ("provider order", "/provider_order_id"),
    ("amount", "/amount"),
    ("fee", "/sum_fee"),
    ("state", "/state"),
    ("permit", "/permit/state"),
    ("decision", "/decision/next_step"),
    ("case", "/case_id"),
];

const TIMELINE: [Column; 6] = [
    ("at", "/at"),
    ("remit", "/remit_id"),
    ("what", "/text"),
    ("by", "/cause"),
    ("operation", "/exchange/operation"),
    ("verdict", "/exchange/verdict"),
];

impl Order {
    pub(crate) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let outcome = self.ask(remote, out).await;
        super::done(out, outcome)
    }

    async fn ask(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let (id, verb, body, once) = match self {
            Order::Watch(watch) => return watch.run(remote, out).await,
            Order::Create { fields, once } => {
                let answer = remote.post(&["orders"], &[], Body::Json(fields.body()?), once.idempotency_key).await?;
                out.print(&answer, view);
                return Ok(ExitCode::SUCCESS);
            }
            Order::List(list) => {
                list.run(remote, out).await?;
                return Ok(ExitCode::SUCCESS);
            }
            Order::Show { id, reveal } => {
                let query: &[(&str, &str)] = if reveal { &[("reveal", "true")] } else { &[] };
                out.print(&remote.get(&["orders", &id], query).await?, view);
                return Ok(ExitCode::SUCCESS);
            }
            Order::Timeline { id } => {
                out.page(&remote.get(&["orders", &id, "timeline"], &[]).await?, &TIMELINE);
                return Ok(ExitCode::SUCCESS);
            }
            Order::Cancel { id, once } => (id, "cancel", Body::None, once),
            Order::Release { id, reason, once } => (id, "release", Body::Json(json!({ "reason": reason })), once),
            Order::Replace { id, fields, once } => (id, "replace", Body::Json(fields.body()?), once),
        };
        out.print(&remote.post(&["orders", &id, verb], &[], body, once.idempotency_key).await?, view);
        Ok(ExitCode::SUCCESS)
    }
}

/// An order as a record, and its remits as a table.
pub(super) fn view(style: Style, order: &Value) -> String {
    let mut text = show::record(order);
    let remits = order.get("remits").and_then(Value::as_array).filter(|remits| !remits.is_empty());
    if let Some(remits) = remits {
        text.push('\n');
        text.push_str(&show::list(style, remits, &REMITS));
    }
    text
}

impl List {
    async fn run(self, remote: &Remote, out: &Output) -> Result<()> {
        let mut limit = String::new();
        let filters = [
            ("state", &self.state),
            ("business_key", &self.business_key),
            ("person", &self.person),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let answer = remote.get(&["orders"], &self.page.query(&filters, &mut limit)).await?;
        out.page(&answer, &COLUMNS);
        Ok(())
    }
}

impl Fields {
    /// The order of the file, with the fields that were given beside it.
    pub(super) fn body(&self) -> Result<Value> {
        let mut order = match &self.file {
            Some(path) => {
                serde_json::from_slice(&super::read(path)?).with_context(|| format!("read {path} as JSON"))?
            }
            None => json!({}),
        };
        let Some(fields) = order.as_object_mut() else {
            anyhow::bail!("the order must be one JSON object; many are a batch")
        };
        let mode = self.tax_mode.and_then(|mode| mode.to_possible_value()).map(|value| value.get_name().to_owned());
        let (amount, customer) =
            (self.net.is_some() || self.gross.is_some(), self.credit_code.is_some() || self.customer_id.is_some());
        for (given, alternatives) in [(amount, ["net", "gross"]), (customer, ["credit_code", "customer_id"])] {
            // What is given here replaces its alternative in the file.
            for name in alternatives.iter().filter(|_| given) {
                fields.remove(*name);
            }
        }
        let given = object(&[
            ("business_key", &self.business_key),
            ("account", &self.account),
            ("net", &self.net),
            ("gross", &self.gross),
            ("tax_mode", &mode),
            ("tax_agent_parent_id", &self.tax_agent_parent_id),
            ("tax_agent_location_id", &self.tax_agent_location_id),
            ("credit_code", &self.credit_code),
            ("customer_id", &self.customer_id),
            ("task_id", &self.task_id),
            ("remark", &self.remark),
        ]);
        let person = object(&[
            ("name", &self.name),
            ("id_card", &self.id_card),
            ("cellphone", &self.cellphone),
            ("bankcard_no", &self.bankcard_no),
        ]);
        fields.extend(given.as_object().cloned().unwrap_or_default());
        if let Some(person) = person.as_object().filter(|person| !person.is_empty())
            && let Some(whole) = fields.entry("person").or_insert_with(|| json!({})).as_object_mut()
        {
            whole.extend(person.clone());
        }
        Ok(order)
    }
}
