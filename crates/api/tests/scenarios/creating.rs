//! P01–P12: creating the levy order.

use crate::world::*;
use domain::Money;
use serde_json::{Value, json};
use simulator::ledger::Effect;
use simulator::{CallFault, CloseAs, Operation};

/// Fen of the persons' quota that the provider holds at present.
fn held(w: &World) -> i64 {
    w.ledger().quota.iter().map(|quota| quota.held.fen()).sum()
}

pub(crate) async fn p01_create_retry_new_request_id(db: Db) -> World {
    let w = World::new(db).await;
    // Given a CREATE that is lost on the way, and a client who asks again.
    w.provider_will(Operation::CreateOrderV2, CallFault::DropBefore);
    let order = w.asks("A-1").await;
    w.settle().await;
    let again = w.post("/v1/orders", ask("A-1", 1)).await.expect(200).json();
    // Then it is the same order, in doubt, and nothing goes again inside the quarantine.
    assert_eq!(text(&again["request_id"]), order.request_id);
    w.run(minutes(4)).await;
    assert_eq!(w.order_state(&order).await, "create_in_doubt");
    assert_eq!(w.arrivals(Operation::CreateOrderV2).len(), 1);
    // And after two probes that do not find it, the identical call goes again.
    w.until_order(&order, "ready").await;
    let sends = w.arrivals(Operation::CreateOrderV2);
    assert_eq!(sends.len(), 2);
    assert_eq!((&sends[0].id, &sends[0].facts), (&sends[1].id, &sends[1].facts), "word for word");
    assert_eq!(w.created(), 1);
    w
}

pub(crate) async fn p02_query_not_found_while_create_in_flight(db: Db) -> World {
    let w = World::with(db, |setup| {
        (setup.far.faults.slow_ms, setup.far.faults.late_seconds) = (10, 200);
    })
    .await;
    // Given a CREATE that lies about somewhere and is carried out minutes later.
    w.provider_will(Operation::CreateOrderV2, CallFault::Late);
    let late = w.asks("A-1").await;
    w.settle().await;
    assert_eq!(w.order_state(&late).await, "create_in_doubt", "not found, and not failed");
    w.until_order(&late, "ready").await;
    let sent = w.arrivals(Operation::CreateOrderV2).iter().filter(|call| call.effect == Effect::Nothing).count();
    assert_eq!((sent, w.ledger().orders.len()), (1, 1), "sent once, made once");
    // And one that was made at once, but queries read a copy that is three minutes old.
    w.switch(|switches| switches.query_lag_seconds = 180);
    w.provider_will(Operation::CreateOrderV2, CallFault::DropAfter);
    let lagging = w.asks_for(ask("A-2", 2)).await;
    w.run(minutes(2)).await;
    assert_eq!(w.order_state(&lagging).await, "create_in_doubt");
    w.until_order(&lagging, "ready").await;
    assert_eq!(w.ledger().orders.len(), 2);
    w
}

pub(crate) async fn p03_create_system_failure_after_apply(db: Db) -> World {
    let w = World::new(db).await;
    // 0001 after it was done, 0001 before, and a code of no table: all of them doubts.
    w.provider_will(Operation::CreateOrderV2, CallFault::SystemFailureAfter);
    let done = w.asks("A-1").await;
    w.settle().await;
    w.provider_will(Operation::CreateOrderV2, CallFault::SystemFailureBefore);
    let lost = w.asks_for(ask("A-2", 2)).await;
    w.settle().await;
    w.provider_refuses(Operation::CreateOrderV2, "7777");
    let strange = w.asks_for(ask("A-3", 3)).await;
    w.settle().await;
    assert_eq!(w.order_state(&lost).await, "create_in_doubt");
    assert_eq!(w.order_state(&strange).await, "create_in_doubt");
    for order in [&done, &lost, &strange] {
        w.until_order(order, "ready").await;
    }
    assert_eq!(w.ledger().orders.len(), 3, "each exists once");
    // A printed refusal is definite, once a query has not shown the order.
    w.provider_refuses(Operation::CreateOrderV2, "1010");
    let refused = w.asks_for(ask("A-4", 4)).await;
    w.until_order(&refused, "rejected").await;
    let last = w.ledger().calls.last().cloned().unwrap();
    assert_eq!((last.operation.as_str(), last.id.as_str()), ("QUERY_ORDER_V2", refused.request_id.as_str()));
    w
}

pub(crate) async fn p04_response_signature_bad(db: Db) -> World {
    let w = World::new(db).await;
    // Given a CREATE that was carried out, and answers that nobody can have signed.
    w.provider_will(Operation::CreateOrderV2, CallFault::BadSignature);
    w.provider_will(Operation::QueryOrderV2, CallFault::BadSignature);
    w.provider_will(Operation::QueryOrderV2, CallFault::MissingSignature);
    let order = w.asks("A-1").await;
    w.settle().await;
    // Then neither success nor failure is believed.
    assert_eq!(w.order_state(&order).await, "create_in_doubt");
    w.run(seconds(5)).await;
    assert_eq!(w.order_state(&order).await, "create_in_doubt", "an unsigned query shows nothing");
    w.until_order(&order, "ready").await;
    assert_eq!(w.arrivals(Operation::CreateOrderV2).len(), 1, "found by a signed answer, never sent again");
    w
}

