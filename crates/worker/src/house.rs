//! The housekeeper: what must be fresh in every process, whether rows are due or not.

use crate::Options;
use engine::Engine;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Clock and freezes: a switch that is thrown must hold within a second.
const EVERY: Duration = Duration::from_secs(1);
/// What takes long, because there are millions of rows to look at, is done more seldom: at most this part of the time goes into it.
const SHARE: u32 = 50;

pub(crate) async fn keep(engine: Engine, stop: CancellationToken, options: Options) {
    let mut second = interval(EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut figures, mut audits) = (Every::new(options.figures), Every::new(options.audits));
    while stop.run_until_cancelled(second.tick()).await.is_some() {
        let round = async {
            engine.refresh_clock().await?;
            engine.refresh_freezes().await?;
            if figures.due() {
                figures.cost(timed(engine.publish()).await?);
            }
            if audits.due() {
                audits.cost(timed(engine.publish_audits()).await?);
            }
            Ok::<(), engine::Error>(())
        };
        let round = AssertUnwindSafe(round).catch_unwind();
        match stop.run_until_cancelled(round).await {
            None => return,
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => tracing::warn!(%error, "failed to keep house"),
            Some(Err(_)) => tracing::error!("panic while keeping house"),
        }
    }
}

/// Counts rounds of [`EVERY`].
struct Every {
    rounds: u64,
    left: u64,
}

impl Every {
    fn new(period: Duration) -> Self {
        Self { rounds: period.as_secs().max(1), left: 0 }
    }

    fn due(&mut self) -> bool {
        let due = self.left == 0;
        self.left = if due { self.rounds } else { self.left } - 1;
        due
    }

    /// The round took so long.
    fn cost(&mut self, took: Duration) {
        self.left = self.left.max((took * SHARE).as_secs());
    }
}

async fn timed(work: impl Future<Output = Result<(), engine::Error>>) -> Result<Duration, engine::Error> {
    let begun = Instant::now();
    work.await.map(|()| begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_is_due_and_then_every_third() {
        let mut every = Every::new(Duration::from_secs(3));
        let due: Vec<bool> = (0..7).map(|_| every.due()).collect();
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_round_that_took_long_is_followed_by_fifty_times_as_much_rest() {
        let mut every = Every::new(Duration::from_secs(3));
        assert!(every.due());
        every.cost(Duration::from_millis(10));
        assert_eq!((0..3).map(|_| every.due()).collect::<Vec<_>>(), [false, false, true]);
        every.cost(Duration::from_millis(200));
        assert_eq!((0..11).filter(|_| every.due()).count(), 1, "after ten seconds");
    }
}
