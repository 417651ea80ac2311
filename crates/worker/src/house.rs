//! The housekeeper: what must be fresh in every process, whether rows are due or not.

use crate::Options;
use engine::Engine;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Clock and freezes: a switch that is thrown must hold within a second.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn keep(engine: Engine, stop: CancellationToken, options: Options) {
    let mut second = interval(EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut figures, mut audits) = (Every::new(options.figures), Every::new(options.audits));
    while stop.run_until_cancelled(second.tick()).await.is_some() {
        let round = async {
            engine.refresh_clock().await?;
            engine.refresh_freezes().await?;
            if figures.due() {
                engine.publish().await?;
            }
            if audits.due() {
                engine.publish_audits().await?;
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
}
