//! What the work has cost so far: for benchmarks, which compare two readings.

use crate::sql::{Pool, Row};
use crate::{Inner, Result, Sql, Store};
use std::sync::atomic::{AtomicU64, Ordering};

/// Statements this process has sent, BEGIN and COMMIT among them.
pub(crate) static STATEMENTS: AtomicU64 = AtomicU64::new(0);
/// Transactions this process has committed.
pub(crate) static COMMITS: AtomicU64 = AtomicU64::new(0);

/// Counters since the process, and the database server, began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    pub statements: u64,
    pub commits: u64,
    /// Of a PostgreSQL server only.
    pub server: Option<Server>,
}

/// What PostgreSQL says of itself, all its databases together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub wal_bytes: i64,
    /// Flushes of its write-ahead log.
    pub flushes: i64,
    /// A process of the server: the parent of all of them is its parent.
    pub backend: i64,
    pub data_directory: String,
}

impl Store {
    /// Reads the counters.
    pub async fn spent(&self) -> Result<Spent> {
        let server = match &self.inner {
            Inner::Sql(sql) => sql.server().await?,
            Inner::Memory(_) => None,
        };
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Spent { statements: count(&STATEMENTS), commits: count(&COMMITS), server })
    }
}

impl Sql {
    async fn server(&self) -> Result<Option<Server>> {
        if matches!(self.pool, Pool::Lite { .. }) {
            return Ok(None);
        }
        let sql = "-- server.spent\nselect (pg_current_wal_insert_lsn() - '0/0')::bigint as wal, (select wal_sync from pg_stat_wal) as flushes, \
                   pg_backend_pid()::bigint as backend, current_setting('data_directory') as folder";
        let read = |row: Row| {
            Ok(Server {
                wal_bytes: row.get("wal")?,
                flushes: row.get("flushes")?,
                backend: row.get("backend")?,
                data_directory: row.get("folder")?,
            })
        };
        self.one(sql, vec![]).await?.map(read).transpose()
    }
}
