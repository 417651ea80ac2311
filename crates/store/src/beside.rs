//! What stands beside remits, read for a whole list at once.

use crate::sql::Row;
use crate::{Inner, Result, Sql, Store};
use domain::record::{Decision, Evidence, Permit};
use domain::{InstanceId, Money};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

/// The newest of each kind of row; evidence that was revoked and cases that are settled do not count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    pub permit: Option<Permit>,
    pub evidence: Option<Evidence>,
    /// With the arising time of its revision where one was made.
    pub decision: Option<Decision>,
    pub open_case: Option<Uuid>,
    /// How the voucher stands that its payment owes.
    pub voucher: Option<String>,
}

const BESIDE: &str = "select i.id, \
    p.id as permit, p.attempt, p.bank_order_no, p.amount_fen as permit_fen, p.pay_before, p.pay_cutoff, p.issued_at, p.observed_real, p.state, \
    e.id as evidence, e.permit as paid_under, e.amount_fen as evidence_fen, e.paid_at, e.bank_serial, e.source, e.at as kept_at, \
    d.next_step, coalesce(r.evidence, d.evidence) as decided_on, coalesce(r.arising_time, d.arising_time) as arising_time, d.at as decided_at, \
    (select c.id from \"case\" c where c.instance = i.id and c.state <> 'resolved' order by c.id desc limit 1) as open_case, \
    (select v.state_name from identity n join instance v on v.id = n.instance \
        where n.parent = i.id and n.workflow = 'voucher' order by n.instance desc limit 1) as voucher \
    from instance i \
    left join permit p on p.id = (select n.id from permit n where n.remit = i.id order by n.attempt desc limit 1) \
    left join evidence e on e.id = (select n.id from evidence n where n.remit = i.id and n.revoked_at is null order by n.at desc, n.id desc limit 1) \
    left join decision d on d.remit = i.id left join decision_revision r on r.remit = i.id";
static ONE: LazyLock<String> = LazyLock::new(|| format!("-- remit.beside\n{BESIDE} where i.id = $1"));

impl Store {
    /// What stands beside each of these remits, in their order and in one read.
    pub async fn beside(&self, remits: &[InstanceId]) -> Result<Vec<Beside>> {
        match &self.inner {
            Inner::Sql(sql) => sql.beside(remits).await,
            Inner::Memory(memory) => memory.lock().beside(remits),
        }
    }
}

impl Sql {
    async fn beside(&self, remits: &[InstanceId]) -> Result<Vec<Beside>> {
        if let [remit] = remits {
            let row = self.by_id(&ONE, remit.0).await?;
            return Ok(vec![row.map_or_else(|| Ok(Beside::default()), |row| beside(&row))?]);
        }
        if remits.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("-- remit.beside\n{BESIDE} where {}", self.chosen("i.id", 1));
        let wanted: Vec<Uuid> = remits.iter().map(|remit| remit.0).collect();
        let mut found = HashMap::new();
        for row in self.all(AssertSqlSafe(sql), vec![wanted.into()]).await? {
            found.insert(row.id("id")?, beside(&row)?);
        }
        Ok(remits.iter().map(|remit| found.remove(remit).unwrap_or_default()).collect())
    }
}

fn beside(row: &Row) -> Result<Beside> {
    let remit = row.id("id")?;
    let money = |column: &str| Money::from_fen(row.get(column)?).map_err(|_| row.corrupt(column));
    let mut beside = Beside { open_case: row.get("open_case")?, voucher: row.get("voucher")?, ..Beside::default() };
    if let Some(id) = row.get("permit")? {
        beside.permit = Some(Permit {
            id,
            remit,
            attempt: u32::try_from(row.get::<i64>("attempt")?).map_err(|_| row.corrupt("attempt"))?,
            bank_order_no: row.get("bank_order_no")?,
            amount: money("permit_fen")?,
            pay_before: row.time("pay_before")?,
            pay_cutoff: row.time("pay_cutoff")?,
            issued_at: row.time("issued_at")?,
            observed_real: row.time("observed_real")?,
            state: row.get("state")?,
        });
    }
    if let Some(id) = row.get("evidence")? {
        let (permit, source) = (row.get("paid_under")?, row.get("source")?);
        let (amount, paid_at) = (money("evidence_fen")?, row.time("paid_at")?);
        let (bank_serial, at) = (row.get("bank_serial")?, row.time("kept_at")?);
        beside.evidence = Some(Evidence { id, remit, permit, amount, paid_at, bank_serial, source, at });
    }
    if let Some(step) = row.get::<Option<String>>("next_step")? {
        let next_step = serde_json::from_value(step.into()).map_err(|_| row.corrupt("next_step"))?;
        let (evidence, arising_time) = (row.get("decided_on")?, row.time("arising_time")?);
        beside.decision = Some(Decision { remit, next_step, evidence, arising_time, at: row.time("decided_at")? });
    }
    Ok(beside)
}
