//! The database: there, safe, of the right schema, and of our time.

use super::report::Report;
use crate::config::Config;
use crate::wiring::{self, Access};
use domain::Clock;
use domain::clock::host_time;
use std::path::Path;
use std::time::Duration;
use store::{Error, Kind, Store};

/// More than this apart, and one of the two clocks is wrong.
const SKEW_MAX: Duration = Duration::from_secs(30);
const MIGRATE: &str = "run `levee migrate`";

/// The store, if it can be asked anything; the clock then follows it.
pub(super) async fn examine(report: &mut Report, config: &Config, clock: &Clock) -> Option<Store> {
    if config.master_key().is_err() {
        report.warn("the database was not examined", "it opens only with security.master_key");
        return None;
    }
    if let Some(path) = missing(&config.database.url) {
        // Opening it would create it.
        report.fault(format!("there is no database at {path}"), MIGRATE);
        return None;
    }
    let store = match wiring::store(config, Access::Tool, clock).await {
        Ok(store) => store,
        Err(why) => {
            match why.downcast_ref::<Error>() {
                Some(error) => refused(report, error),
                None => report.told(&format!("{why:#}")),
            }
            return None;
        }
    };
    if let Err(error) = store.check_schema().await {
        refused(report, &error);
        store.close().await;
        return None;
    }
    if let Err(error) = time(report, &store, clock).await {
        refused(report, &error);
        store.close().await;
        return None;
    }
    let kind = match store.kind() {
        Kind::Postgres => "PostgreSQL",
        Kind::Sqlite => "SQLite",
        Kind::Memory => "memory",
    };
    report.ok(format!("the database ({kind}) answers, keeps what it acknowledges, and has the schema of this program"));
    Some(store)
}

/// What a database says, and what to do about it.
pub(super) fn refused(report: &mut Report, error: &Error) {
    let what = error.to_string();
    match error {
        Error::Unavailable => {
            report.unreachable = true;
            report.fault(what, "start it, and check database.url, the network, and the user's password");
        }
        Error::Refused(_) => report.told(&what),
        Error::Schema { found: None, .. } => report.fault("the database has no schema", MIGRATE),
        Error::Schema { found: Some(found), known } if found < known => {
            report.fault(format!("the database's schema is version {found}, this program's is {known}"), MIGRATE);
        }
        Error::Schema { found: Some(found), known } => report.fault(
            format!("the database's schema is version {found}, newer than this program's {known}"),
            "use the program that migrated it, or a newer one",
        ),
        Error::Corrupt { .. } => {
            report.fault(what, "do not edit it: restore that row from a backup, or ask for help with this line")
        }
        Error::Forbidden(_) => report.fault(what, "a bug: report it with this line"),
    }
}

async fn time(report: &mut Report, store: &Store, clock: &Clock) -> store::Result<()> {
    let before = host_time();
    let real = store.time().await?;
    let after = host_time();
    // Only what the question itself did not take.
    let apart = before.since(real).max(real.since(after));
    if apart > SKEW_MAX {
        report.fault(
            format!("this machine's clock and the database's are {} s apart", apart.as_secs()),
            "run NTP (chrony) on both: deadlines follow the database, and a provider refuses messages of another time",
        );
    }
    clock.sync(real, store.pace().await?);
    Ok(())
}

/// The path of an SQLite file that does not exist.
fn missing(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path).split('?').next()?;
    (!path.is_empty() && !path.contains(":memory:") && !Path::new(path).exists()).then_some(path)
}
