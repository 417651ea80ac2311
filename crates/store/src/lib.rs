//! Where everything durable lives: one [`Store`] over PostgreSQL, SQLite and memory, with one suite and one trace for all three.
//!
//! The only SQL of levee. The safety rules are repeated here as constraints (S-A … S-E): a bug, or a psql session, cannot break them.

mod error;
mod failpoint;
pub mod rows;
mod extra;
mod machines;
mod records;
mod cases;
mod beside;
mod office;
mod connect;
mod sql;
mod database;
mod by_id;
mod migrations;
mod pace;
mod vault;
mod chain;
mod identity;
mod instance;
mod inbox;
mod rank;
mod claim;
mod door;
mod commit;
mod writes;
mod record;
mod batch;
mod person;
mod keys;
mod blob;
mod paper;
mod lanes;
mod watch;
mod audits;
mod memory;
mod trouble;
mod scratch;
mod parked;
mod spent;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod suite;

pub use beside::Beside;
pub use blob::{BlobInfo, BlobReader, BlobUse, BlobWriter, Blobs, NewBlob, Shred};
pub use cases::{CaseChange, CaseStep};
pub(crate) use door::Seats;
pub use door::TakenIn;
pub use error::{Error, Result};
pub use extra::*;
pub use failpoint::fail_point;
pub use paper::Upload;
pub use parked::Parked;
pub use rows::*;
pub use scratch::{Scratch, create_database, drop_database};
pub use spent::{Server, Spent};
pub use trouble::{Passing, Touch, Trouble};

use database::Sql;
use domain::clock::Pace;
use domain::{Clock, RequestId, Time};
use memory::Memory;
use std::sync::Arc;
use std::time::Duration;
use vault::Vault;

/// Everything durable. Clones share one database.
#[derive(Clone)]
pub struct Store {
    inner: Inner,
    trouble: Option<Arc<dyn Trouble>>,
    blobs: Arc<Blobs>,
}

#[derive(Clone)]
enum Inner {
    Sql(Sql),
    Memory(Memory),
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// Wraps the data keys (security.md §1).
    pub master_key: [u8; 32],
    /// Turns the refusal of unsafe durability settings into a warning.
    pub dev: bool,
    /// Connections of this process: PostgreSQL's pool, or SQLite's readers.
    pub pool_size: u32,
    /// Real time for SQLite and memory, which have no clock of their own.
    pub clock: Clock,
    /// Take the instance lock of an SQLite file and expire its claims; off for tools that only read beside a server.
    pub exclusive: bool,
    /// Where new blobs are put; those put elsewhere before are still read there.
    pub blobs: Blobs,
}

/// Which database a store runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    Sqlite,
    Memory,
}

impl Store {
    /// Opens `sqlite://PATH`, `postgres://…` or `memory:`, and refuses a database that may lose what it acknowledged (faults.md §2.3).
    pub async fn connect(url: &str, options: Options) -> Result<Store> {
        options.blobs.check()?;
        let blobs = Arc::new(options.blobs.clone());
        let inner = match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "memory" => Inner::Memory(Memory::new(&options)),
            "sqlite" | "postgres" | "postgresql" => Inner::Sql(Sql::connect(url, &options).await?),
            _ => return Err(Error::Refused("database.url must begin with sqlite://, postgres:// or memory:".into())),
        };
        Ok(Store { inner, trouble: None, blobs })
    }

    /// Brings the schema up to what this program knows.
    pub async fn migrate(&self) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.migrate().await,
            Inner::Memory(_) => Ok(()),
        }
    }

    /// The newest migration applied.
    pub async fn schema_version(&self) -> Result<Option<i64>> {
        match &self.inner {
            Inner::Sql(sql) => sql.schema_version().await,
            Inner::Memory(_) => Ok(Some(migrations::newest())),
        }
    }

    /// Refuses a schema older or newer than this program knows.
    pub async fn check_schema(&self) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.check_schema().await,
            Inner::Memory(_) => Ok(()),
        }
    }

    /// Which database this is.
    pub fn kind(&self) -> Kind {
        match &self.inner {
            Inner::Sql(sql) => sql.kind(),
            Inner::Memory(_) => Kind::Memory,
        }
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        match &self.inner {
            Inner::Sql(sql) => sql.close().await,
            Inner::Memory(_) => {}
        }
    }

    /// Real database time.
    pub async fn time(&self) -> Result<Time> {
        match &self.inner {
            Inner::Sql(sql) => sql.time().await,
            Inner::Memory(memory) => Ok(memory.real()),
        }
    }

    /// The fleet's pace; real time until one is set.
    pub async fn pace(&self) -> Result<Pace> {
        match &self.inner {
            Inner::Sql(sql) => sql.pace().await,
            Inner::Memory(memory) => Ok(memory.lock().pace.unwrap_or(Pace::REAL)),
        }
    }

    /// Configures the pace and answers the one in force: business time goes on from where it stands, and never back (contract.md).
    pub async fn set_pace(&self, pace: Pace) -> Result<Pace> {
        self.change_pace(pace, pace::configure, pace).await
    }

    /// Moves business time forward for the whole fleet.
    pub async fn advance_clock(&self, by: Duration) -> Result<Pace> {
        let by = Pace { advanced: by, ..Pace::REAL };
        self.change_pace(by, pace::advance, by).await
    }

    async fn change_pace(&self, first: Pace, change: fn(Pace, Pace, Time) -> Pace, by: Pace) -> Result<Pace> {
        match &self.inner {
            Inner::Sql(sql) => sql.change_pace(first, change, by).await,
            Inner::Memory(memory) => {
                let (mut world, real) = (memory.lock(), memory.real());
                let changed = world.pace.map_or(first, |old| change(old, by, real));
                world.pace = Some(changed);
                Ok(changed)
            }
        }
    }

    /// Our id for one order at a provider: follows from (tenant, business key) for ever, so that a resubmission after a lost
    /// commit meets the same order (I3, F21). The schema must have been migrated.
    pub fn derive_request_id(&self, tenant: &str, business_key: &str) -> RequestId {
        self.vault().request_id(tenant, business_key)
    }

    /// A keyed digest for comparing without seeing: the duplicate rule (P12), blind comparison of payees.
    pub fn fingerprint(&self, tenant: &str, domain_label: &str, parts: &[&str]) -> String {
        self.vault().fingerprint(tenant, domain_label, parts)
    }

    fn vault(&self) -> &Vault {
        match &self.inner {
            Inner::Sql(sql) => &sql.vault,
            Inner::Memory(memory) => memory.vault(),
        }
    }
}
