//! Blobs as files: written under another name, on the disk with their folder before anybody hears of them.

use super::reader::unavailable;
use crate::Result;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// The end of the name of a file that is still being written.
const DRAFT: &str = ".draft";

/// `blobs.folder`/database/last two digits/id. A name says nothing of what the file holds.
pub(super) struct Folder {
    root: PathBuf,
}

/// A file being written; dropped, it is gone.
pub(super) struct Draft {
    file: File,
    draft: PathBuf,
    path: PathBuf,
    root: PathBuf,
    kept: bool,
}

/// A file that has lain there for a while.
pub(super) struct Old {
    pub(super) id: Uuid,
    pub(super) path: PathBuf,
    pub(super) draft: bool,
}

impl Folder {
    pub(super) fn new(folder: &Path, database: &str) -> Self {
        Self { root: folder.join(database) }
    }

    fn path(&self, id: Uuid) -> PathBuf {
        let name = id.simple().to_string();
        self.root.join(&name[name.len() - 2..]).join(name)
    }

    pub(super) async fn begin(&self, id: Uuid) -> Result<Draft> {
        let path = self.path(id);
        let mut folders = fs::DirBuilder::new();
        folders.mode(0o700);
        for folder in [Some(self.root.as_path()), path.parent()].into_iter().flatten() {
            match folders.create(folder).await {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unavailable(error)),
                Ok(()) | Err(_) => {}
            }
        }
        let draft = path.with_extension(&DRAFT[1..]);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).await.map_err(unavailable)?;
        Ok(Draft { file, draft, path, root: self.root.clone(), kept: false })
    }

    pub(super) async fn open(&self, id: Uuid) -> Result<Option<File>> {
        match File::open(self.path(id)).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    pub(super) async fn remove(&self, id: Uuid) -> Result<()> {
        remove(&self.path(id)).await
    }

    /// The folders that files lie in.
    pub(super) async fn drawers(&self) -> Result<Vec<PathBuf>> {
        entries(&self.root).await
    }
}

/// The files in one folder whose id was drawn before `before`.
pub(super) async fn old_in(drawer: &Path, before: Uuid) -> Result<Vec<Old>> {
    let read = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (name, draft) = name.strip_suffix(DRAFT).map_or((name, false), |name| (name, true));
        let id = Uuid::try_parse(name).ok().filter(|id| *id < before)?;
        Some(Old { id, path, draft })
    };
    Ok(entries(drawer).await?.into_iter().filter_map(read).collect())
}

pub(super) async fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut list = match fs::read_dir(folder).await {
        Ok(list) => list,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(found),
        Err(error) => return Err(unavailable(error)),
    };
    while let Some(entry) = list.next_entry().await.map_err(unavailable)? {
        found.push(entry.path());
    }
    Ok(found)
}

impl Draft {
    pub(super) async fn put(&mut self, sealed: &[u8]) -> Result<()> {
        self.file.write_all(sealed).await.map_err(unavailable)
    }

    /// On the disk under its name, and so are the folders on the way: a power cut after this loses none of it.
    pub(super) async fn keep(mut self) -> Result<()> {
        self.file.flush().await.map_err(unavailable)?;
        self.file.sync_all().await.map_err(unavailable)?;
        fs::rename(&self.draft, &self.path).await.map_err(unavailable)?;
        self.kept = true;
        for folder in [self.path.parent(), Some(self.root.as_path()), self.root.parent()].into_iter().flatten() {
            File::open(folder).await.map_err(unavailable)?.sync_all().await.map_err(unavailable)?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed now, the sweep removes.
            let _ = std::fs::remove_file(&self.draft);
        }
    }
}
