//! The rows beside a state, under the same rules as the databases' constraints, by the same names.

use super::{Permit, World};
use crate::writes::{Owner, emits, tell_id};
use crate::{Case, Error, EvidenceRow, NewInstance, PermitRow, Post, Result, Target, Task};
use domain::levy::NextStep;
use domain::record::{self, Decision, OpenCase, Write};
use domain::{InstanceId, Money, Time};
use uuid::Uuid;

/// The states in which a payout may still happen.
pub(super) fn live(state: &str) -> bool {
    matches!(state, "permit_issued" | "instructed" | "in_doubt")
}

const STATES: [&str; 7] =
    ["permit_issued", "instructed", "success", "final_failed", "expired_attested", "in_doubt", "returned"];

/// How an attempt may go on. What is over never comes back to life (S-B, S-D).
const MOVES: [(&str, &str); 12] = [
    ("permit_issued", "instructed"),
    ("permit_issued", "in_doubt"),
    ("permit_issued", "success"),
    ("permit_issued", "final_failed"),
    ("permit_issued", "expired_attested"),
    ("instructed", "in_doubt"),
    ("instructed", "success"),
    ("instructed", "final_failed"),
    ("in_doubt", "success"),
    ("in_doubt", "final_failed"),
    ("in_doubt", "expired_attested"),
    ("success", "returned"),
];
const SOURCES: [&str; 4] = ["adapter", "api", "statement", "person"];
/// Greatest age of the observation at permit issue (S-C).
const FRESH_MS: i64 = 30_000;

pub(super) fn owner_of(new: &NewInstance, real: Time) -> Owner<'_> {
    Owner { id: new.id, tenant: &new.tenant, workflow: &new.workflow, at: new.at, real, revision: 1, first_seq: 1 }
}

fn refuse(broken: bool, rule: &str) -> Result<()> {
    if broken { Err(Error::Forbidden(rule.to_owned())) } else { Ok(()) }
}

