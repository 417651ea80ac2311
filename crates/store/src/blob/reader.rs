//! A content, part by part, each verified before anybody has it.

use super::part::{self, Part};
use super::{BlobInfo, BlobUse, Lies, deed};
use crate::vault::DataKey;
use crate::{Error, Inner, Result, Store};
use sha2::{Digest, Sha256};
use std::io::SeekFrom;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use uuid::Uuid;

/// Answers a content in order.
pub struct BlobReader {
    store: Store,
    info: BlobInfo,
    key: DataKey,
    source: Source,
    /// The next part.
    n: u64,
    digest: Sha256,
}

enum Source {
    Database,
    Folder(File),
}

impl Store {
    /// Opens a content; `None` if this tenant has no such blob, or no longer has its content.
    pub async fn blob_reader(&self, tenant: &str, id: Uuid, by: BlobUse) -> Result<Option<BlobReader>> {
        let Some(kept) = self.kept_blob(tenant, id).await? else { return Ok(None) };
        let Some(wrapped) = kept.key else { return Ok(None) };
        let key = self.blob_keys(tenant).await?.unwrap(&part::key_place(tenant, id), &wrapped)?;
        let source = match kept.lies {
            Lies::Database => Source::Database,
            Lies::Folder => match self.blob_folder()?.open(id).await? {
                Some(file) => Source::Folder(file),
                // Shredded a moment ago, or lost.
                None if self.blob(tenant, id).await?.is_some_and(|info| info.shredded_at.is_some()) => return Ok(None),
                None => {
                    return Err(Error::Corrupt { table: "blob".into(), id: id.to_string(), column: "place".into() });
                }
            },
        };
        if let BlobUse::Person { who, at } = by {
            self.act(tenant, vec![deed(&who, "blob.read", &kept.info, at)]).await?;
        }
        Ok(Some(BlobReader { store: self.clone(), info: kept.info, key, source, n: 0, digest: Sha256::new() }))
    }

    async fn blob_part(&self, blob: Uuid, n: u64) -> Result<Option<(Vec<u8>, bool)>> {
        match &self.inner {
            Inner::Sql(sql) => sql.blob_part(blob, n).await,
            Inner::Memory(memory) => Ok(memory.lock().blob_part(blob, n)),
        }
    }
}

impl BlobReader {
    /// What is being read.
    pub fn info(&self) -> &BlobInfo {
        &self.info
    }

    /// The next part; `None` after the last. [`Error::Corrupt`] if anything was done to it since it was put there.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let count = part::count(self.info.size);
        if self.n == count {
            return Ok(None);
        }
        let part = Part { tenant: &self.info.tenant, blob: self.info.id, n: self.n, last: self.n + 1 == count };
        let size = part::plain_size(self.info.size, self.n);
        let sealed = match &mut self.source {
            Source::Database => self.store.blob_part(self.info.id, self.n).await?,
            Source::Folder(file) => sealed_in(file, &part, size).await?,
        };
        let Some((sealed, more)) = sealed else { return Err(self.gone(part.corrupt()).await) };
        if part.last && more {
            return Err(part.corrupt());
        }
        let plain = part.open(&self.key, &sealed)?;
        if plain.len() as u64 != size {
            return Err(part.corrupt());
        }
        self.digest.update(&plain);
        if part.last && hex::encode(self.digest.clone().finalize()) != self.info.sha256 {
            return Err(part.corrupt());
        }
        self.n += 1;
        Ok((!plain.is_empty()).then_some(plain))
    }

    /// Why a part is not there.
    async fn gone(&self, corrupt: Error) -> Error {
        match self.store.blob(&self.info.tenant, self.info.id).await {
            Ok(Some(info)) if info.shredded_at.is_some() => Error::Forbidden("blob_shredded".into()),
            Ok(_) => corrupt,
            Err(error) => error,
        }
    }
}

/// A part in its file, and whether more comes behind it; `None` if the file ends before it does.
async fn sealed_in(file: &mut File, part: &Part<'_>, plain_size: u64) -> Result<Option<(Vec<u8>, bool)>> {
    let size = usize::try_from(plain_size).map_err(|_| part.corrupt())? + crate::vault::SEAL;
    let mut sealed = vec![0; size];
    // Sought each time: a read that nobody waited for may have moved on.
    file.seek(SeekFrom::Start(part.n * part::STRIDE)).await.map_err(unavailable)?;
    match file.read_exact(&mut sealed).await {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(unavailable(error)),
    }
    let more = file.read(&mut [0]).await.map_err(unavailable)? != 0;
    Ok(Some((sealed, more)))
}

pub(super) fn unavailable(error: std::io::Error) -> Error {
    tracing::error!(kind = %error.kind(), "a blob's file cannot be used");
    Error::Unavailable
}
