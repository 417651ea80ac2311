//! One suite for all three databases: every test runs on memory, SQLite and PostgreSQL.

mod machines;
mod claims;
mod door;
mod commits;
mod permits;
mod rules;
pub(crate) mod cases;
pub(crate) mod office;
mod people;
mod blobs;
mod blobs_lost;
#[cfg(feature = "failpoints")]
mod blobs_crash;
mod audits;
mod watch;
mod schema;
mod identity;
mod bench;
mod equivalence;

use crate::connect::work;
use crate::testing::Fresh;
use crate::*;
pub(crate) use audits::Sound;
use domain::{InstanceId, Money, Time, ids};
use serde_json::json;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The start of a business day; tests count from here.
fn t(seconds: i64) -> Time {
    Time::from_millis(1_767_574_800_000 + seconds * 1000)
}

fn yuan(text: &str) -> Money {
    Money::parse(text).unwrap()
}

fn now(fresh: &Fresh, business: Time) -> Moment {
    Moment { business, real: fresh.options.clock.real() }
}

fn due(lane: &str, class: i16, wake_at: Option<Time>) -> Due {
    Due { wake_at, lane: lane.to_owned(), class }
}

/// A machine of workflow `order`, due at `t(0)`.
fn machine(key: &str) -> NewInstance {
    NewInstance {
        id: InstanceId(ids::draw(t(0))),
        workflow: "order".into(),
        tenant: "acme".into(),
        account: "main".into(),
        business_key: key.into(),
        address: None,
        parent: None,
        batch_row: None,
        person: None,
        content_hash: "same".into(),
        input: json!({ "amount": "100.00" }),
        state: json!("Gated"),
        state_name: "gated".into(),
        due: due("-", 3, Some(t(0))),
        guard: None,
        at: t(0),
    }
}

async fn put(fresh: &Fresh, new: NewInstance) -> InstanceId {
    let id = new.id;
    assert_eq!(fresh.store.submit(vec![new]).await.unwrap(), [Submitted::Created(id)]);
    id
}

const LEASE: std::time::Duration = std::time::Duration::from_secs(120);

fn ask(business: Time) -> ClaimAsk {
    ClaimAsk {
        limit: 100,
        closed_lanes: vec![],
        per_lane: 100,
        rooms: BTreeMap::new(),
        only_lane: None,
        lease: LEASE,
        now: business,
    }
}

async fn claim_all(fresh: &Fresh, business: Time) -> Vec<Claimed> {
    fresh.store.claim(ask(business)).await.unwrap()
}

async fn claim_one(fresh: &Fresh, id: InstanceId) -> Claimed {
    let (mine, others): (Vec<_>, Vec<_>) =
        claim_all(fresh, t(1_000_000)).await.into_iter().partition(|claimed| claimed.id == id);
    let others = others.into_iter().map(|claimed| LetGo { id: claimed.id, token: claimed.token, wake_at: None });
    fresh.store.release(others.collect()).await.unwrap();
    mine.into_iter().next().expect("it is due")
}

fn line(to: &str) -> Line {
    let (event, detail) = ("Moved".to_owned(), json!({ "Moved": { "to": to } }));
    Line { event, detail, from: "before".into(), to: to.into(), at: t(5), cause: "timer".into(), exchange: None }
}

/// A turn that moves a claimed machine to a state.
fn turn(claimed: &Claimed, state_name: &str) -> Turn {
    Turn {
        id: claimed.id,
        tenant: claimed.tenant.clone(),
        account: claimed.account.clone(),
        token: claimed.token,
        revision: claimed.revision,
        head: claimed.head.clone(),
        state: json!(state_name),
        state_name: state_name.to_owned(),
        resting: false,
        due: due("-", 3, Some(t(100))),
        seen: claimed.signals,
        lines: vec![Line { from: claimed.state_name.clone(), ..line(state_name) }],
        consumed: vec![],
        writes: vec![],
        children: vec![],
        exchanges: vec![],
        keep_until: None,
        not_after: None,
        at: t(5),
    }
}

async fn commit(fresh: &Fresh, turn: Turn) -> Committed {
    fresh.store.commit(vec![turn]).await.unwrap().remove(0)
}

fn is_done(answer: &Committed) -> bool {
    matches!(answer, Committed::Done { .. })
}

fn post(to: Target, dedupe: Option<&str>) -> Post {
    Post {
        id: Uuid::new_v4(),
        tenant: "acme".into(),
        to,
        event: json!("Rang"),
        source: "callback".into(),
        dedupe: dedupe.map(str::to_owned),
        raw: Some(b"raw bytes".to_vec()),
        at: t(2),
    }
}

/// SQL that no function of the store would send; nothing on memory.
async fn raw(fresh: &Fresh, sql: &str) -> Result<u64> {
    let Inner::Sql(database) = &fresh.store.inner else { return Ok(0) };
    let sql = sql.to_owned();
    let run = work(move |c| {
        let sql = sql.clone();
        Box::pin(async move { c.exec(AssertSqlSafe(sql), vec![]).await })
    });
    database.pool.write(run).await
}

/// An id as a literal of this database.
fn id_of(fresh: &Fresh, id: Uuid) -> String {
    match fresh.store.kind() {
        Kind::Postgres => format!("'{id}'::uuid"),
        Kind::Sqlite | Kind::Memory => format!("x'{}'", id.simple()),
    }
}
