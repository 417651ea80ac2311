//! What was acknowledged: the oracle, outside the store.

use super::op::{Answer, Op};
use domain::InstanceId;
use domain::levy::NextStep;
use domain::record::Write;
use powercut::Counts;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::collections::{BTreeMap, BTreeSet};
use store::{Claimed, Committed, NewInstance, Post, Posted, Submitted, Target, Turn};
use uuid::Uuid;

/// One machine as acknowledged.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) revision: i64,
    /// `None` until a commit has told it; it covers the whole history.
    pub(crate) head: Option<String>,
    pub(crate) state: String,
    pub(crate) claims: i32,
    pub(crate) letters: BTreeSet<Uuid>,
    /// Letters of other machines, whose ids the store draws.
    pub(crate) tells: usize,
    pub(crate) permits: BTreeMap<Uuid, String>,
    pub(crate) evidence: BTreeSet<Uuid>,
    pub(crate) cases: BTreeMap<Uuid, &'static str>,
    pub(crate) decision: Option<NextStep>,
    pub(crate) exchanges: usize,
}

impl Known {
    pub(crate) fn facts(&self) -> u64 {
        let rows = self.letters.len() + self.tells + self.permits.len() + self.evidence.len() + self.cases.len();
        (rows + self.exchanges + usize::from(self.decision.is_some()) + 1) as u64
    }
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) machines: BTreeMap<InstanceId, Known>,
    /// Posts to addresses without a machine.
    pub(crate) orphans: BTreeMap<String, BTreeSet<Uuid>>,
    /// Which machine an address belongs to.
    pub(crate) owners: BTreeMap<String, InstanceId>,
    /// Who holds a duplicate key.
    pub(crate) guards: BTreeMap<String, InstanceId>,
    pub(crate) acts: BTreeSet<String>,
    /// Claims of this life, not yet used.
    pub(crate) held: Vec<Claimed>,
    /// Operations under way when the power failed.
    pub(crate) doubts: Vec<Op>,
    /// Operations that failed on a living disk and were found undone.
    pub(crate) ghosts: Vec<Op>,
    /// A claim or release is in doubt: claims are read, not compared.
    pub(crate) claims_unsure: bool,
    /// Changed since they were last compared in full.
    pub(crate) touched: BTreeSet<InstanceId>,
    pub(crate) number: u64,
    /// Whom every order pays, once that is acknowledged.
    pub(crate) payee: Option<Uuid>,
}

impl Ledger {
    pub(crate) fn any(&self, dice: &mut StdRng) -> Option<(InstanceId, i64)> {
        let ids: Vec<InstanceId> = self.machines.keys().copied().collect();
        ids.choose(dice).map(|id| (*id, self.machines[id].revision))
    }

    pub(crate) fn touch_all(&mut self) {
        self.touched = self.machines.keys().copied().collect();
    }

    pub(crate) fn doubt(&mut self, op: Op) {
        self.doubts.push(op);
    }

    /// Notes a success; how many writes that were. An answer that cannot be right is a breach.
    pub(crate) fn acknowledge(&mut self, op: &Op, answer: Answer) -> Result<u64, String> {
        let wrong = |answer: &dyn std::fmt::Debug| Err(format!("{} answered {answer:?}", op.name()));
        match (op, answer) {
            (Op::Nothing, _) => return Ok(0),
            (Op::Submit(news), Answer::Submitted(answers)) => {
                for (new, answer) in news.iter().zip(answers) {
                    // A repeat after a COMMIT of unknown outcome finds its own row.
                    if ![Submitted::Created(new.id), Submitted::Known(new.id)].contains(&answer) {
                        return wrong(&answer);
                    }
                    self.created(new);
                }
                return Ok(news.len() as u64);
            }
            (Op::Post(posts), Answer::Posted(answers)) => {
                for (post, answer) in posts.iter().zip(answers) {
                    // Its machine may be made beside it, and come second.
                    let orphan = matches!(&post.to, Target::Address(of) if !self.owners.contains_key(of));
                    if orphan && answer == Posted::Stored {
                        return wrong(&answer);
                    }
                    self.posted(post);
                }
                return Ok(posts.len() as u64);
            }
            (Op::Claim(_), Answer::Claimed(claims)) => {
                for claim in &claims {
                    self.touched.insert(claim.id);
                    self.known(claim.id).claims = claim.claims;
                }
                let count = claims.len() as u64;
                self.held.extend(claims);
                return Ok(count);
            }
            (Op::Release(claims), Answer::Done) => claims.iter().for_each(|claim| self.released(claim.id)),
            (Op::Commit(turns), Answer::Committed(answers)) => {
                for (turn, answer) in turns.iter().zip(answers) {
                    let Committed::Done { revision, head, .. } = answer else { return wrong(&answer) };
                    self.moved(turn);
                    let known = self.known(turn.id);
                    if known.revision != revision {
                        return wrong(&revision);
                    }
                    known.head = Some(head.clone());
                    if turn.keep_until.is_some() {
                        self.held.push(kept(turn, revision, head));
                    }
                }
                return Ok(turns.len() as u64);
            }
            (Op::OpenCase(id, case), Answer::Done) => {
                self.known(*id).cases.insert(case.id, "open");
            }
            (Op::Act(act), Answer::Done) => {
                self.acts.insert(act.subject.clone());
            }
            (_, answer) => return wrong(&answer),
        }
        Ok(1)
    }

