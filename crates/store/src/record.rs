//! Reading what turns wrote: permits, evidence, decisions, cases, tasks, history, exchanges; and opening a case by hand.

use crate::connect::work;
use crate::instance::limit;
use crate::sql::{Fail, Row, Value};
use crate::vault::Place;
use crate::{
    Case, Entry, Error, EvidenceRow, Exchange, Line, NewExchange, PermitRow, Result, Sql, Task, chain, writes,
};
use domain::record::{Decision, Evidence, OpenCase, Permit};
use domain::{InstanceId, Money};
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use uuid::Uuid;

pub(crate) const CASE: &str = "id, instance, workflow, tenant, kind, severity, owner_role, opened_at, sla_at, moves, facts, group_key, state, proposal, \
                    approved_by, resolved_at, resolved_how";

impl Sql {
    pub(crate) async fn permit(&self, id: Uuid) -> Result<Option<PermitRow>> {
        self.by_id("-- permit.get\nselect * from permit where id = $1", id).await?.as_deref().map(permit).transpose()
    }

    pub(crate) async fn permits(&self, remit: InstanceId) -> Result<Vec<PermitRow>> {
        let sql = "-- permit.of_remit\nselect * from permit where remit = $1 order by attempt";
        self.all(sql, vec![remit.into()]).await?.iter().map(permit).collect()
    }

    pub(crate) async fn evidence(&self, remit: InstanceId) -> Result<Vec<EvidenceRow>> {
        let sql = "-- evidence.of_remit\nselect * from evidence where remit = $1 order by at, id";
        self.all(sql, vec![remit.into()]).await?.iter().map(evidence).collect()
    }

    pub(crate) async fn decision(&self, remit: InstanceId) -> Result<Option<Decision>> {
        let sql = "-- decision.get\nselect d.remit, d.next_step, coalesce(r.evidence, d.evidence) as evidence, \
                   coalesce(r.arising_time, d.arising_time) as arising_time, d.at \
                   from decision d left join decision_revision r on r.remit = d.remit where d.remit = $1";
        let Some(row) = self.one(sql, vec![remit.into()]).await? else { return Ok(None) };
        let next_step =
            serde_json::from_value(row.get::<String>("next_step")?.into()).map_err(|_| row.corrupt("next_step"))?;
        let (evidence, arising_time, at) = (row.get("evidence")?, row.time("arising_time")?, row.time("at")?);
        Ok(Some(Decision { remit, next_step, evidence, arising_time, at }))
    }

    pub(crate) async fn cases(
        &self,
        tenant: &str,
        state: Option<&str>,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        most: usize,
    ) -> Result<Vec<Case>> {
        let tests =
            [("tenant =", Some(tenant.into())), ("state =", state.map(Value::from)), ("kind =", kind.map(Value::from))];
        let tests =
            tests.into_iter().chain([("instance =", instance.map(Value::from)), ("id <", cursor.map(Value::from))]);
        let (wanted, values) = all_of(tests, most);
        let sql = format!(
            "-- case.list\nselect {CASE} from \"case\" where {wanted} order by id desc limit ${}",
            values.len()
        );
        self.all(AssertSqlSafe(sql), values).await?.iter().map(case).collect()
    }

    pub(crate) async fn case(&self, id: Uuid) -> Result<Option<Case>> {
        let sql = format!("-- case.get\nselect {CASE} from \"case\" where id = $1");
        self.one(AssertSqlSafe(sql), vec![id.into()]).await?.as_ref().map(case).transpose()
    }

    pub(crate) async fn open_case(&self, instance: InstanceId, tenant: &str, case: OpenCase) -> Result<()> {
        let of = (tenant.to_owned(), Arc::new(case));
        let work = work(move |c| {
            let (tenant, case) = of.clone();
            Box::pin(async move {
                let row = c
                    .one("-- instance.workflow\nselect workflow from instance where id = $1", vec![instance.into()])
                    .await?;
                let workflow: String =
                    row.ok_or(Fail::Store(Error::Forbidden("case_instance".into())))?.get("workflow")?;
                c.insert(&writes::CASE, vec![writes::case_row(instance, &workflow, &tenant, &case)]).await.map(|_| ())
            })
        });
        self.pool.write(work).await
    }

    pub(crate) async fn tasks(
        &self,
        tenant: &str,
        open_only: bool,
        kind: Option<&str>,
        instance: Option<InstanceId>,
        cursor: Option<Uuid>,
        most: usize,
    ) -> Result<Vec<Task>> {
        let tests = [
            ("tenant =", Some(tenant.into())),
            ("kind =", kind.map(Value::from)),
            ("instance =", instance.map(Value::from)),
        ];
        let (wanted, values) = all_of(tests.into_iter().chain([("id <", cursor.map(Value::from))]), most);
        let open = if open_only { "and closed_at is null" } else { "" };
        let sql =
            format!("-- task.list\nselect * from task where {wanted} {open} order by id desc limit ${}", values.len());
        self.all(AssertSqlSafe(sql), values).await?.iter().map(task).collect()
    }

    pub(crate) async fn history(&self, id: InstanceId) -> Result<Vec<Entry>> {
        let sql = "-- history.of_instance\nselect * from history where instance = $1 order by seq";
        self.all(sql, vec![id.into()]).await?.iter().map(entry).collect()
    }

