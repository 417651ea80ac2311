//! Reading what turns wrote, and opening a case by hand.

use super::World;
use crate::{Beside, Case, Error, EvidenceRow, PermitRow, Result, Task};
use domain::InstanceId;
use domain::record::{Decision, OpenCase};
use uuid::Uuid;

impl World {
    pub(crate) fn permit(&self, id: Uuid) -> Result<Option<PermitRow>> {
        Ok(self.permits.get(&id).map(|permit| permit.row.clone()))
    }

    pub(crate) fn permits(&self, remit: InstanceId) -> Result<Vec<PermitRow>> {
        let mut permits: Vec<PermitRow> = self.permits_of(remit).map(|permit| permit.row.clone()).collect();
        permits.sort_by_key(|row| row.permit.attempt);
        Ok(permits)
    }

    pub(crate) fn evidence(&self, remit: InstanceId) -> Result<Vec<EvidenceRow>> {
        let mut rows: Vec<EvidenceRow> = self.evidence_of(remit).cloned().collect();
        rows.sort_by_key(|row| (row.evidence.at, row.evidence.id));
        Ok(rows)
    }

    pub(crate) fn decision(&self, remit: InstanceId) -> Result<Option<Decision>> {
        let Some(decision) = self.decisions.get(&remit) else { return Ok(None) };
        let revision = self.revisions.get(&remit).unwrap_or(decision);
        Ok(Some(Decision { evidence: revision.evidence, arising_time: revision.arising_time, ..decision.clone() }))
    }

    pub(crate) fn cases(
        &self,
        tenant: &str,
        state: Option<&str>,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Case>> {
        let wanted = |case: &&Case| {
            case.tenant == tenant
                && state.is_none_or(|want| case.state == want)
                && kind.is_none_or(|want| case.open.kind == want)
                && instance.is_none_or(|want| case.instance == want)
                && cursor.is_none_or(|cursor| case.open.id < cursor)
        };
        Ok(self.cases.iter().rev().map(|(_, case)| case).filter(wanted).take(limit).cloned().collect())
    }

    pub(crate) fn case(&self, id: Uuid) -> Result<Option<Case>> {
        Ok(self.cases.get(&id).cloned())
    }

    pub(crate) fn open_case(&mut self, instance: InstanceId, tenant: &str, case: OpenCase) -> Result<()> {
        let workflow = self.machines.get(&instance).map(|machine| machine.row.workflow.clone());
        let workflow = workflow.ok_or_else(|| Error::Forbidden("case_instance".into()))?;
        self.put_case(instance, &workflow, tenant, &case);
        self.cases.end(true);
        self.cases_by_instance.end(true);
        Ok(())
    }

    pub(crate) fn beside(&self, remits: &[InstanceId]) -> Result<Vec<Beside>> {
        let of = |remit: &InstanceId| -> Result<Beside> {
            let open = self.cases.iter().rev().find(|(_, case)| case.instance == *remit && case.state != "resolved");
            let mut children = self.children_of(&[*remit])?.into_iter();
            let voucher = children.rfind(|child| child.workflow == "voucher");
            Ok(Beside {
                permit: self.permits(*remit)?.pop().map(|row| row.permit),
                evidence: self
                    .evidence(*remit)?
                    .into_iter()
                    .rfind(|row| row.revoked_at.is_none())
                    .map(|row| row.evidence),
                decision: self.decision(*remit)?,
                open_case: open.map(|(id, _)| *id),
                voucher: voucher.map(|voucher| voucher.state_name),
            })
        };
        remits.iter().map(of).collect()
    }

    pub(crate) fn tasks(
        &self,
        tenant: &str,
        open_only: bool,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Task>> {
        let wanted = |task: &&Task| {
            task.tenant == tenant
                && !(open_only && task.closed_at.is_some())
                && kind.is_none_or(|want| task.kind == want)
                && instance.is_none_or(|want| task.instance == want)
                && cursor.is_none_or(|cursor| task.id < cursor)
        };
        Ok(self.tasks.iter().rev().map(|(_, task)| task).filter(wanted).take(limit).cloned().collect())
    }
}
