//! The race table (safety.md §8), row by row. A close notice is an observation: it never flips a state by itself.

use crate::world::*;
use serde_json::json;
use simulator::{CallFault, Operation, Outcome, Span};
use workflows::policy::CancelNeverPermitted;

/// Nothing is cancelled by itself, so that remits live to see the 72 h pass.
async fn patient(db: Db) -> World {
    World::with(db, |setup| setup.policy.cancel_never_permitted = CancelNeverPermitted::Never).await
}

/// Another order that may be paid, for the n-th person.
async fn ready(w: &World, n: u32) -> (Order, Remit) {
    let order = w.asks_for(ask(&format!("B-{n}"), n)).await;
    w.until_order(&order, "ready").await;
    let remit = w.remits(&order).await.remove(0);
    (order, remit)
}

async fn freeze_confirm(w: &World, confirm: bool) {
    let body = json!({ "scope": "all", "confirm": confirm });
    w.put_as(Person::Wang, "/v1/freezes", body).await.expect(200);
}

/// No permit ever; notice, or Q = CLOSE: closed, gate shut, done.
pub(crate) async fn race_no_permit_ever_and_close(db: Db) -> World {
    let w = patient(db).await;
    let (_, told) = w.ready("A-1").await;
    w.run(hours(2)).await;
    let (_, untold) = ready(&w, 2).await;
    w.run(hours(71)).await;
    assert_eq!((w.state(&told).await.as_str(), w.state(&untold).await.as_str()), ("auto_closed_unpaid", "gate_closed"));
    // The second notice is lost, and the look that comes anyway finds the same.
    w.mute_callbacks(true);
    w.until_remit(&untold, "auto_closed_unpaid").await;
    assert_eq!((w.refused(&told).await.as_str(), w.refused(&untold).await.as_str()), ("not_payable", "not_payable"));
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL"), w.cases().await.len()), (0, 0, 0));
    w
}

/// Permit out, result unknown; notice: gate shut, payout in doubt, a case at once; then the bank's word ends it.
pub(crate) async fn race_permit_out_and_close_notice(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_late = Span(80 * 3600, 80 * 3600)).await;
    let (_, paid) = w.ready("A-1").await;
    let (_, failed) = ready(&w, 2).await;
    let (first, second) = (w.permit(&paid).await, w.permit(&failed).await);
    w.bank_will(Outcome::Late);
    w.instruct(&first).await.unwrap();
    w.bank_will(Outcome::FailedLater);
    w.instruct(&second).await.unwrap();
    w.run(hours(73)).await;
    for remit in [&paid, &failed] {
        assert_eq!((w.state(remit).await.as_str(), w.refused(remit).await.as_str()), ("payout_in_doubt", "in_doubt"));
    }
    let urgent = w.all("/v1/cases?kind=may_be_paid_without_levy").await;
    assert!(urgent.len() == 2 && urgent.iter().all(|case| case["severity"] == "critical"));
    // Failed: done. Paid: to be levied again by people, never confirmed by itself.
    w.report(&failed, &second, "failed").await;
    w.settle().await;
    assert_eq!(w.state(&failed).await, "auto_closed_unpaid");
    w.run(hours(8)).await;
    let payment = w.bank_says(&first).await;
    w.report_paid(&paid, &first, &payment).await;
    w.settle().await;
    assert_eq!((w.state(&paid).await.as_str(), w.sent("CONTINUE"), w.sent("CANCEL")), ("auto_closed_paid", 0, 0));
    assert_eq!(w.case("auto_closed_paid").await["owner_role"], "finance");
    w
}

