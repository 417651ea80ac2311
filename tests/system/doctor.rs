use serde_json::Value;
use system_tests::{Done, Kind, Setup, World, on_both};

on_both!(a_sound_system_has_no_fault, every_fault_is_named_with_its_remedy);

fn a_sound_system_has_no_fault(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    world.sound();
    drop(levee);
    let asked = world.run(&["doctor", "--json"]);
    assert_eq!(asked.code, 0, "with the provider asked: {}{}", asked.out, asked.err);
    // The provider's own word for "no such order" is learned where it is not configured.
    world.settings.remove("LEVEE_ACCOUNTS__MAIN__CODE_ORDER_NOT_FOUND");
    let learned = world.run(&["doctor", "--json"]);
    assert!(learned.code == 0 && learned.out.contains("1404"), "{}{}", learned.out, learned.err);
    let known = world.run(&["doctor", "--json", "--offline"]);
    assert!(!known.out.contains("neither configured nor learned"), "{}", known.out);
    let words = world.run(&["doctor"]);
    assert!(words.out.contains("faults: 0"), "{}", words.out);
}

fn every_fault_is_named_with_its_remedy(kind: Kind) {
    let world = World::new(kind, &Setup::default());
    let broken: [(&str, Option<&str>, &str, &str); 9] = [
        ("LEVEE_SECURITY__MASTER_KEY", Some("c2hvcnQ="), "master_key", "32"),
        ("LEVEE_SECURITY__MASTER_KEY", None, "master_key", "head -c 32"),
        ("LEVEE_SECURITY__BOOTSTRAP_KEY", Some("short"), "bootstrap_key", "24"),
        ("LEVEE_SERVER__LISTEM", Some("127.0.0.1:1"), "listem", "listen"),
        ("LEVEE_ACCOUNTS__MAIN__URL", Some("http://api.olading.com"), "accounts.main.url", "https"),
        ("LEVEE_ACCOUNTS__MAIN__SECRET", Some(""), "accounts.main.secret", "provider gave"),
        ("LEVEE_ENGINE__LEASE_SECONDS", Some("1"), "lease_seconds", "lease"),
        ("LEVEE_PARAMS__MARGIN", Some("1s"), "margin", "bounds"),
        ("LEVEE_SECURITY__MASTER_KEY", Some("file:/nowhere/key"), "master_key", "create it"),
    ];
    for (key, value, named, remedy) in broken {
        let done = with(&world, &[(key, value)]);
        assert_eq!(done.code, 1, "{key} = {value:?}: {}{}", done.out, done.err);
        told(&done, named, remedy);
    }
    // Not only the first fault.
    let both = with(&world, &[("LEVEE_SERVER__LISTEM", Some("x")), ("LEVEE_SECURITY__BOOTSTRAP_KEY", Some("short"))]);
    told(&both, "listem", "listen");
    told(&both, "bootstrap_key", "24");

    let gone = with(&world, &[("LEVEE_DATABASE__URL", Some("postgres://postgres@127.0.0.1:1/nowhere"))]);
    assert_eq!(gone.code, 3, "an unreachable database: {}{}", gone.out, gone.err);
    let empty = format!("sqlite://{}/nowhere.db", world.path().display());
    let none = with(&world, &[("LEVEE_DATABASE__URL", Some(&empty))]);
    told(&none, "nowhere.db", "levee migrate");
    for command in ["serve", "migrate"] {
        let mut at = world.command(&[command]);
        at.env("LEVEE_DATABASE__URL", "postgres://postgres@127.0.0.1:1/nowhere");
        let done = system_tests::process::run(command, at, world.path(), std::time::Duration::from_secs(40));
        assert_eq!(done.code, 3, "levee {command} without its database: {}", done.err);
    }
    assert_eq!(world.run(&["doctor", "--no-such-option"]).code, 2, "usage");
    let mut unserved = world.command(&["order", "list"]);
    unserved.env("LEVEE_URL", "http://127.0.0.1:1").env("LEVEE_KEY", "some-key-that-is-long-enough");
    assert_eq!(system_tests::process::run("order", unserved, world.path(), std::time::Duration::from_secs(20)).code, 3);
}

fn with(world: &World, changes: &[(&str, Option<&str>)]) -> Done {
    let mut command = world.command(&["doctor", "--json", "--offline"]);
    for (key, value) in changes {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    system_tests::process::run("doctor", command, world.path(), std::time::Duration::from_secs(40))
}

/// Some fault names it and says what to do.
#[track_caller]
fn told(done: &Done, named: &str, remedy: &str) {
    let report: Value = serde_json::from_str(&done.out).unwrap_or_else(|why| panic!("{why}: {}{}", done.out, done.err));
    let says = |finding: &Value, field: &str, word: &str| {
        finding[field].as_str().is_some_and(|text| text.to_lowercase().contains(word))
    };
    let mut faults = report["findings"].as_array().into_iter().flatten().filter(|finding| finding["level"] == "fault");
    let found = faults
        .any(|fault| says(fault, "what", named) && (says(fault, "remedy", remedy) || says(fault, "what", remedy)));
    assert!(found, "{named} is named with {remedy}: {}", done.out);
}
