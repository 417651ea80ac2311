//! Machines: inserting them with what came before them, and reading them.

use crate::claim::Taking;
use crate::sql::{Conn, Fail, Into, Outcome, Row, Value, among};
use crate::writes::{self, Owner};
use crate::{
    Claimed, Error, Filter, Held, Instance, Kind, Line, NewInstance, Result, Sql, Submitted, chain, identity, inbox,
};
use domain::{InstanceId, Time, ids};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;
use uuid::Uuid;

const INSERT: Into = Into {
    name: "instance.submit",
    table: "instance",
    columns: "id uuid, workflow text, tenant text, account text, business_key text, address text, parent uuid, person uuid, batch uuid, \
              batch_row bigint, content_hash text, input text, state text, state_name text, revision bigint, head text, wake_at bigint, \
              lane text, class bigint, token uuid, claimed_until bigint, claims bigint, created_at bigint, updated_at bigint",
    suffix: "",
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
/// How far the time of an id and that of its row may be apart.
const APART: Duration = Duration::from_secs(3600);
const COLUMNS: &str = "id, workflow, tenant, account, business_key, address, parent, person, content_hash, input, state, state_name, revision, \
                       head, wake_at, lane, claims, claimed_until, created_at, updated_at";
static GET: LazyLock<String> =
    LazyLock::new(|| format!("-- instance.get\nselect {COLUMNS} from instance where id = $1"));

impl Sql {
    pub(crate) async fn instance(&self, id: InstanceId) -> Result<Option<Instance>> {
        self.by_id(&GET, id.0).await?.as_deref().map(read).transpose()
    }

    pub(crate) async fn of_same_people(
        &self,
        tenant: &str,
        workflow: &str,
        persons: &[Uuid],
        since: Time,
    ) -> Result<Vec<(Uuid, Instance)>> {
        let mut c = self.pool.reader().await?;
        let sql = format!(
            "-- instance.of_same_people\nselect a.id as asked, {} from person a \
             join person b on b.tenant = a.tenant and b.id_card_ix = a.id_card_ix join identity n on n.person = b.id and n.workflow = $2 \
             join instance i on i.id = n.instance where a.tenant = $1 and {} and i.created_at >= $4 order by i.id",
            columns_of("i"),
            among(&c, "a.id", 3)
        );
        let rows = c
            .all(AssertSqlSafe(sql), vec![tenant.into(), workflow.into(), persons.to_vec().into(), since.into()])
            .await?;
        rows.iter().map(|row| Ok((row.get("asked")?, read(row)?))).collect()
    }

    pub(crate) async fn instances_by_keys(
        &self,
        tenant: &str,
        workflow: &str,
        keys: &[String],
    ) -> Result<Vec<Instance>> {
        let columns = columns_of("i");
        let pg = format!(
            "-- instance.by_keys\nselect {columns} from unnest($1::text[], $2::text[], $3::text[]) x(t, w, k) \
             join identity n on n.tenant = x.t and n.workflow = x.w and n.business_key = x.k join instance i on i.id = n.instance"
        );
        let lite = format!(
            "-- instance.by_keys\nselect {columns} from identity n join instance i on i.id = n.instance \
             where n.tenant = $1 and n.workflow = $2 and n.business_key = $3"
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
        let named = identity::found(self.kind(), &format!("{} and parent is not null", self.chosen("parent", 1)));
        let sql = format!("-- instance.children\nselect {COLUMNS} from instance where {named} order by id");
        let parents: Vec<Uuid> = parents.iter().map(|parent| parent.0).collect();
        self.all(AssertSqlSafe(sql), vec![parents.into()]).await?.iter().map(read).collect()
    }

    pub(crate) async fn list(&self, filter: Filter) -> Result<Vec<Instance>> {
        let named = filter.business_key.is_some() || filter.parent.is_some() || filter.persons.is_some();
        let broad = filter.tenant.is_some() && filter.workflow.is_some() && filter.state.is_none() && !named;
        let mut values: Vec<Value> = Vec::new();
        let mut want = |tests: &mut Vec<String>, test: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                tests.push(format!("{test} ${}", values.len()));
            }
        };
        let mut wanted = vec!["true".to_owned()];
        want(&mut wanted, "tenant =", filter.tenant.map(Value::from));
        want(&mut wanted, "workflow =", filter.workflow.map(Value::from));
        // A key is one of a tenant and a workflow.
        let mut names = if filter.business_key.is_some() { wanted.clone() } else { Vec::new() };
        want(&mut names, "business_key =", filter.business_key.map(Value::from));
        want(&mut names, "parent =", filter.parent.map(Value::from));
        want(&mut wanted, "state_name =", filter.state.map(Value::from));
        want(&mut wanted, "created_at >=", filter.since.map(Value::from));
        want(&mut wanted, "created_at <", filter.until.map(Value::from));
        // Said twice: an id is drawn about when its row is written, and only ids are in order.
        want(&mut wanted, "id >=", filter.since.map(|since| ids::first(since - APART).into()));
        want(&mut wanted, "id <", filter.until.map(|until| ids::first(until + APART).into()));
        want(&mut wanted, "id <", filter.cursor.map(Value::from));
        if let Some(persons) = filter.persons {
            values.push(persons.into());
            names.push(self.chosen("person", values.len()));
        }
        if named {
            wanted.push(identity::found(self.kind(), &names.join(" and ")));
        }
        values.push(limit(filter.limit));
        let mut c = self.pool.reader().await?;
        if broad && self.kind() == Kind::Postgres {
            let sql = newest(&wanted.join(" and "), values.len());
            return c.all(AssertSqlSafe(sql), values).await?.iter().map(read).collect();
        }
        let sql = format!(
            "-- instance.list\nselect {COLUMNS} from instance where {} order by id desc limit ${}",
            wanted.join(" and "),
            values.len()
        );
        c.all(AssertSqlSafe(sql), values).await?.iter().map(read).collect()
    }
}

