//! Blobs: pictures, documents and videos, found by their content, sealed at rest, kept as long as their class says (security.md §1).
//!
//! An upload is sealed part by part under a key drawn for it alone (`part.rs`), and the parts are put where the setting says, each as it
//! comes. Last comes the row, and only the row holds the key: before it is committed there is nothing to see, and what an upload that
//! broke off left behind nobody can open. To shred a blob is to destroy that key, together with the content; hash and time remain.

mod folder;
mod part;
mod reader;
mod rows;
mod sweep;
mod writer;

pub use reader::BlobReader;
pub use writer::BlobWriter;

use crate::vault::Keys;
use crate::{Act, Error, Inner, Result, Store, fail_point};
use domain::Time;
use folder::Folder;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// Where new blobs are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blobs {
    Database,
    /// One folder for the whole fleet.
    Folder(PathBuf),
}

/// What is known of an upload when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// `image`, `document`, `video`.
    pub media: String,
    /// Says how long it is kept, and why.
    pub class: String,
    /// `None`: until somebody says.
    pub keep_until: Option<Time>,
    /// More bytes are refused as they come.
    pub most: u64,
    pub at: Time,
}

/// A blob without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    pub id: Uuid,
    pub tenant: String,
    /// Of the plain bytes, in hex; stays after shredding.
    pub sha256: String,
    pub size: u64,
    pub media: String,
    pub class: String,
    pub created_at: Time,
    pub keep_until: Option<Time>,
    pub shredded_at: Option<Time>,
}

/// Who is to read a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobUse {
    /// It goes on to where it was given for; no person sees it.
    Machine,
    /// It is revealed to a person: audited before the first byte.
    Person { who: String, at: Time },
}

/// An order to shred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shred {
    pub by: String,
    pub at: Time,
    /// Only if its time is over by `at`: since it was found due, the same content may have come again, to be kept longer.
    pub only_due: bool,
}

/// Where a blob's parts lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    Database,
    Folder,
}

/// A blob's row.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) info: BlobInfo,
    pub(crate) lies: Lies,
    /// Wrapped by the tenant's key; none once shredded.
    pub(crate) key: Option<Vec<u8>>,
}

impl Store {
    /// A blob of this tenant, shredded or not.
    pub async fn blob(&self, tenant: &str, id: Uuid) -> Result<Option<BlobInfo>> {
        Ok(self.kept_blob(tenant, id).await?.map(|kept| kept.info))
    }

    /// Blobs of all tenants whose time is over, the longest overdue first.
    pub async fn blobs_due(&self, now: Time, limit: usize) -> Result<Vec<BlobInfo>> {
        match &self.inner {
            Inner::Sql(sql) => sql.blobs_due(now, limit).await,
            Inner::Memory(memory) => Ok(memory.lock().blobs_due(now, limit)),
        }
    }

    /// Destroys a blob's key and content, audited in the same transaction; whether it was there to be shredded. Copies of the database
    /// made before (backups, archived logs) still hold the wrapped key: they must not outlive what the class promises.
    pub async fn shred(&self, tenant: &str, id: Uuid, order: Shred) -> Result<bool> {
        let shredded = match &self.inner {
            Inner::Sql(sql) => sql.shred_blob(tenant, id, order).await?,
            Inner::Memory(memory) => memory.lock().shred_blob(tenant, id, &order)?,
        };
        fail_point("blob.shredded");
        if shredded == Some(Lies::Folder)
            && let Err(error) = self.remove_file(id).await
        {
            // Without its key it is noise already; the sweep comes by.
            tracing::warn!(blob = %id, %error, "a shredded blob's file stays for now");
        }
        Ok(shredded.is_some())
    }

    async fn remove_file(&self, id: Uuid) -> Result<()> {
        self.blob_folder()?.remove(id).await
    }

    /// The folder of this database's blobs: of its own, so that no sweep meets another database's files.
    fn blob_folder(&self) -> Result<Folder> {
        let mark = || self.fingerprint("", "blob folder", &[]);
        match &*self.blobs {
            Blobs::Folder(path) => Ok(Folder::new(path, &mark())),
            Blobs::Database => {
                Err(Error::Refused("blobs.folder is not set, but this blob lies in a folder: name it again".into()))
            }
        }
    }

    async fn kept_blob(&self, tenant: &str, id: Uuid) -> Result<Option<Kept>> {
        match &self.inner {
            Inner::Sql(sql) => sql.blob(tenant, id).await,
            Inner::Memory(memory) => Ok(memory.lock().blob(tenant, id)),
        }
    }

    async fn blob_keys(&self, tenant: &str) -> Result<Arc<Keys>> {
        match &self.inner {
            Inner::Sql(sql) => sql.keys_of(tenant).await,
            Inner::Memory(memory) => Ok(memory.vault().derived_keys(tenant)),
        }
    }
}

impl Blobs {
    /// Found out at the start, not by the first upload.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Blobs::Folder(path) if !path.is_dir() => {
                Err(Error::Refused("blobs.folder is no folder: create it, or mount what it lies on".into()))
            }
            Blobs::Folder(_) | Blobs::Database => Ok(()),
        }
    }
}

/// The line in the audit chain for what was done with a blob.
pub(crate) fn deed(who: &str, what: &str, info: &BlobInfo, at: Time) -> Act {
    let detail = json!({ "class": info.class, "media": info.media, "sha256": info.sha256, "size": info.size });
    Act { who: who.to_owned(), what: what.to_owned(), subject: info.id.to_string(), detail, at }
}
