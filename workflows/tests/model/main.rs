//! The processes under a model checker (safety.md §16.1): the very transition functions of the book, every interleaving of two
//! workers, the wire, time, the provider, the bank and people, within stated bounds.

mod bounds;
mod checker;
mod create;
mod kept;
mod ledger;
mod remit;
mod rules;
mod show;
mod turn;
mod world;

use checker::Model;
use stateright::{Checker, Expectation, Model as _};
use world::Far;

/// Explores all of a model; fails when a rule is broken, or when something that should be reachable is not.
fn holds<F: Far>(model: Model<F>) {
    let (name, instants, starts) = (model.name, model.instants.len(), model.starts.len());
    let properties = model.properties();
    let began = std::time::Instant::now();
    let checker = model.checker().threads(1).spawn_bfs().join();
    let took = began.elapsed();
    println!(
        "{name}: {instants} instants, {starts} starts; {} states, {} unique, depth {}; {} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        took.as_secs()
    );
    let mut failed = false;
    for property in properties {
        let found = checker.discovery(property.name);
        let good = found.is_some() == (property.expectation == Expectation::Sometimes);
        println!("  {} {}", if good { "holds " } else { "BROKEN" }, property.name);
        failed |= !good;
        if let (false, Some(path)) = (good, found) {
            println!("{}", show::trace(path));
        }
    }
    assert!(!failed, "{name}: see above");
}

fn n() -> u8 {
    std::env::var("N").map_or(1, |n| n.parse().expect("a number"))
}

#[test]
fn create_is_safe_in_every_interleaving() {
    holds(bounds::create(n(), &[0, 2, 4, 6, 8]));
}

#[test]
fn pay_is_safe_in_every_interleaving() {
    holds(bounds::pay(n(), 2, &[0, 1500, 2630, 2650, 4210, 4330]));
}

#[test]
fn confirm_is_safe_in_every_interleaving() {
    holds(bounds::confirm(n(), &[600, 602, 604, 606, 608, 4325, 4327]));
}

#[test]
fn cancel_is_safe_in_every_interleaving() {
    holds(bounds::cancel(n(), &[600, 602, 604, 606, 608, 4325, 4327]));
}
