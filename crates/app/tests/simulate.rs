//! The simulation itself: nothing goes wrong in a short one, it tells the same story on every store, and it notices a planted bug.

use std::process::{Command, Output};

fn simulate(words: &str) -> Output {
    let mut levee = Command::new(env!("CARGO_BIN_EXE_levee"));
    levee.arg("simulate").args(words.split_whitespace()).output().expect("levee runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn digests(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", text(output));
    text(output).lines().filter(|line| line.starts_with("seed ")).map(str::to_owned).collect()
}

#[test]
fn nothing_goes_wrong_in_a_short_simulation() {
    let output = simulate("--seeds 6 --orders 20 --no-shrink");
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("0 violations"), "{}", text(&output));
}

#[test]
fn much_goes_wrong_and_nothing_is_lost() {
    let output = simulate("--seeds 2 --seed 500 --orders 10 --intensity 5 --no-shrink");
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_same_seed_tells_the_same_story_in_memory_and_on_sqlite() {
    let run = "--seed 3 --orders 12 --digests --no-shrink --threads 1 --database";
    let memory = digests(&simulate(&format!("{run} memory:")));
    assert_eq!(memory.len(), 1);
    assert_eq!(memory, digests(&simulate(&format!("{run} memory:"))), "twice in memory");
    assert_eq!(memory, digests(&simulate(&format!("{run} sqlite:"))), "on SQLite");
}

#[test]
fn a_planted_bug_is_caught_and_its_seed_replays_exactly() {
    let hunt = "--plant TimeoutIsRefused --seeds 40 --orders 20 --intensity 3 --threads 1 --first --no-shrink";
    let caught = simulate(hunt);
    assert_eq!(caught.status.code(), Some(1), "{}", text(&caught));
    let said = text(&caught);
    let found = said.lines().find_map(|line| line.strip_prefix("caught: ")).unwrap();
    let replay = said.lines().find_map(|line| line.strip_prefix("replay: levee simulate ")).unwrap();
    let again = simulate(&format!("{replay} --no-shrink"));
    let violation = found.split_once("orders: ").unwrap().1;
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains(violation), "{violation}\n{}", text(&again));
}
