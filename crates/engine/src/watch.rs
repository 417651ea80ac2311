//! Figures for metrics, `levee doctor` and tests: what is open, how late it is, and whether a promise is broken.

use crate::{Engine, Result};
use domain::Time;
use metrics::gauge;
use std::collections::BTreeMap;
use std::time::Duration;
use store::{AuditPlan, Count, Finding, InDoubt, Orphan};
use workflows::Policy;
use workflows::book::{self, Entry};
use workflows::doubt::NEGATIVES;
use workflows::policy::{CancelNeverPermitted, Direction, SumCheck};

/// How things stand.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How long the oldest due row has waited for a worker, in real time.
    pub due_oldest: Duration,
    /// Machines that nothing will ever move; must be none (I9).
    pub limbo: Finding,
    /// Calls that may have been applied, of every account, also where there are none.
    pub in_doubt: Vec<Doubts>,
    /// Fen paid and not yet levied.
    pub at_risk_fen: i64,
    /// Lanes this process knows, and whether their breaker is open.
    pub lanes: Vec<(String, bool)>,
}

/// `levee_in_doubt{account,operation}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubts {
    pub account: String,
    /// See [`doubted`].
    pub operation: String,
    pub count: i64,
}

/// The suffix of every state in doubt (safety.md §9).
const IN_DOUBT: &str = "in_doubt";
/// A callback whose addressee is still unknown after this long is told again (F71).
const ORPHAN_AGE: Duration = Duration::from_secs(600);

/// What a confirmation or a cancellation may take of real time before it counts as late, however fast the clock runs (I2, I19).
const SETTLE_REAL: Duration = Duration::from_secs(120);

impl Engine {
    /// No limbo: machines without timer, lease, task and case.
    pub async fn limbo(&self) -> Result<Finding> {
        Ok(self.store.limbo(self.moment(), &book::resting()).await?)
    }

    /// Every safety audit; each must find nothing.
    pub async fn audits(&self) -> Result<Vec<Finding>> {
        Ok(self.store.audits(self.moment(), self.audit_plan()).await?)
    }

    /// Whether remits of this account that nobody paid wait on purpose: by its policy, or because people have frozen CANCEL.
    fn keeps_quota(&self, account: &str) -> bool {
        let (freezes, tenant) = (self.freezes(), self.rules.tenant(account));
        let mut locations = freezes.0.iter().filter_map(|switch| switch.scope.strip_prefix("location:"));
        let frozen = |location| freezes.frozen(Direction::Cancel, account, tenant, location);
        self.rules.policy(account).cancel_never_permitted != CancelNeverPermitted::PayCutoff
            || frozen(None)
            || locations.any(|location| frozen(Some(location)))
    }

    /// What the audits must know of the process book, the parameters and the accounts' settings.
    pub(crate) fn audit_plan(&self) -> AuditPlan {
        let (params, plan) = (&self.rules.params, AuditPlan::default());
        let accounts = |wanted: fn(&Policy) -> bool| {
            self.providers.names().filter(|name| wanted(self.rules.policy(name))).map(str::to_owned).collect()
        };
        let leaves = |entry: Entry| {
            let arrows = (entry.leaves_rest)().into_iter();
            arrows.map(move |(from, to)| (entry.name.to_owned(), from.to_owned(), to.to_owned()))
        };
        // On a fast clock an hour is a blink: a confirmation still needs its calls and commits in real time.
        let settle = self.after(SETTLE_REAL).since(self.clock.now());
        AuditPlan {
            confirm_within: plan.confirm_within.max(settle),
            settle,
            freshness: params.observation_age,
            resting: book::resting(),
            leaves_rest: book::all().into_iter().flat_map(leaves).collect(),
            keeps_quota: self.providers.names().filter(|name| self.keeps_quota(name)).map(str::to_owned).collect(),
            gross_exact: accounts(|policy| {
                policy.gross_sum_check == SumCheck::Hold && policy.gross_sum_tolerance_fen == 0
            }),
            verified: self.providers.verified().map(str::to_owned).collect(),
            quarantine: params.quarantine,
            probe_spacing: params.probe_spacing,
            negatives: NEGATIVES as usize,
            ..plan
        }
    }

    /// Posts that still wait for their addressee.
    pub async fn orphans(&self) -> Result<Vec<Orphan>> {
        Ok(self.store.orphans(self.clock.now() - ORPHAN_AGE).await?)
    }

