//! One remit in every state, and every event, for matrix, diagram and goldens.

use super::facts::{At, Facts, Input, Proof, Provider, Why};
use super::pay::{EvidenceGiven, Paid};
use super::{Event, Remit, Tell};
use crate::cases::Answered;
use crate::document::Brought;
use crate::doubt::Doubt;
use crate::draw::specimen_time;
use crate::machine::Specimens;
use crate::payout::{self, Payout};
use domain::levy::{OrderSeen, OrderStatus, RemitSeen, RemitStatus};
use domain::{Fault, InstanceId, Money, ProviderOrderId, Refusal, RequestId, Time};
use uuid::Uuid;

fn money(fen: i64) -> Money {
    Money::from_fen(fen).unwrap_or_default()
}

fn order_id() -> ProviderOrderId {
    "R2026010500000001".to_owned().try_into().expect("cannot fail: 17 printable characters")
}

fn request_id() -> RequestId {
    "0123456789abcdef0123456789abcdef".to_owned().try_into().expect("cannot fail: 32 printable characters")
}

pub(super) fn input() -> Input {
    Input {
        order: InstanceId(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0002)),
        request_id: request_id(),
        person: Uuid::from_u128(7),
        provider_order_id: order_id(),
        tax_agent_location_id: "2001".into(),
        amount: money(123_450),
        fee: money(6_172),
        compensate_fee: money(0),
        sum_fee: money(6_172),
        actual_amount: money(129_622),
        unsplit: true,
        first_sent: specimen_time(0),
        accept_time: specimen_time(0),
        deadline: specimen_time(70),
        pay_cutoff: specimen_time(44),
    }
}

pub(super) const PERMIT: Uuid = Uuid::from_u128(11);

fn payout(state: payout::State) -> Payout {
    Payout { permit: PERMIT, attempt: 1, bank_order_no: "b".repeat(32), pay_before: specimen_time(34), state }
}

fn proof() -> Proof {
    Proof {
        evidence: Uuid::from_u128(12),
        permit: Some(PERMIT),
        paid_at: specimen_time(9),
        bank_serial: "BK1".into(),
        since: specimen_time(10),
        voucher: None,
    }
}

pub(super) fn sight(status: RemitStatus, arising_time: Option<Time>) -> OrderSeen {
    let remit = RemitSeen {
        provider_order_id: order_id(),
        tax_agent_location_id: "2001".into(),
        amount: money(123_450),
        fee: money(6_172),
        actual_amount: money(129_622),
        compensate_fee: money(0),
        sum_fee: money(6_172),
        status,
    };
    OrderSeen {
        request_id: request_id(),
        status: OrderStatus::Closed,
        remits: vec![remit],
        fail_reason: None,
        accept_time: Some(specimen_time(0)),
        arising_time,
        same_card: Some(true),
    }
}

fn states() -> Vec<Remit> {
    let at = |at: At| {
        let mut facts = Facts::new(true, specimen_time(12));
        facts.attempts = 1;
        Remit { facts, at }
    };
    let paid = |place: At| {
        let mut remit = at(place);
        remit.facts.proof = Some(proof());
        remit.facts.decided_at = Some(specimen_time(10));
        remit
    };
    let doubt = Doubt::new(specimen_time(10), specimen_time(10), 1);
    let proved = Doubt { negatives: 2, ..doubt.clone() };
    let refusal = Refusal { code: "0002".into(), message: "arising_time".into() };
    let live = payout(payout::State::PermitIssued);
    let in_doubt = payout(payout::State::InDoubt { unknown: false });
    let since = specimen_time(10);
    let levying = At::Levying { since, sent_at: since, acknowledged: true, doubt: doubt.clone() };
    vec![
        at(At::Open { ask: None }),
        at(At::Open { ask: Some(Uuid::from_u128(13)) }),
        at(At::Permitted(live.clone())),
        at(At::Paying(payout(payout::State::Instructed))),
        at(At::PayoutInDoubt { payout: in_doubt.clone(), since, closed: None }),
        at(At::PayoutInDoubt { payout: in_doubt, since, closed: Some(Provider::Automatically) }),
        paid(At::Paid),
        paid(At::Confirming { sends: 1, seen_real: since }),
        paid(At::ConfirmInDoubt { doubt: doubt.clone(), sends: 1, refusal: None, acknowledged: false }),
        paid(At::ConfirmInDoubt { doubt: proved.clone(), sends: 1, refusal: None, acknowledged: false }),
        paid(At::ConfirmInDoubt {
            doubt: doubt.clone(),
            sends: 1,
            refusal: Some(refusal.clone()),
            acknowledged: false,
        }),
        paid(levying),
        paid(At::Levied { at: since }),
        at(At::GateClosed { since, wanted_gone: true }),
        at(At::Cancelling { sends: 1 }),
        at(At::CancelInDoubt { doubt, sends: 1, refusal: None }),
        at(At::CancelInDoubt { doubt: proved, sends: 1, refusal: None }),
        at(At::Cancelled),
        at(At::AutoClosedUnpaid),
        paid(At::AutoClosedPaid),
        at(At::ClosedExternally),
        paid(At::Contradicted { why: "closed while CONTINUE was in doubt".into(), payout: None }),
        paid(At::ReturnedAfterLevy),
        at(At::NeedsOperator { why: Why::UnknownStatus("FROZEN".into()), back: Box::new(At::Open { ask: None }) }),
        at(At::NeedsOperator { why: Why::PaidAfterFinal, back: Box::new(At::Open { ask: None }) }),
        paid(At::NeedsOperator { why: Why::ConfirmRefused(refusal), back: Box::new(At::Paid) }),
        paid(At::NeedsOperator { why: Why::LevyUnproven, back: Box::new(At::Paid) }),
        at(At::Contradicted { why: "the levy runs without a decision of ours".into(), payout: Some(live.clone()) }),
        at(At::NeedsOperator { why: Why::Bug("a bug".into()), back: Box::new(At::Permitted(live)) }),
        at(At::NeedsOperator {
            why: Why::Bug("a bug".into()),
            back: Box::new(At::CancelInDoubt { doubt: Doubt::new(since, since, 1), sends: 1, refusal: None }),
        }),
        paid(At::ClosedExternally),
    ]
}

