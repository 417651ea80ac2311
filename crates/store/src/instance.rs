//! Machines: inserting them with what came before them, and reading them.

use crate::sql::{Conn, Fail, Into, Outcome, Row, Value, among};
use crate::writes::{self, Owner};
use crate::{
    ClaimAsk, Claimed, Error, Filter, Held, Instance, NewInstance, Result, Sql, Submitted, chain, claim, inbox, rank,
};
use domain::InstanceId;
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

const INSERT: Into = Into {
    name: "instance.submit",
    table: "instance",
    columns: "id uuid, workflow text, tenant text, account text, business_key text, address text, parent uuid, person uuid, batch uuid, \
              batch_row bigint, content_hash text, input text, state text, state_name text, revision bigint, head text, wake_at bigint, \
              lane text, class bigint, created_at bigint, updated_at bigint",
    suffix: "on conflict do nothing returning id",
};
pub(crate) const HISTORY: Into = Into {
    name: "history.append",
    table: "history",
    columns: "instance uuid, seq bigint, event text, detail text, from_state text, to_state text, at bigint, cause text, exchange uuid, hash text",
    suffix: "",
};
const GUARD: Into = Into {
    name: "duplicate.take",
    table: "duplicate",
    columns: "key text, instance uuid",
    suffix: "on conflict do nothing returning instance",
};
const COLUMNS: &str = "id, workflow, tenant, account, business_key, address, parent, person, content_hash, input, state, state_name, revision, \
                       head, wake_at, lane, claims, claimed_until, created_at, updated_at";

impl Sql {
    pub(crate) async fn submit(
        &self,
        instances: Vec<NewInstance>,
        take: Option<ClaimAsk>,
    ) -> Result<(Vec<Submitted>, Vec<Claimed>)> {
        let (work, clock) = (Arc::new((instances, take)), self.clock.clone());
        self.pool
            .write(move |c| {
                let (work, real) = (work.clone(), clock.real());
                Box::pin(async move {
                    // Never claimed twice: what a lost COMMIT has claimed is known when this is repeated, and its lease lapses.
                    let (instances, take) = &*work;
                    let submitted = insert(c, instances).await?;
                    let created = instances.iter().zip(&submitted);
                    let created = created.filter(|(new, answer)| **answer == Submitted::Created(new.id));
                    let claimed = match take {
                        Some(ask) => {
                            let due = created.filter_map(|(new, _)| rank::new(new)).collect();
                            claim::take(c, due, ask, real).await?
                        }
                        None => Vec::new(),
                    };
                    Ok((submitted, claimed))
                })
            })
            .await
    }

    pub(crate) async fn instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        let sql = format!("-- instance.get\nselect {COLUMNS} from instance where id = $1");
        self.one(AssertSqlSafe(sql), vec![id.into()]).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn instances_by_keys(
        &self,
        tenant: &str,
        workflow: &str,
        keys: &[String],
    ) -> Result<Vec<Instance>> {
        let columns = COLUMNS.split(',').map(|column| format!("i.{}", column.trim())).collect::<Vec<_>>().join(", ");
        let pg = format!(
            "-- instance.by_keys\nselect {columns} from unnest($1::text[], $2::text[], $3::text[]) x(t, w, k) \
             join instance i on i.tenant = x.t and i.workflow = x.w and i.business_key = x.k"
        );
        let lite = format!(
            "-- instance.by_keys\nselect {COLUMNS} from instance where tenant = $1 and workflow = $2 and business_key = $3"
        );
        let rows = keys.iter().map(|key| vec![tenant.into(), workflow.into(), key.into()]).collect();
        let rows = self.pool.reader().await?.each(AssertSqlSafe(pg), AssertSqlSafe(lite), rows).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn children_of(&self, parents: &[InstanceId]) -> Result<Vec<Instance>> {
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        // Said twice for the planner: the index has no rows without a parent.
        let chosen = self.chosen("parent", 1);
        let sql = format!(
            "-- instance.children\nselect {COLUMNS} from instance where {chosen} and parent is not null order by id"
        );
        let parents: Vec<Uuid> = parents.iter().map(|parent| parent.0).collect();
        self.all(AssertSqlSafe(sql), vec![parents.into()]).await?.iter().map(read).collect()
    }

    pub(crate) async fn list(&self, filter: Filter) -> Result<Vec<Instance>> {
        let mut values: Vec<Value> = Vec::new();
        let mut wanted = vec!["true".to_owned()];
        let mut want = |test: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                wanted.push(format!("{test} ${}", values.len()));
            }
        };
        want("workflow =", filter.workflow.map(Value::from));
        want("tenant =", filter.tenant.map(Value::from));
        want("state_name =", filter.state.map(Value::from));
        want("business_key =", filter.business_key.map(Value::from));
        want("parent =", filter.parent.map(Value::from));
        want("created_at >=", filter.since.map(Value::from));
        want("created_at <", filter.until.map(Value::from));
        want("id <", filter.cursor.map(Value::from));
        want("", None);
        let mut c = self.pool.reader().await?;
        if let Some(persons) = filter.persons {
            values.push(persons.into());
            wanted.push(among(&c, "person", values.len()));
        }
        values.push(limit(filter.limit));
        let sql = format!(
            "-- instance.list\nselect {COLUMNS} from instance where {} order by id desc limit ${}",
            wanted.join(" and "),
            values.len()
        );
        c.all(AssertSqlSafe(sql), values).await?.iter().map(read).collect()
    }
}

