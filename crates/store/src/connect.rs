//! The only place that builds pools and opens transactions (dependencies.md 3b, faults.md §2.1 to §2.3).
//!
//! A cancelled `begin()` of sqlx 0.9 leaves a pooled PostgreSQL session inside a transaction, and the next borrower's acknowledged
//! writes vanish. Hence: every pool that may write rolls back before it hands a connection out, every write runs in an explicit
//! transaction, and that transaction lives in a task of its own, which nobody can drop. PostgreSQL's readers are barred from writing
//! by the server, so nothing can vanish in them, and are spared that round trip before every read.

use crate::spent::COMMITS;
use crate::sql::{Conn, Fail, Pool, classify};
use crate::{Error, Options, Result, fail_point};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Database, Executor};
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a transaction does; it may run more than once, each time from the start.
pub(crate) type Work<'c, T> = Pin<Box<dyn Future<Output = std::result::Result<T, Fail>> + Send + 'c>>;

/// Gives a closure its higher-ranked type, which inference alone does not find.
pub(crate) fn work<T, F>(work: F) -> F
where
    F: for<'c> Fn(&'c mut Conn) -> Work<'c, T> + Send + Sync + 'static,
{
    work
}

const ATTEMPTS: u32 = 5;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const STATEMENT_TIMEOUT: &str = "10s";
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "30s";

/// A reader's connection that was idle for so long is tried first: the server may have gone since.
const IDLE: Duration = Duration::from_secs(1);

/// A pool whose connections are rolled back before they are handed out, unless they were idle for less than `idle`: then they are
/// outside any transaction. The hook also replaces the ping.
#[expect(clippy::disallowed_methods, reason = "the one place that builds pools")]
fn pool<DB: Database>(size: u32, idle: Duration) -> PoolOptions<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let options =
        PoolOptions::<DB>::new().max_connections(size).acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false);
    options.before_acquire(move |conn, meta| {
        Box::pin(async move {
            if meta.idle_for < idle {
                return Ok(true);
            }
            match conn.execute("ROLLBACK").await {
                Ok(_) => Ok(true),
                // SQLite says it has nothing to roll back; a dead connection must be replaced.
                Err(sqlx::Error::Database(_)) => Ok(true),
                Err(e) => Err(e),
            }
        })
    })
}

/// Rolled back every time.
fn postgres_writers(url: &str, size: u32) -> Result<sqlx::PgPool> {
    Ok(pool::<Postgres>(size, Duration::ZERO).connect_lazy_with(postgres_options(url)?))
}

/// The server refuses their writes, even where a transaction was left open.
fn postgres_readers(url: &str, size: u32) -> Result<sqlx::PgPool> {
    let options = postgres_options(url)?.options([("default_transaction_read_only", "on")]);
    Ok(pool::<Postgres>(size, IDLE).connect_lazy_with(options))
}

fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options =
        PgConnectOptions::from_str(url).map_err(|_| Error::Refused("database.url is not a PostgreSQL URL".into()))?;
    let options = options
        .application_name("levee")
        .options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
            // Every statement of the hot path finds its rows through an index. Planned while a table is young and empty, it would
            // read the whole of it, and go on so while the table grows.
            ("enable_seqscan", "off"),
            // The hook's ROLLBACK outside a transaction is no news.
            ("client_min_messages", "error"),
        ])
        .disable_statement_logging();
    Ok(options)
}

pub(crate) async fn postgres(url: &str, options: &Options) -> Result<Pool> {
    // One connection by itself first: a pool would go on trying a server that refuses.
    let first = <sqlx::PgConnection as sqlx::Connection>::connect_with(&postgres_options(url)?)
        .await
        .map_err(|_| Error::Unavailable)?;
    sqlx::Connection::close(first).await.map_err(|_| Error::Unavailable)?;
    let size = options.pool_size.div_ceil(2).max(2);
    let (write, read) = (postgres_writers(url, size)?, postgres_readers(url, size)?);
    let mut conn = write.acquire().await.map_err(|_| Error::Unavailable)?;
    for name in ["synchronous_commit", "fsync", "full_page_writes"] {
        let sql = sqlx::AssertSqlSafe(format!("-- connect.durability\nselect current_setting('{name}')"));
        let value: String = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.map_err(|_| Error::Unavailable)?;
        if matches!(value.as_str(), "off" | "local") {
            unfit(
                options.dev,
                &format!("PostgreSQL has {name} = {value}: a crash loses acknowledged payments; set it to on"),
            )?;
        }
    }
    drop(conn);
    Ok(Pool::Pg { write, read })
}

/// Opens an SQLite file: one writer, some readers, and the instance lock that keeps a second server away (F29).
pub(crate) async fn sqlite(url: &str, options: &Options) -> Result<(Pool, Option<File>)> {
    let file =
        SqliteConnectOptions::from_str(url).map_err(|_| Error::Refused("database.url is not an SQLite URL".into()))?;
    let lock = if options.exclusive { Some(lock(file.get_filename())?) } else { None };
    let file = file
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let write = pool::<Sqlite>(1, Duration::ZERO)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(file.clone())
        .await
        .map_err(|e| opened(&e))?;
    let read = pool::<Sqlite>(options.pool_size.max(2), Duration::ZERO).connect_lazy_with(file);
    for pool in [&write, &read] {
        let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(pool).await.map_err(|e| opened(&e))?;
        let level: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(pool).await.map_err(|e| opened(&e))?;
        if !matches!(mode.as_str(), "wal" | "delete") || level < 2 {
            unfit(
                options.dev,
                &format!("SQLite has journal_mode {mode}, synchronous {level}: a power cut loses payments"),
            )?;
        }
    }
    Ok((Pool::Lite { write, read }, lock))
}

