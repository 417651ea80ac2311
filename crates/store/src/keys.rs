//! Who may call, what they did, and what was answered: API keys, the audit chain, settings, freezes, idempotency.

use crate::connect::work;
use crate::instance::limit;
use crate::sql::{Conn, Fail, Into, Outcome, Row};
use crate::vault::Place;
use crate::{Act, ApiKey, Error, Freeze, Idempotency, Result, Saved, Sql, chain};
use domain::Time;
use std::sync::Arc;
use uuid::Uuid;

/// Settings under this name hold wrapped keys; the clock and they have functions of their own.
pub(crate) const RESERVED: [&str; 2] = ["key/", "clock"];

impl Sql {
    pub(crate) async fn put_key(&self, key: ApiKey) -> Result<()> {
        let sql = "-- api_key.put\ninsert into api_key (id, tenant, name, role, digest, created_at, revoked_at) \
                   values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing";
        let (at, revoked) = (key.created_at.into(), key.revoked_at.into());
        let values =
            vec![key.id.into(), key.tenant.into(), key.name.into(), key.role.into(), key.digest.into(), at, revoked];
        self.exec(sql, values).await.map(|_| ())
    }

    pub(crate) async fn key_by_digest(&self, digest: &str) -> Result<Option<ApiKey>> {
        let sql = "-- api_key.by_digest\nselect * from api_key where digest = $1";
        self.one(sql, vec![digest.into()]).await?.as_ref().map(api_key).transpose()
    }

    pub(crate) async fn keys(&self, tenant: &str) -> Result<Vec<ApiKey>> {
        let sql = "-- api_key.list\nselect * from api_key where tenant = $1 order by created_at, id";
        self.all(sql, vec![tenant.into()]).await?.iter().map(api_key).collect()
    }

    pub(crate) async fn revoke_key(&self, id: &str, at: Time) -> Result<()> {
        let sql = "-- api_key.revoke\nupdate api_key set revoked_at = $2 where id = $1 and revoked_at is null";
        self.exec(sql, vec![id.into(), at.into()]).await.map(|_| ())
    }

    pub(crate) async fn act(&self, tenant: &str, acts: Vec<Act>) -> Result<()> {
        let acts: Vec<(Uuid, Act)> = acts.into_iter().map(|act| (Uuid::new_v4(), act)).collect();
        let of = Arc::new((tenant.to_owned(), acts));
        let work = work(move |c| {
            let of = of.clone();
            Box::pin(async move { append(c, &of.0, &of.1).await })
        });
        self.pool.write(work).await
    }

    pub(crate) async fn acts(&self, tenant: &str, most: usize) -> Result<Vec<Act>> {
        let sql = "-- audit.list\nselect * from audit where tenant = $1 order by seq desc limit $2";
        self.all(sql, vec![tenant.into(), limit(most)]).await?.iter().map(act).collect()
    }

    pub(crate) async fn verify_audit(&self, tenant: &str) -> Result<Option<i64>> {
        Ok(broken_act(&mut self.pool.reader().await?, tenant, None).await?)
    }

    pub(crate) async fn setting(&self, name: &str) -> Result<Option<serde_json::Value>> {
        let row = self.one("-- setting.get\nselect value from setting where name = $1", vec![name.into()]).await?;
        row.map(|row| row.json("value")).transpose()
    }

    pub(crate) async fn put_setting(&self, name: &str, value: serde_json::Value) -> Result<()> {
        if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            return Err(Error::Forbidden("setting_reserved".into()));
        }
        let sql = "-- setting.put\ninsert into setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
        self.exec(sql, vec![name.into(), (&value).into()]).await.map(|_| ())
    }

    pub(crate) async fn freezes(&self) -> Result<Vec<Freeze>> {
        let rows = self.all("-- freeze.list\nselect * from \"freeze\" order by scope", vec![]).await?;
        let read = |row: &Row| -> Result<Freeze> {
            let on = |column: &str| Ok::<bool, Error>(row.get::<i64>(column)? != 0);
            let (create, pay) = (on("stop_create")?, on("stop_pay")?);
            Ok(Freeze {
                scope: row.get("scope")?,
                create,
                pay,
                confirm: on("stop_confirm")?,
                cancel: on("stop_cancel")?,
            })
        };
        rows.iter().map(read).collect()
    }

    pub(crate) async fn put_freeze(&self, freeze: Freeze) -> Result<()> {
        let sql = "-- freeze.put\ninsert into \"freeze\" (scope, stop_create, stop_pay, stop_confirm, stop_cancel) values ($1, $2, $3, $4, $5) \
                   on conflict (scope) do update set stop_create = excluded.stop_create, stop_pay = excluded.stop_pay, \
                   stop_confirm = excluded.stop_confirm, stop_cancel = excluded.stop_cancel";
        let switches = [freeze.create, freeze.pay, freeze.confirm, freeze.cancel].map(|on| i64::from(on).into());
        self.exec(sql, std::iter::once(freeze.scope.into()).chain(switches).collect()).await.map(|_| ())
    }

    pub(crate) async fn idempotency(
        &self,
        tenant: &str,
        key: &str,
        body_digest: &str,
        now: Time,
    ) -> Result<Idempotency> {
        let sql = "-- idempotency.begin\ninsert into idempotency (tenant, key, body_digest, at) values ($1, $2, $3, $4) \
                   on conflict (tenant, key) do nothing";
        if self.exec_once(sql, vec![tenant.into(), key.into(), body_digest.into(), now.into()]).await? == 1 {
            return Ok(Idempotency::Fresh);
        }
        let sql =
            "-- idempotency.get\nselect body_digest, status, body from idempotency where tenant = $1 and key = $2";
        let row = self.one(sql, vec![tenant.into(), key.into()]).await?.ok_or(Error::Unavailable)?;
        if row.get::<String>("body_digest")? != body_digest {
            return Ok(Idempotency::OtherBody);
        }
        let (Some(status), Some(sealed)) = (row.get::<Option<i64>>("status")?, row.get::<Option<Vec<u8>>>("body")?)
        else {
            return Ok(Idempotency::Running);
        };
        let body = self.keys_of(tenant).await?.open(&place(tenant, key), &sealed)?;
        Ok(Idempotency::Done(Saved { status: u16::try_from(status).map_err(|_| row.corrupt("status"))?, body }))
    }

    pub(crate) async fn save_answer(&self, tenant: &str, key: &str, answer: Saved) -> Result<()> {
        let sealed = self.keys_of(tenant).await?.seal(&place(tenant, key), &answer.body);
        let sql = "-- idempotency.save\nupdate idempotency set status = $3, body = $4 where tenant = $1 and key = $2 and status is null";
        self.exec(sql, vec![tenant.into(), key.into(), i64::from(answer.status).into(), sealed.into()])
            .await
            .map(|_| ())
    }
}

