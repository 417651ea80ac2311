//! Each safety audit as a query over what is stored (safety.md §16, faults.md §5), all in one snapshot. Each must find nothing.
//!
//! S-B is I5, S-C is I12, S-H is the histories' chains, I9 is [`Store::limbo`](crate::Store::limbo).

pub(crate) mod rules;
pub(crate) mod sends;

use crate::connect::work;
use crate::sql::{Conn, Outcome};
use crate::watch::finding;
use crate::{AuditPlan, Entry, Finding, Kind, Moment, Result, Sql, chain, keys, record};
use domain::{InstanceId, Time};
use rules::listed;
use sends::{Deed, resent_too_early};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Machines whose histories are verified together.
const PAGE: i64 = 500;

impl Sql {
    pub(crate) async fn audits(&self, now: Moment, plan: AuditPlan) -> Result<Vec<Finding>> {
        let ask = Arc::new((self.kind(), now, plan));
        let work = work(move |c| {
            let ask = ask.clone();
            Box::pin(async move { all(c, ask.0, ask.1, &ask.2).await })
        });
        self.pool.snapshot(work).await
    }
}

async fn all(c: &mut Conn, kind: Kind, now: Moment, plan: &AuditPlan) -> Outcome<Vec<Finding>> {
    let mut broken: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for query in rules::all(kind, now, plan) {
        let rows = c.all(AssertSqlSafe(query.sql), query.values).await?;
        let ids = rows.iter().map(|row| Ok(row.get::<Uuid>("id")?.to_string())).collect::<Result<Vec<_>>>()?;
        broken.entry(query.audit).or_default().extend(ids);
    }
    broken.insert("S-G", early_sends(c, kind, plan).await?);
    broken.insert("S-H", histories(c).await?);
    broken.insert("I23", audit_chains(c).await?);
    Ok(broken.into_iter().map(|(audit, broken)| finding(audit, broken)).collect())
}

/// S-G: the sends and looks of every machine that sent something twice, or was taken over.
async fn early_sends(c: &mut Conn, kind: Kind, plan: &AuditPlan) -> Outcome<Vec<String>> {
    let verified = listed(kind, "x.operation", 1);
    // A look counts when its answer was taken: by the line that it caused.
    let sql = format!(
        "-- audit.s_g\nwith often as (select x.instance from exchange x where {verified} group by x.instance, x.operation having count(*) > 1
    union select h.instance from history h where h.cause = 'takeover')
select x.instance, x.operation, x.verdict, case when {verified} then x.at else coalesce(h.at, x.at) end as at from exchange x
    left join history h on h.instance = x.instance and h.exchange = x.id where x.instance in (select instance from often)
union all select h.instance, '', 'takeover', h.at from history h where h.cause = 'takeover'"
    );
    let mut deeds: BTreeMap<Uuid, Vec<(Time, Deed)>> = BTreeMap::new();
    for row in c.all(AssertSqlSafe(sql), vec![plan.verified.clone().into()]).await? {
        let (operation, verdict): (String, String) = (row.get("operation")?, row.get("verdict")?);
        let of = deeds.entry(row.get("instance")?).or_default();
        of.extend(sends::deed(operation, &verdict, plan).map(|deed| row.time("at").map(|at| (at, deed))).transpose()?);
    }
    let early = deeds.into_iter().filter_map(|(id, deeds)| resent_too_early(deeds, plan).then(|| id.to_string()));
    Ok(early.collect())
}

/// S-H: revisions contiguous, chains valid, page by page.
async fn histories(c: &mut Conn) -> Outcome<Vec<String>> {
    let (mut broken, mut after) = (Vec::new(), Uuid::nil());
    let page = "-- audit.s_h\nselect id, head, revision from instance where id > $1 order by id limit $2";
    let lines = "-- audit.s_h_lines\nselect h.* from history h where h.instance > $1 and h.instance <= $2 order by h.instance, h.seq";
    loop {
        let machines = c.all(page, vec![after.into(), PAGE.into()]).await?;
        let Some(last) = machines.last() else { return Ok(broken) };
        let last: Uuid = last.get("id")?;
        let mut entries: HashMap<Uuid, Vec<Entry>> = HashMap::new();
        for row in c.all(lines, vec![after.into(), last.into()]).await? {
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
async fn audit_chains(c: &mut Conn) -> Outcome<Vec<String>> {
    let mut broken = Vec::new();
    for row in c.all("-- audit.tenants\nselect distinct tenant from audit order by tenant", vec![]).await? {
        let tenant: String = row.get("tenant")?;
        if let Some(seq) = keys::broken_act(c, &tenant).await? {
            broken.push(format!("{tenant}/{seq}"));
        }
    }
    Ok(broken)
}
