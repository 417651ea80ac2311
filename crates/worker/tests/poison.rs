//! F11: rows that kill the process which drives them, and what lies beside them. Killed is a whole runtime, with everything in it; only
//! the store is left.

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use std::time::Duration;
use support::World;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use worker::Options;

const LEASE: Duration = Duration::from_secs(120);

#[test]
fn f11_poisonous_rows_are_parked_and_innocent_ones_survive_thirty_crashes_beside_them() {
    let quiet = runtime();
    let world = quiet.block_on(World::new());
    let mut deadly = Vec::new();
    let mut innocent = Vec::new();
    for n in 0..24 {
        let key = format!("pay-{n}");
        let id = quiet.block_on(world.submit(&key));
        if n % 8 == 0 {
            world.provider.kills(&world.request_id(&key));
            deadly.push(id);
        } else {
            innocent.push(id);
        }
    }
    let mut crashes = 0;
    for _ in 0..200 {
        crashes += u32::from(!lives(&world));
        world.clock.advance_real(LEASE + Duration::from_secs(1));
    }
    for id in innocent {
        let (row, story) = quiet.block_on(async { (world.instance(id).await, world.story(id).await) });
        assert_eq!(row.state_name, "ready", "after {crashes} crashes: {story:?}");
    }
    assert!(crashes >= 30, "only {crashes}");
    for id in &deadly {
        let row = quiet.block_on(world.instance(*id));
        assert_eq!(row.state_name, "needs_operator", "after {crashes} crashes");
    }
    let cases = quiet.block_on(world.cases());
    assert_eq!(cases.len(), deadly.len(), "{cases:?}");
    assert!(cases.iter().all(|case| deadly.contains(&case.instance)), "{cases:?}");
    assert_eq!(world.provider.creates(), world.provider.orders(), "and no order was created twice (I3)");
}

/// One life of a process: until it dies, or has nothing to do.
fn lives(world: &World) -> bool {
    let process = runtime();
    let engine = world.restarted();
    process.block_on(async {
        let worker = tokio::spawn(worker::run(engine, CancellationToken::new(), Options::default()));
        tokio::select! {
            biased;
            () = world.provider.end.notified() => false,
            () = idle(world) => true,
            ended = worker => panic!("the worker ended: {ended:?}"),
        }
    })
}

/// Nothing is due and nothing is being driven. Time stands: what is due later is not due.
async fn idle(world: &World) {
    loop {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let (now, real) = (world.clock.now(), world.clock.real());
        let due = world.store.due_oldest(now).await.expect("the store answers").is_some();
        if !due && world.store.live_claims(real).await.expect("the store answers") == 0 {
            return;
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
