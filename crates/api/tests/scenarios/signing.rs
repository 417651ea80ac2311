//! P47–P51: sign-ups, their silences, and what a person decides; and the orders that wait for them.

use crate::documents::sides;
use crate::world::*;
use domain::{Money, Time};
use serde_json::{Value, json};
use simulator::switches::Judgement;
use simulator::{CallFault, Operation, Span};
use std::collections::BTreeSet;
use workflows::policy::SignUpKind;

/// An invitation of the n-th person by the first party.
pub(crate) fn invitation(kind: &str, n: u32) -> Value {
    let order = ask("-", n);
    json!({ "kind": kind, "person": order["person"], "tax_agent_parent_id": "1001", "credit_code": "91110000MA00000000" })
}

/// Everybody who signs does so after this time.
fn signs_after(setup: &mut Setup, seconds: u64) {
    setup.far.timings.person = Span(seconds, seconds);
}

const HOUR: u64 = 3600;

pub(crate) async fn p47_sync_sign_silent_failure(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.switches.sync_sign_silent_per_mille = 1000).await;
    // Given a person who never signs, and a provider that then says nothing.
    let invited = w.post("/v1/sign-ups", invitation("sync_sign", 1)).await.expect(201).json();
    w.run(hours(24) + minutes(55)).await;
    assert_eq!(w.sign_up_state(&invited).await, "waiting", "the grace is not over");
    // Then the clock says so, and it is listed for a new invitation.
    w.run(minutes(10)).await;
    assert_eq!(w.sign_up_state(&invited).await, "not_signed");
    let listed = w.all("/v1/sign-ups?state=not_signed").await;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &invited["id"]));
    // And a person invites again, once, under another id.
    w.switch(|switches| switches.sync_sign_silent_per_mille = 0);
    let path = format!("/v1/sign-ups/{}/invite-again", text(&invited["id"]));
    let again = w.post(&path, json!({})).await.expect(201).json();
    let same = w.post(&path, json!({})).await.expect(200).json();
    assert_eq!((&again["id"], &again["again_of"]), (&same["id"], &invited["id"]));
    assert_ne!(again["request_id"], invited["request_id"]);
    w.run(hours(2)).await;
    assert_eq!(w.sign_up_state(&again).await, "signed");
    let refused = w.post(&format!("/v1/sign-ups/{}/invite-again", text(&again["id"])), json!({})).await;
    assert_eq!(refused.expect(409).json()["code"], "not_failed");
    assert_eq!(w.arrivals(Operation::SyncSign).len(), 2);
    w
}

pub(crate) async fn p48_un_sign_before_24h(db: Db) -> World {
    let w = World::with(db, |setup| signs_after(setup, 20 * HOUR)).await;
    // Given a person who takes 20 hours, while every query says UN_SIGN.
    let invited = w.post("/v1/sign-ups", invitation("sign_up", 1)).await.expect(201).json();
    w.run(hours(19)).await;
    assert!(w.arrivals(Operation::QuerySignUpBatch).len() > 3, "it looks");
    assert_eq!(w.sign_up_state(&invited).await, "waiting", "not signed is not yet");
    // Then there is no second contract, and the signature is taken.
    w.run(hours(5)).await;
    assert_eq!(w.sign_up_state(&invited).await, "signed");
    assert_eq!(w.arrivals(Operation::SignUp).len(), 1);
    w
}

pub(crate) async fn p49_already_signed_no_callback(db: Db) -> World {
    let w = World::with(db, |setup| signs_after(setup, 60)).await;
    // Given a person who has signed before, outside of levee.
    let invitation = invitation("sign_up", 1);
    let data = json!({
        "id_card": invitation["person"]["id_card"], "name": "张三", "cellphone": "13800000001", "bankcard_no": CARD,
        "tax_agent_parent_id": 1001, "credit_code": "91110000MA00000000",
    });
    w.provider_is_asked(Operation::SignUp, data).await;
    w.run(minutes(2)).await;
    let (looks, callbacks) = (w.arrivals(Operation::QuerySignUpBatch).len(), w.ledger().callbacks.len());
    // Then the answer is the end: nobody waits for a callback that never comes.
    let invited = w.post("/v1/sign-ups", invitation).await.expect(201).json();
    w.settle().await;
    assert_eq!(w.sign_up_state(&invited).await, "signed");
    assert_eq!(w.arrivals(Operation::QuerySignUpBatch).len(), looks);
    assert_eq!(w.ledger().callbacks.len(), callbacks);
    w
}

