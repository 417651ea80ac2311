//! A part of the database to be audited: what has moved lately or should have, with its families. The rules are the same and see only
//! these rows; each slice is read in a short snapshot of its own, because a long one holds the vacuum back, and with it every claim.

use crate::Result;
use crate::sql::{Conn, Outcome, Value};
use crate::watch::{CALM, FIRSTS, in_none};
use domain::Time;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Machines of one slice, their families not counted.
pub(super) const MACHINES: usize = 2000;

/// Whatever a rule reads of one machine, by the column that names the machine.
const TABLES: [(&str, &str); 13] = [
    ("instance", "id"),
    ("identity", "instance"),
    ("history", "instance"),
    ("inbox", "instance"),
    ("outbox", "instance"),
    ("batch_row", "instance"),
    ("exchange", "instance"),
    ("permit", "remit"),
    ("evidence", "remit"),
    ("gate", "remit"),
    ("decision", "remit"),
    ("decision_revision", "remit"),
    ("\"case\"", "instance"),
];

/// The next machines of a round through all of them, and through those that have lines and are not there.
pub(super) const NEXT: &str = "-- audit.next\nselect id from (
    (select id from instance where id > $1 order by id limit $2)
    union (select instance from history where instance > $1 and seq = 1 order by instance limit $2)) n order by id limit $2";

#[derive(Clone)]
pub(super) struct Slice {
    pub(super) ids: Vec<Uuid>,
    pub(super) since: Time,
}

impl Slice {
    /// A rule may compare a machine with its parent, and the sum of its children with it.
    pub(super) async fn with_families(self, c: &mut Conn) -> Outcome<Self> {
        let sql = "-- audit.families\nwith heads as (select instance as id, coalesce(parent, instance) as head from identity where instance = any($1))
select id from heads union select head from heads
union select n.instance from identity n where n.parent is not null and n.parent = any(array(select head from heads))
union select unnest($1)";
        let rows = c.all(sql, vec![self.ids.into()]).await?;
        let ids = rows.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
        Ok(Self { ids, since: self.since })
    }
}

/// What has moved since $1, what is in doubt or paid and not levied, and what was due at $2 and has not moved: rules that time alone can
/// break are broken there.
pub(super) fn lately() -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "-- audit.lately\n{FIRSTS} select instance as id from history where at >= $1
union select id from instance where state_name not in ('cancelled', 'auto_closed_unpaid') and {}
union select d.id from groups g cross join lateral (
    select i.id from instance i where i.lane = g.lane and i.class = g.class and i.tenant = g.tenant
    and i.wake_at is not null and i.token is null and i.wake_at <= $2 order by i.wake_at limit 1000) d",
        in_none(&CALM)
    ))
}

/// The same query over a slice: each table it names is that table's part.
pub(super) fn cut(sql: String, mut values: Vec<Value>, slice: Option<&Slice>) -> (String, Vec<Value>) {
    let Some(slice) = slice else { return (sql, values) };
    values.push(slice.ids.clone().into());
    let n = values.len();
    let part = |(table, column): (&str, &str)| {
        format!("{table} as not materialized (select * from {table} where {column} = any(${n}::uuid[]))")
    };
    let parts = TABLES.map(part).join(",\n");
    let (name, body) = sql.split_once('\n').unwrap_or(("", &sql));
    let cut = match body.strip_prefix("with ") {
        Some(rest) => format!("{name}\nwith {parts},\n{rest}"),
        None => format!("{name}\nwith {parts}\n{body}"),
    };
    (cut, values)
}
