//! One order in every state, and every event, for matrix, diagram and goldens.

use super::{Child, Event, Hold, Input, Order, Outcome, Times, Under, Why};
use crate::cases::Answered;
use crate::doubt::Doubt;
use crate::draw::specimen_time;
use crate::machine::Specimens;
use crate::needs::Standing;
use domain::levy::{Asked, Customer, Hint, OrderSeen, OrderStatus, RemitSeen, RemitStatus, TaxMode, Terms};
use domain::{Fault, InstanceId, Money, Refusal, RequestId, Time};
use uuid::Uuid;

fn money(fen: i64) -> Money {
    Money::from_fen(fen).unwrap_or_default()
}

fn request_id() -> RequestId {
    "0123456789abcdef0123456789abcdef".to_owned().try_into().expect("cannot fail: 32 printable characters")
}

pub(super) fn input() -> Input {
    let terms = Terms {
        asked: Asked::Net(money(123_450)),
        tax_mode: TaxMode::General,
        tax_agent_parent_id: "1001".into(),
        tax_agent_location_id: None,
        customer: Customer::CreditCode("91110000MA00000000".into()),
        task_id: None,
        remark: None,
    };
    Input {
        request_id: request_id(),
        person: Uuid::from_u128(7),
        name_chars: 2,
        terms,
        replaces: None,
        needs: Vec::new(),
        over_limit: false,
    }
}

fn remit(place: &str, fen: i64) -> RemitSeen {
    RemitSeen {
        provider_order_id: format!("R{place}").try_into().expect("cannot fail: five printable characters"),
        tax_agent_location_id: place.into(),
        amount: money(fen),
        fee: money(100),
        actual_amount: money(fen + 120),
        compensate_fee: money(20),
        sum_fee: money(120),
        status: RemitStatus::Accepted,
    }
}

pub(super) fn sight(status: OrderStatus, remits: Vec<RemitSeen>, fail_reason: Option<&str>) -> OrderSeen {
    OrderSeen {
        request_id: request_id(),
        status,
        remits,
        fail_reason: fail_reason.map(Into::into),
        accept_time: Some(specimen_time(0)),
        arising_time: None,
        same_card: Some(true),
    }
}

pub(super) fn split() -> Vec<RemitSeen> {
    vec![remit("2001", 100_000), remit("2002", 23_450)]
}

pub(super) const CHILDREN: [InstanceId; 2] = [InstanceId(Uuid::from_u128(21)), InstanceId(Uuid::from_u128(22))];

fn times() -> Times {
    Times {
        first_sent: specimen_time(0),
        accept_time: specimen_time(0),
        deadline: specimen_time(70),
        pay_cutoff: specimen_time(44),
    }
}

fn waiting_for_a_signature(since: Time) -> Order {
    let unmet = Standing::Unmet { at: since, reason: "not signed within 24 hours".into() };
    Order::Gated { since, hold: None, needs: [(0, unmet)].into() }
}

