//! A dead provider: what its due rows cost a healthy account beside it. It hangs (takes connections and never answers) or refuses
//! them, from the first moment on, so that the time before its breakers open is measured too.

use super::{Figures, Fleet, Ground, Rows, SERVERS};
use crate::bench::{bare, meter, report};
use anyhow::{Context, Result};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Lifecycles a second, and percentiles of a lifecycle, which waits 100 ms for its signal, in nanoseconds.
struct Healthy {
    per_second: u64,
    p50: u128,
    p99: u128,
}

pub(super) async fn measure(fleet: &Fleet) -> Result<Figures> {
    let alone = run(fleet, "alone", None).await?;
    let (url, hanging) = hang().await?;
    let hung = run(fleet, "hang", Some(&url)).await?;
    hanging.abort();
    let _ = hanging.await;
    // Nobody listens there any more.
    let refused = run(fleet, "refuse", Some(&url)).await?;
    let percent = |of: &Healthy| json!(of.per_second * 100 / alone.per_second.max(1));
    let ms = |nanoseconds: u128| report::decimal(u64::try_from(nanoseconds / 1000).unwrap_or(u64::MAX));
    Ok(vec![
        ("dead_rows", json!(fleet.dead)),
        ("healthy_per_second", json!(alone.per_second)),
        ("healthy_p50_ms", ms(alone.p50)),
        ("healthy_p99_ms", ms(alone.p99)),
        ("beside_hanging_percent", percent(&hung)),
        ("beside_hanging_p50_ms", ms(hung.p50)),
        ("beside_hanging_p99_ms", ms(hung.p99)),
        ("beside_refusing_percent", percent(&refused)),
        ("beside_refusing_p50_ms", ms(refused.p50)),
        ("beside_refusing_p99_ms", ms(refused.p99)),
    ])
}

/// As a product's process: 64 rows at once, 32 calls in each lane. The dead account has rows in both of its lanes.
async fn run(fleet: &Fleet, name: &str, dead: Option<&str>) -> Result<Healthy> {
    let mut words = vec!["--concurrency", "64", "--lane", "32", "--hold"];
    words.extend(dead.iter().flat_map(|url| ["--other", url]));
    let mut ground = Ground::new(fleet, name, SERVERS, &words).await?;
    if dead.is_some() {
        let rows = Rows { account: bare::OTHER, both_lanes: true, ..Rows::new("dead", fleet.dead) };
        ground.seed(rows).await?;
    }
    ground.drive.work().await?;
    // First the quiet run: it meets the dead account while its breakers are still closed.
    let begun = ground.drive.steady(fleet.latency_seconds).await?;
    let ends = ground.drive.ends().await?;
    let mut took: Vec<u128> = begun.iter().filter_map(|(id, at)| Some(ends.get(id)?.saturating_sub(*at))).collect();
    let rate = ground.drive.rate(fleet.lifecycles, fleet.outstanding).await?;
    ground.clear().await?;
    Ok(Healthy {
        per_second: rate.per_second(),
        p50: meter::percentile(&mut took, 50),
        p99: meter::percentile(&mut took, 99),
    })
}

/// A far side that takes every connection and says nothing.
async fn hang() -> Result<(String, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    let url = format!("http://{}", listener.local_addr().context("read the address")?);
    let hanging = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    Ok((url, hanging))
}
