//! # Voucher (付款凭证): what a payment owes the tax office
//!
//! ```text
//!   owed ──► missing! ──► attached       waived: the bank returned the payment, or two persons gave it up
//!     └──────────┴──────► attached | waived
//! ```
//!
//! Promises. 1. Every payment that is proved owes one voucher, by a day: nothing is forgotten because nobody remembered (P37).
//!           2. It is met by a paper that the provider has taken (`document`), never by one that was only sent.
//!           3. One that is refused, or late, is asked about by a person, and the duty goes on until it is met or given up.

use crate::cases::{self, Answered};
use crate::draw::specimen_time;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use domain::record::{Severity, Spawn, Write};
use domain::{Answer, InstanceId, ProviderOrderId, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Which payment owes it. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub remit: InstanceId,
    pub evidence: Uuid,
    pub provider_order_id: ProviderOrderId,
    pub due_at: Time,
}

/// Where it stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// Not there yet, and not late.
    Owed,
    /// Late, or refused: a person is asked for it.
    Missing {
        since: Time,
    },
    Attached {
        at: Time,
    },
    Waived {
        at: Time,
        why: String,
    },
    NeedsOperator {
        back: Box<Voucher>,
    },
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The provider has taken a paper for it.
    Attached,
    /// The provider has refused one.
    Refused { reason: String },
    /// 退票: there is no payment any more.
    Returned,
    /// Its day has come.
    Due,
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        by: String,
    },
}

const MISSING: &str = "voucher_missing";
const STUCK: &str = "voucher_stuck";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Owed from now on by the remit `cx.me`, whose payment this evidence proves: the voucher's id, and what starts it.
pub(crate) fn owe(evidence: Uuid, order: &ProviderOrderId, days: u32, cx: &Cx<'_>) -> (InstanceId, Write) {
    let id = InstanceId(domain::ids::derive(cx.now, evidence, Voucher::NAME));
    let due_at = cx.now + DAY * days;
    let input = Input { remit: cx.me, evidence, provider_order_id: order.clone(), due_at };
    let spawn = Spawn {
        id,
        workflow: Voucher::NAME.into(),
        business_key: format!("{}/{evidence}", cx.account),
        address: None,
        person: None,
        input: json!(input),
        state: json!(Voucher::Owed),
    };
    (id, Write::Spawn(spawn))
}

/// The payment came back.
pub(crate) fn returned(voucher: InstanceId) -> Write {
    Write::Tell { to: voucher, event: json!(Event::Returned) }
}

/// A paper for it was judged; `refused`: why it was not taken.
pub(crate) fn judged(voucher: InstanceId, refused: Option<&str>) -> Write {
    let event = refused.map_or(Event::Attached, |reason| Event::Refused { reason: reason.into() });
    Write::Tell { to: voucher, event: json!(event) }
}

impl Voucher {
    fn missing(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open(MISSING, Severity::High, &["abandon"], json!({ "why": why }), cx);
        match self {
            Voucher::Owed => Next::to(Voucher::Missing { since: cx.now }).with(case),
            // Somebody is asked already.
            Voucher::Missing { .. } => Next::to(self),
            Voucher::NeedsOperator { back } => {
                let Next { state, writes } = back.missing(why, cx);
                Next { state: Voucher::NeedsOperator { back: Box::new(state) }, writes }
            }
            Voucher::Attached { .. } | Voucher::Waived { .. } => Next::to(self),
        }
    }

    /// Nothing is owed any more; what was met stays met.
    fn over(self, end: Voucher, how: &str, cx: &Cx<'_>) -> Next<Self> {
        match self {
            Voucher::Attached { .. } | Voucher::Waived { .. } => Next::to(self),
            Voucher::Owed | Voucher::Missing { .. } | Voucher::NeedsOperator { .. } => {
                Next::to(end).with(cases::close(&[], how, cx))
            }
        }
    }

    fn resolved(self, case: &Answered, name: &str, by: &str, cx: &Cx<'_>) -> Next<Self> {
        match (self, name) {
            (Voucher::Missing { .. }, "abandon") => {
                Next::to(Voucher::Waived { at: cx.now, why: format!("given up by {by}") })
                    .with(case.closed(name, by, cx))
            }
            (Voucher::NeedsOperator { back }, "retry") => Next::to(*back).with(case.closed(name, by, cx)),
            (this, _) => Next::to(this).with(case.reopened(name, "it is not open to that any more")),
        }
    }
}

