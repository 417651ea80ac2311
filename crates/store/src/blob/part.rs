//! A blob's parts: 256 KiB each, sealed with AES-256-GCM and bound to their tenant, blob, number and whether they are the last.
//!
//! So none can be changed, moved, dropped or repeated, nor the end cut off, unnoticed (the STREAM construction). The key seals nothing
//! else, and each number once.

use crate::vault::{DataKey, Place, SEAL};
use crate::{Error, Result};
use uuid::Uuid;

/// Plain bytes of every part but the last.
pub(super) const PART: usize = 256 * 1024;
/// Sealed bytes of every part but the last.
pub(super) const STRIDE: u64 = (PART + SEAL) as u64;

/// One part of one blob.
pub(super) struct Part<'a> {
    pub(super) tenant: &'a str,
    pub(super) blob: Uuid,
    pub(super) n: u64,
    pub(super) last: bool,
}

impl Part<'_> {
    pub(super) fn seal(&self, key: &DataKey, plain: &[u8]) -> Vec<u8> {
        key.seal(&self.place(&self.column()), plain)
    }

    pub(super) fn open(&self, key: &DataKey, sealed: &[u8]) -> Result<Vec<u8>> {
        key.open(&self.place(&self.column()), sealed)
    }

    pub(super) fn corrupt(&self) -> Error {
        self.place(&self.column()).corrupt()
    }

    fn column(&self) -> String {
        format!("sealed/{}/{}", self.n, if self.last { "last" } else { "more" })
    }

    fn place<'p>(&'p self, column: &'p str) -> Place<'p> {
        Place { tenant: self.tenant, table: "blob_part", column, row: self.blob }
    }
}

/// Where the row keeps the key.
pub(super) fn key_place(tenant: &str, blob: Uuid) -> Place<'_> {
    Place { tenant, table: "blob", column: "data_key", row: blob }
}

/// How many parts a content of this size has; none is no content: even an empty one has its last part.
pub(super) fn count(size: u64) -> u64 {
    size.div_ceil(PART as u64).max(1)
}

/// Plain bytes of part `n`.
pub(super) fn plain_size(size: u64, n: u64) -> u64 {
    size.saturating_sub(n * PART as u64).min(PART as u64)
}
