//! A database as it is after months, for benchmarks: few genuine orders that wait for their payment, and very many copies of them. Only
//! PostgreSQL; never beside anybody's data.
//!
//! A copy is a whole order with its remit: both machines, histories, exchanges, letters and outbox, under ids, keys and addresses of
//! their own. Two things of it are not genuine: sealed bytes open only under the first id, and the histories' hashes are the first's.

use crate::connect::work;
use crate::sql::{Pool, Value};
use crate::{Error, Inner, Kind, Result, Sql, Store};
use domain::{InstanceId, Time};
use sqlx::AssertSqlSafe;
use std::ops::Range;
use std::time::Duration;
use uuid::Uuid;

/// What is copied, and how the copies differ.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Orders with one remit each, in the state that all copies are in.
    pub shapes: Vec<InstanceId>,
    /// Each copy is one of these people's.
    pub persons: Vec<Uuid>,
    pub count: i64,
    /// The copies were made during `spread` until now, and are due again during `spread` from `due` on.
    pub now: Time,
    pub due: Time,
    pub spread: Duration,
}

/// Copies made in one transaction.
const CHUNK: i64 = 50_000;

/// The shapes as they are now: the genuine ones go on living.
const KEEP: [&str; 6] = [
    "-- parked.keep\ncreate unlogged table parked_instance as select i.*, row_number() over (partition by i.parent is null order by coalesce(i.parent, i.id)) - 1 as shape \
     from instance i where i.id = any($1) or i.parent = any($1)",
    "-- parked.keep\ncreate unlogged table parked_history as select * from history where instance in (select id from parked_instance) and $1 <> '{}'::uuid[]",
    "-- parked.keep\ncreate unlogged table parked_exchange as select * from exchange where instance in (select id from parked_instance) and $1 <> '{}'::uuid[]",
    "-- parked.keep\ncreate unlogged table parked_inbox as select * from inbox where instance in (select id from parked_instance) and $1 <> '{}'::uuid[]",
    "-- parked.keep\ncreate unlogged table parked_outbox as select * from outbox where instance in (select id from parked_instance) and $1 <> '{}'::uuid[]",
    "-- parked.keep\ncreate unlogged table parked_duplicate as select * from duplicate where instance in (select id from parked_instance) and $1 <> '{}'::uuid[]",
];

const PEOPLE: &str = "-- parked.people\ncreate unlogged table parked_person as select id, ordinality - 1 as place from unnest($1::uuid[]) with ordinality x(id, ordinality)";

/// Every copy with the ids it has instead of its shape's. Ids are in order of time, as drawn ones are.
const COPIES: &str = "with drawn as (
    select n, $3 - $5 + n * $5 / $6 as at, $4 + n * $5 / $6 as due, md5('o' || n) as o, md5('r' || n) as r
    from generate_series($1::bigint, $2::bigint - 1) n
), copy as materialized (
    select d.n, d.at, d.due, s.id as was_order, t.id as was_remit, p.id as person, s.person::text as was_person,
        coalesce(t.input::json ->> 'pay_cutoff', '-') as was_cutoff,
        (lpad(to_hex(d.at), 12, '0') || '7' || substr(d.o, 1, 3) || '8' || substr(d.o, 4, 15))::uuid as new_order,
        (lpad(to_hex(d.at), 12, '0') || '7' || substr(d.r, 1, 3) || '9' || substr(d.r, 4, 15))::uuid as new_remit
    from drawn d
    join parked_instance s on s.parent is null and s.shape = d.n % (select count(*) from parked_instance where parent is null)
    join parked_instance t on t.parent = s.id
    join parked_person p on p.place = d.n % (select count(*) from parked_person)
), each as (
    select was_order as was, new_order as id, c.* from copy c union all select was_remit, new_remit, c.* from copy c
)";

fn swapped(text: &str) -> String {
    format!(
        "replace(replace(replace(replace({text}, e.was_order::text, e.new_order::text), e.was_remit::text, e.new_remit::text), \
         e.was_person, e.person::text), e.was_cutoff, $7)"
    )
}

/// A new id for something of a copy, from the id of what it copies.
fn redrawn(id: &str) -> String {
    format!(
        "(lpad(to_hex(e.at), 12, '0') || '7' || substr(md5({id}::text || e.n), 1, 3) || 'a' || substr(md5({id}::text || e.n), 4, 15))::uuid"
    )
}

