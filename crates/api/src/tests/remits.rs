//! Remits: may it be paid, what became of it.

use super::{World, order};
use crate::Role;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn paid(permit: &Value, serial: &str) -> Value {
    json!({"permit_id": permit["permit_id"], "outcome": "paid", "amount": permit["amount"], "paid_at": "2026-01-05T10:01:00+08:00",
        "bank_serial": serial, "bank_order_no": permit["bank_order_no"], "payee_bankcard_no": permit["payee"]["bankcard_no"]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn story5_a_payer_learns_that_it_may_pay_and_until_when() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let permit = world.permit(&remit).await;
    for field in ["permit_id", "remit_id", "provider_order_id", "attempt", "bank_order_no", "amount", "pay_before"] {
        assert!(!permit[field].is_null(), "{field}: {permit}");
    }
    assert_eq!(permit["payee"], json!({"name": "张三", "bankcard_no": "6222000000000000004"}));
    let acts = world.engine.store.acts("default", 10).await.unwrap();
    assert!(acts.iter().any(|act| act.what == "permit.payee_revealed"));
    let _driver = world.driver();
    let path = format!("/v1/remits/{remit}");
    assert_eq!(world.post(&format!("{path}/pay-permit"), json!({})).await.expect(409).code(), "permit_live");
    assert_eq!(world.post(&format!("{path}/cancel"), json!({})).await.expect(409).code(), "permit_live");
    let order_id = world.remit(&remit).await["order_id"].as_str().unwrap().to_owned();
    assert_eq!(world.post(&format!("/v1/orders/{order_id}/cancel"), json!({})).await.expect(409).code(), "permit_live");
    for _ in 0..2 {
        let answer = world.post(&format!("{path}/payout-results"), paid(&permit, "BK-1")).await.expect(202).json();
        assert_eq!(answer["accepted"], true);
    }
    // The driver beside us may hold the turn that hears the report.
    let mut shown = world.remit(&remit).await;
    for _ in 0..50 {
        if !shown["decision"].is_null() {
            break;
        }
        world.pass(20).await;
        shown = world.remit(&remit).await;
    }
    assert_eq!(shown["evidence"]["bank_serial"], "BK-1", "{shown}");
    assert_eq!(shown["decision"]["next_step"], "CONTINUE", "{shown}");
    assert_eq!(shown["arising_time"], "2026-01-05T10:01:00.000+08:00");
    assert_eq!(world.post(&format!("{path}/pay-permit"), json!({})).await.expect(409).code(), "decided");
    assert_eq!(world.post(&format!("{path}/cancel"), json!({})).await.expect(409).code(), "decided");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_provider_gives_no_permit_and_the_same_key_asks_again() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let _driver = world.driver();
    let path = format!("/v1/remits/{remit}/pay-permit");
    world.far.dead.store(true, Ordering::SeqCst);
    let refused = world.keyed("once", &path, json!({})).await.expect(503);
    assert!(["provider_unreachable", "timeout"].contains(&refused.code().as_str()), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    world.far.dead.store(false, Ordering::SeqCst);
    world.pass(120).await;
    let permit = world.keyed("once", &path, json!({})).await.expect(201).json();
    assert_eq!(
        world.keyed("once", &path, json!({})).await.expect(201).json(),
        permit,
        "and collects the same answer for ever"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_that_nobody_waited_for_is_collected_by_its_key() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let path = format!("/v1/remits/{remit}/pay-permit");
    assert_eq!(world.keyed("late", &path, json!({})).await.expect(503).code(), "timeout");
    world.pass(10).await;
    let permit = world.keyed("late", &path, json!({})).await.expect(201).json();
    assert_eq!(permit["attempt"], 1, "one question, one permit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_checked_before_they_are_kept() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let permit = world.permit(&remit).await;
    let path = format!("/v1/remits/{remit}/payout-results");
    let report = |change: Value| {
        let mut body = paid(&permit, "BK-1");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        world.post(&path, body)
    };
    for (change, fault) in [
        (json!({"paid_at": null}), "paid_at: missing"),
        (json!({"bank_serial": null}), "bank_serial: missing"),
        (json!({"amount": null}), "amount: missing"),
        (json!({"amount": "12"}), "amount: amount_format"),
        (json!({"paid_at": "yesterday"}), "paid_at: time_format"),
        (json!({"bank_serial": "x".repeat(65)}), "bank_serial: length"),
        (json!({"bank_order_no": "another"}), "bank_order_no: bank_order_mismatch"),
        (json!({"voucher_pdf": "bm8gcGRm"}), "voucher_pdf: voucher_pdf"),
        (json!({"outcome": "maybe"}), "outcome: not_allowed"),
    ] {
        assert_eq!(report(change).await.expect(400).faults(), [fault]);
    }
    let other = json!({"permit_id": "0196b1c2-0000-7000-8000-000000000001"});
    assert_eq!(report(other).await.expect(404).code(), "unknown_permit");
    assert_eq!(world.remit(&remit).await["state"], "permitted", "nothing was kept");
    report(json!({"payee_bankcard_no": "4111111111111111"})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let shown = world.remit(&remit).await;
    assert_eq!(
        (shown["state"].as_str(), shown["evidence"].is_null()),
        (Some("payout_in_doubt"), true),
        "another payee is no evidence"
    );
    assert!(shown["case_id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_permit_comes_back_and_after_unknown_it_does_not() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let attest = format!("/v1/remits/{remit}/attest-not-paid");
    let first = world.permit(&remit).await;
    let body = json!({"permit_id": first["permit_id"], "reason": "the run was stopped"});
    world.post(&attest, body.clone()).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.remit(&remit).await["state"], "open");
    let second = world.permit(&remit).await;
    assert_eq!(second["attempt"], 2);
    let unknown = json!({"permit_id": second["permit_id"], "outcome": "unknown"});
    world.post(&format!("/v1/remits/{remit}/payout-results"), unknown).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let body = json!({"permit_id": second["permit_id"], "reason": "we think not"});
    assert_eq!(world.post(&attest, body).await.expect(409).code(), "in_doubt");
    assert_eq!(world.post(&format!("/v1/remits/{remit}/cancel"), json!({})).await.expect(409).code(), "in_doubt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unpaid_remit_is_cancelled() {
    let world = World::new().await;
    let (order_id, remit) = world.ready("A-1", 1).await;
    world.post(&format!("/v1/remits/{remit}/cancel"), json!({})).await.expect(202);
    world.pass(20).await;
    assert_eq!(world.remit(&remit).await["state"], "cancelled");
    let shown = world.get(&format!("/v1/orders/{order_id}")).await.json();
    assert_eq!((shown["state"].as_str(), shown["outcome"].as_str()), (Some("settled"), Some("cancelled")));
    world.post(&format!("/v1/orders/{order_id}/replace"), json!({"business_key": "A-2"})).await.expect(201);
    assert_eq!(world.get("/v1/remits?state=cancelled").await.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_permits_of_a_batch_are_asked_for_at_once() {
    let world = World::new().await;
    let orders: Vec<Value> = (1..=3).map(|n| order(&format!("B-{n}"), n)).collect();
    let batch = world.post("/v1/batches", json!({"orders": orders})).await.expect(201).id();
    let _driver = world.driver();
    world.call(Role::Approver, "POST", &format!("/v1/batches/{batch}/approve"), json!({})).await.expect(202);
    world.post(&format!("/v1/batches/{batch}/release"), json!({})).await.expect(202);
    for _ in 0..100 {
        world.pass(10).await;
        if world.get("/v1/orders?state=ready").await.json()["items"].as_array().unwrap().len() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let path = format!("/v1/batches/{batch}/pay-permits");
    let first = world.post(&format!("{path}?limit=2"), json!({})).await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2, "{first}");
    assert!(
        first["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["status"] == 201 && item["permit"]["bank_order_no"].is_string())
    );
    let next = format!("{path}?cursor={}", first["next_cursor"].as_str().unwrap());
    let second = world.post(&next, json!({})).await.expect(200).json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null), "{second}");
}
