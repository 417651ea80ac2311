//! What uploads that broke off have left: parts without a row, files without a row. Nobody can open them; they only take room.

use super::Blobs;
use super::folder::{self, Old};
use crate::{Inner, Result, Store};
use domain::Time;
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

/// No upload lives as long; what is older and has no row will never have one.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// Asked for in one statement.
const PAGE: usize = 500;

impl Store {
    /// Removes what belongs to no blob and is a day old, and answers how many contents that were. `real`: [`Store::time`].
    pub async fn sweep_blobs(&self, real: Time) -> Result<u64> {
        let before = first_id(real - ABANDONED);
        let parts = match &self.inner {
            Inner::Sql(sql) => sql.sweep_parts(before).await?,
            Inner::Memory(memory) => memory.lock().sweep_parts(before),
        };
        let mut files = 0;
        if matches!(*self.blobs, Blobs::Folder(_)) {
            for drawer in self.blob_folder()?.drawers().await? {
                let old = folder::old_in(&drawer, before).await?;
                for page in old.chunks(PAGE) {
                    files += self.sweep_files(page).await?;
                }
            }
        }
        Ok(parts + files)
    }

    async fn sweep_files(&self, page: &[Old]) -> Result<u64> {
        let ids: Vec<Uuid> = page.iter().filter(|old| !old.draft).map(|old| old.id).collect();
        let live: HashSet<Uuid> = match &self.inner {
            Inner::Sql(sql) => sql.live_blobs(&ids).await?,
            Inner::Memory(memory) => memory.lock().live_blobs(&ids),
        };
        let mut removed = 0;
        for old in page.iter().filter(|old| old.draft || !live.contains(&old.id)) {
            folder::remove(&old.path).await?;
            removed += 1;
        }
        Ok(removed)
    }
}

/// Smaller than every id drawn at that time or later.
fn first_id(at: Time) -> Uuid {
    Uuid::from_u128(u128::from(u64::try_from(at.millis()).unwrap_or(0)) << 80)
}
