//! What watchers ask: counts, the oldest due row, limbo, money at risk.

use crate::audits::rules::{listed, pairs};
use crate::sql::Row;
use crate::{Count, Finding, InDoubt, Kind, Moment, Result, Sql};
use domain::Time;
use sqlx::AssertSqlSafe;

/// How many broken rows a finding names.
pub(crate) const EXAMPLES: usize = 10;

/// The states that machines end in by the million. A finished machine is in no index that watchers read (`instance_still`).
pub(crate) const FINISHED: [&str; 16] = [
    "levy_order settled",
    "levy_order cancelled",
    "levy_order rejected",
    "remit levied",
    "remit cancelled",
    "remit auto_closed_unpaid",
    "batch done",
    "sign_up signed",
    "sign_up not_signed",
    "bare done",
    "document verified",
    "document rejected",
    "voucher attached",
    "voucher waived",
    "id_card_check missing",
    "id_card_check verified",
];
/// The states in which millions wait or end with nothing in doubt and no money paid: not in `instance_unsettled`.
pub(crate) const CALM: [&str; 30] = [
    "levy_order gated",
    "levy_order creating",
    "levy_order accepted",
    "levy_order splitting",
    "levy_order ready",
    "levy_order settled",
    "levy_order cancelled",
    "levy_order rejected",
    "remit open",
    "remit permitted",
    "remit levied",
    "batch done",
    "sign_up inviting",
    "sign_up waiting",
    "sign_up signed",
    "sign_up not_signed",
    "bare creating",
    "bare waiting",
    "bare confirming",
    "bare done",
    "document rendered",
    "document processing",
    "document verified",
    "document rejected",
    "voucher owed",
    "voucher attached",
    "voucher waived",
    "id_card_check looking",
    "id_card_check missing",
    "id_card_check verified",
];

/// In none of these states: the very words of a partial index.
pub(crate) fn in_none(states: &[&str]) -> String {
    format!("workflow || ' ' || state_name not in ('{}')", states.join("', '"))
}

/// PostgreSQL's way to the first free row of every group of the due index: one step a group, however many rows it holds.
pub(crate) const FIRSTS: &str = "with recursive groups(lane, class, tenant, at) as (
    (select lane, class, tenant, wake_at from instance where wake_at is not null and token is null
     order by lane, class, tenant, wake_at limit 1)
    union all
    select n.* from groups g cross join lateral (
        select i.lane, i.class, i.tenant, i.wake_at from instance i
        where i.wake_at is not null and i.token is null and (i.lane, i.class, i.tenant) > (g.lane, g.class, g.tenant)
        order by i.lane, i.class, i.tenant, i.wake_at limit 1) n
), firsts as (select at from groups)";

impl Sql {
    pub(crate) async fn counts(&self) -> Result<Vec<Count>> {
        let sql = "-- instance.counts\nselect workflow, state_name, count(*) as n from instance group by workflow, state_name order by 1, 2";
        let read = |row: &Row| {
            Ok(Count { workflow: row.get("workflow")?, state: row.get("state_name")?, count: row.get("n")? })
        };
        self.scan(sql, vec![]).await?.iter().map(read).collect()
    }

    pub(crate) async fn in_doubt(&self) -> Result<Vec<InDoubt>> {
        let sql = format!(
            "-- instance.in_doubt\nselect account, workflow, state_name, count(*) as n from instance \
             where state_name like '%in\\_doubt' escape '\\' and {} group by account, workflow, state_name order by 1, 2, 3",
            in_none(&CALM)
        );
        let read = |row: &Row| {
            let (account, workflow) = (row.get("account")?, row.get("workflow")?);
            Ok(InDoubt { account, workflow, state: row.get("state_name")?, count: row.get("n")? })
        };
        self.all(AssertSqlSafe(sql), vec![]).await?.iter().map(read).collect()
    }

    pub(crate) async fn due_oldest(&self, now: Time) -> Result<Option<Time>> {
        let lite = "-- instance.due_oldest\nselect min(wake_at) as at from instance where wake_at is not null and wake_at <= $1 and token is null";
        let sql = match self.kind() {
            Kind::Sqlite | Kind::Memory => AssertSqlSafe(lite.to_owned()),
            Kind::Postgres => AssertSqlSafe(format!(
                "-- instance.due_oldest\n{FIRSTS} select min(at) as at from firsts where at <= $1"
            )),
        };
        self.one(sql, vec![now.into()]).await?.map_or(Ok(None), |row| row.time_or("at"))
    }

    pub(crate) async fn next_wake(&self) -> Result<Option<Time>> {
        let lite = "-- instance.next_wake\nselect min(wake_at) as at from instance where wake_at is not null";
        let sql = match self.kind() {
            Kind::Sqlite | Kind::Memory => AssertSqlSafe(lite.to_owned()),
            Kind::Postgres => AssertSqlSafe(format!(
                "-- instance.next_wake\n{FIRSTS} select min(at) as at from (select at from firsts \
                 union all select wake_at from instance where token is not null) a"
            )),
        };
        self.one(sql, vec![]).await?.map_or(Ok(None), |row| row.time_or("at"))
    }

    pub(crate) async fn live_claims(&self, real: Time) -> Result<i64> {
        let sql = "-- instance.live_claims\nselect count(*) as n from instance where token is not null and claimed_until > $1";
        self.one(sql, vec![real.into()]).await?.map_or(Ok(0), |row| row.get("n"))
    }

    pub(crate) async fn limbo(&self, now: Moment, resting: &[(String, String)]) -> Result<Finding> {
        let finished = FINISHED.iter().all(|state| pairs(resting).iter().any(|at_rest| at_rest == state));
        let unfinished = if finished { in_none(&FINISHED) } else { "true".to_owned() };
        let sql = format!(
            "-- instance.limbo\nselect i.id from instance i where i.wake_at is null and {unfinished} and (i.claimed_until is null or i.claimed_until <= $1) \
             and not {} and not exists (select 1 from task t where t.instance = i.id and t.closed_at is null) \
             and not exists (select 1 from \"case\" c where c.instance = i.id and c.state <> 'resolved') order by i.id",
            listed(self.kind(), "i.workflow || ' ' || i.state_name", 2)
        );
        let lost = self.scan(AssertSqlSafe(sql), vec![now.real.into(), pairs(resting).into()]).await?;
        let lost = lost.iter().map(|row| Ok(row.id("id")?.to_string())).collect::<Result<_>>()?;
        Ok(finding("L-2", lost))
    }

    pub(crate) async fn money_at_risk(&self) -> Result<i64> {
        // Machine by machine: each sum is its own, so that the planner cannot begin with all evidence there ever was.
        let sql = format!(
            "-- evidence.at_risk\nselect cast(coalesce(sum(fen), 0) as bigint) as fen from (select (select sum(e.amount_fen) from evidence e \
             where e.remit = i.id and e.revoked_at is null) as fen from instance i where i.state_name <> 'levied' and {}) paid",
            in_none(&CALM)
        );
        self.all(AssertSqlSafe(sql), vec![]).await?.first().map_or(Ok(0), |row| row.get("fen"))
    }
}

pub(crate) fn finding(audit: &str, mut broken: Vec<String>) -> Finding {
    broken.sort_unstable();
    broken.dedup();
    let count = i64::try_from(broken.len()).unwrap_or(i64::MAX);
    Finding { audit: audit.to_owned(), count, examples: broken.into_iter().take(EXAMPLES).collect() }
}
