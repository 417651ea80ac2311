//! Claims: due machines under a lease, counted durably before a byte leaves (design §4, principle 4).

use crate::connect::work;
use crate::rank::{self, Candidate};
use crate::sql::{Conn, Outcome, Row, Value, among};
use crate::{ClaimAsk, Claimed, LetGo, Letter, Result, Sql, inbox};
use domain::{InstanceId, Time};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// A loose scan steps from group to group of the due index; rows at rest, parked or claimed are not in it. More rows are ranked than
/// wanted, so that a claimer that meets another one's locks still finds work.
const CLAIM: &str = "-- instance.claim
with recursive groups(lane, class, tenant) as (
    (select lane, class, tenant from instance where wake_at is not null and token is null order by lane, class, tenant limit 1)
    union all
    select n.lane, n.class, n.tenant from groups g cross join lateral (
        select i.lane, i.class, i.tenant from instance i
        where i.wake_at is not null and i.token is null and (i.lane, i.class, i.tenant) > (g.lane, g.class, g.tenant)
        order by i.lane, i.class, i.tenant limit 1) n
), open_groups as materialized (
    select g.* from groups g where g.lane <> all ($1::text[]) and ($7::text is null or g.lane = $7) and exists (
        select 1 from instance i where i.lane = g.lane and i.class = g.class and i.tenant = g.tenant
        and i.wake_at is not null and i.token is null and i.wake_at <= $2)
), due as (
    select d.* from open_groups g cross join lateral (
        select i.id, i.lane, i.class, i.tenant, i.wake_at from instance i
        where i.lane = g.lane and i.class = g.class and i.tenant = g.tenant and i.wake_at is not null and i.token is null and i.wake_at <= $2
        order by i.wake_at, i.id limit (select greatest(8, 2 * $3 / greatest(count(*), 1)) from open_groups)) d
    union all
    (select i.id, i.lane, i.class, i.tenant, i.wake_at from instance i
     where i.token is not null and i.claimed_until <= (select levee_now()) and i.wake_at <= $2 and i.lane <> all ($1::text[])
     and ($7::text is null or i.lane = $7)
     order by i.claimed_until, i.id limit $3)
), turned as (
    select d.*, row_number() over (partition by class, tenant order by wake_at, id) as turn from due d
), laned as (
    select t.*, row_number() over (partition by lane order by class, turn, wake_at, id) as in_lane from turned t
), placed as (
    select l.*, row_number() over (partition by class order by turn, wake_at, id) as place from laned l
    left join json_each_text($8::json) r on r.key = l.lane where in_lane <= coalesce(r.value::bigint, $4)
), chosen as (
    select p.id, (place > greatest($3 / 8, 1))::int as spare, class, place from placed p
    order by spare, class, place limit 4 * $3
), taken as (
    select i.id from chosen c join instance i on i.id = c.id
    where i.wake_at <= $2 and (i.token is null or i.claimed_until <= (select levee_now()))
    order by c.spare, c.class, c.place limit $3 for update of i skip locked
)
update instance i set claims = case when i.claims < 3 then i.claims + 1 else i.claims end, token = $5, claimed_until = levee_now() + $6, seen = i.signals
from taken t where i.id = t.id
returning i.id, i.workflow, i.tenant, i.account, i.business_key, i.address, i.parent, i.person, i.input, i.state, i.state_name, i.revision,
    i.head, i.token, i.claimed_until, i.claims, i.signals, i.lane, i.class, i.wake_at, i.created_at";

const TAKE: &str = "-- instance.claim
update instance set claims = case when claims < 3 then claims + 1 else claims end, token = $2, claimed_until = $3, seen = signals where id = $1
returning id, workflow, tenant, account, business_key, address, parent, person, input, state, state_name, revision,
    head, token, claimed_until, claims, signals, lane, class, wake_at, created_at";

impl Sql {
    pub(crate) async fn claim(&self, ask: ClaimAsk) -> Result<Vec<Claimed>> {
        let (ask, token) = (Arc::new(ask), Uuid::new_v4());
        let clock = self.clock.clone();
        let claimed = self.pool.once(move |c| {
            let (ask, real) = (ask.clone(), clock.real());
            // Never repeated: what a lost COMMIT may have claimed expires, and is found in doubt.
            Box::pin(async move { claim(c, &ask, token, real).await })
        });
        Ok(claimed.await?)
    }

    pub(crate) async fn single_out(&self, id: InstanceId, token: Uuid, until: Time) -> Result<Option<i32>> {
        let row = self.pool.once(move |c| {
            Box::pin(async move {
                let sql = "-- instance.single_out\nupdate instance set claims = claims + 1, claimed_until = $3 \
                           where id = $1 and token = $2 returning claims";
                c.one(sql, vec![id.into(), token.into(), until.into()]).await
            })
        });
        let row: Option<Row> = row.await?;
        row.map(|row| i32::try_from(row.get::<i64>("claims")?).map_err(|_| row.corrupt("claims"))).transpose()
    }

