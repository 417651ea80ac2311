//! What happened, counted: the faults by kind and phase that prove how much a run has tested (testing.md §6).

use super::near::{Kind, Lost, Near};
use std::collections::BTreeMap;
use store::Touch;

/// Counts of one run, or of many.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// `phase/kind` of the provider's, the callbacks' and the bank's faults → operation → count.
    pub(super) far: BTreeMap<String, u64>,
    /// The same with the operation: `operation/phase/kind`.
    pub(super) pairs: BTreeMap<String, u64>,
    /// Crashes by point.
    pub(super) crashes: BTreeMap<String, u64>,
    /// Connections of the database that were lost, by touch.
    pub(super) lost: BTreeMap<(Touch, Lost), u64>,
    /// Everything else that was counted, by name.
    pub(super) near: BTreeMap<Near, u64>,
    /// Orders and remits by final state.
    pub(super) states: BTreeMap<(String, String), u64>,
    pub(super) cases: BTreeMap<String, u64>,
    pub(super) orders: u64,
    pub(super) calls: u64,
    pub(super) events: u64,
    pub(super) virtual_ms: u64,
    pub(super) at_rest: u64,
    pub(super) machines: u64,
}

impl Tally {
    pub(super) fn count(&mut self, what: Near) {
        *self.near.entry(what).or_default() += 1;
    }

    pub(super) fn of(&self, what: Near) -> u64 {
        self.near.get(&what).copied().unwrap_or(0)
    }

    pub(super) fn lost(&mut self, touch: Touch, how: Lost) {
        *self.lost.entry((touch, how)).or_default() += 1;
    }

    pub(super) fn crashed(&mut self, point: String) {
        *self.crashes.entry(point).or_default() += 1;
    }

    pub(super) fn faults(&self) -> u64 {
        let near: u64 = self.near.iter().filter(|(what, _)| what.kind() == Kind::Fault).map(|(_, count)| count).sum();
        self.far.values().sum::<u64>() + self.lost.values().sum::<u64>() + near
    }

    pub(super) fn add(&mut self, other: Tally) {
        let Tally {
            far,
            pairs,
            crashes,
            lost,
            near,
            states,
            cases,
            orders,
            calls,
            events,
            virtual_ms,
            at_rest,
            machines,
        } = other;
        merge(&mut self.far, far);
        merge(&mut self.pairs, pairs);
        merge(&mut self.crashes, crashes);
        merge(&mut self.lost, lost);
        merge(&mut self.near, near);
        merge(&mut self.states, states);
        merge(&mut self.cases, cases);
        self.orders += orders;
        self.calls += calls;
        self.events += events;
        self.virtual_ms += virtual_ms;
        self.at_rest += at_rest;
        self.machines += machines;
    }
}

fn merge<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}
