use std::thread;
use std::time::{Duration, Instant};
use system_tests::wait::timed;
use system_tests::{Levee, Payday, Payer, PrivateCluster, Setup, World, truth, until};

#[test]
fn a_database_that_went_away_is_found_again() {
    timed("restart", || {
        let cluster = PrivateCluster::start();
        let mut world = World::on(Some(cluster.database()), &Setup { faults: "some".into(), ..Setup::default() });
        let mut levee = world.serve_as("front", &["serve", "--roles", "api,callback"]);
        let mut worker = world.worker("worker");
        let mut payday = Payday::new(51);
        levee.orders(&mut payday, "BEFORE", 60);
        let mut payer = Payer::new(&levee.http, &world.far.http, 4);
        for _ in 0..5 {
            payer.round();
        }

        cluster.crash();
        let door = levee.http.get("/v1/orders").map(|answer| answer.status).unwrap_or(503);
        assert_eq!(door, 503, "a front without its database says so");
        thread::sleep(Duration::from_secs(2));
        let before = started(&world);
        cluster.go_on();
        let back = Instant::now();
        let order = until(Duration::from_secs(10), "an order is taken again", || {
            let order = system_tests::payday::order("AFTER", &payday.person());
            let answer = levee.http.post_once("/v1/orders", "AFTER", &order).ok()?;
            (answer.status == 201).then(|| answer.json())
        });
        println!("first order taken {} ms after the database is back", back.elapsed().as_millis());
        until(Duration::from_secs(10).saturating_sub(back.elapsed()), "the worker moves something within 10 s", || {
            (started(&world) > before).then_some(())
        });
        println!("first progress {} ms after the database is back", back.elapsed().as_millis());
        assert!(levee.process.is_running() && worker.is_running(), "both went on by themselves");

        finish(&world, &levee, &mut payer);
        assert_eq!(levee.order_is(&order["id"], &["settled"], Duration::from_secs(5))["outcome"], "levied");
    });
}

fn finish(world: &World, levee: &Levee, payer: &mut Payer) {
    levee.settle(world, payer, Duration::from_secs(120));
    let orders = levee.http.all("/v1/orders");
    assert_eq!(orders.len(), 61);
    truth::equal(&orders, &world.far.ledger());
    world.sound();
}

/// Calls that the far side has seen.
fn started(world: &World) -> usize {
    world.far.ledger()["calls"].as_array().map_or(0, Vec::len)
}