/// Evidence, CONTINUE not sent; notice: ask first. ACCEPT: the notice was stale, and CONTINUE goes; past D with a case.
pub(crate) async fn race_evidence_unsent_and_close_notice(db: Db) -> World {
    const LATER: &str = "1001";
    let w = World::with(db, |setup| setup.account.code_clock_refused = Some(LATER.into())).await;
    // Given a decision that is about to be sent, when the notice comes: the live look before it was older than the notice.
    let (order, stale) = w.ready("A-1").await;
    w.pays(&stale).await;
    w.provider_refuses(Operation::ConfirmOrderV2, LATER);
    w.settle().await;
    assert_eq!((w.state(&stale).await.as_str(), w.decided("CONTINUE")), ("confirming", 0));
    let looks = w.arrivals(Operation::QueryOrderV2).len();
    w.notice(&order, &stale, w.now()).await;
    w.run(seconds(10)).await;
    let calls = w.ledger().calls;
    let sent = calls.iter().rposition(|call| call.operation == Operation::ConfirmOrderV2.name()).unwrap();
    assert_eq!(w.decided("CONTINUE"), 1);
    let asked = calls[..sent].iter().filter(|call| call.operation == Operation::QueryOrderV2.name()).count();
    assert!(asked > looks, "the provider is asked again before anything is sent");
    w.until_remit(&stale, "levied").await;
    // The same past D and before the 72 hours: it goes, and a person is told.
    let (order, late) = ready(&w, 2).await;
    let permit = w.permit(&late).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.run(hours(71)).await;
    w.report_paid(&late, &permit, &payment).await;
    w.provider_refuses(Operation::ConfirmOrderV2, LATER);
    w.settle().await;
    w.notice(&order, &late, w.now()).await;
    w.run(seconds(5)).await;
    assert_eq!((w.state(&late).await.as_str(), w.decided("CONTINUE")), ("levying", 2));
    let cases = w.cases().await;
    assert!(cases.contains(&"confirmed_past_deadline".into()) || cases.contains(&"stale_notice".into()), "{cases:?}");
    w.until_remit(&late, "levied").await;
    // And where the answer is CLOSE, nothing goes.
    let (_, closed) = ready(&w, 3).await;
    let permit = w.permit(&closed).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.mute_callbacks(true);
    w.sleep(hours(73)).await;
    w.report_paid(&closed, &permit, &payment).await;
    w.settle().await;
    assert_eq!((w.state(&closed).await.as_str(), w.decided("CONTINUE")), ("auto_closed_paid", 2));
    w
}

/// CONTINUE in doubt; notice: nothing; what the provider shows decides, or people do.
pub(crate) async fn race_continue_in_doubt_and_close_notice(db: Db) -> World {
    let w = World::new(db).await;
    let (order, applied) = w.ready("A-1").await;
    let paid = w.pays(&applied).await;
    // Given a CONTINUE that was applied and not heard of, and a notice that is not true.
    w.falls_silent_in("CONTINUE", CallFault::DropAfter, &[Operation::QueryOrderV2]).await;
    assert_eq!(w.state(&applied).await, "confirm_in_doubt");
    w.notice(&order, &applied, w.now()).await;
    w.run(minutes(2)).await;
    assert_eq!(w.state(&applied).await, "confirm_in_doubt", "nobody can be asked, so nothing moves");
    w.outage(&[]);
    w.until_remit(&applied, "levying").await;
    assert_eq!(w.sent("CONTINUE"), 1);
    w.until_remit(&applied, "contradicted").await;
    assert_eq!(w.case("contradiction").await["severity"], "critical");
    w.two_persons_decide("contradiction", "levied", Some(evidence(&paid.payment))).await;
    // Given one that never arrived, and a provider that is away until the 72 hours are over.
    let (_, lost) = ready(&w, 2).await;
    let paid = w.pays(&lost).await;
    w.falls_silent_in("CONTINUE", CallFault::DropBefore, &[Operation::QueryOrderV2, Operation::ConfirmOrderV2]).await;
    w.run(hours(74)).await;
    assert_eq!((w.state(&lost).await.as_str(), w.word(&lost).as_str()), ("confirm_in_doubt", "CLOSE"));
    w.outage(&[]);
    w.until_remit(&lost, "contradicted").await;
    w.two_persons_decide("contradiction", "closed", Some(evidence(&paid.payment))).await;
    assert_eq!((w.state(&lost).await.as_str(), w.decided("CONTINUE")), ("auto_closed_paid", 1));
    w
}

