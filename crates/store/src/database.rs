//! One SQL database, opened: its pools, keys and clock, and the few verbs everything else is written with.

use crate::by_id::ById;
use crate::connect::{self, work};
use crate::sql::{Pool, Row, Value};
use crate::vault::{Keys, Vault};
use crate::{Error, Kind, Options, Result, migrations};
use domain::clock::Pace;
use domain::{Clock, Person, Time};
use serde::{Deserialize, Serialize};
use sqlx::SqlSafeStr;
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// A handle; clones share the pools.
#[derive(Clone)]
pub(crate) struct Sql {
    pub(crate) pool: Pool,
    pub(crate) by_id: ById,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Clock,
    /// Opened people, by tenant and id.
    pub(crate) people: Arc<Mutex<HashMap<(String, Uuid), Person>>>,
    /// The instance lock of an SQLite file: until `close`, or the last handle's end.
    lock: Arc<Mutex<Option<File>>>,
}

impl Sql {
    pub(crate) async fn connect(url: &str, options: &Options) -> Result<Sql> {
        let (pool, lock) = if url.starts_with("sqlite:") {
            connect::sqlite(url, options).await?
        } else {
            (connect::postgres(url, options).await?, None)
        };
        let vault = Arc::new(Vault::new(options.master_key));
        let (clock, lock) = (options.clock.clone(), Arc::new(Mutex::new(lock)));
        let sql = Sql { pool, by_id: ById::default(), vault, clock, people: Arc::default(), lock };
        // A first migration may have been cut short: such a database opens, to be migrated on.
        if sql.schema_version().await? >= Some(migrations::SETTINGS) {
            sql.load_roots().await?;
            if sql.kind() == Kind::Sqlite && options.exclusive {
                sql.expire_claims().await?;
            }
        }
        Ok(sql)
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.pool {
            Pool::Pg { .. } => Kind::Postgres,
            Pool::Lite { .. } => Kind::Sqlite,
        }
    }

