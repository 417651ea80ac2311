//! P38–P46: callbacks.

use crate::world::*;
use futures::future::join_all;
use serde_json::{Value, json};
use simulator::switches::Per;
use simulator::{CallFault, Operation, Span};
use std::collections::BTreeSet;
use store::testing::{self, Lost};
use workflows::policy::CancelNeverPermitted;

/// The order's result, as the provider announces it; `n` makes copies that differ.
fn result(order: &Order, n: usize) -> String {
    let data = json!({ "request_id": order.request_id, "status": "CLOSE", "remit_order_list": [] });
    signed(&json!({ "name": "CREATE_ORDER_V2", "code": "0", "message": format!("成功 {n}"), "data": data }).to_string())
}

pub(crate) async fn p38_crash_between_ack_and_commit(db: Db) -> World {
    let mut w = World::with(db, |setup| {
        (setup.far.timings.order, setup.far.timings.callback) = (Span(10, 10), Span(0, 0));
    })
    .await;
    let order = w.asks("A-1").await;
    w.settle().await;
    // Given a database that takes nothing while the callback comes, and no worker that drives.
    testing::lose_commits(&w.engine.store, 1000, Lost::RolledBack);
    w.sleep(seconds(11)).await;
    let told = |w: &World| w.ledger().callbacks.iter().map(|line| line.acknowledged).collect::<Vec<_>>();
    assert_eq!(told(&w), [Some(false)], "what is not durable is not acknowledged");
    testing::lose_commits(&w.engine.store, 0, Lost::RolledBack);
    assert!(w.heard(&order).await.is_empty());
    // When it comes again, it is durable first and acknowledged then; and the process dies at once.
    w.sleep(minutes(5)).await;
    assert_eq!(told(&w), [Some(false), Some(true)]);
    w.restart().await;
    // Then the next process finds it.
    assert_eq!(w.heard(&order).await.len(), 1);
    w.settle().await;
    assert_eq!(w.order_state(&order).await, "ready");
    w
}

pub(crate) async fn p39_concurrent_duplicate_callbacks(db: Db) -> World {
    let w = World::new(db).await;
    w.mute_callbacks(true);
    let order = w.asks("A-1").await;
    w.settle().await;
    w.sleep(minutes(2)).await;
    // Given the same callback sixteen times at once, four others like it, and two workers.
    let copies = (0..20).map(|n| w.callback(result(&order, if n < 16 { 0 } else { n })));
    for answer in join_all(copies).await {
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"SUCCESS".as_slice()));
    }
    assert_eq!(w.heard(&order).await.len(), 5, "copies are one");
    let worker = w.another_worker();
    tokio::join!(w.settle(), worker.settle());
    assert_eq!((w.order_state(&order).await.as_str(), w.remits(&order).await.len()), ("ready", 1));
    assert_eq!((w.created(), w.sent("CONTINUE"), w.sent("CANCEL")), (1, 0, 0));
    w
}

pub(crate) async fn p40_callback_before_create_response(db: Db) -> World {
    let w = World::new(db).await;
    w.slow(seconds(1));
    // Given a result that overtakes the answer to its CREATE: its request id is known all the same.
    w.provider_will(Operation::CreateOrderV2, CallFault::CallbackFirst);
    let order = w.asks("A-1").await;
    w.settle().await;
    assert_eq!(w.heard(&order).await.len(), 1, "it was kept for its order");
    assert_eq!(w.order_state(&order).await, "ready", "and acted upon, with no second to pass");
    // And one for an id that nobody has: kept, acknowledged, and told to people.
    let stranger = Order { id: String::new(), request_id: "R202601050000000009".into() };
    let answer = w.callback(result(&stranger, 0)).await.expect(200);
    assert_eq!(answer.body, b"SUCCESS");
    w.run(minutes(11)).await;
    let orphans = w.engine.orphans().await.unwrap();
    assert_eq!(orphans.iter().map(|orphan| orphan.address.as_str()).collect::<Vec<_>>(), ["main/R202601050000000009"]);
    assert_eq!(w.created(), 1);
    w
}

