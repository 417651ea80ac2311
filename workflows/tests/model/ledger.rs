//! The rows beside a state, under the rules that the databases' constraints repeat (safety.md §16.3). A turn that breaks one would
//! be refused there; here it is found, under the name of the rule.

use crate::rules::{Broken, Rule};
use domain::levy::NextStep;
use domain::record::{Decision, Evidence, Permit, Write};
use domain::{InstanceId, Time};
use uuid::Uuid;
use workflows::remit::Answered;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PermitRow {
    pub(crate) id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) pay_before: Time,
    pub(crate) state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EvidenceRow {
    pub(crate) id: Uuid,
    pub(crate) at: Time,
    pub(crate) paid_at: Time,
    pub(crate) revoked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DecisionRow {
    /// CONTINUE or CANCEL.
    pub(crate) word: &'static str,
    pub(crate) arising_time: Time,
    pub(crate) revised: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CaseRow {
    pub(crate) kind: String,
    pub(crate) moves: Vec<String>,
}

/// All rows of one instance; of what is over only what a rule still asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Ledger {
    pub(crate) permits: Vec<PermitRow>,
    pub(crate) evidence: Vec<EvidenceRow>,
    pub(crate) gate: bool,
    pub(crate) decision: Option<DecisionRow>,
    pub(crate) cases: Vec<CaseRow>,
    pub(crate) tasks: u8,
    /// Machines started, and whether their quote was found to add up.
    pub(crate) children: Vec<(InstanceId, bool)>,
    /// Ends told to the parent.
    pub(crate) ends: u8,
}

pub(crate) fn live(state: &str) -> bool {
    matches!(state, "permit_issued" | "instructed" | "in_doubt")
}

fn refuse(broken: bool, rule: Rule, constraint: &'static str) -> Result<(), Broken> {
    if broken { Err(Broken::new(rule, format!("the database forbids it: {constraint}"))) } else { Ok(()) }
}

fn named(kind: &str) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), kind.as_bytes())
}

impl Ledger {
    pub(crate) fn live(&self) -> usize {
        self.permits.iter().filter(|permit| live(&permit.state)).count()
    }

    pub(crate) fn stands(&self) -> Option<&EvidenceRow> {
        self.evidence.iter().find(|row| !row.revoked)
    }

    pub(crate) fn case(&self, kind: &str) -> bool {
        self.cases.iter().any(|case| case.kind == kind)
    }

    /// Whether some open case offers this move.
    pub(crate) fn offers(&self, name: &str) -> bool {
        self.cases.iter().any(|case| case.moves.iter().any(|offered| offered == name))
    }

    /// The case that a person answers with this move. Cases of one kind are one here, so that time is no part of their names.
    pub(crate) fn asked(&self, name: &str) -> Answered {
        let offering = self.cases.iter().find(|case| case.moves.iter().any(|offered| offered == name));
        let kind = offering.map(|case| case.kind.clone()).unwrap_or_default();
        Answered { id: named(&kind), kind }
    }

    /// The rows of one commit; all or none.
    pub(crate) fn take(&mut self, writes: &[Write], now: Time) -> Result<(), Broken> {
        writes.iter().try_for_each(|write| self.take_one(write, now))
    }

    fn take_one(&mut self, write: &Write, now: Time) -> Result<(), Broken> {
        match write {
            Write::IssuePermit(permit) => self.issue(permit, now),
            Write::MovePermit { permit, state } => self.move_permit(*permit, state),
            Write::KeepEvidence(evidence) => self.keep(evidence),
            Write::RevokeEvidence { evidence, .. } => self.revoke(*evidence),
            Write::CloseGate { .. } => {
                self.gate = true;
                Ok(())
            }
            Write::Decide(decision) => self.decide(decision),
            Write::ReviseDecision { arising_time, evidence, .. } => self.revise(*arising_time, *evidence),
            Write::OpenCase(case) => {
                let moves = case.moves.iter().map(|offered| offered.name.clone());
                match self.cases.iter_mut().find(|row| row.kind == case.kind) {
                    Some(row) => row.moves.extend(moves),
                    None => self.cases.push(CaseRow { kind: case.kind.clone(), moves: moves.collect() }),
                }
                Ok(())
            }
            Write::CloseCases { kinds, .. } => {
                self.cases.retain(|case| !(kinds.is_empty() || kinds.contains(&case.kind)));
                Ok(())
            }
            Write::CloseCase { case, .. } => {
                self.cases.retain(|row| named(&row.kind) != *case);
                Ok(())
            }
            // It is put again, and stays.
            Write::ReopenCase { .. } => Ok(()),
            Write::OpenTask(_) => {
                self.tasks = 1;
                Ok(())
            }
            Write::CloseTasks { .. } => {
                self.tasks = 0;
                Ok(())
            }
            Write::Spawn(spawn) => {
                let quote_ok = spawn.state.pointer("/facts/quote_ok").and_then(serde_json::Value::as_bool);
                if !self.children.iter().any(|(id, _)| *id == spawn.id) {
                    self.children.push((spawn.id, quote_ok.unwrap_or(true)));
                }
                Ok(())
            }
            Write::Tell { event, .. } => {
                self.ends += u8::from(event.get("RemitDone").is_some());
                Ok(())
            }
            Write::Answer { .. } | Write::Emit { .. } => Ok(()),
        }
    }

