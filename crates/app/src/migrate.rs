//! `levee migrate`: the only command that changes a schema (besides `demo` and `up` on their own database).

use crate::config::Config;
use crate::wiring::{self, Access};
use anyhow::{Context, Result};
use std::process::ExitCode;

pub(crate) async fn run(config: &Config) -> Result<ExitCode> {
    let store = wiring::store(config, Access::Server, &wiring::host_clock()).await?;
    let before = store.schema_version().await.context("read the schema's version")?;
    store.migrate().await.context("migrate the schema")?;
    let after = store.schema_version().await.context("read the schema's version")?;
    match (before, after) {
        (before, after) if before == after => println!("schema is up to date (version {})", after.unwrap_or_default()),
        (_, after) => println!("schema migrated to version {}", after.unwrap_or_default()),
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
