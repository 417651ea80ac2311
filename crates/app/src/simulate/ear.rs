//! What came in is heard (F15): a machine whose turn has ended with letters unread is due at once, or somebody holds it.

use super::near::Near;
use super::oracle::SLACK;
use super::world::World;
use anyhow::{Context as _, Result};
use domain::InstanceId;
use engine::Driven;
use std::collections::{BTreeMap, BTreeSet};
use store::Claimed;
use uuid::Uuid;

/// Letters that are durable and, as far as is known, unread.
#[derive(Default)]
pub(super) struct Ear {
    waiting: BTreeMap<InstanceId, BTreeSet<Uuid>>,
    /// Letters that were sent at least once: a repeat may find its first copy read.
    sent: BTreeSet<Uuid>,
    /// How often each machine was driven.
    claims: BTreeMap<InstanceId, u64>,
}

/// A claim, and the letters that came with it.
pub(super) struct InHand {
    pub(super) id: InstanceId,
    letters: Vec<Uuid>,
    /// Which drive of its machine it is.
    claim: u64,
}

impl Ear {
    /// A letter goes, and `kept` says whether it is known to have come.
    pub(super) fn goes(&mut self, to: InstanceId, letter: Uuid, kept: bool) {
        if self.sent.insert(letter) && kept {
            self.waiting.entry(to).or_default().insert(letter);
        }
    }

    /// A claim shows every unread letter; what it does not show has been read under one whose end nobody saw.
    pub(super) fn claimed(&mut self, row: &Claimed) -> InHand {
        let letters: Vec<Uuid> = row.inbox.iter().map(|letter| letter.id).collect();
        self.forget(row.id, |letter| !letters.contains(letter));
        let claim = self.claims.entry(row.id).or_default();
        *claim += 1;
        InHand { id: row.id, letters, claim: *claim }
    }

    fn forget(&mut self, of: InstanceId, gone: impl Fn(&Uuid) -> bool) {
        if let Some(waiting) = self.waiting.get_mut(&of) {
            waiting.retain(|letter| !gone(letter));
            if waiting.is_empty() {
                self.waiting.remove(&of);
            }
        }
    }

    /// Whether more came while this claim was the last one: a later one has read it, or its end will tell.
    fn has_more(&self, hand: &InHand) -> bool {
        self.waiting.contains_key(&hand.id) && self.claims.get(&hand.id) == Some(&hand.claim)
    }
}

/// A turn has ended. What it had in hand is read; what came meanwhile has made its machine due.
pub(super) async fn listen(world: &mut World, hand: &InHand, driven: Driven) -> Result<()> {
    if driven != Driven::Committed {
        return Ok(());
    }
    world.ear.forget(hand.id, |letter| hand.letters.contains(letter));
    if !world.ear.has_more(hand) {
        return Ok(());
    }
    let row = world.store.instance(hand.id).await.context("read a machine")?;
    let mut state = world.core.lock();
    state.tally.count(Near::CameMeanwhile);
    let soon = state.now + SLACK;
    let awake = |row: &store::Instance| row.claimed_until.is_some() || row.wake_at.is_some_and(|at| at <= soon);
    if let Some(row) = row.filter(|row| !awake(row)) {
        let said = format!("F15 {} is {} until {:?} and has letters unread", row.id, row.state_name, row.wake_at);
        state.oracle.found(Some(said));
    }
    Ok(())
}
