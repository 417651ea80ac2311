//! What a deployment decides about the engine. Durations here are the machine's own, in real time (contract.md).

use domain::call::UPLOADS;
use std::collections::BTreeMap;
use std::time::Duration;
use workflows::{Params, Policy};

/// The rules in force in this process.
#[derive(Debug, Clone)]
pub struct Rules {
    pub params: Params,
    /// By account; an account without one follows the defaults.
    pub policies: BTreeMap<String, Policy>,
    /// Whose account it is; `default` where it is not said.
    pub tenants: BTreeMap<String, String>,
    /// By account.
    pub limits: BTreeMap<String, Limits>,
    /// How long a claim lives.
    pub lease: Duration,
    pub call_timeout: Duration,
    /// Commits under one claim, at most.
    pub turns_per_claim: usize,
    /// How long a row waits whose gate is shut at the send: frozen, past a cut-off, or [`Self::reconcile_only`].
    pub hold: Duration,
    /// After a restore or failover: nothing that changes a provider (I28).
    pub reconcile_only: bool,
    pub default_policy: Policy,
    pub default_limits: Limits,
    /// Calls with files under way in one lane of this process: each holds its files in memory (P64).
    pub uploads: usize,
}

/// What one lane (account × operation group) may do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls under way in this process.
    pub concurrency: usize,
    /// Calls per second of the whole fleet; `None` is no limit.
    pub rate_per_second: Option<i64>,
    /// Calls that an idle lane may make at once.
    pub burst: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 32, rate_per_second: Some(50), burst: 100 }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            params: Params::default(),
            policies: BTreeMap::new(),
            tenants: BTreeMap::new(),
            limits: BTreeMap::new(),
            lease: Duration::from_secs(120),
            call_timeout: Duration::from_secs(30),
            turns_per_claim: 8,
            hold: Duration::from_secs(5),
            reconcile_only: false,
            default_policy: Policy::default(),
            default_limits: Limits::default(),
            uploads: 2,
        }
    }
}

impl Rules {
    /// The durations for a business clock of this speed: faster than real, a lease of minutes would be days (contract.md).
    pub fn at_speed(mut self, speed_milli: i64) -> Self {
        if speed_milli > 1000 {
            self.lease = Duration::from_secs(5);
            self.call_timeout = Duration::from_secs(1);
            self.hold = Duration::from_millis(200);
        }
        self
    }

    pub fn policy(&self, account: &str) -> &Policy {
        self.policies.get(account).unwrap_or(&self.default_policy)
    }

    pub fn tenant(&self, account: &str) -> &str {
        self.tenants.get(account).map_or("default", String::as_str)
    }

    /// Of a lane, `account:group`.
    pub(crate) fn limits(&self, lane: &str) -> Limits {
        let (account, group) = lane.split_once(':').unwrap_or((lane, ""));
        let limits = self.limits.get(account).copied().unwrap_or(self.default_limits);
        if group == UPLOADS { Limits { concurrency: limits.concurrency.min(self.uploads), ..limits } } else { limits }
    }
}
