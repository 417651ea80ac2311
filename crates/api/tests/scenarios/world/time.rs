//! Time: it stands still while everybody does what is due, and then jumps to the next thing that is.

use super::{Order, Remit, World};
use domain::Time;
use std::time::Duration;
use store::{Filter, Instance, testing};

/// Between two looks at something that is due and does not move: a lane whose breaker is open, a row held back for a moment.
const BREATH: Duration = Duration::from_secs(5);
/// Nothing goes on by itself for ever while time stands still.
const ROUNDS: usize = 500;
/// Nothing that a story waits for takes longer than this.
const PATIENCE: Duration = hours(24 * 14);

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn minutes(n: u64) -> Duration {
    seconds(n * 60)
}

pub(crate) const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}

impl World {
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Everybody does what is due now: the far side acts and calls back, the worker drives.
    pub(crate) async fn settle(&self) {
        for _ in 0..ROUNDS {
            let driven = self.engine.until_idle().await.expect("the store answers");
            let called_back = self.letters_arrive().await;
            if driven == 0 && !called_back {
                return;
            }
        }
        panic!("they never come to rest: {:#?}", self.machines().await);
    }

    /// Time passes, from one thing that is due to the next.
    pub(crate) async fn run(&self, time: Duration) {
        let until = self.now() + time;
        loop {
            self.settle().await;
            if self.now() >= until {
                return;
            }
            let next = self.next_event().await.map_or(until, |at| at.min(until));
            self.jump(next.since(self.now()).max(Duration::from_millis(1))).await;
        }
    }

    /// Time passes and nobody does anything: our whole fleet is down, or asleep.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.jump(time).await;
        self.letters_arrive().await;
    }

    pub(crate) async fn until_remit(&self, remit: &Remit, state: &str) {
        let shows = async || self.remit(remit).await["state"] == state;
        self.until(shows).await.unwrap_or_else(|| panic!("the remit is never {state}"));
    }

    pub(crate) async fn until_order(&self, order: &Order, state: &str) {
        let shows = async || self.order(order).await["state"] == state;
        self.until(shows).await.unwrap_or_else(|| panic!("the order is never {state}"));
    }

    async fn until(&self, holds: impl AsyncFn() -> bool) -> Option<()> {
        let end = self.now() + PATIENCE;
        while self.now() < end {
            self.settle().await;
            if holds().await {
                return Some(());
            }
            let next = self.next_event().await.unwrap_or(end);
            self.jump(next.since(self.now()).max(Duration::from_millis(1))).await;
        }
        None
    }

    async fn jump(&self, by: Duration) {
        self.clock.advance_real(by);
        testing::set_time(&self.engine.store, self.clock.real()).await;
    }

    /// When the next thing happens by itself.
    async fn next_event(&self) -> Option<Time> {
        let now = self.now();
        let rows = self.machines().await;
        let wakes = rows.iter().filter_map(|row| match row.claimed_until {
            Some(lease) if lease > now => Some(lease + Duration::from_millis(1)),
            Some(_) | None => row.wake_at.map(|at| if at <= now { now + BREATH } else { at }),
        });
        wakes.chain(self.far.due()).min()
    }

    pub(crate) async fn machines(&self) -> Vec<Instance> {
        let filter = Filter { limit: 2000, ..Filter::default() };
        self.engine.store.list(filter).await.expect("the store answers")
    }
}
