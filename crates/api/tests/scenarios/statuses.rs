//! P13–P18: statuses that lie.

use crate::world::*;
use serde_json::json;
use simulator::switches::LevyingWord;
use simulator::{CallFault, CloseAs, Operation, Span};
use workflows::policy::{CancelNeverPermitted, LeviedProof, LeviedTerminal};

pub(crate) async fn p13_order_close_four_meanings(db: Db) -> World {
    let w = World::new(db).await;
    let closing = async |n: u32, how: Option<CloseAs>| {
        how.into_iter().for_each(|how| w.order_closes(how));
        let order = w.asks_for(ask(&format!("A-{n}"), n)).await;
        w.run(minutes(5)).await;
        order
    };
    // The four of the document: the check failed, the remits are there, a bad task, an unknown customer.
    let failed = closing(1, Some(CloseAs::Rejected("校验未通过".into()))).await;
    let good = closing(2, None).await;
    let mut body = ask("A-3", 3);
    body["task_id"] = json!("2");
    let task = w.asks_for(body).await;
    let mut body = ask("A-4", 4);
    body["credit_code"] = json!("91110000MA0000NONE");
    let customer = w.asks_for(body).await;
    w.run(minutes(5)).await;
    assert_eq!(w.order_state(&good).await, "ready");
    for refused in [&failed, &task, &customer] {
        assert_eq!(w.order_state(refused).await, "rejected");
    }
    // And those that nobody printed: no word at all is a doubt, remits with a reason and an unknown word are a person's.
    let bare = closing(5, Some(CloseAs::Bare)).await;
    let both = closing(6, Some(CloseAs::Contradictory)).await;
    let word = closing(7, Some(CloseAs::UnknownWord)).await;
    assert_eq!(w.order_state(&bare).await, "splitting");
    assert_eq!(w.order_state(&both).await, "needs_operator");
    assert_eq!(w.order_state(&word).await, "needs_operator");
    w.run(hours(30)).await;
    assert_eq!(w.cases().await, ["closed_without_word", "partial_creation", "unknown_status"]);
    assert_eq!(w.case("unknown_status").await["facts"]["why"], "the provider shows the unknown status \"SUSPEND\"");
    assert_eq!((w.arrivals(Operation::CreateOrderV2).len(), w.payments().len()), (7, 0), "none again, none paid");
    w.two_persons_decide("partial_creation", "accept_remits", None).await;
    assert_eq!(w.order_state(&both).await, "ready");
    w
}

pub(crate) async fn p14_remit_process_unlisted(db: Db) -> World {
    let w = World::with(db, |setup| setup.policy.levied_terminal_status = LeviedTerminal::Close).await;
    // After CONTINUE the provider says PROCESS, which stands in no table, or else REMIT: the levy runs, either way.
    for (key, word) in [("A-1", LevyingWord::Process), ("A-2", LevyingWord::Remit)] {
        w.switch(|switches| switches.levying_as = word);
        let order = w.asks_for(ask(key, word as u32)).await;
        w.until_order(&order, "ready").await;
        let remit = w.remits(&order).await.remove(0);
        w.pays(&remit).await;
        w.run(minutes(3)).await;
        assert_eq!(w.state(&remit).await, "levying");
        w.until_remit(&remit, "levied").await;
    }
    assert_eq!((w.sent("CONTINUE"), w.cases().await.len()), (2, 0), "no second CONTINUE, nothing parked");
    w
}

pub(crate) async fn p15_remit_close_three_meanings(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.policy.cancel_never_permitted = CancelNeverPermitted::Never;
        setup.policy.levied_proof = LeviedProof::SeenRunning;
        // CLOSE follows so fast on CONTINUE that nobody ever sees it running.
        setup.far.timings.levy = Span(0, 0);
    })
    .await;
    let one = async |key: &str, n| {
        let order = w.asks_for(ask(key, n)).await;
        w.until_order(&order, "ready").await;
        w.remits(&order).await.remove(0)
    };
    let (levied, cancelled, closed) = (one("A-1", 1).await, one("A-2", 2).await, one("A-3", 3).await);
    w.pays(&levied).await;
    w.post(&format!("/v1/remits/{}/cancel", cancelled.id), json!({})).await.expect(202);
    w.run(hours(80)).await;
    // The provider's last word is the same for all three, and what we say follows from what we did.
    for (remit, state) in [(&levied, "levied"), (&cancelled, "cancelled"), (&closed, "auto_closed_unpaid")] {
        assert_eq!((w.word(remit).as_str(), w.state(remit).await.as_str()), ("CLOSE", state));
    }
    // Without proof of any kind a person decides: one remit of a split, closed before it was ever seen running.
    let (_, unproven, rest) = w.ready_split("A-4").await;
    let paid = w.pays(&unproven).await;
    w.run(minutes(10)).await;
    assert_eq!(w.state(&unproven).await, "needs_operator");
    w.two_persons_decide("levy_unproven", "levied", Some(evidence(&paid.payment))).await;
    assert_eq!(w.state(&unproven).await, "levied");
    assert_eq!((w.sent("CONTINUE"), w.state(&rest).await.as_str()), (2, "open"));
    w
}

