//! The committers: turns that end together, and what comes in together, share one transaction, hence one disk flush.

use crate::Options;
use engine::Engine;
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What waits to be written; several committers may share it.
type Queue<T> = Arc<Mutex<mpsc::Receiver<T>>>;

/// Committers at work, and the way to them; they end when nobody holds it any more and all is written.
pub(crate) fn spawn<T, F, W>(engine: &Engine, options: &Options, write: F) -> (mpsc::Sender<T>, Vec<JoinHandle<()>>)
where
    T: Send + 'static,
    F: Fn(Engine, Vec<T>) -> W + Clone + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let (waiting, queue) = mpsc::channel(options.group);
    let queue = Arc::new(Mutex::new(queue));
    let committer = || {
        let (engine, write) = (engine.clone(), write.clone());
        tokio::spawn(gather(queue.clone(), options.group, options.linger, move |group| write(engine.clone(), group)))
    };
    let committers = (0..options.committers.max(1)).map(|_| committer()).collect();
    (waiting, committers)
}

/// Writes until nobody is left who could send. A lone turn is written at once; while it is, the next group gathers by itself.
/// Only where several come together is it worth lingering for those that are just behind.
async fn gather<T, W: Future<Output = ()>>(
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
