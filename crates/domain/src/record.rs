//! Rows that a transition writes in the commit that makes it. A process emits them; the store writes them under constraints
//! that repeat the safety rules, so that neither a bug nor a psql session can break them.

use crate::levy::NextStep;
use crate::{InstanceId, Money, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One row, or one change of a row, beside the new state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Write {
    /// A child machine. Its business key is unique: doing it twice finds the first.
    Spawn(Spawn),
    /// An event for another machine, through its inbox.
    Tell {
        to: InstanceId,
        event: Value,
    },
    /// The answer to a post that somebody waits for.
    Answer {
        ask: Uuid,
        body: Value,
    },
    IssuePermit(Permit),
    MovePermit {
        permit: Uuid,
        state: String,
    },
    KeepEvidence(Evidence),
    /// 退票 before a decision.
    RevokeEvidence {
        evidence: Uuid,
        at: Time,
    },
    /// The pay gate of this remit is closed, for ever (S-B).
    CloseGate {
        remit: InstanceId,
        at: Time,
    },
    Decide(Decision),
    /// The one revision allowed: a definitely refused CONTINUE, same direction, corrected time, two persons.
    ReviseDecision {
        remit: InstanceId,
        arising_time: Time,
        evidence: Uuid,
        at: Time,
    },
    OpenCase(OpenCase),
    /// The instance's open cases of these kinds (all, when empty) are closed, with how.
    CloseCases {
        kinds: Vec<String>,
        how: String,
        at: Time,
    },
    /// This one case is answered, with how.
    CloseCase {
        case: Uuid,
        how: String,
        at: Time,
    },
    /// A person's move came, and was not legal any more: the case asks again, and says why.
    ReopenCase {
        case: Uuid,
        why: String,
    },
    OpenTask(OpenTask),
    CloseTasks {
        at: Time,
    },
    /// An event for the platform's own systems, in order per instance.
    Emit {
        topic: String,
        body: Value,
    },
}

/// A machine to be started with its first state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spawn {
    /// Follows from its parent, so that the parent knows it.
    pub id: InstanceId,
    pub workflow: String,
    pub business_key: String,
    /// Where signals find it before anybody knows its id.
    pub address: Option<String>,
    pub person: Option<Uuid>,
    pub input: Value,
    pub state: Value,
}

/// Leave to pay one remit once, until `pay_before` (safety.md §6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permit {
    pub id: Uuid,
    pub remit: InstanceId,
    pub attempt: u32,
    /// The number to pay under; the same until the bank is final.
    pub bank_order_no: String,
    pub amount: Money,
    pub pay_before: Time,
    pub pay_cutoff: Time,
    pub issued_at: Time,
    /// Real time of the live query that showed the remit open; the store refuses a permit older than *f* (S-C).
    pub observed_real: Time,
    pub state: String,
}

/// PaymentEvidence: final, of exactly this remit's amount and payee (S-A).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub id: Uuid,
    pub remit: InstanceId,
    pub permit: Option<Uuid>,
    pub amount: Money,
    /// The bank's success time: the levy's `arising_time`.
    pub paid_at: Time,
    pub bank_serial: String,
    /// adapter, api, statement, or person.
    pub source: String,
    pub at: Time,
}

/// One per remit, for ever (S-E).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub remit: InstanceId,
    pub next_step: NextStep,
    /// Required for CONTINUE.
    pub evidence: Option<Uuid>,
    /// For CANCEL the decision time, not meaningful (P32).
    pub arising_time: Time,
    pub at: Time,
}

/// How much a case matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Info,
}

/// What a person may do about a case, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    #[serde(rename = "move")]
    pub name: String,
    /// `evidence`, `second_person`.
    pub needs: Vec<String>,
}

/// A question for a person, with an owner and a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenCase {
    pub id: Uuid,
    pub kind: String,
    pub severity: Severity,
    pub owner_role: String,
    pub opened_at: Time,
    pub sla_at: Time,
    pub moves: Vec<Move>,
    /// What is known, in words and ids; no personal data.
    pub facts: Value,
    /// Cases of one cause share it (account and day).
    pub group: Option<String>,
}

/// A step that only a person can take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenTask {
    pub id: Uuid,
    pub kind: String,
    pub sla_at: Time,
    pub at: Time,
}
