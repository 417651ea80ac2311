//! Taking due rows, and giving back those that were not begun.

use crate::{Engine, Result};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{ClaimAsk, Claimed, LetGo, Moment, fail_point};

/// How old the freeze switches may be when rows are taken.
const FREEZE_AGE: Duration = Duration::from_secs(1);

impl Engine {
    /// Takes up to `room` due rows, none from a lane that is full here or whose breaker is open. Each claim is counted durably
    /// before this answers (principle 4).
    pub async fn claim(&self, room: usize) -> Result<Vec<Claimed>> {
        let now = self.moment();
        if self.lanes.wants_look(now.real)
            && let Ok(shared) = self.store.lanes().await
        {
            self.lanes.learn(shared);
        }
        if self.freezes_older_than(FREEZE_AGE) {
            self.refresh_freezes().await?;
        }
        fail_point("claim");
        Ok(self.store.claim(self.claim_ask(room, now)).await?)
    }

    fn claim_ask(&self, limit: usize, now: Moment) -> ClaimAsk {
        let (closed_lanes, mut rooms) = self.lanes.rooms(&self.rules, now.real);
        // One of those that share a call is enough: it takes the others along.
        rooms.extend(self.shared_lanes.iter().map(|lane| (lane.clone(), 1)));
        let per_lane = self.rules.default_limits.concurrency.max(1);
        let lease = self.rules.lease;
        ClaimAsk { limit, closed_lanes, per_lane, rooms, only_lane: None, lease, now: now.business }
    }

    /// Takes what is due in one lane, to share a call that is about to leave.
    pub(crate) async fn claim_along(&self, lane: &str, room: usize) -> Result<Vec<Claimed>> {
        fail_point("claim");
        let ask = ClaimAsk {
            closed_lanes: Vec::new(),
            per_lane: room,
            rooms: BTreeMap::new(),
            only_lane: Some(lane.to_owned()),
            ..self.claim_ask(room, self.moment())
        };
        Ok(self.store.claim(ask).await?)
    }

    /// What may be claimed at the door, by the transaction that makes it due. Nothing while this process stops, or does not know what
    /// is frozen now.
    pub(crate) fn door_ask(&self, limit: usize) -> Option<ClaimAsk> {
        let shut = limit == 0 || self.stopping() || self.freezes_older_than(FREEZE_AGE * 2);
        (!shut).then(|| self.claim_ask(limit, self.moment()))
    }

    /// Gives back rows that nobody has begun. Only a suspect's lease lapses instead: to give it back would clear it of a suspicion that
    /// nobody has looked into.
    pub async fn release(&self, rows: Vec<Claimed>) -> Result<()> {
        let clear = rows.into_iter().filter(|row| !row.suspect());
        let claims: Vec<LetGo> = clear.map(|row| LetGo { id: row.id, token: row.token, wake_at: None }).collect();
        if claims.is_empty() {
            return Ok(());
        }
        Ok(self.give_back(claims).await?)
    }

    /// Every claim that is given back passes here.
    pub(crate) async fn give_back(&self, claims: Vec<LetGo>) -> store::Result<()> {
        fail_point("release");
        self.store.release(claims).await
    }

    /// Gives leased tokens back to the fleet when this process stops calling.
    pub async fn return_tokens(&self) -> Result<()> {
        for (lane, tokens) in self.lanes.unspent() {
            self.store.give_tokens(&lane, tokens).await?;
        }
        Ok(())
    }
}
