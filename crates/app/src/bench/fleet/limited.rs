//! The rate limit of a lane, kept by four servers together: counted where the calls arrive.

use super::{Figures, Fleet, Ground, Rows};
use anyhow::Result;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

/// Those that share one bucket.
const SERVERS: usize = 4;
/// In the middle nothing is due: what a server has leased and not used must not come on top of a bucket that is full again.
const PAUSE: u32 = 4;
const SECOND: u128 = 1_000_000_000;

pub(super) async fn measure(fleet: &Fleet) -> Result<Figures> {
    let (rate, seconds) = (fleet.rate.max(1), fleet.limited_seconds.max(PAUSE + 4));
    let words = ["--concurrency", "64", "--lane", "32", "--rate", &rate.to_string(), "--hold"];
    let mut ground = Ground::new(fleet, "limited", SERVERS, &words).await?;
    let half = (seconds - PAUSE) / 2;
    // A full bucket, and what comes into it meanwhile.
    let burst = rate * 2;
    let count = usize::try_from(burst + rate * half).unwrap_or(usize::MAX);
    ground.seed(Rows::new("first", count)).await?;
    let second = Rows { due_in: Duration::from_secs((half + PAUSE).into()), ..Rows::new("second", count) };
    ground.seed(second).await?;
    let before = ground.drive.read().await?;
    ground.drive.work().await?;
    sleep(Duration::from_secs(seconds.into())).await;
    let after = ground.drive.read().await?;
    let calls = ground.drive.calls().await?;
    ground.clear().await?;
    let ms = |before: u64, after: u64| after.saturating_sub(before);
    Ok(vec![
        ("limit_calls_per_second", json!(rate)),
        ("limit_burst", json!(burst)),
        ("limited_seconds", json!(seconds)),
        ("limited_calls", json!(calls.len())),
        ("most_calls_in_one_second", json!(most_in_a_second(&calls))),
        ("calls_above_the_bucket", json!(above(&calls, rate.into(), burst.into()))),
        ("limited_worker_cpu_ms", json!(ms(before.server_ms, after.server_ms))),
        ("limited_database_cpu_ms", json!(ms(before.database_ms, after.database_ms))),
    ])
}

/// In any second, wherever it begins.
fn most_in_a_second(calls: &[u128]) -> usize {
    let in_second = |(place, at): (usize, &u128)| calls[place..].partition_point(|later| *later < at + SECOND);
    calls.iter().enumerate().map(in_second).max().unwrap_or(0)
}

/// By how many the calls of some stretch of time are more than the burst and what the rate allows meanwhile.
fn above(calls: &[u128], rate: u128, burst: u128) -> u128 {
    // In calls times nanoseconds, so that no part of a call is lost.
    let (mut owed, mut most, mut last) = (0_u128, 0, None);
    for at in calls {
        owed = owed.saturating_sub(last.map_or(0, |last| (at - last) * rate)) + SECOND;
        (most, last) = (most.max(owed), Some(*at));
    }
    most.saturating_sub(burst * SECOND).div_ceil(SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bucket_allows_is_not_above_it_and_the_next_call_is() {
        let tenth = SECOND / 10;
        let mut calls = vec![0; 20];
        calls.extend((1..=30).map(|n| n * tenth));
        assert_eq!((above(&calls, 10, 20), most_in_a_second(&calls)), (0, 29));
        calls.push(30 * tenth);
        assert_eq!(above(&calls, 10, 20), 1);
        calls.extend(vec![60 * tenth; 25]);
        assert_eq!(above(&calls, 10, 20), 5, "three seconds have filled the bucket again, and no further");
        assert_eq!(above(&[], 10, 20), 0);
    }
}
