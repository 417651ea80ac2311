//! Each open question, each answer.

use super::*;
use crate::switches::{
    ArisingTime, CloseOrigin, DuplicateRequest, DuplicateShown, LateConfirm, LevyWord, LevyingWord, OverCap, Per,
    Repeat,
};
use crate::{CallFault, Span, Switches};

fn switched(change: impl FnOnce(&mut Switches)) -> World {
    world_with(|c| {
        c.timings.closing_job = Span(3600, 3600);
        change(&mut c.switches);
    })
}

#[test]
fn tr7_a_duplicate_request_id_has_three_readings() {
    let mut w = switched(|_| {});
    w.create("R1", "10.00");
    w.create("R1", "10.00");
    w.wait(120);
    assert_eq!(
        (w.ledger().orders.len(), w.held().as_str()),
        (2, "20.00"),
        "the default: a second order, quota held twice"
    );

    let mut w = switched(|s| s.duplicate_request = DuplicateRequest::SameAnswer);
    let first = w.create("R1", "10.00");
    w.wait(5);
    assert_eq!(w.create("R1", "10.00"), first);
    assert_eq!(w.ledger().orders.len(), 1);

    let mut w = switched(|s| s.duplicate_request = DuplicateRequest::Error);
    w.create("R1", "10.00");
    assert_eq!(w.code(Operation::CreateOrderV2, order("R1", "10.00")), "1409");
}

#[test]
fn a_query_shows_the_first_or_the_latest_of_two_orders() {
    for (shown, amount) in [(DuplicateShown::First, "10.00"), (DuplicateShown::Latest, "20.00")] {
        let mut w = switched(|s| s.duplicate_shown = shown);
        w.create("R1", "10.00");
        w.create("R1", "20.00");
        w.wait(120);
        assert_eq!(remits(&w.query("R1"))[0]["amount"], amount);
    }
}

#[test]
fn p02_a_lagging_query_does_not_see_the_order_yet() {
    let mut w = switched(|s| {
        s.query_lag_seconds = 60;
        s.codes.order_not_found = "4711".into();
    });
    w.create("R1", "10.00");
    let asked = json!({ "request_id": "R1" });
    assert_eq!(w.code(Operation::QueryOrderV2, asked.clone()), "4711", "the code is a switch too");
    w.wait(59);
    assert_eq!(w.code(Operation::QueryOrderV2, asked.clone()), "4711");
    w.wait(1);
    assert_eq!(w.code(Operation::QueryOrderV2, asked), "0");
}

#[test]
fn results_come_per_order_or_per_remit() {
    for (callbacks, count) in [(Per::Order, 1), (Per::Remit, 2)] {
        let mut w = switched(|s| s.callbacks = callbacks);
        w.create("R1", "20000.00");
        let letters = w.wait(120);
        assert_eq!(letters.len(), count);
        let listed: usize =
            letters.iter().map(|l| letter(l)["data"]["remit_order_list"].as_array().unwrap().len()).sum();
        assert_eq!(listed, 2);
    }
}

#[test]
fn notices_come_per_remit_or_per_order() {
    for (notice, count) in [(Per::Remit, 2), (Per::Order, 1)] {
        let mut w = switched(|s| s.close_notice = notice);
        w.ready("R1", "20000.00");
        assert_eq!(names(&w.hours(80)), vec!["CLOSE_ORDER_NOTICE"; count]);
    }
}

#[test]
fn a_callback_is_retried_until_success_or_the_limit() {
    let mut w = switched(|s| {
        s.callback_retries = 2;
        s.callback_spacing_seconds = 100;
    });
    w.create("R1", "1.00");
    let first = w.wait(70);
    let mut seen = 1;
    let mut last = first;
    while let Some(letter) = last.first() {
        w.sim.delivered(w.now, letter.letter, false);
        assert!(w.wait(99).is_empty(), "not before the spacing");
        last = w.wait(1);
        seen += last.len();
    }
    assert_eq!(seen, 3, "once and two more");

    w.create("R2", "1.00");
    let letters = w.wait(70);
    w.sim.delivered(w.now, letters[0].letter, true);
    assert!(w.wait(1000).is_empty(), "acknowledged");
    assert_eq!(w.ledger().callbacks.last().unwrap().acknowledged, Some(true));
}

#[test]
fn p20_the_72_hours_have_three_origins() {
    let deadline = |origin: CloseOrigin| {
        let mut w = switched(|s| s.close_origin = origin);
        let start = w.now;
        w.script(OladingScript::fault(Operation::CreateOrderV2, CallFault::DropBefore));
        w.call(Operation::CreateOrderV2, order("R1", "1.00"));
        w.wait(1000);
        w.ready("R1", "1.00");
        w.ledger().remits[0].deadline.since(start).as_secs() - 72 * 3600
    };
    assert_eq!(deadline(CloseOrigin::FirstSend), 0, "even a lost CREATE started the count");
    assert_eq!(deadline(CloseOrigin::Accept), 1000);
    assert!((1005..=1060).contains(&deadline(CloseOrigin::Ready)));
}

#[test]
fn p35_a_confirm_after_72_hours_before_the_closing_job() {
    for (rule, code, status) in [(LateConfirm::Refused, "1410", "ACCEPT"), (LateConfirm::Accepted, "0", "PROCESS")] {
        let mut w = switched(|s| s.late_confirm = rule);
        let ids = w.ready("R1", "1.00");
        w.hours(72);
        assert_eq!(w.confirm(&ids[0], "CONTINUE"), code);
        assert_eq!(w.remit_status("R1"), [status], "the job comes an hour later");
    }
}