/// CONTINUE acknowledged; notice: a contradiction with the CLOSE that follows; finance is told, nothing moves by itself.
pub(crate) async fn race_continue_acknowledged_and_close_notice(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let paid = w.pays(&remit).await;
    w.settle().await;
    assert_eq!(w.state(&remit).await, "levying");
    w.notice(&order, &remit, w.now()).await;
    w.run(minutes(1)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.word(&remit).as_str()), ("levying", "PROCESS"));
    w.until_remit(&remit, "contradicted").await;
    let case = w.case("contradiction").await;
    assert_eq!((text(&case["severity"]), text(&case["owner_role"])), ("critical", "finance"));
    w.run(hours(48)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CONTINUE"), w.sent("CANCEL")), ("contradicted", 1, 0));
    w.two_persons_decide("contradiction", "levied", Some(evidence(&paid.payment))).await;
    assert_eq!(w.state(&remit).await, "levied");
    w
}

/// CANCEL sent or acknowledged; notice: consistent.
pub(crate) async fn race_cancel_sent_and_close_notice(db: Db) -> World {
    let w = World::new(db).await;
    let cancel = async |remit: &Remit| {
        w.post(&format!("/v1/remits/{}/cancel", remit.id), json!({})).await.expect(202);
    };
    let (order, acknowledged) = w.ready("A-1").await;
    cancel(&acknowledged).await;
    w.settle().await;
    w.notice(&order, &acknowledged, w.now()).await;
    w.run(hours(1)).await;
    assert_eq!(w.state(&acknowledged).await, "cancelled");
    // One that is in doubt, and whose provider is away.
    let (order, sent) = ready(&w, 2).await;
    cancel(&sent).await;
    w.falls_silent_in("CANCEL", CallFault::DropAfter, &[Operation::QueryOrderV2]).await;
    w.notice(&order, &sent, w.now()).await;
    w.run(minutes(2)).await;
    assert_eq!(w.state(&sent).await, "cancel_in_doubt");
    w.outage(&[]);
    w.until_remit(&sent, "cancelled").await;
    assert_eq!((w.sent("CANCEL"), w.cases().await.len()), (2, 0));
    w
}

/// Paid, no decision; bank return: the evidence is revoked, and the remit is open again, or its gate closes.
pub(crate) async fn race_paid_undecided_and_bank_return(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(3600, 3600)).await;
    let (_, early) = w.ready("A-1").await;
    let (_, late) = ready(&w, 2).await;
    let (first, second) = (w.permit(&early).await, w.permit(&late).await);
    // Given payments that the bank gives back within the hour, while confirming is frozen.
    w.bank_will(Outcome::Returned);
    w.bank_will(Outcome::Returned);
    let payments = (w.instruct(&first).await.unwrap(), w.instruct(&second).await.unwrap());
    freeze_confirm(&w, true).await;
    w.report_paid(&early, &first, &payments.0).await;
    w.report_paid(&late, &second, &payments.1).await;
    w.run(hours(2)).await;
    assert_eq!((w.state(&early).await.as_str(), w.state(&late).await.as_str()), ("paid", "paid"));
    // Before pay_cutoff the remit may be paid again.
    w.report(&early, &first, "returned").await;
    w.settle().await;
    let shown = w.remit(&early).await;
    assert_eq!((text(&shown["state"]), shown["evidence"].is_null()), ("open", true));
    // After it, nothing may: it is cancelled.
    w.sleep(hours(44)).await;
    w.report(&late, &second, "returned").await;
    w.until_remit(&late, "cancelled").await;
    w.until_remit(&early, "cancelled").await;
    freeze_confirm(&w, false).await;
    w.run(hours(30)).await;
    assert_eq!((w.sent("CONTINUE"), w.decided("CANCEL"), w.paid()), (0, 2, 0));
    w
}