    pub(crate) async fn release(&self, claims: Vec<LetGo>) -> Result<()> {
        let claims = Arc::new(claims);
        let work = work(move |c| {
            let claims = claims.clone();
            Box::pin(async move { release(c, &claims).await })
        });
        self.pool.write(work).await
    }
}

/// `real` is SQLite's time; PostgreSQL reads its own.
async fn claim(c: &mut Conn, ask: &ClaimAsk, token: Uuid, real: Time) -> Outcome<Vec<Claimed>> {
    let lease = i64::try_from(ask.lease.as_millis()).unwrap_or(i64::MAX);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX / 8).min(i64::MAX / 8);
    let rows = match c {
        Conn::Pg(_) => {
            let limits: [Value; 2] = [count(ask.limit).into(), count(ask.per_lane).into()];
            let [limit, per_lane] = limits;
            let (closed, rooms) = (ask.closed_lanes.clone().into(), (&serde_json::json!(ask.rooms)).into());
            let (only, now) = (ask.only_lane.clone().into(), ask.now.into());
            c.all(CLAIM, vec![closed, now, limit, per_lane, token.into(), lease.into(), only, rooms]).await?
        }
        Conn::Lite(_) => {
            let chosen = rank::choose(due(c, ask, real).await?, ask);
            let until = real.millis().saturating_add(lease);
            let rows = chosen.into_iter().map(|id| vec![id.into(), token.into(), until.into()]).collect();
            c.each("", TAKE, rows).await?
        }
    };
    with_letters(c, rows).await
}

/// What a transaction claims of what it makes due: chosen before the rows are written, so that each is written once.
pub(crate) struct Taking {
    chosen: BTreeSet<Uuid>,
    token: Uuid,
    until: Time,
}

impl Taking {
    pub(crate) fn nothing() -> Self {
        Self { chosen: BTreeSet::new(), token: Uuid::nil(), until: Time::from_millis(0) }
    }

    /// Chooses among rows that nobody has claimed since their last transition; those of machines that exist are locked.
    pub(crate) async fn choose(c: &mut Conn, mut due: Vec<Candidate>, ask: &ClaimAsk, real: Time) -> Outcome<Self> {
        due.retain(|row| row.wake_at <= ask.now && ask.takes(&row.lane));
        if due.is_empty() || ask.limit == 0 {
            return Ok(Self::nothing());
        }
        let real = match c {
            Conn::Pg(_) => c
                .one("-- clock.real\nselect levee_now() as at", vec![])
                .await?
                .map_or(Ok(real), |row| row.time("at"))?,
            Conn::Lite(_) => real,
        };
        let chosen = rank::choose(due, ask).into_iter().collect();
        Ok(Self { chosen, token: Uuid::new_v4(), until: real + ask.lease })
    }

    /// Token and end of the claim of this machine, if it is chosen.
    pub(crate) fn of(&self, id: InstanceId) -> Option<(Uuid, Time)> {
        self.chosen.contains(&id.0).then_some((self.token, self.until))
    }
}

/// The rows of a claim, the most hazardous first, each with the letters nobody has read.
pub(crate) async fn with_letters(c: &mut Conn, mut rows: Vec<Row>) -> Outcome<Vec<Claimed>> {
    rows.sort_by_cached_key(|row| {
        (row.get::<i64>("class").ok(), row.get::<i64>("wake_at").ok(), row.get::<Uuid>("id").ok())
    });
    let mut letters = letters(c, &rows).await?;
    let claimed = rows.iter().map(|row| read(row, &mut letters)).collect::<Result<_>>()?;
    Ok(claimed)
}

/// The due machines, SQLite's way: the same loose scan, one step per statement. The last due time there can be makes SQLite seek past a
/// group; without it, it would read the whole group.
async fn due(c: &mut Conn, ask: &ClaimAsk, real: Time) -> Outcome<Vec<Candidate>> {
    let mut groups = Vec::new();
    let mut at: Option<(String, i64, String)> = None;
    let first = "-- instance.groups\nselect lane, class, tenant from instance where wake_at is not null and token is null \
                 order by lane, class, tenant limit 1";
    let next = "-- instance.groups\nselect lane, class, tenant from instance where wake_at is not null and token is null \
                and (lane, class, tenant, wake_at) > ($1, $2, $3, 9223372036854775807) order by lane, class, tenant limit 1";
    loop {
        let row = match &at {
            None => c.one(first, vec![]).await?,
            Some((lane, class, tenant)) => c.one(next, vec![lane.into(), (*class).into(), tenant.into()]).await?,
        };
        let Some(row) = row else { break };
        let group: (String, i64, String) = (row.get("lane")?, row.get("class")?, row.get("tenant")?);
        if ask.takes(&group.0) {
            groups.push(group.clone());
        }
        at = Some(group);
    }
    let of_group = "-- instance.due\nselect id, lane, class, tenant, wake_at from instance where wake_at is not null and token is null \
                    and lane = $1 and class = $2 and tenant = $3 and wake_at <= $4 order by wake_at, id limit $5";
    // Deep enough for a single group; cut once it is known how many groups are due.
    let deepest = i64::try_from(rank::depth(ask.limit, 1)).unwrap_or(i64::MAX);
    let mut of_groups = Vec::new();
    for (lane, class, tenant) in groups {
        let values = vec![lane.into(), class.into(), tenant.into(), ask.now.into(), deepest.into()];
        of_groups.push(c.all(of_group, values).await?);
    }
    of_groups.retain(|rows| !rows.is_empty());
    let depth = rank::depth(ask.limit, of_groups.len());
    let found: Vec<Row> = of_groups.into_iter().flat_map(|rows| rows.into_iter().take(depth)).collect();
    let expired = "-- instance.expired\nselect id, lane, class, tenant, wake_at from instance where token is not null and claimed_until <= $1 \
                   and wake_at <= $2 and lane not in (select value from json_each($3)) and ($5 is null or lane = $5) \
                   order by claimed_until, id limit $4";
    let limit = crate::instance::limit(ask.limit);
    let values =
        vec![real.into(), ask.now.into(), ask.closed_lanes.clone().into(), limit, ask.only_lane.clone().into()];
    Ok(found
        .iter()
        .chain(&c.all(expired, values).await?)
        .map(|row| candidate(row, row.time("wake_at")?))
        .collect::<Result<_>>()?)
}

