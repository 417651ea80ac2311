//! Small answers of the store that are no rows of their own.

use crate::Letter;
use domain::Time;
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

/// What the audits must know of the process book: the store knows no workflow by name but the remit's records.
#[derive(Debug, Clone)]
pub struct AuditPlan {
    /// States in which a paid remit is confirmed or beyond (I2).
    pub confirmed: Vec<String>,
    /// A paid remit has this long to be confirmed (I2).
    pub confirm_within: Duration,
    /// Greatest age of the observation at permit issue, *f* (S-C).
    pub freshness: Duration,
}

impl Default for AuditPlan {
    fn default() -> Self {
        Self {
            confirmed: ["levying", "levied", "returned_after_levy"].map(str::to_owned).to_vec(),
            confirm_within: Duration::from_secs(3600),
            freshness: Duration::from_secs(30),
        }
    }
}