/// Confirming, in doubt, or levying; bank return: an incident at once, and no automatic move.
pub(crate) async fn race_confirming_and_bank_return(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(60, 60)).await;
    // While the levy runs.
    let (_, levying) = w.ready("A-1").await;
    w.bank_will(Outcome::Returned);
    let paid = w.pays(&levying).await;
    w.run(minutes(2)).await;
    w.report(&levying, &paid.permit, "returned").await;
    w.settle().await;
    assert_eq!(w.state(&levying).await, "levying");
    assert_eq!(w.case("returned_after_levy").await["severity"], "critical");
    w.until_remit(&levying, "returned_after_levy").await;
    // While nobody knows whether CONTINUE arrived.
    let (_, doubt) = ready(&w, 2).await;
    w.bank_will(Outcome::Returned);
    let paid = w.pays(&doubt).await;
    w.falls_silent_in("CONTINUE", CallFault::DropAfter, &[Operation::QueryOrderV2]).await;
    w.run(minutes(2)).await;
    assert_eq!(w.state(&doubt).await, "confirm_in_doubt");
    w.report(&doubt, &paid.permit, "returned").await;
    w.settle().await;
    assert_eq!(w.state(&doubt).await, "contradicted");
    w.outage(&[]);
    w.run(hours(30)).await;
    assert_eq!((w.state(&doubt).await.as_str(), w.sent("CONTINUE"), w.sent("CANCEL")), ("contradicted", 2, 0));
    w.two_persons_decide("contradiction", "levied", Some(evidence(&paid.payment))).await;
    assert_eq!(w.state(&doubt).await, "returned_after_levy");
    w
}

/// Levied; bank return: an incident with its evidence, no second levy.
pub(crate) async fn race_levied_and_bank_return(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(24 * 3600, 24 * 3600)).await;
    let (order, remit) = w.ready("A-1").await;
    w.bank_will(Outcome::Returned);
    let paid = w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    w.run(hours(25)).await;
    // Reported twice, and by the same payer as paid once more: it is one incident.
    w.report(&remit, &paid.permit, "returned").await;
    w.report(&remit, &paid.permit, "returned").await;
    w.report_paid(&remit, &paid.permit, &paid.payment).await;
    w.settle().await;
    assert_eq!(
        (w.state(&remit).await, w.cases().await),
        ("returned_after_levy".into(), vec!["returned_after_levy".into()])
    );
    assert_eq!(w.remit(&remit).await["decision"]["next_step"], "CONTINUE");
    w.post(&format!("/v1/orders/{}/replace", order.id), json!({ "business_key": "A-2" })).await.expect(409);
    w.run(hours(100)).await;
    assert_eq!((w.sent("CONTINUE"), w.created(), w.payments().len()), (1, 1, 1));
    w
}

/// Any undecided state; Q = CLOSE without a notice: as if the notice had come.
pub(crate) async fn race_undecided_and_close_without_notice(db: Db) -> World {
    let w = patient(db).await;
    let (_, open) = w.ready("A-1").await;
    let (_, permitted) = ready(&w, 2).await;
    let (_, paid) = ready(&w, 3).await;
    let (first, second) = (w.permit(&permitted).await, w.permit(&paid).await);
    let payment = w.instruct(&second).await.unwrap();
    // Given notices that are all lost, and a report that comes when the 72 hours are over.
    w.mute_callbacks(true);
    w.run(hours(73)).await;
    w.report_paid(&paid, &second, &payment).await;
    w.run(hours(12)).await;
    assert_eq!(w.state(&open).await, "auto_closed_unpaid");
    assert_eq!(w.state(&paid).await, "auto_closed_paid");
    assert_eq!(w.state(&permitted).await, "payout_in_doubt");
    assert_eq!(w.case("may_be_paid_without_levy").await["severity"], "critical");
    w.attests(&permitted, &first).await.expect(202);
    w.settle().await;
    assert_eq!(
        (w.state(&permitted).await.as_str(), w.sent("CONTINUE"), w.sent("CANCEL")),
        ("auto_closed_unpaid", 0, 0)
    );
    w
}
