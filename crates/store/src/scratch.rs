//! Databases of a simulation's own: made for one run, moved through virtual time by hand, and gone afterwards. Never an existing one.

use crate::sql::Pool;
use crate::{Error, Inner, Options, Result, Store};
use domain::Time;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// One scratch database.
#[derive(Clone)]
pub struct Scratch {
    pub store: Store,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Memory,
    Folder(PathBuf),
    /// On this server, under this name.
    Server(String, String),
}

/// PostgreSQL's clock of the scratch database is a sequence: every connection reads what was set last, in or out of transactions.
const STANDING: &str = "create sequence levee_standing minvalue 0;
create or replace function levee_now() returns bigint language sql volatile as $$ select last_value from levee_standing $$";

fn refused(what: &str) -> Error {
    Error::Refused(format!("{what} of the simulation: give memory:, sqlite: or the URL of a PostgreSQL server"))
}

impl Scratch {
    /// `memory:`, `sqlite:` for a file in a temporary folder, or a server's URL for a new database on it. Migrated.
    pub async fn open(url: &str, options: Options) -> Result<Self> {
        let name = format!("levee_simulation_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let (place, url) = match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "memory" => (Place::Memory, url.to_owned()),
            "sqlite" => {
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir_all(&folder).map_err(|_| refused("the temporary folder"))?;
                let url = format!("sqlite://{}/levee.db", folder.display());
                (Place::Folder(folder), url)
            }
            _ => {
                let own = create_database(url, &name).await?;
                // Nothing here outlives the run; a flush for every tick of its clock would be most of its time.
                on_server(url, format!("alter database {name} set synchronous_commit = off")).await?;
                (Place::Server(url.to_owned(), name), own)
            }
        };
        let store = Store::connect(&url, options).await?;
        store.migrate().await?;
        if let Inner::Sql(sql) = &store.inner
            && let Pool::Pg { write, .. } = &sql.pool
        {
            sqlx::raw_sql(STANDING).execute(write).await.map_err(|_| Error::Unavailable)?;
        }
        Ok(Self { store, place })
    }

    /// Moves the database's own clock. The others read the clock they were opened with.
    pub async fn stand_at(&self, now: Time) -> Result<()> {
        let Inner::Sql(sql) = &self.store.inner else { return Ok(()) };
        let Pool::Pg { write, .. } = &sql.pool else { return Ok(()) };
        let set = sqlx::query("-- clock.stand\nselect setval('levee_standing', $1)").bind(now.millis());
        set.execute(write).await.map(|_| ()).map_err(|_| Error::Unavailable)
    }

    /// Closes it and leaves nothing behind.
    pub async fn drop(self) -> Result<()> {
        self.store.close().await;
        match self.place {
            Place::Memory => Ok(()),
            Place::Folder(folder) => std::fs::remove_dir_all(folder).map_err(|_| refused("the temporary folder")),
            Place::Server(server, name) => drop_database(&server, &name).await,
        }
    }
}

/// A new and empty database on a PostgreSQL server, and its URL.
pub async fn create_database(server: &str, name: &str) -> Result<String> {
    on_server(server, format!("create database {name}")).await?;
    let (head, query) = server.split_once('?').map_or((server, String::new()), |(head, q)| (head, format!("?{q}")));
    let head = head.rsplit_once('/').filter(|(host, _)| !host.ends_with('/')).map_or(head, |(head, _)| head);
    Ok(format!("{head}/{name}{query}"))
}

/// Drops it, whoever is still connected.
pub async fn drop_database(server: &str, name: &str) -> Result<()> {
    on_server(server, format!("drop database {name} with (force)")).await
}

async fn on_server(server: &str, statement: String) -> Result<()> {
    let server = PgConnectOptions::from_str(server).map_err(|_| refused("the database"))?;
    let mut connection = server.connect().await.map_err(|_| Error::Unavailable)?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.map(|_| ()).map_err(|_| Error::Unavailable)
}
