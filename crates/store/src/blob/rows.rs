//! The rows of blobs, and their parts where those lie in the database.

use super::{BlobInfo, Kept, Lies, Shred, deed};
use crate::connect::work;
use crate::instance::limit;
use crate::keys::append;
use crate::sql::{Conn, Fail, Outcome, Row, Value};
use crate::{Result, Sql};
use domain::Time;
use sqlx::AssertSqlSafe;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// Contents without a row, removed by one sweep: the next one goes on.
const SWEPT: usize = 1000;

impl Sql {
    /// One part in a transaction of its own: no upload holds the one writer of SQLite for long.
    pub(super) async fn put_part(&self, blob: Uuid, n: u64, sealed: Vec<u8>) -> Result<()> {
        let sql = "-- blob_part.put\ninsert into blob_part (blob, n, sealed) values ($1, $2, $3) on conflict (blob, n) do nothing";
        self.exec(sql, vec![blob.into(), number(n), sealed.into()]).await.map(|_| ())
    }

    /// A sealed part, and whether more come behind it.
    pub(super) async fn blob_part(&self, blob: Uuid, n: u64) -> Result<Option<(Vec<u8>, bool)>> {
        let sql = "-- blob_part.get\nselect blob as id, sealed, (select max(n) from blob_part where blob = $1) as highest from blob_part \
                   where blob = $1 and n = $2";
        let row = self.one(sql, vec![blob.into(), number(n)]).await?;
        row.map(|row| Ok((row.get("sealed")?, row.get::<i64>("highest")? > i64::try_from(n).unwrap_or(i64::MAX))))
            .transpose()
    }

    pub(super) async fn blob(&self, tenant: &str, id: Uuid) -> Result<Option<Kept>> {
        let sql = "-- blob.get\nselect * from blob where tenant = $1 and id = $2";
        self.one(sql, vec![tenant.into(), id.into()]).await?.as_ref().map(kept).transpose()
    }

    pub(super) async fn blobs_due(&self, now: Time, most: usize) -> Result<Vec<BlobInfo>> {
        let sql = "-- blob.due\nselect * from blob where shredded_at is null and keep_until <= $1 order by keep_until, id limit $2";
        self.all(sql, vec![now.into(), limit(most)]).await?.iter().map(info).collect()
    }

    /// The row, which makes the parts a blob; or the row of the same content, and these parts are none.
    pub(super) async fn keep_blob(&self, new: Kept) -> Result<BlobInfo> {
        let new = Arc::new(new);
        let work = work(move |c| {
            let new = new.clone();
            Box::pin(async move { keep(c, &new).await })
        });
        self.pool.write(work).await
    }

    pub(super) async fn shred_blob(&self, tenant: &str, id: Uuid, order: Shred) -> Result<Option<Lies>> {
        let of = Arc::new((tenant.to_owned(), order, Uuid::new_v4()));
        let work = work(move |c| {
            let of = of.clone();
            Box::pin(async move { shred(c, &of.0, id, &of.1, of.2).await })
        });
        self.pool.write(work).await
    }

    pub(super) async fn live_blobs(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let sql = format!("-- blob.live\nselect id from blob where shredded_at is null and {}", self.chosen("id", 1));
        let rows = self.all(AssertSqlSafe(sql), vec![ids.to_vec().into()]).await?;
        rows.iter().map(|row| row.get("id")).collect()
    }

    /// Parts of ids smaller than `before` that have no row, blob by blob.
    pub(super) async fn sweep_parts(&self, before: Uuid) -> Result<u64> {
        let find = "-- blob_part.abandoned\nselect p.blob from blob_part p where p.n = 0 and p.blob < $1 \
                    and not exists (select 1 from blob b where b.id = p.blob) limit $2";
        let found = self.scan(find, vec![before.into(), limit(SWEPT)]).await?;
        for row in &found {
            let sql = "-- blob_part.sweep\ndelete from blob_part where blob = $1 and not exists (select 1 from blob b where b.id = $1)";
            self.exec(sql, vec![row.get::<Uuid>("blob")?.into()]).await?;
        }
        Ok(found.len() as u64)
    }
}