pub(crate) async fn p50_sign_up_without_request_id(db: Db) -> World {
    let w = World::with(db, |setup| signs_after(setup, 6 * HOUR)).await;
    // Given an invitation whose answer is lost, and a client who asks again.
    w.provider_will(Operation::SignUp, CallFault::DropAfter);
    let invited = w.post("/v1/sign-ups", invitation("sign_up", 1)).await.expect(201).json();
    w.settle().await;
    let same = w.post("/v1/sign-ups", invitation("sign_up", 1)).await.expect(200).json();
    assert_eq!(invited["id"], same["id"], "one in flight");
    let mut other = invitation("sign_up", 1);
    other["person"]["cellphone"] = "13900000000".into();
    assert_eq!(w.post("/v1/sign-ups", other).await.expect(409).json()["code"], "sign_up_exists");
    w.run(minutes(4)).await;
    assert_eq!((w.sign_up_state(&invited).await.as_str(), w.arrivals(Operation::SignUp).len()), ("in_doubt", 1));
    // Then the identical call goes again after the quarantine, and one application stands.
    w.run(hours(1)).await;
    assert_eq!(w.sign_up_state(&invited).await, "waiting");
    let sends = w.arrivals(Operation::SignUp);
    assert_eq!((sends.len(), &sends[0].facts), (2, &sends[1].facts), "word for word");
    w.run(hours(12)).await;
    assert_eq!(w.sign_up_state(&invited).await, "signed");
    w
}

pub(crate) async fn p51_batch_501_and_missing_row(db: Db) -> World {
    const PEOPLE: u32 = 520;
    let w = World::with(db, |setup| signs_after(setup, 30)).await;
    // Given more people than one batch takes, whose callbacks say nothing that could be matched.
    w.switch(|switches| switches.sign_up_callback = false);
    let items: Vec<Value> = (1..=PEOPLE).map(|n| invitation("sign_up", n)).collect();
    let taken = w.post("/v1/sign-ups", json!({ "items": items })).await.expect(200).json();
    assert_eq!((&taken["created"], &taken["refused"]), (&json!(PEOPLE), &json!(0)));
    w.settle().await;
    // When the provider refuses a whole batch once, as it would for one wrong row.
    w.provider_refuses(Operation::QuerySignUpBatch, "0002");
    w.run(minutes(15)).await;
    // Then everybody is found, in a handful of calls, each under a number of its own.
    assert_eq!(w.all("/v1/sign-ups?state=signed").await.len(), PEOPLE as usize);
    let batches = w.arrivals(Operation::QuerySignUpBatch);
    let numbers: BTreeSet<&String> = batches.iter().map(|call| &call.id).collect();
    assert_eq!(numbers.len(), batches.len(), "a batch_no is never used again");
    assert!((3..=8).contains(&batches.len()), "{} calls for {PEOPLE} people", batches.len());
    // And one that refuses everything is not asked for every row apart.
    let more: Vec<Value> = (PEOPLE + 1..=PEOPLE + 100).map(|n| invitation("sign_up", n)).collect();
    w.post("/v1/sign-ups", json!({ "items": more })).await.expect(200);
    w.settle().await;
    w.provider_refuses_all(Operation::QuerySignUpBatch, "0002");
    w.run(minutes(6)).await;
    let refused = w.arrivals(Operation::QuerySignUpBatch).len() - batches.len();
    assert!((20..=42).contains(&refused), "{refused} calls");
    assert_eq!(w.all("/v1/sign-ups?state=waiting").await.len(), 100, "a refused look says nothing");
    w
}

