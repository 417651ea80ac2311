//! One sign-up in every state, and every event, for matrix, diagram and goldens.

use super::{At, Contract, Event, Input, SignUp, Why};
use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::draw::specimen_time;
use crate::machine::Specimens;
use crate::needs::Waiter;
use domain::levy::Hint;
use domain::people::SignSeen;
use domain::{Fault, InstanceId, Refusal, RequestId};
use std::time::Duration;
use uuid::Uuid;

fn request_id() -> RequestId {
    "0123456789abcdef0123456789abcdef".to_owned().try_into().expect("cannot fail: 32 printable characters")
}

/// The contract with an id of ours: its callback is proof, so it has every arrow.
pub(super) fn input() -> Input {
    let contract = Contract::SyncSign { request_id: request_id() };
    Input { contract, person: Uuid::from_u128(7), name_chars: 2, party: Some("1001".into()), again: None }
}

pub(super) fn all() -> Specimens<SignUp> {
    let at = specimen_time(0);
    let until = at + Duration::from_secs(25 * 3600);
    let refusal = Refusal { code: "0002".into(), message: "invalid".into() };
    let in_doubt = |negatives, refused: Option<Refusal>| {
        let doubt = Doubt { negatives, ..Doubt::new(at, at, 1) };
        At::InDoubt { first_sent: at, until, doubt, sends: 1, refused }
    };
    let states = vec![
        At::begin(at),
        At::Inviting { since: at, first_sent: Some(at), sends: 2 },
        At::Waiting { until, asked: 0, look_at: at },
        in_doubt(0, None),
        in_doubt(0, Some(refusal.clone())),
        in_doubt(2, None),
        At::Signed { at },
        At::NotSigned { at, reason: "not signed within 24 hours".into() },
        At::NeedsOperator { why: Why::NameTooLong, back: Box::new(At::begin(at)) },
        At::NeedsOperator { why: Why::UnknownStatus("HALF_SIGN".into()), back: Box::new(in_doubt(0, None)) },
    ];
    let seen = |seen| Event::Seen { asked_at: at, seen };
    let events = vec![
        Event::Hinted(Hint::SignUpEnded { request_id: request_id(), signed: true }),
        Event::CaseResolved { case: Answered::default(), r#move: "retry".into(), evidence: None, by: "amei".into() },
        Event::Wanted { waiter: Waiter { by: InstanceId(Uuid::from_u128(9)), need: 0 } },
        Event::SignedAgain,
        Event::Invited { sent_at: at, signed: false },
        Event::Invited { sent_at: at, signed: true },
        Event::Refused { sent_at: at, refusal },
        Event::Unsure { sent_at: at, fault: Fault::Timeout },
        seen(SignSeen::Signed),
        seen(SignSeen::NotSigned),
        Event::Seen { asked_at: until, seen: SignSeen::NotSigned },
        seen(SignSeen::Unknown("HALF_SIGN".into())),
        Event::LookFailed { fault: Fault::Timeout },
        Event::NameTooLong,
        Event::Disproved,
        Event::Lapsed,
        Event::WorkerLost,
    ];
    Specimens { input: input(), states: states.into_iter().map(SignUp::from).collect(), events }
}
