//! # Bare: three durable steps and nothing else, for measuring (`levee bench`)
//!
//! ```text
//!   creating ──► waiting ──► confirming ──► done
//!       └────────────┴───────────┴──► needs_operator!
//! ```
//!
//! Promises. 1. Every step is durable before the next: a call leaves only under a committed claim of the state that wants it.
//!           2. A call that may have been sent goes again unchanged, under the same key (`keyed`); after many vain tries a person
//!              is told.
//!           3. A signal is never lost, also when it comes before the step that waits for it.
//!
//! What other engines are measured by, defined like any other process of the book: nothing is cached or skipped for it.

use crate::cases::{self, Answered};
use crate::doubt::decaying;
use crate::machine::{Cx, Illegal, Machine, Next, Specimens, Step};
use domain::record::Severity;
use domain::{Answer, BareStep, Fault, Refusal, Request, Time, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// What it is known by at the far side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub key: String,
}

/// Where it stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bare {
    /// The first call may be sent. `signalled`: what it will wait for has come already.
    Creating {
        tries: u32,
        at: Time,
        signalled: bool,
    },
    /// For a signal from outside.
    Waiting {
        look_at: Time,
    },
    /// The second call may be sent.
    Confirming {
        tries: u32,
        at: Time,
    },
    Done,
    NeedsOperator {
        back: Box<Bare>,
    },
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    Created,
    Signalled,
    Confirmed,
    Refused {
        refusal: Refusal,
    },
    Unsure {
        fault: Fault,
    },
    WorkerLost,
    /// Still waiting: looked at, so that nothing waits unseen.
    Watched,
    CaseResolved {
        case: Answered,
        r#move: String,
        by: String,
    },
}

/// Tries of one call after which a person is told.
const TRIES_MAX: u32 = 12;
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Bare {
    /// As it begins.
    pub fn begin(now: Time) -> Self {
        Bare::Creating { tries: 0, at: now, signalled: false }
    }

    /// The signal it waits for, as a letter says it.
    pub fn signal() -> serde_json::Value {
        json!(Event::Signalled)
    }

    fn created(now: Time, signalled: bool) -> Self {
        if signalled { Bare::Confirming { tries: 0, at: now } } else { Bare::Waiting { look_at: now + DAY } }
    }

    /// The same call again, later each time; after many a person decides whether it goes on.
    fn again(self, cx: &Cx<'_>) -> Next<Self> {
        let next = match self {
            Bare::Creating { tries, signalled, .. } => {
                Bare::Creating { tries: tries + 1, at: cx.now + decaying(tries), signalled }
            }
            Bare::Confirming { tries, .. } => Bare::Confirming { tries: tries + 1, at: cx.now + decaying(tries) },
            Bare::Waiting { .. } | Bare::Done | Bare::NeedsOperator { .. } => self,
        };
        match next {
            Bare::Creating { tries: TRIES_MAX.., .. } | Bare::Confirming { tries: TRIES_MAX.., .. } => {
                next.park("the call settles nothing", cx)
            }
            Bare::Creating { .. }
            | Bare::Confirming { .. }
            | Bare::Waiting { .. }
            | Bare::Done
            | Bare::NeedsOperator { .. } => Next::to(next),
        }
    }

    fn park(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let case = cases::open("unsettled", Severity::Medium, &["retry"], json!({ "why": why }), cx);
        match self {
            Bare::Done | Bare::NeedsOperator { .. } => Next::to(self).with(case),
            Bare::Creating { .. } | Bare::Waiting { .. } | Bare::Confirming { .. } => {
                Next::to(Bare::NeedsOperator { back: Box::new(self) }).with(case)
            }
        }
    }

    fn signalled(self, cx: &Cx<'_>) -> Self {
        match self {
            Bare::Creating { tries, at, .. } => Bare::Creating { tries, at, signalled: true },
            Bare::Waiting { .. } => Bare::Confirming { tries: 0, at: cx.now },
            Bare::NeedsOperator { back } => Bare::NeedsOperator { back: Box::new(back.signalled(cx)) },
            Bare::Confirming { .. } | Bare::Done => self,
        }
    }

    fn retried(self, cx: &Cx<'_>) -> Self {
        match self {
            Bare::NeedsOperator { back } => back.retried(cx),
            Bare::Creating { signalled, .. } => Bare::Creating { tries: 0, at: cx.now, signalled },
            Bare::Confirming { .. } => Bare::Confirming { tries: 0, at: cx.now },
            Bare::Waiting { .. } | Bare::Done => self,
        }
    }
}

