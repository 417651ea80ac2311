//! The committers: turns that end together, and what comes in together, share one transaction, hence one disk flush.

use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

/// What waits to be written; several committers may share it.
pub(crate) type Queue<T> = Arc<Mutex<mpsc::Receiver<T>>>;

/// Writes until nobody is left who could send. A lone turn is written at once; while it is, the next group gathers by itself.
/// Only where several come together is it worth lingering for those that are just behind.
pub(crate) async fn gather<T, W: Future<Output = ()>>(
    queue: Queue<T>,
    most: usize,
    linger: Duration,
    write: impl Fn(Vec<T>) -> W,
) {
    loop {
        let mut group = Vec::new();
        {
            let mut waiting = queue.lock().await;
            if waiting.recv_many(&mut group, most).await == 0 {
                return;
            }
            if group.len() > 1 && group.len() < most && !linger.is_zero() {
                sleep(linger).await;
                while group.len() < most
                    && let Ok(more) = waiting.try_recv()
                {
                    group.push(more);
                }
            }
        }
        // Whoever waits in a group that failed so is answered by the dropped channel: not known to be written.
        if AssertUnwindSafe(write(group)).catch_unwind().await.is_err() {
            tracing::error!("panic in a group commit");
        }
    }
}
