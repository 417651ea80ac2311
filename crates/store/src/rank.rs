//! Who goes first among due machines: one rule for all three databases (PostgreSQL says the same in SQL).

use crate::{ClaimAsk, NewInstance};
use domain::Time;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A due machine, as the claim's scan sees it.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) id: Uuid,
    pub(crate) lane: String,
    pub(crate) class: i64,
    pub(crate) tenant: String,
    pub(crate) wake_at: Time,
}

/// A new machine as it wants to wait; where its guard holds it, the row says otherwise, and is not taken.
pub(crate) fn new(new: &NewInstance) -> Option<Candidate> {
    let (lane, tenant) = (new.due.lane.clone(), new.tenant.clone());
    Some(Candidate { id: new.id.0, lane, class: new.due.class.into(), tenant, wake_at: new.due.wake_at? })
}

/// At least this share of a claim goes to every class that has due machines.
pub(crate) fn floor(limit: usize) -> usize {
    (limit / 8).max(1)
}

/// How many rows of one (lane, class, tenant) are looked at, when so many of them have due rows.
pub(crate) fn depth(limit: usize, groups: usize) -> usize {
    (2 * limit / groups.max(1)).max(8)
}

impl ClaimAsk {
    /// Whether rows of this lane may be claimed.
    pub(crate) fn takes(&self, lane: &str) -> bool {
        !self.closed_lanes.iter().any(|closed| closed == lane)
            && self.only_lane.as_deref().is_none_or(|only| only == lane)
    }

    /// Most rows of this lane.
    fn room(&self, lane: &str) -> usize {
        self.rooms.get(lane).copied().unwrap_or(self.per_lane)
    }
}

/// Chooses: in each class tenants take turns, each by due time; every class has its floor, then the most hazardous class goes first.
pub(crate) fn choose(mut due: Vec<Candidate>, ask: &ClaimAsk) -> Vec<Uuid> {
    due.sort_by_key(|candidate| (candidate.wake_at, candidate.id));
    let mut turns: BTreeMap<(i64, String), usize> = BTreeMap::new();
    let mut ranked: Vec<(i64, usize, Candidate)> = Vec::new();
    for candidate in due {
        let turn = turns.entry((candidate.class, candidate.tenant.clone())).or_default();
        *turn += 1;
        ranked.push((candidate.class, *turn, candidate));
    }
    ranked.sort_by(|(ac, at, a), (bc, bt, b)| (ac, at, a.wake_at, a.id).cmp(&(bc, bt, b.wake_at, b.id)));
    let mut places: BTreeMap<i64, usize> = BTreeMap::new();
    let mut in_lane: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen: Vec<(bool, i64, usize, Uuid)> = Vec::new();
    for (class, _, candidate) in ranked {
        let room = ask.room(&candidate.lane);
        let lane = in_lane.entry(candidate.lane).or_default();
        *lane += 1;
        if *lane > room {
            continue;
        }
        let place = places.entry(class).or_default();
        *place += 1;
        chosen.push((*place > floor(ask.limit), class, *place, candidate.id));
    }
    chosen.sort_unstable();
    chosen.into_iter().take(ask.limit).map(|(.., id)| id).collect()
}
