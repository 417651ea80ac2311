//! Everything at once, under load: workers killed and paused, PostgreSQL stopped dead, a server on SQLite killed, while the far side
//! misbehaves and orders keep coming. At the end nothing acknowledged may be lost, and both ledgers must be equal.
//!
//! `CHAOS_SEED` chooses the first seed and `CHAOS_ROUNDS` how many rounds the long tests go.

use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use system_tests::monkey::{Done, Fleet, Plan};
use system_tests::wait::timed;
use system_tests::{Http, Kind, Levee, Payday, Payer, PrivateCluster, Setup, World, truth, until};

#[test]
fn a_fleet_survives_killed_workers_and_a_database_that_stops_dead() {
    timed("chaos on PostgreSQL", || fleet(seed(), 80, Duration::from_secs(20)));
}

#[test]
fn a_server_on_sqlite_survives_being_killed_under_load() {
    timed("chaos on SQLite", || server(seed(), 60, 8));
}

#[test]
#[ignore = "ten rounds, half an hour: tests/run --all"]
fn ten_rounds_of_chaos_leave_both_ledgers_equal() {
    for round in 0..rounds() {
        let seed = seed() + round;
        timed(&format!("round {round} on PostgreSQL"), || fleet(seed, 120, Duration::from_secs(25)));
        timed(&format!("round {round} on SQLite"), || server(seed, 60, 8));
    }
}

fn seed() -> u64 {
    env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_105)
}

fn rounds() -> u64 {
    env::var("CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10)
}

/// Orders taken at once, and permits asked for at once.
const WIDTH: usize = 4;
/// For all orders of a round to be taken.
const LONGEST: Duration = Duration::from_secs(600);
const PLANS_MAX: usize = 8;
const WORKERS: usize = 3;
/// The lease of a fast clock (contract.md).
const LEASE: Duration = Duration::from_secs(5);

/// Three workers and a front on PostgreSQL.
fn fleet(seed: u64, count: usize, length: Duration) {
    let plan = Plan::draw(seed, length, WORKERS, LEASE);
    println!("{plan}");
    let cluster = PrivateCluster::start();
    let mut world = World::on(Some(cluster.database()), &Setup { faults: "some".into(), seed, ..Setup::default() });
    fs::write(world.path().join("plan.txt"), plan.to_string()).expect("keep the plan");
    let levee = world.serve_as("front", &["serve", "--roles", "api,callback"]);
    let orders = Payday::new(seed).orders("CHAOS", count);
    let mut payer = Payer::new(&levee.http, &world.far.http, WIDTH);
    let driver = Driver::new(&levee.http, length / u32::try_from(count).expect("few") * WIDTH as u32);
    let mut workers = Fleet::start(&world, WORKERS);
    under_load(&driver, &orders, &mut payer, |paid| {
        // On a slow machine a plan may be over before much has happened: it is carried out again.
        for _ in 0..PLANS_MAX {
            workers.suffer(&plan, &cluster);
            if paid.load(Ordering::Relaxed) >= count / 4 {
                break;
            }
        }
    });
    let done = workers.done();
    tell(&done, &driver, &payer);
    assert!(payer.paid() >= count / 4, "a run in which nobody is paid shows nothing");
    assert!(done.stops > 1 && done.kills > 5, "a monkey that does nothing shows nothing: {done:?}");
    world.far.faults("none");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = Over(&over);
        // A worker that found no database and ended is started again also now.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                workers.revive();
                thread::sleep(Duration::from_millis(200));
            }
        });
        levee.settle(&world, &mut payer, Duration::from_secs(400));
        drop(end);
    });
    judge(&world, &levee, &driver, count);
}

/// One process with every role on an SQLite file, killed again and again.
fn server(seed: u64, count: usize, kills: usize) {
    println!("seed {seed}");
    let mut world = World::new(Kind::Sqlite, &Setup { faults: "some".into(), seed, ..Setup::default() });
    let mut levee = world.serve();
    let (http, bank) = (levee.http.clone(), world.far.http.clone());
    let mut payday = Payday::new(seed);
    let orders = payday.orders("CHAOS", count);
    let mut payer = Payer::new(&http, &bank, WIDTH);
    let driver = Driver::new(&http, Duration::from_millis(500));
    under_load(&driver, &orders, &mut payer, |_| {
        for kill in 0..kills {
            let moment = Duration::from_millis(300 + payday.draw() % 1500);
            thread::sleep(moment);
            levee.process.kill();
            println!("kill {kill} after {} ms, {} acknowledged", moment.as_millis(), driver.acknowledged());
            levee = world.serve();
        }
    });
    tell(&Done { kills, ..Done::default() }, &driver, &payer);
    world.far.faults("none");
    levee.settle(&world, &mut payer, Duration::from_secs(400));
    judge(&world, &levee, &driver, count);
}

