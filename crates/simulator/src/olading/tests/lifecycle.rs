//! An order's life, and every way it ends.

use super::*;
use crate::CloseAs;
use crate::ledger::Ended;

#[test]
fn an_order_lives_from_acceptance_to_the_paid_tax() {
    let mut w = world();
    let data = w.create("R1", "1234.50");
    assert_eq!(data["request_id"], "R1");
    assert_eq!(data["accept_time"], w.now.beijing().to_string());
    let fresh = w.query("R1");
    assert_eq!((fresh["status"].as_str(), remits(&fresh).len()), (Some("ACCEPT"), 0));
    assert!(fresh.get("arising_time").is_none(), "nothing has arisen before a confirmation");

    let letters = w.wait(120);
    assert_eq!(names(&letters), ["CREATE_ORDER_V2"]);
    let said = letter(&letters[0]);
    assert_eq!((said["data"]["status"].as_str(), said["data"]["request_id"].as_str()), (Some("CLOSE"), Some("R1")));
    assert!(
        !said.contains_key("client_key") && !said.contains_key("timestamp"),
        "000 §1.1.3: a callback has neither (TR1)"
    );

    let ready = w.query("R1");
    assert_eq!(ready["status"], "CLOSE");
    assert!(ready.get("fail_reason").is_none());
    let remit = &remits(&ready)[0];
    assert_eq!(remits(&json!({ "remit_order_list": said["data"]["remit_order_list"] }))[0], *remit);
    assert_eq!((remit["amount"].as_str(), remit["remit_status"].as_str()), (Some("1234.50"), Some("ACCEPT")));

    let order_id = remit["order_id"].as_str().unwrap().to_owned();
    assert!(order_id.len() <= 20);
    let paid_at = w.now.beijing().to_string();
    w.wait(600);
    let data = json!({ "order_id": order_id, "arising_time": paid_at, "next_step": "CONTINUE" });
    assert_eq!(w.done(Operation::ConfirmOrderV2, data)["order_id"], order_id.as_str());
    assert_eq!(w.remit_status("R1"), ["PROCESS"], "named in 000 §2.5, missing from §3.3 (P14)");
    assert_eq!(w.query("R1")["arising_time"], paid_at.as_str());
    w.hours(3);
    assert_eq!(w.remit_status("R1"), ["CLOSE"]);

    let truth = w.ledger();
    assert_eq!(truth.remits[0].ended, Some(Ended::Levied));
    assert_eq!(truth.remits[0].decision.as_ref().unwrap().next_step, "CONTINUE");
    let words: Vec<&str> = truth.orders[0].statuses.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["ACCEPT", "PROCESS", "CLOSE"]);
    assert_eq!(w.held(), "1234.50", "levied income stays on the quota");
}

#[test]
fn p13_close_has_four_printed_meanings() {
    let cases = [
        (with(order("R", "100.00"), "task_id", json!("1")), None, 1),
        (with(order("R", "100.00"), "task_id", json!("2")), Some("任务类型与开票模式不一致"), 0),
        (with(order("R", "100.00"), "task_id", json!(77)), Some("任务ID不存在"), 0),
        (
            with(order("R", "100.00"), "credit_code", json!("91110000MA0000NONE")),
            Some("客户信息查询失败，请联系技术支持人员"),
            0,
        ),
    ];
    for (request, reason, count) in cases {
        let mut w = world();
        w.done(Operation::CreateOrderV2, request);
        w.wait(120);
        let view = w.query("R");
        assert_eq!(view["status"], "CLOSE");
        assert_eq!(view.get("fail_reason").and_then(Value::as_str), reason);
        assert_eq!(remits(&view).len(), count);
        assert_eq!(w.held(), if count == 0 { "0.00" } else { "100.00" }, "a rejected order holds no quota");
    }
}

#[test]
fn p13_and_more_that_nobody_printed() {
    let mut w = world();
    let forms = [
        CloseAs::Bare,
        CloseAs::Contradictory,
        CloseAs::Rejected("校验未通过".into()),
        CloseAs::UnknownWord,
        CloseAs::Never,
    ];
    for (number, form) in forms.into_iter().enumerate() {
        w.script(OladingScript { operation: None, ..OladingScript::close(form) });
        assert_eq!(
            w.code(Operation::QueryOrderV2, json!({ "request_id": "R" })),
            "1404",
            "a query does not use the script up"
        );
        w.create(&format!("R{number}"), "10.00");
    }
    w.wait(120);
    let mut shape = |id: &str| {
        let view = w.query(id);
        (view["status"].as_str().unwrap().to_owned(), remits(&view).len(), view.get("fail_reason").is_some())
    };
    assert_eq!(shape("R0"), ("CLOSE".into(), 0, false));
    assert_eq!(shape("R1"), ("CLOSE".into(), 1, true));
    assert_eq!(shape("R2"), ("CLOSE".into(), 0, true));
    assert_eq!(shape("R3"), ("SUSPEND".into(), 1, false));
    assert_eq!(shape("R4"), ("PROCESS".into(), 0, false));
}

