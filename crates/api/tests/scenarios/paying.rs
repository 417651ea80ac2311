//! P19–P29: paying, and the deadline.

use crate::world::*;
use domain::Time;
use engine::Driven;
use serde_json::json;
use simulator::switches::CloseOrigin;
use simulator::{CallFault, Operation, Outcome, Span};

fn at(text: &str) -> Time {
    Time::parse(text).unwrap()
}

pub(crate) async fn p19_deadline_without_evidence(db: Db) -> World {
    let w = World::new(db).await;
    // Given one remit that nobody asks to pay, and one whose payer is never heard of again.
    let (never, silent) = (w.ready("A-1").await.1, w.asks_for(ask("A-2", 2)).await);
    w.until_order(&silent, "ready").await;
    let silent = w.remits(&silent).await.remove(0);
    let permit = w.permit(&silent).await;
    // When 72 hours pass.
    w.run(hours(90)).await;
    // Then no clock has confirmed anything: the first was cancelled at its pay_cutoff, the second is a person's question.
    assert_eq!(w.sent("CONTINUE"), 0);
    let cutoff = time(&w.remit(&never).await["pay_cutoff"]);
    assert_eq!((w.state(&never).await.as_str(), w.truth(&never).decision.unwrap().at), ("cancelled", cutoff));
    assert_eq!((w.state(&silent).await.as_str(), w.sent("CANCEL")), ("payout_in_doubt", 1));
    assert!(w.cases().await.contains(&"may_be_paid_without_levy".to_owned()));
    w.attests(&silent, &permit).await.expect(202);
    w.settle().await;
    assert_eq!(w.state(&silent).await, "auto_closed_unpaid");
    w
}

pub(crate) async fn p20_72h_counted_from_first_send(db: Db) -> World {
    let w = World::new(db).await;
    let first_send = w.now();
    // Given a CREATE that reached the provider and was lost there, and a second send an eternity later.
    w.provider_will(Operation::CreateOrderV2, CallFault::DropBefore);
    let order = w.asks("A-1").await;
    w.settle().await;
    w.outage(&[Operation::QueryOrderV2]);
    w.run(hours(3)).await;
    w.outage(&[]);
    w.until_order(&order, "ready").await;
    let remit = w.remits(&order).await.remove(0);
    // Then D counts from the first send, and the provider's own deadline lies behind it, however it counts.
    let shown = w.order(&order).await;
    assert!(time(&shown["accept_time"]) > first_send + hours(3));
    assert_eq!(time(&shown["deadline"]), first_send + hours(70) - minutes(1));
    assert_eq!(time(&shown["pay_cutoff"]), first_send + hours(43) + minutes(39));
    assert_eq!(w.truth(&remit).deadline, first_send + hours(72));
    w.switch(|switches| switches.close_origin = CloseOrigin::Accept);
    let later = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&later, "ready").await;
    let remit = w.remits(&later).await.remove(0);
    assert!(w.truth(&remit).deadline >= time(&w.order(&later).await["deadline"]) + hours(2));
    w
}

pub(crate) async fn p21_friday_evening_before_holiday(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.start = "2026-09-30T20:00:00+08:00";
        setup.policy.bank_channel = "banking_days".into();
        setup.params.insert("bank_bound".into(), "4h".into());
    })
    .await;
    // Given the evening before a week of holidays: no payment begun now would settle before the deadline.
    let made = w.post("/v1/orders", ask("A-1", 1)).await.expect(201).json();
    assert!(text(&made["warnings"][0]).starts_with("cannot_settle_before_deadline"), "{made}");
    let eve = Order { id: text(&made["id"]).into(), request_id: text(&made["request_id"]).into() };
    w.until_order(&eve, "settled").await;
    let remit = w.remits(&eve).await.remove(0);
    assert_eq!((w.state(&remit).await.as_str(), w.refused(&remit).await.as_str()), ("cancelled", "decided"));
    // And a Friday evening after it: what is paid must have begun by Monday noon, four banking hours before D is near.
    w.run(at("2026-10-09T20:00:00+08:00").since(w.now())).await;
    let made = w.post("/v1/orders", ask("A-2", 2)).await.expect(201).json();
    assert_eq!(made["warnings"], json!([]));
    let friday = Order { id: text(&made["id"]).into(), request_id: text(&made["request_id"]).into() };
    w.until_order(&friday, "ready").await;
    assert_eq!(time(&w.order(&friday).await["pay_cutoff"]), at("2026-10-12T11:39:00+08:00"));
    let remit = w.remits(&friday).await.remove(0);
    w.run(at("2026-10-12T11:38:00+08:00").since(w.now())).await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    assert_eq!(w.paid(), 1);
    w
}