    pub(crate) async fn verify_history(&self, id: InstanceId) -> Result<Option<i64>> {
        let head =
            self.one("-- instance.head\nselect head, revision from instance where id = $1", vec![id.into()]).await?;
        let Some(head) = head else { return Ok(None) };
        Ok(chain::broken(id.0, &head.get::<String>("head")?, head.get("revision")?, &self.history(id).await?))
    }

    pub(crate) async fn exchanges(&self, id: InstanceId) -> Result<Vec<Exchange>> {
        let mut exchanges = Vec::new();
        for row in self
            .all("-- exchange.of_instance\nselect * from exchange where instance = $1 order by at, id", vec![id.into()])
            .await?
        {
            let tenant: String = row.get("tenant")?;
            let keys = self.keys_of(&tenant).await?;
            let number: Uuid = row.get("id")?;
            let open = |column: &str| {
                keys.open(
                    &Place { tenant: &tenant, table: "exchange", column, row: number },
                    &row.get::<Vec<u8>>(column)?,
                )
            };
            let status =
                row.get::<Option<i64>>("status")?.map(u16::try_from).transpose().map_err(|_| row.corrupt("status"))?;
            let exchange = NewExchange {
                id: number,
                operation: row.get("operation")?,
                request: open("request")?,
                answer: open("answer")?,
                status,
                verdict: row.get("verdict")?,
                took_ms: row.get("took_ms")?,
                at: row.time("at")?,
            };
            exchanges.push(Exchange { exchange, instance: id });
        }
        Ok(exchanges)
    }
}

/// `a = $1 and b = $2 …` over the tests that were given, and the limit last.
fn all_of(tests: impl Iterator<Item = (&'static str, Option<Value>)>, most: usize) -> (String, Vec<Value>) {
    let (mut wanted, mut values) = (Vec::new(), Vec::new());
    for (test, value) in tests {
        if let Some(value) = value {
            values.push(value);
            wanted.push(format!("{test} ${}", values.len()));
        }
    }
    values.push(limit(most));
    (wanted.join(" and "), values)
}

fn money(row: &Row, column: &str) -> Result<Money> {
    Money::from_fen(row.get(column)?).map_err(|_| row.corrupt(column))
}

fn permit(row: &Row) -> Result<PermitRow> {
    let permit = Permit {
        id: row.get("id")?,
        remit: row.id("remit")?,
        attempt: u32::try_from(row.get::<i64>("attempt")?).map_err(|_| row.corrupt("attempt"))?,
        bank_order_no: row.get("bank_order_no")?,
        amount: money(row, "amount_fen")?,
        pay_before: row.time("pay_before")?,
        pay_cutoff: row.time("pay_cutoff")?,
        issued_at: row.time("issued_at")?,
        observed_real: row.time("observed_real")?,
        state: row.get("state")?,
    };
    Ok(PermitRow { permit, tenant: row.get("tenant")? })
}

fn evidence(row: &Row) -> Result<EvidenceRow> {
    let evidence = Evidence {
        id: row.get("id")?,
        remit: row.id("remit")?,
        permit: row.get("permit")?,
        amount: money(row, "amount_fen")?,
        paid_at: row.time("paid_at")?,
        bank_serial: row.get("bank_serial")?,
        source: row.get("source")?,
        at: row.time("at")?,
    };
    Ok(EvidenceRow { evidence, revoked_at: row.time_or("revoked_at")? })
}

pub(crate) fn case(row: &Row) -> Result<Case> {
    let severity =
        serde_json::from_value(row.get::<String>("severity")?.into()).map_err(|_| row.corrupt("severity"))?;
    let open = OpenCase {
        id: row.get("id")?,
        kind: row.get("kind")?,
        severity,
        owner_role: row.get("owner_role")?,
        opened_at: row.time("opened_at")?,
        sla_at: row.time("sla_at")?,
        moves: row.json("moves")?,
        facts: row.json("facts")?,
        group: row.get("group_key")?,
    };
    Ok(Case {
        open,
        instance: row.id("instance")?,
        workflow: row.get("workflow")?,
        tenant: row.get("tenant")?,
        state: row.get("state")?,
        proposal: row.json_or("proposal")?,
        approved_by: row.get("approved_by")?,
        resolved_at: row.time_or("resolved_at")?,
        resolved_how: row.get("resolved_how")?,
    })
}

fn task(row: &Row) -> Result<Task> {
    Ok(Task {
        id: row.get("id")?,
        kind: row.get("kind")?,
        instance: row.id("instance")?,
        tenant: row.get("tenant")?,
        sla_at: row.time("sla_at")?,
        opened_at: row.time("opened_at")?,
        closed_at: row.time_or("closed_at")?,
    })
}

pub(crate) fn entry(row: &Row) -> Result<Entry> {
    let line = Line {
        event: row.get("event")?,
        detail: row.json("detail")?,
        from: row.get("from_state")?,
        to: row.get("to_state")?,
        at: row.time("at")?,
        cause: row.get("cause")?,
        exchange: row.get("exchange")?,
    };
    Ok(Entry { seq: row.get("seq")?, line, hash: row.get("hash")? })
}