/// An idempotency row has no id of its own: its key stands for it.
fn place<'a>(tenant: &'a str, key: &'a str) -> Place<'a> {
    Place { tenant, table: "idempotency", column: "body", row: Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()) }
}

fn api_key(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        name: row.get("name")?,
        role: row.get("role")?,
        digest: row.get("digest")?,
        created_at: row.time("created_at")?,
        revoked_at: row.time_or("revoked_at")?,
    })
}

fn act(row: &Row) -> Result<Act> {
    let (who, what, subject) = (row.get("who")?, row.get("what")?, row.get("subject")?);
    Ok(Act { who, what, subject, detail: row.json("detail")?, at: row.time("at")? })
}

/// Links that are verified together.
const PAGE: i64 = 1000;

/// The first broken link of a tenant's chain, from `since` on.
pub(crate) async fn broken_act(c: &mut Conn, tenant: &str, since: Option<Time>) -> Outcome<Option<i64>> {
    let before_it =
        "-- audit.verified\nselect seq, hash from audit where tenant = $1 and at < $2 order by seq desc limit 1";
    let verified = match since {
        Some(since) => c.one(before_it, vec![tenant.into(), since.into()]).await?,
        None => None,
    };
    let (seq, mut before): (i64, String) = match verified {
        Some(row) => (row.get("seq")?, row.get("hash")?),
        None => (0, String::new()),
    };
    let sql = "-- audit.verify\nselect * from audit where tenant = $1 and seq > $2 order by seq limit $3";
    let mut seq = seq;
    loop {
        let rows = c.all(sql, vec![tenant.into(), seq.into(), PAGE.into()]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in rows {
            seq += 1;
            let hash: String = row.get("hash")?;
            if row.get::<i64>("seq")? != seq || hash != chain::act(&before, tenant, seq, &act(&row)?) {
                return Ok(Some(seq));
            }
            before = hash;
        }
    }
}

const AUDIT: Into = Into {
    name: "audit.append",
    table: "audit",
    columns: "tenant text, seq bigint, id uuid, who text, what text, subject text, detail text, at bigint, hash text",
    suffix: "",
};

/// Appends links. Two writers at once: the second meets the first one's number and goes again behind it.
pub(crate) async fn append(c: &mut Conn, tenant: &str, acts: &[(Uuid, Act)]) -> Outcome<()> {
    // One transaction wrote them all, or none.
    let Some((first, _)) = acts.first() else { return Ok(()) };
    if c.one("-- audit.done\nselect id from audit where id = $1", vec![(*first).into()]).await?.is_some() {
        return Ok(());
    }
    if let Conn::Pg(_) = c {
        c.exec("-- audit.wait\nselect pg_advisory_xact_lock(7162, hashtext($1))", vec![tenant.into()]).await?;
    }
    let last = c
        .one(
            "-- audit.last\nselect seq, hash from audit where tenant = $1 order by seq desc limit 1",
            vec![tenant.into()],
        )
        .await?;
    let (mut seq, mut before) = match &last {
        Some(row) => (row.get::<i64>("seq")?, row.get::<String>("hash")?),
        None => (0, String::new()),
    };
    let rows = acts.iter().map(|(id, act)| {
        seq += 1;
        before = chain::act(&before, tenant, seq, act);
        vec![
            tenant.into(),
            seq.into(),
            (*id).into(),
            (&act.who).into(),
            (&act.what).into(),
            (&act.subject).into(),
            (&act.detail).into(),
            act.at.into(),
            before.clone().into(),
        ]
    });
    match c.insert(&AUDIT, rows.collect()).await {
        Ok(_) => Ok(()),
        Err(Fail::Store(Error::Forbidden(_))) => Err(Fail::Again),
        Err(fail) => Err(fail),
    }
}