impl Machine for Voucher {
    const NAME: &'static str = "voucher";
    const STATES: &'static [(&'static str, bool)] =
        &[("owed", false), ("missing", false), ("attached", true), ("waived", true), ("needs_operator", false)];
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        match self {
            Voucher::Owed => "owed",
            Voucher::Missing { .. } => "missing",
            Voucher::Attached { .. } => "attached",
            Voucher::Waived { .. } => "waived",
            Voucher::NeedsOperator { .. } => "needs_operator",
        }
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Attached => "Attached",
            Event::Refused { .. } => "Refused",
            Event::Returned => "Returned",
            Event::Due => "Due",
            Event::CaseResolved { .. } => "CaseResolved",
        }
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        match self {
            Voucher::Owed if cx.now >= input.due_at => Step::Record(Event::Due),
            Voucher::Owed => Step::Wait(input.due_at),
            Voucher::Missing { .. } | Voucher::NeedsOperator { .. } => Step::Ask(None),
            Voucher::Attached { .. } | Voucher::Waived { .. } => Step::Rest,
        }
    }

    /// It calls nobody.
    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        None
    }

    fn answered(&self, _request: &Request, _sent_at: Time, _verdict: Verdict<Answer>) -> Event {
        Event::Refused { reason: "an answer to no call".into() }
    }

    fn may_send(&self, _input: &Input, _request: &Request, _cx: &Cx<'_>) -> bool {
        false
    }

    fn apply(self, _input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        match event {
            Event::Attached => Ok(self.over(Voucher::Attached { at: cx.now }, "the provider has taken it", cx)),
            Event::Refused { reason } => Ok(self.missing(&format!("the provider refused it: {reason}"), cx)),
            Event::Returned => {
                let why = "the bank returned the payment";
                Ok(self.over(Voucher::Waived { at: cx.now, why: why.into() }, why, cx))
            }
            Event::Due if self == Voucher::Owed => Ok(self.missing("its day has passed", cx)),
            Event::Due => Err(illegal),
            Event::CaseResolved { case, r#move, by } => Ok(self.resolved(&case, &r#move, &by, cx)),
        }
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        4
    }

    fn waits_for(&self, input: &Input) -> Option<String> {
        match self {
            Voucher::Owed => Some(format!("the voucher of this payment, by {}", input.due_at)),
            Voucher::Missing { .. } => Some("a person: the voucher of this payment is missing".into()),
            Voucher::NeedsOperator { .. } => Some("a person: an internal fault".into()),
            Voucher::Attached { .. } | Voucher::Waived { .. } => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open(STUCK, Severity::Medium, &["retry"], json!({ "why": why }), cx);
        match self {
            Voucher::Owed | Voucher::Missing { .. } => {
                Next::to(Voucher::NeedsOperator { back: Box::new(self) }).with(case)
            }
            Voucher::Attached { .. } | Voucher::Waived { .. } | Voucher::NeedsOperator { .. } => {
                Next::to(self).with(case)
            }
        }
    }

    fn specimens() -> Specimens<Self> {
        let at = specimen_time(0);
        let resolved =
            |name: &str| Event::CaseResolved { case: Answered::default(), r#move: name.into(), by: "operator".into() };
        Specimens {
            input: Input {
                remit: InstanceId(Uuid::from_u128(5)),
                evidence: Uuid::from_u128(6),
                provider_order_id: "2001".to_owned().try_into().expect("cannot fail: an id as a provider writes it"),
                due_at: at,
            },
            states: vec![
                Voucher::Owed,
                Voucher::Missing { since: at },
                Voucher::Attached { at },
                Voucher::Waived { at, why: "given up by finance".into() },
                Voucher::NeedsOperator { back: Box::new(Voucher::Owed) },
            ],
            events: vec![
                Event::Attached,
                Event::Refused { reason: "文件无法识别".into() },
                Event::Returned,
                Event::Due,
                resolved("abandon"),
                resolved("retry"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::with_cx;

    fn go(voucher: Voucher, event: Event, cx: &Cx<'_>) -> Next<Voucher> {
        voucher.apply(&Voucher::specimens().input, event, cx).unwrap()
    }

    #[test]
    fn p37_a_voucher_is_asked_for_on_its_day_and_until_it_is_there() {
        with_cx(|cx| {
            let input = Input { due_at: cx.now + Duration::from_secs(60), ..Voucher::specimens().input };
            assert_eq!(Voucher::Owed.step(&input, cx), Step::Wait(input.due_at));
            let late = Cx { now: input.due_at, ..*cx };
            assert_eq!(Voucher::Owed.step(&input, &late), Step::Record(Event::Due));
            let missing = go(Voucher::Owed, Event::Due, &late);
            assert!(missing.writes.iter().any(|write| matches!(write, Write::OpenCase(case) if case.kind == MISSING)));
            let refused = go(missing.state, Event::Refused { reason: "不清晰".into() }, &late);
            assert_eq!((refused.state.name(), refused.writes.len()), ("missing", 0), "one question at a time");
            assert_eq!(go(refused.state, Event::Attached, &late).state.name(), "attached");
        });
    }

    #[test]
    fn what_came_back_owes_nothing_and_what_was_met_stays_met() {
        with_cx(|cx| {
            assert_eq!(go(Voucher::Owed, Event::Returned, cx).state.name(), "waived");
            assert_eq!(go(Voucher::Attached { at: cx.now }, Event::Returned, cx).state.name(), "attached");
            let late = go(Voucher::Waived { at: cx.now, why: "x".into() }, Event::Attached, cx);
            assert_eq!(late.state.name(), "waived");
        });
    }
}