fn opened(_: &sqlx::Error) -> Error {
    Error::Refused("the SQLite file cannot be opened: check its path, its folder's permissions and free space".into())
}

fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let cannot = || {
        Error::Refused(
            "the instance lock beside the SQLite file cannot be created: check the folder's permissions".into(),
        )
    };
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(name).map_err(|_| cannot())?;
    file.try_lock().map_err(|_| {
        Error::Refused("another levee runs on this SQLite file: stop it, or use PostgreSQL for a fleet".into())
    })?;
    Ok(file)
}

/// Only `dev.enabled` may turn the refusal into a warning (faults.md §2.3).
fn unfit(dev: bool, why: &str) -> Result<()> {
    if !dev {
        return Err(Error::Refused(why.to_owned()));
    }
    tracing::warn!(why, "unsafe durability settings, accepted for development");
    Ok(())
}

impl Pool {
    async fn writer(&self) -> std::result::Result<Conn, Fail> {
        match self {
            Pool::Pg { write, .. } => Ok(Conn::Pg(write.acquire().await.map_err(|e| classify(&e))?)),
            Pool::Lite { write, .. } => Ok(Conn::Lite(write.acquire().await.map_err(|e| classify(&e))?)),
        }
    }

    pub(crate) async fn reader(&self) -> std::result::Result<Conn, Fail> {
        match self {
            Pool::Pg { read, .. } => Ok(Conn::Pg(read.acquire().await.map_err(|e| classify(&e))?)),
            Pool::Lite { read, .. } => Ok(Conn::Lite(read.acquire().await.map_err(|e| classify(&e))?)),
        }
    }

    /// One transaction in a task that cannot be dropped, once. [`Fail::Unknown`] = COMMIT did not answer.
    pub(crate) async fn once<T, F>(&self, work: F) -> std::result::Result<T, Fail>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn) -> Work<'c, T> + Send + Sync + 'static,
    {
        let pool = self.clone();
        tokio::spawn(async move { transaction(&pool, &work).await })
            .await
            .unwrap_or(Err(Fail::Store(Error::Unavailable)))
    }

    /// A transaction that may be repeated: after a deadlock, and after a COMMIT of unknown outcome, because its keys make the
    /// second run find the first one's rows (faults.md §2.2, F24).
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn) -> Work<'c, T> + Send + Sync + 'static,
    {
        let pool = self.clone();
        let task = async move {
            for attempt in 1..=ATTEMPTS {
                match transaction(&pool, &work).await {
                    Ok(answer) => return Ok(answer),
                    Err(Fail::Store(error)) => return Err(error),
                    Err(Fail::Again | Fail::Unknown) => pause(attempt).await,
                }
            }
            Err(Error::Unavailable)
        };
        tokio::spawn(task).await.unwrap_or(Err(Error::Unavailable))
    }
}

impl Pool {
    /// Reads that must agree with each other: one snapshot, in a task of its own as every transaction. Longer than a statement of
    /// the hot path may take.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn) -> Work<'c, T> + Send + Sync + 'static,
    {
        let pool = self.clone();
        let task = async move {
            // On PostgreSQL only a writer's connection is rolled back if this should break off.
            let mut conn = match pool {
                Pool::Pg { .. } => pool.writer().await?,
                Pool::Lite { .. } => pool.reader().await?,
            };
            conn.run(match conn {
                Conn::Pg(_) => {
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '5min'; \
                     SET LOCAL enable_seqscan = on"
                }
                Conn::Lite(_) => "BEGIN",
            })
            .await?;
            let read = work(&mut conn).await;
            // Nothing was written: a connection that cannot roll back is cleaned by the pool's hook, or closed.
            let _ = conn.run("ROLLBACK").await;
            read
        };
        Ok(tokio::spawn(task).await.unwrap_or(Err(Fail::Store(Error::Unavailable)))?)
    }
}

/// Before a repeat: long enough for the other party of a deadlock to finish.
pub(crate) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(attempt * attempt) * 3)).await;
}

async fn transaction<T, F>(pool: &Pool, work: &F) -> std::result::Result<T, Fail>
where
    F: for<'c> Fn(&'c mut Conn) -> Work<'c, T>,
{
    let mut conn = pool.writer().await?;
    conn.run(match conn {
        Conn::Pg(_) => "BEGIN",
        Conn::Lite(_) => "BEGIN IMMEDIATE",
    })
    .await?;
    match work(&mut conn).await {
        Ok(answer) => {
            fail_point("transaction.written");
            commit(pool, &mut conn).await?;
            COMMITS.fetch_add(1, Ordering::Relaxed);
            fail_point("transaction.committed");
            Ok(answer)
        }
        Err(fail) => {
            // A connection that cannot even roll back is cleaned by the pool's hook, or closed.
            let _ = conn.run("ROLLBACK").await;
            Err(fail)
        }
    }
}

#[cfg_attr(
    not(any(test, feature = "testing")),
    expect(unused_variables, reason = "only tests lose answers on purpose")
)]
async fn commit(pool: &Pool, conn: &mut Conn) -> std::result::Result<(), Fail> {
    #[cfg(any(test, feature = "testing"))]
    if crate::testing::commit_is_lost(pool, conn).await {
        return Err(Fail::Unknown);
    }
    match conn.run("COMMIT").await {
        Ok(()) => Ok(()),
        // A deferred constraint or a serialization failure is a definite rollback; anything else may have been applied.
        Err(Fail::Store(Error::Forbidden(name))) => Err(Fail::Store(Error::Forbidden(name))),
        Err(Fail::Store(_) | Fail::Again | Fail::Unknown) => {
            let _ = conn.run("ROLLBACK").await;
            Err(Fail::Unknown)
        }
    }
}

#[cfg(test)]
mod tests;
