//! The permanent regression test of faults.md §2.1, and the durability of every pooled connection.

use super::*;
use crate::testing;
use std::task::Poll;
use std::time::{Duration, Instant};

const ROUNDS: i64 = 1000;

/// Drops a future that is not done within `patience`. Tokio's own timers tick in milliseconds, far longer than BEGIN takes.
async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, since) = (std::pin::pin!(future), Instant::now());
    loop {
        let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        match polled {
            Poll::Ready(answer) => return Some(answer),
            Poll::Pending if since.elapsed() >= patience => return None,
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
}

/// `begin()` under a swept timeout, then a plain write by the next borrower: (cancelled, acknowledged, found afterwards).
#[expect(clippy::disallowed_methods, reason = "the fault itself is under test")]
async fn cancelled_begins(hooked: bool) -> (i64, i64, i64) {
    let url = testing::database().await;
    let watcher = postgres_writers(&url, 1).unwrap();
    watcher.execute("create table c (id bigint primary key)").await.unwrap();
    let pool = if hooked { postgres_writers(&url, 1).unwrap() } else { bare(&url) };
    pool.begin().await.unwrap().rollback().await.unwrap();
    let since = Instant::now();
    for _ in 0..50 {
        pool.begin().await.unwrap().rollback().await.unwrap();
    }
    let latency = since.elapsed() / 100;
    let (mut cancelled, mut acknowledged) = (0, 0);
    for round in 0..ROUNDS {
        let patience = latency * (round as u32 % 60) / 30;
        cancelled += i64::from(within(patience, pool.begin()).await.is_none());
        let insert = sqlx::query("insert into c values ($1)").bind(round).execute(&pool).await;
        acknowledged += i64::from(insert.is_ok());
    }
    pool.close().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let found: i64 = sqlx::query_scalar("select count(*) from c").fetch_one(&watcher).await.unwrap();
    (cancelled, acknowledged, found)
}

/// A pool as anybody would build it.
#[expect(clippy::disallowed_methods, reason = "the fault itself is under test")]
fn bare(url: &str) -> sqlx::PgPool {
    let options = PoolOptions::<Postgres>::new().max_connections(1).test_before_acquire(false);
    options.connect_lazy_with(postgres_options(url).unwrap())
}

#[tokio::test]
async fn f12_a_cancelled_begin_loses_no_acknowledged_write() {
    let (cancelled, acknowledged, found) = cancelled_begins(true).await;
    assert!(cancelled >= 100, "only {cancelled} begins were cancelled: the run is invalid");
    assert_eq!(acknowledged - found, 0, "lost");
}

#[tokio::test]
async fn f12_without_the_hook_writes_are_lost() {
    let mut lost = 0;
    for _ in 0..5 {
        let (_, acknowledged, found) = cancelled_begins(false).await;
        lost += acknowledged - found;
        if lost > 0 {
            return;
        }
    }
    panic!("nothing was lost: the test has gone blind, or sqlx is fixed and the hook may go");
}

#[tokio::test]
async fn f12_a_reader_cannot_write_even_in_a_transaction_left_open() {
    let url = testing::database().await;
    let watcher = postgres_writers(&url, 1).unwrap();
    watcher.execute("create table c (id bigint primary key)").await.unwrap();
    let readers = postgres_readers(&url, 1).unwrap();
    for open in ["select 1", "BEGIN"] {
        readers.execute(open).await.unwrap();
        let written = readers.execute("insert into c values (1)").await;
        assert!(written.is_err(), "after {open}");
        readers.execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn every_sqlite_connection_is_durable() {
    let fresh = testing::sqlite().await;
    let crate::Inner::Sql(sql) = &fresh.store.inner else { panic!("an SQL store") };
    let Pool::Lite { write, read } = &sql.pool else { panic!("SQLite") };
    let mut held = vec![write.acquire().await.unwrap()];
    for _ in 0..fresh.options.pool_size {
        held.push(read.acquire().await.unwrap());
    }
    for conn in &mut held {
        let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut **conn).await.unwrap();
        let level: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut **conn).await.unwrap();
        let keys: i64 = sqlx::query_scalar("pragma foreign_keys").fetch_one(&mut **conn).await.unwrap();
        assert_eq!((mode.as_str(), level, keys), ("wal", 2, 1));
    }
}

#[tokio::test]
async fn f25_a_cluster_without_fsync_is_refused() {
    let url = testing::database().await;
    let options = Options { dev: false, ..testing::options(testing::clock()) };
    if std::env::var("LEVEE_TEST_POSTGRES").is_err() {
        let refused = crate::Store::connect(&url, options).await.err();
        assert!(matches!(&refused, Some(Error::Refused(why)) if why.contains("fsync")), "{refused:?}");
    }
}

#[tokio::test]
async fn f29_a_second_server_on_one_file_is_refused() {
    let fresh = testing::sqlite().await;
    let second = crate::Store::connect(&fresh.url, fresh.options.clone()).await.err();
    assert!(matches!(second, Some(Error::Refused(_))), "{second:?}");
    let tool = Options { exclusive: false, ..fresh.options.clone() };
    assert!(crate::Store::connect(&fresh.url, tool).await.is_ok());
}

#[tokio::test]
async fn a_cancelled_caller_does_not_cut_its_transaction() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let (mut cut, mut acknowledged) = (0, Vec::new());
        for round in 0..200_u64 {
            let name = format!("name{round}");
            let put = fresh.store.put_setting(&name, serde_json::json!(round));
            match tokio::time::timeout(Duration::from_micros(round * 7), put).await {
                Ok(put) => acknowledged.push((name, put.unwrap())),
                Err(_) => cut += 1,
            }
        }
        assert!(cut > 0, "nobody was cut off: the run is invalid");
        // Whoever was cut off, the store goes on, and what it acknowledges is there.
        fresh.store.put_setting("last", serde_json::json!(200)).await.unwrap();
        acknowledged.push(("last".into(), ()));
        for (name, ()) in acknowledged {
            assert!(fresh.store.setting(&name).await.unwrap().is_some(), "{name} is lost");
        }
    }
}
