//! Commits: each turn is all or nothing.

use super::World;
use crate::commit::{emits, hashes, rests, unresolved_spawn};
use crate::writes::Owner;
use crate::{Committed, Entry, Error, Exchange, Result, Submitted, Turn, batch};
use domain::InstanceId;
use domain::planted::{Bug, planted};

impl World {
    pub(crate) fn commit(&mut self, turns: Vec<Turn>) -> Result<Vec<Committed>> {
        turns.iter().map(|turn| self.commit_one(turn)).collect()
    }

    fn commit_one(&mut self, turn: &Turn) -> Result<Committed> {
        if unresolved_spawn(turn) {
            return Ok(Committed::Forbidden("spawn_unresolved".into()));
        }
        match self.atomically(|world| world.turn(turn)) {
            Ok(done) => Ok(done),
            Err(Error::Forbidden(name)) => Ok(Committed::Forbidden(name)),
            Err(error) => Err(error),
        }
    }

    fn turn(&mut self, turn: &Turn) -> Result<Committed> {
        let real = self.clock.real();
        let Some(machine) = self.machines.get(&turn.id) else { return Ok(Committed::Conflict) };
        let late = turn.not_after.is_some_and(|not_after| real > not_after);
        let moved = machine.row.revision != turn.revision || machine.token != Some(turn.token);
        if (moved && !planted(Bug::NoFence)) || late {
            return Ok(Committed::Conflict);
        }
        let (signals, first_seq, workflow) = (machine.signals, machine.emitted + 1, machine.row.workflow.clone());
        let hashes = hashes(turn);
        self.step(turn, &hashes);
        for ((line, hash), seq) in turn.lines.iter().zip(&hashes).zip(turn.revision + 1..) {
            self.history.put((turn.id, seq), Entry { seq, line: line.clone(), hash: hash.clone() });
        }
        for letter in &turn.consumed {
            self.inbox.change(letter, |mail| mail.consumed |= mail.instance == Some(turn.id));
        }
        for exchange in &turn.exchanges {
            self.exchanges
                .put((turn.id, exchange.at, exchange.id), Exchange { exchange: exchange.clone(), instance: turn.id });
        }
        let answers = self.insert(&turn.children)?;
        for (child, answer) in turn.children.iter().zip(answers) {
            if let Some(line) = child.batch_row {
                self.link(line, &answer);
            }
        }
        let owner = Owner {
            id: turn.id,
            tenant: &turn.tenant,
            workflow: &workflow,
            at: turn.at,
            real,
            revision: turn.revision,
            first_seq,
        };
        self.apply(&owner, &turn.writes)?;
        if rests(turn) {
            let body = serde_json::json!({ "workflow": workflow, "state": turn.state_name });
            self.outbox.put((turn.id, first_seq + emits(turn) - 1), ("rested".into(), body));
        }
        let machine = self.machines.get(&turn.id).map(|machine| &machine.row);
        let (revision, head) = machine.map_or((0, String::new()), |row| (row.revision, row.head.clone()));
        Ok(Committed::Done { revision, head, signals })
    }

    fn step(&mut self, turn: &Turn, hashes: &[String]) {
        self.machines.change(&turn.id, |machine| {
            let row = &mut machine.row;
            row.state.clone_from(&turn.state);
            row.state_name.clone_from(&turn.state_name);
            row.revision += i64::try_from(hashes.len()).unwrap_or(i64::MAX);
            row.head.clone_from(hashes.last().unwrap_or(&turn.head));
            row.wake_at = if machine.signals > turn.seen { Some(turn.at) } else { turn.due.wake_at };
            row.lane.clone_from(&turn.due.lane);
            row.claimed_until = turn.keep_until;
            row.claims = i32::from(turn.keep_until.is_some());
            row.updated_at = turn.at;
            machine.class = turn.due.class;
            machine.seen = turn.seen;
            machine.emitted += emits(turn);
            if turn.keep_until.is_none() {
                machine.token = None;
            }
        });
    }

    fn link(&mut self, line: (InstanceId, i64), answer: &Submitted) {
        self.lines.change(&line, |entry| match answer {
            Submitted::Created(id) | Submitted::Known(id) => entry.order = Some(*id),
            Submitted::Differs(_) => entry.row.errors = vec![batch::key_conflict()],
        });
    }
}
