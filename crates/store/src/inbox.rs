//! Posts: durable before they are acknowledged, found by their machine whenever it comes (S-F).

use crate::claim::Taking;
use crate::rank::Candidate;
use crate::sql::{Conn, Into, Outcome, Row, Value, among};
use crate::{ClaimAsk, Claimed, Letter, NewInstance, Orphan, Post, Posted, Result, Sql, Target, claim};
use domain::{InstanceId, Time};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

pub(crate) const INSERT: Into = Into {
    name: "inbox.post",
    table: "inbox",
    columns: "id uuid, tenant text, instance uuid, address text, event text, source text, dedupe text, raw bytea, at bigint",
    suffix: "on conflict do nothing returning id",
};

const RING_AND_TAKE: &str = "-- instance.ring
update instance i set signals = i.signals + x.n, wake_at = case when i.wake_at is null or i.wake_at > x.at then x.at else i.wake_at end,
    claims = i.claims + 1, token = x.token, claimed_until = x.until, seen = i.signals + x.n
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[]) x(id, n, at, token, until) where i.id = x.id
returning i.id, i.workflow, i.tenant, i.account, i.business_key, i.address, i.parent, i.person, i.input, i.state, i.state_name, i.revision,
    i.head, i.token, i.claimed_until, i.claims, i.signals, i.lane, i.class, i.wake_at, i.created_at";

const RING_AND_TAKE_LITE: &str = "-- instance.ring
update instance set signals = signals + $2, wake_at = case when wake_at is null or wake_at > $3 then $3 else wake_at end,
    claims = claims + 1, token = $4, claimed_until = $5, seen = signals + $2 where id = $1
returning id, workflow, tenant, account, business_key, address, parent, person, input, state, state_name, revision,
    head, token, claimed_until, claims, signals, lane, class, wake_at, created_at";

/// A post with its raw bytes sealed.
pub(crate) type Sealed = (Post, Option<Vec<u8>>);

/// How an address is held while an orphan and its machine might miss each other.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    /// Machines being inserted.
    Shared,
    /// A post that found nobody.
    Alone,
}

/// A post that finds no machine, and a machine that finds no post, must not both be in flight: they meet on a lock named after the
/// address. SQLite has one writer and needs none.
pub(crate) async fn hold_addresses(c: &mut Conn, addresses: Vec<String>, hold: Hold) -> Outcome<()> {
    if addresses.is_empty() || matches!(c, Conn::Lite(_)) {
        return Ok(());
    }
    let sql = match hold {
        Hold::Shared => {
            "-- inbox.hold\nselect 1 as held from (select distinct hashtext(a) & 63 as slot from unnest($1) a order by 1) s \
             where pg_advisory_xact_lock_shared(7161, s.slot) is not null"
        }
        Hold::Alone => {
            "-- inbox.hold\nselect 1 as held from (select distinct hashtext(a) & 63 as slot from unnest($1) a order by 1) s \
             where pg_advisory_xact_lock(7161, s.slot) is not null"
        }
    };
    c.exec(sql, vec![addresses.into()]).await.map(|_| ())
}

impl Sql {
    pub(crate) async fn answer(&self, ask: Uuid) -> Result<Option<serde_json::Value>> {
        let row = self.by_id("-- inbox.answer\nselect id, answer from inbox where id = $1", ask).await?;
        row.map_or(Ok(None), |row| row.json_or("answer"))
    }

    pub(crate) async fn letters(&self, id: InstanceId) -> Result<Vec<Letter>> {
        let sql = "-- inbox.letters\nselect id, event, source, at from inbox where instance = $1 order by at, id";
        self.all(sql, vec![id.into()]).await?.iter().map(read).collect()
    }

    /// What a machine has told one that is not there yet waits as it should.
    pub(crate) async fn orphans(&self, older_than: Time) -> Result<Vec<Orphan>> {
        let sql = "-- inbox.orphans\nselect b.id, b.tenant, b.address, b.instance, b.event, b.source, b.at from inbox b \
                   where b.consumed_at is null and b.at < $1 and (b.instance is not null or b.source <> 'machine') \
                   and (b.instance is null or not exists (select 1 from instance i where i.id = b.instance)) order by b.at, b.id limit 1000";
        let read = |row: &Row| -> Result<Orphan> {
            let address = row.get::<Option<String>>("address")?;
            let address = address.map_or_else(|| row.id("instance").map(|id| id.to_string()), Ok)?;
            Ok(Orphan { tenant: row.get("tenant")?, address, letter: read(row)? })
        };
        self.scan(sql, vec![older_than.into()]).await?.iter().map(read).collect()
    }
}

pub(crate) fn read(row: &Row) -> Result<Letter> {
    Ok(Letter { id: row.get("id")?, event: row.json("event")?, source: row.get("source")?, at: row.time("at")? })
}

/// The machines that posts are for, by address or by id in words.
pub(crate) type Homes = HashMap<String, InstanceId>;

