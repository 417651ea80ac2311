use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use system_tests::wait::timed;
use system_tests::{Http, Kind, Payday, Payer, Setup, World, truth, until};

const ORDERS: usize = 30;
const KILLS: usize = 10;

#[test]
fn ten_kills_lose_nothing_that_was_acknowledged() {
    timed("kill", || {
        let mut world = World::new(Kind::Sqlite, &Setup { faults: "some".into(), ..Setup::default() });
        let mut payday = Payday::new(61);
        let orders = payday.orders("KILL", ORDERS);
        let mut acknowledged: Vec<Value> = Vec::new();
        let mut levee = world.serve();
        let mut payer = Payer::new(&levee.http, &world.far.http, 3);
        for (kill, few) in orders.chunks(ORDERS / KILLS).enumerate() {
            let moment = Duration::from_millis(150 + payday.draw() % 1200);
            let (http, process) = (levee.http.clone(), &mut levee.process);
            let (dead, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(moment);
                    // However slow the machine is: one that has taken nothing yet can lose nothing.
                    until(Duration::from_secs(30), "two orders are acknowledged", || {
                        (taken.load(Ordering::Relaxed) >= 2).then_some(())
                    });
                    process.kill();
                    dead.store(true, Ordering::Relaxed);
                });
                scope.spawn(|| {
                    while !dead.load(Ordering::Relaxed) {
                        payer.round();
                    }
                });
                for order in few {
                    let order = sent(&http, order);
                    taken.fetch_add(usize::from(order.is_some()), Ordering::Relaxed);
                    acknowledged.extend(order);
                    thread::sleep(moment / 3);
                }
                // Somewhere in here it dies, perhaps between an order and its acknowledgement.
                while !dead.load(Ordering::Relaxed) {
                    let again = sent(&http, &few[0]);
                    taken.fetch_add(usize::from(again.is_some()), Ordering::Relaxed);
                    acknowledged.extend(again);
                }
            });
            println!("kill {kill} after {} ms, {} acknowledged", moment.as_millis(), acknowledged.len());
            drop(levee);
            levee = world.serve();
        }
        for order in orders.iter() {
            // Whoever got no answer asks again, under the same key; who got one finds the same order.
            let known = sent(&levee.http, order).expect("a server that lives takes it");
            for before in acknowledged.iter().filter(|before| before["business_key"] == known["business_key"]) {
                assert_eq!(before["id"], known["id"], "what was acknowledged is there");
            }
        }
        println!("{} acknowledgements between the kills", acknowledged.len());
        assert!(acknowledged.len() * 2 >= ORDERS, "a run that takes nothing shows nothing");
        world.far.faults("none");
        levee.settle(&world, &mut payer, Duration::from_secs(120));
        let orders = levee.http.all("/v1/orders");
        assert_eq!(orders.len(), ORDERS);
        truth::equal(&orders, &world.far.ledger());
        world.sound();
    });
}

fn sent(http: &Http, order: &Value) -> Option<Value> {
    let key = order["business_key"].as_str().expect("text");
    let answer = http.post_once("/v1/orders", key, order).ok()?;
    (answer.status < 300).then(|| answer.json())
}
