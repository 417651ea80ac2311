//! # Sign-up (签约): one person, one counterparty, one kind of contract, once
//!
//! ```text
//!   inviting ⇄ in_doubt          waiting ──► signed
//!      └───────────┴──────► waiting ──┴────► not_signed      anything a person must settle: needs_operator!
//! ```
//!
//! Promises. 1. At most one invitation of a kind is under way for a person and a counterparty; where the provider takes no id of ours
//!              this natural key stands for it (P50).
//!           2. "Not signed" is typed by time: before 24 h and a grace it says "not yet", after them "failed" (P47, P48).
//!           3. Silence never waits for ever: the provider calls nobody when nobody signs (000 §2.1 R4).
//!           4. A new invitation is a person's decision, and a sign-up of its own.
//!           5. Whoever waits for the signature hears of it, whichever invitation brought it.

mod facts;
mod send;
mod specimens;
mod waiters;
#[cfg(test)]
mod tests;

pub use facts::{Again, Contract, Input, Why};

use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::needs::Waiter;
use crate::policy::Direction;
use domain::levy::Hint;
use domain::people::{SignSeen, SignUpKey};
use domain::{Answer, Fault, Refusal, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A sign-up, and who waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUp {
    pub at: At,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiters: Vec<Waiter>,
}

/// Where it stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The invitation may be sent.
    Inviting {
        since: Time,
        first_sent: Option<Time>,
        sends: u32,
    },
    /// Accepted: the person is asked to sign. `until`: silence means no from then on.
    Waiting {
        until: Time,
        asked: u32,
        look_at: Time,
    },
    /// The invitation may have been applied. `refused`: it was refused, one look confirms it.
    InDoubt {
        first_sent: Time,
        until: Time,
        doubt: Doubt,
        sends: u32,
        refused: Option<Refusal>,
    },
    Signed {
        at: Time,
    },
    /// This invitation has failed. A late signature is taken all the same.
    NotSigned {
        at: Time,
        reason: String,
    },
    NeedsOperator {
        why: Why,
        back: Box<At>,
    },
}

/// What may happen to a sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // From outside, through the inbox.
    /// A verified callback. For this invitation's id it is the proof itself (safety.md §10.1), for any other a hint to look.
    Hinted(Hint),
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        evidence: Option<Value>,
        by: String,
    },
    /// Somebody waits for the signature.
    Wanted {
        waiter: Waiter,
    },
    /// The invitation that a person sent after this one has brought the signature.
    SignedAgain,
    // From calls.
    Invited {
        sent_at: Time,
        signed: bool,
    },
    Refused {
        sent_at: Time,
        refusal: Refusal,
    },
    Unsure {
        sent_at: Time,
        fault: Fault,
    },
    Seen {
        asked_at: Time,
        seen: SignSeen,
    },
    LookFailed {
        fault: Fault,
    },
    // From time and the state itself.
    NameTooLong,
    Disproved,
    /// 24 h and the grace are over, and no query can say more.
    Lapsed,
    WorkerLost,
}

const STATES: &[(&str, bool)] = &[
    ("inviting", false),
    ("waiting", false),
    ("in_doubt", false),
    ("signed", true),
    ("not_signed", true),
    ("needs_operator", false),
];

const FREEZE_LOOK: Duration = Duration::from_secs(60);