async fn keep(c: &mut Conn, new: &Kept) -> Outcome<BlobInfo> {
    let (info, place) = (&new.info, word(new.lies));
    let insert = "-- blob.keep\ninsert into blob (id, tenant, sha256, size, media, class, place, data_key, created_at, keep_until) \
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing";
    let values = vec![
        info.id.into(),
        (&info.tenant).into(),
        (&info.sha256).into(),
        number(info.size),
        (&info.media).into(),
        (&info.class).into(),
        place.into(),
        new.key.clone().into(),
        info.created_at.into(),
        info.keep_until.into(),
    ];
    if c.exec(insert, values).await? == 1 {
        return Ok(info.clone());
    }
    // The same content, or this very row, if its COMMIT did not answer.
    let extend = "-- blob.extend\nupdate blob set keep_until = case when keep_until < $3 then $3 when $3 is null then null else keep_until end \
                  where tenant = $1 and sha256 = $2 and shredded_at is null returning *";
    let values = vec![(&info.tenant).into(), (&info.sha256).into(), info.keep_until.into()];
    let Some(row) = c.one(extend, values).await? else {
        // Shredded at this moment: the content is new again.
        return Err(Fail::Again);
    };
    let there = self::info(&row)?;
    if there.id != info.id {
        c.exec("-- blob_part.double\ndelete from blob_part where blob = $1", vec![info.id.into()]).await?;
    }
    Ok(there)
}

async fn shred(c: &mut Conn, tenant: &str, id: Uuid, order: &Shred, act: Uuid) -> Outcome<Option<Lies>> {
    if let Conn::Lite(_) = c {
        // Or the key would lie on in its page's free room. (PostgreSQL's lies on until the table is vacuumed.)
        c.run("pragma secure_delete = fast").await?;
    }
    let sql = "-- blob.shred\nupdate blob set data_key = null, shredded_at = $3 where tenant = $1 and id = $2 and shredded_at is null \
               and ($4 = 0 or keep_until <= $3) returning *";
    let only_due = i64::from(order.only_due).into();
    let row = c.one(sql, vec![tenant.into(), id.into(), order.at.into(), only_due]).await?;
    if let Some(row) = &row {
        append(c, tenant, &[(act, deed(&order.by, "blob.shred", &info(row)?, order.at))]).await?;
        c.exec("-- blob_part.shred\ndelete from blob_part where blob = $1", vec![id.into()]).await?;
    }
    if let Conn::Lite(_) = c {
        c.run("pragma secure_delete = off").await?;
    }
    match row {
        Some(row) => Ok(Some(kept(&row)?.lies)),
        None => ours(c, tenant, id, act).await,
    }
}

/// Whether this order did it, and its COMMIT did not answer.
async fn ours(c: &mut Conn, tenant: &str, id: Uuid, act: Uuid) -> Outcome<Option<Lies>> {
    let sql = "-- blob.shredded\nselect b.* from blob b where b.tenant = $1 and b.id = $2 and exists (select 1 from audit a where a.id = $3)";
    let row = c.one(sql, vec![tenant.into(), id.into(), act.into()]).await?;
    Ok(row.as_ref().map(kept).transpose()?.map(|kept| kept.lies))
}

fn kept(row: &Row) -> Result<Kept> {
    let lies = match row.get::<String>("place")?.as_str() {
        "database" => Lies::Database,
        "folder" => Lies::Folder,
        _ => return Err(row.corrupt("place")),
    };
    Ok(Kept { info: info(row)?, lies, key: row.get("data_key")? })
}

fn info(row: &Row) -> Result<BlobInfo> {
    Ok(BlobInfo {
        id: row.get("id")?,
        tenant: row.get("tenant")?,
        sha256: row.get("sha256")?,
        size: u64::try_from(row.get::<i64>("size")?).map_err(|_| row.corrupt("size"))?,
        media: row.get("media")?,
        class: row.get("class")?,
        created_at: row.time("created_at")?,
        keep_until: row.time_or("keep_until")?,
        shredded_at: row.time_or("shredded_at")?,
    })
}

fn word(lies: Lies) -> &'static str {
    match lies {
        Lies::Database => "database",
        Lies::Folder => "folder",
    }
}

fn number(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}