pub(crate) async fn p05_profit_and_pay_amount_exclusive(db: Db) -> World {
    let w = World::new(db).await;
    let with = |key: &str, n, net: Value, gross: Value| {
        let mut body = ask(key, n);
        (body["net"], body["gross"]) = (net, gross);
        body
    };
    let both = w.post("/v1/orders", with("A-1", 1, json!("100.00"), json!("106.00"))).await.expect(400);
    assert_eq!(both.faults(), ["gross: net_or_gross"]);
    let neither = w.post("/v1/orders", with("A-1", 1, Value::Null, Value::Null)).await.expect(400);
    assert_eq!(neither.faults(), ["net: net_or_gross"]);
    let net = w.asks_for(with("A-1", 1, json!("100.00"), Value::Null)).await;
    let gross = w.asks_for(with("A-2", 2, Value::Null, json!("106.00"))).await;
    w.until_order(&net, "ready").await;
    w.until_order(&gross, "ready").await;
    for call in w.arrivals(Operation::CreateOrderV2) {
        let sums = (fact(&call, "profit"), fact(&call, "pay_amount"));
        assert_eq!(sums, if call.id == net.request_id { ("100.00", "") } else { ("", "106.00") });
    }
    // Who asked for 106.00 gross has 100.00 paid, at this place's fee of 6 %.
    assert_eq!(w.remits(&gross).await[0].amount.to_string(), "100.00");
    w
}

pub(crate) async fn p06_split_sum_gate(db: Db) -> World {
    let w = World::new(db).await;
    // An honest split: each remit is paid its own amount, together what was asked.
    let (_, here, there) = w.ready_split("A-1").await;
    assert_eq!(Money::sum([here.amount, there.amount]), Some(Money::parse("20000.00").unwrap()));
    for remit in [&here, &there] {
        w.pays(remit).await;
        w.until_remit(remit, "levied").await;
    }
    // One that does not add up is not paid before two persons have accepted it.
    w.order_closes(CloseAs::WrongSum);
    let sum = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&sum, "ready").await;
    let remit = w.remits(&sum).await.remove(0);
    assert_eq!(w.refused(&remit).await, "quote_mismatch");
    w.two_persons_decide("quote_mismatch", "accept_remits", None).await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    // One whose fees do not add up is given up.
    w.order_closes(CloseAs::WrongFee);
    let fee = w.asks_for(ask("A-3", 3)).await;
    w.until_order(&fee, "ready").await;
    let remit = w.remits(&fee).await.remove(0);
    assert_eq!(w.refused(&remit).await, "quote_mismatch");
    w.two_persons_decide("quote_mismatch", "cancel_each", None).await;
    w.until_remit(&remit, "cancelled").await;
    assert_eq!(w.paid(), 3);
    w
}

pub(crate) async fn p07_orphan_order_holds_quota(db: Db) -> World {
    let w = World::new(db).await;
    // Given a worker that dies when the provider has accepted the order: the person's quota is held.
    let order = w.asks("A-1").await;
    w.die_during(Operation::CreateOrderV2).await;
    assert_eq!(held(&w), 123_450);
    // When nobody wants the order any more.
    w.post(&format!("/v1/orders/{}/cancel", order.id), json!({})).await.expect(202);
    w.lease_ends().await;
    let begun = w.now();
    w.until_order(&order, "settled").await;
    // Then it is found by its request id, its remits are cancelled at once, and the quota is free long before 72 h.
    assert!(w.now().since(begun) < minutes(10));
    assert_eq!((w.order(&order).await["outcome"].clone(), held(&w)), (json!("cancelled"), 0));
    assert_eq!((w.created(), w.decided("CANCEL")), (1, 1));
    // One that is wanted is found the same way, and goes on.
    let wanted = w.asks_for(ask("A-2", 2)).await;
    w.die_during(Operation::CreateOrderV2).await;
    w.lease_ends().await;
    w.until_order(&wanted, "ready").await;
    assert_eq!(w.arrivals(Operation::CreateOrderV2).len(), 2);
    w
}

pub(crate) async fn p08_month_limit_race_one_person(db: Db) -> World {
    let limit = Money::parse("3000.00").unwrap();
    let w = World::with(db, |setup| setup.far.quotas.person_month = limit).await;
    // Given four orders of one person, of which the month's limit takes two, and two workers.
    let mut orders = Vec::new();
    for (n, net) in ["1200.00", "1200.01", "1200.02", "1200.03"].iter().enumerate() {
        let mut body = ask(&format!("A-{n}"), 1);
        body["net"] = json!(net);
        orders.push(w.asks_for(body).await);
    }
    let other = w.another_worker();
    tokio::join!(w.settle(), other.settle());
    w.run(hours(1)).await;
    // Then two are accepted, two are refused for good, and none is tried again.
    let mut states = Vec::new();
    for order in &orders {
        states.push(w.order_state(order).await);
    }
    states.sort();
    assert_eq!(states, ["ready", "ready", "rejected", "rejected"]);
    assert!(w.ledger().quota.iter().all(|quota| quota.held <= limit));
    assert_eq!((w.arrivals(Operation::CreateOrderV2).len(), w.created()), (4, 2));
    w
}