pub(crate) fn candidate(row: &Row, wake_at: Time) -> Result<Candidate> {
    Ok(Candidate {
        id: row.get("id")?,
        lane: row.get("lane")?,
        class: row.get("class")?,
        tenant: row.get("tenant")?,
        wake_at,
    })
}

async fn letters(c: &mut Conn, rows: &[Row]) -> Outcome<HashMap<Uuid, Vec<Letter>>> {
    let rung = |row: &&Row| row.get::<i64>("signals").is_ok_and(|signals| signals > 0);
    let ids: Vec<Uuid> = rows.iter().filter(rung).map(|row| row.get("id")).collect::<Result<_>>()?;
    let mut letters: HashMap<Uuid, Vec<Letter>> = HashMap::new();
    if ids.is_empty() {
        return Ok(letters);
    }
    let sql = format!(
        "-- inbox.waiting\nselect id, instance, event, source, at from inbox where {} and consumed_at is null order by at, id",
        among(c, "instance", 1)
    );
    for row in c.all(AssertSqlSafe(sql), vec![ids.into()]).await? {
        letters.entry(row.get("instance")?).or_default().push(inbox::read(&row)?);
    }
    Ok(letters)
}

fn read(row: &Row, letters: &mut HashMap<Uuid, Vec<Letter>>) -> Result<Claimed> {
    let id = row.id("id")?;
    Ok(Claimed {
        id,
        workflow: row.get("workflow")?,
        tenant: row.get("tenant")?,
        account: row.get("account")?,
        business_key: row.get("business_key")?,
        address: row.get("address")?,
        parent: row.id_or("parent")?,
        person: row.get("person")?,
        input: row.json("input")?,
        state: row.json("state")?,
        state_name: row.get("state_name")?,
        revision: row.get("revision")?,
        head: row.get("head")?,
        token: row.get("token")?,
        claimed_until: row.time("claimed_until")?,
        claims: i32::try_from(row.get::<i64>("claims")?).map_err(|_| row.corrupt("claims"))?,
        signals: row.get("signals")?,
        lane: row.get("lane")?,
        inbox: letters.remove(&id.0).unwrap_or_default(),
        created_at: row.time("created_at")?,
    })
}

/// Leaves the count that says whether an earlier claim may have sent (F2, principle 4), and forgets a suspicion. A post since the claim
/// keeps its machine due: what it waits for may be that post.
async fn release(c: &mut Conn, claims: &[LetGo]) -> Outcome<()> {
    inbox::lock(c, claims.iter().map(|claim| claim.id.0).collect()).await?;
    let pg = "-- instance.release\nupdate instance i set claims = case when i.claims > 1 then 1 else 0 end, token = null, claimed_until = null, \
              wake_at = case when x.wake_at is null or i.signals > i.seen then i.wake_at else x.wake_at end \
              from unnest($1::uuid[], $2::uuid[], $3::bigint[]) x(id, token, wake_at) where i.id = x.id and i.token = x.token";
    let lite = "-- instance.release\nupdate instance set claims = case when claims > 1 then 1 else 0 end, token = null, claimed_until = null, \
                wake_at = case when $3 is null or signals > seen then wake_at else $3 end where id = $1 and token = $2";
    let rows = claims.iter().map(|claim| vec![claim.id.into(), claim.token.into(), claim.wake_at.into()]).collect();
    c.each(pg, lite, rows).await.map(|_| ())
}

impl Sql {
    /// Under the instance lock of an SQLite file nobody else runs: every claim found is a dead one (design §4, Leases).
    pub(crate) async fn expire_claims(&self) -> Result<()> {
        let work = work(|c| {
            Box::pin(async move {
                let sql = "-- instance.expire\nupdate instance set claimed_until = $1 where token is not null";
                c.exec(sql, vec![Time::from_millis(0).into()]).await.map(|_| ())
            })
        });
        self.pool.write(work).await
    }
}