/// Paid, and no permit covered it.
fn bypassed() -> Vec<Remit> {
    let since = specimen_time(10);
    let remit = |at: At| {
        let mut facts = Facts::new(true, specimen_time(12));
        facts.proof = Some(Proof { permit: None, ..proof() });
        facts.decided_at = (at != At::Paid).then_some(since);
        Remit { facts, at }
    };
    [At::Paid, At::Confirming { sends: 1, seen_real: since }, At::Levied { at: since }].map(remit).into()
}

/// What people decide.
fn answers() -> Vec<Event> {
    let given = EvidenceGiven {
        amount: money(123_450),
        paid_at: specimen_time(9),
        bank_serial: "BK2".into(),
        payee_ok: true,
        source: "person".into(),
    };
    let resolved = |(kind, name, evidence): (&str, &str, bool)| Event::CaseResolved {
        case: Answered { id: Uuid::from_u128(31), kind: kind.into() },
        r#move: name.into(),
        evidence: evidence.then(|| given.clone()),
        by: "amei".into(),
    };
    let moves = [
        ("payout_in_doubt", "paid", true),
        ("payout_in_doubt", "not_paid", false),
        ("contradiction", "levied", true),
        ("contradiction", "closed", true),
        ("paid_twice", "closed", true),
        ("confirm_refused", "resend_corrected", true),
        ("internal_fault", "retry", false),
    ];
    moves.map(resolved).into()
}

/// What comes in from payers, people and callbacks.
fn reports() -> Vec<Event> {
    let paid = Paid {
        permit: PERMIT,
        amount: money(123_450),
        paid_at: specimen_time(9),
        bank_serial: "BK1".into(),
        payee_ok: true,
        source: "api".into(),
        voucher: None,
    };
    vec![
        Event::PermitAsked { ask: Uuid::from_u128(14) },
        Event::Instructed { permit: PERMIT },
        Event::PaidReported(paid.clone()),
        Event::PaidReported(Paid { voucher: Some(Brought::specimen()), ..paid.clone() }),
        Event::PaidReported(Paid { amount: money(1), ..paid }),
        Event::FailedReported { permit: PERMIT },
        Event::UnknownReported { permit: PERMIT },
        Event::ReturnedReported { permit: PERMIT },
        Event::PaymentReturned { bank_serial: "BK1".into() },
        Event::Attested { permit: PERMIT, by: "payer".into(), reason: "not used".into() },
        Event::CancelAsked { by: "amei".into() },
        Event::EvidenceBrought { by: "amei".into(), case: Some(Uuid::from_u128(77)) },
        Event::QuoteAccepted { by: "amei".into() },
        Event::NoticeSeen { close_time: Some(specimen_time(10)) },
        Event::HintSeen,
    ]
}

/// What calls and time bring.
fn facts() -> Vec<Event> {
    vec![
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Accepted, None) },
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Processing, None) },
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Remitted, None) },
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Closed, None) },
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Closed, Some(specimen_time(9))) },
        Event::Seen { asked_at: specimen_time(10), order: sight(RemitStatus::Unknown("FROZEN".into()), None) },
        Event::Absent,
        Event::LookFailed { fault: Fault::Timeout },
        Event::Acknowledged { sent_at: specimen_time(10) },
        Event::DecisionRefused {
            sent_at: specimen_time(10),
            refusal: Refusal { code: "0002".into(), message: "arising_time".into() },
        },
        Event::DecisionUnsure { sent_at: specimen_time(10), fault: Fault::Timeout },
        Event::PayCutoffReached,
        Event::PermitExpired,
        Event::CancelDecided,
        Event::Disproved,
        Event::WorkerLost,
        Event::Told(Tell::DeadlineNear),
        Event::Told(Tell::LevyLate),
        Event::Told(Tell::ConfirmFrozen),
    ]
}

pub(super) fn all() -> Specimens<Remit> {
    Specimens {
        input: input(),
        states: [states(), bypassed()].concat(),
        events: [reports(), answers(), facts()].concat(),
    }
}