impl Machine for SignUp {
    const NAME: &'static str = "sign_up";
    const STATES: &'static [(&'static str, bool)] = STATES;
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        self.at.name()
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Hinted(_) => "Hinted",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Wanted { .. } => "Wanted",
            Event::SignedAgain => "SignedAgain",
            Event::Invited { .. } => "Invited",
            Event::Refused { .. } => "Refused",
            Event::Unsure { .. } => "Unsure",
            Event::Seen { .. } => "Seen",
            Event::LookFailed { .. } => "LookFailed",
            Event::NameTooLong => "NameTooLong",
            Event::Disproved => "Disproved",
            Event::Lapsed => "Lapsed",
            Event::WorkerLost => "WorkerLost",
        }
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let look = |look_at: Time, until: Time| match () {
            // No query tells of this contract: only its callback does, and the clock (000 §2.1 R4).
            () if !input.shown_by_query(cx) && cx.now >= until => Step::Record(Event::Lapsed),
            () if !input.shown_by_query(cx) => Step::Wait(until),
            () if cx.now >= look_at => Step::Call(input.query()),
            () => Step::Wait(look_at),
        };
        match &self.at {
            At::Inviting { .. } if input.name_chars > cx.policy.name_max_chars => Step::Record(Event::NameTooLong),
            At::Inviting { .. } if frozen(cx) => Step::Wait(cx.now + FREEZE_LOOK),
            At::Inviting { .. } => Step::Call(input.invitation()),
            At::Waiting { until, look_at, .. } => look(*look_at, *until),
            At::InDoubt { doubt, .. } if doubt.disproved() => Step::Record(Event::Disproved),
            At::InDoubt { until, doubt, .. } => look(doubt.look_at, *until),
            At::NeedsOperator { .. } => Step::Ask(None),
            At::Signed { .. } | At::NotSigned { .. } => Step::Rest,
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        match &self.at {
            At::Inviting { .. } => Some(Event::WorkerLost),
            // Every other state asks only questions.
            At::Waiting { .. } | At::InDoubt { .. } => None,
            At::Signed { .. } | At::NotSigned { .. } | At::NeedsOperator { .. } => None,
        }
    }

    fn answered(&self, request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let looking = matches!(request, Request::FindSignUps { .. });
        match verdict {
            Verdict::Done(Answer::SignUpTaken { signed }) if !looking => Event::Invited { sent_at, signed },
            Verdict::Done(Answer::SignUpsSeen(seen)) if looking => match seen.into_iter().next().flatten() {
                Some(seen) => Event::Seen { asked_at: sent_at, seen },
                // A row that is missing says nothing (P51).
                None => Event::LookFailed { fault: Fault::Unbound },
            },
            Verdict::Done(_) if looking => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Done(_) => Event::Unsure { sent_at, fault: Fault::Unbound },
            Verdict::Refused(refusal) if looking => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            Verdict::Refused(refusal) => Event::Refused { sent_at, refusal },
            Verdict::Unsure(fault) if looking => Event::LookFailed { fault },
            Verdict::Unsure(fault) => Event::Unsure { sent_at, fault },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, _input: &Input, request: &Request, cx: &Cx<'_>) -> bool {
        let invite = matches!(request, Request::Invite { .. } | Request::SignUp { .. });
        let may_invite = matches!(self.at, At::Inviting { .. }) && !frozen(cx);
        matches!(request, Request::FindSignUps { .. }) || (invite && may_invite)
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        let SignUp { at, waiters } = self;
        let before = at.clone();
        let next = match event {
            Event::Wanted { waiter } => return Ok(Self { at, waiters }.wanted(waiter)),
            Event::SignedAgain => Some(at.signed_again(cx)),
            Event::Hinted(hint) => Some(at.hinted(&hint, input, cx)),
            Event::CaseResolved { case, r#move, by, .. } => Some(at.resolved(&case, &r#move, &by, cx)),
            Event::Invited { sent_at, signed } => at.invited(sent_at, signed, cx),
            Event::Refused { sent_at, refusal } => at.refused(sent_at, refusal, input, cx),
            Event::Unsure { sent_at, .. } => at.in_doubt(sent_at, None, cx),
            Event::WorkerLost => at.worker_lost(cx),
            Event::Seen { asked_at, seen } => at.seen(asked_at, &seen, input, cx),
            Event::LookFailed { .. } => at.look_failed(cx),
            Event::NameTooLong => matches!(at, At::Inviting { .. }).then(|| at.park(Why::NameTooLong, cx)),
            Event::Disproved => at.send_again(cx),
            Event::Lapsed => at.lapsed(cx),
        };
        next.map(|next| Self::told(&before, next, waiters, input)).ok_or(illegal)
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        match &self.at {
            At::InDoubt { .. } => 0,
            At::Inviting { .. } => 3,
            At::Waiting { .. } => 4,
            At::Signed { .. } | At::NotSigned { .. } | At::NeedsOperator { .. } => 4,
        }
    }

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match &self.at {
            At::Inviting { .. } => Some("its turn to be sent".into()),
            At::Waiting { until, .. } => Some(format!("the person to sign, at most until {until}")),
            At::InDoubt { .. } => Some("proof whether the provider has it".into()),
            At::NeedsOperator { why, .. } => Some(format!("a person: {}", why.words())),
            At::Signed { .. } | At::NotSigned { .. } => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let Next { state: at, writes } = self.at.park(Why::Bug(why.into()), cx);
        Next { state: SignUp { at, waiters: self.waiters }, writes }
    }

    fn specimens() -> Specimens<Self> {
        specimens::all()
    }
}

impl SignUp {
    /// As it begins.
    pub fn begin(now: Time) -> Self {
        At::begin(now).into()
    }
}

impl At {
    fn name(&self) -> &'static str {
        match self {
            At::Inviting { .. } => "inviting",
            At::Waiting { .. } => "waiting",
            At::InDoubt { .. } => "in_doubt",
            At::Signed { .. } => "signed",
            At::NotSigned { .. } => "not_signed",
            At::NeedsOperator { .. } => "needs_operator",
        }
    }
}

impl From<At> for SignUp {
    fn from(at: At) -> Self {
        Self { at, waiters: Vec::new() }
    }
}

impl Input {
    /// The call that invites.
    fn invitation(&self) -> Request {
        match &self.contract {
            Contract::SyncSign { request_id } => {
                Request::Invite { request_id: request_id.clone(), person: self.person, party: self.party.clone() }
            }
            Contract::SignUp { credit_code, customer_id } => Request::SignUp {
                person: self.person,
                party: self.party.clone(),
                credit_code: credit_code.clone(),
                customer_id: customer_id.clone(),
            },
        }
    }

    /// The look at how it stands; the engine lets many of them share one call.
    fn query(&self) -> Request {
        Request::FindSignUps { of: vec![SignUpKey { person: self.person, party: self.party.clone() }] }
    }

    /// Whether the batch query tells of this contract (safety.md §11, SYNC_SIGN).
    fn shown_by_query(&self, cx: &Cx<'_>) -> bool {
        match self.contract {
            Contract::SyncSign { .. } => cx.policy.sign_up_query_covers_sync_sign,
            Contract::SignUp { .. } => true,
        }
    }
}

fn frozen(cx: &Cx<'_>) -> bool {
    cx.freezes.frozen(Direction::Create, cx.account, cx.tenant, None)
}