/// Posts that may find nobody. One that does is alone with its address: whoever is inserting its machine has ended first, or waits.
pub(crate) async fn deliver_anywhere(
    c: &mut Conn,
    posts: &[&Sealed],
    take: Option<(&ClaimAsk, Time)>,
) -> Outcome<(Vec<Posted>, Vec<Claimed>)> {
    let mut homes = resolve(c, posts).await?;
    let names = posts.iter().map(|(post, _)| name_of(&post.to));
    let lost: Vec<String> = names.filter(|name| !homes.contains_key(name)).collect();
    if !lost.is_empty() {
        hold_addresses(c, lost, Hold::Alone).await?;
        homes = resolve(c, posts).await?;
    }
    deliver(c, posts, &homes, take).await
}

/// Answers each post, and claims of the machines it rings what `take` allows.
pub(crate) async fn deliver(
    c: &mut Conn,
    posts: &[&Sealed],
    homes: &Homes,
    take: Option<(&ClaimAsk, Time)>,
) -> Outcome<(Vec<Posted>, Vec<Claimed>)> {
    let row = |(post, raw): &&Sealed| -> Vec<Value> {
        let (instance, address) = match &post.to {
            Target::Instance(id) => (Some(*id), None),
            Target::Address(address) => (homes.get(address).copied(), Some(address.clone())),
        };
        vec![
            post.id.into(),
            (&post.tenant).into(),
            instance.into(),
            address.into(),
            (&post.event).into(),
            (&post.source).into(),
            post.dedupe.clone().into(),
            raw.clone().into(),
            post.at.into(),
        ]
    };
    let fresh = c.insert(&INSERT, posts.iter().map(row).collect()).await?;
    let mut fresh: HashSet<Uuid> = fresh.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
    let mut kept = fresh.clone();
    // Two copies of one callback are one row, and ring once.
    let new: Vec<&Post> = posts.iter().map(|(post, _)| post).filter(|post| fresh.remove(&post.id)).collect();
    let rings = new.iter().filter_map(|post| Some((*homes.get(&name_of(&post.to))?, post.at)));
    let claimed = match take {
        Some((ask, real)) => ring_and_take(c, rings, ask, real).await?,
        None => ring(c, rings).await.map(|()| Vec::new())?,
    };
    // A repeat after a COMMIT of unknown outcome finds its own row: stored, not a duplicate.
    if new.len() < posts.len() {
        let sql = format!("-- inbox.kept\nselect id from inbox where {}", among(c, "id", 1));
        let ids: Vec<Uuid> = posts.iter().map(|(post, _)| post.id).filter(|id| !kept.contains(id)).collect();
        let found = c.all(AssertSqlSafe(sql), vec![ids.into()]).await?;
        kept.extend(found.iter().map(|row| row.get("id")).collect::<Result<Vec<Uuid>>>()?);
    }
    let answer = |(post, _): &&Sealed| match (kept.contains(&post.id), homes.contains_key(&name_of(&post.to))) {
        (false, _) => Posted::Duplicate,
        (true, true) => Posted::Stored,
        (true, false) => Posted::Orphan,
    };
    Ok((posts.iter().map(answer).collect(), claimed))
}

pub(crate) fn name_of(to: &Target) -> String {
    match to {
        Target::Instance(id) => id.to_string(),
        Target::Address(address) => address.clone(),
    }
}

/// The machines that exist.
pub(crate) async fn resolve(c: &mut Conn, posts: &[&Sealed]) -> Outcome<Homes> {
    let (mut ids, mut addresses) = (Vec::new(), Vec::new());
    for (post, _) in posts {
        match &post.to {
            Target::Instance(id) => ids.push(id.0),
            Target::Address(address) => addresses.push(address.clone()),
        }
    }
    let texts = match c {
        Conn::Pg(_) => "address = any($2)",
        Conn::Lite(_) => "address in (select value from json_each($2))",
    };
    let ids_of = among(c, "instance", 1);
    let sql = format!("-- identity.resolve\nselect instance as id, address from identity where {ids_of} or {texts}");
    let mut homes = Homes::new();
    for row in c.all(AssertSqlSafe(sql), vec![ids.into(), addresses.into()]).await? {
        let id = row.id("id")?;
        homes.insert(id.to_string(), id);
        if let Some(address) = row.get::<Option<String>>("address")? {
            homes.insert(address, id);
        }
    }
    Ok(homes)
}

/// How often a machine is rung, and from when it is due.
type Rings = BTreeMap<InstanceId, (i64, Time)>;

fn count(posts: impl Iterator<Item = (InstanceId, Time)>) -> Rings {
    let mut rings = Rings::new();
    for (id, at) in posts {
        let ring = rings.entry(id).or_insert((0, at));
        *ring = (ring.0 + 1, ring.1.min(at));
    }
    rings
}

