//! The conformance kit: every operation of every adapter × every fault × every phase of a call.
//!
//! Two grids. **Calls**: each operation the registry lists, over the real HTTP transport, with a proxy between it and a simulated
//! provider that spoils exactly one call; the verdict must be the one that fits what an adapter can know, and must agree with what
//! the provider's ledger says really happened (safety.md §10). **Lives**: an order driven by the real engine from submit to its
//! end, with each fault at each of its calls; it must end as it would have ended, with the same effects accepted once each, every
//! audit and limbo at 0. `cargo test -p engine --test conformance -- --nocapture` prints both.

#![expect(clippy::unwrap_used, reason = "a test")]

mod adapter;
mod fault;
mod grid;
mod life;
mod olading;
mod proxy;
mod world;

use domain::Operation;
use domain::effect::EffectClass;
use fault::{FAULTS, Far, Fault};
use futures::{FutureExt, StreamExt};
use grid::Grid;
use life::{Moment, Way};
use providers::Transport;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use world::{ACCOUNT, World};

/// Cells under way at once: most of them wait.
const AT_ONCE: usize = 16;
/// How long a call that is to time out may take: first, and after every miss.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// What is wrong with a cell, if anything.
type Outcome = Result<(), Wrong>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wrong {
    /// The call was given up before it met its fault: the machine is busy. Again, with more patience.
    Missed,
    Not(String),
}

/// An error unless it holds.
fn told(holds: bool, why: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Wrong::Not(why())) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_under_every_fault_believes_only_what_it_can_know() {
    let transport = Transport::http().unwrap();
    let operations = World::new(&transport, 0).await.providers().operations(ACCOUNT);
    let mut grid = Grid::new("Calls", operations.iter().map(|operation| operation.name.to_owned()).collect());
    let rows = FAULTS.iter().enumerate();
    let asks = |column: &usize| operations[*column].class == EffectClass::Query;
    let cells = rows.flat_map(|(row, fault)| {
        let fitting = (0..operations.len()).filter(|column| fault.fits_a_call(asks(column)));
        fitting.map(move |column| (row, column, *fault)).collect::<Vec<_>>()
    });
    fill(&mut grid, cells, |column, fault, patience| adapter::cell(&transport, operations[column], fault, patience))
        .await;
    grid.print_and_judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_life_ends_as_it_would_have_ended_whichever_call_meets_whichever_fault() {
    let transport = Transport::http().unwrap();
    let (mut columns, mut driven) = (Vec::new(), BTreeSet::new());
    for way in [Way::Levied, Way::Cancelled, Way::Invited, Way::SignedUp, Way::Agreed, Way::Pictured, Way::Filmed] {
        let (life, moments) = life::undisturbed(&transport, way).await;
        driven.extend(moments.iter().map(|moment| moment.operation.clone()));
        columns.extend(moments.into_iter().map(|moment| (way, life.clone(), moment)));
    }
    let providers = World::new(&transport, 0).await.providers();
    for operation in Operation::ALL {
        let Some(called) = providers.operation(ACCOUNT, operation) else { continue };
        assert_eq!(called.class, operation.class(), "{}: the book and the adapter agree", called.name);
        assert!(driven.contains(called.name), "{} occurs in no life", called.name);
    }
    let labels = columns.iter().map(|(way, _, moment)| format!("{way:?}: {}", moment.label));
    let mut grid = Grid::new("Lives", labels.collect());
    let asks = |operation: &str| {
        providers.operations(ACCOUNT).iter().any(|known| known.name == operation && known.class == EffectClass::Query)
    };
    let cells = FAULTS.iter().enumerate().flat_map(|(row, fault)| {
        let fits = |way: Way, moment: &Moment| {
            fault.fits_a_life(asks(&moment.operation))
                && !(fault.far == Far::Duplicate && (way.signs() || way.brings()))
        };
        let fitting = columns.iter().enumerate().filter(|(_, (way, _, moment))| fits(*way, moment));
        fitting.map(move |(column, _)| (row, column, *fault)).collect::<Vec<_>>()
    });
    fill(&mut grid, cells, |column, fault, patience| {
        let (way, life, moment) = &columns[column];
        life::cell(&transport, *way, life, moment, fault, patience)
    })
    .await;
    grid.print_and_judge();
}

/// Runs the cells, some at once; the ones that must time out with as much patience as this machine needs.
async fn fill<C: Future<Output = Outcome>>(
    grid: &mut Grid,
    cells: impl Iterator<Item = (usize, usize, Fault)>,
    cell: impl Fn(usize, Fault, Duration) -> C,
) {
    let cell = &cell;
    let running = cells.map(|(row, column, fault)| async move {
        let mut outcome = Err(Wrong::Missed);
        for patience in PATIENCE {
            let running = AssertUnwindSafe(cell(column, fault, patience)).catch_unwind();
            outcome = running.await.unwrap_or_else(|_| Err(Wrong::Not("it panicked".to_owned())));
            if outcome != Err(Wrong::Missed) {
                break;
            }
        }
        (row, column, outcome)
    });
    let mut running = futures::stream::iter(running).buffer_unordered(AT_ONCE);
    while let Some((row, column, outcome)) = running.next().await {
        grid.mark(row, column, outcome);
    }
}
