//! # Document (资料): one paper, brought to a provider once
//!
//! ```text
//!   rendered ⇄ submitted          processing ──► verified
//!       └──────────┴──────► processing ──┴─────► rejected      anything a person must settle: needs_operator!
//! ```
//!
//! Promises. 1. Its id, its files and its `contract_id` are the same at every send: a lost answer makes no second paper (P63).
//!           2. Where a query shows it, a doubt is settled by looks; where none does, the identical call goes again, and after a few
//!              times a person is asked (safety.md §10.1).
//!           3. "Already there" is told apart from "taken": the old picture may be the one that stays (P61).
//!           4. Who is silent for days is asked about by a person.

mod facts;
mod send;
mod specimens;
#[cfg(test)]
mod tests;

pub use facts::{Brought, Input, Why};

use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::policy::Direction;
use crate::{id_card_check, voucher};
use domain::levy::Hint;
use domain::papers::PaperSeen;
use domain::record::Write;
use domain::{Answer, Fault, Refusal, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Where the document stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// Ready to be sent.
    Rendered {
        since: Time,
        first_sent: Option<Time>,
        sends: u32,
    },
    /// It may have arrived. `refused`: it was refused, one look confirms it.
    Submitted {
        first_sent: Time,
        doubt: Doubt,
        sends: u32,
        refused: Option<Refusal>,
    },
    /// Taken, and not judged yet. `inferred`: by a refusal of its own id (P63). `existing`: there was one before, and a look says how
    /// that stands (P61).
    Processing {
        since: Time,
        asked: u32,
        look_at: Time,
        inferred: bool,
        #[serde(default)]
        existing: bool,
    },
    /// `existing`: there was one before, which may be another (P61).
    Verified {
        at: Time,
        existing: bool,
    },
    Rejected {
        at: Time,
        reason: String,
    },
    NeedsOperator {
        why: Why,
        back: Box<Document>,
    },
}

/// What may happen to a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // From outside, through the inbox.
    /// A verified callback: of this very submission it says how it ended, of any other nothing.
    Hinted(Hint),
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        evidence: Option<Value>,
        by: String,
    },
    // From calls.
    /// The answer to the upload itself.
    Taken {
        sent_at: Time,
        seen: PaperSeen,
    },
    Refused {
        sent_at: Time,
        refusal: Refusal,
    },
    Unsure {
        sent_at: Time,
        fault: Fault,
    },
    /// The answer to a look.
    Seen {
        asked_at: Time,
        seen: PaperSeen,
    },
    LookFailed {
        fault: Fault,
    },
    // From time and the state itself.
    /// The identical call may go again.
    Again,
    /// Nobody has said for days how it ended.
    Silent,
    WorkerLost,
}

const STATES: &[(&str, bool)] = &[
    ("rendered", false),
    ("submitted", false),
    ("processing", false),
    ("verified", true),
    ("rejected", true),
    ("needs_operator", false),
];

const FREEZE_LOOK: Duration = Duration::from_secs(60);
/// Who is judged at all is judged within this time.
const JUDGED_WITHIN: Duration = Duration::from_secs(3 * 24 * 3600);

