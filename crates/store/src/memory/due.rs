//! The machines, with what stands for the due index: free rows by group and due time, held rows by the end of their lease. A claim
//! looks at the rows that are due, however many others there are.

use super::Machine;
use super::table::Table;
use domain::{InstanceId, Time};
use std::collections::btree_map::{Iter, Values};
use std::collections::{BTreeMap, BTreeSet};

/// Lane, class, tenant.
pub(super) type Group = (String, i16, String);

#[derive(Default)]
pub(super) struct Machines {
    rows: Table<InstanceId, Machine>,
    free: BTreeMap<Group, BTreeSet<(Time, InstanceId)>>,
    held: BTreeSet<(Time, InstanceId)>,
}

/// Where the index holds a machine.
#[derive(PartialEq)]
enum Place {
    Free(Group, Time),
    Held(Time),
}

impl Place {
    fn of(machine: &Machine) -> Option<Self> {
        let row = &machine.row;
        let wake_at = row.wake_at?;
        Some(match row.claimed_until {
            Some(until) => Place::Held(until),
            None => Place::Free((row.lane.clone(), machine.class, row.tenant.clone()), wake_at),
        })
    }
}

impl Machines {
    pub(super) fn get(&self, id: &InstanceId) -> Option<&Machine> {
        self.rows.get(id)
    }

    pub(super) fn has(&self, id: &InstanceId) -> bool {
        self.rows.has(id)
    }

    pub(super) fn values(&self) -> Values<'_, InstanceId, Machine> {
        self.rows.values()
    }

    pub(super) fn iter(&self) -> Iter<'_, InstanceId, Machine> {
        self.rows.iter()
    }

    pub(super) fn put(&mut self, id: InstanceId, machine: Machine) {
        self.rows.put(id, machine);
        let now = self.rows.get(&id).and_then(Place::of);
        self.moved(id, None, now);
    }

    pub(super) fn change(&mut self, id: &InstanceId, change: impl FnOnce(&mut Machine)) {
        let before = self.rows.get(id).and_then(Place::of);
        self.rows.change(id, change);
        let now = self.rows.get(id).and_then(Place::of);
        self.moved(*id, before, now);
    }

    /// A change that stands by itself: nothing takes it back.
    pub(super) fn change_for_good(&mut self, id: &InstanceId, change: impl FnOnce(&mut Machine)) {
        let before = self.rows.get(id).and_then(Place::of);
        self.rows.change_for_good(id, change);
        let now = self.rows.get(id).and_then(Place::of);
        self.moved(*id, before, now);
    }

    pub(super) fn end(&mut self, keep: bool) {
        if keep {
            return self.rows.end(true);
        }
        let touched: BTreeSet<InstanceId> = self.rows.touched().copied().collect();
        let before: Vec<_> = touched.iter().map(|id| (*id, self.rows.get(id).and_then(Place::of))).collect();
        self.rows.end(false);
        for (id, before) in before {
            let now = self.rows.get(&id).and_then(Place::of);
            self.moved(id, before, now);
        }
    }

    /// Rows that nobody holds, by group: each group in order of due time.
    pub(super) fn free(&self) -> impl Iterator<Item = (&Group, &BTreeSet<(Time, InstanceId)>)> {
        self.free.iter()
    }

    /// Rows whose lease has ended, in order of that end.
    pub(super) fn expired(&self, real: Time) -> impl Iterator<Item = &Machine> {
        let ended = self.held.iter().take_while(move |(until, _)| *until <= real);
        ended.filter_map(|(_, id)| self.rows.get(id))
    }

    fn moved(&mut self, id: InstanceId, before: Option<Place>, now: Option<Place>) {
        if before == now {
            return;
        }
        match before {
            Some(Place::Free(group, at)) => {
                if let Some(rows) = self.free.get_mut(&group) {
                    rows.remove(&(at, id));
                    if rows.is_empty() {
                        self.free.remove(&group);
                    }
                }
            }
            Some(Place::Held(until)) => {
                self.held.remove(&(until, id));
            }
            None => {}
        }
        match now {
            Some(Place::Free(group, at)) => {
                self.free.entry(group).or_default().insert((at, id));
            }
            Some(Place::Held(until)) => {
                self.held.insert((until, id));
            }
            None => {}
        }
    }
}
