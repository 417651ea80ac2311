//! Each fault as the caller sees it, and what is true behind it.

use super::*;
use crate::ledger::Effect;
use crate::sim::Wire;
use crate::{CallFault, CallbackFault, Faults, Phase, preset};
use std::collections::BTreeMap;

/// Creates "OLD", then strikes the CREATE of "R1" with one fault.
fn struck(fault: CallFault) -> (World, Reply) {
    let mut w = world();
    w.create("OLD", "1.00");
    w.script(OladingScript::fault(Operation::CreateOrderV2, fault));
    let reply = w.call(Operation::CreateOrderV2, order("R1", "10.00"));
    assert_eq!(reply.fault, Some(fault));
    assert_eq!(w.sim.coverage()[&format!("CREATE_ORDER_V2/{}/{}", fault.phase().word(), fault.word())], 1);
    (w, reply)
}

fn orders(w: &World) -> usize {
    w.ledger().orders.iter().filter(|order| order.request_id == "R1").count()
}

#[test]
fn before_the_effect_nothing_happens() {
    for fault in CallFault::ALL.into_iter().filter(|fault| fault.phase() == Phase::Before) {
        let (w, _) = struck(fault);
        assert_eq!(orders(&w), 0, "{fault:?}");
        assert_eq!(w.ledger().calls.last().unwrap().effect, Effect::Nothing);
    }
}

#[test]
fn after_the_effect_it_stands() {
    for fault in CallFault::ALL.into_iter().filter(|fault| fault.phase() == Phase::After) {
        let (w, _) = struck(fault);
        assert_eq!(orders(&w), 1, "{fault:?}");
        let truth = w.ledger();
        let line = truth.calls.last().unwrap();
        assert_eq!((line.effect, line.fault, line.code.as_deref()), (Effect::Accepted, Some(fault), Some("0")));
    }
}

#[test]
fn lost_and_failed_answers_look_alike_before_and_after() {
    for fault in [CallFault::DropBefore, CallFault::DropAfter] {
        assert_eq!(struck(fault).1.wire, Wire::Drop);
    }
    for fault in [CallFault::SystemFailureBefore, CallFault::SystemFailureAfter] {
        assert_eq!(parsed(&struck(fault).1)["code"], "0001", "well signed, and says nothing (P03)");
    }
    for fault in [CallFault::ServerErrorBefore, CallFault::ServerErrorAfter] {
        assert!((500..=504).contains(&struck(fault).1.answer().unwrap().status));
    }
    let busy = struck(CallFault::TooManyRequests).1;
    let busy = busy.answer().unwrap();
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("1")));
}

#[test]
fn answers_can_be_slow_unsigned_forged_or_foreign() {
    let (_, delayed) = struck(CallFault::Delay);
    assert_eq!(delayed.hold_ms, 1500, "real milliseconds, more than the caller waits");
    assert_eq!(parsed(&delayed)["code"], "0");

    let (_, forged) = struck(CallFault::BadSignature);
    let answer = forged.answer().unwrap();
    assert!(!codec::verify(SECRET, &answer.body, answer.header("Api-Sign").unwrap()));

    let (_, bare) = struck(CallFault::MissingSignature);
    assert_eq!(bare.answer().unwrap().header("Api-Sign"), None);

    let (_, mixed) = struck(CallFault::MixUp);
    let other = parsed(&mixed);
    assert_eq!(
        (other["code"].as_str(), other["data"]["request_id"].as_str()),
        (Some("0"), Some("OLD")),
        "well signed, of another call (I26)"
    );

    assert!(matches!(struck(CallFault::Drip).1.wire, Wire::Drip(_)));
}

#[test]
fn answers_can_be_unreadable() {
    let (_, page) = struck(CallFault::Html);
    let page = page.answer().unwrap();
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));

    let (_, cut) = struck(CallFault::Truncated);
    let cut = cut.answer().unwrap();
    assert!(
        codec::verify(SECRET, &cut.body, cut.header("Api-Sign").unwrap()),
        "signed as it is, so that the parser has to refuse it"
    );
    assert!(serde_json::from_slice::<Value>(&cut.body).is_err());

    let (_, huge) = struck(CallFault::Huge);
    assert!(huge.answer().unwrap().body.len() > 2 * 1024 * 1024);
    assert_eq!(parsed(&huge)["code"], "0");
}

#[test]
fn f46_a_doubled_request_makes_two_orders_and_says_why() {
    let (w, _) = struck(CallFault::Doubled);
    assert_eq!(orders(&w), 2);
    let causes: Vec<_> =
        w.ledger().orders.iter().filter(|order| order.request_id == "R1").map(|order| order.cause).collect();
    assert_eq!(causes, [None, Some(CallFault::Doubled)]);
}

