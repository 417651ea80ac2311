//! An ordered map that can take its last changes back.

use std::collections::BTreeMap;
use std::collections::btree_map::{Iter, Range, Values};
use std::ops::RangeBounds;

pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    /// What each changed key held before, since the last [`Table::end`].
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        let old = self.rows.insert(key.clone(), value);
        self.undo.push((key, old));
    }

    /// Changes one row; whether there was one.
    pub(super) fn change(&mut self, key: &K, change: impl FnOnce(&mut V)) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        self.undo.push((key.clone(), Some(row.clone())));
        change(row);
        true
    }

    /// The same outside every transaction: without the copy that would take it back.
    pub(super) fn change_for_good(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(row) = self.rows.get_mut(key) {
            change(row);
        }
    }

    /// Only what breaks a row on purpose takes one away.
    #[cfg(test)]
    pub(super) fn remove(&mut self, key: &K) {
        self.rows.remove(key);
    }

    pub(super) fn values(&self) -> Values<'_, K, V> {
        self.rows.values()
    }

    pub(super) fn iter(&self) -> Iter<'_, K, V> {
        self.rows.iter()
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> Range<'_, K, V> {
        self.rows.range(range)
    }

    /// What this transaction has changed so far.
    pub(super) fn touched(&self) -> impl Iterator<Item = &K> {
        self.undo.iter().map(|(key, _)| key)
    }

    /// Ends a transaction: keeps its changes or takes them back, newest first.
    pub(super) fn end(&mut self, keep: bool) {
        for (key, old) in self.undo.drain(..).rev() {
            match old {
                _ if keep => {}
                Some(old) => {
                    self.rows.insert(key, old);
                }
                None => {
                    self.rows.remove(&key);
                }
            }
        }
    }
}
