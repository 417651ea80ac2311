//! The doorbell. A lost ring costs latency only: the worker polls for due rows anyway (F15), and who waits for an answer looks
//! again by itself.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Rings inside one process.
#[derive(Clone, Default)]
pub struct Bell(Arc<Rings>);

#[derive(Default)]
struct Rings {
    due: Notify,
    rests: OnceLock<UnboundedSender<String>>,
    asks: Mutex<BTreeMap<Uuid, watch::Sender<Option<Value>>>>,
}

/// Somebody waits for the answer of one post; dropping it stops waiting.
pub(crate) struct Listener {
    bell: Bell,
    ask: Uuid,
    answer: watch::Receiver<Option<Value>>,
}

impl Bell {
    /// Something is due.
    pub fn ring(&self) {
        self.0.due.notify_one();
    }

    /// Ends when something may be due; a ring that nobody waited for is kept.
    pub async fn rung(&self) {
        self.0.due.notified().await;
    }

    /// The business keys of machines that come to rest here from now on, each after the commit that says so. One listener.
    pub fn rests(&self) -> UnboundedReceiver<String> {
        let (rested, rests) = unbounded_channel();
        // A second listener hears nothing: its channel is closed.
        let _ = self.0.rests.set(rested);
        rests
    }

    pub(crate) fn rested(&self, business_key: &str) {
        if let Some(listener) = self.0.rests.get() {
            let _ = listener.send(business_key.to_owned());
        }
    }

    pub(crate) fn listen(&self, ask: Uuid) -> Listener {
        let answer = self.asks().entry(ask).or_default().subscribe();
        Listener { bell: self.clone(), ask, answer }
    }

    /// The answer of this post is durable.
    pub(crate) fn answered(&self, ask: Uuid, answer: &Value) {
        if let Some(waiting) = self.asks().get(&ask) {
            waiting.send_replace(Some(answer.clone()));
        }
    }

    fn asks(&self) -> std::sync::MutexGuard<'_, BTreeMap<Uuid, watch::Sender<Option<Value>>>> {
        self.0.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// The answer, once it is heard.
    pub(crate) async fn heard(&mut self) -> Option<Value> {
        self.answer.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut asks = self.bell.asks();
        if asks.get(&self.ask).is_some_and(|waiting| waiting.receiver_count() == 1) {
            asks.remove(&self.ask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_before_anybody_waits_is_kept() {
        let bell = Bell::default();
        bell.ring();
        bell.rung().await;
    }

    #[tokio::test]
    async fn only_who_asked_is_woken_and_nobody_is_left_behind() {
        let bell = Bell::default();
        let (mine, yours) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut me, mut you) = (bell.listen(mine), bell.listen(yours));
        let mut also_me = bell.listen(mine);
        bell.answered(mine, &Value::from("yes"));
        assert_eq!((me.heard().await, also_me.heard().await), (Some("yes".into()), Some("yes".into())));
        let waits = tokio::time::timeout(std::time::Duration::from_millis(5), you.heard()).await;
        assert!(waits.is_err(), "another answer is not mine");
        drop((me, also_me, you));
        assert!(bell.asks().is_empty());
    }
}