#[test]
fn f47_a_late_request_is_carried_out_within_three_minutes() {
    let (mut w, reply) = struck(CallFault::Late);
    assert_eq!((reply.wire, reply.hold_ms), (Wire::Drop, 1500));
    assert_eq!(orders(&w), 0);
    assert_eq!(
        w.code(Operation::QueryOrderV2, json!({ "request_id": "R1" })),
        "1404",
        "still in flight: no proof of absence (P02)"
    );
    w.wait(180);
    assert_eq!(orders(&w), 1);
    assert_eq!(w.ledger().calls.last().unwrap().fault, Some(CallFault::Late));
}

#[test]
fn p40_the_callback_can_overtake_the_answer() {
    let (mut w, reply) = struck(CallFault::CallbackFirst);
    assert!(reply.hold_ms > 0 && reply.hold_ms < 1000);
    let letters = w.sim.run_until(w.now);
    assert_eq!(letter(letters.last().unwrap())["data"]["request_id"], "R1", "due before the answer is let go");
}

#[test]
fn f57_a_stale_read_shows_the_past() {
    let mut w = world_with(|c| c.faults.stale_seconds = 30);
    let ids = w.ready("R1", "1.00");
    w.wait(60);
    w.confirm(&ids[0], "CONTINUE");
    w.script(OladingScript::fault(Operation::QueryOrderV2, CallFault::Stale));
    assert_eq!(w.remit_status("R1"), ["ACCEPT"]);
    assert_eq!(w.remit_status("R1"), ["PROCESS"]);
}

#[test]
fn an_old_copy_that_shows_nothing_else_is_no_fault() {
    let mut w = world_with(|c| c.faults.stale_seconds = 1);
    w.ready("R1", "1.00");
    w.hours(1);
    w.script(OladingScript::fault(Operation::QueryOrderV2, CallFault::Stale));
    assert_eq!(w.remit_status("R1"), ["ACCEPT"]);
    assert!(w.sim.coverage().is_empty(), "{:?}", w.sim.coverage());
}

#[test]
fn a_refused_order_has_no_callback_that_could_come_first() {
    let mut w = world();
    w.script(OladingScript::fault(Operation::CreateOrderV2, CallFault::CallbackFirst));
    assert_eq!(w.code(Operation::CreateOrderV2, with(order("R1", "1.00"), "name", json!("查无此人"))), "1010");
    assert!(w.sim.coverage().is_empty(), "{:?}", w.sim.coverage());
}

#[test]
fn the_first_answer_is_mixed_up_with_none_and_its_line_says_so() {
    let mut w = world();
    w.script(OladingScript::fault(Operation::CreateOrderV2, CallFault::MixUp));
    w.create("R1", "1.00");
    assert_eq!(w.ledger().calls[0].fault, None);
    assert!(w.sim.coverage().is_empty(), "{:?}", w.sim.coverage());
}

#[test]
fn a_script_waits_for_a_call_that_its_fault_can_befall() {
    let mut w = world();
    let script = OladingScript { operation: None, ..OladingScript::fault(Operation::QueryOrderV2, CallFault::Late) };
    w.script(script);
    assert_eq!(
        w.code(Operation::QueryOrderV2, json!({ "request_id": "R1" })),
        "1404",
        "a query is not late to any effect"
    );
    w.call(Operation::CreateOrderV2, order("R1", "1.00"));
    assert_eq!(w.sim.coverage().keys().collect::<Vec<_>>(), ["CREATE_ORDER_V2/during/late"]);
}

#[test]
fn a_false_notice_without_an_open_remit_is_not_sent_and_not_counted() {
    let only = BTreeMap::from([(CallbackFault::FalseNotice, 1000)]);
    let mut w = world_with(|c| c.faults = Faults { callbacks: only, ..Faults::default() });
    let unknown = with(order("R1", "1.00"), "task_id", json!("99"));
    w.done(Operation::CreateOrderV2, unknown);
    assert_eq!(genuine(&w.hours(1)), 1, "the rejection, and nothing beside it");
    assert!(w.sim.coverage().is_empty(), "{:?}", w.sim.coverage());
}

#[test]
fn a_muted_callback_suffers_nothing() {
    let only = BTreeMap::from([(CallbackFault::Forged, 1000)]);
    let mut w = world_with(|c| c.faults = Faults { callbacks: only, ..Faults::default() });
    w.sim.mute_callbacks(true);
    w.done(Operation::CreateOrderV2, order("R1", "1.00"));
    assert!(w.hours(1).is_empty() && w.sim.coverage().is_empty(), "{:?}", w.sim.coverage());
}

#[test]
fn a_script_can_name_a_call_and_a_code() {
    let mut w = world();
    let script = OladingScript {
        id: Some("R2".into()),
        code: Some("9999".into()),
        times: 2,
        ..OladingScript::fault(Operation::CreateOrderV2, CallFault::Html)
    };
    w.script(script);
    w.create("R1", "1.00");
    for _ in 0..2 {
        assert_eq!(w.code(Operation::CreateOrderV2, order("R2", "1.00")), "9999");
    }
    w.create("R2", "1.00");
}

