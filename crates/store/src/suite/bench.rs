//! Measurements, run by hand: `cargo test -p store --release bench -- --ignored --nocapture`.

use super::*;
use crate::testing;
use std::time::Instant;

const GROUP: usize = 200;

/// Claims and commits until nothing is due; transitions per second, and the mean of a claim in microseconds.
async fn drain(fresh: &Fresh) -> (u128, u128) {
    let (mut turns, mut claims, mut claiming) = (0, 0, std::time::Duration::ZERO);
    let since = Instant::now();
    loop {
        let begun = Instant::now();
        let claimed = fresh.store.claim(ClaimAsk { limit: GROUP, per_lane: GROUP, ..ask(t(10)) }).await.unwrap();
        (claiming, claims) = (claiming + begun.elapsed(), claims + 1);
        if claimed.is_empty() {
            return (turns * 1_000_000 / since.elapsed().as_micros(), claiming.as_micros() / claims);
        }
        turns += claimed.len() as u128;
        let answers = fresh.store.commit(claimed.iter().map(|claimed| turn(claimed, "moved")).collect()).await.unwrap();
        assert!(answers.iter().all(is_done));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn bench_parked_rows_cost_nothing() {
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        for parked in [0_i64, 100_000, 1_000_000] {
            park(&fresh, parked).await;
            let due =
                (0..4000).map(|n| NewInstance { tenant: format!("t{}", n % 20), ..machine(&format!("p{parked}n{n}")) });
            for chunk in due.collect::<Vec<_>>().chunks(GROUP) {
                fresh.store.submit(chunk.to_vec()).await.unwrap();
            }
            let (rate, claim) = drain(&fresh).await;
            println!(
                "{:?}: {parked} parked: {rate} transitions/s, a claim of {GROUP} takes {claim} us",
                fresh.store.kind()
            );
        }
    }
}

/// Rows at rest and rows that wait for a far day, half of each.
async fn park(fresh: &Fresh, count: i64) {
    let (source, id) = match fresh.store.kind() {
        Kind::Postgres => (format!("generate_series(1, {count}) g(n)"), "gen_random_uuid()"),
        Kind::Sqlite | Kind::Memory => (
            format!(
                "(with recursive g(n) as (select 1 union all select n + 1 from g where n < {count}) select n from g) g"
            ),
            "randomblob(16)",
        ),
    };
    if count > 0 {
        let names = format!(
            "insert into identity (instance, tenant, workflow, business_key) select {id}, 't' || (g.n % 20), 'order', 'parked{count}/' || g.n \
             from {source}"
        );
        let rows = format!(
            "insert into instance (id, workflow, tenant, account, business_key, content_hash, input, state, state_name, revision, head, wake_at, \
             lane, class, created_at, updated_at) select g.id, 'order', g.tenant, 'main', g.business_key, 'h', '{{}}', '1', \
             'parked', 1, 'h', case when g.n % 2 = 0 then {} + g.n end, 'lane' || (g.n % 5), 3, 1, 1 from (select instance as id, tenant, \
             business_key, cast(substr(business_key, {}) as bigint) as n from identity where business_key like 'parked{count}/%') g",
            t(999_999).millis(),
            format!("parked{count}/").len() + 1
        );
        let Inner::Sql(database) = &fresh.store.inner else { return };
        let run = work(move |c| {
            let statements = [names.clone(), rows.clone()];
            Box::pin(async move {
                if matches!(c, crate::sql::Conn::Pg(_)) {
                    c.run("set local statement_timeout = 0").await?;
                }
                for sql in statements {
                    c.exec(AssertSqlSafe(sql), vec![]).await?;
                }
                Ok(())
            })
        });
        database.pool.write(run).await.unwrap();
        // What autovacuum would do beside the measurement otherwise.
        let tidy = if fresh.store.kind() == Kind::Postgres { "vacuum analyze instance, identity" } else { "analyze" };
        database.pool.reader().await.unwrap().run(tidy).await.unwrap();
    }
}