pub(crate) async fn p09_task_kind_mismatch_closes(db: Db) -> World {
    let w = World::new(db).await;
    // Given an order in the GENERAL mode for an entrusted task: the provider accepts it, and closes it later.
    let mut body = ask("A-1", 1);
    body["task_id"] = json!("2");
    let order = w.asks_for(body).await;
    w.until_order(&order, "rejected").await;
    let shown = w.order(&order).await;
    assert_eq!(shown["fail_reason"], "任务类型与开票模式不一致", "{shown}");
    w.run(hours(24)).await;
    assert_eq!((w.arrivals(Operation::CreateOrderV2).len(), held(&w)), (1, 0), "neither success nor tried again");
    // Its replacement is a new order, linked to it.
    let body = json!({ "business_key": "A-2", "task_id": "1" });
    let next = w.post(&format!("/v1/orders/{}/replace", order.id), body).await.expect(201).json();
    assert_eq!((text(&next["replaces"]), text(&next["state"])), (order.id.as_str(), "gated"));
    assert_ne!(text(&next["request_id"]), order.request_id);
    w
}

pub(crate) async fn p10_request_id_over_32(db: Db) -> World {
    // Given a provider that takes 32 characters and not one more.
    let w = World::with(db, |setup| setup.far.switches.uuid_request_ids = false).await;
    let long = "a business key of sixty-four characters, which says a great deal";
    let keys = ["1", "2", &long[..63], &long[..64]];
    let mut ids = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        let order = w.asks_for(ask(key, u32::try_from(n).unwrap())).await;
        w.until_order(&order, "ready").await;
        assert!(order.request_id.len() <= 32 && order.request_id.bytes().all(|b| b.is_ascii_alphanumeric()));
        ids.push(order.request_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "nothing is cut off, so nothing collides");
    w
}

pub(crate) async fn p11_long_name_with_middle_dot(db: Db) -> World {
    let w = World::new(db).await;
    let named = |key: &str, n, name: &str| {
        let mut body = ask(key, n);
        body["person"]["name"] = json!(name);
        body
    };
    // Ten characters are thirty bytes, and pass; the dot goes out as the ID card has it, however it was typed.
    for (n, name) in ["阿卜杜热合·曼买提江", "买买提•吐尔逊", "买买提．吐尔逊"].iter().enumerate()
    {
        let order = w.asks_for(named(&format!("A-{n}"), u32::try_from(n).unwrap(), name)).await;
        w.until_order(&order, "ready").await;
        let shown = w.provider_shows(&order).await;
        assert_eq!(text(&shown["name"]), name.replace(['•', '．'], "·"));
    }
    // Eleven are never cut: a person settles it with the provider.
    let long = w.asks_for(named("A-9", 9, "阿卜杜热合曼·买买提江艾")).await;
    w.until_order(&long, "needs_operator").await;
    assert_eq!(w.cases().await, ["name_too_long"]);
    w.run(hours(12)).await;
    assert_eq!(w.arrivals(Operation::CreateOrderV2).len(), 3, "it was not sent");
    w.two_persons_decide("name_too_long", "abandon", None).await;
    assert_eq!(w.order_state(&long).await, "cancelled");
    w
}

pub(crate) async fn p12_same_person_twice_in_batch(db: Db) -> World {
    let w = World::new(db).await;
    // Given a payday file with the same person, amount and task twice.
    let file = json!({ "orders": [ask("A-1", 1), ask("A-2", 1), ask("A-3", 3)] });
    let batch = text(&w.post("/v1/batches", file).await.expect(201).json()["id"]).to_owned();
    w.settle().await;
    w.post_as(Person::Wang, &format!("/v1/batches/{batch}/approve"), json!({})).await.expect(202);
    w.settle().await;
    w.post(&format!("/v1/batches/{batch}/release"), json!({})).await.expect(202);
    w.run(hours(1)).await;
    // Then the second one waits for a person.
    assert_eq!(w.all("/v1/orders?state=ready").await.len(), 2);
    let twin = w.all("/v1/orders?state=gated").await.remove(0);
    assert_eq!((text(&twin["hold"]), w.created()), ("suspected_duplicate", 2));
    // Who says that it is meant so.
    let reason = json!({ "reason": "two shifts on one day" });
    w.post_as(Person::Wang, &format!("/v1/orders/{}/release", text(&twin["id"])), reason).await.expect(202);
    w.run(hours(1)).await;
    assert_eq!((w.all("/v1/orders?state=ready").await.len(), w.created()), (3, 3));
    // A business key is used once, for ever: with the same content the order is found, with another it is refused.
    w.run(hours(60 * 24)).await;
    w.post("/v1/orders", ask("A-1", 1)).await.expect(200);
    assert_eq!(w.post("/v1/orders", ask("A-1", 4)).await.expect(409).code(), "business_key_conflict");
    w
}
