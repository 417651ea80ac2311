//! Lanes: each account × operation group has its own concurrency, its share of the fleet's token bucket, and a breaker (design.md
//! §4). A dead provider's rows never occupy workers, and a flood of creates never starves the queries of what is in doubt.
//!
//! The breaker's state is shared through the store, where operators see it and may force it. How it got there is counted in each
//! process alone: every worker finds out about a dead provider within a few calls.

use crate::{Limits, Rules};
use domain::{Fault, Operation, Time, Verdict, effect::EffectClass};
use providers::Sent;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{LaneState, Store};

/// Failures in a row that open a breaker.
const FAILURES: u32 = 10;
/// How long it stays open, first and at most.
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_LONGEST: Duration = Duration::from_secs(60);
/// What a lane that has just reopened lets through at once.
const HALF_OPEN: usize = 2;
/// Queries go first when a provider comes back: what is in doubt outranks what is new.
const QUERIES_FIRST: Duration = Duration::from_secs(1);
/// How long a row waits that found its lane full.
const FULL: Duration = Duration::from_millis(100);
/// How long a row waits when the bucket could not be asked.
const NO_BUCKET: Duration = Duration::from_millis(500);
/// How long leased tokens may lie unused. Older ones are dropped: the bucket may have filled meanwhile, and they would come on top.
/// Where there is work nothing lies so long.
const STALE: Duration = Duration::from_secs(1);
/// How often the shared state is read.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// All lanes of this process.
#[derive(Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lanes: BTreeMap<String, Lane>,
    looked_at: Option<Time>,
}

#[derive(Debug, Default)]
struct Lane {
    /// Calls under way here.
    calling: usize,
    /// Tokens leased from the shared bucket and not yet used, and when.
    tokens: i64,
    leased_at: Option<Time>,
    failures: u32,
    /// Openings since it last worked.
    trips: u32,
    /// Once this real time has come the breaker is half open; `None` is closed.
    open_until: Option<Time>,
    /// Until this real time the bucket has nothing to give.
    dry_until: Option<Time>,
}

/// Leave to make one call in a lane; given back when dropped.
pub(crate) struct Permit {
    lanes: Lanes,
    name: String,
}

/// What a call's outcome does to its breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaker {
    Stays,
    Opens(Time),
    Closes,
}

impl Lanes {
    /// How long nothing may be called in this lane; `None` when it is open now.
    pub(crate) fn blocked(&self, name: &str, rules: &Rules, real: Time) -> Option<Duration> {
        let state = self.state();
        let lane = state.lanes.get(name)?;
        lane.blocked(name, rules.limits(name), real)
    }

    /// The lanes that no row should be claimed from, and how many rows at most from each of the others that are known here: what is
    /// claimed and finds its lane full, or its bucket empty, has cost two writes for nothing. A lane reopens when a quarter of it is
    /// free.
    pub(crate) fn rooms(&self, rules: &Rules, real: Time) -> (Vec<String>, BTreeMap<String, usize>) {
        let state = self.state();
        let (mut closed, mut rooms) = (Vec::new(), BTreeMap::new());
        for (name, lane) in &state.lanes {
            let limits = rules.limits(name);
            let room = lane.room(limits);
            let worth_it = lane.open_until.is_some() || room * 4 >= limits.concurrency;
            if lane.blocked(name, limits, real).is_some() || !worth_it {
                closed.push(name.clone());
            } else {
                rooms.insert(name.clone(), lane.paid_for(limits, room));
            }
        }
        (closed, rooms)
    }

    /// Takes a place and a token, or says how long to wait.
    pub(crate) async fn enter(&self, name: &str, rules: &Rules, store: &Store, real: Time) -> Result<Permit, Duration> {
        let limits = rules.limits(name);
        let permit = self.admit(name, rules, real)?;
        let Some(rate) = limits.rate_per_second else { return Ok(permit) };
        if self.spend(name, real) {
            return Ok(permit);
        }
        let want = lease(rate);
        match store.take_tokens(name, want, rate, limits.burst, real).await {
            Ok(0) => Err(self.dry(name, refill(want, rate), real)),
            Ok(got) => {
                let mut state = self.state();
                let lane = state.lanes.entry(name.to_owned()).or_default();
                (lane.tokens, lane.leased_at) = (lane.tokens + got - 1, Some(real));
                Ok(permit)
            }
            Err(_) => Err(self.dry(name, NO_BUCKET, real)),
        }
    }

    fn dry(&self, name: &str, delay: Duration, real: Time) -> Duration {
        self.state().lanes.entry(name.to_owned()).or_default().dry_until = Some(real + delay);
        delay
    }

    fn admit(&self, name: &str, rules: &Rules, real: Time) -> Result<Permit, Duration> {
        let mut state = self.state();
        let lane = state.lanes.entry(name.to_owned()).or_default();
        if let Some(delay) = lane.blocked(name, rules.limits(name), real) {
            return Err(delay);
        }
        lane.calling += 1;
        Ok(Permit { lanes: self.clone(), name: name.to_owned() })
    }