    pub(crate) async fn close(&self) {
        match &self.pool {
            Pool::Pg { write, read } => {
                read.close().await;
                write.close().await;
            }
            Pool::Lite { write, read } => {
                read.close().await;
                write.close().await;
            }
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) async fn migrate(&self) -> Result<()> {
        migrations::apply(&self.pool, &migrations::ALL).await?;
        self.load_roots().await
    }

    pub(crate) async fn schema_version(&self) -> Result<Option<i64>> {
        let exists = match self.kind() {
            Kind::Postgres => {
                "-- schema.exists\nselect count(*) as n from pg_tables where tablename = '_sqlx_migrations' and schemaname = any(current_schemas(false))"
            }
            Kind::Sqlite | Kind::Memory => {
                "-- schema.exists\nselect count(*) as n from sqlite_master where name = '_sqlx_migrations'"
            }
        };
        let exists = self.one(exists, vec![]).await?.map_or(Ok(0), |row| row.get::<i64>("n"))?;
        if exists == 0 {
            return Ok(None);
        }
        let newest = "-- schema.version\nselect max(version) as version from _sqlx_migrations where success";
        self.one(newest, vec![]).await?.map_or(Ok(None), |row| row.get("version"))
    }

    pub(crate) async fn check_schema(&self) -> Result<()> {
        let (found, known) = (self.schema_version().await?, migrations::newest());
        if found != Some(known) {
            return Err(Error::Schema { found, known });
        }
        Ok(())
    }

    pub(crate) async fn time(&self) -> Result<Time> {
        match self.kind() {
            Kind::Postgres => {
                let sql = "-- clock.time\nselect (extract(epoch from clock_timestamp()) * 1000)::bigint as now";
                self.one(sql, vec![]).await?.ok_or(Error::Unavailable)?.time("now")
            }
            Kind::Sqlite | Kind::Memory => Ok(self.clock.real()),
        }
    }

    pub(crate) async fn pace(&self) -> Result<Pace> {
        let row = self.one("-- setting.pace\nselect value from setting where name = 'clock'", vec![]).await?;
        row.map_or(Ok(Pace::REAL), |row| row.json::<Stored>("value").map(Pace::from))
    }

    /// Changes the fleet's one clock row under its lock. `first` is the pace of a database that has none yet.
    pub(crate) async fn change_pace(
        &self,
        first: Pace,
        change: fn(Pace, Pace, Time) -> Pace,
        by: Pace,
    ) -> Result<Pace> {
        let real = self.time().await?;
        let work = work(move |c| {
            Box::pin(async move {
                let sql = "-- setting.clock\ninsert into setting (name, value) values ('clock', $1) on conflict (name) do nothing returning value";
                let text = serde_json::to_string(&Stored::from(first)).unwrap_or_default();
                if c.one(sql, vec![text.into()]).await?.is_some() {
                    return Ok(first);
                }
                let lock = "-- setting.clock\nupdate setting set value = value where name = 'clock' returning value";
                let old = c.one(lock, vec![]).await?.ok_or(Error::Unavailable)?.json::<Stored>("value")?;
                let changed = change(old.into(), by, real);
                let text = serde_json::to_string(&Stored::from(changed)).unwrap_or_default();
                c.exec("-- setting.clock\nupdate setting set value = $1 where name = 'clock'", vec![text.into()])
                    .await?;
                Ok(changed)
            })
        });
        // Never repeated: an advance must not happen twice.
        Ok(self.pool.once(work).await?)
    }

    /// Reads one statement's rows outside any transaction.
    pub(crate) async fn all(&self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Vec<Row>> {
        Ok(self.pool.reader().await?.all(sql, values).await?)
    }

    /// The same for a statement that looks through whole tables: in a snapshot of its own, and planned for that.
    pub(crate) async fn scan(&self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Vec<Row>> {
        let sql = sql.into_sql_str();
        let work = work(move |c| {
            let (sql, values) = (sql.clone(), values.clone());
            Box::pin(async move { c.all(sql, values).await })
        });
        self.pool.snapshot(work).await
    }

    pub(crate) async fn one(&self, sql: impl SqlSafeStr, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// One statement in a transaction; it may run twice, so it must do no more the second time.
    pub(crate) async fn exec(&self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        let work = work(move |c| {
            let values = values.clone();
            Box::pin(async move { c.exec(sql, values).await })
        });
        self.pool.write(work).await
    }

    /// One statement whose count is the answer: never repeated after a COMMIT of unknown outcome.
    pub(crate) async fn exec_once(&self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        let work = work(move |c| {
            let values = values.clone();
            Box::pin(async move { c.exec(sql, values).await })
        });
        Ok(self.pool.once(work).await?)
    }

    /// `column` is one of the ids bound as `$n`.
    pub(crate) fn chosen(&self, column: &str, n: usize) -> String {
        match self.kind() {
            Kind::Postgres => format!("{column} = any(${n})"),
            Kind::Sqlite | Kind::Memory => format!("{column} in (select unhex(value) from json_each(${n}))"),
        }
    }

    /// A tenant's keys, made at its first use and kept wrapped in `setting`.
    pub(crate) async fn keys_of(&self, tenant: &str) -> Result<Arc<Keys>> {
        if let Some(keys) = self.vault.cached(tenant) {
            return Ok(keys);
        }
        let (data, index) =
            (self.wrapped(&format!("key/data/{tenant}")).await?, self.wrapped(&format!("key/index/{tenant}")).await?);
        Ok(self.vault.keep(tenant, data, index))
    }

    async fn load_roots(&self) -> Result<()> {
        if !self.vault.has_roots() {
            let (request, fingerprint) = (self.wrapped("key/request").await?, self.wrapped("key/fingerprint").await?);
            self.vault.set_roots(request, fingerprint);
        }
        Ok(())
    }

    /// The key under a name; the first process to ask makes it, the others find it.
    async fn wrapped(&self, name: &str) -> Result<zeroize::Zeroizing<[u8; 32]>> {
        let find = "-- setting.key\nselect value from setting where name = $1";
        if self.one(find, vec![name.into()]).await?.is_none() {
            let sql =
                "-- setting.mint\ninsert into setting (name, value) values ($1, $2) on conflict (name) do nothing";
            let value = serde_json::Value::from(self.vault.mint(name));
            self.exec(sql, vec![name.into(), (&value).into()]).await?;
        }
        let row = self.one(find, vec![name.into()]).await?.ok_or(Error::Unavailable)?;
        self.vault.unwrap(name, &row.json::<String>("value")?)
    }
}

/// [`Pace`] as the setting `clock` holds it.
#[derive(Serialize, Deserialize)]
struct Stored {
    epoch: i64,
    origin: i64,
    speed_milli: i64,
    advanced_ms: u64,
}

impl From<Pace> for Stored {
    fn from(pace: Pace) -> Self {
        let advanced_ms = u64::try_from(pace.advanced.as_millis()).unwrap_or(u64::MAX);
        Stored { epoch: pace.epoch.millis(), origin: pace.origin.millis(), speed_milli: pace.speed_milli, advanced_ms }
    }
}

impl From<Stored> for Pace {
    fn from(stored: Stored) -> Self {
        let (epoch, origin) = (Time::from_millis(stored.epoch), Time::from_millis(stored.origin));
        Pace { epoch, origin, speed_milli: stored.speed_milli, advanced: Duration::from_millis(stored.advanced_ms) }
    }
}
