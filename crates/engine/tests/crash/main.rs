//! **Crash everywhere**: one order's whole life, with the process killed at every point at which a crash can make a difference.
//!
//! A point stands before and after each durable write and each call of a provider, and inside a call: when the request has arrived
//! and is not acted on yet, and when it is acted on and not answered yet. For each k the life begins anew on a fresh SQLite file; the
//! process dies at the k-th point it passes, is started again on what its disk says, and the life goes on to its end. Provider, bank,
//! payer, client and clock are outside ([`world`]), so they remember what the dead process did. A k that was not reached fails the
//! run; so does a life that ends otherwise than the one without a crash, a doubled deed in the far side's ledger, a safety audit that
//! finds something, or limbo, right after the restart as at the end.
//!
//! The requests that had arrived when the process died are carried out *later*, while the new process already asks about them: the
//! cruellest reading of the wire (S-G, F2, F3, F47).

mod levee;
mod process;
mod report;
mod story;
mod talk;
mod world;

use domain::planted::Bug;
use report::Report;
use std::collections::BTreeSet;
use story::{Stage, Story};

/// The seed of what is drawn, unless `LEVEE_CRASH_SEED` says another.
const SEED: u64 = 20_260_105;
/// Of the longer stories, one point in so many in each run; all of them with `--ignored`.
const ONE_IN: u64 = 6;
/// Lives with two deaths: drawn per story.
const TWICE: usize = 6;

#[test]
fn an_unsplit_order_survives_a_crash_at_every_point() {
    let stage = Stage::of(Story::unsplit());
    Report::of(&stage, &every(&stage)).print().safe();
}

#[test]
fn the_longer_stories_survive_a_crash_at_points_drawn_by_a_seed() {
    let mut dice = Dice::from_environment();
    for story in [Story::called_back(), Story::doubted(), Story::split(), Story::unreadable()] {
        let stage = Stage::of(story);
        let some: Vec<Vec<usize>> = every(&stage).into_iter().filter(|_| dice.below(ONE_IN) == 0).collect();
        Report::of(&stage, &some).print().safe();
    }
}

#[test]
fn two_crashes_are_no_worse_than_one() {
    let mut dice = Dice::from_environment();
    for story in [Story::unsplit(), Story::split()] {
        let stage = Stage::of(story);
        Report::of(&stage, &twice(&stage, &mut dice, TWICE)).print().safe();
    }
}

#[test]
#[ignore = "minutes: tests/run --all"]
fn every_story_survives_a_crash_at_every_point() {
    let mut dice = Dice::from_environment();
    let mut met = BTreeSet::new();
    for story in Story::all() {
        let stage = Stage::of(story);
        met.extend(stage.points.iter().cloned());
        Report::of(&stage, &every(&stage)).print().safe();
        Report::of(&stage, &twice(&stage, &mut dice, TWICE * 10)).print().safe();
    }
    assert_eq!(met, levee::POINTS.into_iter().map(str::to_owned).collect(), "every point is met by some story");
}

#[test]
fn a_worker_that_forgets_a_takeover_is_found_out() {
    let stage = Stage::of(Story::unsplit());
    let around_calls = |name: &str| name.starts_with("call") || name.starts_with("provider");
    let places: Vec<Vec<usize>> =
        (1..).zip(&stage.points).filter(|(_, name)| around_calls(name)).map(|(k, _)| vec![k]).collect();
    let report = Report::of_the_planted(Bug::ForgetTakeover, &stage, &places).print();
    assert!(report.unsafe_lives() > 0, "a suite that does not notice this bug shows nothing");
}

#[test]
fn every_point_of_the_product_is_counted() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/");
    let mut placed = BTreeSet::from([levee::HEARD.to_owned(), levee::CARRIED_OUT.to_owned()]);
    for folder in ["engine/src", "store/src"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder of the workspace") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
            let names = text.split("fail_point(\"").skip(1).filter_map(|rest| rest.split('"').next());
            // No order passes a blob's points; the store's own suite dies there.
            placed.extend(names.filter(|name| !name.starts_with("blob.")).map(str::to_owned));
        }
    }
    assert_eq!(placed, levee::POINTS.into_iter().map(str::to_owned).collect());
}

/// Started by the others, never by itself.
#[test]
#[ignore = "this is the process that is killed"]
fn the_process_that_is_killed() {
    let (Ok(world), Ok(database)) = (std::env::var(levee::WORLD), std::env::var(levee::DATABASE)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(levee::serve(&world, &database));
}

/// One death in each life: at the first point, at the second, up to the last.
fn every(stage: &Stage) -> Vec<Vec<usize>> {
    (1..=stage.points.len()).map(|k| vec![k]).collect()
}

/// Two deaths in each life, the second soon after the restart or late.
fn twice(stage: &Stage, dice: &mut Dice, lives: usize) -> Vec<Vec<usize>> {
    let points = stage.points.len() as u64;
    let draw = |dice: &mut Dice, bound: u64| usize::try_from(1 + dice.below(bound)).expect("small");
    (0..lives).map(|_| vec![draw(dice, points), draw(dice, 30)]).collect()
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn from_environment() -> Self {
        let seed = std::env::var("LEVEE_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