impl Machine for Bare {
    const NAME: &'static str = "bare";
    const STATES: &'static [(&'static str, bool)] =
        &[("creating", false), ("waiting", false), ("confirming", false), ("done", true), ("needs_operator", false)];
    type Input = Input;
    type Event = Event;

    fn name(&self) -> &'static str {
        match self {
            Bare::Creating { .. } => "creating",
            Bare::Waiting { .. } => "waiting",
            Bare::Confirming { .. } => "confirming",
            Bare::Done => "done",
            Bare::NeedsOperator { .. } => "needs_operator",
        }
    }

    fn event_name(event: &Event) -> &'static str {
        match event {
            Event::Created => "Created",
            Event::Signalled => "Signalled",
            Event::Confirmed => "Confirmed",
            Event::Refused { .. } => "Refused",
            Event::Unsure { .. } => "Unsure",
            Event::WorkerLost => "WorkerLost",
            Event::Watched => "Watched",
            Event::CaseResolved { .. } => "CaseResolved",
        }
    }

    fn step(&self, input: &Input, cx: &Cx<'_>) -> Step<Event> {
        let call = |at: Time, step| {
            let request = Request::Bare { step, key: input.key.clone() };
            if cx.now >= at { Step::Call(request) } else { Step::Wait(at) }
        };
        match self {
            Bare::Creating { at, .. } => call(*at, BareStep::Create),
            Bare::Waiting { look_at } if cx.now >= *look_at => Step::Record(Event::Watched),
            Bare::Waiting { look_at } => Step::Wait(*look_at),
            Bare::Confirming { at, .. } => call(*at, BareStep::Confirm),
            Bare::Done => Step::Rest,
            Bare::NeedsOperator { .. } => Step::Ask(None),
        }
    }

    fn found(&self, _cx: &Cx<'_>) -> Option<Event> {
        match self {
            Bare::Creating { .. } | Bare::Confirming { .. } => Some(Event::WorkerLost),
            Bare::Waiting { .. } | Bare::Done | Bare::NeedsOperator { .. } => None,
        }
    }

    fn answered(&self, request: &Request, _sent_at: Time, verdict: Verdict<Answer>) -> Event {
        let step = if let Request::Bare { step, .. } = request { Some(*step) } else { None };
        match (verdict, step) {
            (Verdict::Done(Answer::BareDone), Some(BareStep::Create)) => Event::Created,
            (Verdict::Done(Answer::BareDone), Some(BareStep::Confirm)) => Event::Confirmed,
            (Verdict::Done(_), _) => Event::Unsure { fault: Fault::Unbound },
            (Verdict::Refused(refusal), _) => Event::Refused { refusal },
            (Verdict::Unsure(fault), _) => Event::Unsure { fault },
            // The engine lets go on NotNow and never brings it here.
            (Verdict::NotNow(_), _) => Event::Unsure { fault: Fault::Broken },
        }
    }

    fn may_send(&self, _input: &Input, request: &Request, _cx: &Cx<'_>) -> bool {
        let wanted = match self {
            Bare::Creating { .. } => BareStep::Create,
            Bare::Confirming { .. } => BareStep::Confirm,
            Bare::Waiting { .. } | Bare::Done | Bare::NeedsOperator { .. } => return false,
        };
        matches!(request, Request::Bare { step, .. } if *step == wanted)
    }

    fn apply(self, _input: &Input, event: Event, cx: &Cx<'_>) -> Result<Next<Self>, Illegal> {
        let illegal = Illegal { state: self.name(), event: Self::event_name(&event) };
        match (self, event) {
            (Bare::Creating { signalled, .. }, Event::Created) => Ok(Next::to(Self::created(cx.now, signalled))),
            (Bare::Confirming { .. }, Event::Confirmed) => Ok(Next::to(Bare::Done)),
            (bare, Event::Signalled) => Ok(Next::to(bare.signalled(cx))),
            (Bare::Waiting { .. }, Event::Watched) => Ok(Next::to(Bare::Waiting { look_at: cx.now + DAY })),
            (bare @ (Bare::Creating { .. } | Bare::Confirming { .. }), Event::Unsure { .. } | Event::WorkerLost) => {
                Ok(bare.again(cx))
            }
            (bare @ (Bare::Creating { .. } | Bare::Confirming { .. }), Event::Refused { refusal }) => {
                Ok(bare.park(&refusal.to_string(), cx))
            }
            (bare, Event::CaseResolved { case, r#move, by }) => {
                Ok(Next::to(bare.retried(cx)).with(case.closed(&r#move, &by, cx)))
            }
            (
                _,
                Event::Created
                | Event::Confirmed
                | Event::Watched
                | Event::Unsure { .. }
                | Event::WorkerLost
                | Event::Refused { .. },
            ) => Err(illegal),
        }
    }

    fn class(&self, _input: &Input, _cx: &Cx<'_>) -> i16 {
        match self {
            Bare::Confirming { .. } => 1,
            Bare::Creating { .. } => 3,
            Bare::Waiting { .. } | Bare::Done | Bare::NeedsOperator { .. } => 4,
        }
    }

    fn waits_for(&self, _input: &Input) -> Option<String> {
        match self {
            Bare::Creating { .. } | Bare::Confirming { .. } => Some("the far side's answer".into()),
            Bare::Waiting { .. } => Some("a signal from outside".into()),
            Bare::NeedsOperator { .. } => Some("a person: the call settles nothing".into()),
            Bare::Done => None,
        }
    }

    fn parked(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        self.park(why, cx)
    }

    fn specimens() -> Specimens<Self> {
        let at = Time::from_millis(1_767_575_000_000);
        let creating = |tries, signalled| Bare::Creating { tries, at, signalled };
        let states = vec![
            creating(0, false),
            creating(TRIES_MAX - 1, true),
            Bare::Waiting { look_at: at },
            Bare::Confirming { tries: 0, at },
            Bare::Done,
            Bare::NeedsOperator { back: Box::new(creating(TRIES_MAX, false)) },
        ];
        let refusal = Refusal { code: "1002".into(), message: "no".into() };
        let events = vec![
            Event::Created,
            Event::Signalled,
            Event::Confirmed,
            Event::Refused { refusal },
            Event::Unsure { fault: Fault::Timeout },
            Event::WorkerLost,
            Event::Watched,
            Event::CaseResolved { case: Answered::default(), r#move: "retry".into(), by: "amei".into() },
        ];
        Specimens { input: Input { key: "bare-1".into() }, states, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::with_cx;

    fn go(bare: Bare, event: Event, cx: &Cx<'_>) -> Bare {
        bare.apply(&Bare::specimens().input, event, cx).unwrap().state
    }

    #[test]
    fn a_signal_before_the_step_that_waits_for_it_is_kept() {
        with_cx(|cx| {
            let early = go(Bare::begin(cx.now), Event::Signalled, cx);
            assert!(matches!(go(early, Event::Created, cx), Bare::Confirming { .. }));
        });
    }

    #[test]
    fn a_call_that_may_have_been_sent_goes_again_later_and_in_the_end_to_a_person() {
        with_cx(|cx| {
            let mut bare = Bare::begin(cx.now);
            for _ in 1..TRIES_MAX {
                bare = go(bare, Event::WorkerLost, cx);
                assert!(matches!(&bare, Bare::Creating { at, .. } if *at > cx.now));
            }
            let parked = go(bare, Event::Unsure { fault: Fault::Timeout }, cx);
            assert!(matches!(parked, Bare::NeedsOperator { .. }));
            let resolved = Event::CaseResolved { case: Answered::default(), r#move: "retry".into(), by: "amei".into() };
            assert_eq!(go(parked, resolved, cx), Bare::begin(cx.now));
        });
    }
}
