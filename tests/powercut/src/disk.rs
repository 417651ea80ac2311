//! Files with two images, a power switch, faults and lies. Everything is drawn from one seed.

mod damage;
mod world;

use crate::locks::{Holder, Level};
use crate::shared::Shared;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use world::{Inode, World};

/// What SQLite uses a file for, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Database,
    /// The WAL: the first sync of a new one also syncs the directory, as on Unix.
    Log,
    /// A rollback journal; as the WAL.
    Journal,
    /// Never on the platter.
    Temporary,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The power is off.
    Dead,
    /// The disk answered an error.
    Broken,
    /// No space left.
    Full,
    /// No such file.
    Absent,
}

/// Writes, truncations, syncs, creations and deletions that fail: `length` of them, every `every`-th.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    pub why: Refused,
    pub every: u64,
    pub length: u64,
}

/// A disk that says "synced" and is not: what a run must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Every sync.
    Always,
    /// Those of the WAL, which is what `synchronous = NORMAL` saves at each commit.
    Log,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub cuts: u64,
    /// Writes, truncations, syncs, creations and deletions.
    pub changes: u64,
    pub syncs: u64,
    /// Syncs of the database itself: checkpoints.
    pub checkpoints: u64,
    /// Un-synced writes at the cuts, by what became of them.
    pub lost: u64,
    pub kept: u64,
    pub torn: u64,
    /// Sectors of torn writes that did not reach the platter.
    pub torn_sectors: u64,
    /// Creations and deletions undone by a cut.
    pub names_undone: u64,
    /// Faults answered.
    pub faults: u64,
    /// Syncs that were lies.
    pub lies: u64,
}

/// One disk with one flat directory.
#[derive(Debug)]
pub struct Disk(Mutex<World>);

impl Disk {
    pub fn new(seed: u64) -> Arc<Disk> {
        Arc::new(Disk(Mutex::new(World::new(seed))))
    }

    /// The power will fail at the `changes`-th change from now.
    pub fn cut_after(&self, changes: u64) {
        self.world().fuse = Some(changes);
    }

    /// The power will fail at the `syncs`-th sync from now: done on the platter or not, and in either case not answered.
    pub fn cut_at_sync(&self, syncs: u64) {
        self.world().sync_fuse = Some(syncs);
    }

    /// Whether the power has failed.
    pub fn dead(&self) -> bool {
        !self.world().power
    }

    /// From now on; `None` = none.
    pub fn fault(&self, faults: Option<Faults>) {
        self.world().faults = faults;
    }

    pub fn lie(&self, lie: Option<Lie>) {
        self.world().lie = lie;
    }

    pub fn counts(&self) -> Counts {
        self.world().counts
    }

    /// Cuts the power if it has not failed yet, and brings it back: what is on the platter is all there is. Files opened before stay dead.
    pub fn reboot(&self) {
        self.world().reboot();
    }

    /// Opens a file, or makes it.
    pub(crate) fn open(self: &Arc<Self>, name: Option<&str>, kind: Kind, make: bool) -> Result<File, Refused> {
        let mut world = self.world();
        let inode = world.open(name, kind, make)?;
        Ok(File { disk: self.clone(), inode, life: world.life, me: world.holder(), shared: None })
    }

    pub(crate) fn delete(&self, name: &str, sync_directory: bool) -> Result<(), Refused> {
        self.world().delete(name, sync_directory)
    }

    /// As on Unix, an empty file counts as absent.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.world().exists(name)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open file of one connection.
#[derive(Debug)]
pub(crate) struct File {
    disk: Arc<Disk>,
    inode: Inode,
    /// Of which life: a file opened before a power cut stays dead after it.
    life: u64,
    me: Holder,
    shared: Option<Arc<Shared>>,
}

impl File {
    /// How many bytes there were; the rest of `into` is zeros.
    pub(crate) fn read(&self, at: usize, into: &mut [u8]) -> Result<usize, Refused> {
        let world = self.alive()?;
        let memory = world.memory(self.inode);
        let there = memory.len().saturating_sub(at).min(into.len());
        let (some, rest) = into.split_at_mut(there);
        some.copy_from_slice(&memory[at.min(memory.len())..][..there]);
        rest.fill(0);
        Ok(there)
    }

    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        self.alive()?.write(self.inode, at, bytes)
    }

    pub(crate) fn truncate(&self, size: usize) -> Result<(), Refused> {
        self.alive()?.truncate(self.inode, size)
    }

    pub(crate) fn sync(&self) -> Result<(), Refused> {
        self.alive()?.sync(self.inode)
    }

    pub(crate) fn size(&self) -> Result<usize, Refused> {
        Ok(self.alive()?.memory(self.inode).len())
    }

    /// False = busy.
    pub(crate) fn lock(&self, level: Level) -> Result<bool, Refused> {
        Ok(self.alive()?.locks(self.inode).lock(self.me, level))
    }

    /// Also on a dead disk: then there is nothing to unlock.
    pub(crate) fn unlock(&self, level: Level) {
        if let Ok(mut world) = self.alive() {
            world.locks(self.inode).unlock(self.me, level);
        }
    }

    pub(crate) fn reserved(&self) -> Result<bool, Refused> {
        Ok(self.alive()?.locks(self.inode).reserved())
    }

    /// A region of the memory that this file's connections share.
    pub(crate) fn region(&mut self, number: usize, bytes: usize, make: bool) -> Result<Option<*mut u8>, Refused> {
        if self.shared.is_none() {
            let shared = self.alive()?.share(self.inode);
            self.shared = Some(shared);
        }
        Ok(self.shared.as_ref().and_then(|shared| shared.region(number, bytes, make)))
    }

    /// False = busy.
    pub(crate) fn lock_shared(&self, slots: Range<usize>, alone: bool) -> Result<bool, Refused> {
        let mut world = self.alive()?;
        let locks = world.shared_locks(self.inode);
        Ok(if alone { locks.write(self.me, slots) } else { locks.read(self.me, slots) })
    }

    pub(crate) fn unlock_shared(&self, slots: Range<usize>) {
        if let Ok(mut world) = self.alive() {
            world.shared_locks(self.inode).free(self.me, slots);
        }
    }

    pub(crate) fn unmap(&mut self) {
        self.unlock_shared(0..crate::locks::SLOTS);
        self.shared = None;
    }

    pub(crate) fn barrier(&self) {
        std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
        drop(self.disk.world());
    }

    fn alive(&self) -> Result<MutexGuard<'_, World>, Refused> {
        let world = self.disk.world();
        if world.power && world.life == self.life { Ok(world) } else { Err(Refused::Dead) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.unmap();
        self.unlock(Level::None);
    }
}
