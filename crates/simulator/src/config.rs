//! What the simulated world contains: clients, qualification parties and places, tasks, quotas, and how long things take.

use crate::{Faults, Switches};
use domain::Money;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Everything `levee sim` can be told. A missing key has the default given here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen. Anything but loopback is refused unless `allow_remote`.
    pub listen: String,
    /// Lets the simulator listen on, and call back to, other machines.
    pub allow_remote: bool,
    /// Seed of every dice: the same seed and the same inputs give the same ledger.
    pub seed: u64,
    pub clients: Vec<Client>,
    pub faults: Faults,
    pub switches: Switches,
    pub catalogue: Catalogue,
    pub quotas: Quotas,
    pub timings: Timings,
}

/// One merchant as the provider knows it. The callback URL is agreed off line (protocols.md §1.5).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub client_key: String,
    /// The HMAC secret; its UTF-8 bytes are the key (000 §1.2).
    pub secret: String,
    #[serde(default)]
    pub callback_url: Option<String>,
}

/// 资质方, 资质所在地 and tasks the provider knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Catalogue {
    /// By 资质方 ID.
    pub agents: BTreeMap<String, Agent>,
    /// By 任务 ID.
    pub tasks: BTreeMap<String, Task>,
    /// Credit codes and customer ids whose lookup fails (the fourth meaning of order CLOSE, 000 §3.2).
    pub unknown_customers: Vec<String>,
    /// Names that do not pass the identity check (code 1010), beside ID numbers with a wrong checksum.
    pub refused_names: Vec<String>,
}

/// One 资质方 and its places, in the order in which a split fills them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub locations: Vec<Location>,
    #[serde(default)]
    pub split: Option<Split>,
}

/// 资质方配置: an order without a place and of at least `from` is spread evenly over the first `over` places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    pub from: Money,
    pub over: u8,
}

/// One 资质所在地.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    pub id: String,
    /// What one person may be paid through this place in one Beijing month (000 §2.3 rule 5).
    pub month_cap: Money,
    /// 资质所在地服务费, in basis points of the amount paid to the person.
    pub fee_bp: i64,
    /// 补缴服务费, likewise.
    pub compensate_bp: i64,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub kind: TaskKind,
}

/// GENERAL needs a 直接发布 task, SPECIAL a 委托发布 task (000 §2.3, V2.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// 直接发布.
    Direct,
    /// 委托发布.
    Entrusted,
}

/// 可用纳税额度.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// What one person may be paid in one Beijing month before code 1009.
    pub person_month: Money,
    /// Persons with a quota of their own, by the [`crate::fingerprint`] of the ID number.
    pub persons: BTreeMap<String, Money>,
}

/// From, to: seconds of the virtual clock, both possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(pub u64, pub u64);

/// How long the far side takes, in seconds of the virtual clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timings {
    /// CREATE accepted → order CLOSE.
    pub order: Span,
    /// CONTINUE → tax paid.
    pub levy: Span,
    /// A pending bank payment → its result.
    pub bank: Span,
    /// A late or unknown bank payment → its result.
    pub bank_late: Span,
    /// A bank success → 退票.
    pub bank_return: Span,
    /// The person signs, an agreement is stored, a picture is judged.
    pub person: Span,
    /// How long after 72 hours the closing job comes by.
    pub closing_job: Span,
    /// Order CLOSE → its callback leaves.
    pub callback: Span,
    /// Unconfirmed orders are closed after this long (000 §2.4).
    pub auto_close_hours: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".into(),
            allow_remote: false,
            seed: 1,
            clients: vec![Client { client_key: "sim-client".into(), secret: "sim-secret".into(), callback_url: None }],
            faults: Faults::default(),
            switches: Switches::default(),
            catalogue: Catalogue::default(),
            quotas: Quotas::default(),
            timings: Timings::default(),
        }
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        let place = |id: &str, cap: i64, fee_bp, compensate_bp| Location {
            id: id.into(),
            month_cap: yuan(cap),
            fee_bp,
            compensate_bp,
        };
        let agent = Agent {
            locations: vec![
                place("2001", 50_000, 600, 0),
                place("2002", 50_000, 550, 50),
                place("2003", 30_000, 680, 20),
            ],
            split: Some(Split { from: yuan(10_000), over: 2 }),
        };
        Self {
            agents: BTreeMap::from([("1001".into(), agent)]),
            tasks: BTreeMap::from([
                ("1".into(), Task { kind: TaskKind::Direct }),
                ("2".into(), Task { kind: TaskKind::Entrusted }),
            ]),
            unknown_customers: vec!["91110000MA0000NONE".into()],
            refused_names: vec!["查无此人".into()],
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self { person_month: yuan(100_000), persons: BTreeMap::new() }
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            order: Span(5, 60),
            levy: Span(600, 7200),
            bank: Span(5, 1800),
            bank_late: Span(3600, 30 * 3600),
            bank_return: Span(12 * 3600, 10 * 24 * 3600),
            person: Span(30, 3600),
            closing_job: Span(0, 600),
            callback: Span(0, 5),
            auto_close_hours: 72,
        }
    }
}

impl Timings {
    pub(crate) fn auto_close(&self) -> Duration {
        Duration::from_secs(self.auto_close_hours.saturating_mul(3600))
    }
}

fn yuan(yuan: i64) -> Money {
    Money::from_fen(yuan * 100).expect("cannot fail: the defaults are in range")
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client { client_key, secret: _, callback_url } = self;
        f.debug_struct("Client")
            .field("client_key", client_key)
            .field("secret", &"***")
            .field("callback_url", callback_url)
            .finish()
    }
}
