//! E01–E08: evidence that people bring, and what two of them make of it. Every answer closes its case, moves the money's state on
//! where it must, and leaves nothing open behind.

use crate::world::*;
use serde_json::{Value, json};
use simulator::{Outcome, Span};
use workflows::policy::CancelNeverPermitted;

/// A payment that no permit covers.
async fn by_hand(w: &World, remit: &Remit, number: &str) -> Value {
    w.pays_under(number, remit);
    let body =
        json!({ "bank_order_no": number, "amount": remit.amount, "payee_name": "张三", "payee_bankcard_no": CARD });
    w.instruct_with(body).await.unwrap()
}

/// What a paper says that proves nothing.
fn forged(w: &World, remit: &Remit) -> Value {
    json!({ "amount": remit.amount, "paid_at": w.now(), "bank_serial": "BK-404" })
}

async fn brings(w: &World, remit: &Remit, payment: &Value) {
    w.post(&format!("/v1/remits/{}/evidence", remit.id), evidence(payment)).await.expect(202);
    w.settle().await;
}

async fn approves(w: &World) {
    let case = w.case("payment_evidence").await;
    w.post_as(Person::Wang, &format!("/v1/cases/{}/approve", text(&case["id"])), json!({})).await.expect(202);
    w.settle().await;
}

/// The bank has given back a payment without a permit.
async fn came_back(w: &World, remit: &Remit, payment: &Value) {
    let body = json!({ "outcome": "returned", "bank_serial": payment["bank_serial"] });
    w.post(&format!("/v1/remits/{}/payout-results", remit.id), body).await.expect(202);
    w.settle().await;
}

/// Nobody is asked anything any more, and no audit finds anything.
async fn nothing_is_left(w: &World) {
    assert_eq!(w.cases().await, [""; 0]);
    for finding in w.engine.audits().await.unwrap() {
        assert_eq!(finding.count, 0, "audit {}: {:?}", finding.audit, finding.examples);
    }
}

