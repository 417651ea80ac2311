use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use system_tests::{Folder, Kind, Postgres, binary, on_both, process};

on_both!(the_demo_ends_well);

fn the_demo_ends_well(kind: Kind) {
    let database = (kind == Kind::Postgres).then(Postgres::database);
    let folder = Folder::new("demo");
    let mut command = Command::new(binary::levee());
    command.current_dir(folder.path()).env_clear().env("TMPDIR", folder.path());
    command.args(["demo", "--orders", "40", "--json"]);
    if let Some(database) = &database {
        command.args(["--database", &database.url()]);
    }
    let done = process::run("demo", command, folder.path(), Duration::from_secs(120));
    let report: Value = serde_json::from_str(&done.out).unwrap_or_else(|why| panic!("{why}: {}{}", done.out, done.err));
    for what in ["unexplained", "limbo", "audits", "ledgers"] {
        eprintln!("{what}: {}", report[what]);
    }
    assert_eq!((done.code, &report["good"]), (0, &json!(true)), "{}", done.err);
    assert!(report["ledgers"]["orders"].as_u64().is_some_and(|orders| orders >= 30), "{report}");
    assert!(report["remits"]["levied"].as_u64().is_some_and(|levied| levied >= 25), "{report}");
    assert_eq!(report["ledgers"]["differences"], json!([]));
}
