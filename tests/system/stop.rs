use std::time::{Duration, Instant};
use system_tests::{Kind, Payday, Payer, Setup, World, on_both, parallel, truth, until};

on_both!(a_terminated_server_ends_in_time_and_leaves_nothing_behind);

const ORDERS: usize = 100;

fn a_terminated_server_ends_in_time_and_leaves_nothing_behind(kind: Kind) {
    // Long leases: whoever takes over waits a minute unless they were given back.
    let mut world = World::new(kind, &Setup { faults: "some".into(), ..Setup::default() });
    world.set("LEVEE_ENGINE__LEASE_SECONDS", "60");
    world.set("LEVEE_ENGINE__CALL_TIMEOUT_SECONDS", "2");
    let mut levee = world.serve();
    let orders = Payday::new(71).orders("STOP", ORDERS);
    parallel(&orders, 8, |order| levee.order(order));

    let asked = Instant::now();
    let ended = levee.process.terminate(Duration::from_secs(25));
    println!("ended with {ended} after {} ms", asked.elapsed().as_millis());
    assert_eq!(ended.code(), Some(0), "{ended}");
    drop(levee);

    let levee = world.serve();
    let back = Instant::now();
    let young =
        || ["gated", "creating", "accepted"].map(|state| levee.http.all(&format!("/v1/orders?state={state}")).len());
    println!("{:?} orders were gated, creating, accepted when the next process began", young());
    // Every order goes on at once: none waits for a lease of the process before.
    until(Duration::from_secs(30), "every order goes on", || (young() == [0; 3]).then_some(()));
    println!("all orders went on within {} ms", back.elapsed().as_millis());
    let mut payer = Payer::new(&levee.http, &world.far.http, 8);
    levee.settle(&world, &mut payer, Duration::from_secs(120));
    let orders = levee.http.all("/v1/orders");
    assert_eq!(orders.len(), ORDERS);
    truth::equal(&orders, &world.far.ledger());
    world.sound();
}
