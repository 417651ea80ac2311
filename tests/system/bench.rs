use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use system_tests::{Folder, Http, Kind, Postgres, Process, binary, on_both, process, until};

on_both!(a_short_bench_counts_every_lifecycle, the_bare_workload_is_driven_from_outside_and_survives_a_kill);

const PATIENCE: Duration = Duration::from_secs(30);

fn bench(folder: &Folder, words: &[&str]) -> Command {
    let mut command = Command::new(binary::levee());
    command.current_dir(folder.path()).env_clear().env("TMPDIR", folder.path()).arg("bench").args(words);
    command
}

fn a_short_bench_counts_every_lifecycle(kind: Kind) {
    let database = (kind == Kind::Postgres).then(Postgres::database);
    let folder = Folder::new("bench");
    let words =
        ["bare", "--lifecycles", "300", "--outstanding", "60", "--latency-seconds", "1", "--floor-seconds", "1"];
    let mut command = bench(&folder, &words);
    if let Some(database) = &database {
        command.args(["--database", &database.url()]);
    }
    let done = process::run("bench", command, folder.path(), Duration::from_secs(120));
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let line = done.out.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {}", done.out));
    assert_eq!((&figures["lifecycles"], &figures["quiet_lifecycles"]), (&300.into(), &50.into()), "{figures}");
    let some = ["lifecycles_per_second", "statements_per_lifecycle", "commits_per_lifecycle", "server_peak_mib"];
    for name in some.into_iter().chain(["signal_to_done_p50_ms", "signal_to_done_p99_ms", "flush_p99_ms"]) {
        assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name}: {figures}");
    }
    if kind == Kind::Postgres {
        for name in ["database_cpu_seconds_per_1000", "flushes_per_lifecycle", "wal_bytes_per_lifecycle"] {
            assert!(figures[name].as_f64().is_some_and(|figure| figure > 0.0), "{name}: {figures}");
        }
        assert!(figures["floor_batched_per_second"].as_u64() > figures["floor_single_per_second"].as_u64());
    }
}

fn the_bare_workload_is_driven_from_outside_and_survives_a_kill(kind: Kind) {
    let database = (kind == Kind::Postgres).then(Postgres::database);
    let folder = Folder::new("bare");
    let url = database.as_ref().map_or("sqlite://bare.db".to_owned(), Postgres::url);
    let mut far = Process::spawn("far", bench(&folder, &["far", "--listen", "127.0.0.1:0"]), folder.path());
    let stub = far.says("listening on ", PATIENCE);
    let serve = || {
        let words = ["bare", "--listen", "127.0.0.1:0", "--stub", &stub, "--database", &url];
        let mut server = Process::spawn("bare", bench(&folder, &words), folder.path());
        let http = Http::new(&server.says("listening on ", PATIENCE), None);
        (server, http)
    };
    let said = |http: &Http, path: &str| http.get(path).map(|answer| answer.text()).unwrap_or_default();
    let post = |http: &Http, path: &str| http.send("POST", path, &[], b"").expect("an answer").status;

    let (mut server, http) = serve();
    assert_eq!((post(&http, "/start/one"), post(&http, "/start/one")), (201, 201), "the same id starts nothing new");
    // Before it is there: kept, and found.
    assert_eq!((post(&http, "/cb/two"), post(&http, "/start/two")), (200, 201));
    until(PATIENCE, "the one that was signalled is done", || (said(&http, "/donecount") == "1").then_some(()));
    let times = said(&http, "/donetimes");
    let (id, at) = times.trim().split_once(' ').expect("an id and a time");
    assert!(id == "two" && at.parse::<u128>().is_ok_and(|at| at > 1_700_000_000_000_000_000), "{times}");

    assert_eq!(post(&http, "/cb/one"), 200);
    server.kill();
    let (_server, http) = serve();
    // On PostgreSQL the dead process's claims lapse first.
    until(Duration::from_secs(180), "what was acknowledged is done", || {
        (said(&http, "/donecount") == "2").then_some(())
    });
    let times = said(&http, "/donetimes");
    assert!(times.contains("one ") && times.contains("two "), "{times}");
}

/// Every part of it, in small: that each comes to its end, and that its figures are there.
#[test]
fn a_short_fleet_bench_measures_every_part() {
    let (database, folder) = (Postgres::database(), Folder::new("fleet-bench"));
    let sizes = ["--lifecycles", "100", "--crowd", "300", "--dead", "100", "--latency-seconds", "1"];
    let mut command = bench(&folder, &["fleet", "--database", &database.url(), "--limited-seconds", "8"]);
    command.args(sizes);
    let done = process::run("fleet-bench", command, folder.path(), Duration::from_secs(300));
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let line = done.out.lines().last().unwrap_or_default();
    let figures: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {}", done.out));
    let rates = ["workers_1_per_second", "workers_4_per_second", "healthy_per_second", "beside_hanging_percent"];
    for name in rates.into_iter().chain(["small_tenant_10_done_ms", "urgent_10_done_ms", "limited_calls"]) {
        assert!(figures[name].as_u64().is_some_and(|figure| figure > 0), "{name}: {figures}");
    }
    // What four workers may have leased and not used: a tenth of a second's worth each, but for the one that was used at once.
    assert!(figures["calls_above_the_bucket"].as_u64().is_some_and(|calls| calls <= 16), "{figures}");
}
