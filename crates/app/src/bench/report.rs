//! One table for people and one JSON line for programs.

use super::floor::Floors;
use super::meter::Reading;
use crate::client::Output;
use crate::show::{self, Style};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) struct Report {
    pub(super) rate: Rate,
    pub(super) latency: Option<Latency>,
    pub(super) floors: Option<Floors>,
}

/// A run as fast as it goes.
pub(super) struct Rate {
    pub(super) lifecycles: usize,
    pub(super) nanoseconds: u128,
    pub(super) before: Reading,
    pub(super) after: Reading,
}

/// A quiet run; times in nanoseconds from signal to durable end.
pub(super) struct Latency {
    pub(super) count: usize,
    pub(super) p50: u128,
    pub(super) p99: u128,
    pub(super) flush_p50: Duration,
    pub(super) flush_p99: Duration,
}

impl Rate {
    fn count(&self) -> u64 {
        u64::try_from(self.lifecycles).unwrap_or(u64::MAX).max(1)
    }

    pub(super) fn per_second(&self) -> u64 {
        u64::try_from(u128::from(self.count()) * 1_000_000_000 / self.nanoseconds.max(1)).unwrap_or(u64::MAX)
    }

    /// So much in all, for each lifecycle.
    fn each(&self, amount: u64) -> Value {
        decimal(amount * 1000 / self.count())
    }

    /// Seconds of a thousand lifecycles, which are milliseconds of one.
    pub(super) fn server_cpu(&self) -> Value {
        self.each(self.after.server_ms - self.before.server_ms)
    }

    pub(super) fn database_cpu(&self) -> Value {
        self.each(self.after.database_ms.saturating_sub(self.before.database_ms))
    }
}

impl Report {
    pub(super) fn figures(&self) -> Vec<(&'static str, Value)> {
        let Rate { before, after, .. } = &self.rate;
        let (each, per_second) = (self.rate.count(), self.rate.per_second());
        let thousandth = |amount: u64| self.rate.each(amount);
        let grown = |before: Option<u64>, after: Option<u64>| Some(after?.saturating_sub(before?));
        let (spent, then) = (&before.spent, &after.spent);
        let wal = grown(spent.wal_bytes, then.wal_bytes);
        let flushes = grown(spent.flushes, then.flushes);
        let mut figures = vec![
            ("lifecycles", json!(each)),
            ("lifecycles_per_second", json!(per_second)),
            ("server_cpu_seconds_per_1000", self.rate.server_cpu()),
            ("database_cpu_seconds_per_1000", self.rate.database_cpu()),
            ("server_peak_mib", json!(after.peak_kib / 1024)),
            ("commits_per_lifecycle", thousandth(then.commits - spent.commits)),
            ("statements_per_lifecycle", thousandth(then.statements - spent.statements)),
            ("flushes_per_lifecycle", flushes.map_or(Value::Null, thousandth)),
            ("wal_bytes_per_lifecycle", wal.map_or(Value::Null, |bytes| json!(bytes / each))),
        ];
        if let Some(latency) = &self.latency {
            let ms = |nanoseconds: u128| decimal(u64::try_from(nanoseconds / 1000).unwrap_or(u64::MAX));
            figures.extend([
                ("quiet_lifecycles", json!(latency.count)),
                ("signal_to_done_p50_ms", ms(latency.p50)),
                ("signal_to_done_p99_ms", ms(latency.p99)),
                ("flush_p50_ms", ms(latency.flush_p50.as_nanos())),
                ("flush_p99_ms", ms(latency.flush_p99.as_nanos())),
            ]);
        }
        if let Some(Floors { single, batched }) = self.floors {
            let share = |of: u64| json!(per_second * 100 / of.max(1));
            figures.extend([
                ("floor_single_per_second", json!(single)),
                ("share_of_single_percent", share(single)),
                ("floor_batched_per_second", json!(batched)),
                ("share_of_batched_percent", share(batched)),
            ]);
        }
        figures
    }
}

/// The figures of a workload on a database.
pub(super) fn print<N: Into<String>>(workload: &str, database: &str, figures: Vec<(N, Value)>, output: &Output) {
    let figures: Vec<(String, Value)> = figures.into_iter().map(|(name, value)| (name.into(), value)).collect();
    if !output.json {
        let rows: Vec<Vec<String>> =
            figures.iter().map(|(name, value)| vec![name.replace('_', " "), shown(value)]).collect();
        show::print(&show::table(Style::of_stdout(), &[workload, database], &rows));
    }
    let line: serde_json::Map<String, Value> = figures.into_iter().collect();
    println!("{}", Value::Object(line));
}

/// Thousandths, as a decimal number.
pub(super) fn decimal(thousandths: u64) -> Value {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}

fn shown(value: &Value) -> String {
    if value.is_null() { "not known here".to_owned() } else { value.to_string() }
}
