//! One process's worker as a whole, over the same small world as the engine's tests.

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use domain::clock::{Pace, host_time};
use domain::{Clock, InstanceId};
use engine::Rules;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use support::{Say, World};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use worker::{Options, Result, run};

struct Running {
    world: World,
    stop: CancellationToken,
    worker: JoinHandle<Result<()>>,
}

async fn start(options: Options) -> Running {
    start_with(Rules::default(), options, |_| {}).await
}

async fn start_with(rules: Rules, options: Options, prepare: impl FnOnce(&World)) -> Running {
    let clock = Clock::running(host_time(), Pace::REAL);
    let world = World::running(rules, "memory:", clock).await;
    prepare(&world);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run(world.engine.clone(), stop.clone(), options));
    Running { world, stop, worker }
}

impl Running {
    async fn eventually(&self, id: InstanceId, state: &str) {
        let reached = async {
            while self.world.instance(id).await.state_name != state {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(
            timeout(Duration::from_secs(10), reached).await.is_ok(),
            "never {state}: {:?}",
            self.world.instance(id).await
        );
    }

    async fn stop(self) -> World {
        self.stop.cancel();
        let ended = timeout(Duration::from_secs(20), self.worker).await.expect("it stops");
        assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
        self.world
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_driven_as_they_come() {
    let running = start(Options::default()).await;
    let mut ids = Vec::new();
    for n in 0..100 {
        ids.push(running.world.submit(&format!("pay-{n}")).await);
    }
    for id in ids {
        running.eventually(id, "accepted").await;
    }
    assert_eq!(running.world.provider.creates(), 100);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f15_a_lost_ring_costs_a_poll() {
    let running = start(Options::default()).await;
    sleep(Duration::from_millis(100)).await;
    let world = &running.world;
    // Inserted without a ring, as another process would.
    let row = world.engine.prepare(world.order("pay-1")).unwrap();
    world.store.submit(vec![row.clone()]).await.unwrap();
    running.eventually(row.id, "accepted").await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f10_a_panic_is_that_rows_alone() {
    let running = start_with(Rules::default(), Options::default(), |world| world.provider.say(Say::Panic)).await;
    let dies = running.world.submit("pay-0").await;
    running.eventually(dies, "creating").await;
    sleep(Duration::from_millis(50)).await;
    for n in 1..50 {
        let id = running.world.submit(&format!("pay-{n}")).await;
        running.eventually(id, "accepted").await;
    }
    let world = running.stop().await;
    let row = world.instance(dies).await;
    assert_eq!(
        (row.state_name.as_str(), row.claims),
        ("creating", 1),
        "its lease lapses, and then it is found in doubt"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_a_lapsed_lease_is_taken_over() {
    let rules =
        Rules { lease: Duration::from_millis(600), call_timeout: Duration::from_millis(100), ..Rules::default() };
    let running = start_with(rules, Options::default(), |world| world.provider.say(Say::Panic)).await;
    let id = running.world.submit("pay-0").await;
    running.eventually(id, "ready").await;
    assert_eq!(running.world.provider.creates(), 1, "asked for, not sent again");
    assert!(running.world.story(id).await.contains(&"WorkerLost: takeover".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f7_a_stop_ends_what_runs_and_gives_the_rest_back() {
    let options = Options { concurrency: 2, ..Options::default() };
    let slow = Arc::new(AtomicBool::new(true));
    let while_slow = slow.clone();
    let running = start_with(Rules::default(), options, move |world| {
        world.provider.watch(move |_| {
            if while_slow.load(Ordering::SeqCst) {
                tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(300)));
            }
        });
    })
    .await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(running.world.submit(&format!("pay-{n}")).await);
    }
    sleep(Duration::from_millis(150)).await;
    let begun = Instant::now();
    let world = running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    let sent = world.provider.creates();
    assert!((1..=4).contains(&sent), "{sent} calls were under way");
    for id in ids {
        let row = world.instance(id).await;
        assert_eq!((row.claims, row.claimed_until), (0, None), "{}: nothing waits for a lease", row.state_name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outlasts_the_grace_is_abandoned() {
    let options = Options { grace: Duration::from_millis(100), ..Options::default() };
    let running = start_with(Rules::default(), options, |world| {
        world.provider.watch(|_| tokio::task::block_in_place(|| std::thread::sleep(Duration::from_secs(4))));
    })
    .await;
    let id = running.world.submit("pay-0").await;
    running.eventually(id, "creating").await;
    sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    let world = running.stop().await;
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
    assert_eq!(world.instance(id).await.claims, 1, "its lease says that it may have been sent");
}

/// Keeps the greatest batch that was ever committed.
#[derive(Default)]
struct Largest(Arc<AtomicU64>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_that_end_together_are_committed_together() {
    let largest = Largest::default();
    let seen = largest.0.clone();
    metrics::set_global_recorder(largest).unwrap();
    let running = start(Options { linger: Duration::from_millis(5), ..Options::default() }).await;
    let orders = (0..200)
        .map(|n| running.world.engine.prepare(running.world.order(&format!("pay-{n}"))).unwrap())
        .collect::<Vec<_>>();
    let ids: Vec<InstanceId> = orders.iter().map(|order| order.id).collect();
    running.world.engine.submit_all(orders).await.unwrap();
    for id in ids {
        running.eventually(id, "accepted").await;
    }
    assert!(seen.load(Ordering::SeqCst) >= 8, "the largest group had {}", seen.load(Ordering::SeqCst));
    running.stop().await;
}

impl metrics::Recorder for Largest {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn register_counter(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        metrics::Counter::noop()
    }
    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }
    fn register_histogram(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        match key.name() {
            "levee_commit_batch_size" => metrics::Histogram::from_arc(Arc::new(Keep(self.0.clone()))),
            _ => metrics::Histogram::noop(),
        }
    }
}

struct Keep(Arc<AtomicU64>);

#[expect(clippy::disallowed_types, reason = "the metrics crate measures in floats")]
impl metrics::HistogramFn for Keep {
    fn record(&self, value: f64) {
        self.0.fetch_max(value as u64, Ordering::SeqCst);
    }
}