#[test]
fn v2_13_special_needs_an_entrusted_task() {
    let mut w = world();
    let special = with(with(order("R", "5.00"), "tax_mode", json!("SPECIAL")), "task_id", json!("2"));
    w.done(Operation::CreateOrderV2, special);
    w.wait(120);
    let view = w.query("R");
    assert_eq!(
        (remits(&view).len(), view["task_id"].as_str(), view["tax_mode"].as_str()),
        (1, Some("2"), Some("SPECIAL"))
    );
}

#[test]
fn cancel_closes_the_remit_and_gives_the_quota_back() {
    let mut w = world();
    let ids = w.ready("R1", "100.00");
    assert_eq!(w.held(), "100.00");
    assert_eq!(w.confirm(&ids[0], "CANCEL"), "0");
    assert_eq!(w.remit_status("R1"), ["CLOSE"], "the same word as levied and as auto-closed (P15)");
    assert_eq!(w.held(), "0.00");
    let truth = w.ledger();
    assert_eq!(truth.remits[0].ended, Some(Ended::Cancelled));
    assert_eq!(truth.places[0].placed.to_string(), "0.00");
}

#[test]
fn unconfirmed_orders_close_after_72_hours_with_a_notice() {
    let mut w = world_with(|c| c.timings.closing_job = crate::Span(0, 0));
    let ids = w.ready("R1", "100.00");
    let before = w.hours(71);
    assert!(before.is_empty());
    assert_eq!(w.remit_status("R1"), ["ACCEPT"]);
    let letters = w.hours(1);
    assert_eq!(names(&letters), ["CLOSE_ORDER_NOTICE"]);
    let data = letter(&letters[0])["data"].clone();
    assert_eq!((data["request_id"].as_str(), data["tax_agent_location_id"].as_str()), (Some("R1"), Some("2001")));
    assert_eq!((data["remit_status"].as_str(), data["close_reason"].as_str()), (Some("CLOSE"), Some("超时自动关单")));
    assert!(data.get("order_id").is_none(), "it carries no order id (P41)");
    assert!(data["close_time"].is_string());
    assert_eq!(w.remit_status("R1"), ["CLOSE"]);
    assert_eq!(w.held(), "0.00");
    assert_eq!(w.confirm(&ids[0], "CONTINUE"), "1410");
    assert_eq!(w.ledger().remits[0].ended, Some(Ended::AutoClosed));
}

#[test]
fn a_confirmed_remit_is_not_auto_closed_though_its_brother_is() {
    let mut w = world();
    let ids = w.ready("R1", "20000.00");
    assert_eq!(ids.len(), 2);
    assert_eq!(w.confirm(&ids[0], "CONTINUE"), "0");
    let letters = w.hours(73);
    assert_eq!(names(&letters), ["CLOSE_ORDER_NOTICE"], "one notice, for the second place");
    assert_eq!(letter(&letters[0])["data"]["tax_agent_location_id"], "2002");
    let ends: Vec<_> = w.ledger().remits.iter().map(|remit| remit.ended).collect();
    assert!(ends.contains(&Some(Ended::Levied)) && ends.contains(&Some(Ended::AutoClosed)));
}

#[test]
fn another_clients_order_is_not_there() {
    let mut w = world();
    w.sim.set_client(Client { client_key: "client-b".into(), secret: "b".into(), callback_url: None });
    let ids = w.ready("R1", "1.00");
    let as_b = |w: &mut World, operation: Operation, data: Value| {
        let req = json!({ "name": operation.name(), "client_key": "client-b", "timestamp": w.now.beijing().to_string(), "data": data });
        let reply = w.send(operation.path(), &req.to_string(), "b");
        serde_json::from_slice::<Value>(&reply.answer().unwrap().body).unwrap()["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(as_b(&mut w, Operation::QueryOrderV2, json!({ "request_id": "R1" })), "1404");
    let confirm = json!({ "order_id": ids[0], "arising_time": w.now.beijing().to_string(), "next_step": "CANCEL" });
    assert_eq!(as_b(&mut w, Operation::ConfirmOrderV2, confirm), "1404");
}
