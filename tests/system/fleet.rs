use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use system_tests::wait::timed;
use system_tests::{Kind, Levee, Payday, Payer, Process, Setup, World, parallel, truth, until};

#[test]
fn three_workers_finish_two_thousand_orders_though_one_is_killed() {
    timed("fleet of 2,000", || fleet(2_000));
}

/// Orders taken at once, and permits asked for at once.
const WIDTH: usize = 16;

fn fleet(count: usize) {
    let setup = Setup { speed: 600, faults: "some".into(), seed: 7 };
    let mut world = World::new(Kind::Postgres, &setup);
    let levee = world.serve_as("front", &["serve", "--roles", "api,callback"]);
    let mut workers: Vec<Process> = (0..3).map(|n| world.worker(&format!("worker-{n}"))).collect();
    let begun = Instant::now();
    let orders = Payday::new(7).orders("FLEET", count);
    let mut payer = Payer::new(&levee.http, &world.far.http, WIDTH);
    let all_taken = AtomicBool::new(false);

    thread::scope(|scope| {
        scope.spawn(|| {
            parallel(&orders, WIDTH, |order| taken(&levee, order));
            all_taken.store(true, Ordering::Relaxed);
            println!("{count} orders taken after {} s", begun.elapsed().as_secs());
        });
        // In the middle: while orders are taken, created, paid and confirmed.
        until(Duration::from_secs(300), "a quarter is paid", || {
            payer.round();
            (payer.paid() >= count / 4).then_some(())
        });
        println!("a worker is killed after {} s, {} paid", begun.elapsed().as_secs(), payer.paid());
        workers[0].kill();
        until(Duration::from_secs(300), "every order is taken", || {
            payer.round();
            all_taken.load(Ordering::Relaxed).then_some(())
        });
    });
    until(Duration::from_secs(300), "most are paid", || {
        payer.round();
        (payer.paid() >= count * 9 / 10).then_some(())
    });
    println!("{} paid after {} s", payer.paid(), begun.elapsed().as_secs());
    levee.settle(&world, &mut payer, Duration::from_secs(300));
    println!("at rest after {} s", begun.elapsed().as_secs());
    judge(&world, &levee, count);
}

/// Nothing lost, nothing doubled, nobody left in between; and the run was a test at all.
fn judge(world: &World, levee: &Levee, count: usize) {
    let orders = levee.http.all("/v1/orders");
    assert_eq!(orders.len(), count, "nothing is lost");
    let ledger = world.far.ledger();
    truth::equal(&orders, &ledger);
    let settled = orders.iter().filter(|order| order["state"] == "settled").count();
    assert!(settled * 100 >= count * 95, "only {settled} of {count} orders came to rest by themselves");
    world.sound();
    // A fault counts when it happens, and money comes back up to ten days after it left: judged above, counted here.
    world.far.days_pass(11);
    let faults = every_fault_was_met(world, &world.far.ledger()["coverage"]);
    println!("{settled} of {count} settled among {faults} faults");
}

/// A green run that tested little is red: each kind of fault that the far side was told to play was played. How many in all.
fn every_fault_was_met(world: &World, coverage: &Value) -> u64 {
    let met = coverage.as_object().expect("what was played");
    let told = world.far.http.read("/_sim/faults");
    for table in ["calls", "callbacks", "bank"] {
        for kind in told[table].as_object().into_iter().flat_map(|kinds| kinds.keys()) {
            assert!(met.keys().any(|played| played.ends_with(&format!("/{kind}"))), "{kind} of {table} was never met");
        }
    }
    met.values().filter_map(Value::as_u64).sum()
}

/// Taken for sure: asked again under its key until there is an answer.
fn taken(levee: &Levee, order: &Value) {
    let key = order["business_key"].as_str().expect("text");
    until(Duration::from_secs(60), "an order is taken", || {
        let answer = levee.http.post_once("/v1/orders", key, order).ok()?;
        assert!(answer.status < 400 || answer.status == 503, "{}: {}", answer.status, answer.text());
        (answer.status < 300).then_some(())
    });
}