pub(crate) async fn p22_bank_timeout_then_success(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    // Given a bank that takes the instruction and never answers.
    w.bank_will(Outcome::AnswerLost);
    assert!(w.instruct(&permit).await.is_none());
    w.report(&remit, &permit, "unknown").await;
    w.settle().await;
    // Then it is neither paid again nor given up: not by another permit, not by an attestation, not by a cancellation.
    assert_eq!((w.state(&remit).await.as_str(), w.refused(&remit).await.as_str()), ("payout_in_doubt", "in_doubt"));
    assert_eq!(w.attests(&remit, &permit).await.expect(409).code(), "in_doubt");
    let cancel = w.post(&format!("/v1/remits/{}/cancel", remit.id), json!({})).await;
    assert_eq!(cancel.expect(409).code(), "in_doubt");
    // The very same instruction again changes nothing, and in the end the bank knows.
    assert_eq!(w.instruct(&permit).await.unwrap()["status"], "pending");
    w.run(hours(1)).await;
    let payment = w.bank_says(&permit).await;
    w.report_paid(&remit, &permit, &payment).await;
    w.until_remit(&remit, "levied").await;
    assert_eq!((w.payments().len(), w.sent("CANCEL"), w.sent("CONTINUE")), (1, 0, 1));
    w
}

pub(crate) async fn p23_in_doubt_payout_reaches_deadline(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    // Given a payment that the bank keeps pending for ever.
    w.bank_will(Outcome::Stuck);
    w.instruct(&permit).await.unwrap();
    w.report(&remit, &permit, "unknown").await;
    w.settle().await;
    let deadline = time(&w.order(&order).await["deadline"]);
    // Then people are told, ever more urgently, and nothing is decided: neither CONTINUE nor CANCEL.
    w.run(deadline.since(w.now()) - hours(13)).await;
    assert_eq!(w.cases().await, ["payout_in_doubt"]);
    w.run(hours(2)).await;
    assert_eq!(w.case("deadline_near").await["severity"], "high");
    w.run(hours(8)).await;
    assert_eq!(w.case("deadline_near").await["facts"]["hours_left"], 4);
    w.run(hours(10)).await;
    assert_eq!((w.word(&remit).as_str(), w.sent("CONTINUE"), w.sent("CANCEL")), ("CLOSE", 0, 0), "HOLD");
    // Past the deadline the question is still open, and an answer still counts.
    assert_eq!(w.state(&remit).await, "payout_in_doubt");
    assert_eq!(w.case("may_be_paid_without_levy").await["severity"], "critical");
    w.two_persons_decide("may_be_paid_without_levy", "not_paid", None).await;
    assert_eq!(w.state(&remit).await, "auto_closed_unpaid");
    w
}

pub(crate) async fn p24_confirm_is_not_a_user_verb(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    // No path confirms, whoever asks.
    let document = w.get("/openapi.json").await.expect(200).json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert!(paths.iter().all(|path| !path.contains("confirm") && !path.contains("continue")), "{paths:?}");
    w.post_as(Person::Wang, &format!("/v1/remits/{}/confirm", remit.id), json!({})).await.expect(404);
    // Given a payment that nobody asked about: people bring its evidence, and the second of them lets the engine confirm.
    w.pays_under("BY-HAND-1", &remit);
    let body = json!({ "bank_order_no": "BY-HAND-1", "amount": remit.amount, "payee_name": "张三", "payee_bankcard_no": CARD });
    let payment = w.instruct_with(body).await.unwrap();
    w.post(&format!("/v1/remits/{}/evidence", remit.id), evidence(&payment)).await.expect(202);
    w.run(hours(1)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CONTINUE")), ("open", 0), "one person's word confirms nothing");
    let case = w.case("payment_evidence").await;
    let approve = format!("/v1/cases/{}/approve", text(&case["id"]));
    assert_eq!(w.post_as(Person::Li, &approve, json!({})).await.expect(409).code(), "same_person");
    w.post_as(Person::Wang, &approve, json!({})).await.expect(202);
    w.until_remit(&remit, "levied").await;
    assert_eq!(w.sent("CONTINUE"), 1);
    assert!(w.cases().await.contains(&"payment_without_permit".to_owned()), "the bypass stays noted");
    w
}

pub(crate) async fn p25_confirm_reply_lost(db: Db) -> World {
    let w = World::new(db).await;
    // Given a CONTINUE that was applied, and whose answer is lost.
    let (_, applied) = w.ready("A-1").await;
    w.provider_will(Operation::ConfirmOrderV2, CallFault::DropAfter);
    w.pays(&applied).await;
    w.until_remit(&applied, "levied").await;
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL")), (1, 0), "found running, never sent again");
    // And one that never arrived: the identical call goes again, after the quarantine and two probes that show ACCEPT.
    let lost = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&lost, "ready").await;
    let lost = w.remits(&lost).await.remove(0);
    w.provider_will(Operation::ConfirmOrderV2, CallFault::DropBefore);
    w.pays(&lost).await;
    w.run(minutes(5) - seconds(1)).await;
    assert_eq!((w.state(&lost).await.as_str(), w.sent("CONTINUE")), ("confirm_in_doubt", 2));
    w.until_remit(&lost, "levied").await;
    let sends = w.arrivals(Operation::ConfirmOrderV2);
    assert_eq!((&sends[1].id, &sends[1].facts), (&sends[2].id, &sends[2].facts), "word for word");
    assert!(sends[2].at.since(sends[1].at) >= minutes(6));
    assert_eq!(w.decided("CONTINUE"), 2);
    w
}

