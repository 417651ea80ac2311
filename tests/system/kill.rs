use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};
use system_tests::wait::timed;
use system_tests::{Kind, Levee, Payday, Payer, Setup, World, truth};

const ORDERS: usize = 30;
const KILLS: u32 = 10;

#[test]
fn ten_kills_lose_nothing_that_was_acknowledged() {
    timed("kill", || {
        let mut world = World::new(Kind::Sqlite, &Setup { faults: "some".into(), ..Setup::default() });
        let mut payday = Payday::new(61);
        let orders = payday.orders("KILL", ORDERS);
        let mut acknowledged: Vec<Value> = Vec::new();
        let mut levee = world.serve();
        let mut payer = Payer::new(&levee.http, &world.far.http, 3);
        let mut waiting = orders.iter();
        for kill in 0..KILLS {
            let moment = Duration::from_millis(150 + payday.draw() % 1200);
            println!("kill {kill} after {} ms", moment.as_millis());
            let begun = Instant::now();
            while begun.elapsed() < moment {
                for order in waiting.by_ref().take(2) {
                    acknowledged.extend(sent(&levee, order));
                }
                payer.round();
                thread::sleep(Duration::from_millis(20));
            }
            levee.process.kill();
            drop(levee);
            levee = world.serve();
        }
        for order in orders.iter() {
            // Whoever got no answer asks again, under the same key; who got one finds the same order.
            let known = sent(&levee, order).expect("a server that lives takes it");
            if let Some(before) = acknowledged.iter().find(|before| before["business_key"] == known["business_key"]) {
                assert_eq!(before["id"], known["id"], "what was acknowledged is there");
            }
        }
        println!("{} orders were acknowledged between the kills", acknowledged.len());
        assert!(acknowledged.len() * 2 >= ORDERS, "a run that takes nothing shows nothing");
        world.far.faults("none");
        levee.settle(&world, &mut payer, Duration::from_secs(120));
        let orders = levee.http.all("/v1/orders");
        assert_eq!(orders.len(), ORDERS);
        truth::equal(&orders, &world.far.ledger());
        world.sound();
    });
}

fn sent(levee: &Levee, order: &Value) -> Option<Value> {
    let key = order["business_key"].as_str().expect("text");
    let answer = levee.http.post_once("/v1/orders", key, order).ok()?;
    (answer.status < 300).then(|| answer.json())
}
