//! The housekeeper: what must be fresh in every process, whether rows are due or not.

use crate::Options;
use engine::{Auditor, Engine};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Clock and freezes: a switch that is thrown must hold within a second.
const EVERY: Duration = Duration::from_secs(1);
/// What takes long, because there are millions of rows to look at, is done more seldom: at most this part of the time goes into it.
const SHARE: u32 = 50;
/// How long a round of the audits may look at what nothing has moved.
const LEISURE: Duration = Duration::from_secs(3);

type Round = engine::Result<()>;

/// Each duty has rounds of its own: however long one takes, a frozen payout stays frozen.
pub(crate) async fn keep(engine: Engine, stop: CancellationToken, options: Options) {
    let (engine, stop) = (&engine, &stop);
    let fresh = || async {
        engine.refresh_clock().await?;
        engine.refresh_freezes().await
    };
    // Nobody judges anything by the switches of yesterday.
    round(stop, fresh()).await;
    let auditor = Mutex::new(Auditor::new(engine.clone()));
    let audit = || async { auditor.lock().await.round(LEISURE).await };
    tokio::join!(
        repeat(stop, |took| EVERY.saturating_sub(took), fresh),
        repeat(stop, |took| rest(options.figures, took), || engine.publish()),
        repeat(stop, |took| rest(options.figures, took), || engine.publish_counts()),
        repeat(stop, |took| rest(options.audits, took), audit),
    );
}

/// Rounds until the end; `pause` says how long after one that took so long.
async fn repeat<F>(stop: &CancellationToken, pause: impl Fn(Duration) -> Duration, work: impl Fn() -> F)
where
    F: Future<Output = Round>,
{
    while !stop.is_cancelled() {
        let begun = Instant::now();
        round(stop, work()).await;
        let _ = stop.run_until_cancelled(sleep(pause(begun.elapsed()))).await;
    }
}

async fn round(stop: &CancellationToken, work: impl Future<Output = Round>) {
    match stop.run_until_cancelled(AssertUnwindSafe(work).catch_unwind()).await {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => tracing::warn!(%error, "failed to keep house"),
        Some(Err(_)) => tracing::error!("panic while keeping house"),
    }
}

fn rest(period: Duration, took: Duration) -> Duration {
    period.saturating_sub(took).max(took * SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn a_round_that_took_long_is_followed_by_fifty_times_as_much_rest() {
        let (period, ms) = (Duration::from_secs(3), Duration::from_millis);
        assert_eq!(rest(period, ms(10)), ms(2990));
        assert_eq!(rest(period, ms(200)), ms(10_000));
    }

    #[tokio::test]
    async fn rounds_go_on_after_a_failure_and_a_panic_until_the_end() {
        let (stop, rounds) = (CancellationToken::new(), AtomicI64::new(0));
        let work = || async {
            match rounds.fetch_add(1, Ordering::Relaxed) {
                0 => Err(engine::Error::Store(store::Error::Unavailable)),
                1 => panic!("on purpose"),
                5 => {
                    stop.cancel();
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        repeat(&stop, |_| Duration::from_millis(1), work).await;
        assert_eq!(rounds.load(Ordering::Relaxed), 6);
    }
}