pub(crate) fn limit(limit: usize) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

fn read(row: &Row) -> Result<Instance> {
    Ok(Instance {
        id: row.id("id")?,
        workflow: row.get("workflow")?,
        tenant: row.get("tenant")?,
        account: row.get("account")?,
        business_key: row.get("business_key")?,
        address: row.get("address")?,
        parent: row.id_or("parent")?,
        person: row.get("person")?,
        content_hash: row.get("content_hash")?,
        input: row.json("input")?,
        state: row.json("state")?,
        state_name: row.get("state_name")?,
        revision: row.get("revision")?,
        head: row.get("head")?,
        wake_at: row.time_or("wake_at")?,
        lane: row.get("lane")?,
        claims: i32::try_from(row.get::<i64>("claims")?).map_err(|_| row.corrupt("claims"))?,
        claimed_until: row.time_or("claimed_until")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Inserts machines inside the caller's transaction and answers in order.
pub(crate) async fn insert(c: &mut Conn, news: &[NewInstance]) -> Outcome<Vec<Submitted>> {
    if news.is_empty() {
        return Ok(Vec::new());
    }
    // A post may know it by its address or by its id.
    let names = news.iter().flat_map(|n| [Some(n.id.to_string()), n.address.clone()]).flatten();
    inbox::hold_addresses(c, names.collect(), inbox::Hold::Shared).await?;
    let created = c.insert(&INSERT, news.iter().map(row_of).collect()).await?;
    let mut created: BTreeSet<Uuid> = created.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
    let held = hold_duplicates(c, news, &created).await?;
    let fresh: Vec<&NewInstance> = news.iter().filter(|n| created.contains(&n.id.0)).collect();
    c.insert(&HISTORY, fresh.iter().map(|new| first_row(new, held.get(&new.id.0).copied())).collect()).await?;
    inbox::adopt(c, &fresh).await?;
    let known = existing(c, news.iter().filter(|n| !created.contains(&n.id.0))).await?;
    // The same key twice in one call: the first made the row, the second finds it.
    news.iter()
        .map(|new| {
            if created.remove(&new.id.0) {
                return Ok(Submitted::Created(new.id));
            }
            match known.get(&key_of(new)) {
                Some((id, hash)) if *hash == new.content_hash => Ok(Submitted::Known(*id)),
                Some((id, _)) => Ok(Submitted::Differs(*id)),
                // Not its key, so its id or its address is another machine's.
                None => Err(Fail::Store(Error::Forbidden("instance_address".into()))),
            }
        })
        .collect()
}

type Key = (String, String, String);

fn key_of(new: &NewInstance) -> Key {
    (new.tenant.clone(), new.workflow.clone(), new.business_key.clone())
}

fn row_of(new: &NewInstance) -> Vec<Value> {
    let line = chain::first_line(new, &new.state_name);
    vec![
        new.id.into(),
        (&new.workflow).into(),
        (&new.tenant).into(),
        (&new.account).into(),
        (&new.business_key).into(),
        new.address.clone().into(),
        new.parent.into(),
        new.person.into(),
        new.batch_row.map(|(batch, _)| batch).into(),
        new.batch_row.map(|(_, row)| row).into(),
        (&new.content_hash).into(),
        (&new.input).into(),
        (&new.state).into(),
        (&new.state_name).into(),
        1.into(),
        chain::line("", new.id.0, 1, &line).into(),
        new.due.wake_at.into(),
        (&new.due.lane).into(),
        i64::from(new.due.class).into(),
        new.at.into(),
        new.at.into(),
    ]
}

fn first_row(new: &NewInstance, held: Option<&Held>) -> Vec<Value> {
    let line = chain::first_line(new, held.map_or(&new.state_name, |h| &h.state_name));
    let hash = chain::line("", new.id.0, 1, &line);
    history_row(new.id, 1, &line, hash)
}

pub(crate) fn history_row(id: InstanceId, seq: i64, line: &crate::Line, hash: String) -> Vec<Value> {
    vec![
        id.into(),
        seq.into(),
        (&line.event).into(),
        (&line.detail).into(),
        (&line.from).into(),
        (&line.to).into(),
        line.at.into(),
        (&line.cause).into(),
        line.exchange.into(),
        hash.into(),
    ]
}

/// Takes the guards' keys; machines that come second start held, with the writes that give them an owner (P12).
async fn hold_duplicates<'n>(
    c: &mut Conn,
    news: &'n [NewInstance],
    created: &BTreeSet<Uuid>,
) -> Outcome<HashMap<Uuid, &'n Held>> {
    let guarded =
        news.iter().filter(|n| created.contains(&n.id.0)).filter_map(|n| n.guard.as_ref().map(|guard| (n, guard)));
    // In order of keys, so that two calls never wait for each other crosswise.
    let guarded: BTreeMap<(&str, usize), (&NewInstance, &Held)> =
        guarded.enumerate().map(|(place, (new, guard))| ((guard.key.as_str(), place), (new, &guard.held))).collect();
    let rows = guarded.iter().map(|((key, _), (new, _))| vec![(*key).into(), new.id.into()]).collect();
    let taken = c.insert(&GUARD, rows).await?;
    let taken: BTreeSet<Uuid> = taken.iter().map(|row| row.get("instance")).collect::<Result<_>>()?;
    let held: HashMap<Uuid, &Held> =
        guarded.values().filter(|(new, _)| !taken.contains(&new.id.0)).map(|(new, held)| (new.id.0, *held)).collect();
    for (new, held) in guarded.values().filter(|(new, _)| held.contains_key(&new.id.0)) {
        let head = chain::line("", new.id.0, 1, &chain::first_line(new, &held.state_name));
        let emits = writes::emits(&held.writes);
        let values = vec![
            new.id.into(),
            (&held.state).into(),
            (&held.state_name).into(),
            head.into(),
            held.due.wake_at.into(),
            (&held.due.lane).into(),
            i64::from(held.due.class).into(),
            emits.into(),
        ];
        let sql = "-- instance.hold\nupdate instance set state = $2, state_name = $3, head = $4, wake_at = $5, lane = $6, class = $7, \
                   emitted = $8 where id = $1";
        c.exec(sql, values).await?;
        let owner = Owner {
            id: new.id,
            tenant: &new.tenant,
            workflow: &new.workflow,
            at: new.at,
            real: new.at,
            revision: 1,
            first_seq: 1,
        };
        writes::apply(c, &[(owner, &held.writes)]).await?;
    }
    Ok(held)
}

async fn existing<'n>(
    c: &mut Conn,
    news: impl Iterator<Item = &'n NewInstance>,
) -> Outcome<HashMap<Key, (InstanceId, String)>> {
    let pg = "-- instance.existing\nselect i.id, i.tenant, i.workflow, i.business_key, i.content_hash \
              from unnest($1::text[], $2::text[], $3::text[]) x(t, w, k) \
              join instance i on i.tenant = x.t and i.workflow = x.w and i.business_key = x.k";
    let lite = "-- instance.existing\nselect id, tenant, workflow, business_key, content_hash from instance \
                where tenant = $1 and workflow = $2 and business_key = $3";
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
