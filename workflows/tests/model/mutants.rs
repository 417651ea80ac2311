//! A proof that finds nothing when the thing is broken is worthless (safety.md §16.5): every bug of `domain::planted` is planted,
//! one after another, and the model that watches over its line must kill it. In a process of its own: a planted bug is global.

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
use domain::planted::{Bug, plant};
use stateright::{Checker, Expectation, HasDiscoveries, Model as _};
use std::fs;
use std::path::Path;
use world::Far;

/// Where a planted bug must be noticed.
enum Killer {
    Create,
    Pay,
    Confirm,
    Cancel,
    /// It lies outside the machines and their turns: [`ELSEWHERE`] kills it.
    Elsewhere,
}

/// The proof of what the models cannot see, by its file and its name.
const ELSEWHERE: (&str, &str) = ("crates/engine/tests/planted.rs", "a_bug_outside_the_machines_is_found");

/// One line per bug; a new one does not compile without.
fn killer(bug: Bug) -> Killer {
    match bug {
        Bug::SkipQuarantine | Bug::OneProbeIsEnough | Bug::ProbeCountsByAnswer => Killer::Create,
        Bug::NotFoundIsFailed => Killer::Create,
        Bug::IgnoreQuote | Bug::BareCloseIsRejected | Bug::NewIdOnRetry => Killer::Create,
        Bug::ForgetTakeover | Bug::CountClaimsAfterCall | Bug::TimeoutIsRefused => Killer::Create,
        Bug::LostWakeup | Bug::SendPastLease | Bug::NoFence | Bug::UnknownCommitIsDone => Killer::Create,
        Bug::GateAtDecisionOnly => Killer::Create,
        Bug::DropGateClose => Killer::Cancel,
        Bug::ClockConfirms | Bug::UnknownIsPaid | Bug::UnknownIsFailed | Bug::CloseWhilePending => Killer::Pay,
        Bug::PermitAfterCutoff | Bug::SecondPermit | Bug::PermitOnStaleRemit => Killer::Pay,
        Bug::CancelPermitted | Bug::NoticeCloses => Killer::Pay,
        Bug::ArisingTimeIsNow => Killer::Confirm,
        Bug::AckBeforeCommit | Bug::BelieveBadSignature | Bug::BelieveForeignAnswer => Killer::Elsewhere,
    }
}

/// The other proof, if it is there and plants this bug.
fn proved_elsewhere(bug: Bug) -> Option<String> {
    let (file, test) = ELSEWHERE;
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).ok()?;
    let there = text.contains(&format!("fn {test}()")) && text.contains(&format!("Bug::{bug:?}"));
    there.then(|| format!("outside the models; killed by {test} in {file}\n"))
}

/// Searches until a rule is broken: the rule, and the shortest way to it. `None`: everything held.
fn kills<F: Far>(model: Model<F>) -> Option<String> {
    let name = model.name;
    let checker = model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut rules = checker.model().properties();
    rules.retain(|rule| rule.expectation == Expectation::Always);
    let (rule, path) = rules.iter().find_map(|rule| Some((rule.name, checker.discovery(rule.name)?)))?;
    let steps = path.clone().into_actions().len();
    Some(format!("{name}, {} states: breaks {rule} in {steps} steps\n{}", checker.state_count(), show::trace(path)))
}

#[test]
fn every_planted_bug_is_killed_by_the_rule_it_breaks() {
    let mut alive = Vec::new();
    for bug in Bug::ALL.iter().copied() {
        plant(Some(bug));
        let killed = match killer(bug) {
            Killer::Create => kills(bounds::create(2, bounds::CREATE)),
            Killer::Pay => kills(bounds::pay(1, 2, &[-30], bounds::PAY)),
            Killer::Confirm => kills(bounds::confirm(1, bounds::CONFIRM)),
            Killer::Cancel => kills(bounds::cancel(1, bounds::CANCEL)),
            Killer::Elsewhere => proved_elsewhere(bug),
        };
        plant(None);
        println!("{bug:?}: {}", killed.as_deref().unwrap_or("ALIVE"));
        if killed.is_none() {
            alive.push(bug);
        }
    }
    assert!(alive.is_empty(), "nothing noticed {alive:?}");
}