    fn spend(&self, name: &str, real: Time) -> bool {
        let mut state = self.state();
        let lane = state.lanes.entry(name.to_owned()).or_default();
        if lane.leased_at.is_some_and(|at| real.since(at) > STALE) {
            lane.tokens = 0;
        }
        let has = lane.tokens > 0;
        lane.tokens -= i64::from(has);
        has
    }

    /// Learns from one call's outcome.
    pub(crate) fn judge(&self, name: &str, sent: &Sent, real: Time) -> Breaker {
        let mut state = self.state();
        let lane = state.lanes.entry(name.to_owned()).or_default();
        if unreachable(sent) { lane.failed(real) } else { lane.worked() }
    }

    /// Whether the shared state should be read again.
    pub(crate) fn wants_look(&self, real: Time) -> bool {
        let mut state = self.state();
        let due = state.looked_at.is_none_or(|at| real.since(at) >= LOOK_EVERY);
        if due {
            state.looked_at = Some(real);
        }
        due
    }

    /// Takes over what the fleet, or an operator, has set.
    pub(crate) fn learn(&self, shared: Vec<LaneState>) {
        let mut state = self.state();
        for LaneState { lane: name, open_until } in shared {
            let lane = state.lanes.entry(name).or_default();
            lane.open_until = open_until;
            if open_until.is_none() {
                lane.trips = 0;
            }
        }
    }

    /// The lanes whose breaker is not closed.
    pub(crate) fn open(&self) -> Vec<(String, bool)> {
        self.state().lanes.iter().map(|(name, lane)| (name.clone(), lane.open_until.is_some())).collect()
    }

    /// Empties the purse: lane and tokens that this process will not use.
    pub(crate) fn unspent(&self) -> Vec<(String, i64)> {
        let mut state = self.state();
        let lanes = state.lanes.iter_mut().filter(|(_, lane)| lane.tokens > 0);
        lanes.map(|(name, lane)| (name.clone(), std::mem::take(&mut lane.tokens))).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// How many more calls may begin now.
    fn room(&self, limits: Limits) -> usize {
        let most = if self.open_until.is_some() { HALF_OPEN } else { limits.concurrency };
        most.saturating_sub(self.calling)
    }

    /// As many of them as there are tokens for, with those of the next lease.
    fn paid_for(&self, limits: Limits, room: usize) -> usize {
        let tokens = limits.rate_per_second.map(|rate| usize::try_from(self.tokens + lease(rate)).unwrap_or(0));
        tokens.map_or(room, |tokens| room.min(tokens))
    }

    fn blocked(&self, name: &str, limits: Limits, real: Time) -> Option<Duration> {
        if let Some(until) = self.open_until {
            let until = if queries(name) { until } else { until + QUERIES_FIRST };
            if real < until {
                return Some(until.since(real));
            }
        }
        let dry = self.dry_until.filter(|until| real < *until).map(|until| until.since(real));
        dry.or((self.room(limits) == 0).then_some(FULL))
    }

    fn failed(&mut self, real: Time) -> Breaker {
        self.failures += 1;
        // Calls that were under way when it opened say nothing new.
        let half_open = self.open_until.is_some_and(|until| real >= until);
        let trips = if self.open_until.is_some() { half_open } else { self.failures >= FAILURES };
        if !trips {
            return Breaker::Stays;
        }
        let until = real + (OPEN_FIRST * 2_u32.saturating_pow(self.trips.min(8))).min(OPEN_LONGEST);
        (self.failures, self.trips, self.open_until) = (0, self.trips + 1, Some(until));
        Breaker::Opens(until)
    }

    fn worked(&mut self) -> Breaker {
        (self.failures, self.trips) = (0, 0);
        match self.open_until.take() {
            Some(_) => Breaker::Closes,
            None => Breaker::Stays,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(lane) = self.lanes.state().lanes.get_mut(&self.name) {
            lane.calling -= 1;
        }
    }
}

/// A tenth of a second's worth at a time: the bucket's row is not written for every call, and little is left unused.
fn lease(rate: i64) -> i64 {
    (rate / 10).max(1)
}

/// How long the bucket takes to fill by so many tokens.
fn refill(tokens: i64, rate: i64) -> Duration {
    Duration::from_millis(u64::try_from(tokens * 1000 / rate.max(1)).unwrap_or(0).max(10))
}

fn queries(lane: &str) -> bool {
    let group = lane.split_once(':').map_or("", |(_, group)| group);
    Operation::ALL.into_iter().any(|operation| operation.group() == group && operation.class() == EffectClass::Query)
}

/// Whether the provider itself was not there. An answer, however odd, shows that somebody is.
fn unreachable(sent: &Sent) -> bool {
    match &sent.verdict {
        Verdict::Unsure(Fault::Timeout | Fault::Broken | Fault::Status(_)) => true,
        Verdict::NotNow(_) => sent.exchange.is_none(),
        Verdict::Unsure(
            Fault::BadSignature
            | Fault::Unreadable
            | Fault::Unbound
            | Fault::TooLarge
            | Fault::UnknownCode(_)
            | Fault::WorkerLost,
        )
        | Verdict::Done(_)
        | Verdict::Refused(_) => false,
    }
}

#[cfg(test)]
mod tests;
