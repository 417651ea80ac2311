//! Rows of administration, and small answers that are no rows of their own.

use crate::Letter;
use domain::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A post whose addressee does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    pub tenant: String,
    pub address: String,
    pub letter: Letter,
}

/// A batch in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSums {
    pub good: i64,
    pub bad: i64,
    /// Good lines whose order exists.
    pub released: i64,
    /// Sum over the good lines.
    pub amount_fen: i64,
}

/// When a recurring job of the fleet runs next (design §4, Schedules).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    pub cron: String,
    pub due_at: Time,
    pub last_run: Option<Time>,
}

/// What the audits must know of the process book and its rules: the store knows no workflow by name but the remit's records.
#[derive(Debug, Clone)]
pub struct AuditPlan {
    /// States in which a paid remit is confirmed or beyond (I2).
    pub confirmed: Vec<String>,
    /// A state that a paid remit may end in without a levy, and the question that explains this end once two persons have closed it
    /// (I2). `cancelled` is what they settle when the bank took the payment back after the decision.
    pub explained: Vec<(String, String)>,
    /// A paid remit has this long to be confirmed (I2).
    pub confirm_within: Duration,
    /// What calls and commits may take before any lateness counts: a fast clock runs on meanwhile (I2, I19).
    pub settle: Duration,
    /// Greatest age of the observation at permit issue, *f* (S-C).
    pub freshness: Duration,
    /// The states at rest, as (workflow, state).
    pub resting: Vec<(String, String)>,
    /// The arrows that leave a state at rest, as (workflow, from, to) (I14).
    pub leaves_rest: Vec<(String, String, String)>,
    /// An unpaid remit is cancelled this soon after its pay gate has closed (I19).
    pub unpaid_within: Duration,
    /// Accounts that keep unpaid remits on purpose (I19).
    pub keeps_quota: Vec<String>,
    /// Accounts whose gross splits must add up to the fen (I10).
    pub gross_exact: Vec<String>,
    /// Names on the wire of the operations that are verified before a retry (S-G), and what that takes.
    pub verified: Vec<String>,
    pub quarantine: Duration,
    pub probe_spacing: Duration,
    pub negatives: usize,
}

const EXPLAINED: [(&str, &str); 6] = [
    ("auto_closed_paid", "auto_closed_paid"),
    ("closed_externally", "auto_closed_paid"),
    ("cancelled", "contradiction"),
    ("cancelled", "levy_unproven"),
    ("cancelled", "levy_running_too_long"),
    ("cancelled", "confirm_refused"),
];

impl Default for AuditPlan {
    fn default() -> Self {
        Self {
            confirmed: ["levying", "levied", "returned_after_levy"].map(str::to_owned).to_vec(),
            explained: EXPLAINED.map(|(state, kind)| (state.to_owned(), kind.to_owned())).to_vec(),
            confirm_within: Duration::from_secs(3600),
            settle: Duration::ZERO,
            freshness: Duration::from_secs(30),
            resting: Vec::new(),
            leaves_rest: Vec::new(),
            unpaid_within: Duration::from_secs(900),
            keeps_quota: Vec::new(),
            gross_exact: Vec::new(),
            verified: Vec::new(),
            quarantine: Duration::from_secs(300),
            probe_spacing: Duration::from_secs(60),
            negatives: 2,
        }
    }
}

/// An API key: the secret itself is shown once and never stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    pub id: String,
    pub tenant: String,
    /// The person, for four-eyes.
    pub name: String,
    pub role: String,
    /// Hex SHA-256 of the secret.
    pub digest: String,
    pub created_at: Time,
    pub revoked_at: Option<Time>,
}

/// An answer kept under an Idempotency-Key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub status: u16,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// First use: the caller runs the request and saves its answer.
    Fresh,
    /// Begun by an earlier request that has not answered yet.
    Running,
    Done(Saved),
    /// The key was used with another body.
    OtherBody,
}

/// One administrative act (audit chain per tenant).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub who: String,
    pub what: String,
    pub subject: String,
    pub detail: Value,
    pub at: Time,
}

/// One freeze switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// `all`, `account:NAME`, `tenant:NAME`, `location:ID`.
    pub scope: String,
    pub create: bool,
    pub pay: bool,
    pub confirm: bool,
    pub cancel: bool,
}

/// A lane's shared state (design §4 Lanes): visible to operators, who may force it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneState {
    pub lane: String,
    /// The breaker is open until this real time.
    pub open_until: Option<Time>,
}

/// The result of one safety audit: how many rows break it, and up to ten of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub audit: String,
    pub count: i64,
    pub examples: Vec<String>,
}

/// Machines of an account and a workflow whose state ends in `in_doubt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    pub account: String,
    pub workflow: String,
    pub state: String,
    pub count: i64,
}

/// `levee_instances{workflow,state}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub workflow: String,
    pub state: String,
    pub count: i64,
}