/// All letters of one order under one callback fault, before it is closed.
fn letters_of(fault: CallbackFault) -> (World, Vec<Outgoing>) {
    letters_until(fault, 60)
}

fn letters_until(fault: CallbackFault, hours: u64) -> (World, Vec<Outgoing>) {
    let mut w = world_with(|c| c.faults = Faults { callbacks: BTreeMap::from([(fault, 1000)]), ..Faults::default() });
    let order_of =
        |id: &str| with(with(order(id, "1.00"), "id_card", json!(id_card(2))), "bankcard_no", json!(bankcard(2)));
    w.done(Operation::CreateOrderV2, order_of("R1"));
    let letters: Vec<Outgoing> = w.wait(120).into_iter().chain((0..hours).flat_map(|_| w.hours(1))).collect();
    assert!(w.sim.coverage()[&format!("CREATE_ORDER_V2/callback/{}", fault.word())] >= 1);
    (w, letters)
}

fn genuine(letters: &[Outgoing]) -> usize {
    letters
        .iter()
        .filter(|l| {
            codec::open_form(l.body.as_bytes()).is_some_and(|(req, sign)| codec::verify(SECRET, req.as_bytes(), &sign))
        })
        .count()
}

#[test]
fn callbacks_can_be_lost_copied_late_or_replayed() {
    assert!(letters_of(CallbackFault::Lost).1.is_empty(), "F78: polling alone must do");
    let (_, copies) = letters_of(CallbackFault::Duplicated);
    assert!((2..=5).contains(&copies.len()));
    assert!(copies.iter().all(|copy| copy.body == copies[0].body), "the very same bytes (F67)");
    assert_eq!(letters_of(CallbackFault::Delayed).1.len(), 1);
    let (_, replayed) = letters_until(CallbackFault::Replayed, 5 * 24 + 1);
    assert_eq!(replayed.iter().filter(|one| one.body == replayed[0].body).count(), 2, "F73: within five days");
}

#[test]
fn callbacks_can_be_forged_reflected_or_untrue() {
    let (_, forged) = letters_of(CallbackFault::Forged);
    assert_eq!((forged.len(), genuine(&forged)), (2, 1), "F72");

    let (_, reflected) = letters_of(CallbackFault::Reflected);
    assert_eq!(genuine(&reflected), 2, "TR1: our own signed request verifies too");
    assert!(reflected.iter().any(|l| letter(l).contains_key("client_key")));

    let (mut w, untrue) = letters_of(CallbackFault::FalseNotice);
    assert!(names(&untrue).contains(&"CLOSE_ORDER_NOTICE".to_owned()), "F73: well signed and false");
    assert_eq!(w.remit_status("R1"), ["ACCEPT"]);
}

#[test]
fn p42_muted_callbacks_never_leave() {
    let mut w = world();
    w.sim.mute_callbacks(true);
    w.create("R1", "1.00");
    assert!(w.wait(600).is_empty());
    w.sim.mute_callbacks(false);
    w.create("R2", "1.00");
    assert_eq!(w.wait(600).len(), 1, "and what was muted does not come later");
}

/// A seeded run of many orders under all faults; the ledger as text.
fn run(seed: u64) -> String {
    let mut w = world_with(|c| {
        c.seed = seed;
        c.faults = preset("many").unwrap();
    });
    for number in 0..300_u32 {
        let request = with(order(&format!("R{number}"), "50.00"), "id_card", json!(id_card(number)));
        let _answered = w.call(Operation::CreateOrderV2, request);
        for letter in w.wait(20) {
            w.sim.delivered(w.now, letter.letter, number % 3 == 0);
        }
        let _shown = w.call(Operation::QueryOrderV2, json!({ "request_id": format!("R{}", number / 2) }));
        let open = w.ledger().remits.iter().find(|remit| remit.ended.is_none()).map(|remit| remit.order_id.clone());
        if let Some(order_id) = open.filter(|_| number % 2 == 0) {
            let data =
                json!({ "order_id": order_id, "arising_time": w.now.beijing().to_string(), "next_step": "CONTINUE" });
            let _decided = w.call(Operation::ConfirmOrderV2, data);
        }
    }
    w.hours(200);
    serde_json::to_string(&w.ledger()).unwrap()
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = run(42);
    assert_eq!(run(42), story);
    assert_ne!(run(43), story);
    let ledger: Ledger = serde_json::from_str(&story).unwrap();
    let kinds: std::collections::BTreeSet<&str> =
        ledger.coverage.keys().filter_map(|key| key.split('/').next_back()).collect();
    assert!(kinds.len() >= 24, "a run of this length meets nearly every kind: {kinds:?}");
    assert!(ledger.remits.iter().all(|remit| remit.ended.is_some()), "nothing stays open at the provider");
}
