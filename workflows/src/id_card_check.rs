//! # ID card check (证件照核验): whether the provider has a person's ID card, for the orders that need it
//!
//! ```text
//!   looking ⇄ missing        verified: those who wait go on
//!      └──────────┴──► verified                              an internal fault: needs_operator!
//! ```
//!
//! Promises. 1. Only the provider's own answer says that the pictures are there: not that they were sent (000 §2.11).
//!           2. Whoever waits hears of it, and of what is missing, once each time it changes; whoever asks again makes it look again.
//!           3. It asks questions only: nothing of it can be lost or done twice.

use crate::cases::{self, Answered};
use crate::doubt::{TELL_AFTER, decaying};
use crate::draw::specimen_time;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use crate::needs::{Waiter, met, unmet};
use domain::papers::PaperSeen;
use domain::record::{Severity, Write};
use domain::{Answer, Fault, InstanceId, Request, RequestId, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Whose card. Never changes; the person's data is in its own encrypted row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Of its questions.
    pub request_id: RequestId,
    pub person: Uuid,
}

/// A check, and who waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdCardCheck {
    pub at: At,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiters: Vec<Waiter>,
}

/// Where it stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// The provider is asked. `asked`: looks since somebody wanted to know that have settled nothing.
    Looking {
        asked: u32,
        look_at: Time,
    },
    /// The pictures are not there, or no good. It is looked at again when a submission has ended, or when somebody asks.
    Missing {
        at: Time,
        reason: String,
    },
    Verified {
        at: Time,
    },
    NeedsOperator {
        back: Box<At>,
    },
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // From outside, through the inbox.
    /// Somebody waits for the pictures.
    Wanted {
        waiter: Waiter,
    },
    /// A submission of the pictures has ended, well or not.
    Brought,
    CaseResolved {
        #[serde(default)]
        case: Answered,
        r#move: String,
        by: String,
    },
    // From calls.
    Seen {
        seen: PaperSeen,
    },
    LookFailed {
        fault: Fault,
    },
}

const STUCK: &str = "id_card_check_stuck";