impl Machine for Document {
    const NAME: &'static str = "document";
    const STATES: &'static [(&'static str, bool)] = STATES;
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        match self {
            Document::Rendered { .. } => "rendered",
            Document::Submitted { .. } => "submitted",
            Document::Processing { .. } => "processing",
            Document::Verified { .. } => "verified",
            Document::Rejected { .. } => "rejected",
            Document::NeedsOperator { .. } => "needs_operator",
        }
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Hinted(_) => "Hinted",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Taken { .. } => "Taken",
            Event::Refused { .. } => "Refused",
            Event::Unsure { .. } => "Unsure",
            Event::Seen { .. } => "Seen",
            Event::LookFailed { .. } => "LookFailed",
            Event::Again => "Again",
            Event::Silent => "Silent",
            Event::WorkerLost => "WorkerLost",
        }
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        match self {
            Document::Rendered { .. } if frozen(cx) => Step::Wait(cx.now + FREEZE_LOOK),
            Document::Rendered { .. } => Step::Call(input.submission()),
            Document::Submitted { doubt, .. } if doubt.disproved() => Step::Record(Event::Again),
            Document::Submitted { doubt, .. } => match input.query() {
                _ if cx.now < doubt.look_at => Step::Wait(doubt.look_at),
                Some(query) => Step::Call(query),
                // Keyed: a repeat under the same id is harmless (safety.md §10.1).
                None => Step::Record(Event::Again),
            },
            Document::Processing { since, .. } if cx.now >= *since + JUDGED_WITHIN => Step::Record(Event::Silent),
            Document::Processing { since, look_at, .. } => match input.query() {
                Some(query) if cx.now >= *look_at => Step::Call(query),
                Some(_) => Step::Wait((*look_at).min(*since + JUDGED_WITHIN)),
                None => Step::Wait(*since + JUDGED_WITHIN),
            },
            Document::NeedsOperator { .. } => Step::Ask(None),
            Document::Verified { .. } | Document::Rejected { .. } => Step::Rest,
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        match self {
            Document::Rendered { .. } => Some(Event::WorkerLost),
            // Every other state asks only questions.
            Document::Submitted { .. } | Document::Processing { .. } => None,
            Document::Verified { .. } | Document::Rejected { .. } | Document::NeedsOperator { .. } => None,
        }
    }

    fn answered(&self, request: &Request, sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let looking = matches!(request, Request::FindIdCard { .. });
        match verdict {
            Verdict::Done(Answer::PaperSeen(seen)) if looking => Event::Seen { asked_at: sent_at, seen },
            Verdict::Done(Answer::PaperSeen(seen)) => Event::Taken { sent_at, seen },
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
        let submit = matches!(request, Request::SubmitPaper { .. });
        let may_submit = matches!(self, Document::Rendered { .. }) && !frozen(cx);
        matches!(request, Request::FindIdCard { .. }) || (submit && may_submit)
    }

    fn apply(self, input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        let ended = matches!(self, Document::Verified { .. } | Document::Rejected { .. });
        let next = match event {
            Event::Hinted(hint) => Some(self.hinted(&hint, input, cx)),
            Event::CaseResolved { case, r#move, by, .. } => Some(self.resolved(&case, &r#move, &by, cx)),
            Event::Taken { sent_at, seen } => self.taken(sent_at, &seen, input, cx),
            Event::Refused { sent_at, refusal } => self.refused(sent_at, refusal, input, cx),
            Event::Unsure { sent_at, .. } => self.in_doubt(sent_at, None, cx),
            Event::WorkerLost => self.worker_lost(cx),
            Event::Seen { asked_at, seen } => self.seen(asked_at, &seen, input, cx),
            Event::LookFailed { .. } => self.look_failed(cx),
            Event::Again => self.send_again(input, cx),
            Event::Silent => matches!(self, Document::Processing { .. }).then(|| self.park(Why::Silent, cx)),
        };
        let told = |next: Next<Self>| {
            let told = if ended { Vec::new() } else { next.state.judged(input) };
            next.and(told)
        };
        next.map(told).ok_or(illegal)
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        match self {
            Document::Submitted { .. } => 0,
            Document::Rendered { .. } => 3,
            Document::Processing { .. } => 4,
            Document::Verified { .. } | Document::Rejected { .. } | Document::NeedsOperator { .. } => 4,
        }
    }

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match self {
            Document::Rendered { .. } => Some("its turn to be sent".into()),
            Document::Submitted { .. } => Some("proof whether the provider has it".into()),
            Document::Processing { .. } => Some("the provider to judge it".into()),
            Document::NeedsOperator { why, .. } => Some(format!("a person: {}", why.words())),
            Document::Verified { .. } | Document::Rejected { .. } => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        self.park(Why::Bug(why.into()), cx)
    }

    fn specimens() -> Specimens<Self> {
        specimens::all()
    }
}

impl Document {
    /// What its end is to the payment that owes it, and to the check of an ID card.
    fn judged(&self, input: &Input) -> Vec<Write> {
        let refused = match self {
            Document::Verified { .. } => None,
            Document::Rejected { reason, .. } => Some(reason.as_str()),
            Document::Rendered { .. }
            | Document::Submitted { .. }
            | Document::Processing { .. }
            | Document::NeedsOperator { .. } => return Vec::new(),
        };
        let owed = input.owed.map(|owed| voucher::judged(owed, refused));
        owed.into_iter().chain(input.check.map(id_card_check::brought)).collect()
    }
}

fn frozen(cx: &Cx<'_>) -> bool {
    cx.freezes.frozen(Direction::Create, cx.account, cx.tenant, None)
}