impl World {
    pub(super) fn apply(&mut self, owner: &Owner<'_>, writes: &[Write]) -> Result<()> {
        for (place, write) in writes.iter().enumerate() {
            match write {
                Write::Spawn(_) => {}
                Write::Tell { to, event } => {
                    let (id, to) = (tell_id(owner, place), Target::Instance(*to));
                    let (tenant, source) = (owner.tenant.to_owned(), "machine".to_owned());
                    self.deliver(Post {
                        id,
                        tenant,
                        to,
                        event: event.clone(),
                        source,
                        dedupe: None,
                        raw: None,
                        at: owner.at,
                    });
                }
                Write::Answer { ask, body } => {
                    self.inbox.change(ask, |mail| mail.answer = Some(body.clone()));
                }
                Write::IssuePermit(permit) => self.issue(owner, permit)?,
                Write::MovePermit { permit, state } => self.move_permit(*permit, state)?,
                Write::KeepEvidence(evidence) => self.keep_evidence(evidence)?,
                Write::RevokeEvidence { evidence, at } => self.revoke(*evidence, *at)?,
                Write::CloseGate { remit, at } => {
                    refuse(!self.machines.has(remit), "gate_remit")?;
                    if !self.gates.has(remit) {
                        self.gates.put(*remit, *at);
                    }
                }
                Write::Decide(decision) => self.decide(decision)?,
                Write::ReviseDecision { remit, arising_time, evidence, at } => {
                    self.revise(*remit, *arising_time, *evidence, *at)?
                }
                Write::OpenCase(case) => self.put_case(owner.id, owner.workflow, owner.tenant, case),
                Write::CloseCases { kinds, how, at } => self.close_cases(owner.id, kinds, how, *at),
                Write::CloseCase { case, how, at } => self.close_case(*case, how, *at),
                Write::ReopenCase { case, why } => self.reopen_case(*case, why),
                Write::OpenTask(task) => self.put_task(owner, task),
                Write::CloseTasks { at } => self.close_tasks(owner.id, *at),
                Write::Emit { topic, body } => {
                    let seq = owner.first_seq + emits(&writes[..place]);
                    self.outbox.put((owner.id, seq), (topic.clone(), body.clone()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn permits_of(&self, remit: InstanceId) -> impl Iterator<Item = &Permit> {
        Self::rows_of(&self.permits_by_remit, remit).filter_map(|id| self.permits.get(id))
    }

    pub(super) fn evidence_of(&self, remit: InstanceId) -> impl Iterator<Item = &EvidenceRow> {
        Self::rows_of(&self.evidence_by_remit, remit).filter_map(|id| self.evidence.get(id))
    }

    fn issue(&mut self, owner: &Owner<'_>, permit: &record::Permit) -> Result<()> {
        let remit = permit.remit;
        refuse(self.gates.has(&remit), "permit_gate_closed")?;
        refuse(self.decisions.has(&remit), "permit_decided")?;
        refuse(self.permits_of(remit).any(|p| live(&p.row.permit.state)), "permit_one_live")?;
        refuse(self.permits_of(remit).any(|p| p.row.permit.state == "success"), "permit_one_success")?;
        let last = self.permits_of(remit).map(|p| p.row.permit.attempt).max().unwrap_or(0);
        refuse(permit.attempt != last + 1, "permit_attempt_order")?;
        refuse(!self.machines.has(&remit), "permit_remit")?;
        refuse(!STATES.contains(&permit.state.as_str()), "permit_state")?;
        refuse(permit.issued_at >= permit.pay_cutoff, "permit_before_cutoff")?;
        refuse(owner.real.millis() - permit.observed_real.millis() > FRESH_MS, "permit_fresh")?;
        refuse(self.permits.has(&permit.id), "permit_pkey")?;
        let row = PermitRow { permit: permit.clone(), tenant: owner.tenant.to_owned() };
        self.permits_by_remit.put((remit, permit.id), ());
        self.permits.put(permit.id, Permit { row, issued_real: owner.real });
        Ok(())
    }

    fn move_permit(&mut self, id: Uuid, state: &str) -> Result<()> {
        let Some(before) = self.permits.get(&id).map(|permit| permit.row.permit.state.as_str()) else { return Ok(()) };
        refuse(state != before && !MOVES.contains(&(before, state)), "permit_move")?;
        self.permits.change(&id, |permit| permit.row.permit.state = state.to_owned());
        Ok(())
    }

    fn keep_evidence(&mut self, evidence: &record::Evidence) -> Result<()> {
        refuse(!self.machines.has(&evidence.remit), "evidence_remit")?;
        refuse(evidence.permit.is_some_and(|permit| !self.permits.has(&permit)), "evidence_permit")?;
        refuse(!SOURCES.contains(&evidence.source.as_str()), "evidence_source")?;
        refuse(evidence.bank_serial.is_empty(), "evidence_serial")?;
        refuse(self.evidence.has(&evidence.id), "evidence_pkey")?;
        self.evidence_by_remit.put((evidence.remit, evidence.id), ());
        self.evidence.put(evidence.id, EvidenceRow { evidence: evidence.clone(), revoked_at: None });
        Ok(())
    }

    fn revoke(&mut self, id: Uuid, at: Time) -> Result<()> {
        let Some(row) = self.evidence.get(&id) else { return Ok(()) };
        refuse(row.revoked_at.is_some_and(|before| before != at), "evidence_immutable")?;
        let decided = self.decisions.get(&row.evidence.remit).is_some_and(|d| d.next_step == NextStep::Continue);
        refuse(decided, "evidence_decided")?;
        self.evidence.change(&id, |row| row.revoked_at = Some(at));
        Ok(())
    }

    /// Whether this evidence is of this remit, stands, and pays exactly its amount.
    fn proves(&self, remit: InstanceId, evidence: Uuid) -> bool {
        let Some(row) = self.evidence.get(&evidence) else { return false };
        let permitted =
            row.evidence.permit.and_then(|permit| self.permits.get(&permit)).map(|permit| permit.row.permit.amount);
        let amount = row.evidence.amount;
        row.evidence.remit == remit
            && row.revoked_at.is_none()
            && permitted.is_none_or(|permitted| permitted == amount)
            && self.remit_amount(remit).is_none_or(|asked| asked == amount)
    }

    /// A remit's amount in its input, where its workflow keeps one there.
    pub(super) fn remit_amount(&self, remit: InstanceId) -> Option<Money> {
        let input = &self.machines.get(&remit)?.row.input;
        let amount = input.get("amount").or_else(|| input.pointer("/seen/amount"))?;
        Money::parse(amount.as_str()?).ok()
    }

    fn decide(&mut self, decision: &Decision) -> Result<()> {
        let remit = decision.remit;
        match decision.next_step {
            NextStep::Continue => {
                refuse(decision.evidence.is_some_and(|evidence| !self.proves(remit, evidence)), "decision_evidence")?;
                refuse(decision.evidence.is_none(), "decision_needs_evidence")?;
            }
            NextStep::Cancel => {
                refuse(!self.gates.has(&remit), "decision_needs_gate")?;
                refuse(self.permits_of(remit).any(|p| live(&p.row.permit.state)), "decision_payout_live")?;
                let paid = self.evidence_of(remit).any(|row| row.revoked_at.is_none());
                refuse(paid, "decision_paid")?;
            }
        }
        refuse(self.decisions.has(&remit), "decision_remit")?;
        self.decisions.put(remit, decision.clone());
        Ok(())
    }

    fn revise(&mut self, remit: InstanceId, arising_time: Time, evidence: Uuid, at: Time) -> Result<()> {
        let decided = self.decisions.get(&remit).filter(|decision| decision.next_step == NextStep::Continue).cloned();
        let Some(decision) = decided else { return refuse(true, "revision_direction") };
        let stands =
            self.evidence.get(&evidence).is_some_and(|row| row.evidence.remit == remit && row.revoked_at.is_none());
        refuse(!stands, "revision_evidence")?;
        refuse(self.revisions.has(&remit), "decision_revision_pkey")?;
        self.revisions.put(remit, Decision { evidence: Some(evidence), arising_time, at, ..decision });
        Ok(())
    }

    pub(super) fn put_case(&mut self, instance: InstanceId, workflow: &str, tenant: &str, open: &OpenCase) {
        if self.cases.has(&open.id) {
            return;
        }
        let (workflow, tenant, state) = (workflow.to_owned(), tenant.to_owned(), "open".to_owned());
        let case = Case {
            open: open.clone(),
            instance,
            workflow,
            tenant,
            state,
            proposal: None,
            approved_by: None,
            resolved_at: None,
            resolved_how: None,
        };
        self.cases_by_instance.put((instance, open.id), ());
        self.cases.put(open.id, case);
    }

    fn close_cases(&mut self, instance: InstanceId, kinds: &[String], how: &str, at: Time) {
        let of_instance = Self::rows_of(&self.cases_by_instance, instance).filter_map(|id| self.cases.get(id));
        let open = of_instance;
        let open: Vec<Uuid> =
            open.filter(|c| kinds.is_empty() || kinds.contains(&c.open.kind)).map(|case| case.open.id).collect();
        open.into_iter().for_each(|id| self.close_case(id, how, at));
    }

    fn close_case(&mut self, id: Uuid, how: &str, at: Time) {
        if self.cases.get(&id).is_some_and(|case| case.state != "resolved") {
            self.cases.change(&id, |case| {
                (case.state, case.resolved_at, case.resolved_how) = ("resolved".into(), Some(at), Some(how.to_owned()));
            });
        }
    }

    fn reopen_case(&mut self, id: Uuid, why: &str) {
        if self.cases.get(&id).is_some_and(|case| case.state != "resolved") {
            self.cases.change(&id, |case| {
                (case.state, case.proposal, case.approved_by) = ("open".into(), None, None);
                if let Some(facts) = case.open.facts.as_object_mut() {
                    facts.insert("reopened".into(), why.into());
                }
            });
        }
    }

    fn put_task(&mut self, owner: &Owner<'_>, task: &record::OpenTask) {
        if self.tasks.has(&task.id) {
            return;
        }
        let (id, kind, tenant) = (task.id, task.kind.clone(), owner.tenant.to_owned());
        let (sla_at, opened_at) = (task.sla_at, task.at);
        self.tasks_by_instance.put((owner.id, id), ());
        self.tasks.put(id, Task { id, kind, instance: owner.id, tenant, sla_at, opened_at, closed_at: None });
    }

    fn close_tasks(&mut self, instance: InstanceId, at: Time) {
        let of_instance = Self::rows_of(&self.tasks_by_instance, instance).filter_map(|id| self.tasks.get(id));
        let open: Vec<Uuid> = of_instance.filter(|task| task.closed_at.is_none()).map(|task| task.id).collect();
        for id in open {
            self.tasks.change(&id, |task| task.closed_at = Some(at));
        }
    }
}
