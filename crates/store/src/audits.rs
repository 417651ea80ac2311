//! Each safety audit as a query over what is stored (safety.md §16, faults.md §5), all in one snapshot. Each must find nothing.
//!
//! S-B is I5, S-C is I12, S-H is the histories' chains, I9 is [`Store::limbo`](crate::Store::limbo).

pub(crate) mod rules;
pub(crate) mod sends;
mod slice;

use crate::connect::work;
use crate::sql::{Conn, Outcome};
use crate::watch::finding;
use crate::{AuditPlan, Entry, Finding, Kind, Moment, Result, Sql, chain, keys, record};
use domain::{InstanceId, Time};
use rules::listed;
use sends::{Deed, resent_too_early};
use slice::Slice;
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// What each audit has found.
type Broken = BTreeMap<&'static str, Vec<String>>;

/// Machines whose histories are verified together.
const PAGE: i64 = 500;

impl Sql {
    pub(crate) async fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        let broken = self.broken(now, Arc::new(plan), None).await?;
        Ok(broken.into_iter().map(|(audit, broken)| finding(audit, broken)).collect())
    }

    pub(crate) async fn recent_audits(&self, now: Moment, plan: AuditPlan, since: Time) -> Result<Vec<Finding>> {
        // An SQLite file is read as a whole in the time that a fleet's database takes for its last minutes.
        if self.kind() != Kind::Postgres {
            return self.audits(now, plan).await;
        }
        let (overdue, plan) = (now.business - plan.unpaid_within, Arc::new(plan));
        let rows = self.scan(slice::lately(), vec![since.into(), overdue.into()]).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
        let mut slices: Vec<Vec<Uuid>> = ids.chunks(slice::MACHINES).map(<[Uuid]>::to_vec).collect();
        // Every audit has its finding, also where nothing has happened.
        slices.resize_with(slices.len().max(1), Vec::new);
        let mut all: Broken = BTreeMap::new();
        for ids in slices {
            for (audit, broken) in self.broken(now, plan.clone(), Some(Slice { ids, since })).await? {
                all.entry(audit).or_default().extend(broken);
            }
        }
        Ok(all.into_iter().map(|(audit, broken)| finding(audit, broken)).collect())
    }

    pub(crate) async fn next_audits(
        &self,
        now: Moment,
        plan: AuditPlan,
        after: Uuid,
    ) -> Result<(Vec<Finding>, Option<Uuid>)> {
        if self.kind() != Kind::Postgres {
            return Ok((Vec::new(), None));
        }
        let rows = self.all(slice::NEXT, vec![after.into(), crate::instance::limit(slice::MACHINES)]).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
        let next = ids.last().copied();
        // The chains of acts belong to no machine: they are read from their beginning with the first slice.
        let since = if after.is_nil() { Time::from_millis(0) } else { now.business };
        let broken = self.broken(now, Arc::new(plan), Some(Slice { ids, since })).await?;
        Ok((broken.into_iter().map(|(audit, broken)| finding(audit, broken)).collect(), next))
    }

    async fn broken(&self, now: Moment, plan: Arc<AuditPlan>, slice: Option<Slice>) -> Result<Broken> {
        let ask = Arc::new((self.kind(), now, plan, slice));
        let work = work(move |c| {
            let ask = ask.clone();
            Box::pin(async move { all(c, ask.0, ask.1, &ask.2, ask.3.clone()).await })
        });
        self.pool.snapshot(work).await
    }
}

async fn all(c: &mut Conn, kind: Kind, now: Moment, plan: &AuditPlan, slice: Option<Slice>) -> Outcome<Broken> {
    let slice = match slice {
        Some(slice) => Some(slice.with_families(c).await?),
        None => None,
    };
    let slice = slice.as_ref();
    let mut broken: Broken = BTreeMap::new();
    for query in rules::all(kind, now, plan) {
        let (sql, values) = slice::cut(query.sql, query.values, slice);
        let rows = c.all(AssertSqlSafe(sql), values).await?;
        let ids = rows.iter().map(|row| Ok(row.get::<Uuid>("id")?.to_string())).collect::<Result<Vec<_>>>()?;
        broken.entry(query.audit).or_default().extend(ids);
    }
    broken.insert("S-G", early_sends(c, kind, plan, slice).await?);
    broken.insert("S-H", histories(c, slice).await?);
    broken.insert("I23", audit_chains(c, slice).await?);
    Ok(broken)
}

