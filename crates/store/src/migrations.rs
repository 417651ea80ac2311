//! Migrations, embedded: the same names in both dialects, forward only, expand then contract.

use crate::sql::Pool;
use crate::{Error, Result};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Executor, SqlSafeStr};

/// Version, name, PostgreSQL's text, SQLite's text.
type Texts = (i64, &'static str, &'static str, &'static str);

/// The migration that makes `setting`, which holds the keys: an older schema has nothing to read yet.
pub(crate) const SETTINGS: i64 = 4;

pub(crate) const ALL: [Texts; 10] = [
    (
        1,
        "machines",
        include_str!("../../../migrations/postgres/0001_machines.sql"),
        include_str!("../../../migrations/sqlite/0001_machines.sql"),
    ),
    (
        2,
        "safety",
        include_str!("../../../migrations/postgres/0002_safety.sql"),
        include_str!("../../../migrations/sqlite/0002_safety.sql"),
    ),
    (
        3,
        "people",
        include_str!("../../../migrations/postgres/0003_people.sql"),
        include_str!("../../../migrations/sqlite/0003_people.sql"),
    ),
    (
        4,
        "fleet",
        include_str!("../../../migrations/postgres/0004_fleet.sql"),
        include_str!("../../../migrations/sqlite/0004_fleet.sql"),
    ),
    (
        5,
        "hot_paths",
        include_str!("../../../migrations/postgres/0005_hot_paths.sql"),
        include_str!("../../../migrations/sqlite/0005_hot_paths.sql"),
    ),
    (
        6,
        "blobs",
        include_str!("../../../migrations/postgres/0006_blobs.sql"),
        include_str!("../../../migrations/sqlite/0006_blobs.sql"),
    ),
    (
        7,
        "standing",
        include_str!("../../../migrations/postgres/0007_standing.sql"),
        include_str!("../../../migrations/sqlite/0007_standing.sql"),
    ),
    (
        8,
        "papers",
        include_str!("../../../migrations/postgres/0008_papers.sql"),
        include_str!("../../../migrations/sqlite/0008_papers.sql"),
    ),
    (
        9,
        "identity",
        include_str!("../../../migrations/postgres/0009_identity.sql"),
        include_str!("../../../migrations/sqlite/0009_identity.sql"),
    ),
    (
        10,
        "id_card_checks",
        include_str!("../../../migrations/postgres/0010_id_card_checks.sql"),
        include_str!("../../../migrations/sqlite/0010_id_card_checks.sql"),
    ),
];

/// The schema this program knows.
pub(crate) fn newest() -> i64 {
    ALL.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

pub(crate) async fn apply(pool: &Pool, wanted: &[Texts]) -> Result<()> {
    let migrator = |pick: fn(&Texts) -> &'static str| {
        let all = wanted
            .iter()
            .map(|m| Migration::new(m.0, m.1.into(), MigrationType::Simple, pick(m).into_sql_str(), false));
        Migrator::with_migrations(all.collect())
    };
    let ran = match pool {
        Pool::Pg { write, .. } => {
            let mut conn = write.acquire().await.map_err(|_| Error::Unavailable)?;
            // A migration waits for no reader for long, and may itself take its time.
            conn.execute("set lock_timeout = '3s'; set statement_timeout = 0").await.map_err(|_| Error::Unavailable)?;
            let ran = migrator(|m| m.2).run(&mut *conn).await;
            conn.execute("reset lock_timeout; reset statement_timeout").await.map_err(|_| Error::Unavailable)?;
            ran
        }
        Pool::Lite { write, .. } => migrator(|m| m.3).run(write).await,
    };
    ran.map_err(refused)
}

/// The driver's text may hold data: only versions leave.
#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx's list of errors is open")]
fn refused(error: sqlx::migrate::MigrateError) -> Error {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(found) => Error::Schema { found: Some(found), known: newest() },
        sqlx::migrate::MigrateError::VersionMismatch(version) => Error::Refused(format!(
            "migration {version} was applied with another text: this database belongs to another build"
        )),
        _ => Error::Refused("a migration failed; nothing of it was applied: look at the database's own log".into()),
    }
}
