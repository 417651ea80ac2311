//! `levee order watch`: polls until the order is at rest.

use super::{Answer, Output, Remote, order};
use crate::cli::Unreachable;
use crate::show::{self, Style};
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use workflows::book;

#[derive(Debug, Args)]
pub(crate) struct Watch {
    id: String,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

/// A server that restarts is waited for; one that stays away is told.
const ATTEMPTS: u32 = 30;
const WORKFLOW: &str = "levy_order";

impl Watch {
    /// 0 once the order is at rest, whatever came of it: the outcome is in what was printed.
    pub(super) async fn run(self, remote: &Remote, out: &Output) -> Result<ExitCode> {
        let style = Style::of_stdout();
        let (mut shown, mut missed) = (Shown::default(), 0);
        loop {
            match remote.get(&["orders", &self.id], &[]).await {
                Ok(answer) => {
                    missed = 0;
                    shown.show(out, style, &answer);
                    if at_rest(&answer.value) {
                        return Ok(ExitCode::SUCCESS);
                    }
                }
                Err(why) if why.is::<Unreachable>() && shown.before.is_some() && missed < ATTEMPTS => missed += 1,
                Err(why) => return Err(why),
            }
            tokio::time::sleep(Duration::from_secs(self.interval)).await;
        }
    }
}

/// What is on the screen.
#[derive(Default)]
struct Shown {
    before: Option<Vec<u8>>,
    lines: usize,
}

impl Shown {
    /// Redraws on a terminal; elsewhere a line per change, or with `--json` the answer per change.
    fn show(&mut self, out: &Output, style: Style, answer: &Answer) {
        if self.before.as_ref() == Some(&answer.bytes) {
            return;
        }
        if out.json {
            out.print(answer, |_, _| String::new());
        } else if style.terminal {
            let text = order::view(style, &answer.value);
            // Up to the first line, and everything below it away.
            let home = if self.lines == 0 { String::new() } else { format!("\x1b[{}A\x1b[J", self.lines) };
            show::print(&format!("{home}{text}"));
            self.lines = text.lines().count();
        } else {
            show::print(&format!("{}\n", line(&answer.value)));
        }
        self.before = Some(answer.bytes.clone());
    }
}

/// An order in one line.
fn line(order: &Value) -> String {
    let word = |key: &str| order.get(key).map_or(String::new(), show::cell);
    let remits = order.get("remits").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let remits: Vec<String> = remits.iter().filter_map(|remit| remit.get("state")).map(show::cell).collect();
    let parts = [word("updated_at"), word("state"), word("outcome"), remits.join(","), word("waits_for")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// Whether nothing more will happen by itself: the order's own state says so (it settles after its last remit).
pub(super) fn at_rest(order: &Value) -> bool {
    let state = order.get("state").and_then(Value::as_str).unwrap_or_default();
    book::find(WORKFLOW).is_some_and(|entry| entry.states.iter().any(|(name, rest)| *rest && *name == state))
}
