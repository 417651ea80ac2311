//! The closing table of a simulation.

use super::near::{Kind, Near};
use super::tally::Tally;
use crate::show::{self, Style};
use std::time::Duration;

pub(super) fn print(tally: &Tally, runs: u64, took: Duration) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut section = |name: &str, of: Vec<(String, u64)>| {
        for (place, (what, count)) in of.into_iter().enumerate() {
            let head = if place == 0 { name.to_owned() } else { String::new() };
            rows.push(vec![head, what, count.to_string()]);
        }
    };
    let states = |workflow: &str| -> Vec<(String, u64)> {
        let of = tally.states.iter().filter(|((name, _), _)| name == workflow);
        of.map(|((_, state), count)| (state.clone(), *count)).collect()
    };
    section("orders", states("levy_order"));
    section("remits", states("remit"));
    section("open cases", tally.cases.iter().map(|(kind, count)| (kind.clone(), *count)).collect());
    section("far side: phase/fault", tally.far.iter().map(|(kind, count)| (kind.clone(), *count)).collect());
    section("crashes", tally.crashes.iter().map(|(point, count)| (point.clone(), *count)).collect());
    let lost = tally.lost.iter().map(|((touch, how), count)| (format!("{} {}", how.word(), touch.word()), *count));
    section("database", lost.collect());
    let near = |kind: Kind| {
        let of = tally.near.iter().filter(|(what, _)| what.kind() == kind);
        of.map(|(what, count)| (what.word().to_owned(), *count)).collect()
    };
    section("near side", near(Kind::Fault));
    section("and", near(Kind::Figure));
    println!("{}", show::table(Style::of_stdout(), &["", "what", "count"], &rows));
    let hours = tally.virtual_ms / 3_600_000;
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    println!("{} orders in {runs} runs, {hours} virtual hours ({} years)", tally.orders, hours / 8766);
    println!(
        "{} faults, {} crashes, {} calls ({} per 10 orders), {} events",
        tally.faults(),
        tally.of(Near::Crashed),
        tally.calls,
        tally.calls * 10 / tally.orders.max(1),
        tally.events
    );
    println!("{} of {} machines at rest", tally.at_rest, tally.machines);
    println!("{} s, {} orders per second", ms / 1000, tally.orders * 1000 / ms);
}