    fn issue(&mut self, permit: &Permit, now: Time) -> Result<(), Broken> {
        refuse(self.gate, Rule::C, "permit_gate_closed")?;
        refuse(self.decision.is_some(), Rule::C, "permit_decided")?;
        refuse(self.live() > 0, Rule::D, "permit_one_live")?;
        refuse(self.permits.iter().any(|row| row.state == "success"), Rule::D, "permit_one_success")?;
        refuse(permit.attempt as usize != self.permits.len() + 1, Rule::D, "permit_attempt_order")?;
        refuse(permit.issued_at >= permit.pay_cutoff, Rule::C, "permit_before_cutoff")?;
        refuse(now.since(permit.observed_real).as_secs() > 30, Rule::C, "permit_fresh")?;
        let (id, attempt, pay_before) = (permit.id, permit.attempt, permit.pay_before);
        self.permits.push(PermitRow { id, attempt, pay_before, state: permit.state.clone() });
        Ok(())
    }

    fn move_permit(&mut self, id: Uuid, state: &str) -> Result<(), Broken> {
        let others = || self.permits.iter().filter(|row| row.id != id);
        refuse(live(state) && others().any(|row| live(&row.state)), Rule::D, "permit_one_live")?;
        refuse(state == "success" && others().any(|row| row.state == "success"), Rule::D, "permit_one_success")?;
        for row in self.permits.iter_mut().filter(|row| row.id == id) {
            let stays = live(&row.state) || row.state == state || (row.state == "success" && state == "returned");
            refuse(!stays, Rule::D, "permit_move")?;
            row.state = state.to_owned();
        }
        Ok(())
    }

    fn keep(&mut self, evidence: &Evidence) -> Result<(), Broken> {
        refuse(self.evidence.iter().any(|row| row.id == evidence.id), Rule::A, "evidence_pkey")?;
        let (id, at, paid_at) = (evidence.id, evidence.at, evidence.paid_at);
        self.evidence.push(EvidenceRow { id, at, paid_at, revoked: false });
        Ok(())
    }

    fn revoke(&mut self, id: Uuid) -> Result<(), Broken> {
        let decided = self.decision.as_ref().is_some_and(|row| row.word == NextStep::Continue.word());
        refuse(decided, Rule::A, "evidence_decided")?;
        for row in self.evidence.iter_mut().filter(|row| row.id == id) {
            row.revoked = true;
        }
        Ok(())
    }

    fn decide(&mut self, decision: &Decision) -> Result<(), Broken> {
        refuse(self.decision.is_some(), Rule::E, "decision_remit")?;
        match decision.next_step {
            NextStep::Continue => {
                let proved = self
                    .evidence
                    .iter()
                    .any(|row| Some(row.id) == decision.evidence && !row.revoked && row.at <= decision.at);
                refuse(!proved, Rule::A, "decision_evidence")?;
            }
            NextStep::Cancel => {
                refuse(!self.gate, Rule::B, "decision_needs_gate")?;
                refuse(self.live() > 0, Rule::B, "decision_payout_live")?;
                refuse(self.stands().is_some(), Rule::B, "decision_paid")?;
            }
        }
        let (word, arising_time) = (decision.next_step.word(), decision.arising_time);
        self.decision = Some(DecisionRow { word, arising_time, revised: false });
        Ok(())
    }

    fn revise(&mut self, arising_time: Time, evidence: Uuid) -> Result<(), Broken> {
        let stands = self.evidence.iter().any(|row| row.id == evidence && !row.revoked);
        refuse(!stands, Rule::A, "revision_evidence")?;
        let Some(decision) = self.decision.as_mut().filter(|row| row.word == NextStep::Continue.word()) else {
            return refuse(true, Rule::E, "revision_direction");
        };
        refuse(decision.revised, Rule::E, "decision_revision_pkey")?;
        (decision.revised, decision.arising_time) = (true, arising_time);
        Ok(())
    }
}
