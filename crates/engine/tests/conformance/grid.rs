//! The grid as it is printed: a row for each fault, a column for each operation, a mark in each cell.

use crate::fault::FAULTS;
use crate::{Outcome, Wrong};
use std::fmt::Write;

pub(crate) struct Grid {
    title: &'static str,
    columns: Vec<String>,
    /// By fault and column; `None` where the fault means nothing.
    cells: Vec<Vec<Option<Outcome>>>,
}

impl Grid {
    pub(crate) fn new(title: &'static str, columns: Vec<String>) -> Self {
        let cells = FAULTS.iter().map(|_| vec![None; columns.len()]).collect();
        Self { title, columns, cells }
    }

    pub(crate) fn mark(&mut self, row: usize, column: usize, outcome: Outcome) {
        self.cells[row][column] = Some(outcome);
    }

    /// Prints it, and fails when a cell does.
    pub(crate) fn print_and_judge(&self) {
        println!("{}", self.drawn());
        let wrong: Vec<String> = self.wrong().collect();
        assert!(wrong.is_empty(), "{}: {} cells are wrong:\n{}", self.title, wrong.len(), wrong.join("\n"));
    }

    fn drawn(&self) -> String {
        let mut text = format!("\n{} ({} cells)\n", self.title, self.cells.iter().flatten().flatten().count());
        for (number, column) in self.columns.iter().enumerate() {
            let _ = writeln!(text, "  {:>2} {column}", number + 1);
        }
        let head: String = (1..=self.columns.len()).map(|number| format!("{number:>3}")).collect();
        let _ = writeln!(text, "{:<40}{head}", "");
        for (fault, cells) in FAULTS.iter().zip(&self.cells).filter(|(_, cells)| cells.iter().any(Option::is_some)) {
            let marks: String = cells.iter().map(|cell| format!("  {}", mark(cell.as_ref()))).collect();
            let name = format!("{}: {}", fault.phase, fault.name);
            let _ = writeln!(text, "{name:<40}{marks}");
        }
        text
    }

    fn wrong(&self) -> impl Iterator<Item = String> {
        FAULTS.iter().zip(&self.cells).flat_map(|(fault, cells)| {
            cells.iter().zip(&self.columns).filter_map(move |(cell, column)| {
                let why = match cell.as_ref()?.as_ref().err()? {
                    Wrong::Missed => "the fault never met its call",
                    Wrong::Not(why) => why,
                };
                Some(format!("{}: {} × {column}: {why}", fault.phase, fault.name))
            })
        })
    }
}

fn mark(cell: Option<&Outcome>) -> char {
    match cell {
        Some(Ok(())) => '✓',
        Some(Err(_)) => '✗',
        None => '·',
    }
}