/// The newest machines of a tenant ($1) and workflow ($2) in any state: the newest of each state, merged. The index is in order within a
/// state, and a list that has it walk through all machines of the tenant would grow with them.
fn newest(wanted: &str, limit: usize) -> String {
    format!(
        "-- instance.list\nwith recursive states(name) as (
    (select state_name from instance where tenant = $1 and workflow = $2 order by state_name limit 1)
    union all
    select n.state_name from states s cross join lateral (select i.state_name from instance i
        where i.tenant = $1 and i.workflow = $2 and i.state_name > s.name order by i.state_name limit 1) n
), newest as (
    select n.id from states s cross join lateral (
        select id from instance where {wanted} and state_name = s.name order by id desc limit ${limit}) n
    order by n.id desc limit ${limit}
)
select {COLUMNS} from newest join instance using (id) order by id desc"
    )
}

pub(crate) fn limit(limit: usize) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

fn columns_of(table: &str) -> String {
    COLUMNS.split(',').map(|column| format!("{table}.{}", column.trim())).collect::<Vec<_>>().join(", ")
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

/// Inserts machines inside the caller's transaction and answers in order, with those of them that it claims.
pub(crate) async fn insert(
    c: &mut Conn,
    news: &[NewInstance],
    taking: &Taking,
) -> Outcome<(Vec<Submitted>, Vec<Claimed>)> {
    if news.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    // A post may know it by its address or by its id.
    let names = news.iter().flat_map(|n| [Some(n.id.to_string()), n.address.clone()]).flatten();
    inbox::hold_addresses(c, names.collect(), inbox::Hold::Shared).await?;
    // Who is there is decided here: a machine that got its names is new.
    let mut created = identity::take(c, news).await?;
    let fresh = news.iter().filter(|new| created.contains(&new.id.0));
    let mut firsts: Vec<First<'_>> = fresh.map(|new| First::new(new, None)).collect();
    c.insert(&INSERT, firsts.iter().map(|first| first.row(taking)).collect()).await?;
    hold_duplicates(c, &mut firsts).await?;
    c.insert(&HISTORY, firsts.iter().map(First::history).collect()).await?;
    inbox::adopt(c, &firsts.iter().map(|first| first.new).collect::<Vec<_>>()).await?;
    let known = identity::existing(c, news.iter().filter(|n| !created.contains(&n.id.0))).await?;
    // The same key twice in one call: the first made the row, the second finds it.
    let answer = |new: &NewInstance| {
        if created.remove(&new.id.0) {
            return Ok(Submitted::Created(new.id));
        }
        match known.get(&identity::key_of(new)) {
            Some((id, hash)) if *hash == new.content_hash => Ok(Submitted::Known(*id)),
            Some((id, _)) => Ok(Submitted::Differs(*id)),
            // Not its key, so its id or its address is another machine's.
            None => Err(Fail::Store(Error::Forbidden("identity_address".into()))),
        }
    };
    let submitted = news.iter().map(answer).collect::<Outcome<_>>()?;
    Ok((submitted, firsts.iter().filter_map(|first| first.claimed(taking)).collect()))
}

/// A new machine with the first line of its history.
struct First<'n> {
    new: &'n NewInstance,
    held: Option<&'n Held>,
    line: Line,
    hash: String,
}

