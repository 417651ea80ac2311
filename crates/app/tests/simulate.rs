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
fn the_same_seed_tells_the_same_story_in_memory_on_sqlite_and_on_postgresql() {
    let run = "--seed 3 --orders 12 --digests --no-shrink --threads 1 --database";
    let memory = digests(&simulate(&format!("{run} memory:")));
    assert_eq!(memory.len(), 1);
    assert_eq!(memory, digests(&simulate(&format!("{run} memory:"))), "twice in memory");
    assert_eq!(memory, digests(&simulate(&format!("{run} sqlite:"))), "on SQLite");
    match std::env::var("LEVEE_TEST_POSTGRES") {
        Ok(server) => assert_eq!(memory, digests(&simulate(&format!("{run} {server}"))), "on PostgreSQL"),
        Err(_) => eprintln!("PostgreSQL is left out: LEVEE_TEST_POSTGRES names no server"),
    }
}

#[test]
fn a_planted_bug_is_caught_and_its_seed_replays_exactly_and_shrinks() {
    let hunt = "--plant TimeoutIsRefused --seeds 40 --orders 16 --intensity 3 --threads 1 --first";
    let caught = simulate(hunt);
    assert_eq!(caught.status.code(), Some(1), "{}", text(&caught));
    let said = text(&caught);
    let after = |start: &str| said.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
    let violation = after("caught: ").unwrap().split_once("orders: ").unwrap().1.to_owned();
    let again = |command: &str| {
        let again = simulate(&format!("{command} --no-shrink"));
        assert_eq!(again.status.code(), Some(1), "{command}");
        text(&again)
    };
    let replayed = again(&after("replay: levee simulate ").unwrap());
    assert!(replayed.contains(&violation), "{violation}\n{replayed}");
    let smallest = after("smallest: levee simulate ").unwrap();
    assert!(smallest.contains("--without "), "whatever has no part in it is switched off: {smallest}");
    let least = said.split_once("smallest: ").unwrap().1.lines().nth(1).unwrap().trim();
    assert!(again(&smallest).contains(least), "{least}");
}