pub(crate) async fn g01_waits_for_the_signature_and_resumes(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.require_sign_up = Some(SignUpKind::SyncSign);
        signs_after(setup, 2 * HOUR);
    })
    .await;
    // Given an order whose person nobody has invited, and a second one of the same person.
    let (one, other) = (w.asks("A-1").await, w.asks_for(ask_again("A-2", 1)).await);
    w.run(hours(1)).await;
    // Then both wait, in words, and one invitation has left.
    for order in [&one, &other] {
        assert_eq!(w.order_state(order).await, "gated");
        assert!(
            w.waits_for(order).await.contains("共享经济综合服务协议 with party 1001"),
            "{}",
            w.waits_for(order).await
        );
    }
    assert_eq!((w.arrivals(Operation::SyncSign).len(), w.arrivals(Operation::CreateOrderV2).len()), (1, 0));
    // And one that is cancelled meanwhile is not sent, when the signature lets the other go.
    w.post(&format!("/v1/orders/{}/cancel", other.id), json!({})).await.expect(202);
    w.run(hours(2)).await;
    assert_eq!((w.order_state(&one).await.as_str(), w.order_state(&other).await.as_str()), ("ready", "cancelled"));
    // And whoever has signed waits for nothing.
    let later = w.asks_for(ask_again("A-3", 1)).await;
    w.run(minutes(5)).await;
    assert_eq!(w.order_state(&later).await, "ready");
    assert_eq!(w.arrivals(Operation::SyncSign).len(), 1);
    w
}

pub(crate) async fn g02_outlasts_a_failed_invitation(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.require_sign_up = Some(SignUpKind::SyncSign);
        setup.policy.start_sign_ups = false;
        setup.far.switches.sync_sign_silent_per_mille = 1000;
    })
    .await;
    // Given an order whose account invites nobody by itself.
    let order = w.asks("A-1").await;
    w.run(hours(30)).await;
    assert_eq!((w.order_state(&order).await.as_str(), w.arrivals(Operation::SyncSign).len()), ("gated", 0));
    // And an invitation by a person, which nobody follows.
    let invited = w.post("/v1/sign-ups", invitation("sync_sign", 1)).await.expect(201).json();
    w.run(hours(26)).await;
    assert_eq!(w.sign_up_state(&invited).await, "not_signed");
    let words = w.waits_for(&order).await;
    assert!(words.ends_with("(nobody signed within 24 hours: invite again)"), "{words}");
    // Then the next invitation, and its signature, lets it go.
    w.switch(|switches| switches.sync_sign_silent_per_mille = 0);
    let path = format!("/v1/sign-ups/{}/invite-again", text(&invited["id"]));
    w.post(&path, json!({})).await.expect(201);
    w.until_order(&order, "ready").await;
    assert_eq!(w.sign_up_state(&invited).await, "signed", "the person has signed what he was asked for");
    w
}

pub(crate) async fn g03_waits_for_the_id_card_and_resumes(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.require_sign_up = Some(SignUpKind::SyncSign);
        setup.policy.require_id_card = true;
        signs_after(setup, HOUR);
    })
    .await;
    // Given an order whose person has neither signed nor shown an ID card.
    let order = w.asks("A-1").await;
    w.run(minutes(30)).await;
    let words = w.waits_for(&order).await;
    assert!(words.contains("协议 with party 1001; the person's ID card"), "{words}");
    assert_eq!(
        w.arrivals(Operation::QueryIdCardImage).len(),
        0,
        "who has not signed has no pictures there (000 §2.10 R1)"
    );
    // When he has signed, then the pictures are asked for, by a task of its own.
    w.run(hours(2)).await;
    let words = w.waits_for(&order).await;
    assert!(words.ends_with("(证件照) (they have not been uploaded: upload both sides)"), "{words}");
    let tasks = w.get("/v1/tasks").await.expect(200).json();
    assert_eq!(
        tasks["items"].as_array().map(|tasks| tasks.iter().map(|task| text(&task["kind"])).collect::<Vec<_>>()),
        Some(vec!["upload_id_card"])
    );
    // And pictures that the provider does not take are told, and asked for again.
    w.switch(|switches| switches.papers = Judgement::BadLater);
    w.submits_id_card(1, &sides(1).0, &sides(1).1, false).await;
    w.run(hours(2)).await;
    let words = w.waits_for(&order).await;
    assert!(words.contains("did not accept them"), "{words}");
    assert_eq!(w.order_state(&order).await, "gated");
    // And good ones let it go by itself.
    w.switch(|switches| switches.papers = Judgement::Good);
    w.submits_id_card(1, &sides(2).0, &sides(2).1, false).await;
    w.until_order(&order, "ready").await;
    let tasks = w.get("/v1/tasks").await.expect(200).json();
    assert_eq!(tasks["items"], json!([]));
    // And whoever has shown them waits for nothing.
    let later = w.asks_for(ask_again("A-2", 1)).await;
    w.run(minutes(5)).await;
    assert_eq!(w.order_state(&later).await, "ready");
    w
}

