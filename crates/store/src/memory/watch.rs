//! Watchers and audits, the same predicates as the queries in `audits`.

use super::World;
use super::writes::live;
use crate::watch::finding;
use crate::{AuditPlan, Count, Finding, Moment, Result};
use domain::levy::NextStep;
use domain::record::Decision;
use domain::{InstanceId, Time};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl World {
    pub(crate) fn counts(&self) -> Result<Vec<Count>> {
        let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
        for machine in self.machines.values() {
            *counts.entry((machine.row.workflow.clone(), machine.row.state_name.clone())).or_default() += 1;
        }
        Ok(counts.into_iter().map(|((workflow, state), count)| Count { workflow, state, count }).collect())
    }

    pub(crate) fn due_oldest(&self, now: Time) -> Result<Option<Time>> {
        let free = self.machines.values().filter(|machine| machine.token.is_none());
        Ok(free.filter_map(|machine| machine.row.wake_at).filter(|at| *at <= now).min())
    }

    pub(crate) fn next_wake(&self) -> Result<Option<Time>> {
        Ok(self.machines.values().filter_map(|machine| machine.row.wake_at).min())
    }

    pub(crate) fn live_claims(&self, real: Time) -> Result<i64> {
        let live = self.machines.values().filter(|machine| machine.row.claimed_until.is_some_and(|until| until > real));
        Ok(i64::try_from(live.count()).unwrap_or(i64::MAX))
    }

    fn has_case(&self, id: InstanceId) -> bool {
        self.cases.values().any(|entry| entry.case.instance == id && entry.case.state != "resolved")
    }

    pub(crate) fn limbo(&self, now: Moment, resting: &[(String, String)]) -> Result<Finding> {
        let lost = self.machines.values().map(|machine| &machine.row).filter(|row| {
            row.wake_at.is_none()
                && row.claimed_until.is_none_or(|until| until <= now.real)
                && !resting.iter().any(|(workflow, state)| *workflow == row.workflow && *state == row.state_name)
                && !self.tasks.values().any(|task| task.instance == row.id && task.closed_at.is_none())
                && !self.has_case(row.id)
        });
        Ok(finding("L-2", lost.map(|row| row.id.to_string()).collect()))
    }

    pub(crate) fn money_at_risk(&self) -> Result<i64> {
        let levied = |id: InstanceId| self.machines.get(&id).is_some_and(|machine| machine.row.state_name == "levied");
        let risky = self.evidence.values().filter(|row| row.revoked_at.is_none() && !levied(row.evidence.remit));
        Ok(risky.map(|row| row.evidence.amount.fen()).sum())
    }

    pub(crate) fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        let mut found = vec![
            finding("S-A", self.decided(NextStep::Continue, |d| !self.proved(d))),
            finding("S-B", self.decided(NextStep::Cancel, |d| !self.shut(d))),
            finding("S-C", self.late_permits(&plan)),
            finding("S-D", self.double_payouts()),
            finding(
                "S-E",
                self.revisions
                    .iter()
                    .filter(|(remit, _)| !self.continued(**remit))
                    .map(|(remit, _)| remit.to_string())
                    .collect(),
            ),
            finding("I13", self.decided(NextStep::Continue, |d| !self.revisions.has(&d.remit) && self.misdated(d))),
            finding("I20", self.outbox_gaps()),
            finding("I24", self.lone_approvals()),
            finding("I27", self.moved_cutoffs()),
            finding("I2", self.unconfirmed(now, &plan)),
            finding("I10", self.wrong_amounts()),
            finding("S-H", self.broken_histories()?),
            finding("I23", self.broken_chains()?),
        ];
        found.sort_by(|a, b| a.audit.cmp(&b.audit));
        Ok(found)
    }

    fn decided(&self, step: NextStep, broken: impl Fn(&Decision) -> bool) -> Vec<String> {
        self.decisions.values().filter(|d| d.next_step == step && broken(d)).map(|d| d.remit.to_string()).collect()
    }

    fn continued(&self, remit: InstanceId) -> bool {
        self.decisions.get(&remit).is_some_and(|decision| decision.next_step == NextStep::Continue)
    }

    fn proved(&self, decision: &Decision) -> bool {
        let evidence = decision.evidence.and_then(|id| self.evidence.get(&id));
        evidence.is_some_and(|row| {
            row.evidence.remit == decision.remit && row.evidence.at <= decision.at && row.revoked_at.is_none()
        })
    }

    fn shut(&self, decision: &Decision) -> bool {
        let remit = decision.remit;
        let paid = |row: &crate::EvidenceRow| {
            row.evidence.remit == remit && row.revoked_at.is_none() && row.evidence.at <= decision.at
        };
        self.gates.get(&remit).is_some_and(|at| *at <= decision.at)
            && !self.permits_of(remit).any(|permit| live(&permit.row.permit.state))
            && !self.evidence.values().any(paid)
    }

    fn misdated(&self, decision: &Decision) -> bool {
        let evidence = decision.evidence.and_then(|id| self.evidence.get(&id));
        evidence.is_some_and(|row| row.evidence.paid_at != decision.arising_time)
    }

    fn late_permits(&self, plan: &AuditPlan) -> Vec<String> {
        let late = self.permits.values().filter(|entry| {
            let permit = &entry.row.permit;
            permit.issued_at >= permit.pay_cutoff
                || entry.issued_real.since(permit.observed_real) > plan.freshness
                || self.decisions.get(&permit.remit).is_some_and(|decision| decision.at < permit.issued_at)
                || self.gates.get(&permit.remit).is_some_and(|at| *at < permit.issued_at)
        });
        late.map(|entry| entry.row.permit.id.to_string()).collect()
    }

    fn double_payouts(&self) -> Vec<String> {
        let remits: BTreeSet<InstanceId> = self.permits.values().map(|permit| permit.row.permit.remit).collect();
        let double = remits.into_iter().filter(|remit| {
            let attempts: BTreeSet<u32> = self.permits_of(*remit).map(|p| p.row.permit.attempt).collect();
            self.permits_of(*remit).filter(|p| live(&p.row.permit.state)).count() > 1
                || self.permits_of(*remit).filter(|p| p.row.permit.state == "success").count() > 1
                || attempts.len() < self.permits_of(*remit).count()
        });
        double.map(|remit| remit.to_string()).collect()
    }

    fn outbox_gaps(&self) -> Vec<String> {
        let gap = self.machines.values().filter(|machine| {
            let id = machine.row.id;
            let rows = || self.outbox.range((id, 0)..=(id, i64::MAX));
            let last = rows().next_back().map_or(0, |((_, seq), _)| *seq);
            i64::try_from(rows().count()) != Ok(machine.emitted) || last != machine.emitted
        });
        gap.map(|machine| machine.row.id.to_string()).collect()
    }

    fn lone_approvals(&self) -> Vec<String> {
        let alone = self.cases.values().filter(|entry| {
            let by = entry.case.proposal.as_ref().map(|proposal| &proposal.by);
            entry.approved_by.is_some() && (by.is_none() || by == entry.approved_by.as_ref())
        });
        alone.map(|entry| entry.case.open.id.to_string()).collect()
    }

    fn moved_cutoffs(&self) -> Vec<String> {
        let moved = self.permits.values().map(|entry| &entry.row.permit).filter(|later| {
            let before = self.permits_of(later.remit).map(|entry| &entry.row.permit);
            before.into_iter().any(|earlier| earlier.attempt < later.attempt && later.pay_cutoff > earlier.pay_cutoff)
        });
        moved.map(|permit| permit.id.to_string()).collect()
    }

    fn unconfirmed(&self, now: Moment, plan: &AuditPlan) -> Vec<String> {
        let before = now.business - plan.confirm_within;
        let late = self.evidence.values().filter(|row| {
            let remit = row.evidence.remit;
            let confirmed =
                self.machines.get(&remit).is_some_and(|machine| plan.confirmed.contains(&machine.row.state_name));
            row.revoked_at.is_none() && row.evidence.at < before && !confirmed && !self.has_case(remit)
        });
        late.map(|row| row.evidence.remit.to_string()).collect()
    }

    fn wrong_amounts(&self) -> Vec<String> {
        let wrong = self.evidence.values().filter(|row| {
            let amount = row.evidence.amount;
            let permitted =
                row.evidence.permit.and_then(|id: Uuid| self.permits.get(&id)).map(|permit| permit.row.permit.amount);
            let differs = permitted.is_some_and(|permitted| permitted != amount);
            row.revoked_at.is_none()
                && (differs || self.remit_amount(row.evidence.remit).is_some_and(|asked| asked != amount))
        });
        wrong.map(|row| row.evidence.id.to_string()).collect()
    }

    fn broken_histories(&self) -> Result<Vec<String>> {
        let mut broken = Vec::new();
        for machine in self.machines.values() {
            if self.verify_history(machine.row.id)?.is_some() {
                broken.push(machine.row.id.to_string());
            }
        }
        Ok(broken)
    }

    fn broken_chains(&self) -> Result<Vec<String>> {
        let tenants: BTreeSet<&String> = self.audit.iter().map(|((tenant, _), _)| tenant).collect();
        let mut broken = Vec::new();
        for tenant in tenants {
            if let Some(seq) = self.verify_audit(tenant)? {
                broken.push(format!("{tenant}/{seq}"));
            }
        }
        Ok(broken)
    }
}
