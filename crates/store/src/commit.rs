//! Group commit: turns that finish together are written together, one statement per table (design §4).

use crate::claim::Taking;
use crate::connect::{pause, work};
use crate::instance::{HISTORY, history_row, insert};
use crate::sql::{Conn, Fail, Into, Outcome, Row, Value};
use crate::vault::Place;
use crate::writes::{self, Owner};
use crate::{Committed, Error, Result, Sql, Submitted, Turn, batch, chain, inbox};
use domain::record::Write;
use domain::{Clock, InstanceId, Time};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

const ATTEMPTS: u32 = 5;

const MOVE: &str = "-- instance.commit
update instance i set state = x.state, state_name = x.state_name, revision = i.revision + x.steps, head = x.head,
    wake_at = case when i.signals > x.seen then x.at else x.wake_at end, lane = x.lane, class = x.class, seen = x.seen,
    token = case when x.keep is null then null else i.token end, claimed_until = x.keep,
    claims = case when x.keep is null then 0 else 1 end, emitted = i.emitted + x.emits, updated_at = x.at
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::bigint[],
    $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[])
    x(id, token, revision, steps, state, state_name, head, wake_at, lane, class, seen, at, keep, emits, not_after, read_at)
where i.id = x.id and i.revision = x.revision and i.token = x.token and (x.not_after is null or levee_now() <= x.not_after)
returning i.id, i.workflow, i.signals, i.emitted";

const MOVE_LITE: &str = "-- instance.commit
update instance set state = $5, state_name = $6, revision = revision + $4, head = $7,
    wake_at = case when signals > $11 then $12 else $8 end, lane = $9, class = $10, seen = $11,
    token = case when $13 is null then null else token end, claimed_until = $13,
    claims = case when $13 is null then 0 else 1 end, emitted = emitted + $14, updated_at = $12
where id = $1 and revision = $3 and token = $2 and ($15 is null or $16 <= $15)
returning id, workflow, signals, emitted";

const EXCHANGE: Into = Into {
    name: "exchange.keep",
    table: "exchange",
    columns: "id uuid, instance uuid, tenant text, account text, operation text, request bytea, answer bytea, status bigint, verdict text, \
              took_ms bigint, at bigint",
    suffix: "",
};

/// A turn with its hashes drawn and its bytes sealed: everything that needs no database.
pub(crate) struct Ready {
    turn: Turn,
    /// One per line.
    hashes: Vec<String>,
    exchanges: Vec<Vec<Value>>,
}

impl Ready {
    fn head(&self) -> &str {
        self.hashes.last().unwrap_or(&self.turn.head)
    }

    fn steps(&self) -> i64 {
        i64::try_from(self.hashes.len()).unwrap_or(i64::MAX)
    }

    fn done(&self, signals: i64) -> Committed {
        Committed::Done { revision: self.turn.revision + self.steps(), head: self.head().to_owned(), signals }
    }
}

/// Hashes of a turn's lines, going on from its head.
pub(crate) fn hashes(turn: &Turn) -> Vec<String> {
    let mut before = turn.head.clone();
    let mut all = Vec::with_capacity(turn.lines.len());
    for (line, seq) in turn.lines.iter().zip(turn.revision + 1..) {
        before = chain::line(&before, turn.id.0, seq, line);
        all.push(before.clone());
    }
    all
}

/// Children must be made by the caller: only it knows their first lane and state name.
pub(crate) fn unresolved_spawn(turn: &Turn) -> bool {
    turn.writes.iter().any(|write| matches!(write, Write::Spawn(_)))
}

/// Outbox rows a turn will write: what it emits, and its coming to rest (I20).
pub(crate) fn emits(turn: &Turn) -> i64 {
    writes::emits(&turn.writes) + i64::from(rests(turn))
}

pub(crate) fn rests(turn: &Turn) -> bool {
    turn.resting && !turn.lines.is_empty()
}

/// Turns of one machine may not share a statement: each is committed after the one before it.
pub(crate) fn waves(turns: Vec<Turn>) -> Vec<Vec<(usize, Turn)>> {
    type Wave = (HashSet<InstanceId>, Vec<(usize, Turn)>);
    let mut waves: Vec<Wave> = Vec::new();
    for (place, turn) in turns.into_iter().enumerate() {
        let free = waves.iter().position(|(ids, _)| !ids.contains(&turn.id));
        let wave = free.unwrap_or_else(|| {
            waves.push((HashSet::new(), Vec::new()));
            waves.len() - 1
        });
        waves[wave].0.insert(turn.id);
        waves[wave].1.push((place, turn));
    }
    waves.into_iter().map(|(_, turns)| turns).collect()
}

