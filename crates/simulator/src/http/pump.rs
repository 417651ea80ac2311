//! The pump: lets due things happen on the shared clock and posts the callbacks that leave.

use super::{Shared, client};
use crate::sim::Outgoing;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Longest real pause: the clock may be advanced by another handle at any time.
const PAUSE_MAX: Duration = Duration::from_millis(20);
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Callbacks under way at once.
const AT_ONCE: usize = 64;

pub(super) async fn run(shared: Shared, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let (leaving, due) = {
            let mut sim = shared.sim();
            (sim.run_until(shared.clock.now()), sim.due())
        };
        for letter in leaving {
            shared.in_flight.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(deliver(shared.clone(), Arc::clone(&places), letter));
        }
        let pause = due.map_or(PAUSE_MAX, |at| shared.clock.real_at(at).since(shared.clock.real()));
        tokio::select! {
            _ = stopped.changed() => return,
            () = shared.bell.notified() => {}
            () = tokio::time::sleep(pause.clamp(PAUSE_MIN, PAUSE_MAX)) => {}
        }
    }
}

/// Posts one callback and tells the core what came back. A client without a URL acknowledges everything.
async fn deliver(shared: Shared, places: Arc<Semaphore>, letter: Outgoing) {
    let acknowledged = match &letter.url {
        None => true,
        Some(url) => {
            let _place = places.acquire().await;
            client::deliver(url, letter.body).await
        }
    };
    shared.sim().delivered(shared.clock.now(), letter.letter, acknowledged);
    shared.in_flight.fetch_sub(1, Ordering::Relaxed);
    shared.bell.notify_one();
}
