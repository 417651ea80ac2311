//! The fetcher: claims no more rows than there is room for, when the bell rings or at the next poll.

use engine::{Claimed, Engine};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Between attempts while the store does not answer (F18, F20): first, and at most.
const BACK_OFF_FIRST: Duration = Duration::from_millis(200);
const BACK_OFF_LONGEST: Duration = Duration::from_secs(2);

/// How a fetcher waits: for rows when no ring is heard, and for those that are just behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) poll: Duration,
    pub(crate) linger: Duration,
}

/// Fills the channel until it is told to stop, or until nobody takes rows any more. Where several rows came due together, more are
/// just behind: they are waited for a little, as in a group commit.
pub(crate) async fn fetch(engine: Engine, rows: mpsc::Sender<Claimed>, stop: CancellationToken, pace: Pace) {
    let (mut back_off, mut backlog) = (BACK_OFF_FIRST, false);
    while let Some(seats) = stop.run_until_cancelled(seats(&rows, backlog)).await.flatten() {
        // Not cut short by the stop: what a dropped claim has taken would lie idle for a lease.
        let pause = match engine.claim(seats.len()).await {
            Ok(claimed) if claimed.is_empty() => {
                backlog = false;
                Duration::ZERO
            }
            Ok(claimed) => {
                back_off = BACK_OFF_FIRST;
                let several = claimed.len() > 1;
                backlog = claimed.len() == seats.len();
                // Whoever closes the channel meanwhile waits for these seats.
                seats.into_iter().zip(claimed).for_each(|(seat, row)| seat.send(row));
                if several {
                    stop.run_until_cancelled(sleep(pace.linger)).await;
                }
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, ?back_off, "failed to claim");
                let pause = back_off;
                back_off = (back_off * 2).min(BACK_OFF_LONGEST);
                pause
            }
        };
        // While nothing is claimed, whoever comes in by the door may have them.
        drop(seats);
        let idle = async {
            if pause.is_zero() {
                tokio::select! { () = engine.bell.rung() => {} () = sleep(pace.poll) => {} }
            } else {
                sleep(pause).await;
            }
        };
        stop.run_until_cancelled(idle).await;
    }
}

/// Seats for a claim that is worth its flush, a quarter of the channel: held while it is made, so that nothing is claimed without
/// one. The others are for what comes in by the door, which claims at no cost of its own; a backlog may have them all. `None` when
/// nobody reads the channel any more.
async fn seats(rows: &mpsc::Sender<Claimed>, backlog: bool) -> Option<Vec<mpsc::Permit<'_, Claimed>>> {
    let mut seats: Vec<_> = rows.reserve_many((rows.max_capacity() / 4).max(1)).await.ok()?.collect();
    if backlog {
        seats.extend(rows.try_reserve_many(rows.capacity()).ok().into_iter().flatten());
    }
    Some(seats)
}

/// Rows nobody has begun go back to the fleet at once.
pub(crate) async fn give_back(engine: &Engine, rows: Vec<Claimed>) {
    let count = rows.len();
    if let Err(error) = engine.release(rows).await {
        tracing::warn!(%error, count, "failed to give claims back: their leases lapse");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::World;

    #[tokio::test]
    async fn an_idle_fetcher_holds_no_seat() {
        let world = World::new().await;
        let (rows, mut taken) = mpsc::channel(32);
        let (stop, pace) =
            (CancellationToken::new(), Pace { poll: Duration::from_secs(60), linger: Duration::from_millis(1) });
        let fetching = tokio::spawn(fetch(world.restarted(), rows.clone(), stop.clone(), pace));
        world.submit("pay-1").await;
        taken.recv().await.expect("it is due");
        let all_free = async {
            while rows.capacity() < rows.max_capacity() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), all_free).await.expect("every seat is free while it waits");
        stop.cancel();
        fetching.await.expect("it ends");
    }
}
