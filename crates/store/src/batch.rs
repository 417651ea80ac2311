//! Batches: an upload's lines, kept until they are released, and where each has got to.

use crate::claim::Taking;
use crate::connect::work;
use crate::instance::{insert, limit};
use crate::sql::{Conn, Into, Outcome, Row, Value};
use crate::{BatchLine, BatchRow, BatchSums, NewInstance, Result, RowError, Sql, Submitted};
use domain::InstanceId;
use std::sync::Arc;

const INSERT: Into = Into {
    name: "batch_row.put",
    table: "batch_row",
    columns: "batch uuid, row bigint, business_key text, content_hash text, prepared text, amount_fen bigint, errors text",
    suffix: "on conflict do nothing",
};

impl Sql {
    pub(crate) async fn put_batch(&self, batch: NewInstance, rows: Vec<BatchRow>) -> Result<Submitted> {
        let upload = Arc::new((batch, rows));
        let work = work(move |c| {
            let upload = upload.clone();
            Box::pin(async move {
                let (batch, rows) = &*upload;
                let (mut answers, _) = insert(c, std::slice::from_ref(batch), &Taking::nothing()).await?;
                let answer = answers.remove(0);
                // A known batch has its lines: they were written with it.
                if matches!(answer, Submitted::Created(_)) {
                    c.insert(&INSERT, rows.iter().map(|row| row_of(batch.id, row)).collect()).await?;
                }
                Ok(answer)
            })
        });
        self.pool.write(work).await
    }

    pub(crate) async fn prepared(
        &self,
        batch: InstanceId,
        after_row: i64,
        most: usize,
    ) -> Result<Vec<(i64, NewInstance)>> {
        let sql = "-- batch_row.prepared\nselect b.row, b.prepared from batch_row b where b.batch = $1 and b.row > $2 \
                   and b.prepared is not null and b.instance is null and b.errors = '[]' order by b.row limit $3";
        let read = |row: &Row| Ok((row.get("row")?, row.json("prepared")?));
        self.all(sql, vec![batch.into(), after_row.into(), limit(most)]).await?.iter().map(read).collect()
    }

    pub(crate) async fn batch_lines(&self, batch: InstanceId, after: i64, most: usize) -> Result<Vec<BatchLine>> {
        let sql = "-- batch_row.lines\nselect b.row, b.business_key, b.instance, i.state_name, b.errors from batch_row b \
                   left join instance i on i.id = b.instance where b.batch = $1 and b.row > $2 order by b.row limit $3";
        let read = |row: &Row| -> Result<BatchLine> {
            Ok(BatchLine {
                row: row.get("row")?,
                business_key: row.get("business_key")?,
                order: row.id_or("instance")?,
                state: row.get("state_name")?,
                errors: row.json("errors")?,
            })
        };
        self.all(sql, vec![batch.into(), after.into(), limit(most)]).await?.iter().map(read).collect()
    }

    pub(crate) async fn batch_sums(&self, batch: InstanceId) -> Result<BatchSums> {
        let sql = "-- batch_row.sums\nselect count(*) filter (where b.errors = '[]') as good, count(*) filter (where b.errors <> '[]') as bad, \
                   count(b.instance) as released, cast(coalesce(sum(b.amount_fen) filter (where b.errors = '[]'), 0) as bigint) as amount_fen \
                   from batch_row b where b.batch = $1";
        let Some(row) = self.one(sql, vec![batch.into()]).await? else { return Ok(BatchSums::default()) };
        Ok(BatchSums {
            good: row.get("good")?,
            bad: row.get("bad")?,
            released: row.get("released")?,
            amount_fen: row.get("amount_fen")?,
        })
    }
}

fn row_of(batch: InstanceId, row: &BatchRow) -> Vec<Value> {
    let prepared = row.prepared.as_ref();
    vec![
        batch.into(),
        row.row.into(),
        prepared.map(|p| p.business_key.clone()).into(),
        prepared.map(|p| p.content_hash.clone()).into(),
        prepared.map(|p| serde_json::to_string(p).unwrap_or_default()).into(),
        row.amount_fen.into(),
        serde_json::to_string(&row.errors).unwrap_or_default().into(),
    ]
}

/// The error of a line whose business key belongs to an order with other content.
pub(crate) fn key_conflict() -> RowError {
    RowError {
        field: "business_key".into(),
        code: "business_key_conflict".into(),
        message: "an order with this business key and other content exists".into(),
        message_zh: "该业务单号已存在，且内容不同".into(),
    }
}

/// Ties lines to the orders made of them, in the transaction that makes them.
pub(crate) async fn link(c: &mut Conn, made: Vec<((InstanceId, i64), Submitted)>) -> Outcome<()> {
    let pg = "-- batch_row.link\nupdate batch_row b set instance = x.instance, errors = coalesce(x.errors, b.errors) \
              from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) x(batch, n, instance, errors) where b.batch = x.batch and b.row = x.n";
    let lite = "-- batch_row.link\nupdate batch_row set instance = $3, errors = coalesce($4, errors) where batch = $1 and row = $2";
    let refused = serde_json::to_string(&[key_conflict()]).unwrap_or_default();
    let row = |((batch, row), answer): ((InstanceId, i64), Submitted)| -> Vec<Value> {
        let (order, errors) = match answer {
            Submitted::Created(id) | Submitted::Known(id) => (Some(id), None),
            Submitted::Differs(_) => (None, Some(refused.clone())),
        };
        vec![batch.into(), row.into(), order.into(), errors.into()]
    };
    c.each(pg, lite, made.into_iter().map(row).collect()).await.map(|_| ())
}