pub(crate) async fn p26_continue_and_cancel_race(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    // Given evidence that a worker has just claimed, when it is paused; and an operator who wants to cancel.
    w.pays(&remit).await;
    let (paused, other) = (w.another_worker(), w.another_worker());
    let row = paused.claims_one().await;
    let cancel = format!("/v1/remits/{}/cancel", remit.id);
    w.post(&cancel, json!({})).await.expect(409);
    w.lease_ends().await;
    tokio::join!(w.settle(), other.settle());
    assert_ne!(paused.wakes_with(row).await, Driven::Committed);
    assert_eq!(w.post(&cancel, json!({})).await.expect(409).code(), "decided");
    w.until_remit(&remit, "levied").await;
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL")), (1, 0));
    // The other way round: the cancellation was first, and a report of the unused permit comes in from the side.
    let order = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&order, "ready").await;
    let remit = w.remits(&order).await.remove(0);
    let permit = w.permit(&remit).await;
    w.report(&remit, &permit, "failed").await;
    w.settle().await;
    w.post(&format!("/v1/remits/{}/cancel", remit.id), json!({})).await.expect(202);
    let row = paused.claims_one().await;
    w.lease_ends().await;
    tokio::join!(w.settle(), other.settle());
    assert_ne!(paused.wakes_with(row).await, Driven::Committed);
    w.until_remit(&remit, "cancelled").await;
    let evidence = evidence(&json!({ "amount": remit.amount, "paid_at": w.now(), "bank_serial": "BK-9" }));
    w.post(&format!("/v1/remits/{}/evidence", remit.id), evidence).await.expect(409);
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL")), (1, 1));
    w
}

pub(crate) async fn p27_cancel_while_permit_out(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    // Given a permit that is out: nobody cancels, neither the remit nor its order.
    for path in [format!("/v1/remits/{}/cancel", remit.id), format!("/v1/orders/{}/cancel", order.id)] {
        assert_eq!(w.post(&path, json!({})).await.expect(409).code(), "permit_live");
    }
    // When it expires unreported, and even pay_cutoff passes.
    w.run(hours(45)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CANCEL")), ("payout_in_doubt", 0), "expiry proves nothing");
    // Then only the payer's word that it was not used closes the gate, and CANCEL follows.
    w.attests(&remit, &permit).await.expect(202);
    w.until_remit(&remit, "cancelled").await;
    assert_eq!((w.decided("CANCEL"), w.refused(&remit).await.as_str()), (1, "decided"));
    w
}

pub(crate) async fn p28_pay_on_stale_remit(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.auto_close_hours = 9).await;
    // Given a provider that closed the remit long before its time, and never told.
    w.mute_callbacks(true);
    let (_, remit) = w.ready("A-1").await;
    w.run(hours(10)).await;
    assert_eq!(
        (w.state(&remit).await.as_str(), w.word(&remit).as_str()),
        ("open", "CLOSE"),
        "levee believes the old word"
    );
    // Then the question of the payer is what finds it out.
    assert_eq!(w.refused(&remit).await, "not_payable");
    assert_eq!(w.state(&remit).await, "closed_externally");
    // And when the provider cannot be asked, nobody may pay either.
    let (_, remit) = {
        let order = w.asks_for(ask("A-2", 2)).await;
        w.until_order(&order, "ready").await;
        let remit = w.remits(&order).await.remove(0);
        (order, remit)
    };
    w.outage(&[Operation::QueryOrderV2]);
    assert_eq!(w.asks_permit(&remit).await.expect(503).code(), "provider_unreachable");
    w.outage(&[]);
    w.run(minutes(2)).await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    assert_eq!(w.paid(), 1);
    w
}

pub(crate) async fn p29_two_permits_one_remit(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank = Span(60, 60)).await;
    let (_, remit) = w.ready("A-1").await;
    // Given two payers who ask at the same moment, and two workers.
    let worker = w.another_worker();
    let (one, two, ()) = tokio::join!(w.asks_permit(&remit), w.asks_permit(&remit), worker.settle());
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (granted, refused) = if one.status == 201 { (one, two) } else { (two, one) };
    assert_eq!(refused.code(), "permit_live");
    let first = Permit(granted.json());
    // The next attempt is there only after the bank's final word on this one, and under another number.
    w.bank_will(Outcome::FailedLater);
    assert_eq!(w.instruct(&first).await.unwrap()["status"], "pending");
    assert_eq!(w.refused(&remit).await, "permit_live");
    w.run(minutes(2)).await;
    assert_eq!(w.bank_says(&first).await["status"], "failed");
    w.report(&remit, &first, "failed").await;
    w.settle().await;
    let second = w.pays(&remit).await;
    assert_eq!((first.attempt(), second.permit.attempt()), (1, 2));
    assert_ne!(first.number(), second.permit.number());
    w.until_remit(&remit, "levied").await;
    assert_eq!((w.payments().len(), w.paid()), (2, 1));
    w
}
