//! The order's promises over its specimens.

use super::specimens::{CHILDREN, input, sight, split};
use super::*;
use crate::draw::{specimen_time, with_cx};
use crate::needs::Need;
use crate::{Params, Policy};
use crate::{answers, cases};
use domain::levy::OrderStatus;
use domain::record::Severity;
use domain::record::Write;
use serde_json::Value;

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

fn resolved(name: &str) -> Event {
    Event::CaseResolved { case: Answered::default(), r#move: name.into(), evidence: None, by: "amei".into() }
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
                        | Event::Required { .. }
                        | Event::Met { .. }
                        | Event::Unmet { .. }
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
        let accepted = go(ready.state, resolved("accept_remits"), cx);
        let told = |write: &Write| matches!(write, Write::Tell { event, .. } if event["QuoteAccepted"]["by"] == "amei");
        assert!(accepted.writes.iter().any(told));
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
                Step::Call(Request::FindOrder { .. }) => order = go(order, Event::Absent { asked_at: now }, &cx).state,
                Step::Record(event) => order = go(order, event, &cx).state,
                Step::Wait(until) => now = until,
                step @ (Step::Call(_) | Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest) => {
                    panic!("{step:?}")
                }
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
        assert_eq!(go(asked.clone(), Event::Absent { asked_at: cx.now }, cx).state.name(), "rejected");
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
        assert_eq!(
            go(asked, Event::Absent { asked_at: cx.now }, cx).state.name(),
            "create_in_doubt",
            "the first send may still arrive"
        );
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
            let settled = go(one, Event::RemitDone { remit: CHILDREN[1], state: second.into() }, cx).state;
            let Order::Settled { outcome, .. } = settled else { panic!("{settled:?}") };
            outcome
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
                    Step::Call(_) | Step::Release { .. } | Step::Require(_) => assert!(!resting),
                }
            }
        });
    }
}

#[test]
fn s_g_a_persons_word_never_sends_create_again() {
    at(10, |cx| {
        assert_eq!(go(specimen("create_in_doubt"), resolved("retry"), cx).state.name(), "create_in_doubt");
        let parked = specimen("creating").parked("a bug", cx).state;
        assert_eq!(go(parked, resolved("retry"), cx).state.name(), "create_in_doubt", "it may have left");
        let abandoned = go(specimen("create_in_doubt"), resolved("abandon"), cx).state;
        assert!(matches!(abandoned, Order::CreateInDoubt { unwanted: true, .. }), "P07: asked for until it is settled");
    });
}

#[test]
fn p11_a_confirmed_duplicate_still_passes_the_other_gates() {
    at(10, |cx| {
        let long = Input { name_chars: 11, ..input() };
        let release = Event::ReleaseAsked { by: "amei".into(), reason: "two jobs".into() };
        let released = Order::suspected_duplicate(cx.now).apply(&long, release, cx).unwrap().state;
        assert_eq!(released.step(&long, cx), Step::Record(Event::NameTooLong));
    });
}

/// An order whose person must have signed two things.
fn needy() -> Input {
    let need =
        |address: &str| Need { address: address.into(), what: format!("the signature at {address}"), start: None };
    Input { needs: vec![need("main/s1"), need("main/s2")], ..input() }
}

#[test]
fn an_order_asks_for_what_it_needs_one_after_the_other_and_passes_when_all_is_met() {
    at(10, |cx| {
        let input = needy();
        let mut order = Order::new(cx.now);
        let asks = |order: &Order| match order.step(&input, cx) {
            Step::Require(require) => Some((require.need, require.address)),
            Step::Wait(_) | Step::Record(_) | Step::Call(_) | Step::Ask(_) | Step::Release { .. } | Step::Rest => None,
        };
        assert_eq!(asks(&order), Some((0, "main/s1".into())));
        order = order.apply(&input, Event::Required { need: 0 }, cx).unwrap().state;
        assert_eq!(
            order.step(&input, cx),
            Step::Wait(cx.now + crate::needs::ASK_AGAIN),
            "the second rests on the first"
        );
        assert_eq!(order.waits_for(&input).unwrap(), "the signature at main/s1; the signature at main/s2");
        order = order.apply(&input, Event::Met { need: 0 }, cx).unwrap().state;
        assert_eq!(asks(&order), Some((1, "main/s2".into())));
        order = order.apply(&input, Event::Required { need: 1 }, cx).unwrap().state;
        let unmet = || Event::Unmet { need: 1, reason: "not signed within 24 hours".into() };
        let tasks = |next: &Next<Order>| next.writes.iter().filter(|write| matches!(write, Write::OpenTask(_))).count();
        for opened in [1, 0] {
            let next = order.apply(&input, unmet(), cx).unwrap();
            assert_eq!(tasks(&next), opened, "one task, until it is over");
            order = next.state;
        }
        assert!(order.clone().apply(&input, Event::GateOpened, cx).is_err(), "one is not met");
        assert_eq!(
            order.waits_for(&input).unwrap(),
            "the signature at main/s2 (not signed within 24 hours: invite again)"
        );
        let next = order.apply(&input, Event::Met { need: 1 }, cx).unwrap();
        assert!(matches!(next.writes[..], [Write::CloseTasks { .. }]));
        order = next.state;
        assert_eq!(order.step(&input, cx), Step::Record(Event::GateOpened));
        assert_eq!(order.apply(&input, Event::GateOpened, cx).unwrap().state.name(), "creating");
    });
}

