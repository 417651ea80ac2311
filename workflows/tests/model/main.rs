//! The processes under a model checker (safety.md §16.1): the very transition functions of the book, in every interleaving of two
//! workers, the wire, time, the provider, the bank and people, within stated bounds.
//!
//! One model per irreversible decision. `world.rs` says what a world is, `turn.rs` and `wire.rs` take the engine's turn in it,
//! `ledger.rs` keeps the rows under the database's rules, `create.rs` and `remit.rs` are the outside, `rules.rs` what must hold.
//!
//! Bounds. Time is a list of instants; every lease lapses between two of them. Late, lost and reordered messages are free, and so
//! is what is expected of payer and provider. Everything else is a *surprise*, and their number is bounded: a crash, a pause, an
//! outage, a race with a letter, a commit of unknown outcome, a refused connection, a request that arrives twice, a refusal, a
//! lagging copy, a failing query, an odd word, a close by others, a notice, a repeated or contradictory report, a bank return, a
//! freeze, and whatever people do.

mod bank;
mod bounds;
mod checker;
mod create;
mod kept;
mod ledger;
mod remit;
mod rules;
mod show;
mod sights;
mod truth;
mod turn;
mod wire;
mod world;

use checker::Model;
use stateright::{Checker, Expectation, Model as _};
use world::Far;

/// Explores all of a model; fails when a rule is broken, or when something that should be reachable is not.
fn holds<F: Far>(model: Model<F>) {
    let (name, instants, starts) = (model.name, model.instants.len(), model.starts.len());
    let (surprises, properties) = (model.starts[0].left, model.properties());
    let checker = model.checker().threads(1).spawn_bfs().join();
    println!(
        "{name}: {instants} instants, surprises up to {surprises}, {starts} starts: {} states, {} unique, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    let mut failed = false;
    for property in properties {
        let found = checker.discovery(property.name);
        let sometimes = property.expectation == Expectation::Sometimes;
        let good = found.is_some() == sometimes;
        let word = match (good, sometimes) {
            (true, true) => "reached",
            (true, false) => "holds  ",
            (false, _) => "FAILS  ",
        };
        println!("  {word} {}", property.name);
        failed |= !good;
        if let (false, Some(path)) = (good, found) {
            println!("{}", show::trace(path));
        }
    }
    assert!(!failed, "{name}: see above");
}

#[test]
fn create_is_safe_in_every_interleaving() {
    holds(bounds::create(2, bounds::CREATE));
}

#[test]
fn pay_is_safe_in_every_interleaving() {
    holds(bounds::pay(1, 2, &[-30], bounds::PAY));
}

#[test]
fn confirm_is_safe_in_every_interleaving() {
    holds(bounds::confirm(1, bounds::CONFIRM));
}

#[test]
fn cancel_is_safe_in_every_interleaving() {
    holds(bounds::cancel(2, bounds::CANCEL));
}

#[test]
#[ignore = "minutes: `tests/run --all`"]
fn create_is_safe_with_three_surprises() {
    holds(bounds::create(3, bounds::CREATE));
}

#[test]
#[ignore = "minutes: `tests/run --all`"]
fn cancel_is_safe_with_three_surprises() {
    holds(bounds::cancel(3, bounds::CANCEL));
}

#[test]
#[ignore = "minutes: `tests/run --all`"]
fn confirm_is_safe_with_two_surprises() {
    holds(bounds::confirm(2, bounds::CONFIRM));
}

#[test]
#[ignore = "minutes: `tests/run --all`"]
fn pay_is_safe_with_two_surprises() {
    holds(bounds::pay(2, 2, &[-30], &[0, 1500, 2650, 4330]));
}

#[test]
#[ignore = "minutes: `tests/run --all`"]
fn pay_is_safe_at_every_instant_that_matters() {
    holds(bounds::pay(1, 2, &[-30, 0, 30], &[0, 2, 1500, 2630, 2650, 2700, 4210, 4330]));
}
