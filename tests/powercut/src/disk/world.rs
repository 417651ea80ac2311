//! The disk's inside: two images per file, two views of the directory, and what stands between them.

use super::damage::{self, Change};
use super::{Counts, Faults, Kind, Lie, Refused};
use crate::locks::{FileLocks, Holder, SharedLocks};
use crate::shared::Shared;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

/// A file by itself, whatever its name.
pub(super) type Inode = u64;
type Names = BTreeMap<String, Inode>;

#[derive(Debug)]
pub(super) struct World {
    dice: StdRng,
    pub(super) power: bool,
    /// Counts power cuts.
    pub(super) life: u64,
    /// Changes until the power fails.
    pub(super) fuse: Option<u64>,
    /// Syncs until the power fails.
    pub(super) sync_fuse: Option<u64>,
    pub(super) faults: Option<Faults>,
    pub(super) lie: Option<Lie>,
    pub(super) counts: Counts,
    files: BTreeMap<Inode, Data>,
    /// The directory as programs see it.
    names: Names,
    /// The directory as the platter holds it.
    durable: Names,
    last: u64,
}

#[derive(Debug)]
struct Data {
    kind: Kind,
    memory: Vec<u8>,
    disk: Vec<u8>,
    /// In order, what has changed since the last sync.
    unsynced: Vec<Change>,
    locks: FileLocks,
    shared: Weak<Shared>,
    shared_locks: SharedLocks,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World {
            dice: StdRng::seed_from_u64(seed),
            power: true,
            life: 0,
            fuse: None,
            sync_fuse: None,
            faults: None,
            lie: None,
            counts: Counts::default(),
            files: BTreeMap::new(),
            names: Names::new(),
            durable: Names::new(),
            last: 0,
        }
    }

    /// A number nobody has: an inode, or the holder of a lock.
    pub(super) fn holder(&mut self) -> Holder {
        self.last += 1;
        self.last
    }

    pub(super) fn open(&mut self, name: Option<&str>, kind: Kind, make: bool) -> Result<Inode, Refused> {
        if !self.power {
            return Err(Refused::Dead);
        }
        if let Some(inode) = name.and_then(|name| self.names.get(name)) {
            return Ok(*inode);
        }
        if !make {
            return Err(Refused::Absent);
        }
        if name.is_some() {
            self.change()?;
            self.fault()?;
        }
        let inode = self.holder();
        let data = Data {
            kind,
            memory: Vec::new(),
            disk: Vec::new(),
            unsynced: Vec::new(),
            locks: FileLocks::default(),
            shared: Weak::new(),
            shared_locks: SharedLocks::default(),
        };
        self.files.insert(inode, data);
        if let Some(name) = name {
            self.names.insert(name.to_owned(), inode);
        }
        Ok(inode)
    }

    pub(super) fn delete(&mut self, name: &str, sync_directory: bool) -> Result<(), Refused> {
        if !self.power {
            return Err(Refused::Dead);
        }
        if !self.names.contains_key(name) {
            return Err(Refused::Absent);
        }
        let cut = self.change();
        if cut.is_ok() {
            self.fault()?;
        }
        // Under the failing power the name may be gone or not: the cut decides, because nothing was synced.
        self.names.remove(name);
        cut?;
        if sync_directory && self.lie != Some(Lie::Always) {
            self.durable = self.names.clone();
        }
        Ok(())
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|inode| !self.memory(*inode).is_empty())
    }

    pub(super) fn memory(&self, inode: Inode) -> &[u8] {
        self.files.get(&inode).map_or(&[], |data| &data.memory)
    }

    pub(super) fn write(&mut self, inode: Inode, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        let cut = if self.kind(inode) == Kind::Temporary { Ok(()) } else { self.change() };
        let failed = if cut.is_ok() && self.kind(inode) != Kind::Temporary { self.fault() } else { Ok(()) };
        // A full or broken disk may have taken the beginning.
        let taken = if failed.is_err() { self.dice.random_range(0..bytes.len().max(1)) } else { bytes.len() };
        if taken > 0 {
            self.put(inode, Change::Write { at, bytes: bytes[..taken].to_vec() });
        }
        cut.and(failed)
    }

    pub(super) fn truncate(&mut self, inode: Inode, size: usize) -> Result<(), Refused> {
        let cut = self.change();
        if cut.is_ok() {
            self.fault()?;
        }
        self.put(inode, Change::Truncate(size));
        cut
    }

    pub(super) fn sync(&mut self, inode: Inode) -> Result<(), Refused> {
        let cut = self.change().and(burn(&mut self.sync_fuse, &mut self.power));
        if cut.is_err() && self.dice.random_bool(0.5) {
            // Nothing of it is certain.
            return cut;
        }
        // Or it was just done, and nobody is left to hear so.
        let failed = if cut.is_ok() { self.fault() } else { Ok(()) };
        let (lie, kind) = (self.lie, self.kind(inode));
        let Some(data) = self.files.get_mut(&inode) else { return Ok(()) };
        if failed.is_err() {
            // A failed fsync marks the pages clean: what did not reach the platter now never will by a later sync.
            let changes = std::mem::take(&mut data.unsynced);
            damage::settle(&mut self.dice, &mut data.disk, changes, &mut self.counts);
            return failed;
        }
        self.counts.syncs += 1;
        if lie == Some(Lie::Always) || (lie == Some(Lie::Log) && kind == Kind::Log) {
            self.counts.lies += 1;
            return cut;
        }
        self.counts.checkpoints += u64::from(kind == Kind::Database);
        for change in data.unsynced.drain(..) {
            change.apply(&mut data.disk);
        }
        // SQLite syncs the directory with the first sync of a new log or journal; its database is made durable by the journal's.
        let fresh = self.names.iter().any(|(name, of)| *of == inode && self.durable.get(name) != Some(of));
        if fresh && matches!(kind, Kind::Log | Kind::Journal) {
            self.durable = self.names.clone();
        }
        cut
    }

    pub(super) fn locks(&mut self, inode: Inode) -> &mut FileLocks {
        &mut self.data(inode).locks
    }

    pub(super) fn shared_locks(&mut self, inode: Inode) -> &mut SharedLocks {
        &mut self.data(inode).shared_locks
    }

    /// The memory of a file's connections: made by the first, gone with the last.
    pub(super) fn share(&mut self, inode: Inode) -> Arc<Shared> {
        let data = self.data(inode);
        data.shared.upgrade().unwrap_or_else(|| {
            let shared = Arc::new(Shared::default());
            data.shared = Arc::downgrade(&shared);
            shared
        })
    }

    pub(super) fn reboot(&mut self) {
        self.counts.cuts += 1;
        let all: BTreeSet<String> = self.names.keys().chain(self.durable.keys()).cloned().collect();
        let mut after = Names::new();
        for name in all {
            let (seen, durable) = (self.names.get(&name).copied(), self.durable.get(&name).copied());
            let undone = seen != durable && self.dice.random_bool(0.5);
            self.counts.names_undone += u64::from(undone);
            if let Some(inode) = if undone { durable } else { seen } {
                after.insert(name, inode);
            }
        }
        let held: BTreeSet<Inode> = after.values().copied().collect();
        self.files.retain(|inode, _| held.contains(inode));
        for data in self.files.values_mut() {
            let changes = std::mem::take(&mut data.unsynced);
            damage::settle(&mut self.dice, &mut data.disk, changes, &mut self.counts);
            data.memory.clone_from(&data.disk);
            (data.locks, data.shared, data.shared_locks) = Default::default();
        }
        self.names.clone_from(&after);
        self.durable = after;
        self.life += 1;
        (self.power, self.fuse, self.sync_fuse, self.faults) = (true, None, None, None);
    }

    fn put(&mut self, inode: Inode, change: Change) {
        let data = self.data(inode);
        change.apply(&mut data.memory);
        if data.kind != Kind::Temporary {
            data.unsynced.push(change);
        }
    }

    /// One more change; the power may fail in the middle of it.
    fn change(&mut self) -> Result<(), Refused> {
        self.counts.changes += 1;
        burn(&mut self.fuse, &mut self.power)
    }

    fn fault(&mut self) -> Result<(), Refused> {
        let Some(faults) = self.faults.filter(|faults| self.counts.changes % faults.every < faults.length) else {
            return Ok(());
        };
        self.counts.faults += 1;
        Err(faults.why)
    }

    fn kind(&self, inode: Inode) -> Kind {
        self.files.get(&inode).map_or(Kind::Temporary, |data| data.kind)
    }

    fn data(&mut self, inode: Inode) -> &mut Data {
        self.files.get_mut(&inode).expect("an open file exists until the power fails")
    }
}

/// One step nearer to the power cut.
fn burn(fuse: &mut Option<u64>, power: &mut bool) -> Result<(), Refused> {
    let Some(left) = fuse else { return Ok(()) };
    *left = left.saturating_sub(1);
    *power = *left > 0;
    if *power { Ok(()) } else { Err(Refused::Dead) }
}