    /// What may have been sent under an earlier claim stays so.
    fn released(&mut self, id: InstanceId) {
        let known = self.known(id);
        known.claims = i32::from(known.claims > 1);
    }

    pub(crate) fn known(&mut self, id: InstanceId) -> &mut Known {
        self.touched.insert(id);
        self.machines.entry(id).or_default()
    }

    pub(crate) fn created(&mut self, new: &NewInstance) {
        let mut known = Known { revision: 1, state: new.state_name.clone(), ..Known::default() };
        if let Some(guard) = &new.guard {
            let holder = *self.guards.entry(guard.key.clone()).or_insert(new.id);
            if holder != new.id {
                known.state.clone_from(&guard.held.state_name);
                note(&mut known, &guard.held.writes);
            }
        }
        if let Some(address) = &new.address {
            known.letters.extend(self.orphans.remove(address).unwrap_or_default());
            self.owners.insert(address.clone(), new.id);
        }
        *self.known(new.id) = known;
    }

    pub(crate) fn posted(&mut self, post: &Post) {
        let home = match &post.to {
            Target::Instance(id) => Ok(*id),
            Target::Address(address) => self.owners.get(address).copied().ok_or(address),
        };
        match home {
            Ok(id) => self.known(id).letters.insert(post.id),
            Err(address) => self.orphans.entry(address.clone()).or_default().insert(post.id),
        };
    }

    pub(crate) fn moved(&mut self, turn: &Turn) {
        let known = self.known(turn.id);
        known.revision = turn.revision + turn.lines.len() as i64;
        known.head = None;
        known.state.clone_from(&turn.state_name);
        known.claims = i32::from(turn.keep_until.is_some());
        known.exchanges += turn.exchanges.len();
        note(known, &turn.writes);
        for write in &turn.writes {
            if let Write::Tell { to, .. } = write {
                self.known(*to).tells += 1;
            }
        }
        for child in &turn.children {
            self.created(child);
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what has no row of its own here is covered by the audits")]
fn note(known: &mut Known, writes: &[Write]) {
    for write in writes {
        match write {
            Write::IssuePermit(permit) => {
                known.permits.insert(permit.id, permit.state.clone());
            }
            Write::MovePermit { permit, state } => {
                known.permits.insert(*permit, state.clone());
            }
            Write::KeepEvidence(evidence) => {
                known.evidence.insert(evidence.id);
            }
            Write::OpenCase(case) => {
                known.cases.insert(case.id, "open");
            }
            Write::CloseCases { .. } => known.cases.values_mut().for_each(|state| *state = "resolved"),
            Write::Decide(decision) => known.decision = Some(decision.next_step),
            _ => {}
        }
    }
}

/// The claim that a turn kept, as it goes on. What came in since it was taken is unread: its next commit makes the machine due.
fn kept(turn: &Turn, revision: i64, head: String) -> Claimed {
    Claimed {
        id: turn.id,
        workflow: "order".into(),
        tenant: turn.tenant.clone(),
        account: turn.account.clone(),
        business_key: String::new(),
        address: None,
        parent: None,
        person: None,
        input: turn.state.clone(),
        state: turn.state.clone(),
        state_name: turn.state_name.clone(),
        revision,
        head,
        token: turn.token,
        claimed_until: turn.at,
        claims: 1,
        signals: turn.seen,
        lane: turn.due.lane.clone(),
        inbox: vec![],
        created_at: turn.at,
    }
}

pub(crate) fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        cuts: a.cuts + b.cuts,
        changes: a.changes + b.changes,
        syncs: a.syncs + b.syncs,
        checkpoints: a.checkpoints + b.checkpoints,
        lost: a.lost + b.lost,
        kept: a.kept + b.kept,
        torn: a.torn + b.torn,
        torn_sectors: a.torn_sectors + b.torn_sectors,
        names_undone: a.names_undone + b.names_undone,
        faults: a.faults + b.faults,
        lies: a.lies + b.lies,
    }
}
