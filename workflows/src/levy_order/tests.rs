//! The order's promises over its specimens.

use super::specimens::{CHILDREN, input, sight, split};
use super::*;
use crate::draw::{specimen_time, with_cx};
use crate::{Params, Policy};
use domain::levy::OrderStatus;

fn at<T>(hours: u64, f: impl FnOnce(&Cx<'_>) -> T) -> T {
    with_cx(|cx| f(&Cx { now: specimen_time(hours), real: specimen_time(hours), ..*cx }))
}

fn specimen(name: &str) -> Order {
    Order::specimens().states.into_iter().find(|order| order.name() == name).unwrap()
}

fn go(order: Order, event: Event, cx: &Cx<'_>) -> Next<Order> {
    order.apply(&input(), event, cx).unwrap()
}

fn closed(remits: Vec<domain::levy::RemitSeen>, reason: Option<&str>) -> Event {
    Event::Seen(sight(OrderStatus::Closed, remits, reason))
}

fn opens(next: &Next<Order>, kind: &str) -> bool {
    next.writes.iter().any(|write| matches!(write, Write::OpenCase(case) if case.kind == kind))
}

#[test]
fn every_outside_event_is_taken_in_every_state() {
    let specimens = Order::specimens();
    with_cx(|cx| {
        for state in &specimens.states {
            for event in &specimens.events {
                let outside = matches!(
                    event,
                    Event::Hinted(_)
                        | Event::ReleaseAsked { .. }
                        | Event::CancelAsked { .. }
                        | Event::RemitDone { .. }
                        | Event::CaseResolved { .. }
                );
                let next = state.clone().apply(&specimens.input, event.clone(), cx);
                assert!(next.is_ok() || !outside, "{} must take {}", state.name(), event.name());
            }
        }
    });
}

#[test]
fn p13_close_has_four_meanings_and_one_contradiction() {
    at(10, |cx| {
        let ready = go(specimen("splitting"), closed(split(), None), cx);
        assert_eq!(ready.state.name(), "ready");
        assert_eq!(ready.writes.iter().filter(|write| matches!(write, Write::Spawn(_))).count(), 2);
        assert_eq!(go(specimen("splitting"), closed(vec![], Some("任务类型不支持")), cx).state.name(), "rejected");
        assert_eq!(
            go(specimen("splitting"), closed(vec![], None), cx).state.name(),
            "splitting",
            "in doubt: looking goes on"
        );
        assert_eq!(
            go(specimen("splitting"), closed(vec![], Some("  ")), cx).state.name(),
            "splitting",
            "a blank is no reason"
        );
        let parked = go(specimen("splitting"), closed(split(), Some("部分失败")), cx);
        assert!(parked.state.name() == "needs_operator" && opens(&parked, "partial_creation"));
    });
}

#[test]
fn p16_processing_is_splitting_not_paying() {
    at(10, |cx| {
        assert_eq!(
            go(specimen("accepted"), Event::Seen(sight(OrderStatus::Processing, vec![], None)), cx).state.name(),
            "splitting"
        )
    });
}

#[test]
fn p06_a_split_that_does_not_add_up_is_not_payable() {
    at(10, |cx| {
        let ready = go(specimen("splitting"), closed(split()[..1].to_vec(), None), cx);
        assert!(opens(&ready, "quote_mismatch"));
        let spawned = ready
            .writes
            .iter()
            .find_map(|write| if let Write::Spawn(spawn) = write { Some(spawn) } else { None })
            .unwrap();
        assert_eq!(spawned.state["facts"]["quote_ok"], false);
        let accepted = go(
            ready.state,
            Event::CaseResolved { r#move: "accept_remits".into(), evidence: None, by: "amei".into() },
            cx,
        );
        assert!(matches!(&accepted.writes[0], Write::Tell { event, .. } if event["QuoteAccepted"]["by"] == "amei"));
    });
}

#[test]
fn p02_not_found_is_proof_only_after_the_quarantine_and_twice() {
    at(10, |cx| {
        let mut order = specimen("create_in_doubt");
        let mut now = cx.now;
        while order.name() == "create_in_doubt" {
            let cx = Cx { now, ..*cx };
            match order.step(&input(), &cx) {
                Step::Call(Request::FindOrder { .. }) => order = go(order, Event::Absent, &cx).state,
                Step::Record(event) => order = go(order, event, &cx).state,
                Step::Wait(until) => now = until,
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(order, Order::Creating { sends: 2, .. }), "{order:?}");
        assert!(now >= cx.now + cx.params.quarantine + cx.params.probe_spacing);
    });
}

#[test]
fn p18_looks_that_fail_for_ever_leave_it_in_doubt_with_a_case() {
    at(10, |cx| {
        let mut order = specimen("create_in_doubt");
        let mut told = 0;
        for _ in 0..200 {
            let next = go(order, Event::LookFailed { fault: Fault::UnknownCode("1404".into()) }, cx);
            told += usize::from(opens(&next, "create_in_doubt"));
            order = next.state;
        }
        assert_eq!((order.name(), told), ("create_in_doubt", 1));
    });
}

#[test]
fn p03_a_definite_refusal_stands_unless_a_query_shows_the_order() {
    at(10, |cx| {
        let refusal = Refusal { code: "1009".into(), message: "额度".into() };
        let asked = go(specimen("creating"), Event::CreateRefused { sent_at: cx.now, refusal }, cx).state;
        assert!(matches!(asked.step(&input(), cx), Step::Call(Request::FindOrder { .. })), "one query confirms it");
        assert_eq!(go(asked.clone(), Event::Absent, cx).state.name(), "rejected");
        assert_eq!(
            go(asked.clone(), Event::LookFailed { fault: Fault::UnknownCode("1404".into()) }, cx).state.name(),
            "rejected"
        );
        assert_eq!(go(asked.clone(), Event::LookFailed { fault: Fault::Timeout }, cx).state.name(), "create_in_doubt");
        assert_eq!(go(asked, Event::Seen(sight(OrderStatus::Accepted, vec![], None)), cx).state.name(), "accepted");
    });
}

#[test]
fn a_refusal_after_a_send_in_doubt_is_no_proof() {
    at(10, |cx| {
        let again = Order::Creating { since: cx.now, first_sent: Some(specimen_time(0)), sends: 2, unwanted: false };
        let refusal = Refusal { code: "1009".into(), message: "held by our own first send".into() };
        let asked = go(again, Event::CreateRefused { sent_at: cx.now, refusal }, cx).state;
        assert_eq!(go(asked, Event::Absent, cx).state.name(), "create_in_doubt", "the first send may still arrive");
    });
}

#[test]
fn p20_the_72_hours_count_from_the_first_send() {
    let (params, policy) = (Params::default(), Policy::default());
    let sent = specimen_time(0);
    let hours = |at: Time| at.since(sent).as_secs() / 60;
    let times = Order::times_from(sent, Some(sent + Duration::from_secs(600)), &params, &policy);
    assert_eq!((hours(times.deadline), hours(times.pay_cutoff)), (69 * 60 + 59, 43 * 60 + 39));
    let earlier = Order::times_from(sent, Some(sent - Duration::from_secs(600)), &params, &policy);
    assert!(earlier.deadline < times.deadline, "the earliest reading counts");
}

#[test]
fn a_resend_keeps_the_first_send_and_the_request_id() {
    at(10, |cx| {
        let in_doubt =
            go(specimen("creating"), Event::CreateUnsure { sent_at: specimen_time(9), fault: Fault::Timeout }, cx)
                .state;
        let Order::CreateInDoubt { first_sent, mut doubt, sends, refused, unwanted } = in_doubt else { panic!() };
        doubt.negatives = 2;
        let again =
            go(Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted }, Event::Disproved, cx).state;
        assert_eq!(again.first_sent().unwrap().0, specimen_time(9));
        let Step::Call(Request::CreateOrder { request_id, .. }) = again.step(&input(), cx) else { panic!() };
        assert_eq!(request_id, input().request_id);
    });
}

#[test]
fn cancel_before_during_and_after_the_create() {
    let cancel = || Event::CancelAsked { by: "amei".into() };
    at(10, |cx| {
        assert_eq!(go(specimen("gated"), cancel(), cx).state.name(), "cancelled");
        assert_eq!(go(specimen("creating"), cancel(), cx).state.name(), "cancelled", "nothing has left");
        let maybe = Cx { unsent: false, ..*cx };
        let kept = go(specimen("creating"), cancel(), &maybe).state;
        let accepted = go(kept, Event::Created { sent_at: cx.now, accept_time: None }, cx).state;
        let ready = go(accepted, closed(split(), None), cx);
        let wished = ready
            .writes
            .iter()
            .filter(|write| matches!(write, Write::Tell { event, .. } if event["CancelAsked"].is_object()))
            .count();
        assert_eq!(wished, 2, "P07: the wish reaches every remit");
    });
}

#[test]
fn p11_a_long_name_goes_to_a_person_before_anything_is_sent() {
    at(10, |cx| {
        let long = Input { name_chars: 11, ..input() };
        let order = Order::new(cx.now);
        assert_eq!(order.step(&long, cx), Step::Record(Event::NameTooLong));
        assert!(opens(&order.apply(&long, Event::NameTooLong, cx).unwrap(), "name_too_long"));
    });
}

#[test]
fn p31_the_month_end_guard_holds_creation_when_it_is_set_to() {
    at(10, |cx| {
        let policy = Policy { month_edge: crate::policy::Guard::Hold, ..Policy::default() };
        let edge = Time::parse("2026-01-31T19:00:00+08:00").unwrap();
        let cx = Cx { policy: &policy, now: edge, ..*cx };
        let order = Order::new(edge);
        let held = go(order.clone(), Event::Held(Hold::MonthEnd), &cx);
        assert_eq!(order.step(&input(), &cx), Step::Record(Event::Held(Hold::MonthEnd)));
        assert!(held.writes.iter().any(|write| matches!(write, Write::OpenTask(_))), "a held order has an owner");
        assert_eq!(
            go(held.state, Event::ReleaseAsked { by: "amei".into(), reason: "paid today".into() }, &cx).state.name(),
            "creating"
        );
    });
}

#[test]
fn p41_a_notice_goes_to_its_location_or_to_all() {
    at(10, |cx| {
        let notice = |place: &str| {
            Event::Hinted(Hint::Closed {
                request_id: input().request_id,
                tax_agent_location_id: place.into(),
                close_time: None,
            })
        };
        let told = |next: &Next<Order>| {
            next.writes
                .iter()
                .filter_map(|write| if let Write::Tell { to, .. } = write { Some(*to) } else { None })
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&go(specimen("ready"), notice("2002"), cx)), vec![CHILDREN[1]]);
        assert_eq!(told(&go(specimen("ready"), notice("9999"), cx)).len(), 2);
    });
}

#[test]
fn i15_a_callback_alone_moves_no_order() {
    with_cx(|cx| {
        for order in Order::specimens().states {
            let name = order.name();
            let hinted = go(order, Event::Hinted(Hint::OrderChanged { request_id: input().request_id }), cx);
            assert_eq!(hinted.state.name(), name);
        }
    });
}

#[test]
fn an_order_settles_when_its_last_remit_has_ended() {
    at(10, |cx| {
        let end = |first: &str, second: &str| {
            let one = go(specimen("ready"), Event::RemitDone { remit: CHILDREN[0], state: first.into() }, cx).state;
            assert_eq!(one.name(), "ready");
            match go(one, Event::RemitDone { remit: CHILDREN[1], state: second.into() }, cx).state {
                Order::Settled { outcome, .. } => outcome,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(end("levied", "levied"), Outcome::Levied);
        assert_eq!(end("levied", "cancelled"), Outcome::PartlyLevied);
        assert_eq!(end("cancelled", "cancelled"), Outcome::Cancelled);
        assert_eq!(end("cancelled", "auto_closed_unpaid"), Outcome::Closed);
        assert_eq!(end("returned_after_levy", "levied"), Outcome::Levied);
    });
}

#[test]
fn no_limbo_every_state_wants_something_or_rests_or_has_an_owner() {
    for hours in [10, 44, 73, 200] {
        at(hours, |cx| {
            for order in Order::specimens().states {
                let resting = STATES.iter().any(|(name, rest)| *rest && *name == order.name());
                match order.step(&input(), cx) {
                    Step::Rest => assert!(resting),
                    Step::Ask(_) => {
                        assert!(matches!(order, Order::Gated { hold: Some(_), .. } | Order::NeedsOperator { .. }))
                    }
                    Step::Wait(until) => assert!(until > cx.now, "{} would spin", order.name()),
                    Step::Record(event) => {
                        assert!(order.clone().apply(&input(), event, cx).is_ok(), "{}", order.name())
                    }
                    Step::Call(_) | Step::Release { .. } => assert!(!resting),
                }
            }
        });
    }
}