pub(crate) async fn e01_paid_is_levied(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let payment = by_hand(&w, &remit, "BY-HAND-1").await;
    brings(&w, &remit, &payment).await;
    // While the second person is awaited, nobody may pay what may be paid already.
    assert_eq!((w.refused(&remit).await.as_str(), w.state(&remit).await.as_str()), ("in_doubt", "open"));
    approves(&w).await;
    w.until_remit(&remit, "levied").await;
    assert_eq!(w.cases().await, ["payment_without_permit"], "answered; the bypass itself stays noted");
    w.two_persons_decide("payment_without_permit", "closed", Some(evidence(&payment))).await;
    assert_eq!((w.order_state(&order).await.as_str(), w.sent("CONTINUE")), ("settled", 1));
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e02_not_paid_lets_the_remit_go(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    w.run(hours(42)).await;
    brings(&w, &remit, &forged(&w, &remit)).await;
    // The paper holds the cancellation that was due at 43:39, as long as the second person has.
    w.run(hours(23)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CANCEL")), ("gate_closed", 0));
    w.run(hours(2)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CANCEL")), ("cancelled", 1));
    w.two_persons_decide("payment_evidence", "not_paid", None).await;
    assert_eq!(w.order_state(&order).await, "settled");
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e03_returned_before_the_second_person(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(3600, 3600)).await;
    let (_, remit) = w.ready("A-1").await;
    w.run(hours(40)).await;
    w.bank_will(Outcome::Returned);
    let payment = by_hand(&w, &remit, "BY-HAND-1").await;
    brings(&w, &remit, &payment).await;
    w.run(hours(2)).await;
    came_back(&w, &remit, &payment).await;
    // The second person has not heard of the return. His yes is not taken, and the question comes back with the reason.
    approves(&w).await;
    let case = w.case("payment_evidence").await;
    assert_eq!((text(&case["state"]), w.state(&remit).await.as_str()), ("open", "open"));
    assert!(case["facts"].to_string().contains("returned this payment"), "{case}");
    w.two_persons_decide("payment_evidence", "not_paid", None).await;
    // Answered: the remit is cancelled when it is due, and not a day later.
    w.run(hours(2)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CONTINUE"), w.sent("CANCEL")), ("cancelled", 0, 1));
    w.two_persons_decide("contradictory_report", "closed", Some(evidence(&payment))).await;
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e04_a_doubt_ends_by_the_right_paper(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.report(&remit, &permit, "unknown").await;
    w.settle().await;
    // A paper that proves nothing says nothing about the attempt.
    brings(&w, &remit, &forged(&w, &remit)).await;
    w.run(hours(25)).await;
    w.two_persons_decide("payment_evidence", "not_paid", None).await;
    assert_eq!((w.state(&remit).await.as_str(), w.cases().await), ("payout_in_doubt", vec!["payout_in_doubt".into()]));
    // The right one ends it, and every question about it.
    brings(&w, &remit, &payment).await;
    approves(&w).await;
    w.until_remit(&remit, "levied").await;
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e05_a_paper_overtaken_by_the_payers_report(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    brings(&w, &remit, &payment).await;
    w.report_paid(&remit, &permit, &payment).await;
    w.until_remit(&remit, "levied").await;
    // The statement showed the same payment: there is nothing to add.
    approves(&w).await;
    nothing_is_left(&w).await;
    // A paper about a second payment is an incident, for two persons to close.
    let order = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&order, "ready").await;
    let remit = w.remits(&order).await.remove(0);
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    brings(&w, &remit, &forged(&w, &remit)).await;
    w.report_paid(&remit, &permit, &payment).await;
    w.until_remit(&remit, "levied").await;
    approves(&w).await;
    assert_eq!(w.cases().await, ["paid_twice"]);
    w.two_persons_decide("paid_twice", "closed", Some(evidence(&payment))).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CONTINUE")), ("levied", 2));
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e06_returned_before_the_decision(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(3600, 3600)).await;
    let (_, remit) = w.ready("A-1").await;
    let freeze = async |confirm: bool| {
        let body = json!({ "scope": "all", "confirm": confirm });
        w.put_as(Person::Wang, "/v1/freezes", body).await.expect(200);
    };
    freeze(true).await;
    w.bank_will(Outcome::Returned);
    let payment = by_hand(&w, &remit, "BY-HAND-1").await;
    brings(&w, &remit, &payment).await;
    approves(&w).await;
    assert_eq!(w.state(&remit).await, "paid");
    w.run(hours(2)).await;
    came_back(&w, &remit, &payment).await;
    assert_eq!(w.state(&remit).await, "open");
    // As if it had never been: it may be paid at once.
    freeze(false).await;
    w.run(minutes(1)).await;
    w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    w.two_persons_decide("payment_without_permit", "closed", Some(evidence(&payment))).await;
    assert_eq!((w.sent("CONTINUE"), w.paid()), (1, 1));
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e07_returned_after_the_levy(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(24 * 3600, 24 * 3600)).await;
    let (_, remit) = w.ready("A-1").await;
    w.bank_will(Outcome::Returned);
    let payment = by_hand(&w, &remit, "BY-HAND-1").await;
    brings(&w, &remit, &payment).await;
    approves(&w).await;
    w.until_remit(&remit, "levied").await;
    w.run(hours(25)).await;
    came_back(&w, &remit, &payment).await;
    came_back(&w, &remit, &payment).await;
    assert_eq!(w.state(&remit).await, "returned_after_levy");
    for note in ["returned_after_levy", "payment_without_permit"] {
        w.two_persons_decide(note, "closed", Some(evidence(&payment))).await;
    }
    nothing_is_left(&w).await;
    w
}

pub(crate) async fn e08_a_closed_payment_is_explained_by_two_persons(db: Db) -> World {
    let never = |setup: &mut Setup| setup.policy.cancel_never_permitted = CancelNeverPermitted::Never;
    let w = World::with(db, never).await;
    // Given a payment that is reported when the 72 hours are over: never confirmed, and nobody may confirm it any more.
    let (order, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.run(hours(73)).await;
    w.report_paid(&remit, &permit, &payment).await;
    w.run(hours(2)).await;
    assert_eq!(w.cases().await, ["auto_closed_paid"]);
    // When two persons have settled it outside, that is an end: the audits do not ask for a confirmation for ever.
    w.two_persons_decide("auto_closed_paid", "closed", Some(evidence(&payment))).await;
    w.run(hours(48)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.order_state(&order).await.as_str()), ("auto_closed_paid", "settled"));
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL")), (0, 0));
    nothing_is_left(&w).await;
    w
}
