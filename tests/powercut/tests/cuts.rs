//! The store on a disk that loses what was not synced (F27, testing.md §5).
//!
//! Every life opens the real store on what the last one left, checks every acknowledged write, drives it, and ends with a power cut
//! at a drawn I/O. The plan follows from the seed; the interleaving of SQLite's threads does not, and need not: the rules hold for all.

mod life;

use life::{Plan, Report, run};
use powercut::{Faults, Lie, disk::Refused};

const CUTS: u64 = 200;

/// What must hold whatever the run did, and what makes it worth counting.
fn held(report: &Report) {
    println!("{report}");
    assert!(report.breaches.is_empty(), "{:#?}", report.breaches);
    assert!(
        report.disk.lost > 0 && report.disk.kept > 0 && report.disk.torn_sectors > 0,
        "no un-synced write was at risk"
    );
}

fn cuts(cuts: u64, seed: u64) {
    let report = run(Plan { seed, cuts, ..Plan::default() });
    held(&report);
    assert_eq!(report.disk.cuts, cuts);
    assert!(report.acknowledged > cuts * 5, "most lives ended before they did anything");
    assert!(report.disk.checkpoints > cuts / 10, "the log was hardly ever folded into the database");
    assert!(report.applied > 0 && report.gone > 0, "unacknowledged writes both survived and vanished");
    assert!(report.before_open > 0, "no cut hit a migration or a recovery");
}

#[test]
fn f27_a_power_cut_loses_no_acknowledged_write_and_leaves_no_half_transaction() {
    cuts(CUTS, 1);
}

/// `LEVEE_CUTS=100000 LEVEE_SEED=7 cargo test -p powercut --release -- --ignored`.
#[test]
#[ignore = "minutes: a thousand cuts, or LEVEE_CUTS of them"]
fn f27_a_thousand_power_cuts() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    cuts(number("LEVEE_CUTS", 1000), number("LEVEE_SEED", 2));
}

/// A proof that finds nothing when the disk lies is worthless.
#[test]
fn a_disk_that_lies_about_syncs_loses_acknowledged_writes_and_is_noticed() {
    for lie in [Lie::Always, Lie::Log] {
        let report = run(Plan { seed: 3, cuts: 20, lie: Some(lie), ..Plan::default() });
        println!("{lie:?}: {report}\n{:#?}", report.breaches);
        assert!(report.breaches.iter().any(|breach| breach.contains("is lost")), "{lie:?} went unnoticed");
    }
}

fn faults(why: Refused) {
    let mut fired = 0;
    for (seed, every) in [5, 23, 61, 150].into_iter().enumerate() {
        for length in [1, 2] {
            let faults = Some(Faults { why, every, length });
            let report = run(Plan { seed: 10 + seed as u64, cuts: 10, faults, ..Plan::default() });
            println!("every {every}, {length} long");
            held(&report);
            fired += report.unavailable;
        }
    }
    assert!(fired > 100, "only {fired} operations met a fault");
}

#[test]
fn f28_a_full_disk_is_unavailable_never_an_outcome() {
    faults(Refused::Full);
}

#[test]
fn a_failing_disk_is_unavailable_never_an_outcome() {
    faults(Refused::Broken);
}