/// S-G: the sends and looks of every machine that sent something twice, or was taken over.
async fn early_sends(c: &mut Conn, kind: Kind, plan: &AuditPlan, slice: Option<&Slice>) -> Outcome<Vec<String>> {
    let verified = listed(kind, "x.operation", 1);
    // A look counts when its answer was taken: by the line that it caused.
    let sql = format!(
        "-- audit.s_g\nwith often as (select x.instance from exchange x where {verified} group by x.instance, x.operation having count(*) > 1
    union select h.instance from history h where h.cause = 'takeover')
select x.instance, x.operation, x.verdict, case when {verified} then x.at else coalesce(h.at, x.at) end as at from exchange x
    left join history h on h.instance = x.instance and h.exchange = x.id where x.instance in (select instance from often)
union all select h.instance, '', 'takeover', h.at from history h where h.cause = 'takeover'"
    );
    let (sql, values) = slice::cut(sql, vec![plan.verified.clone().into()], slice);
    let mut deeds: BTreeMap<Uuid, Vec<(Time, Deed)>> = BTreeMap::new();
    for row in c.all(AssertSqlSafe(sql), values).await? {
        let (operation, verdict): (String, String) = (row.get("operation")?, row.get("verdict")?);
        let of = deeds.entry(row.get("instance")?).or_default();
        of.extend(sends::deed(operation, &verdict, plan).map(|deed| row.time("at").map(|at| (at, deed))).transpose()?);
    }
    let early = deeds.into_iter().filter_map(|(id, deeds)| resent_too_early(deeds, plan).then(|| id.to_string()));
    Ok(early.collect())
}

/// S-H: revisions contiguous, chains valid, page by page.
async fn histories(c: &mut Conn, slice: Option<&Slice>) -> Outcome<Vec<String>> {
    let (mut broken, mut after) = (Vec::new(), Uuid::nil());
    let page = "-- audit.s_h\nselect id, head, revision from instance where id > $1 order by id limit $2";
    let lines = "-- audit.s_h_lines\nselect h.* from history h where h.instance > $1 and h.instance <= $2 order by h.instance, h.seq";
    loop {
        let (sql, values) = slice::cut(page.to_owned(), vec![after.into(), PAGE.into()], slice);
        let machines = c.all(AssertSqlSafe(sql), values).await?;
        let Some(last) = machines.last() else { return Ok(broken) };
        let last: Uuid = last.get("id")?;
        let (sql, values) = slice::cut(lines.to_owned(), vec![after.into(), last.into()], slice);
        let mut entries: HashMap<Uuid, Vec<Entry>> = HashMap::new();
        for row in c.all(AssertSqlSafe(sql), values).await? {
            entries.entry(row.get("instance")?).or_default().push(record::entry(&row)?);
        }
        for row in &machines {
            let id: Uuid = row.get("id")?;
            let of_this = entries.remove(&id).unwrap_or_default();
            if chain::broken(id, &row.get::<String>("head")?, row.get("revision")?, &of_this).is_some() {
                broken.push(InstanceId(id).to_string());
            }
        }
        after = last;
    }
}

/// I23.
async fn audit_chains(c: &mut Conn, slice: Option<&Slice>) -> Outcome<Vec<String>> {
    let mut broken = Vec::new();
    // From tenant to tenant: a tenant's acts are many.
    let tenants = "-- audit.tenants\nwith recursive tenants(tenant) as (select min(tenant) from audit
    union all select (select min(a.tenant) from audit a where a.tenant > t.tenant) from tenants t where t.tenant is not null)
select tenant from tenants where tenant is not null";
    for row in c.all(tenants, vec![]).await? {
        let tenant: String = row.get("tenant")?;
        if let Some(seq) = keys::broken_act(c, &tenant, slice.map(|slice| slice.since)).await? {
            broken.push(format!("{tenant}/{seq}"));
        }
    }
    Ok(broken)
}
