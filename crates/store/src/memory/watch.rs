//! Watchers.

use super::World;
use crate::watch::finding;
use crate::{Count, Finding, InDoubt, Moment, Result};
use domain::{InstanceId, Time};
use std::collections::BTreeMap;

impl World {
    pub(crate) fn counts(&self) -> Result<Vec<Count>> {
        let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
        for machine in self.machines.values() {
            *counts.entry((machine.row.workflow.clone(), machine.row.state_name.clone())).or_default() += 1;
        }
        Ok(counts.into_iter().map(|((workflow, state), count)| Count { workflow, state, count }).collect())
    }

    pub(crate) fn in_doubt(&self) -> Result<Vec<InDoubt>> {
        let mut counts: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
        for row in self.machines.values().map(|machine| &machine.row).filter(|row| row.state_name.ends_with("in_doubt"))
        {
            *counts.entry((&row.account, &row.workflow, &row.state_name)).or_default() += 1;
        }
        let count = |((account, workflow, state), count): ((&str, &str, &str), i64)| InDoubt {
            account: account.into(),
            workflow: workflow.into(),
            state: state.into(),
            count,
        };
        Ok(counts.into_iter().map(count).collect())
    }

    pub(crate) fn due_oldest(&self, now: Time) -> Result<Option<Time>> {
        let first = self.machines.free().filter_map(|(_, rows)| rows.first()).map(|(at, _)| *at);
        Ok(first.filter(|at| *at <= now).min())
    }

    pub(crate) fn next_wake(&self) -> Result<Option<Time>> {
        Ok(self.machines.values().filter_map(|machine| machine.row.wake_at).min())
    }

    pub(crate) fn live_claims(&self, real: Time) -> Result<i64> {
        let live = self.machines.values().filter(|machine| machine.row.claimed_until.is_some_and(|until| until > real));
        Ok(i64::try_from(live.count()).unwrap_or(i64::MAX))
    }

    pub(super) fn cases_of(&self, id: InstanceId) -> impl Iterator<Item = &crate::Case> {
        Self::rows_of(&self.cases_by_instance, id).filter_map(|case| self.cases.get(case))
    }

    pub(super) fn has_case(&self, id: InstanceId) -> bool {
        self.cases_of(id).any(|case| case.state != "resolved")
    }

    fn has_task(&self, id: InstanceId) -> bool {
        let mut tasks = Self::rows_of(&self.tasks_by_instance, id).filter_map(|task| self.tasks.get(task));
        tasks.any(|task| task.closed_at.is_none())
    }

    pub(crate) fn limbo(&self, now: Moment, resting: &[(String, String)]) -> Result<Finding> {
        let lost = self.machines.values().map(|machine| &machine.row).filter(|row| {
            row.wake_at.is_none()
                && row.claimed_until.is_none_or(|until| until <= now.real)
                && !resting.iter().any(|(workflow, state)| *workflow == row.workflow && *state == row.state_name)
                && !self.has_task(row.id)
                && !self.has_case(row.id)
        });
        Ok(finding("L-2", lost.map(|row| row.id.to_string()).collect()))
    }

    pub(crate) fn money_at_risk(&self) -> Result<i64> {
        let levied = |id: InstanceId| self.machines.get(&id).is_some_and(|machine| machine.row.state_name == "levied");
        let risky = self.evidence.values().filter(|row| row.revoked_at.is_none() && !levied(row.evidence.remit));
        Ok(risky.map(|row| row.evidence.amount.fen()).sum())
    }
}