/// Counts posts on their machines and pulls them due. A claimed machine's commit or release sees the count and keeps it due.
pub(crate) async fn ring(c: &mut Conn, posts: impl Iterator<Item = (InstanceId, Time)>) -> Outcome<()> {
    let rings = count(posts);
    if rings.len() > 1 {
        lock(c, rings.keys().map(|id| id.0).collect()).await?;
    }
    pull(c, rings).await
}

async fn pull(c: &mut Conn, rings: Rings) -> Outcome<()> {
    let pg = "-- instance.ring\nupdate instance i set signals = i.signals + x.n, \
              wake_at = case when i.wake_at is null or i.wake_at > x.at then x.at else i.wake_at end \
              from unnest($1::uuid[], $2::bigint[], $3::bigint[]) x(id, n, at) where i.id = x.id";
    let lite = "-- instance.ring\nupdate instance set signals = signals + $2, \
                wake_at = case when wake_at is null or wake_at > $3 then $3 else wake_at end where id = $1";
    let rows = rings.into_iter().map(|(id, (n, at))| vec![id.into(), n.into(), at.into()]).collect();
    c.each(pg, lite, rows).await.map(|_| ())
}

/// The same, and claims those of the machines that nobody has claimed since their last transition, as far as `ask` allows.
async fn ring_and_take(
    c: &mut Conn,
    posts: impl Iterator<Item = (InstanceId, Time)>,
    ask: &ClaimAsk,
    real: Time,
) -> Outcome<Vec<Claimed>> {
    let rings = count(posts);
    let free = lock_free(c, &rings).await?;
    let taking = Taking::choose(c, free, ask, real).await?;
    let (mut taken, mut rest) = (Vec::new(), Rings::new());
    for (id, (n, at)) in rings {
        match taking.of(id) {
            Some((token, until)) => taken.push(vec![id.into(), n.into(), at.into(), token.into(), until.into()]),
            None => drop(rest.insert(id, (n, at))),
        }
    }
    let rows = c.each(RING_AND_TAKE, RING_AND_TAKE_LITE, taken).await?;
    pull(c, rest).await?;
    claim::with_letters(c, rows).await
}

/// Locks machines that are rung, and answers those nobody has claimed since their last transition, due as the ring makes them.
async fn lock_free(c: &mut Conn, rings: &Rings) -> Outcome<Vec<Candidate>> {
    let lock = if matches!(c, Conn::Pg(_)) { "order by id for update" } else { "" };
    let sql = format!(
        "-- instance.lock\nselect id, lane, class, tenant, wake_at, token, claims from instance where {} {lock}",
        among(c, "id", 1)
    );
    let ids: Vec<Uuid> = rings.keys().map(|id| id.0).collect();
    let mut free = Vec::with_capacity(ids.len());
    for row in c.all(AssertSqlSafe(sql), vec![ids.into()]).await? {
        if row.get::<Option<Uuid>>("token")?.is_none() && row.get::<i64>("claims")? == 0 {
            let rung = rings.get(&row.id("id")?).map(|(_, at)| *at);
            let wake_at = rung.into_iter().chain(row.time_or("wake_at")?).min();
            free.extend(wake_at.map(|wake_at| claim::candidate(&row, wake_at)).transpose()?);
        }
    }
    Ok(free)
}

/// Locks machines in order of ids, so that groups never deadlock.
pub(crate) async fn lock(c: &mut Conn, ids: Vec<Uuid>) -> Outcome<()> {
    match c {
        Conn::Pg(_) => c
            .exec(
                "-- instance.lock\nselect 1 from instance where id = any($1) order by id for update",
                vec![ids.into()],
            )
            .await
            .map(|_| ()),
        Conn::Lite(_) => Ok(()),
    }
}

/// Gives new machines the posts that came before them.
pub(crate) async fn adopt(c: &mut Conn, news: &[&NewInstance]) -> Outcome<()> {
    let addressed =
        news.iter().filter_map(|n| n.address.clone().map(|address| vec![n.id.into(), address.into()])).collect();
    let pg = "-- inbox.adopt\nupdate inbox b set instance = x.id from unnest($1::uuid[], $2::text[]) x(id, address) \
              where b.address = x.address and b.instance is null";
    let lite = "-- inbox.adopt\nupdate inbox set instance = $1 where address = $2 and instance is null";
    c.each(pg, lite, addressed).await?;
    // Also those sent to its id before it was inserted.
    let pg = "-- inbox.count_adopted\nselect b.instance, x.at from unnest($1::uuid[], $2::bigint[]) x(id, at) join inbox b on b.instance = x.id";
    let lite = "-- inbox.count_adopted\nselect instance, $2 as at from inbox where instance = $1";
    let adopted = c.each(pg, lite, news.iter().map(|n| vec![n.id.into(), n.at.into()]).collect()).await?;
    let adopted: Vec<(InstanceId, Time)> =
        adopted.iter().map(|row| Ok((row.id("instance")?, row.time("at")?))).collect::<Result<_>>()?;
    ring(c, adopted.into_iter()).await
}
