//! Clients of the admin API: orders, batches, remits, sign-ups, documents, cases, keys (contract.md, Commands).
//!
//! Every POST carries an Idempotency-Key, so that asking again after a lost answer does nothing twice. `--json` prints the server's
//! answer unchanged.

mod remote;
mod order;
mod watch;
mod batch;
mod remit;
mod sign_up;
mod document;
mod case;
mod key;

pub(crate) use batch::Batch;
pub(crate) use case::Case;
pub(crate) use document::Document;
pub(crate) use key::Key;
pub(crate) use order::Order;
pub(crate) use remit::Remit;
pub(crate) use remote::{Answer, Body, Refused, Remote, Whose};
pub(crate) use sign_up::SignUp;

use crate::show::{self, Column, Style};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value};
use std::io::Read as _;
use std::process::ExitCode;

/// How results are printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Output {
    /// The server's JSON, unchanged.
    pub(crate) json: bool,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// At most this many (1 to 200).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: Option<u16>,
    /// Where the page before this one ended.
    #[arg(long)]
    cursor: Option<String>,
}

/// The key under which a request is done once.
#[derive(Debug, Args)]
pub(crate) struct Once {
    /// Asking again under the same key does nothing twice and collects the same answer; default: a random one.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Output {
    /// Prints an answer: as it came, or as `view` shows it.
    pub(crate) fn print(&self, answer: &Answer, view: impl FnOnce(Style, &Value) -> String) {
        if self.json {
            show::print(&format!("{}\n", String::from_utf8_lossy(&answer.bytes).trim_end()));
        } else {
            show::print(&view(Style::of_stdout(), &answer.value));
        }
    }

    /// Prints a page of a list, and how to get the next one.
    pub(crate) fn page(&self, answer: &Answer, columns: &[Column]) {
        self.print(answer, |style, value| show::list(style, items(value), columns));
        if let Some(cursor) = answer.value.get("next_cursor").and_then(Value::as_str).filter(|_| !self.json) {
            eprintln!("more: --cursor {}", show::clean(cursor));
        }
    }
}

impl Page {
    /// The filters that were given, with the page.
    fn query<'a>(
        &'a self,
        filters: &[(&'a str, &'a Option<String>)],
        limit: &'a mut String,
    ) -> Vec<(&'a str, &'a str)> {
        *limit = self.limit.map_or(String::new(), |limit| limit.to_string());
        let given = filters.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value)));
        let page = [("limit", limit.as_str()), ("cursor", self.cursor.as_deref().unwrap_or_default())];
        given.chain(page).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// A list's items.
fn items(value: &Value) -> &[Value] {
    value.get("items").unwrap_or(value).as_array().map_or(&[], Vec::as_slice)
}

/// An object of those fields that were given.
fn object(fields: &[(&str, &Option<String>)]) -> Value {
    let given = fields
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| ((*name).to_owned(), Value::from(value.clone()))));
    Value::Object(given.collect::<Map<_, _>>())
}

/// A file, or standard input for `-`.
fn read(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).context("read standard input")?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("read {path}"))?;
    }
    Ok(bytes)
}

/// What a refusal comes to: its fields on standard error, and with `--json` the problem itself on standard output.
fn done(output: &Output, outcome: Result<ExitCode>) -> Result<ExitCode> {
    let why = match outcome {
        Ok(code) => return Ok(code),
        Err(why) => why,
    };
    let Some(refused) = why.downcast_ref::<Refused>() else { return Err(why) };
    if output.json && !refused.answer.bytes.is_empty() {
        output.print(&refused.answer, |_, _| String::new());
    }
    eprintln!("{refused}");
    if let (503, Some(key)) = (refused.status, &refused.idempotency_key) {
        eprintln!("ask again with --idempotency-key {key}");
    }
    Ok(ExitCode::from(1))
}

#[cfg(test)]
mod tests;
