//! What a machine is found by: its business key, its address, its parent and its person.
//!
//! None of it ever changes, and a machine's row is rewritten by every turn: an index on that row costs a write at each of them. So what
//! is found by stands in a table of its own, written once, before its machine; that table's keys are what makes a machine one of its
//! kind. The row has copies of it, so that whoever has the row needs no join. Only lookups read from here.

use crate::sql::{Conn, Into, Outcome, Row};
use crate::{Kind, NewInstance, Result};
use domain::InstanceId;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

const TAKE: Into = Into {
    name: "identity.take",
    table: "identity",
    columns: "instance uuid, tenant text, workflow text, business_key text, address text, parent uuid, person uuid",
    suffix: "on conflict do nothing returning instance",
};

/// Writes down what these machines will be found by, and answers those that are new. The others have met one with the same id, key or
/// address; where that one's transaction is still under way, this has waited for its end.
pub(crate) async fn take(c: &mut Conn, news: &[NewInstance]) -> Outcome<BTreeSet<Uuid>> {
    let row = |new: &NewInstance| {
        vec![
            new.id.into(),
            (&new.tenant).into(),
            (&new.workflow).into(),
            (&new.business_key).into(),
            new.address.clone().into(),
            new.parent.into(),
            new.person.into(),
        ]
    };
    let taken = c.insert(&TAKE, news.iter().map(row).collect()).await?;
    Ok(taken.iter().map(|row| row.get("instance")).collect::<Result<_>>()?)
}

/// Tenant, workflow, business key.
pub(crate) type Key = (String, String, String);

pub(crate) fn key_of(new: &NewInstance) -> Key {
    (new.tenant.clone(), new.workflow.clone(), new.business_key.clone())
}

/// The machines that have the keys of these, each with the digest of its content.
pub(crate) async fn existing<'n>(
    c: &mut Conn,
    news: impl Iterator<Item = &'n NewInstance>,
) -> Outcome<HashMap<Key, (InstanceId, String)>> {
    let pg = "-- identity.existing\nselect i.id, i.tenant, i.workflow, i.business_key, i.content_hash \
              from unnest($1::text[], $2::text[], $3::text[]) x(t, w, k) \
              join identity n on n.tenant = x.t and n.workflow = x.w and n.business_key = x.k join instance i on i.id = n.instance";
    let lite = "-- identity.existing\nselect i.id, i.tenant, i.workflow, i.business_key, i.content_hash \
                from identity n join instance i on i.id = n.instance where n.tenant = $1 and n.workflow = $2 and n.business_key = $3";
    let rows = news.map(|n| vec![(&n.tenant).into(), (&n.workflow).into(), (&n.business_key).into()]).collect();
    let rows = c.each(pg, lite, rows).await?;
    let read = |row: &Row| -> Result<(Key, (InstanceId, String))> {
        Ok((
            (row.get("tenant")?, row.get("workflow")?, row.get("business_key")?),
            (row.id("id")?, row.get("content_hash")?),
        ))
    };
    Ok(rows.iter().map(read).collect::<Result<_>>()?)
}

/// A row of `instance` is one of those found by `tests`. They are found first: PostgreSQL could otherwise look at every machine there
/// is, one by one.
pub(crate) fn found(kind: Kind, tests: &str) -> String {
    match kind {
        Kind::Postgres => format!("id = any(array(select instance from identity where {tests}))"),
        Kind::Sqlite | Kind::Memory => format!("id in (select instance from identity where {tests})"),
    }
}