    /// Every state of the process book, also where nobody is in it. Takes longer the more machines there are.
    pub async fn counts(&self) -> Result<Vec<Count>> {
        Ok(every_state(self.store.counts().await?))
    }

    pub async fn figures(&self) -> Result<Figures> {
        let now = self.moment();
        let due = self.store.due_oldest(now.business).await?;
        Ok(Figures {
            in_doubt: in_doubt(self.providers.names(), self.store.in_doubt().await?),
            due_oldest: due.map_or(Duration::ZERO, |due| self.clock.to_real(now.business.since(due))),
            limbo: self.limbo().await?,
            at_risk_fen: self.store.money_at_risk().await?,
            lanes: self.lanes.open(),
        })
    }

    /// Sets the gauge that counts.
    pub async fn publish_counts(&self) -> Result<()> {
        for Count { workflow, state, count } in self.counts().await? {
            gauge!("levee_instances", "workflow" => workflow, "state" => state).set(whole(count));
        }
        Ok(())
    }

    /// Sets the other gauges of `contract.md`: what must be seen at once, and takes no longer the more there is.
    pub async fn publish(&self) -> Result<()> {
        let figures = self.figures().await?;
        gauge!("levee_due_oldest_seconds").set(figures.due_oldest);
        gauge!("levee_limbo_instances").set(whole(figures.limbo.count));
        for Doubts { account, operation, count } in figures.in_doubt {
            gauge!("levee_in_doubt", "account" => account, "operation" => operation).set(whole(count));
        }
        gauge!("levee_money_at_risk_yuan").set(whole(yuan_up(figures.at_risk_fen)));
        for (lane, open) in figures.lanes {
            let (account, operation) = lane.split_once(':').unwrap_or((lane.as_str(), ""));
            gauge!("levee_breaker_open", "account" => account.to_owned(), "operation" => operation.to_owned())
                .set(u32::from(open));
        }
        Ok(())
    }

    /// The same of what has moved since then, or should have.
    pub async fn recent_audits(&self, since: Time) -> Result<Vec<Finding>> {
        Ok(self.store.recent_audits(self.moment(), self.audit_plan(), since).await?)
    }
}

/// A state that nobody is in any more must read 0, not what it last was.
fn every_state(found: Vec<Count>) -> Vec<Count> {
    let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
    for entry in book::all() {
        for (state, _) in entry.states {
            counts.insert((entry.name.to_owned(), (*state).to_owned()), 0);
        }
    }
    for Count { workflow, state, count } in found {
        counts.insert((workflow, state), count);
    }
    counts.into_iter().map(|((workflow, state), count)| Count { workflow, state, count }).collect()
}

/// Every account with every operation of the process book: a doubt that is settled must read 0.
fn in_doubt<'a>(accounts: impl Iterator<Item = &'a str>, found: Vec<InDoubt>) -> Vec<Doubts> {
    let book = book::all();
    let states = book.iter().flat_map(|entry| entry.states.iter().map(|(state, _)| (entry.name, *state)));
    let operations: Vec<String> = states.filter_map(|(workflow, state)| doubted(workflow, state)).collect();
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for account in accounts {
        sums.extend(operations.iter().map(|operation| ((account.to_owned(), operation.clone()), 0)));
    }
    for one in found {
        if let Some(operation) = doubted(&one.workflow, &one.state) {
            *sums.entry((one.account, operation)).or_default() += one.count;
        }
    }
    sums.into_iter().map(|((account, operation), count)| Doubts { account, operation, count }).collect()
}

/// Gauges take what fits a float exactly.
pub(crate) fn whole(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// What is in doubt in this state: the operation that it names, or the only one that the workflow has.
fn doubted(workflow: &str, state: &str) -> Option<String> {
    let operation = state.strip_suffix(IN_DOUBT)?;
    Some(operation.strip_suffix('_').unwrap_or(workflow).to_owned())
}

/// A single fen at risk must not read as none.
fn yuan_up(fen: i64) -> i64 {
    fen.saturating_add(99) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_is_named_after_its_operation_or_after_a_workflow_that_has_only_one() {
        assert_eq!(doubted("remit", "payout_in_doubt").as_deref(), Some("payout"));
        assert_eq!(doubted("sign_up", "in_doubt").as_deref(), Some("sign_up"));
        assert_eq!(doubted("sign_up", "signed"), None);
    }
}