pub(crate) async fn p41_close_notice_ambiguous_location(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.cancel_never_permitted = CancelNeverPermitted::Never;
        setup.far.switches.close_notice = Per::Order;
    })
    .await;
    let (order, here, there) = w.ready_split("A-1").await;
    // Given notices that name one place, a place of no remit, and none at all: everybody looks, nobody moves.
    for place in [json!(here.location), json!("9999"), Value::Null] {
        let looks = w.arrivals(Operation::QueryOrderV2).len();
        let data = json!({ "request_id": order.request_id, "remit_status": "CLOSE", "tax_agent_location_id": place,
            "close_time": w.now().beijing().to_string(), "close_reason": "" });
        w.callback(callback("CLOSE_ORDER_NOTICE", &data)).await.expect(200);
        w.run(minutes(1)).await;
        let all = if place == here.location { 1 } else { 2 };
        assert!(w.arrivals(Operation::QueryOrderV2).len() >= looks + all, "{place}: the remits meant are looked at");
        assert_eq!((w.state(&here).await.as_str(), w.state(&there).await.as_str()), ("open", "open"));
    }
    // When one is paid and levied, and the other is closed after 72 h with a single notice for the order.
    w.pays(&here).await;
    w.run(hours(74)).await;
    assert_eq!((w.state(&here).await.as_str(), w.state(&there).await.as_str()), ("levied", "auto_closed_unpaid"));
    assert_eq!(w.order(&order).await["outcome"], "partly_levied");
    w
}

pub(crate) async fn p42_callbacks_muted(db: Db) -> World {
    let w = World::with(db, |setup| setup.policy.cancel_never_permitted = CancelNeverPermitted::Never).await;
    // Given a provider that never calls back.
    w.mute_callbacks(true);
    let (paid_order, paid) = w.ready("A-1").await;
    let idle_order = w.asks_for(ask("A-2", 2)).await;
    let mut bad = ask("A-3", 3);
    bad["task_id"] = json!("2");
    let bad_order = w.asks_for(bad).await;
    w.pays(&paid).await;
    // Then the schedule alone ends every order, the one that is closed after 72 h as well.
    w.run(hours(90)).await;
    let outcome = async |order: &Order| text(&w.order(order).await["outcome"]).to_owned();
    assert_eq!(outcome(&paid_order).await, "levied");
    assert_eq!(outcome(&idle_order).await, "closed");
    assert_eq!(outcome(&bad_order).await, "rejected");
    assert!(w.ledger().callbacks.is_empty());
    w
}

pub(crate) async fn p43_forged_registration_callback(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let (looks, before) = (w.arrivals(Operation::QueryOrderV2).len(), w.remit(&remit).await);
    let already = w.heard(&order).await.len();
    // Given callbacks that prove nothing: another key's, somebody else's bytes, none, our own request sent back.
    let registered = json!({ "name": "SIGN_UP", "code": "0", "message": "", "data": { "status": "SIGN" } }).to_string();
    let closed = notice(&order, &remit.location, w.now());
    let (true_sign, mine) =
        (sign(&registered), json!({ "name": "CREATE_ORDER_V2", "client_key": "sim-client", "data": {} }));
    let forged = [
        form(&registered, &sign("other bytes")),
        form(&registered.replace("SIGN\"", "UN_SIGN\""), &true_sign),
        form(&registered, ""),
        closed.replace("sign=", "sign=A"),
        signed(&mine.to_string()),
    ];
    for body in forged {
        let answer = w.callback(body).await.expect(400);
        assert!(!answer.text().contains("SUCCESS"));
    }
    // Then nothing was kept, nobody looked, nothing moved.
    w.settle().await;
    assert_eq!((w.heard(&order).await.len(), w.arrivals(Operation::QueryOrderV2).len()), (already, looks));
    assert_eq!(w.remit(&remit).await, before);
    // Even a good signature only makes us ask: the provider's own answer decides.
    w.callback(closed).await.expect(200);
    w.settle().await;
    assert_eq!((w.arrivals(Operation::QueryOrderV2).len(), w.state(&remit).await.as_str()), (looks + 1, "open"));
    w
}