#[test]
fn what_is_not_met_is_asked_about_again_the_next_day_and_an_answer_that_was_faster_than_our_note_counts() {
    at(10, |cx| {
        let input = needy();
        let asked = |need| Event::Required { need };
        let mut order = Order::new(cx.now);
        for event in [Event::Met { need: 0 }, asked(0), asked(1)] {
            order = order.apply(&input, event, cx).unwrap().state;
        }
        let next_day = Cx { now: cx.now + crate::needs::ASK_AGAIN, ..*cx };
        let Step::Require(require) = order.step(&input, &next_day) else { panic!("a day has passed") };
        assert_eq!(require.need, 1, "the other one is met");
        order = order.apply(&input, asked(1), &next_day).unwrap().state;
        assert!(matches!(order.step(&input, &next_day), Step::Wait(at) if at > next_day.now));
    });
}

#[test]
fn needs_come_after_a_persons_word_on_a_duplicate_and_before_the_month() {
    with_cx(|cx| {
        let policy = Policy { month_edge: crate::policy::Guard::Hold, ..Policy::default() };
        let edge = Time::parse("2026-01-31T19:00:00+08:00").unwrap();
        let cx = Cx { policy: &policy, now: edge, ..*cx };
        let input = needy();
        let held = Order::suspected_duplicate(edge);
        assert_eq!(held.step(&input, &cx), Step::Ask(None), "nobody is invited for what may be a mistake");
        let release = Event::ReleaseAsked { by: "amei".into(), reason: "two jobs".into() };
        let mut order = held.apply(&input, release, &cx).unwrap().state;
        assert!(matches!(order.step(&input, &cx), Step::Require(_)));
        for need in 0..2 {
            order = order.apply(&input, Event::Met { need }, &cx).unwrap().state;
        }
        assert_eq!(order.step(&input, &cx), Step::Record(Event::Held(Hold::MonthEnd)));
    });
}

#[test]
fn p08_what_exceeds_the_months_limit_waits_for_the_next_month_or_a_persons_release() {
    at(10, |cx| {
        let input = Input { over_limit: true, ..input() };
        let order = Order::new(cx.now);
        assert_eq!(order.step(&input, cx), Step::Record(Event::Held(Hold::MonthLimit)));
        let held = order.apply(&input, Event::Held(Hold::MonthLimit), cx).unwrap();
        assert!(held.writes.iter().any(|write| matches!(write, Write::OpenTask(_))), "a held order has an owner");
        let end = cx.now.beijing().month_end();
        assert_eq!(held.state.step(&input, cx), Step::Ask(Some(end)));
        let release = Event::ReleaseAsked { by: "amei".into(), reason: "the limit was raised".into() };
        assert_eq!(held.state.clone().apply(&input, release, cx).unwrap().state.name(), "creating");
        let july = Cx { now: end, ..*cx };
        assert_eq!(held.state.step(&input, &july), Step::Record(Event::GateOpened));
        assert_eq!(held.state.apply(&input, Event::GateOpened, &july).unwrap().state.name(), "creating");
        assert_eq!(
            Order::new(cx.now).step(&input, &july),
            Step::Record(Event::GateOpened),
            "it is another month's share"
        );
    });
}

#[test]
fn p31_the_guards_hold_ends_with_the_month() {
    with_cx(|cx| {
        let policy = Policy { month_edge: crate::policy::Guard::Hold, ..Policy::default() };
        let edge = Time::parse("2026-01-31T19:00:00+08:00").unwrap();
        let held = Order::gated(edge, Some(Hold::MonthEnd));
        let cx = Cx { policy: &policy, now: edge, ..*cx };
        let month = Time::parse("2026-02-01T00:00:00+08:00").unwrap();
        assert_eq!(held.step(&input(), &cx), Step::Ask(Some(month)));
        let cx = Cx { now: month, ..cx };
        assert_eq!(held.step(&input(), &cx), Step::Record(Event::GateOpened));
        assert_eq!(go(held, Event::GateOpened, &cx).state.name(), "creating");
    });
}

