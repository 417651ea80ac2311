//! Progress while the hours pass, and the closing table.

use super::office::Batch;
use super::papers::Card;
use super::stack::Stack;
use super::truth::{self, Comparison, yuan};
use crate::client::Output;
use crate::show::{self, Style};
use anyhow::{Context, Result};
use domain::Time;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use simulator::{Operation, fingerprint};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use store::Finding;

/// Bars on a terminal, plain lines otherwise, nothing with `--json`.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    begun: Option<Time>,
    shown: Option<Instant>,
    started: Instant,
}

const HOURS: u64 = 72;

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(HOURS);
            let style = ProgressStyle::with_template("{bar:36} {pos:>2}/{len} h  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style);
            bar
        });
        Self { bar, quiet, begun: None, shown: None, started: Instant::now() }
    }

    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None if !self.quiet => println!("{line}"),
            None => {}
        }
    }

    pub(super) async fn at(&mut self, stack: &Stack, now: Time, paid: u64) -> Result<()> {
        let begun = *self.begun.get_or_insert(now);
        let pace = if self.bar.is_some() { Duration::from_millis(200) } else { Duration::from_secs(3) };
        if self.quiet || self.shown.is_some_and(|shown| shown.elapsed() < pace) {
            return Ok(());
        }
        self.shown = Some(Instant::now());
        let counts = stack.running.engine.store.counts().await.context("count the instances")?;
        let of = |states: &[&str]| {
            counts
                .iter()
                .filter(|count| count.workflow == "remit" && states.contains(&count.state.as_str()))
                .map(|count| count.count)
                .sum::<i64>()
        };
        let line = format!(
            "{paid} paid, {} levied, {} cancelled, {} in doubt",
            of(&["levied"]),
            of(&["cancelled"]),
            of(&["payout_in_doubt", "confirm_in_doubt", "cancel_in_doubt"])
        );
        let hours = now.since(begun).as_secs() / 3600;
        match &self.bar {
            Some(bar) => {
                bar.set_position(hours.min(HOURS));
                bar.set_message(line);
            }
            None => println!("hour {hours:>3}: {line}"),
        }
        Ok(())
    }

    pub(super) fn finish(&self, now: Time) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let hours = self.begun.map_or(0, |begun| now.since(begun).as_secs() / 3600);
        self.say(&format!("{hours} virtual hours in {} s", self.started.elapsed().as_secs()));
    }
}

/// How it ended.
pub(super) struct Report {
    batch: String,
    count: u64,
    sum: String,
    errors: Vec<Value>,
    sign_ups: BTreeMap<String, usize>,
    papers: BTreeMap<String, usize>,
    orders: BTreeMap<String, usize>,
    remits: BTreeMap<String, usize>,
    cases: BTreeMap<String, usize>,
    /// What each open case says.
    explained: Vec<String>,
    /// Remits that are neither levied nor cancelled, and orders that came to no remit and to no end, which no case explains.
    unexplained: Vec<String>,
    rejected: Vec<String>,
    ledgers: Comparison,
    audits: Vec<Finding>,
    limbo: Finding,
}