pub(crate) async fn p44_ack_bytes_exact(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let stranger = Order { id: String::new(), request_id: "R1".into() };
    let taken = [
        result(&order, 1),
        result(&order, 1),
        notice(&order, &remit.location, w.now()),
        result(&stranger, 1),
        callback("SIGN_UP", &json!({})),
    ];
    for body in taken {
        let answer = w.callback(body).await.expect(200);
        assert_eq!(answer.body, b"SUCCESS", "seven bytes: no quotes, no newline, no JSON");
        assert!(answer.content_type.starts_with("text/plain"));
    }
    assert!(w.ledger().callbacks.iter().all(|line| line.acknowledged == Some(true)), "as the provider reads it");
    w
}

pub(crate) async fn p45_form_plus_and_raw_req(db: Db) -> World {
    let w = World::new(db).await;
    let (order, _) = w.ready("A-1").await;
    // Given a signature with a plus in it.
    let req = |n: usize| {
        let data = json!({ "request_id": order.request_id, "status": "CLOSE", "remark": "1 + 1 = 2 & more" });
        json!({ "name": "CREATE_ORDER_V2", "code": "0", "message": n.to_string(), "data": data }).to_string()
    };
    let plus = (0..).map(req).find(|req| sign(req).contains('+')).unwrap();
    // Then it is taken when it was encoded as the form wants it, in either order of the parts.
    let encoded = form(&plus, &sign(&plus));
    assert!(encoded.contains("%2B"));
    w.callback(encoded.clone()).await.expect(200);
    let (first, second) = encoded.split_once('&').unwrap();
    w.callback(format!("{second}&{first}")).await.expect(200);
    // And refused when the plus was left as it is, which is a space, or when the JSON was written anew.
    let raw = encoded.replace("%2B", "+");
    assert_eq!(w.callback(raw).await.expect(400).code(), "bad_signature");
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&plus).unwrap()).unwrap();
    assert_eq!(w.callback(form(&pretty, &sign(&plus))).await.expect(400).code(), "bad_signature");
    w.callback(signed(&pretty)).await.expect(200);
    w
}

pub(crate) async fn p46_callback_flood_after_outage(db: Db) -> World {
    const ORDERS: u32 = 20;
    const COPIES: usize = 15;
    let w = World::new(db).await;
    w.mute_callbacks(true);
    // Given twenty orders whose results come all at once, fifteen letters each, while our workers are away.
    let mut orders = Vec::new();
    for n in 0..ORDERS {
        orders.push(w.asks_for(ask(&format!("A-{n}"), n)).await);
    }
    w.settle().await;
    w.sleep(hours(2)).await;
    let looks = w.arrivals(Operation::QueryOrderV2).len();
    let flood = (0..COPIES).flat_map(|n| orders.iter().map(move |order| result(order, n)));
    let answers = join_all(flood.map(|body| w.callback(body))).await;
    assert_eq!(answers.len(), 300);
    assert!(answers.iter().all(|answer| (answer.status, answer.body.as_slice()) == (200, b"SUCCESS")));
    // Then all of them are kept, and each order asks once for all of its letters.
    w.settle().await;
    for order in &orders {
        assert_eq!((w.order_state(order).await.as_str(), w.heard(order).await.len()), ("ready", COPIES));
    }
    assert_eq!(w.arrivals(Operation::QueryOrderV2).len() - looks, orders.len());
    assert_eq!(orders.iter().map(|order| &order.request_id).collect::<BTreeSet<_>>().len(), w.created());
    w
}
