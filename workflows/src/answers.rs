//! What people are asked can be answered: whatever happened to a machine, every legal move of every case it opened closes that case,
//! or leaves everything as it was and says why; and what is parked always has a question that somebody can answer.

use crate::draw::{specimen_time, with_cx};
use crate::machine::{Cx, Machine, Next};
use domain::record::{OpenCase, Write};
use serde_json::{Value, json};
use uuid::Uuid;

/// The cases of one instance, as a database would hold them.
#[derive(Clone, Default)]
pub(crate) struct Cases {
    open: Vec<OpenCase>,
    pub(crate) reopened: Vec<Uuid>,
}

impl Cases {
    pub(crate) fn take(&mut self, write: &Write) {
        if let Write::OpenCase(case) = write {
            let new = !self.open.iter().any(|other| other.id == case.id);
            self.open.extend(new.then(|| case.clone()));
        } else if let Write::CloseCases { kinds, .. } = write {
            self.open.retain(|case| !(kinds.is_empty() || kinds.contains(&case.kind)));
        } else if let Write::CloseCase { case, .. } = write {
            self.open.retain(|open| open.id != *case);
        } else if let Write::ReopenCase { case, why } = write {
            assert!(why.len() > 20, "an explanation that a person can read: {why}");
            self.reopened.push(*case);
        }
    }

    fn after<M>(&self, next: &Next<M>) -> Self {
        let mut after = self.clone();
        next.writes.iter().for_each(|write| after.take(write));
        after
    }

    pub(crate) fn open(&self) -> &[OpenCase] {
        &self.open
    }

    /// Every open case with each of its moves.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (&OpenCase, &str)> {
        self.open.iter().flat_map(|case| case.moves.iter().map(move |one| (case, one.name.as_str())))
    }
}

/// What the API tells a machine (see `crates/api`, cases).
fn resolved<M: Machine>(case: &OpenCase, name: &str, evidence: &Value) -> M::Event {
    let case_named = json!({"id": case.id, "kind": case.kind});
    let event = json!({"CaseResolved": {"case": case_named, "move": name, "evidence": evidence, "by": "li and wang"}});
    serde_json::from_value(event).expect("the command that every machine with cases knows")
}

/// Takes every specimen through every event and then a fault, and tries every move of every case that is open then.
pub(crate) fn check<M: Machine>(evidence: &Value, own: impl Fn(&M, &Cx<'_>) -> Option<Write>) {
    let specimens = M::specimens();
    let mut tried = 0;
    for hours in [11, 50, 73] {
        with_cx(|cx| {
            let cx = &Cx { now: specimen_time(hours), real: specimen_time(hours), ..*cx };
            for state in &specimens.states {
                let mut cases = Cases::default();
                own(state, cx).iter().for_each(|write| cases.take(write));
                let mut reached = vec![Next::to(state.clone())];
                let moved = specimens
                    .events
                    .iter()
                    .filter_map(|event| state.clone().apply(&specimens.input, event.clone(), cx).ok());
                reached.extend(moved);
                for next in reached {
                    let cases = cases.after(&next);
                    let later = Cx { now: cx.now + std::time::Duration::from_secs(1), ..*cx };
                    let fault = next.state.clone().parked("a bug", &later);
                    tried += try_all(&next.state, &cases, evidence, &specimens.input, cx);
                    tried += try_all(&fault.state, &cases.after(&fault), evidence, &specimens.input, &later);
                }
            }
        });
    }
    assert!(tried > 200, "only {tried} moves were tried");
}

fn try_all<M: Machine>(state: &M, cases: &Cases, evidence: &Value, input: &M::Input, cx: &Cx<'_>) -> usize {
    let later = &Cx { now: cx.now + std::time::Duration::from_secs(2), ..*cx };
    for (case, name) in cases.moves() {
        let said = format!("{name} of {} in {}", case.kind, state.name());
        let event = resolved::<M>(case, name, evidence);
        let next = state.clone().apply(input, event, later).unwrap_or_else(|why| panic!("{said}: {why}"));
        let after = cases.after(&next);
        let stays = after.open().iter().any(|open| open.id == case.id);
        assert_eq!(stays, after.reopened.contains(&case.id), "{said}: closed, or open again with a reason");
        assert!(!stays || next.state == *state, "{said}: refused, and yet it moved");
        if matches!(next.state.name(), "needs_operator" | "contradicted") {
            let answerable = after.open().iter().any(|open| !open.moves.is_empty());
            assert!(answerable, "{said}: nobody can get it out of {}", next.state.name());
        } else if state.name() == "needs_operator" {
            let parking = |open: &&OpenCase| {
                ["internal_fault", "unknown_status", "partial_creation"].contains(&open.kind.as_str())
            };
            let left = after.open().iter().filter(|open| !open.moves.is_empty()).find(parking);
            assert!(left.is_none(), "{said}: {left:?} outlives the state that asked it");
        }
    }
    cases.moves().count()
}