impl Report {
    pub(super) async fn take(stack: &Stack, batch: &Batch, cards: &[Card]) -> Result<Self> {
        let orders = stack.office.all("/v1/orders").await?;
        let sign_ups = stack.office.all("/v1/sign-ups").await?;
        let cases = stack.office.all("/v1/cases?state=open").await?;
        let papers = stack.office.all("/v1/document-submissions").await?;
        let truth = stack.sim.sim.lock().map_err(|_| anyhow::anyhow!("the simulator broke"))?.ledger();
        let remits: Vec<&Value> =
            orders.iter().flat_map(|order| order["remits"].as_array().into_iter().flatten()).collect();
        let explained = |remit: &Value| {
            let ended = matches!(remit["state"].as_str(), Some("levied" | "cancelled" | "auto_closed_unpaid"));
            ended || remit["case_id"].is_string()
        };
        let stuck = orders.iter().filter(|order| stuck(order, &cases));
        let unexplained = remits
            .iter()
            .copied()
            .filter(|remit| !explained(remit))
            .chain(stuck)
            .map(|one| format!("{} {}", one["id"].as_str().unwrap_or("?"), one["state"].as_str().unwrap_or("?")))
            .collect();
        let rejected = orders
            .iter()
            .filter(|order| order["state"] == "rejected")
            .map(|order| {
                format!(
                    "{}: {}",
                    order["business_key"].as_str().unwrap_or("?"),
                    order["fail_reason"].as_str().unwrap_or("?")
                )
            })
            .collect();
        let mut ledgers = truth::compare(&orders, &truth)?;
        truth::signatures_agree(&sign_ups, &truth, &mut ledgers);
        truth::papers_agree(Operation::UploadIdCardImage, &known_cards(cards, &papers), &truth, &mut ledgers);
        truth::papers_agree(Operation::AddBankVoucher, &known_vouchers(&remits), &truth, &mut ledgers);
        Ok(Self {
            batch: batch.id.clone(),
            count: batch.count,
            sum: batch.sum.clone(),
            errors: batch.errors.clone(),
            papers: tally(papers.iter().map(|paper| &paper["state"])),
            sign_ups: tally(sign_ups.iter().map(|sign_up| &sign_up["state"])),
            orders: tally(orders.iter().map(|order| &order["state"])),
            remits: tally(remits.iter().map(|remit| &remit["state"])),
            cases: tally(cases.iter().map(|case| &case["kind"])),
            explained: cases.iter().map(explanation).collect(),
            unexplained,
            rejected,
            ledgers,
            audits: stack.running.engine.audits().await.context("run the audits")?,
            limbo: stack.running.engine.limbo().await.context("look for limbo")?,
        })
    }

    pub(super) fn good(&self) -> bool {
        let audits = self.audits.iter().all(|finding| finding.count == 0);
        self.unexplained.is_empty() && self.ledgers.differences.is_empty() && audits && self.limbo.count == 0
    }

    pub(super) fn print(&self, output: &Output) -> Result<()> {
        if output.json {
            println!("{}", serde_json::to_string_pretty(&self.json())?);
            return Ok(());
        }
        if !self.errors.is_empty() {
            println!("\nWrong rows, never sent:");
            for error in &self.errors {
                println!(
                    "  row {:>4}  {:<14} {}",
                    error["row"],
                    error["field"].as_str().unwrap_or("?"),
                    error["message"].as_str().unwrap_or("?")
                );
            }
        }
        if !self.rejected.is_empty() {
            println!("\nRejected by the provider:");
            self.rejected.iter().for_each(|line| println!("  {line}"));
        }
        println!("\n{}", self.table());
        self.explained.iter().for_each(|line| println!("  case {line}"));
        println!(
            "ledgers: {} signatures, {} papers, {} orders, {} remits; the bank paid {}, evidenced {}; {} differences",
            self.ledgers.signatures,
            self.ledgers.papers,
            self.ledgers.orders,
            self.ledgers.remits,
            yuan(self.ledgers.paid),
            yuan(self.ledgers.evidenced),
            self.ledgers.differences.len()
        );
        self.ledgers.differences.iter().for_each(|line| println!("  {line}"));
        let broken: i64 = self.audits.iter().map(|finding| finding.count).sum();
        println!("safety audits: {} run, {broken} violations; limbo: {}", self.audits.len(), self.limbo.count);
        for finding in self.audits.iter().chain([&self.limbo]).filter(|finding| finding.count > 0) {
            println!("  {}: {} {:?}", finding.audit, finding.count, finding.examples);
        }
        self.unexplained.iter().for_each(|line| println!("  unexplained: {line}"));
        println!(
            "{}",
            if self.good() { "every remit is levied, cancelled, or in an explained case" } else { "NOT GOOD" }
        );
        Ok(())
    }

