//! A database that stops under the worker's feet (F20): the worker goes on, and what the provider did is found, not done again.

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use domain::Clock;
use domain::clock::{Pace, host_time};
use engine::Rules;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use store::testing;
use support::World;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use worker::Options;

const ORDERS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_orders_survive_restarts_of_the_database() {
    let url = testing::own_database().await;
    let rules = Rules { lease: Duration::from_secs(2), call_timeout: Duration::from_millis(500), ..Rules::default() };
    let world = World::running(rules, &url, Clock::running(host_time(), Pace::REAL)).await;
    // A claim whose COMMIT lost its answer is a doubt, though nothing was sent: it takes a quarantine to disprove, here two seconds.
    let now = world.store.time().await.unwrap();
    world
        .store
        .set_pace(Pace { epoch: now, origin: now, speed_milli: 150_000, advanced: Duration::ZERO })
        .await
        .unwrap();
    world.engine.refresh_clock().await.unwrap();
    world.provider.watch(|_| tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(20))));
    let orders: Vec<_> = (0..ORDERS).map(|n| world.engine.prepare(world.order(&format!("pay-{n}"))).unwrap()).collect();
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    world.engine.submit_all(orders).await.unwrap();

    let stop = CancellationToken::new();
    let worker =
        tokio::spawn(worker::run(world.engine.clone(), stop.clone(), Options { committers: 2, ..Options::default() }));
    for _ in 0..3 {
        sleep(Duration::from_millis(250)).await;
        let data = data(&url);
        tokio::task::spawn_blocking(move || restart(&data)).await.unwrap();
        assert!(!worker.is_finished(), "the worker goes on");
    }
    let settled = async {
        for id in ids {
            while !matches!(world.store.instance(id).await, Ok(Some(row)) if row.state_name == "ready") {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let settled = timeout(Duration::from_secs(60), settled).await.is_ok();
    stop.cancel();
    timeout(Duration::from_secs(30), worker).await.unwrap().unwrap().unwrap();
    world.store.close().await;
    pg_ctl(&data(&url), &["stop"]);
    assert!(settled, "every order gets through");
    assert_eq!(world.provider.creates(), ORDERS, "no order was created twice (I3)");
}

fn data(url: &str) -> PathBuf {
    let host = url.split("host=").nth(1).expect("a socket's folder").replace("%2F", "/");
    Path::new(&host).join("data")
}

fn restart(data: &Path) {
    assert!(pg_ctl(data, &["-w", "restart"]), "the database restarts");
}

/// As its owner; PostgreSQL refuses root.
fn pg_ctl(data: &Path, arguments: &[&str]) -> bool {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let program = versions.pop().expect("PostgreSQL is installed").join("bin/pg_ctl");
    let root = std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0);
    let mut command = if root { Command::new("setpriv") } else { Command::new(&program) };
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(&program).current_dir("/");
    }
    let log = data.join("restart.log");
    command.arg("-D").arg(data).arg("-l").arg(log).args(["-m", "immediate"]).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
