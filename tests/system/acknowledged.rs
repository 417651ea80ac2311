//! What PostgreSQL acknowledges it has, and what levee acknowledges PostgreSQL has: stopped dead again and again under a stream of
//! orders and callbacks, no acknowledged write is lost (S-F, I3).
//!
//! `stop -m immediate` loses what is not yet in the WAL and keeps the machine's page cache: it is no power cut.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use system_tests::far::SECRET;
use system_tests::wait::timed;
use system_tests::{Http, Payday, PrivateCluster, Setup, World, digest, until};

#[test]
fn five_immediate_stops_of_postgresql_lose_no_acknowledged_write() {
    timed("5 immediate stops", || stops(5));
}

#[test]
#[ignore = "some minutes: tests/run --all"]
fn fifty_immediate_stops_of_postgresql_lose_no_acknowledged_write() {
    timed("50 immediate stops", || stops(50));
}

const CLIENTS: usize = 3;
/// Orders, and callbacks, acknowledged between two stops.
const BETWEEN: usize = 5;
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn stops(count: usize) {
    let cluster = PrivateCluster::start();
    let mut world = World::on(Some(cluster.database()), &Setup::default());
    let front = world.serve_as("front", &["serve", "--roles", "api,callback"]);
    let (stream, over) = (Stream::new(&front.http), AtomicBool::new(false));
    let mut dice = Payday::new(50);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (stream, over) = (&stream, &over);
            scope.spawn(move || stream.orders(client, over));
            scope.spawn(move || stream.callbacks(client, over));
        }
        for _ in 0..count {
            // In the middle of a stream that flows, however slow the machine is.
            let (orders, callbacks) = stream.flowed();
            until(Duration::from_secs(60), "the stream flows again", || {
                let now = stream.flowed();
                (now.0 >= orders + BETWEEN && now.1 >= callbacks + BETWEEN).then_some(())
            });
            thread::sleep(Duration::from_millis(dice.draw() % 200));
            cluster.crash();
            thread::sleep(Duration::from_millis(dice.draw() % 300));
            cluster.go_on();
        }
        over.store(true, Ordering::Relaxed);
    });
    let (orders, callbacks, unanswered) = stream.into_log();
    println!(
        "{count} stops: {} orders and {} callbacks acknowledged, {unanswered} requests were not",
        orders.len(),
        callbacks.len()
    );

    // A process that remembers nothing by itself.
    drop(front);
    let front = world.serve_as("front", &["serve", "--roles", "api,callback"]);
    let known: BTreeMap<String, Value> =
        front.http.all("/v1/orders").into_iter().map(|order| (order["id"].to_string(), order)).collect();
    for (key, id) in &orders {
        let order = known.get(&id.to_string()).unwrap_or_else(|| panic!("{key} was acknowledged as {id} and is lost"));
        assert_eq!(order["business_key"], **key);
    }
    for body in &callbacks {
        assert!(acknowledged(&front.http, body), "a callback is acknowledged again");
    }
    let again = front.metric("levee_callbacks_total", "outcome=\"duplicate\"");
    assert_eq!(again, callbacks.len() as u64, "each acknowledged callback is known, byte for byte");
    // Nobody works here, and doctor says so; what must hold holds all the same.
    world.safe();
}

/// Clients, and what they were acknowledged.
struct Stream {
    front: Http,
    orders: Mutex<BTreeMap<String, Value>>,
    callbacks: Mutex<Vec<String>>,
    unanswered: AtomicUsize,
}

impl Stream {
    fn new(front: &Http) -> Self {
        Self {
            front: front.clone(),
            orders: Mutex::default(),
            callbacks: Mutex::default(),
            unanswered: AtomicUsize::new(0),
        }
    }

    fn orders(&self, client: usize, over: &AtomicBool) {
        let mut payday = Payday::new(client as u64);
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            let key = format!("ACK-{client}-{n:05}");
            n += 1;
            let order = payday.order(&key);
            let answer = self.front.post_once("/v1/orders", &key, &order).ok().filter(|answer| answer.status < 300);
            match answer {
                Some(answer) => {
                    let id = answer.json()["id"].clone();
                    self.orders.lock().expect("write the log").insert(key, id);
                }
                None => self.lost(),
            }
        }
    }

    /// Each about an order that nobody knows: it is kept, for whoever may have it one day.
    fn callbacks(&self, client: usize, over: &AtomicBool) {
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            let body = signed(&digest::hex(&digest::sha256(format!("{client}/{n}").as_bytes()))[..32]);
            n += 1;
            if acknowledged(&self.front, &body) {
                self.callbacks.lock().expect("write the log").push(body);
            } else {
                self.lost();
            }
        }
    }

    /// Nobody answered, or not with an acknowledgement. What became of it does not matter here.
    fn lost(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(50));
    }

    /// Orders and callbacks acknowledged so far.
    fn flowed(&self) -> (usize, usize) {
        (self.orders.lock().expect("read the log").len(), self.callbacks.lock().expect("read the log").len())
    }

    fn into_log(self) -> (BTreeMap<String, Value>, Vec<String>, usize) {
        let orders = self.orders.into_inner().expect("read the log");
        (orders, self.callbacks.into_inner().expect("read the log"), self.unanswered.into_inner())
    }
}

fn acknowledged(front: &Http, body: &str) -> bool {
    let answer = front.with_key(None).send("POST", "/callbacks/main", &[FORM], body.as_bytes());
    answer.is_ok_and(|answer| answer.status == 200 && answer.body == b"SUCCESS")
}

/// A result of CREATE (000 §2.3) as the provider signs it.
fn signed(request_id: &str) -> String {
    let data = json!({"request_id": request_id, "status": "CLOSE", "remit_order_list": []});
    let req = json!({"name": "CREATE_ORDER_V2", "code": "0", "message": "成功", "data": data}).to_string();
    let sign = digest::base64(&digest::hmac_sha256(SECRET.as_bytes(), req.as_bytes()));
    digest::form(&[("req", &req), ("sign", &sign)])
}