pub(crate) async fn p16_order_process_is_not_paying(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.order = Span(7200, 7200)).await;
    // Given an order that the provider shows as PROCESS for an hour: it is making its internal orders.
    let order = w.asks("A-1").await;
    w.run(minutes(100)).await;
    assert_eq!(w.provider_shows(&order).await["status"], "PROCESS");
    let shown = w.order(&order).await;
    assert_eq!((text(&shown["state"]), shown["remits"].as_array().unwrap().len()), ("splitting", 0));
    assert_eq!(shown["waits_for"], "the provider to split it into remits");
    let timeline = w.get(&format!("/v1/orders/{}/timeline", order.id)).await.expect(200).text();
    for said in [shown.to_string(), timeline] {
        assert!(!said.contains("PROCESS") && !said.contains("paying"), "a provider's word leaks: {said}");
    }
    w.until_order(&order, "ready").await;
    assert_eq!(w.payments().len(), 0);
    w
}

pub(crate) async fn p17_stale_callback_after_newer_query(db: Db) -> World {
    let mut w = World::with(db, |setup| setup.far.faults.stale_seconds = 3600).await;
    let (order, remit) = w.ready("A-1").await;
    w.pays(&remit).await;
    w.run(minutes(1)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.word(&remit).as_str()), ("levying", "PROCESS"));
    // When callbacks from before arrive, and queries read copies from before: nothing goes back.
    let before = json!({ "order_id": remit.provider_order_id, "tax_agent_location_id": remit.location, "amount": remit.amount,
        "fee": "74.07", "actual_amount": "1308.57", "compensate_fee": "0.00", "sum_fee": "74.07", "remit_status": "ACCEPT" });
    let old = json!({ "request_id": order.request_id, "status": "CLOSE", "remit_order_list": [before] });
    for status in ["ACCEPT", "PROCESS", "CLOSE"] {
        let mut old = old.clone();
        old["status"] = json!(status);
        w.provider_will(Operation::QueryOrderV2, CallFault::Stale);
        w.callback(callback("CREATE_ORDER_V2", &old)).await.expect(200);
        w.run(seconds(30)).await;
        assert_eq!((w.state(&remit).await.as_str(), w.order_state(&order).await.as_str()), ("levying", "ready"));
    }
    w.until_remit(&remit, "levied").await;
    // The same for what is at rest, after a restart as well.
    w.restart().await;
    let shown = w.remit(&remit).await;
    w.callback(callback("CREATE_ORDER_V2", &old)).await.expect(200);
    w.run(hours(1)).await;
    assert_eq!((w.remit(&remit).await, w.sent("CONTINUE")), (shown, 1));
    w
}

pub(crate) async fn p18_retries_exhausted_stays_in_doubt(db: Db) -> World {
    let w = World::new(db).await;
    // Given a CREATE without an answer, and a provider whose queries fail for a day and a half.
    w.provider_will(Operation::CreateOrderV2, CallFault::DropAfter);
    w.outage(&[Operation::QueryOrderV2]);
    let order = w.asks("A-1").await;
    w.run(hours(24)).await;
    let looks = w.arrivals(Operation::QueryOrderV2).len();
    w.run(hours(12)).await;
    // Then looking never stops, a person knows, and nobody has called it failed or sent it again.
    assert!(w.arrivals(Operation::QueryOrderV2).len() > looks);
    assert_eq!(
        (w.order_state(&order).await.as_str(), w.cases().await),
        ("create_in_doubt", vec!["create_in_doubt".into()])
    );
    assert_eq!(w.arrivals(Operation::CreateOrderV2).len(), 1);
    w.outage(&[]);
    w.until_order(&order, "ready").await;
    assert_eq!((w.created(), w.cases().await.len()), (1, 0));
    w
}