#[test]
fn confirms_again_and_against() {
    for (same, contrary) in [(Repeat::SameAnswer, Repeat::Error), (Repeat::Error, Repeat::SameAnswer)] {
        let code = |rule: Repeat| if rule == Repeat::SameAnswer { "0" } else { "1410" };
        for (first, second) in [("CONTINUE", "CANCEL"), ("CANCEL", "CONTINUE")] {
            let mut w = switched(|s| {
                s.repeated_confirm = same;
                s.contrary_confirm = contrary;
            });
            let ids = w.ready("R1", "1.00");
            assert_eq!(w.confirm(&ids[0], first), "0");
            assert_eq!(w.confirm(&ids[0], first), code(same));
            assert_eq!(w.confirm(&ids[0], second), code(contrary));
            let truth = &w.ledger().remits[0];
            assert_eq!(
                truth.decision.as_ref().unwrap().next_step,
                first,
                "whatever was answered, the first decision stands"
            );
        }
    }
}

#[test]
fn p14_p15_the_words_of_a_levy() {
    let words = [(LevyingWord::Process, "PROCESS"), (LevyingWord::Remit, "REMIT")];
    for (levying, running) in words {
        for (levied, ended) in [(LevyWord::Close, "CLOSE"), (LevyWord::Remit, "REMIT")] {
            let mut w = switched(|s| {
                s.levying_as = levying;
                s.levied_as = levied;
            });
            let ids = w.ready("R1", "1.00");
            w.confirm(&ids[0], "CONTINUE");
            assert_eq!(w.remit_status("R1"), [running]);
            w.hours(2);
            assert_eq!(w.remit_status("R1"), [ended]);
        }
    }
}

#[test]
fn arising_times_have_three_rules() {
    let confirm = |rule: ArisingTime, at: &str| {
        let mut w = switched(|s| s.arising_time = rule);
        let ids = w.ready("R1", "1.00");
        w.code(Operation::ConfirmOrderV2, json!({ "order_id": ids[0], "arising_time": at, "next_step": "CONTINUE" }))
    };
    let (past, future, now) = ("2025-12-31T23:59:59.000", "2026-01-06T00:00:00.000", "2026-01-05T09:01:00.000");
    assert_eq!([past, future, now].map(|at| confirm(ArisingTime::Any, at)), ["0", "0", "0"]);
    assert_eq!([past, future, now].map(|at| confirm(ArisingTime::NotFuture, at)), ["0", "1412", "0"]);
    assert_eq!([past, future, now].map(|at| confirm(ArisingTime::WithinOrder, at)), ["1412", "1412", "0"]);
}

#[test]
fn p32_cancel_needs_an_arising_time_of_any_value() {
    let mut w = switched(|s| s.arising_time = ArisingTime::WithinOrder);
    let ids = w.ready("R1", "1.00");
    assert_eq!(w.code(Operation::ConfirmOrderV2, json!({ "order_id": ids[0], "next_step": "CANCEL" })), "0002");
    let any = json!({ "order_id": ids[0], "arising_time": "2020-01-01T00:00:00.000", "next_step": "CANCEL" });
    assert_eq!(w.code(Operation::ConfirmOrderV2, any), "0");
}

#[test]
fn a_cap_is_a_late_close_or_an_early_refusal_and_comes_back_or_not() {
    let mut w = switched(|s| s.month_cap = OverCap::Refuse);
    let over = with(order("R1", "50000.01"), "tax_agent_location_id", json!("2001"));
    assert_eq!(w.code(Operation::CreateOrderV2, over), "1008");
    for (restored, code) in [(true, "0"), (false, "1008")] {
        let mut w = switched(|s| {
            s.month_cap = OverCap::Refuse;
            s.month_cap_restored = restored;
        });
        let at = |id: &str| with(order(id, "40000.00"), "tax_agent_location_id", json!("2001"));
        w.done(Operation::CreateOrderV2, at("R1"));
        w.wait(120);
        let id = w.ledger().remits[0].order_id.clone();
        w.confirm(&id, "CANCEL");
        assert_eq!(w.code(Operation::CreateOrderV2, at("R2")), code);
    }
}

#[test]
fn names_and_shapes_of_fields_are_switches() {
    let mut w = switched(|s| {
        s.two_factor_field = "authentication".into();
        s.ids_as_numbers = true;
        s.errors_echo_ids = false;
    });
    assert_eq!(w.code(Operation::CreateOrderV2, with(order("R1", "1.00"), "limit_2", json!("T"))), "0002");
    w.done(Operation::CreateOrderV2, with(order("R1", "1.00"), "authentication", json!("T")));
    w.wait(120);
    assert_eq!(remits(&w.query("R1"))[0]["tax_agent_location_id"], 2001, "T03");
    let (code, data) = w.ask(Operation::QueryOrderV2, json!({ "request_id": "R9" }));
    assert_eq!((code.as_str(), data), ("1404", json!({})), "TR2: an error that names nothing");

    let mut w = switched(|s| s.sync_sign_agent_field = "tax_agent_parent_id".into());
    let data = json!({ "request_id": "S", "id_card": id_card(1), "real_name": "张三", "cellphone": "13800000000", "agent_parent_id": 1 });
    assert_eq!(w.code(Operation::SyncSign, data), "0002");
}