fn copies() -> [String; 7] {
    let (input, state, detail, event, body) =
        (swapped("t.input"), swapped("t.state"), swapped("t.detail"), swapped("t.event"), swapped("t.body"));
    let (exchange, of_exchange, letter) = (redrawn("t.id"), redrawn("t.exchange"), redrawn("t.id"));
    [
        format!(
            "-- parked.identity\n{COPIES} insert into identity select e.id, t.tenant, t.workflow, t.business_key || '-' || e.n, \
             t.address || '-' || e.n, case when t.parent is not null then e.new_order end, e.person \
             from each e join parked_instance t on t.id = e.was where $7 <> ''"
        ),
        format!(
            "-- parked.instance\n{COPIES} insert into instance select e.id, t.workflow, t.tenant, t.account, t.business_key || '-' || e.n, \
             t.address || '-' || e.n, case when t.parent is not null then e.new_order end, e.person, null, null, t.content_hash, {input}, {state}, \
             t.state_name, t.revision, t.head, case when t.wake_at is not null then e.due end, t.lane, t.class, t.signals, t.seen, t.emitted, \
             null, null, 0, e.at, e.at from each e join parked_instance t on t.id = e.was"
        ),
        format!(
            "-- parked.history\n{COPIES} insert into history select e.id, t.seq, t.event, {detail}, t.from_state, t.to_state, e.at, t.cause, \
             case when t.exchange is not null then {of_exchange} end, t.hash from each e join parked_history t on t.instance = e.was"
        ),
        format!(
            "-- parked.exchange\n{COPIES} insert into exchange select {exchange}, e.id, t.tenant, t.account, t.operation, t.request, t.answer, \
             t.status, t.verdict, t.took_ms, e.at from each e join parked_exchange t on t.instance = e.was where $7 <> ''"
        ),
        format!(
            "-- parked.inbox\n{COPIES} insert into inbox select {letter}, t.tenant, e.id, null, {event}, t.source, t.dedupe || '-' || e.n, t.raw, \
             e.at, e.at, t.answer from each e join parked_inbox t on t.instance = e.was"
        ),
        format!(
            "-- parked.outbox\n{COPIES} insert into outbox select e.id, t.seq, t.tenant, t.topic, {body}, e.at, t.delivered_at \
             from each e join parked_outbox t on t.instance = e.was"
        ),
        format!(
            "-- parked.duplicate\n{COPIES} insert into duplicate select t.key || '-' || e.n, e.id \
             from each e join parked_duplicate t on t.instance = e.was where $7 <> ''"
        ),
    ]
}

impl Store {
    /// Fills the database with copies, and gathers the planner's statistics. Far more in one go than a product ever writes.
    pub async fn park(&self, parked: Parked) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) if sql.kind() == Kind::Postgres => sql.park(parked).await,
            Inner::Sql(_) | Inner::Memory(_) => Err(Error::Refused("copies are made in PostgreSQL only".into())),
        }
    }

    /// What all tables with their indexes take on disk.
    pub async fn bytes(&self) -> Result<Option<i64>> {
        let Inner::Sql(sql) = &self.inner else { return Ok(None) };
        if sql.kind() != Kind::Postgres {
            return Ok(None);
        }
        let bytes = "-- server.bytes\nselect sum(pg_total_relation_size(c.oid))::bigint as bytes from pg_class c \
                     where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace";
        sql.one(bytes, vec![]).await?.map(|row| row.get("bytes")).transpose()
    }
}

impl Sql {
    async fn park(&self, parked: Parked) -> Result<()> {
        let shapes: Vec<Uuid> = parked.shapes.iter().map(|id| id.0).collect();
        for table in KEEP {
            self.at_leisure(vec![table.to_owned()], vec![shapes.clone().into()]).await?;
        }
        self.at_leisure(vec![PEOPLE.to_owned()], vec![parked.persons.clone().into()]).await?;
        let mut from = 0;
        while from < parked.count {
            let chunk = from..(from + CHUNK).min(parked.count);
            from = chunk.end;
            self.copy(&parked, chunk).await?;
        }
        let names = "instance, identity, history, exchange, inbox, outbox, duplicate, person";
        let gone = "-- parked.gone\ndrop table parked_instance, parked_history, parked_exchange, parked_inbox, parked_outbox, parked_duplicate, parked_person";
        self.at_leisure(vec![gone.to_owned()], vec![]).await?;
        let Pool::Pg { write, .. } = &self.pool else { return Ok(()) };
        // One connection, and no transaction around it.
        let mut connection = write.acquire().await.map_err(|_| Error::Unavailable)?;
        let vacuum = format!("vacuum (analyze) {names}");
        for statement in ["set statement_timeout = 0", &vacuum, "reset statement_timeout"] {
            let run = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *connection);
            run.await.map_err(|_| Error::Unavailable)?;
        }
        Ok(())
    }

    async fn copy(&self, parked: &Parked, chunk: Range<i64>) -> Result<()> {
        let spread = i64::try_from(parked.spread.as_millis()).unwrap_or(i64::MAX);
        let values = vec![
            chunk.start.into(),
            chunk.end.into(),
            parked.now.into(),
            parked.due.into(),
            spread.into(),
            parked.count.into(),
            parked.due.to_string().into(),
        ];
        self.at_leisure(copies().to_vec(), values).await
    }

    /// One transaction that no time-out ends.
    async fn at_leisure(&self, statements: Vec<String>, values: Vec<Value>) -> Result<()> {
        let work = work(move |c| {
            let (statements, values) = (statements.clone(), values.clone());
            Box::pin(async move {
                c.run("SET LOCAL statement_timeout = 0; SET LOCAL enable_seqscan = on").await?;
                for statement in statements {
                    c.exec(AssertSqlSafe(statement), values.clone()).await?;
                }
                Ok(())
            })
        });
        Ok(self.pool.once(work).await?)
    }
}
