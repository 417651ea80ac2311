//! SQLite's five file locks and eight shared-memory locks, among the connections of one process.

use std::collections::BTreeMap;

/// Who holds a lock: one open file.
pub type Holder = u64;

/// The ladder of <https://www.sqlite.org/lockingv3.html>, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// The locks on one file.
#[derive(Debug, Default)]
pub struct FileLocks(BTreeMap<Holder, Level>);

impl FileLocks {
    /// Raises a holder's lock; false = busy.
    pub fn lock(&mut self, me: Holder, wanted: Level) -> bool {
        if self.level(me) >= wanted {
            return true;
        }
        let others = self.others(me);
        let free = match wanted {
            Level::None => true,
            Level::Shared => others < Level::Pending,
            Level::Reserved => others < Level::Reserved,
            Level::Pending | Level::Exclusive => others < Level::Shared,
        };
        if free {
            self.0.insert(me, wanted);
        } else if wanted == Level::Exclusive && others < Level::Reserved {
            // Readers finish, and no new one comes in.
            self.0.insert(me, Level::Pending);
        }
        free
    }

    pub fn unlock(&mut self, me: Holder, left: Level) {
        if left == Level::None {
            self.0.remove(&me);
        } else if self.level(me) > left {
            self.0.insert(me, left);
        }
    }

    /// Whether anybody means to write.
    pub fn reserved(&self) -> bool {
        self.0.values().any(|level| *level >= Level::Reserved)
    }

    fn level(&self, me: Holder) -> Level {
        self.0.get(&me).copied().unwrap_or(Level::None)
    }

    fn others(&self, me: Holder) -> Level {
        self.0.iter().filter(|(holder, _)| **holder != me).map(|(_, level)| *level).max().unwrap_or(Level::None)
    }
}

/// How many locks a shared memory has.
pub const SLOTS: usize = 8;

/// The locks of one shared memory: each slot has readers, or one writer.
#[derive(Debug, Default)]
pub struct SharedLocks {
    readers: [Vec<Holder>; SLOTS],
    writer: [Option<Holder>; SLOTS],
}

impl SharedLocks {
    /// Takes slots for reading; false = busy, and nothing was taken.
    pub fn read(&mut self, me: Holder, slots: std::ops::Range<usize>) -> bool {
        let free = self.writer[slots.clone()].iter().all(|writer| writer.is_none_or(|writer| writer == me));
        if free {
            let mine = self.readers[slots].iter_mut().filter(|readers| !readers.contains(&me));
            mine.for_each(|readers| readers.push(me));
        }
        free
    }

    /// Takes slots for writing; false = busy, and nothing was taken.
    pub fn write(&mut self, me: Holder, slots: std::ops::Range<usize>) -> bool {
        let unread = self.readers[slots.clone()].iter().flatten().all(|reader| *reader == me);
        let free = unread && self.writer[slots.clone()].iter().all(|writer| writer.is_none_or(|writer| writer == me));
        if free {
            self.writer[slots].fill(Some(me));
        }
        free
    }

    pub fn free(&mut self, me: Holder, slots: std::ops::Range<usize>) {
        self.readers[slots.clone()].iter_mut().for_each(|readers| readers.retain(|reader| *reader != me));
        self.writer[slots].iter_mut().filter(|writer| **writer == Some(me)).for_each(|writer| *writer = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_waits_for_readers_and_lets_no_new_one_in() {
        let mut locks = FileLocks::default();
        assert!(locks.lock(1, Level::Shared) && locks.lock(2, Level::Shared));
        assert!(locks.lock(1, Level::Reserved) && !locks.lock(2, Level::Reserved));
        assert!(!locks.lock(1, Level::Exclusive), "a reader is there");
        assert!(!locks.lock(3, Level::Shared), "a writer is pending");
        locks.unlock(2, Level::None);
        assert!(locks.lock(1, Level::Exclusive) && locks.reserved());
        locks.unlock(1, Level::Shared);
        assert!(locks.lock(3, Level::Shared) && !locks.reserved());
    }

    #[test]
    fn a_slot_has_readers_or_one_writer() {
        let mut locks = SharedLocks::default();
        assert!(locks.read(1, 0..1) && locks.read(2, 0..1) && !locks.write(3, 0..3));
        assert!(locks.write(3, 1..3) && !locks.read(1, 2..3));
        locks.free(1, 0..1);
        locks.free(2, 0..SLOTS);
        assert!(locks.write(3, 0..3));
        locks.free(3, 0..SLOTS);
        assert!(locks.read(1, 2..3));
    }
}