impl Sql {
    pub(crate) async fn commit(&self, turns: Vec<Turn>) -> Result<Vec<Committed>> {
        let mut answers = vec![Committed::Conflict; turns.len()];
        for wave in waves(turns) {
            let mut group = Vec::with_capacity(wave.len());
            for (place, turn) in wave {
                if unresolved_spawn(&turn) {
                    answers[place] = Committed::Forbidden("spawn_unresolved".into());
                    continue;
                }
                group.push((place, Arc::new(self.ready(turn).await?)));
            }
            let mut halves = vec![group];
            while let Some(group) = halves.pop() {
                let ready: Arc<Vec<Arc<Ready>>> = Arc::new(group.iter().map(|(_, ready)| ready.clone()).collect());
                match self.commit_group(ready).await {
                    Ok(done) => group.iter().zip(done).for_each(|((place, _), answer)| answers[*place] = answer),
                    Err(Error::Forbidden(name)) if group.len() == 1 => answers[group[0].0] = Committed::Forbidden(name),
                    Err(Error::Forbidden(_)) => {
                        let mut group = group;
                        let second = group.split_off(group.len() / 2);
                        halves.extend([second, group]);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(answers)
    }

    async fn ready(&self, turn: Turn) -> Result<Ready> {
        let mut exchanges = Vec::with_capacity(turn.exchanges.len());
        for exchange in &turn.exchanges {
            let keys = self.keys_of(&turn.tenant).await?;
            let place = |column| Place { tenant: &turn.tenant, table: "exchange", column, row: exchange.id };
            exchanges.push(vec![
                exchange.id.into(),
                turn.id.into(),
                (&turn.tenant).into(),
                (&turn.account).into(),
                (&exchange.operation).into(),
                keys.seal(&place("request"), &exchange.request).into(),
                keys.seal(&place("answer"), &exchange.answer).into(),
                exchange.status.map(i64::from).into(),
                (&exchange.verdict).into(),
                exchange.took_ms.into(),
                exchange.at.into(),
            ]);
        }
        Ok(Ready { hashes: hashes(&turn), turn, exchanges })
    }

    async fn commit_group(&self, group: Arc<Vec<Arc<Ready>>>) -> Result<Vec<Committed>> {
        for attempt in 1..=ATTEMPTS {
            let (work, clock) = (group.clone(), self.clock.clone());
            let ran = self.pool.once(move |c| {
                let (group, clock) = (work.clone(), clock.clone());
                Box::pin(async move { write(c, &group, &clock).await })
            });
            match ran.await {
                Ok(done) => return Ok(done),
                Err(Fail::Store(error)) => return Err(error),
                Err(Fail::Again) => pause(attempt).await,
                Err(Fail::Unknown) => return self.read_back(group).await,
            }
        }
        Err(Error::Unavailable)
    }

    /// An error from COMMIT is not a rollback (faults.md §2.2): a new transaction waits for the row and reads what came of it.
    async fn read_back(&self, group: Arc<Vec<Arc<Ready>>>) -> Result<Vec<Committed>> {
        let work = work(move |c| {
            let group = group.clone();
            Box::pin(async move {
                inbox::lock(c, group.iter().map(|ready| ready.turn.id.0).collect()).await?;
                let mut found = Vec::with_capacity(group.len());
                for ready in group.iter() {
                    found.push(came_of(c, ready).await?);
                }
                Ok(found)
            })
        });
        self.pool.write(work).await
    }
}

async fn came_of(c: &mut Conn, ready: &Ready) -> Outcome<Committed> {
    let sql = "-- instance.read_back\nselect i.id, i.signals, i.revision, i.token, i.claimed_until, h.hash from instance i \
               left join history h on h.instance = i.id and h.seq = $2 where i.id = $1";
    let seq = ready.turn.revision + ready.steps();
    let Some(row) = c.one(sql, vec![ready.turn.id.into(), seq.into()]).await? else { return Ok(Committed::Conflict) };
    let reached = row.get::<Option<String>>("hash")?.as_deref() == Some(ready.head());
    // A turn without lines leaves its mark on the claim only.
    let kept = row.get::<Option<Uuid>>("token")? == Some(ready.turn.token)
        && row.time_or("claimed_until")? != ready.turn.keep_until;
    let applied = reached && (ready.steps() > 0 || !kept);
    Ok(if applied { ready.done(row.get("signals")?) } else { Committed::Conflict })
}

async fn write(c: &mut Conn, group: &[Arc<Ready>], clock: &Clock) -> Outcome<Vec<Committed>> {
    let told = group
        .iter()
        .flat_map(|r| &r.turn.writes)
        .filter_map(|w| if let Write::Tell { to, .. } = w { Some(to.0) } else { None });
    let touched: BTreeSet<Uuid> = group.iter().map(|r| r.turn.id.0).chain(told).collect();
    inbox::lock(c, touched.into_iter().collect()).await?;
    let rows = group.iter().map(|ready| move_row(ready, clock)).collect();
    let real = clock.real();
    let moved = c.each(MOVE, MOVE_LITE, rows).await?;
    let moved: HashMap<InstanceId, Moved> = moved.iter().map(Moved::read).collect::<Result<_>>()?;
    let done: Vec<(&Ready, &Moved)> =
        group.iter().filter_map(|r| moved.get(&r.turn.id).map(|m| (r.as_ref(), m))).collect();
    record(c, &done).await?;
    let children: Vec<_> = done.iter().flat_map(|(r, _)| r.turn.children.iter().cloned()).collect();
    let (answers, _) = insert(c, &children, &Taking::nothing()).await?;
    let linked = children.iter().zip(answers).filter_map(|(child, answer)| child.batch_row.map(|row| (row, answer)));
    batch::link(c, linked.collect::<Vec<(_, Submitted)>>()).await?;
    let owned: Vec<(Owner<'_>, &[Write])> =
        done.iter().map(|(r, m)| (m.owner(&r.turn, real), r.turn.writes.as_slice())).collect();
    writes::apply(c, &owned).await?;
    let rested = done
        .iter()
        .filter(|(r, _)| rests(&r.turn))
        .map(|(r, m)| writes::rest_row(&m.owner(&r.turn, real), m.emitted, &r.turn.state_name));
    c.insert(&writes::OUTBOX, rested.collect()).await?;
    Ok(group.iter().map(|r| moved.get(&r.turn.id).map_or(Committed::Conflict, |m| r.done(m.signals))).collect())
}

/// What the UPDATE returned of one machine.
struct Moved {
    workflow: String,
    signals: i64,
    emitted: i64,
}

impl Moved {
    fn read(row: &Row) -> Result<(InstanceId, Moved)> {
        Ok((
            row.id("id")?,
            Moved { workflow: row.get("workflow")?, signals: row.get("signals")?, emitted: row.get("emitted")? },
        ))
    }

    fn owner<'t>(&'t self, turn: &'t Turn, real: Time) -> Owner<'t> {
        let first_seq = self.emitted - emits(turn) + 1;
        Owner {
            id: turn.id,
            tenant: &turn.tenant,
            workflow: &self.workflow,
            at: turn.at,
            real,
            revision: turn.revision,
            first_seq,
        }
    }
}

fn move_row(ready: &Ready, clock: &Clock) -> Vec<Value> {
    let turn = &ready.turn;
    vec![
        turn.id.into(),
        turn.token.into(),
        turn.revision.into(),
        ready.steps().into(),
        (&turn.state).into(),
        (&turn.state_name).into(),
        ready.head().into(),
        turn.due.wake_at.into(),
        (&turn.due.lane).into(),
        i64::from(turn.due.class).into(),
        turn.seen.into(),
        turn.at.into(),
        turn.keep_until.into(),
        emits(turn).into(),
        turn.not_after.into(),
        clock.real().into(),
    ]
}

/// History, letters read, and calls made: only for rows the UPDATE returned.
async fn record(c: &mut Conn, done: &[(&Ready, &Moved)]) -> Outcome<()> {
    let lines = |r: &Ready| -> Vec<Vec<Value>> {
        let numbered = r.turn.lines.iter().zip(&r.hashes).zip(r.turn.revision + 1..);
        numbered.map(|((line, hash), seq)| history_row(r.turn.id, seq, line, hash.clone())).collect()
    };
    c.insert(&HISTORY, done.iter().flat_map(|(r, _)| lines(r)).collect()).await?;
    let pg = "-- inbox.consume\nupdate inbox b set consumed_at = x.at from unnest($1::uuid[], $2::bigint[], $3::uuid[]) x(id, at, instance) \
              where b.id = x.id and b.instance = x.instance";
    let lite = "-- inbox.consume\nupdate inbox set consumed_at = $2 where id = $1 and instance = $3";
    let read = |r: &Ready| -> Vec<Vec<Value>> {
        r.turn.consumed.iter().map(|id| vec![(*id).into(), r.turn.at.into(), r.turn.id.into()]).collect()
    };
    c.each(pg, lite, done.iter().flat_map(|(r, _)| read(r)).collect()).await?;
    c.insert(&EXCHANGE, done.iter().flat_map(|(r, _)| r.exchanges.clone()).collect()).await?;
    Ok(())
}
