//! The audits, with the same predicates as the queries in `audits::rules`.

use super::writes::live;
use super::{Machine, World};
use crate::audits::rules::BEFORE_DEADLINE;
use crate::audits::sends::{self, Deed};
use crate::watch::finding;
use crate::{AuditPlan, Entry, Exchange, Finding, Instance, Line, Moment, Result};
use domain::levy::NextStep;
use domain::record::Decision;
use domain::{InstanceId, Money, Time};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl World {
    pub(crate) fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        let mut found = vec![
            finding("S-A", self.decided(NextStep::Continue, |d| !self.proved(d))),
            finding("S-B", self.decided(NextStep::Cancel, |d| !self.shut(d))),
            finding("S-C", self.late_permits(&plan)),
            finding("S-D", self.double_payouts()),
            finding("S-E", self.lone_revisions()),
            finding("S-F", self.unacknowledged()),
            finding("S-G", self.early_sends(&plan)),
            finding("S-H", self.broken_histories()?),
            finding("I2", self.unconfirmed(now, &plan)),
            finding("I10", [self.wrong_amounts(), self.wrong_fees(), self.wrong_sums(&plan)].concat()),
            finding("I11", self.wrong_payees()),
            finding("I13", self.decided(NextStep::Continue, |d| !self.revisions.has(&d.remit) && self.misdated(d))),
            finding("I14", self.strange_arrows(&plan)),
            finding("I15", self.moved_by_callback()),
            finding("I19", self.leaked(now, &plan)),
            finding("I20", self.outbox_gaps(&plan)),
            finding("I23", self.broken_chains()?),
            finding("I24", self.lone_approvals()),
            finding("I27", self.moved_cutoffs()),
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
        let paid = |row: &crate::EvidenceRow| row.revoked_at.is_none() && row.evidence.at <= decision.at;
        self.gates.get(&remit).is_some_and(|at| *at <= decision.at)
            && !self.permits_of(remit).any(|permit| live(&permit.row.permit.state))
            && !self.evidence_of(remit).any(paid)
    }

    fn misdated(&self, decision: &Decision) -> bool {
        let evidence = decision.evidence.and_then(|id| self.evidence.get(&id));
        evidence.is_some_and(|row| row.evidence.paid_at != decision.arising_time || decision.arising_time > decision.at)
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

    fn outbox_gaps(&self, plan: &AuditPlan) -> Vec<String> {
        let gap = self.machines.values().filter(|machine| {
            let id = machine.row.id;
            let rows = || self.outbox.range((id, 0)..=(id, i64::MAX));
            let last = rows().next_back().map_or(0, |((_, seq), _)| *seq);
            let silent = at_rest(&machine.row, plan) && !rows().any(|(_, (topic, _))| topic == "rested");
            i64::try_from(rows().count()) != Ok(machine.emitted) || last != machine.emitted || silent
        });
        ids(gap)
    }

    fn lone_approvals(&self) -> Vec<String> {
        let alone = self.cases.values().filter(|entry| {
            let by = entry.proposal.as_ref().map(|proposal| &proposal.by);
            entry.approved_by.is_some() && (by.is_none() || by == entry.approved_by.as_ref())
        });
        alone.map(|entry| entry.open.id.to_string()).collect()
    }

    fn moved_cutoffs(&self) -> Vec<String> {
        let moved = self.permits.values().map(|entry| &entry.row.permit).filter(|later| {
            let before = self.permits_of(later.remit).map(|entry| &entry.row.permit);
            before.into_iter().any(|earlier| earlier.attempt < later.attempt && later.pay_cutoff > earlier.pay_cutoff)
        });
        moved.map(|permit| permit.id.to_string()).collect()
    }

    fn unconfirmed(&self, now: Moment, plan: &AuditPlan) -> Vec<String> {
        let late = self.evidence.values().filter(|row| {
            let (remit, at) = (row.evidence.remit, row.evidence.at);
            let Some(machine) = self.machines.get(&remit) else { return false };
            let near =
                time_in(&machine.row, "/deadline").is_some_and(|deadline| deadline < now.business + BEFORE_DEADLINE);
            let due = at < now.business - plan.settle && (at < now.business - plan.confirm_within || near);
            due && row.revoked_at.is_none()
                && !plan.confirmed.contains(&machine.row.state_name)
                && !self.has_case(remit)
                && !(at_rest(&machine.row, plan) && self.explained(&machine.row, at, plan))
        });
        late.map(|row| row.evidence.remit.to_string()).collect()
    }

    fn explained(&self, row: &Instance, since: Time, plan: &AuditPlan) -> bool {
        self.cases_of(row.id).any(|case| {
            let asked = |(state, kind): &(String, String)| *state == row.state_name && *kind == case.open.kind;
            plan.explained.iter().any(asked)
                && case.approved_by.is_some()
                && case.resolved_at.is_some_and(|at| at >= since)
        })
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

    fn lone_revisions(&self) -> Vec<String> {
        let lone = self.revisions.iter().filter(|(remit, _)| !self.continued(**remit));
        lone.map(|(remit, _)| remit.to_string()).collect()
    }

    fn unacknowledged(&self) -> Vec<String> {
        let gone = |id: &InstanceId| !self.machines.has(id);
        let begun = self.history.iter().filter(|((id, seq), _)| *seq == 1 && gone(id)).map(|((id, _), _)| *id);
        let read = self.inbox.values().filter(|mail| mail.consumed).filter_map(|mail| mail.instance).filter(gone);
        let released = self.lines.values().filter_map(|line| line.order).filter(gone);
        let unheard = self.machines.values().filter(|machine| {
            let id = machine.row.id;
            let mail = || self.mail_of(id);
            let asleep = machine.row.wake_at.is_none() && machine.token.is_none() && !self.has_case(id);
            let found = |id: Option<&InstanceId>| id == Some(&machine.row.id);
            let key = (machine.row.tenant.clone(), machine.row.workflow.clone(), machine.row.business_key.clone());
            let misnamed = !found(self.by_key.get(&key))
                || machine.row.address.as_ref().is_some_and(|address| !found(self.by_address.get(address)));
            misnamed
                || i64::try_from(mail().count()) != Ok(machine.signals)
                || machine.seen > machine.signals
                || (asleep && mail().any(|mail| !mail.consumed))
        });
        begun.chain(read).chain(released).map(|id| id.to_string()).chain(ids(unheard)).collect()
    }

    fn early_sends(&self, plan: &AuditPlan) -> Vec<String> {
        let mut deeds: BTreeMap<InstanceId, Vec<(Time, Deed)>> = BTreeMap::new();
        let answered: BTreeMap<Uuid, Time> =
            self.history.values().filter_map(|entry| Some((entry.line.exchange?, entry.line.at))).collect();
        for ((id, sent_at, number), Exchange { exchange, .. }) in self.exchanges.iter() {
            let Some(deed) = sends::deed(exchange.operation.clone(), &exchange.verdict, plan) else { continue };
            let at = if deed == Deed::Looked { answered.get(number).unwrap_or(sent_at) } else { sent_at };
            deeds.entry(*id).or_default().push((*at, deed));
        }
        for ((id, _), entry) in self.history.iter().filter(|(_, entry)| entry.line.cause == "takeover") {
            deeds.entry(*id).or_default().push((entry.line.at, Deed::TakenOver));
        }
        let early = deeds.into_iter().filter_map(|(id, deeds)| sends::resent_too_early(deeds, plan).then_some(id));
        early.map(|id| id.to_string()).collect()
    }

    fn permitted(&self, remit: InstanceId) -> bool {
        self.permits_of(remit).next().is_some()
    }

    /// Two persons have approved something about this order.
    fn approved(&self, order: InstanceId) -> bool {
        let mut cases = Self::rows_of(&self.cases_by_instance, order).filter_map(|case| self.cases.get(case));
        cases.any(|entry| entry.approved_by.is_some())
    }

    fn wrong_fees(&self) -> Vec<String> {
        let wrong = self.machines.values().filter(|machine| {
            let money = |path| money_in(&machine.row, path);
            let sums = money("/fee").zip(money("/compensate_fee")).zip(money("/sum_fee"));
            sums.is_some_and(|((fee, more), sum)| fee.checked_add(more) != Some(sum))
                && self.permitted(machine.row.id)
                && !machine.row.parent.is_some_and(|order| self.approved(order))
        });
        ids(wrong)
    }

    fn wrong_sums(&self, plan: &AuditPlan) -> Vec<String> {
        let mut of_order: BTreeMap<InstanceId, Vec<&Machine>> = BTreeMap::new();
        for machine in self.machines.values() {
            if let Some(order) = machine.row.parent {
                of_order.entry(order).or_default().push(machine);
            }
        }
        let wrong = self.machines.values().filter(|machine| {
            let (row, id) = (&machine.row, machine.row.id);
            let remits = || of_order.get(&id).into_iter().flatten();
            let sum = |path| Money::sum(remits().filter_map(|remit| money_in(&remit.row, path)));
            let net = money_in(row, "/terms/asked/net").is_some_and(|net| sum("/amount") != Some(net));
            let gross = plan.gross_exact.contains(&row.account);
            let gross =
                gross && money_in(row, "/terms/asked/gross").is_some_and(|gross| sum("/actual_amount") != Some(gross));
            (net || gross) && remits().any(|remit| self.permitted(remit.row.id)) && !self.approved(id)
        });
        ids(wrong)
    }

    fn wrong_payees(&self) -> Vec<String> {
        let wrong = self.evidence.values().filter(|kept| {
            let evidence = &kept.evidence;
            let Some(remit) = self.machines.get(&evidence.remit).map(|machine| &machine.row) else { return false };
            let known = remit.person.is_some_and(|id| self.people.has(&(remit.tenant.clone(), id)));
            let order = remit.parent.and_then(|id| self.machines.get(&id)).map(|machine| &machine.row);
            let other = order.is_some_and(|order| {
                let same =
                    order.input.get("person").is_some() && order.input.get("person") == remit.input.get("person");
                !same || (order.person.is_some() && order.person != remit.person)
            });
            let refused = self.history.range((remit.id, 0)..=(remit.id, i64::MAX)).any(|(_, entry)| {
                entry.line.at == evidence.at && {
                    let detail = entry.line.detail.to_string();
                    detail.contains(&evidence.bank_serial) && detail.contains(r#""payee_ok":false"#)
                }
            });
            kept.revoked_at.is_none() && (!known || other || refused)
        });
        wrong.map(|kept| kept.evidence.id.to_string()).collect()
    }

    fn strange_arrows(&self, plan: &AuditPlan) -> Vec<String> {
        let strange = self.machines.values().filter(|machine| {
            let row = &machine.row;
            let mut stands = "";
            for (_, Entry { line, .. }) in self.history.range((row.id, 0)..=(row.id, i64::MAX)) {
                let pair = (row.workflow.clone(), line.from.clone());
                let drawn = (row.workflow.clone(), line.from.clone(), line.to.clone());
                let leaves = line.from != line.to && plan.resting.contains(&pair) && !plan.leaves_rest.contains(&drawn);
                if line.from != stands || leaves {
                    return true;
                }
                stands = &line.to;
            }
            stands != row.state_name
        });
        ids(strange)
    }

    fn moved_by_callback(&self) -> Vec<String> {
        let proof = |id: &InstanceId, line: &Line| {
            let workflow = self.machines.get(id).map_or("", |machine| machine.row.workflow.as_str());
            match workflow {
                "sign_up" => line.from != "signed" && matches!(line.to.as_str(), "signed" | "not_signed"),
                "document" => {
                    let judged = |state: &str| matches!(state, "verified" | "rejected");
                    !judged(&line.from) && judged(&line.to)
                }
                _ => false,
            }
        };
        let moved = self.history.iter().filter(|((id, _), entry)| {
            let line = &entry.line;
            line.cause == "callback" && line.from != line.to && !proof(id, line)
        });
        moved.map(|((id, _), _)| id.to_string()).collect()
    }

    fn leaked(&self, now: Moment, plan: &AuditPlan) -> Vec<String> {
        let before = now.business - plan.unpaid_within.max(plan.settle);
        let leaked = self.machines.values().filter(|machine| {
            let (row, id) = (&machine.row, machine.row.id);
            let over = time_in(row, "/pay_cutoff").is_some_and(|at| at < before)
                || self.gates.get(&id).is_some_and(|at| *at < before);
            let paid = || self.evidence_of(id).any(|kept| kept.revoked_at.is_none());
            let may_be = || self.permits_of(id).any(|p| live(&p.row.permit.state) || p.row.permit.state == "success");
            over && !paid()
                && !may_be()
                && !at_rest(row, plan)
                && !plan.keeps_quota.contains(&row.account)
                && !self.decisions.has(&id)
                && !self.has_case(id)
        });
        ids(leaked)
    }
}

fn ids<'m>(machines: impl Iterator<Item = &'m Machine>) -> Vec<String> {
    machines.map(|machine| machine.row.id.to_string()).collect()
}

fn at_rest(row: &Instance, plan: &AuditPlan) -> bool {
    plan.resting.contains(&(row.workflow.clone(), row.state_name.clone()))
}

fn time_in(row: &Instance, path: &str) -> Option<Time> {
    row.input.pointer(path).and_then(|text| Time::parse(text.as_str()?))
}

fn money_in(row: &Instance, path: &str) -> Option<Money> {
    row.input.pointer(path).and_then(|text| Money::parse(text.as_str()?).ok())
}
