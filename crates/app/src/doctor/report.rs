//! The findings, in the order they were made.

use crate::client::Output;
use crate::show::{self, Style};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    /// Worth knowing; nothing is broken.
    Warn,
    Fault,
}

#[derive(Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) what: String,
    /// Empty where nothing is to be done.
    pub(super) remedy: String,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// The database did not answer: much was not examined.
    pub(super) unreachable: bool,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fault => "fault",
        }
    }

    fn colour(self) -> u8 {
        match self {
            Level::Ok => 32,
            Level::Warn => 33,
            Level::Fault => 31,
        }
    }
}

impl Report {
    pub(super) fn ok(&mut self, what: impl Into<String>) {
        self.add(Level::Ok, what.into(), "");
    }

    pub(super) fn warn(&mut self, what: impl Into<String>, remedy: &str) {
        self.add(Level::Warn, what.into(), remedy);
    }

    pub(super) fn fault(&mut self, what: impl Into<String>, remedy: &str) {
        self.add(Level::Fault, what.into(), remedy);
    }

    /// A message that carries its own remedy after a colon: `what: remedy`.
    pub(super) fn told(&mut self, message: &str) {
        let (what, remedy) = message.split_once(": ").unwrap_or((message, ""));
        self.fault(what, remedy);
    }

    fn add(&mut self, level: Level, what: String, remedy: &str) {
        self.findings.push(Finding { level, what, remedy: remedy.to_owned() });
    }

    pub(super) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.status())
    }

    pub(super) fn status(&self) -> u8 {
        if self.unreachable { 3 } else { u8::from(self.count(Level::Fault) > 0) }
    }

    pub(super) fn print(&self, out: &Output) {
        show::print(&if out.json { self.json() } else { self.lines(Style::of_stdout()) });
    }

    pub(super) fn json(&self) -> String {
        let one = |finding: &Finding| json!({ "level": finding.level.word(), "what": finding.what, "remedy": finding.remedy });
        let findings: Vec<_> = self.findings.iter().map(one).collect();
        format!(
            "{:#}\n",
            json!({ "findings": findings, "faults": self.count(Level::Fault), "warnings": self.count(Level::Warn) })
        )
    }

    pub(super) fn lines(&self, style: Style) -> String {
        let mut text = String::new();
        for Finding { level, what, remedy } in &self.findings {
            let word = style.paint(level.colour(), &format!("{:<5}", level.word()));
            let (what, remedy) = (show::clean(what), show::clean(remedy));
            text.push_str(&if remedy.is_empty() {
                format!("{word}  {what}\n")
            } else {
                format!("{word}  {what} — {remedy}\n")
            });
        }
        text.push_str(&format!("faults: {}, warnings: {}\n", self.count(Level::Fault), self.count(Level::Warn)));
        text
    }
}