fn states() -> Vec<Order> {
    let since = specimen_time(10);
    let under = Under {
        first_sent: specimen_time(0),
        accept_time: Some(specimen_time(0)),
        asked: 0,
        look_at: since,
        unwanted: false,
    };
    let doubt = Doubt::new(since, since, 1);
    let in_doubt = |doubt: Doubt, sends, refused, unwanted| Order::CreateInDoubt {
        first_sent: specimen_time(0),
        doubt,
        sends,
        refused,
        unwanted,
    };
    let proved = Doubt { negatives: 2, ..doubt.clone() };
    let refusal = Refusal { code: "1009".into(), message: "可用额度不足".into() };
    let times = times();
    let child = |place: usize, ended: Option<&str>| Child {
        id: CHILDREN[place],
        tax_agent_location_id: format!("200{}", place + 1),
        ended: ended.map(Into::into),
    };
    let ready = |ended: Option<&str>| Order::Ready {
        times: times.clone(),
        remits: vec![child(0, ended), child(1, None)],
        look_at: specimen_time(94),
    };
    let parked = |why: Why| Order::NeedsOperator { why, back: Box::new(Order::Splitting(under.clone())) };
    vec![
        Order::gated(since, None),
        Order::gated(since, Some(Hold::SuspectedDuplicate)),
        Order::gated(since, Some(Hold::MonthEnd)),
        Order::Creating { since, first_sent: None, sends: 1, unwanted: false },
        in_doubt(doubt.clone(), 1, None, false),
        in_doubt(doubt, 1, Some(refusal.clone()), false),
        in_doubt(proved.clone(), 1, None, false),
        in_doubt(proved.clone(), 2, Some(refusal), false),
        in_doubt(proved.clone(), 1, None, true),
        in_doubt(proved, super::SENDS_MAX, None, false),
        Order::Accepted(under.clone()),
        Order::Splitting(under.clone()),
        ready(None),
        ready(Some("levied")),
        ready(Some("cancelled")),
        Order::Settled { times, outcome: Outcome::Levied, remits: vec![child(0, Some("levied"))] },
        Order::Rejected { reason: "1009: 可用额度不足".into() },
        Order::Cancelled,
        Order::NeedsOperator { why: Why::NameTooLong, back: Box::new(Order::gated(since, None)) },
        parked(Why::UnknownStatus("FROZEN".into())),
        parked(Why::PartialCreation {
            seen: Box::new(sight(OrderStatus::Closed, split(), Some("部分失败"))),
            reason: "部分失败".into(),
        }),
        parked(Why::SendsExhausted),
        waiting_for_a_signature(since),
        Order::gated(since, Some(Hold::MonthLimit)),
    ]
}

fn events() -> Vec<Event> {
    let resolved = |kind: &str, name: &str| Event::CaseResolved {
        case: Answered { id: Uuid::from_u128(31), kind: kind.into() },
        r#move: name.into(),
        evidence: None,
        by: "amei".into(),
    };
    let done = |place: usize, state: &str| Event::RemitDone { remit: CHILDREN[place], state: state.into() };
    vec![
        Event::Hinted(Hint::OrderChanged { request_id: request_id() }),
        Event::Hinted(Hint::Closed {
            request_id: request_id(),
            tax_agent_location_id: "2001".into(),
            close_time: None,
        }),
        Event::ReleaseAsked { by: "amei".into(), reason: "two jobs".into() },
        Event::CancelAsked { by: "amei".into() },
        Event::Required { need: 0 },
        Event::Met { need: 0 },
        Event::Unmet { need: 0, reason: "not signed within 24 hours".into() },
        done(0, "levied"),
        done(1, "levied"),
        done(1, "cancelled"),
        resolved("internal_fault", "retry"),
        resolved("create_in_doubt", "abandon"),
        resolved("quote_mismatch", "accept_remits"),
        resolved("quote_mismatch", "cancel_each"),
        Event::Created { sent_at: specimen_time(10), accept_time: Some(specimen_time(10)) },
        Event::CreateRefused {
            sent_at: specimen_time(10),
            refusal: Refusal { code: "1009".into(), message: "可用额度不足".into() },
        },
        Event::CreateUnsure { sent_at: specimen_time(10), fault: Fault::Timeout },
        Event::Seen(sight(OrderStatus::Accepted, vec![], None)),
        Event::Seen(sight(OrderStatus::Processing, vec![], None)),
        Event::Seen(sight(OrderStatus::Closed, split(), None)),
        Event::Seen(sight(OrderStatus::Closed, vec![], Some("任务类型不支持"))),
        Event::Seen(sight(OrderStatus::Closed, vec![], None)),
        Event::Seen(sight(OrderStatus::Closed, split(), Some("部分失败"))),
        Event::Seen(sight(OrderStatus::Unknown("FROZEN".into()), vec![], None)),
        Event::Absent { asked_at: specimen_time(10) },
        Event::LookFailed { fault: Fault::Timeout },
        Event::LookFailed { fault: Fault::UnknownCode("1404".into()) },
        Event::GateOpened,
        Event::Held(Hold::MonthEnd),
        Event::Held(Hold::MonthLimit),
        Event::NameTooLong,
        Event::Disproved,
        Event::WorkerLost,
        Event::Watched,
    ]
}

pub(super) fn all() -> Specimens<Order> {
    Specimens { input: input(), states: states(), events: events() }
}
