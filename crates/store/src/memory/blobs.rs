//! Blobs: rows and parts, and the uploads that have them.

use super::World;
use crate::blob::{Kept, Lies, deed};
use crate::{BlobInfo, Result, Shred, Upload};
use domain::Time;
use std::collections::HashSet;
use uuid::Uuid;

impl World {
    pub(crate) fn put_part(&mut self, blob: Uuid, n: u64, sealed: Vec<u8>) {
        self.blob_parts.entry((blob, n)).or_insert(sealed);
    }

    pub(crate) fn blob_part(&self, blob: Uuid, n: u64) -> Option<(Vec<u8>, bool)> {
        let sealed = self.blob_parts.get(&(blob, n))?.clone();
        Some((sealed, self.blob_parts.range((blob, n + 1)..=(blob, u64::MAX)).next().is_some()))
    }

    pub(crate) fn blob(&self, tenant: &str, id: Uuid) -> Option<Kept> {
        self.blobs.get(&(tenant.to_owned(), id)).cloned()
    }

    pub(crate) fn blobs_due(&self, now: Time, limit: usize) -> Vec<BlobInfo> {
        let over = |kept: &&Kept| kept.info.shredded_at.is_none() && kept.info.keep_until.is_some_and(|at| at <= now);
        let mut due: Vec<BlobInfo> = self.blobs.values().filter(over).map(|kept| kept.info.clone()).collect();
        due.sort_by_key(|info| (info.keep_until, info.id));
        due.truncate(limit);
        due
    }

    pub(crate) fn keep_blob(&mut self, new: Kept) -> BlobInfo {
        let same = |kept: &&Kept| {
            let (there, new) = (&kept.info, &new.info);
            there.tenant == new.tenant && there.sha256 == new.sha256 && there.shredded_at.is_none()
        };
        let there = self.blobs.values().find(same).map(|kept| kept.info.clone());
        let Some(mut info) = there else {
            self.blobs.put((new.info.tenant.clone(), new.info.id), new.clone());
            self.blobs.end(true);
            return new.info;
        };
        info.keep_until = info.keep_until.zip(new.info.keep_until).map(|(a, b)| a.max(b));
        self.blobs.change(&(info.tenant.clone(), info.id), |kept| kept.info = info.clone());
        self.blobs.end(true);
        self.drop_parts(new.info.id);
        info
    }

    pub(crate) fn shred_blob(&mut self, tenant: &str, id: Uuid, order: &Shred) -> Result<Option<Lies>> {
        let Some(kept) = self.blob(tenant, id).filter(|kept| kept.info.shredded_at.is_none()) else { return Ok(None) };
        if order.only_due && kept.info.keep_until.is_none_or(|at| at > order.at) {
            return Ok(None);
        }
        self.blobs.change(&(tenant.to_owned(), id), |kept| {
            kept.key = None;
            kept.info.shredded_at = Some(order.at);
        });
        self.blobs.end(true);
        self.drop_parts(id);
        let shredded = BlobInfo { shredded_at: Some(order.at), ..kept.info };
        self.act(tenant, vec![deed(&order.by, "blob.shred", &shredded, order.at)])?;
        Ok(Some(kept.lies))
    }

    pub(crate) fn live_blobs(&self, ids: &[Uuid]) -> HashSet<Uuid> {
        let live = self.blobs.values().filter(|kept| kept.info.shredded_at.is_none() && ids.contains(&kept.info.id));
        live.map(|kept| kept.info.id).collect()
    }

    pub(crate) fn sweep_parts(&mut self, before: Uuid) -> u64 {
        let known: HashSet<Uuid> = self.blobs.values().map(|kept| kept.info.id).collect();
        let parts = self.blob_parts.keys().map(|(blob, _)| *blob).filter(|blob| *blob < before);
        let swept: HashSet<Uuid> = parts.filter(|blob| !known.contains(blob)).collect();
        self.blob_parts.retain(|(blob, _), _| !swept.contains(blob));
        swept.len() as u64
    }

    pub(crate) fn put_upload(&mut self, upload: Upload) {
        self.uploads.put(upload.id, upload);
        self.uploads.end(true);
    }

    pub(crate) fn upload(&self, tenant: &str, id: Uuid) -> Option<Upload> {
        self.uploads.get(&id).filter(|upload| upload.tenant == tenant).cloned()
    }

    fn drop_parts(&mut self, blob: Uuid) {
        self.blob_parts.retain(|(of, _), _| *of != blob);
    }
}
