//! Rows that are read by their id share statements on PostgreSQL: whoever asks while one is under way goes with the next, so that
//! nobody reads what was there before he asked. A round trip costs the database and us far more than the row that it fetches.

use crate::sql::{Outcome, Pool, Row};
use crate::{Error, Result, Sql};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Rows of one statement.
const MOST: usize = 500;

/// What is asked for by each statement.
#[derive(Clone, Default)]
pub(crate) struct ById(Arc<Mutex<HashMap<&'static str, mpsc::UnboundedSender<Wanted>>>>);

type Wanted = (Uuid, oneshot::Sender<Option<Arc<Row>>>);

impl Sql {
    /// The row that `sql` finds by `id = $1`; it must have a column `id`.
    pub(crate) async fn by_id(&self, sql: &'static str, id: Uuid) -> Result<Option<Arc<Row>>> {
        match &self.pool {
            Pool::Lite { .. } => Ok(self.one(sql, vec![id.into()]).await?.map(Arc::new)),
            Pool::Pg { .. } => {
                let (answer, answered) = oneshot::channel();
                self.by_id.way(&self.pool, sql).send((id, answer)).map_err(|_| Error::Unavailable)?;
                answered.await.map_err(|_| Error::Unavailable)
            }
        }
    }
}

impl ById {
    fn way(&self, pool: &Pool, sql: &'static str) -> mpsc::UnboundedSender<Wanted> {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The runtime of the last reader may be gone.
        if let Some(way) = ways.get(sql).filter(|way| !way.is_closed()) {
            return way.clone();
        }
        let (way, wanted) = mpsc::unbounded_channel();
        tokio::spawn(read(pool.clone(), sql, wanted));
        ways.insert(sql, way.clone());
        way
    }
}

/// Reads until no handle is left.
async fn read(pool: Pool, sql: &'static str, mut wanted: mpsc::UnboundedReceiver<Wanted>) {
    let sql = sql.replace("id = $1", "id = any($1)");
    let mut asked = Vec::new();
    while wanted.recv_many(&mut asked, MOST).await > 0 {
        let group = std::mem::take(&mut asked);
        // Whoever is not answered hears that the database is away.
        let Ok(found) = rows(&pool, &sql, &group).await else { continue };
        for (id, answer) in group {
            let _ = answer.send(found.get(&id).cloned());
        }
    }
}

async fn rows(pool: &Pool, sql: &str, group: &[Wanted]) -> Outcome<HashMap<Uuid, Arc<Row>>> {
    let ids: BTreeSet<Uuid> = group.iter().map(|(id, _)| *id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let rows = pool.reader().await?.all(AssertSqlSafe(sql.to_owned()), vec![ids.into()]).await?;
    Ok(rows.into_iter().map(|row| Ok((row.get("id")?, Arc::new(row)))).collect::<Result<_>>()?)
}