impl Machine for IdCardCheck {
    const NAME: &'static str = "id_card_check";
    const STATES: &'static [(&'static str, bool)] =
        &[("looking", false), ("missing", true), ("verified", true), ("needs_operator", false)];
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        self.at.name()
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Wanted { .. } => "Wanted",
            Event::Brought => "Brought",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Seen { .. } => "Seen",
            Event::LookFailed { .. } => "LookFailed",
        }
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        match &self.at {
            At::Looking { look_at, .. } if cx.now < *look_at => Step::Wait(*look_at),
            At::Looking { .. } => Step::Call(input.question()),
            At::NeedsOperator { .. } => Step::Ask(None),
            At::Missing { .. } | At::Verified { .. } => Step::Rest,
        }
    }

    /// It asks questions only.
    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        None
    }

    fn answered(&self, _request: &Request, _sent_at: Time, verdict: Verdict<Answer>) -> Event {
        match verdict {
            Verdict::Done(Answer::PaperSeen(seen)) => Event::Seen { seen },
            Verdict::Done(_) => Event::LookFailed { fault: Fault::Unbound },
            Verdict::Refused(refusal) => Event::LookFailed { fault: Fault::UnknownCode(refusal.code) },
            Verdict::Unsure(fault) => Event::LookFailed { fault },
            // The engine lets go on NotNow and never brings it here.
            Verdict::NotNow(_) => Event::LookFailed { fault: Fault::Broken },
        }
    }

    fn may_send(&self, _input: &Input, request: &Request, _cx: &Cx<'_>) -> bool {
        matches!(request, Request::FindIdCard { .. })
    }

    fn apply(self, _input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        match event {
            Event::Wanted { waiter } => Ok(self.wanted(waiter, cx)),
            Event::Brought => Ok(Next::to(Self { at: self.at.looked_now(cx), ..self })),
            Event::CaseResolved { case, r#move, by } => Ok(self.resolved(&case, &r#move, &by, cx)),
            Event::Seen { seen } => self.seen(seen, cx).ok_or(illegal),
            Event::LookFailed { .. } => self.look_failed(cx).ok_or(illegal),
        }
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        4
    }

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match &self.at {
            At::Looking { .. } => Some("the provider to say whether it has the ID card's pictures".into()),
            At::Missing { reason, .. } => Some(format!("the ID card's pictures: {reason}")),
            At::NeedsOperator { .. } => Some("a person: an internal fault".into()),
            At::Verified { .. } => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open(STUCK, Severity::Medium, &["retry"], json!({ "why": why }), cx);
        let at = match self.at {
            At::Looking { .. } | At::Missing { .. } => At::NeedsOperator { back: Box::new(self.at) },
            at @ (At::Verified { .. } | At::NeedsOperator { .. }) => at,
        };
        Next::to(Self { at, ..self }).with(case)
    }

    fn specimens() -> Specimens<Self> {
        let at = specimen_time(0);
        let waiter = Waiter { by: InstanceId(Uuid::from_u128(5)), need: 1 };
        let looking = |asked| At::Looking { asked, look_at: at };
        let waited = |at| Self { at, waiters: vec![waiter] };
        let retry = Event::CaseResolved { case: Answered::default(), r#move: "retry".into(), by: "amei".into() };
        let seen = |seen| Event::Seen { seen };
        Specimens {
            input: Input {
                request_id: "0123456789abcdef0123456789abcdef"
                    .to_owned()
                    .try_into()
                    .expect("cannot fail: 32 characters"),
                person: Uuid::from_u128(7),
            },
            states: vec![
                Self::begin(at),
                waited(looking(0)),
                waited(looking(TELL_AFTER - 1)),
                waited(At::Missing { at, reason: "照片不清晰".into() }),
                Self { at: At::Verified { at }, waiters: Vec::new() },
                waited(At::NeedsOperator { back: Box::new(looking(0)) }),
            ],
            events: vec![
                Event::Wanted { waiter },
                Event::Brought,
                retry,
                seen(PaperSeen::Accepted),
                seen(PaperSeen::Good),
                seen(PaperSeen::Bad { reason: Some("照片不清晰".into()) }),
                seen(PaperSeen::Missing),
                seen(PaperSeen::NoPerson),
                seen(PaperSeen::Unknown("HALF".into())),
                Event::LookFailed { fault: Fault::Timeout },
            ],
        }
    }
}

/// A submission of these pictures has ended.
pub(crate) fn brought(check: InstanceId) -> Write {
    Write::Tell { to: check, event: json!(Event::Brought) }
}

impl Input {
    fn question(&self) -> Request {
        Request::FindIdCard { request_id: self.request_id.clone(), person: self.person }
    }
}

impl IdCardCheck {
    /// As it begins: it looks at once.
    pub fn begin(now: Time) -> Self {
        Self { at: At::Looking { asked: 0, look_at: now }, waiters: Vec::new() }
    }

    /// What was not there may have come another way since.
    fn wanted(mut self, waiter: Waiter, cx: &Cx<'_>) -> Next<Self> {
        if let At::Verified { .. } = self.at {
            return Next::to(self).with(met(&waiter));
        }
        if !self.waiters.contains(&waiter) {
            self.waiters.push(waiter);
        }
        let at = match self.at {
            At::Missing { .. } => self.at.looked_now(cx),
            at @ (At::Looking { .. } | At::Verified { .. } | At::NeedsOperator { .. }) => at,
        };
        Next::to(Self { at, ..self })
    }

    fn seen(self, seen: PaperSeen, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Looking { .. } = self.at else { return None };
        match seen {
            PaperSeen::Good => Some(self.verified(cx)),
            PaperSeen::Bad { reason } => {
                let reason = reason.unwrap_or_else(|| "the provider gives no reason".into());
                Some(self.missing(format!("the provider did not accept them ({reason})"), cx))
            }
            PaperSeen::Missing => Some(self.missing("they have not been uploaded".into(), cx)),
            PaperSeen::NoPerson => {
                Some(self.missing("they have not been uploaded, nor has the person signed".into(), cx))
            }
            PaperSeen::Unknown(word) => {
                Some(self.missing(format!("the provider shows the unknown status {word:?}"), cx))
            }
            // Being judged, which takes its time; of a question nothing can be a duplicate.
            PaperSeen::Accepted | PaperSeen::Duplicate => self.look_failed(cx),
        }
    }

    fn verified(self, cx: &Cx<'_>) -> Next<Self> {
        let told = self.waiters.iter().map(met).collect();
        Next { state: Self { at: At::Verified { at: cx.now }, waiters: Vec::new() }, writes: told }
    }

    /// Those who wait go on waiting: the pictures may come.
    fn missing(self, reason: String, cx: &Cx<'_>) -> Next<Self> {
        let writes = self.waiters.iter().map(|waiter| unmet(waiter, &reason)).collect();
        Next { state: Self { at: At::Missing { at: cx.now, reason }, ..self }, writes }
    }

    /// It never stops looking; after so many looks those who wait are told why.
    fn look_failed(self, cx: &Cx<'_>) -> Option<Next<Self>> {
        let At::Looking { asked, .. } = self.at else { return None };
        let asked = asked + 1;
        let silent = "the provider has not said for long whether it has them";
        let told = self.waiters.iter().filter(|_| asked == TELL_AFTER).map(|waiter| unmet(waiter, silent)).collect();
        let at = At::Looking { asked, look_at: cx.now + decaying(asked) };
        Some(Next { state: Self { at, ..self }, writes: told })
    }

    fn resolved(self, case: &Answered, name: &str, by: &str, cx: &Cx<'_>) -> Next<Self> {
        match (self.at, name) {
            (At::NeedsOperator { back }, "retry") => {
                Next::to(Self { at: back.looked_now(cx), waiters: self.waiters }).with(case.closed(name, by, cx))
            }
            (at, _) => Next::to(Self { at, waiters: self.waiters })
                .with(case.reopened(name, "it is not open to that any more")),
        }
    }
}

impl At {
    fn name(&self) -> &'static str {
        match self {
            At::Looking { .. } => "looking",
            At::Missing { .. } => "missing",
            At::Verified { .. } => "verified",
            At::NeedsOperator { .. } => "needs_operator",
        }
    }

    fn looked_now(self, cx: &Cx<'_>) -> Self {
        match self {
            At::Looking { .. } | At::Missing { .. } => At::Looking { asked: 0, look_at: cx.now },
            at @ (At::Verified { .. } | At::NeedsOperator { .. }) => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::with_cx;

    fn go(check: IdCardCheck, event: Event, cx: &Cx<'_>) -> Next<IdCardCheck> {
        check.apply(&IdCardCheck::specimens().input, event, cx).unwrap()
    }

    fn waiter(n: u128) -> Waiter {
        Waiter { by: InstanceId(Uuid::from_u128(n)), need: 1 }
    }

    fn told(next: &Next<IdCardCheck>, word: &str) -> usize {
        let says = |write: &&Write| matches!(write, Write::Tell { event, .. } if event.get(word).is_some());
        next.writes.iter().filter(says).count()
    }

    #[test]
    fn everybody_who_waits_hears_what_is_missing_and_that_it_has_come() {
        with_cx(|cx| {
            let check = go(IdCardCheck::begin(cx.now), Event::Wanted { waiter: waiter(1) }, cx).state;
            let check = go(check, Event::Wanted { waiter: waiter(1) }, cx).state;
            let check = go(check, Event::Wanted { waiter: waiter(2) }, cx).state;
            let missing = go(check, Event::Seen { seen: PaperSeen::Missing }, cx);
            assert_eq!((missing.state.name(), told(&missing, "Unmet")), ("missing", 2));
            let looking = go(missing.state, Event::Brought, cx).state;
            assert!(matches!(
                looking.step(&IdCardCheck::specimens().input, cx),
                Step::Call(Request::FindIdCard { .. })
            ));
            let there = go(looking, Event::Seen { seen: PaperSeen::Good }, cx);
            assert_eq!((there.state.name(), told(&there, "Met")), ("verified", 2));
            let late = go(there.state, Event::Wanted { waiter: waiter(3) }, cx);
            assert_eq!(told(&late, "Met"), 1, "answered at once");
        });
    }

    #[test]
    fn whoever_asks_again_makes_it_look_again() {
        with_cx(|cx| {
            let missing = go(IdCardCheck::begin(cx.now), Event::Seen { seen: PaperSeen::NoPerson }, cx).state;
            assert_eq!(missing.step(&IdCardCheck::specimens().input, cx), Step::Rest);
            let asked = go(missing, Event::Wanted { waiter: waiter(1) }, cx).state;
            assert_eq!(asked.name(), "looking");
        });
    }

    #[test]
    fn silence_is_told_once_and_looking_goes_on() {
        with_cx(|cx| {
            let mut check = go(IdCardCheck::begin(cx.now), Event::Wanted { waiter: waiter(1) }, cx).state;
            let mut heard = 0;
            for _ in 0..3 * TELL_AFTER {
                let next = go(check, Event::LookFailed { fault: Fault::Timeout }, cx);
                heard += told(&next, "Unmet");
                check = next.state;
            }
            assert_eq!((check.name(), heard), ("looking", 1));
        });
    }
}