    fn table(&self) -> String {
        let mut rows = Vec::new();
        let kinds = [
            ("sign-ups", &self.sign_ups),
            ("papers", &self.papers),
            ("orders", &self.orders),
            ("remits", &self.remits),
            ("open cases", &self.cases),
        ];
        for (kind, tally) in kinds {
            for (place, (state, count)) in tally.iter().enumerate() {
                rows.push(vec![
                    if place == 0 { kind.to_owned() } else { String::new() },
                    state.clone(),
                    count.to_string(),
                ]);
            }
        }
        show::table(Style::of_stdout(), &["", "state", "count"], &rows)
    }

    fn json(&self) -> Value {
        json!({
            "batch": {"id": self.batch, "count": self.count, "sum": self.sum, "errors": self.errors},
            "sign_ups": self.sign_ups, "papers": self.papers, "orders": self.orders, "remits": self.remits, "cases": self.cases, "explained": self.explained,
            "unexplained": self.unexplained, "rejected": self.rejected,
            "ledgers": {"signatures": self.ledgers.signatures, "papers": self.ledgers.papers, "orders": self.ledgers.orders, "remits": self.ledgers.remits, "paid": yuan(self.ledgers.paid), "evidenced": yuan(self.ledgers.evidenced), "differences": self.ledgers.differences},
            "audits": self.audits, "limbo": self.limbo, "good": self.good(),
        })
    }
}

/// Each person's card by the name that the provider's ledger gives it, and whether it is verified with us.
fn known_cards(cards: &[Card], papers: &[Value]) -> Vec<(String, bool)> {
    let verified: BTreeSet<&str> =
        papers.iter().filter(|paper| paper["state"] == "verified").filter_map(|paper| paper["id"].as_str()).collect();
    cards.iter().map(|card| (fingerprint(&card.id_card), verified.contains(card.submission.as_str()))).collect()
}

/// Each remit by the provider's number, and whether its voucher is attached with us.
fn known_vouchers(remits: &[&Value]) -> Vec<(String, bool)> {
    let number = |remit: &Value| remit["provider_order_id"].as_str().unwrap_or_default().to_owned();
    remits.iter().map(|remit| (number(remit), remit["voucher_state"] == "attached")).collect()
}

/// An order without remits that is neither rejected nor cancelled, and about which no open case asks.
fn stuck(order: &Value, cases: &[Value]) -> bool {
    let empty = order["remits"].as_array().is_none_or(Vec::is_empty);
    let ended = matches!(order["state"].as_str(), Some("rejected" | "cancelled"));
    empty && !ended && !cases.iter().any(|case| case["instance"]["id"] == order["id"])
}

fn explanation(case: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let moves: Vec<String> = case["moves"].as_array().into_iter().flatten().map(|one| text(&one["move"])).collect();
    format!(
        "{}: {} ({}); moves: {}",
        text(&case["kind"]),
        text(&case["facts"]["why"]),
        text(&case["instance"]["id"]),
        if moves.is_empty() { "none, it settles itself".into() } else { moves.join(", ") }
    )
}

fn tally<'a>(words: impl Iterator<Item = &'a Value>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for word in words {
        *tally.entry(word.as_str().unwrap_or("?").to_owned()).or_default() += 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_came_to_nothing_needs_a_case() {
        let order = |state: &str, remits: Value| json!({"id": "o1", "state": state, "remits": remits});
        let case = json!({"instance": {"id": "o1"}});
        assert!(stuck(&order("create_in_doubt", json!([])), &[]));
        assert!(!stuck(&order("create_in_doubt", json!([])), &[case]));
        assert!(!stuck(&order("rejected", json!([])), &[]) && !stuck(&order("ready", json!([{}])), &[]));
    }
}
