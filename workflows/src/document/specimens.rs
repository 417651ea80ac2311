//! One document in every state, and every event, for matrix, diagram and goldens.

use super::{Brought, Document, Event, Input, Why};
use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::draw::specimen_time;
use crate::machine::Specimens;
use domain::levy::Hint;
use domain::papers::{FileRef, Paper, PaperSeen};
use domain::{Fault, Refusal, RequestId};
use std::time::Duration;
use uuid::Uuid;

fn request_id() -> RequestId {
    "0123456789abcdef0123456789abcdef".to_owned().try_into().expect("cannot fail: 32 printable characters")
}

pub(super) fn file(digit: &str) -> FileRef {
    FileRef { blob: Uuid::from_u128(11), sha256: digit.repeat(64), bytes: 120_000 }
}

/// The one that can be looked at, and so has every arrow but those of what no query shows: verified by its answer, and sent again
/// at any time.
pub(super) fn input() -> Input {
    let paper = Paper::IdCard { front: file("a"), back: file("b") };
    Input { request_id: request_id(), person: Some(Uuid::from_u128(7)), paper, renewal: false, owed: None, check: None }
}

impl Brought {
    /// For the specimens of who brings it.
    pub(crate) fn specimen() -> Self {
        Self { business_key: "voucher".into(), request_id: request_id(), file: file("c") }
    }
}

pub(super) fn all() -> Specimens<Document> {
    let at = specimen_time(0);
    let refusal = Refusal { code: "0002".into(), message: "invalid".into() };
    let submitted = |negatives, sends, refused: Option<Refusal>| {
        let doubt = Doubt { negatives, ..Doubt::new(at, at, sends) };
        Document::Submitted { first_sent: at, doubt, sends, refused }
    };
    let processing = |inferred, existing| Document::Processing { since: at, asked: 0, look_at: at, inferred, existing };
    let parked = |why| Document::NeedsOperator { why, back: Box::new(submitted(0, 1, None)) };
    let states = vec![
        Document::begin(at),
        Document::Rendered { since: at, first_sent: Some(at), sends: 2 },
        submitted(0, 1, None),
        submitted(0, 1, Some(refusal.clone())),
        submitted(2, 1, None),
        submitted(2, 5, None),
        processing(false, false),
        processing(true, false),
        Document::Verified { at, existing: false },
        Document::Verified { at, existing: true },
        Document::Rejected { at, reason: "照片不清晰".into() },
        parked(Why::UnknownStatus("HALF".into())),
        parked(Why::SendsExhausted),
        parked(Why::NotRenewed),
        Document::NeedsOperator { why: Why::Silent, back: Box::new(processing(false, false)) },
        processing(false, true),
    ];
    let every = [
        PaperSeen::Accepted,
        PaperSeen::Good,
        PaperSeen::Bad { reason: Some("照片不清晰".into()) },
        PaperSeen::Duplicate,
        PaperSeen::Missing,
        PaperSeen::NoPerson,
        PaperSeen::Unknown("HALF".into()),
    ];
    let case = |name: &str| Event::CaseResolved {
        case: Answered::default(),
        r#move: name.into(),
        evidence: None,
        by: "amei".into(),
    };
    let mut events = vec![
        Event::Hinted(Hint::PaperJudged { request_id: request_id(), seen: PaperSeen::Good }),
        case("retry"),
        case("verified"),
        case("abandon"),
        Event::Refused { sent_at: at, refusal },
        Event::Unsure { sent_at: at, fault: Fault::Timeout },
        Event::LookFailed { fault: Fault::Timeout },
        Event::Again,
        Event::Silent,
        Event::WorkerLost,
    ];
    let later = at + Duration::from_secs(3600);
    events.extend(every.iter().cloned().map(|seen| Event::Taken { sent_at: at, seen }));
    events.extend(every.into_iter().map(|seen| Event::Seen { asked_at: later, seen }));
    Specimens { input: input(), states, events }
}
