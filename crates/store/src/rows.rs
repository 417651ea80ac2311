//! The rows that cross the store's boundary. Field names are the columns' names.

use domain::record::{OpenCase, Write};
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// One reading of the shared clock: business time decides, real (database) time leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub business: Time,
    pub real: Time,
}

/// Where an instance waits: its due time, and what it will need when due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Business time; `None` at rest.
    pub wake_at: Option<Time>,
    /// `account:group`, or `-` for turns that call nobody.
    pub lane: String,
    /// Hazard class, 0 first.
    pub class: i16,
}

/// A machine to be inserted with its first history line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewInstance {
    pub id: InstanceId,
    pub workflow: String,
    pub tenant: String,
    pub account: String,
    pub business_key: String,
    /// Where signals find it before anybody knows its id: `account/request_id`. Posts that came first are adopted.
    pub address: Option<String>,
    pub parent: Option<InstanceId>,
    /// The prepared row (batch, number) it comes from.
    pub batch_row: Option<(InstanceId, i64)>,
    pub person: Option<Uuid>,
    /// Hex digest of the business content: the same key with the same content is the same instance.
    pub content_hash: String,
    pub input: Value,
    pub state: Value,
    pub state_name: String,
    pub due: Due,
    pub guard: Option<Guard>,
    pub at: Time,
}

/// The semantic duplicate rule (P12): the first instance under `key` goes, later ones start in `held`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    pub key: String,
    pub held: Held,
}

/// The first state of a suspected duplicate, with the writes that give it an owner (a task with an SLA).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub state: Value,
    pub state_name: String,
    pub due: Due,
    pub writes: Vec<Write>,
}

/// What came of one insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    Created(InstanceId),
    /// The key exists with the same content.
    Known(InstanceId),
    /// The key exists with other content: nothing was written.
    Differs(InstanceId),
}

/// A durable message for a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    pub id: Uuid,
    pub tenant: String,
    pub to: Target,
    /// Serialised event of the addressee's machine.
    pub event: Value,
    /// `callback`, `api`, `machine`: the cause written to history.
    pub source: String,
    /// The same key again changes nothing.
    pub dedupe: Option<String>,
    /// Exact bytes received; sealed at rest.
    pub raw: Option<Vec<u8>>,
    pub at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Instance(InstanceId),
    /// Kept as an orphan until an instance with this address exists.
    Address(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    Stored,
    Duplicate,
    /// Durable, and its addressee does not exist (yet).
    Orphan,
}

/// What a worker has room for.
#[derive(Debug, Clone)]
pub struct ClaimAsk {
    pub limit: usize,
    /// Lanes that may not be touched now: full here, frozen, or their breaker is open.
    pub closed_lanes: Vec<String>,
    /// Most rows of one lane in this claim.
    pub per_lane: usize,
    /// Most rows of these lanes instead: each has its own room, so that a narrow lane narrows no other.
    pub rooms: BTreeMap<String, usize>,
    /// No other lane than this.
    pub only_lane: Option<String>,
    /// From the database's own reading of real time: a claimer's clock may be off (F38).
    pub lease: Duration,
    /// Business time.
    pub now: Time,
}

/// A row under a live claim: the write-ahead record of whatever its state wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    pub id: InstanceId,
    pub workflow: String,
    pub tenant: String,
    pub account: String,
    pub business_key: String,
    pub address: Option<String>,
    pub parent: Option<InstanceId>,
    pub person: Option<Uuid>,
    pub input: Value,
    pub state: Value,
    pub state_name: String,
    pub revision: i64,
    /// Hash of the last history line.
    pub head: String,
    pub token: Uuid,
    pub claimed_until: Time,
    /// 1: nobody held it before in this state. 2 or more: a send may have happened. From [`SUSPECT`] on it is driven alone.
    pub claims: i32,
    pub signals: i64,
    pub lane: String,
    pub inbox: Vec<Letter>,
    pub created_at: Time,
}

/// A row claimed so often in one state, and never brought to an end, is a suspect: it may be what kills its workers, or it only lay
/// beside what does. Claims of whole batches count up to here; beyond it counts [`crate::Store::single_out`], so that what comes
/// further has been driven alone.
pub const SUSPECT: i32 = 3;

impl Claimed {
    /// Whether its worker must drive nothing else meanwhile: its death is then this row's doing, or the machine's.
    pub fn suspect(&self) -> bool {
        self.claims >= SUSPECT
    }
}

/// An unconsumed post.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    pub id: Uuid,
    pub event: Value,
    pub source: String,
    pub at: Time,
}

/// One line of an instance's append-only, hash-chained history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub event: String,
    /// The whole event; ids and words, never personal data.
    pub detail: Value,
    pub from: String,
    pub to: String,
    pub at: Time,
    /// `timer`, `call`, `callback`, `api`, `machine`, `takeover`, `submit`.
    pub cause: String,
    pub exchange: Option<Uuid>,
}

