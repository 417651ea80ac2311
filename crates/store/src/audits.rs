//! Each safety audit as one query over what is stored (safety.md §16, faults.md §5). Each must find nothing.
//!
//! S-B is I5 and S-C is I12. I11 (payee) and I19 (quota) need what the columns do not hold: the engine compares payees before it
//! keeps evidence, and reconciliation re-queries providers.

use crate::sql::Value;
use crate::watch::finding;
use crate::{AuditPlan, Finding, Moment, Result, Sql, chain, record};
use domain::InstanceId;
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use uuid::Uuid;

const S_A: &str = "-- audit.s_a\nselect d.remit as id from decision d left join evidence e on e.id = d.evidence
where d.next_step = 'CONTINUE' and (e.id is null or e.remit <> d.remit or e.at > d.at or e.revoked_at is not null)";

const S_B: &str = "-- audit.s_b\nselect d.remit as id from decision d where d.next_step = 'CANCEL' and (
    not exists (select 1 from gate g where g.remit = d.remit and g.at <= d.at)
    or exists (select 1 from permit p where p.remit = d.remit and p.state in ('permit_issued', 'instructed', 'in_doubt'))
    or exists (select 1 from evidence e where e.remit = d.remit and e.revoked_at is null and e.at <= d.at))";

const S_C: &str =
    "-- audit.s_c\nselect p.id from permit p where p.issued_at >= p.pay_cutoff or p.issued_real - p.observed_real > $1
    or exists (select 1 from decision d where d.remit = p.remit and d.at < p.issued_at)
    or exists (select 1 from gate g where g.remit = p.remit and g.at < p.issued_at)";

const S_D: &str = "-- audit.s_d\nselect p.remit as id from permit p group by p.remit
having count(*) filter (where p.state in ('permit_issued', 'instructed', 'in_doubt')) > 1 or count(*) filter (where p.state = 'success') > 1
    or count(distinct p.attempt) < count(*)";

const S_E: &str = "-- audit.s_e\nselect d.remit as id from decision d group by d.remit having count(*) > 1
union all select r.remit from decision_revision r left join decision d on d.remit = r.remit where d.remit is null or d.next_step <> 'CONTINUE'";

const I_13: &str = "-- audit.i13\nselect d.remit as id from decision d join evidence e on e.id = d.evidence
where d.next_step = 'CONTINUE' and d.arising_time <> e.paid_at
    and not exists (select 1 from decision_revision r where r.remit = d.remit)";

const I_20: &str = "-- audit.i20\nselect i.id from instance i left join
    (select o.instance, count(*) as n, max(o.seq) as last from outbox o group by o.instance) o on o.instance = i.id
where i.emitted <> coalesce(o.n, 0) or i.emitted <> coalesce(o.last, 0)";

const I_24: &str = "-- audit.i24\nselect c.id from \"case\" c where c.approved_by is not null and (c.proposed_by is null or c.proposed_by = c.approved_by)";

const I_27: &str =
    "-- audit.i27\nselect q.id from permit p join permit q on q.remit = p.remit and q.attempt > p.attempt
where q.pay_cutoff > p.pay_cutoff";

/// Machines whose histories are verified together.
const PAGE: i64 = 500;

impl Sql {
    pub(crate) async fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        let freshness = i64::try_from(plan.freshness.as_millis()).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        for (audit, sql, values) in [
            ("S-A", S_A, vec![]),
            ("S-B", S_B, vec![]),
            ("S-C", S_C, vec![freshness.into()]),
            ("S-D", S_D, vec![]),
            ("S-E", S_E, vec![]),
            ("I13", I_13, vec![]),
            ("I20", I_20, vec![]),
            ("I24", I_24, vec![]),
            ("I27", I_27, vec![]),
        ] {
            found.push(self.audit(audit, sql, values).await?);
        }
        let unconfirmed = format!(
            "-- audit.i2\nselect e.remit as id from evidence e join instance i on i.id = e.remit where e.revoked_at is null and e.at < $1 \
             and not {} and not exists (select 1 from \"case\" c where c.instance = e.remit and c.state <> 'resolved')",
            self.listed("i.state_name", 2)
        );
        let before = now.business - plan.confirm_within;
        found.push(self.audit("I2", AssertSqlSafe(unconfirmed), vec![before.into(), plan.confirmed.into()]).await?);
        let amounts = format!(
            "-- audit.i10\nselect e.id from evidence e left join permit p on p.id = e.permit join instance i on i.id = e.remit \
             where e.revoked_at is null and (e.amount_fen <> coalesce(p.amount_fen, e.amount_fen) or e.amount_fen <> coalesce({}, e.amount_fen))",
            self.remit_fen("i")
        );
        found.push(self.audit("I10", AssertSqlSafe(amounts), vec![]).await?);
        found.push(self.histories().await?);
        found.push(self.audit_chains().await?);
        found.sort_by(|a, b| a.audit.cmp(&b.audit));
        Ok(found)
    }

    async fn audit(&self, audit: &str, sql: impl sqlx::SqlSafeStr, values: Vec<Value>) -> Result<Finding> {
        let rows = self.all(sql, values).await?;
        Ok(finding(audit, rows.iter().map(|row| Ok(row.get::<Uuid>("id")?.to_string())).collect::<Result<_>>()?))
    }

    /// S-H: revisions contiguous, chains valid, page by page.
    async fn histories(&self) -> Result<Finding> {
        let (mut broken, mut after) = (Vec::new(), Uuid::nil());
        let page = "-- audit.s_h\nselect id, head, revision from instance where id > $1 order by id limit $2";
        let lines = "-- audit.s_h_lines\nselect h.* from history h where h.instance > $1 and h.instance <= $2 order by h.instance, h.seq";
        loop {
            let machines = self.all(page, vec![after.into(), PAGE.into()]).await?;
            let Some(last) = machines.last() else { return Ok(finding("S-H", broken)) };
            let last: Uuid = last.get("id")?;
            let mut entries: HashMap<Uuid, Vec<crate::Entry>> = HashMap::new();
            for row in self.all(lines, vec![after.into(), last.into()]).await? {
                entries.entry(row.get("instance")?).or_default().push(record::entry(&row)?);
            }
            for row in &machines {
                let id: Uuid = row.get("id")?;
                let of_this = entries.remove(&id).unwrap_or_default();
                let odd = chain::broken(id, &row.get::<String>("head")?, row.get("revision")?, &of_this).is_some();
                // A turn may have been committed between the two statements: what is odd is read once more by itself.
                if odd && self.verify_history(InstanceId(id)).await?.is_some() {
                    broken.push(InstanceId(id).to_string());
                }
            }
            after = last;
        }
    }

    /// I23.
    async fn audit_chains(&self) -> Result<Finding> {
        let mut broken = Vec::new();
        for row in self.all("-- audit.tenants\nselect distinct tenant from audit order by tenant", vec![]).await? {
            let tenant: String = row.get("tenant")?;
            if let Some(seq) = self.verify_audit(&tenant).await? {
                broken.push(format!("{tenant}/{seq}"));
            }
        }
        Ok(finding("I23", broken))
    }
}