/// Lets trouble happen while orders are posted and remits are paid; it may look how many are. Afterwards every order is taken.
fn under_load(driver: &Driver, orders: &[Value], payer: &mut Payer, trouble: impl FnOnce(&AtomicUsize)) {
    let (over, paid) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _end = Over(&over);
        let load = scope.spawn(|| driver.take(orders));
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                payer.round();
                paid.store(payer.paid(), Ordering::Relaxed);
            }
        });
        trouble(&paid);
        load.join().expect("every order is taken");
    });
}

/// However a stretch ends, in a panic too, whoever waits for its end shall learn it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn tell(done: &Done, driver: &Driver, payer: &Payer) {
    let Done { kills, pauses, stops, starts } = done;
    println!(
        "{kills} kills, {pauses} pauses beyond a lease, {stops} stops of the database, {starts} starts of workers"
    );
    let (taken, tries) = (driver.acknowledged(), driver.tries());
    println!("{taken} orders acknowledged in {tries} requests, {} payments so far", payer.paid());
}

/// Nothing lost, nothing doubled, nobody left in between; and the run was a test at all.
fn judge(world: &World, levee: &Levee, driver: &Driver, count: usize) {
    let orders = until(Duration::from_secs(60), "the orders are listed", || levee.http.try_all("/v1/orders").ok());
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for order in &orders {
        let name = format!("{} {}", order["state"].as_str().unwrap_or("?"), order["outcome"].as_str().unwrap_or("-"));
        *states.entry(name).or_default() += 1;
    }
    let ledger = world.far.ledger();
    let met: u64 = ledger["coverage"].as_object().into_iter().flatten().filter_map(|(_, times)| times.as_u64()).sum();
    println!("{states:?}, {met} faults of the far side");
    driver.all_there(&orders);
    assert_eq!(orders.len(), count, "each order once, whoever asked how often");
    truth::equal(&orders, &ledger);
    let settled = orders.iter().filter(|order| order["state"] == "settled").count();
    assert!(settled * 10 >= count * 9, "only {settled} of {count} orders came to rest by themselves");
    assert!(met * 5 >= count as u64, "a far side that behaves shows little: {met} faults");
    world.sound();
}

/// Posts orders through the public API until each is acknowledged, and remembers what was said.
struct Driver {
    levee: Http,
    /// Of each poster, between two orders.
    pause: Duration,
    /// By business key: the order's id, as it was acknowledged.
    log: Mutex<BTreeMap<String, Value>>,
    tries: Mutex<usize>,
}

impl Driver {
    fn new(levee: &Http, pause: Duration) -> Self {
        Self { levee: levee.clone(), pause, log: Mutex::default(), tries: Mutex::default() }
    }

    fn take(&self, orders: &[Value]) {
        let waiting: Mutex<VecDeque<&Value>> = Mutex::new(orders.iter().collect());
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..WIDTH {
                scope.spawn(|| {
                    while self.acknowledged() < orders.len() {
                        assert!(begun.elapsed() < LONGEST, "{} of {} orders taken", self.acknowledged(), orders.len());
                        let next = waiting.lock().expect("take an order").pop_front();
                        // Whoever got no answer asks again, after the others: nobody knows whether it arrived.
                        if let Some(order) = next.filter(|order| !self.post(order)) {
                            waiting.lock().expect("put it back").push_back(order);
                        }
                        thread::sleep(self.pause);
                    }
                });
            }
        });
    }

    /// Whether it is acknowledged now.
    fn post(&self, order: &Value) -> bool {
        let key = order["business_key"].as_str().expect("text");
        *self.tries.lock().expect("count") += 1;
        let Ok(answer) = self.levee.post_once("/v1/orders", key, order) else { return false };
        let later = answer.status >= 500 || answer.json()["code"] == "idempotency_running";
        assert!(answer.status < 300 || later, "{}: {}", answer.status, answer.text());
        if !later {
            self.log.lock().expect("write the log").insert(key.to_owned(), answer.json()["id"].clone());
        }
        !later
    }

    fn acknowledged(&self) -> usize {
        self.log.lock().expect("read the log").len()
    }

    fn tries(&self) -> usize {
        *self.tries.lock().expect("count")
    }

    #[track_caller]
    fn all_there(&self, orders: &[Value]) {
        let known: BTreeMap<&str, &Value> =
            orders.iter().filter_map(|order| Some((order["business_key"].as_str()?, &order["id"]))).collect();
        for (key, id) in self.log.lock().expect("read the log").iter() {
            assert_eq!(known.get(key.as_str()), Some(&id), "{key} was acknowledged as {id}");
        }
    }
}