/// One call's exact bytes; sealed at rest.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExchange {
    pub id: Uuid,
    pub operation: String,
    pub request: Vec<u8>,
    pub answer: Vec<u8>,
    pub status: Option<u16>,
    pub verdict: String,
    pub took_ms: i64,
    pub at: Time,
}

/// Everything one instance writes in one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub id: InstanceId,
    pub tenant: String,
    pub account: String,
    pub token: Uuid,
    /// The revision this turn started from. Each line raises it by one.
    pub revision: i64,
    pub head: String,
    pub state: Value,
    pub state_name: String,
    /// Whether that state is at rest: its coming there is told in the outbox (I20).
    pub resting: bool,
    pub due: Due,
    /// `signals` as claimed: a post since then makes the row due now.
    pub seen: i64,
    pub lines: Vec<Line>,
    /// Letters read by this turn.
    pub consumed: Vec<Uuid>,
    pub writes: Vec<Write>,
    pub children: Vec<NewInstance>,
    pub exchanges: Vec<NewExchange>,
    /// Keep the claim for the next turn (claims = 1 for the new state), until this real time.
    pub keep_until: Option<Time>,
    /// Real database time after which this turn must not be committed (a permit must not be older than *f*).
    pub not_after: Option<Time>,
    pub at: Time,
}

/// What came of one turn in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// Durable. New revision and head, and `signals` at commit.
    Done { revision: i64, head: String, signals: i64 },
    /// Somebody else moved the row, or `not_after` has passed: nothing of this turn was written.
    Conflict,
    /// A constraint forbids it (its name): nothing of this turn was written. A bug or an attack: park it.
    Forbidden(String),
}

/// Gives a claim back with no byte sent and nothing written. A row claimed once counts none then; one that was claimed before counts
/// one, which still says that it may have been sent, and is no suspect any more: it did not kill who drove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetGo {
    pub id: InstanceId,
    pub token: Uuid,
    /// `None` leaves `wake_at` as it is.
    pub wake_at: Option<Time>,
}

/// An instance as the API and the audits see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub id: InstanceId,
    pub workflow: String,
    pub tenant: String,
    pub account: String,
    pub business_key: String,
    pub address: Option<String>,
    pub parent: Option<InstanceId>,
    pub person: Option<Uuid>,
    pub content_hash: String,
    pub input: Value,
    pub state: Value,
    pub state_name: String,
    pub revision: i64,
    pub head: String,
    pub wake_at: Option<Time>,
    pub lane: String,
    pub claims: i32,
    pub claimed_until: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Which instances to list; newest first, by id below `cursor`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub workflow: Option<String>,
    pub tenant: Option<String>,
    pub state: Option<String>,
    pub business_key: Option<String>,
    pub parent: Option<InstanceId>,
    pub persons: Option<Vec<Uuid>>,
    pub since: Option<Time>,
    pub until: Option<Time>,
    pub cursor: Option<InstanceId>,
    pub limit: usize,
}

/// A history line as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub seq: i64,
    pub line: Line,
    pub hash: String,
}

/// A case as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub open: OpenCase,
    pub instance: InstanceId,
    pub workflow: String,
    pub tenant: String,
    /// `open`, `proposed`, `resolved`.
    pub state: String,
    pub proposal: Option<Proposal>,
    /// The second person; stays when the case is resolved.
    pub approved_by: Option<String>,
    pub resolved_at: Option<Time>,
    pub resolved_how: Option<String>,
}

/// A move that waits for a second person (四眼原则). The approval must name the same payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    #[serde(rename = "move")]
    pub name: String,
    pub reason: String,
    pub evidence: Option<Value>,
    pub by: String,
    pub at: Time,
}

/// A human task as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub id: Uuid,
    pub kind: String,
    pub instance: InstanceId,
    pub tenant: String,
    pub sla_at: Time,
    pub opened_at: Time,
    pub closed_at: Option<Time>,
}

/// A permit as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PermitRow {
    pub permit: domain::record::Permit,
    pub tenant: String,
}

/// An evidence row as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceRow {
    pub evidence: domain::record::Evidence,
    pub revoked_at: Option<Time>,
}

/// A call as stored, bytes opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub exchange: NewExchange,
    pub instance: InstanceId,
}

/// One line of an uploaded batch: either prepared (a machine to be) or wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRow {
    pub row: i64,
    /// The order to be, without its id; `None` when the row is wrong.
    pub prepared: Option<NewInstance>,
    /// What the row asks to be paid, for the batch's sum; 0 when it is wrong.
    pub amount_fen: i64,
    pub errors: Vec<RowError>,
}

/// What is wrong with one field of one row, in a code and two languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    pub field: String,
    pub code: String,
    pub message: String,
    pub message_zh: String,
}

/// Where each good row of a batch has got to.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchLine {
    pub row: i64,
    pub business_key: Option<String>,
    pub order: Option<InstanceId>,
    /// The order's state, once released.
    pub state: Option<String>,
    pub errors: Vec<RowError>,
}
