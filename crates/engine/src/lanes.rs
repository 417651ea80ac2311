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
    /// Tokens leased from the shared bucket and not yet used.
    tokens: i64,
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
        self.state().lanes.get(name).and_then(|lane| lane.blocked(name, limits(rules, name), real))
    }

    /// The lanes that no row should be claimed from, and how many rows at most from each of the others: what is claimed and finds
    /// its lane full has cost two writes for nothing. A lane reopens when a quarter of it is free.
    pub(crate) fn closed(&self, rules: &Rules, real: Time) -> (Vec<String>, usize) {
        let state = self.state();
        let (mut closed, mut per_lane) = (Vec::new(), rules.default_limits.concurrency);
        for (name, lane) in &state.lanes {
            let limits = limits(rules, name);
            let free = limits.concurrency.saturating_sub(lane.calling);
            if lane.blocked(name, limits, real).is_some() || free * 4 < limits.concurrency {
                closed.push(name.clone());
            } else {
                per_lane = per_lane.min(free);
            }
        }
        (closed, per_lane.max(1))
    }

    /// Takes a place and a token, or says how long to wait.
    pub(crate) async fn enter(&self, name: &str, rules: &Rules, store: &Store, real: Time) -> Result<Permit, Duration> {
        let limits = limits(rules, name);
        let permit = self.admit(name, limits, real)?;
        let Some(rate) = limits.rate_per_second else { return Ok(permit) };
        if self.spend(name) {
            return Ok(permit);
        }
        // A tenth of a second's worth at a time: the bucket's row is not written for every call, and little is left unused.
        let want = (rate / 10).max(1);
        match store.take_tokens(name, want, rate, limits.burst, real).await {
            Ok(0) => Err(self.dry(name, refill(want, rate), real)),
            Ok(got) => {
                self.state().lanes.entry(name.to_owned()).or_default().tokens += got - 1;
                Ok(permit)
            }
            Err(_) => Err(self.dry(name, NO_BUCKET, real)),
        }
    }

    fn dry(&self, name: &str, delay: Duration, real: Time) -> Duration {
        self.state().lanes.entry(name.to_owned()).or_default().dry_until = Some(real + delay);
        delay
    }

    fn admit(&self, name: &str, limits: Limits, real: Time) -> Result<Permit, Duration> {
        let mut state = self.state();
        let lane = state.lanes.entry(name.to_owned()).or_default();
        if let Some(delay) = lane.blocked(name, limits, real) {
            return Err(delay);
        }
        lane.calling += 1;
        Ok(Permit { lanes: self.clone(), name: name.to_owned() })
    }

    fn spend(&self, name: &str) -> bool {
        let mut state = self.state();
        let lane = state.lanes.entry(name.to_owned()).or_default();
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
    fn blocked(&self, name: &str, limits: Limits, real: Time) -> Option<Duration> {
        if let Some(until) = self.open_until {
            let until = if queries(name) { until } else { until + QUERIES_FIRST };
            if real < until {
                return Some(until.since(real));
            }
            if self.calling >= HALF_OPEN {
                return Some(FULL);
            }
        }
        let dry = self.dry_until.filter(|until| real < *until).map(|until| until.since(real));
        dry.or((self.calling >= limits.concurrency).then_some(FULL))
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

/// How long the bucket takes to fill by so many tokens.
fn refill(tokens: i64, rate: i64) -> Duration {
    Duration::from_millis(u64::try_from(tokens * 1000 / rate.max(1)).unwrap_or(0).max(10))
}

fn limits(rules: &Rules, lane: &str) -> Limits {
    rules.limits(lane.split_once(':').map_or(lane, |(account, _)| account))
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
mod tests {
    use super::*;

    const LANE: &str = "main:create";

    fn at(ms: i64) -> Time {
        Time::from_millis(1_000_000 + ms)
    }

    fn dead() -> Sent {
        Sent { verdict: Verdict::Unsure(Fault::Timeout), exchange: None }
    }

    fn alive() -> Sent {
        Sent { verdict: Verdict::Unsure(Fault::BadSignature), exchange: None }
    }

    #[test]
    fn ten_failures_in_a_row_open_and_each_failed_try_opens_longer() {
        let (lanes, rules) = (Lanes::default(), Rules::default());
        for _ in 1..FAILURES {
            assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Stays);
        }
        assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Opens(at(5000)));
        assert_eq!(lanes.closed(&rules, at(4999)).0, [LANE]);
        assert_eq!(lanes.judge(LANE, &dead(), at(4000)), Breaker::Stays, "it was under way when the breaker opened");
        assert_eq!(lanes.judge(LANE, &dead(), at(6000)), Breaker::Opens(at(16_000)));
        for expected in [20_000, 40_000, 60_000, 60_000] {
            let now = lanes.state().lanes[LANE].open_until.unwrap();
            assert_eq!(lanes.judge(LANE, &dead(), now), Breaker::Opens(now + Duration::from_millis(expected)));
        }
        assert_eq!(lanes.judge(LANE, &alive(), at(0)), Breaker::Closes, "somebody is there, whatever he says");
        assert!(lanes.closed(&rules, at(0)).0.is_empty());
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_again() {
        let lanes = Lanes::default();
        for _ in 0..5 {
            for _ in 1..FAILURES {
                assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Stays);
            }
            lanes.judge(LANE, &alive(), at(0));
        }
    }

    #[test]
    fn queries_go_first_when_a_provider_comes_back() {
        let (lanes, rules) = (Lanes::default(), Rules::default());
        lanes.learn(
            ["main:create", "main:query"]
                .map(|lane| LaneState { lane: lane.into(), open_until: Some(at(1000)) })
                .to_vec(),
        );
        assert_eq!(lanes.blocked("main:query", &rules, at(1000)), None);
        assert_eq!(lanes.blocked("main:create", &rules, at(1000)), Some(QUERIES_FIRST));
        lanes.learn(vec![LaneState { lane: "main:create".into(), open_until: None }]);
        assert_eq!(lanes.blocked("main:create", &rules, at(1000)), None, "an operator may force it");
    }

    #[test]
    fn a_full_lane_is_closed_until_a_call_ends() {
        let limits = Limits { concurrency: 1, rate_per_second: None, burst: 1 };
        let rules = Rules { default_limits: limits, ..Rules::default() };
        let lanes = Lanes::default();
        let permit = lanes.admit(LANE, limits, at(0)).ok();
        assert!(permit.is_some());
        assert_eq!(lanes.admit(LANE, limits, at(0)).err(), Some(FULL));
        assert_eq!(lanes.blocked("main:query", &rules, at(0)), None, "another lane");
        drop(permit);
        assert_eq!(lanes.closed(&rules, at(0)), (vec![], 1));
    }

    #[test]
    fn no_more_rows_are_claimed_than_every_lane_has_room_for() {
        let limits = Limits { concurrency: 8, rate_per_second: None, burst: 1 };
        let rules = Rules { default_limits: limits, ..Rules::default() };
        let lanes = Lanes::default();
        let mut calls: Vec<Option<Permit>> = (0..6).map(|_| lanes.admit(LANE, limits, at(0)).ok()).collect();
        assert_eq!(lanes.closed(&rules, at(0)), (vec![], 2));
        calls.push(lanes.admit(LANE, limits, at(0)).ok());
        assert_eq!(lanes.closed(&rules, at(0)), (vec![LANE.to_owned()], 8), "nearly full");
        lanes.dry("main:query", Duration::from_secs(1), at(0));
        assert_eq!(lanes.closed(&rules, at(999)).0.len(), 2, "an empty bucket closes its lane");
        assert_eq!(lanes.closed(&rules, at(1000)).0.len(), 1);
    }
}