pub(crate) async fn g04_waits_for_the_next_month_over_the_limit(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.start = "2026-06-29T09:00:00+08:00";
        setup.policy.month_limit = Some(Money::parse("3000.00").unwrap());
    })
    .await;
    let over = |shown: Value| (text(&shown["state"]).to_owned(), shown["hold"].as_str().map(str::to_owned));
    let held = ("gated".to_owned(), Some("month_limit".to_owned()));
    // Given orders of one person, under two cards, which come to more than he may be paid in June.
    let (first, second) = (w.asks_for(work("A-1", "1500.00")).await, w.asks_for(work("A-2", "1499.00")).await);
    let mut third = work("A-3", "1.01");
    third["person"]["cellphone"] = "13900000000".into();
    let third = w.asks_for(third).await;
    w.settle().await;
    for order in [&first, &second] {
        w.until_order(order, "ready").await;
    }
    assert_eq!(over(w.order(&third).await), held);
    assert!(w.waits_for(&third).await.contains("monthly limit"));
    // And a file: the rows before one count too, each human by himself, and one that there is already counts once.
    let of = |n: u32, mut work: Value| {
        work["person"] = ask("-", n)["person"].clone();
        work
    };
    w.asks_for(of(3, work("C-1", "2000.00"))).await;
    let rows = [
        of(2, work("B-1", "3000.00")),
        of(2, work("B-2", "0.01")),
        of(3, work("C-1", "2000.00")),
        of(3, work("C-2", "1000.00")),
    ];
    let batch = w.post("/v1/batches", json!({ "orders": rows })).await.expect(201).json();
    let batch = text(&batch["id"]).to_owned();
    w.settle().await;
    w.post_as(Person::Wang, &format!("/v1/batches/{batch}/approve"), json!({})).await.expect(202);
    w.settle().await;
    w.post(&format!("/v1/batches/{batch}/release"), json!({})).await.expect(202);
    w.run(hours(1)).await;
    let ready = ("ready".to_owned(), None);
    for (key, expected) in [("B-1", &ready), ("B-2", &held), ("C-2", &ready)] {
        assert_eq!(over(w.all(&format!("/v1/orders?business_key={key}")).await.remove(0)), *expected, "{key}");
    }
    // Then a person may let it go; the provider keeps the true account.
    let reason = json!({ "reason": "the provider has raised the limit" });
    w.post_as(Person::Wang, &format!("/v1/orders/{}/release", third.id), reason).await.expect(202);
    w.until_order(&third, "ready").await;
    // And what nobody lets go leaves with the new month.
    w.run(Time::parse("2026-07-01T01:00:00+08:00").unwrap().since(w.now())).await;
    assert_eq!(over(w.all("/v1/orders?business_key=B-2").await.remove(0)), ready);
    w
}

/// The first person's work, at this pay.
fn work(key: &str, net: &str) -> Value {
    let mut order = ask(key, 1);
    order["net"] = net.into();
    order
}

/// Another order of the n-th person, for other work.
fn ask_again(key: &str, n: u32) -> Value {
    let mut order = ask(key, n);
    order["net"] = format!("{}.00", 700 + key.bytes().map(u32::from).sum::<u32>()).into();
    order
}

impl World {
    async fn waits_for(&self, order: &Order) -> String {
        let shown = self.get(&format!("/v1/orders/{}", order.id)).await.expect(200).json();
        text(&shown["waits_for"]).to_owned()
    }

    async fn sign_up_state(&self, sign_up: &Value) -> String {
        let shown = self.get(&format!("/v1/sign-ups/{}", text(&sign_up["id"]))).await.expect(200).json();
        text(&shown["state"]).to_owned()
    }
}