impl<'n> First<'n> {
    fn new(new: &'n NewInstance, held: Option<&'n Held>) -> Self {
        let line = chain::first_line(new, held.map_or(&new.state_name, |held| &held.state_name));
        Self { new, held, hash: chain::line("", new.id.0, 1, &line), line }
    }

    fn row(&self, taking: &Taking) -> Vec<Value> {
        let new = self.new;
        let claim = taking.of(new.id);
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
            (&self.hash).into(),
            new.due.wake_at.into(),
            (&new.due.lane).into(),
            i64::from(new.due.class).into(),
            claim.map(|(token, _)| token).into(),
            claim.map(|(_, until)| until).into(),
            i64::from(claim.is_some()).into(),
            new.at.into(),
            new.at.into(),
        ]
    }

    fn history(&self) -> Vec<Value> {
        history_row(self.new.id, 1, &self.line, self.hash.clone())
    }

    /// As a claim would read it. A letter it adopts is not seen by this claim, and keeps it due.
    fn claimed(&self, taking: &Taking) -> Option<Claimed> {
        let (token, claimed_until) = taking.of(self.new.id).filter(|_| self.held.is_none())?;
        let new = self.new.clone();
        Some(Claimed {
            id: new.id,
            workflow: new.workflow,
            tenant: new.tenant,
            account: new.account,
            business_key: new.business_key,
            address: new.address,
            parent: new.parent,
            person: new.person,
            input: new.input,
            state: new.state,
            state_name: new.state_name,
            revision: 1,
            head: self.hash.clone(),
            token,
            claimed_until,
            claims: 1,
            signals: 0,
            lane: new.due.lane,
            inbox: Vec::new(),
            created_at: new.at,
        })
    }
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

/// Takes the guards' keys; machines that come second start held, with the writes that give them an owner (P12), and unclaimed.
async fn hold_duplicates(c: &mut Conn, firsts: &mut [First<'_>]) -> Outcome<()> {
    let guarded = firsts.iter_mut().enumerate().filter_map(|(place, first)| {
        let guard = first.new.guard.as_ref()?;
        Some(((guard.key.as_str(), place), (first, &guard.held)))
    });
    // In order of keys, so that two calls never wait for each other crosswise.
    let mut guarded: BTreeMap<(&str, usize), (&mut First<'_>, &Held)> = guarded.collect();
    let rows = guarded.iter().map(|((key, _), (first, _))| vec![(*key).into(), first.new.id.into()]).collect();
    let taken = c.insert(&GUARD, rows).await?;
    let taken: BTreeSet<Uuid> = taken.iter().map(|row| row.get("instance")).collect::<Result<_>>()?;
    for (first, held) in guarded.values_mut().filter(|(first, _)| !taken.contains(&first.new.id.0)) {
        let new = first.new;
        **first = First::new(new, Some(held));
        let values = vec![
            new.id.into(),
            (&held.state).into(),
            (&held.state_name).into(),
            (&first.hash).into(),
            held.due.wake_at.into(),
            (&held.due.lane).into(),
            i64::from(held.due.class).into(),
            writes::emits(&held.writes).into(),
        ];
        let sql = "-- instance.hold\nupdate instance set state = $2, state_name = $3, head = $4, wake_at = $5, lane = $6, class = $7, \
                   emitted = $8, token = null, claimed_until = null, claims = 0 where id = $1";
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
    Ok(())
}
