//! An upload, chunk by chunk: it holds one part in the plain and one sealed, however large the whole is (P64).

use super::folder::Draft;
use super::part::{PART, Part, key_place};
use super::{BlobInfo, Blobs, Kept, Lies, NewBlob};
use crate::vault::DataKey;
use crate::{Error, Inner, Result, Store, fail_point};
use domain::ids;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

/// An upload takes no longer: what is much older, a sweep may take for abandoned.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Takes a content in. Dropped before [`BlobWriter::finish`], it leaves nothing that anybody sees.
pub struct BlobWriter {
    store: Store,
    tenant: String,
    new: NewBlob,
    id: Uuid,
    key: DataKey,
    began: Instant,
    digest: Sha256,
    size: u64,
    /// Parts put.
    parts: u64,
    plain: Zeroizing<Vec<u8>>,
    out: Out,
    /// A part was not put, or nobody waited to hear.
    broken: bool,
}

enum Out {
    Database,
    Folder(Draft),
}

impl Store {
    /// Begins an upload.
    pub async fn blob_writer(&self, tenant: &str, new: NewBlob) -> Result<BlobWriter> {
        // By the database's clock: a sweep tells the age of what was left behind by its id.
        let id = ids::draw(self.time().await?);
        let out = match &*self.blobs {
            Blobs::Database => Out::Database,
            Blobs::Folder(_) => Out::Folder(self.blob_folder()?.begin(id).await?),
        };
        Ok(BlobWriter {
            store: self.clone(),
            tenant: tenant.to_owned(),
            new,
            id,
            key: DataKey::draw(),
            began: Instant::now(),
            digest: Sha256::new(),
            size: 0,
            parts: 0,
            // Never grown: growing would leave plain bytes behind.
            plain: Zeroizing::new(Vec::with_capacity(PART)),
            out,
            broken: false,
        })
    }
}

impl BlobWriter {
    /// Takes the next bytes. After an error the upload is over.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.check()?;
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.new.most {
            self.broken = true;
            return Err(Error::Forbidden("blob_most".into()));
        }
        self.digest.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            // Only now is it known that this part is not the last.
            if self.plain.len() == PART {
                self.put(false).await?;
            }
            let (taken, left) = rest.split_at(rest.len().min(PART - self.plain.len()));
            self.plain.extend_from_slice(taken);
            rest = left;
        }
        Ok(())
    }

    /// Makes it a blob; or, if this tenant has the same content already, answers that one, kept at least as long as this.
    pub async fn finish(mut self) -> Result<BlobInfo> {
        self.check()?;
        self.put(true).await?;
        let lies = match self.out {
            Out::Database => Lies::Database,
            Out::Folder(draft) => {
                draft.keep().await?;
                Lies::Folder
            }
        };
        fail_point("blob.content");
        let wrapped = self.store.blob_keys(&self.tenant).await?.wrap(&key_place(&self.tenant, self.id), &self.key);
        let info = BlobInfo {
            id: self.id,
            tenant: self.tenant,
            sha256: hex::encode(self.digest.finalize()),
            size: self.size,
            media: self.new.media,
            class: self.new.class,
            created_at: self.new.at,
            keep_until: self.new.keep_until,
            shredded_at: None,
        };
        let info = self.store.keep_blob(Kept { info, lies, key: Some(wrapped) }).await?;
        fail_point("blob.kept");
        if info.id != self.id
            && lies == Lies::Folder
            && let Err(error) = self.store.remove_file(self.id).await
        {
            tracing::warn!(blob = %self.id, %error, "the file of a content that was there already stays for now");
        }
        Ok(info)
    }

    fn check(&self) -> Result<()> {
        if self.broken || self.began.elapsed() > LONGEST {
            return Err(Error::Refused("this upload broke off, or took too long: begin it again".into()));
        }
        Ok(())
    }

    /// Seals what is held and puts it where it is to lie.
    async fn put(&mut self, last: bool) -> Result<()> {
        self.broken = true;
        let part = Part { tenant: &self.tenant, blob: self.id, n: self.parts, last };
        let sealed = part.seal(&self.key, &self.plain);
        self.plain.zeroize();
        match &mut self.out {
            Out::Database => self.store.put_part(self.id, self.parts, sealed).await?,
            Out::Folder(draft) => draft.put(&sealed).await?,
        }
        self.parts += 1;
        self.broken = false;
        Ok(())
    }
}

impl Store {
    async fn put_part(&self, blob: Uuid, n: u64, sealed: Vec<u8>) -> Result<()> {
        match &self.inner {
            Inner::Sql(sql) => sql.put_part(blob, n, sealed).await,
            Inner::Memory(memory) => {
                memory.lock().put_part(blob, n, sealed);
                Ok(())
            }
        }
    }

    async fn keep_blob(&self, kept: Kept) -> Result<BlobInfo> {
        match &self.inner {
            Inner::Sql(sql) => sql.keep_blob(kept).await,
            Inner::Memory(memory) => Ok(memory.lock().keep_blob(kept)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use domain::Time;

    #[tokio::test]
    async fn p64_a_video_is_never_in_memory_as_a_whole() {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let new = NewBlob {
                media: "video".into(),
                class: "identity".into(),
                keep_until: None,
                most: 16 << 20,
                at: Time::from_millis(0),
            };
            let mut writer = fresh.store.blob_writer("acme", new).await.unwrap();
            let chunk = vec![7; 100_000];
            for _ in 0..30 {
                writer.write(&chunk).await.unwrap();
                assert!(writer.plain.len() <= PART && writer.plain.capacity() == PART, "one part, in the same place");
            }
            // What it has sealed is in the database by now, part by part: nothing waits for the end.
            let rest = writer.size - writer.parts * PART as u64;
            assert_eq!(rest, writer.plain.len() as u64);
            assert_eq!(writer.finish().await.unwrap().size, 3_000_000);
        }
    }
}
