//! T01–T08: the decoding traps that concern orders, remits, callbacks and money.

use crate::world::files::{jpeg, page, pdf};
use crate::world::*;
use domain::Money;
use providers::olading::{Settings, settings::Algorithm};
use serde_json::{Value, json};
use simulator::ledger::Effect;
use simulator::switches::Judgement;
use simulator::{Location, Operation};

pub(crate) async fn t01_req_object_not_array(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    // What we send is an object, though the sample of the document wraps it in brackets: the provider takes nothing else.
    let arrived = w.ledger().calls;
    assert!(arrived.len() > 3 && arrived.iter().all(|call| call.effect != Effect::Refused), "{arrived:?}");
    // And what we take is an object: a list proves nothing, even well signed.
    let told = w.heard(&order).await.len();
    let data = json!({ "request_id": order.request_id, "status": "CLOSE" });
    let wrapped = json!([{ "name": "CREATE_ORDER_V2", "code": "0", "message": "", "data": data }]).to_string();
    assert_eq!(w.callback(signed(&wrapped)).await.expect(400).code(), "malformed");
    assert_eq!(w.heard(&order).await.len(), told);
    w
}

pub(crate) async fn t02_close_reason_two_spellings(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    w.run(seconds(1)).await;
    let told = w.heard(&order).await.len();
    // The sample writes close_reason, the table Close_reason: both are the same notice.
    for spelling in ["close_reason", "Close_reason"] {
        let mut data = json!({ "request_id": order.request_id, "remit_status": "CLOSE",
            "tax_agent_location_id": remit.location, "close_time": w.now().beijing().to_string() });
        data[spelling] = json!("超时自动关单");
        w.callback(callback("CLOSE_ORDER_NOTICE", &data)).await.expect(200);
    }
    let hints = w.heard(&order).await.split_off(told);
    assert_eq!(hints.len(), 2);
    assert_eq!(hints[0], hints[1]);
    // With the sample's trailing comma it is no JSON: not acknowledged, and not needed either, for looking finds the close.
    let comma =
        format!(r#"{{"name":"CLOSE_ORDER_NOTICE","code":"0","data":{{"request_id":"{}",}}}}"#, order.request_id);
    w.callback(signed(&comma)).await.expect(400);
    w.run(hours(80)).await;
    assert_eq!(w.state(&remit).await, "cancelled");
    w
}

pub(crate) async fn t03_ids_as_number_or_string(db: Db) -> World {
    let place = "18446744073709551615";
    let w = World::with(db, |setup| {
        setup.far.switches.ids_as_numbers = true;
        let agent = setup.far.catalogue.agents.get_mut("1001").unwrap();
        let month_cap = Money::parse("50000.00").unwrap();
        agent.locations.push(Location { id: place.into(), month_cap, fee_bp: 600, compensate_bp: 0 });
    })
    .await;
    // Given a provider that writes ids as numbers, one of them with twenty digits.
    let mut body = ask("A-1", 1);
    body["tax_agent_location_id"] = json!(place);
    let order = w.asks_for(body).await;
    w.until_order(&order, "ready").await;
    assert!(w.provider_shows(&order).await["remit_order_list"][0]["tax_agent_location_id"].is_number());
    let remit = w.remits(&order).await.remove(0);
    assert_eq!(remit.location, place, "digit by digit");
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    // Beyond what any machine word holds, and as text as well.
    let told = w.heard(&order).await.len();
    for id in ["99999999999999999999", r#""99999999999999999999""#] {
        let data =
            format!(r#"{{"request_id":"{}","remit_status":"CLOSE","tax_agent_location_id":{id}}}"#, order.request_id);
        let req = format!(r#"{{"name":"CLOSE_ORDER_NOTICE","code":"0","message":"","data":{data}}}"#);
        w.callback(signed(&req)).await.expect(200);
    }
    let hints = w.heard(&order).await.split_off(told);
    assert_eq!((hints.len(), &hints[0]), (2, &hints[1]));
    assert!(hints[0].to_string().contains("\"99999999999999999999\""), "{}", hints[0]);
    w
}

pub(crate) async fn t04_timestamp_seconds_or_millis(db: Db) -> World {
    // Given a provider that takes milliseconds only: all of ours have them.
    let w = World::with(db, |setup| setup.far.switches.seconds_timestamps = false).await;
    let (order, remit) = w.ready("A-1").await;
    assert!(w.ledger().calls.iter().all(|call| call.effect != Effect::Refused));
    // And notices with and without them: the same moment, read as Beijing's.
    w.run(seconds(1)).await;
    let told = w.heard(&order).await.len();
    let ms = w.now().beijing().to_string();
    let seconds = ms.split('.').next().unwrap().to_owned();
    assert_ne!(ms, seconds);
    for close_time in [ms, seconds] {
        let data = json!({ "request_id": order.request_id, "remit_status": "CLOSE",
            "tax_agent_location_id": remit.location, "close_time": close_time });
        w.callback(callback("CLOSE_ORDER_NOTICE", &data)).await.expect(200);
    }
    let hints = w.heard(&order).await.split_off(told);
    assert_eq!((hints.len(), &hints[0]), (2, &hints[1]));
    assert!(hints[0].to_string().contains(&w.now().to_string()), "{hints:?}");
    w
}

pub(crate) async fn t05_request_id_vs_order_id(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    // An order is made and asked for by our id, a remit is decided by the provider's, and the two are never mixed up.
    for call in w.ledger().calls {
        let decides = call.operation == Operation::ConfirmOrderV2.name();
        assert_eq!(call.id, if decides { remit.provider_order_id.clone() } else { order.request_id.clone() });
    }
    assert_ne!(order.request_id, remit.provider_order_id);
    let shown = w.remit(&remit).await;
    assert_eq!(
        (text(&shown["provider_order_id"]), text(&shown["order_id"])),
        (remit.provider_order_id.as_str(), order.id.as_str())
    );
    assert_ne!(w.get(&format!("/v1/remits/{}", remit.provider_order_id)).await.status, 200);
    w
}

pub(crate) async fn t06_hmac_algorithm_per_account(db: Db) -> World {
    let w = World::with(db, |setup| {
        let wrong = Settings { hmac_algorithm: Algorithm::HmacSHA512, ..setup.account.clone() };
        setup.other = Some(wrong);
    })
    .await;
    // Given two accounts, one of them with another algorithm than the provider's.
    let order = async |account: &str, n| {
        let mut body = ask(&format!("A-{n}"), n);
        body["account"] = json!(account);
        w.asks_for(body).await
    };
    let (good, bad) = (order(ACCOUNT, 1).await, order(OTHER, 2).await);
    w.until_order(&good, "ready").await;
    w.run(hours(2)).await;
    // Then each account keeps its own: one works, and what the other hears it cannot verify, so it believes neither yes nor no.
    assert_eq!((w.order_state(&bad).await.as_str(), w.created()), ("create_in_doubt", 1));
    w
}

pub(crate) async fn t07_gson_escaped_equals(db: Db) -> World {
    let w = World::new(db).await;
    let (order, _) = w.ready("A-1").await;
    let told = w.heard(&order).await.len();
    // Given a callback as Gson writes it, with the equals sign escaped: the signature is over these bytes and no others.
    let req = format!(
        r#"{{"name":"CREATE_ORDER_V2","code":"0","message":"a\u003db","data":{{"request_id":"{}","status":"CLOSE"}}}}"#,
        order.request_id
    );
    w.callback(signed(&req)).await.expect(200);
    assert_eq!(w.heard(&order).await.len(), told + 1);
    let anew = serde_json::from_str::<Value>(&req).unwrap().to_string();
    assert!(anew.contains("a=b"));
    w.callback(form(&anew, &sign(&req))).await.expect(400);
    w
}

pub(crate) async fn t08_fail_and_false(db: Db) -> World {
    let w = World::new(db).await;
    let (order, _) = w.ready("A-1").await;
    // Given callbacks of uploads with either word, about nothing that is ours: each is kept, and acknowledged.
    for word in ["FAIL", "FALSE", "SUCCESS"] {
        let about = |request_id: &str| json!({ "request_id": request_id, "contract_id": "C1", "status": word });
        for request_id in [order.request_id.as_str(), "0123456789abcdef0123456789abcdef"] {
            w.callback(callback("UPLOAD_TAXPAYER_AGREEMENT", &about(request_id))).await.expect(200);
        }
    }
    w.run(minutes(11)).await;
    let kept = w.engine.orphans().await.unwrap();
    assert_eq!(kept.len(), 3, "durable, each of them");
    assert_eq!(w.order_state(&order).await, "ready", "under an order's id they move nothing");
    // The answers of the uploads themselves: FALSE of a face, FAIL of an agreement.
    w.switch(|switches| switches.papers = Judgement::BadAtOnce);
    let frame = w.kept(1, "face_frame", &jpeg(&page(1200, 900, 40))).await;
    let face = w.submits(json!({ "document_ids": [frame] })).await;
    let agreement = w.submits_agreement(1, "C-1", &pdf("one")).await;
    w.settle().await;
    for submission in [&face, &agreement] {
        assert_eq!(w.submission_state(submission).await, "rejected", "not stored, and no text that is true");
    }
    w
}