#[test]
fn a_parked_order_keeps_wishes_and_hears_its_remits() {
    at(10, |cx| {
        let parked = go(specimen("accepted"), Event::Seen(sight(OrderStatus::Unknown("X".into()), vec![], None)), cx);
        let wished = go(parked.state, Event::CancelAsked { by: "amei".into() }, cx).state;
        assert!(
            matches!(&wished, Order::NeedsOperator { back, .. } if matches!(**back, Order::Accepted(Under { unwanted: true, .. })))
        );
        let mut order = specimen("ready").parked("a bug", cx).state;
        for remit in CHILDREN {
            order = go(order, Event::RemitDone { remit, state: "levied".into() }, cx).state;
        }
        assert_eq!(order.name(), "settled");
    });
}

#[test]
fn an_unwanted_create_that_cannot_have_left_is_not_sent() {
    at(10, |cx| {
        let again = Order::Creating { since: cx.now, first_sent: Some(specimen_time(0)), sends: 2, unwanted: false };
        assert_eq!(go(again, Event::CancelAsked { by: "amei".into() }, cx).state.name(), "cancelled");
    });
}

#[test]
fn a_settled_order_follows_a_remit_that_is_levied_after_all() {
    at(10, |cx| {
        let mut order = specimen("ready");
        for (remit, state) in [(0, "levied"), (1, "auto_closed_paid"), (1, "levied")] {
            order = go(order, Event::RemitDone { remit: CHILDREN[remit], state: state.into() }, cx).state;
        }
        assert!(matches!(order, Order::Settled { outcome: Outcome::Levied, .. }), "{order:?}");
    });
}

#[test]
fn i14_an_order_at_rest_is_left_by_no_arrow() {
    at(10, |cx| {
        for order in Order::specimens().states.into_iter().filter(|order| STATES.contains(&(order.name(), true))) {
            assert!(order.clone().apply(&input(), Event::NameTooLong, cx).is_err());
            assert_eq!(order.clone().parked("a bug", cx).state, order);
        }
    });
}

#[test]
fn after_the_sends_are_exhausted_a_refusal_is_still_no_proof() {
    at(10, |cx| {
        let doubt = Doubt { negatives: 2, ..Doubt::new(cx.now, cx.now, 1) };
        let unwanted = false;
        let last = Order::CreateInDoubt { first_sent: cx.now, doubt, sends: SENDS_MAX, refused: None, unwanted };
        let Order::NeedsOperator { back, .. } = go(last, Event::Disproved, cx).state else { panic!() };
        let Order::CreateInDoubt { first_sent, mut doubt, sends, refused, unwanted } = *back else { panic!() };
        doubt.negatives = 2;
        let again = Order::CreateInDoubt { first_sent, doubt, sends, refused, unwanted };
        let again = go(again, Event::Disproved, cx).state;
        assert!(matches!(again, Order::Creating { sends: 2.., .. }), "{again:?}");
    });
}

#[test]
fn an_order_that_is_not_split_for_long_is_told_of_once() {
    at(10, |cx| {
        let (mut order, mut told) = (specimen("accepted"), 0);
        for _ in 0..50 {
            let next = go(order, Event::Seen(sight(OrderStatus::Processing, vec![], None)), cx);
            told += usize::from(opens(&next, "splitting_too_long"));
            order = next.state;
        }
        assert_eq!((order.name(), told), ("splitting", 1));
        let ready = go(order, closed(split(), None), cx);
        let answered = |write: &Write| matches!(write, Write::CloseCases { kinds, .. } if kinds.contains(&"splitting_too_long".to_owned()));
        assert!(ready.writes.iter().any(answered));
    });
}

#[test]
fn a_gross_sum_that_differs_is_warned_of_where_the_account_says_so() {
    at(10, |cx| {
        let policy = Policy { gross_sum_check: crate::policy::SumCheck::Warn, ..Policy::default() };
        let mut gross = input();
        gross.terms.asked = domain::levy::Asked::Gross(domain::Money::from_fen(1).unwrap());
        let cx = Cx { policy: &policy, ..*cx };
        let ready = specimen("splitting").apply(&gross, closed(split(), None), &cx).unwrap();
        assert!(opens(&ready, "split_sum_mismatch") && !opens(&ready, "quote_mismatch"));
    });
}

#[test]
fn every_move_of_every_case_closes_its_case_or_says_why_it_stays() {
    answers::check::<Order>(&Value::Null, |order, cx| {
        let Order::NeedsOperator { why, .. } = order else { return None };
        Some(cases::open(why.kind(), Severity::High, why.moves(), serde_json::json!({}), cx))
    });
}

#[test]
fn a_fault_that_is_looked_at_again_leaves_the_question_about_the_split_open() {
    at(10, |cx| {
        let parked = specimen("ready").parked("a bug", cx).state;
        let again = go(parked, resolved("retry"), cx);
        assert_eq!(again.state.name(), "ready");
        let closes = |write: &Write| matches!(write, Write::CloseCases { kinds, .. } if kinds.is_empty() || kinds.contains(&"quote_mismatch".to_owned()));
        assert!(!again.writes.iter().any(closes), "nobody could accept or cancel the split any more");
    });
}
