//! Fairness: how long a few due rows wait behind very many that came due at the same moment.

use super::{Figures, Fleet, Ground, Rows, SERVERS};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::time::Duration;
use store::Filter;
use tokio::time::{Instant, sleep};

/// The few.
const FEW: usize = 10;
/// Longer than it takes to drive the whole crowd.
const STUCK: Duration = Duration::from_secs(180);

pub(super) async fn measure(fleet: &Fleet) -> Result<Figures> {
    // Put there last: in the order of coming they would be the last of all.
    let tenant = Rows { tenant: "small", ..Rows::new("small", FEW) };
    let urgent = Rows { class: 1, ..Rows::new("urgent", FEW) };
    let (tenant_ms, tenant_crowd) = behind(fleet, tenant).await?;
    let (urgent_ms, urgent_crowd) = behind(fleet, urgent).await?;
    Ok(vec![
        ("crowd", json!(fleet.crowd)),
        ("small_tenant_10_done_ms", json!(tenant_ms)),
        ("crowd_done_by_then", json!(tenant_crowd)),
        ("urgent_10_done_ms", json!(urgent_ms)),
        ("lower_class_done_by_then", json!(urgent_crowd)),
    ])
}

/// Milliseconds until the few are done, and how many of the crowd were by then.
async fn behind(fleet: &Fleet, few: Rows) -> Result<(u64, usize)> {
    let mut ground = Ground::new(fleet, few.prefix, SERVERS, &["--concurrency", "64", "--hold"]).await?;
    ground.seed(Rows::new("crowd", fleet.crowd)).await?;
    ground.seed(few).await?;
    let begun = ground.drive.work().await?;
    let since = Instant::now();
    while !done(&ground, few).await? {
        sleep(Duration::from_millis(50)).await;
        if since.elapsed() > STUCK {
            bail!("the few are not done after {} s", STUCK.as_secs());
        }
    }
    let ends = ground.drive.ends().await?;
    let mine = |id: &str| id.starts_with(few.prefix);
    let last = ends.iter().filter(|(id, _)| mine(id)).map(|(_, at)| *at).max().context("the few are done")?;
    let crowd = ends.iter().filter(|(id, at)| !mine(id) && **at <= last).count();
    ground.clear().await?;
    Ok((u64::try_from(last.saturating_sub(begun) / 1_000_000).unwrap_or(u64::MAX), crowd))
}

async fn done(ground: &Ground<'_>, few: Rows) -> Result<bool> {
    // By key, which has an index: to look among the crowd would cost those that are measured.
    for number in 0..few.count {
        let filter = Filter {
            tenant: Some(few.tenant.into()),
            business_key: Some(format!("{}-{number}", few.prefix)),
            state: Some("done".into()),
            limit: 1,
            ..Filter::default()
        };
        if ground.engine.store.list(filter).await.context("look for what is done")?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
