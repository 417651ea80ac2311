//! P30–P37: telling the provider.

use crate::world::files::pdf;
use crate::world::*;
use base64::Engine as _;
use domain::Time;
use engine::Driven;
use serde_json::json;
use simulator::switches::{ArisingTime, LateConfirm};
use simulator::{Operation, Outcome, Span};
use workflows::policy::Guard;

pub(crate) async fn p30_arising_time_is_bank_time(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.switches.arising_time = ArisingTime::WithinOrder).await;
    // Given a payment that is reported five hours late.
    let (_, late) = w.ready("A-1").await;
    let permit = w.permit(&late).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.run(hours(5)).await;
    w.report_paid(&late, &permit, &payment).await;
    w.until_remit(&late, "levied").await;
    // Then the tax arises when the bank paid, and nobody's now.
    assert_eq!(w.truth(&late).decision.unwrap().arising_time, paid_at(&payment));
    assert_eq!(time(&w.remit(&late).await["arising_time"]), paid_at(&payment));
    // A time before the order is no evidence: a person finds out.
    let order = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&order, "ready").await;
    let early = w.remits(&order).await.remove(0);
    let permit = w.permit(&early).await;
    let payment = w.instruct(&permit).await.unwrap();
    let mut wrong = payment.clone();
    wrong["paid_at"] = json!(paid_at(&payment) - hours(8));
    w.report_paid(&early, &permit, &wrong).await;
    w.settle().await;
    assert_eq!((w.state(&early).await.as_str(), w.sent("CONTINUE")), ("payout_in_doubt", 1));
    w.two_persons_decide("paid_at_out_of_range", "paid", Some(evidence(&payment))).await;
    w.until_remit(&early, "levied").await;
    assert_eq!(w.truth(&early).decision.unwrap().arising_time, paid_at(&payment));
    w
}

pub(crate) async fn p31_month_edge_utc_host(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.start = "2026-06-30T09:00:00+08:00";
        setup.policy.month_edge = Guard::Hold;
    })
    .await;
    // Given an order of the last day of June: its payment could settle in July, so there is no permit today.
    let (_, june) = w.ready("A-1").await;
    assert_eq!(w.refused(&june).await, "month_edge");
    // And one in the last hours of June: it waits for the new month, or for a person.
    w.run(hours(11)).await;
    let evening = w.asks_for(ask("A-2", 2)).await;
    w.settle().await;
    let shown = w.order(&evening).await;
    assert_eq!((text(&shown["state"]), text(&shown["hold"])), ("gated", "month_end"));
    w.until_order(&evening, "ready").await;
    assert!(time(&w.order(&evening).await["accept_time"]) >= Time::parse("2026-07-01T00:00:00+08:00").unwrap());
    // Paid at two in the morning in Beijing, which is June in Greenwich: the tax is July's.
    w.run(Time::parse("2026-07-01T02:00:00+08:00").unwrap().since(w.now())).await;
    w.pays(&june).await;
    w.until_remit(&june, "levied").await;
    let sent = w.arrivals(Operation::ConfirmOrderV2).remove(0);
    assert_eq!(fact(&sent, "arising_time"), "2026-07-01T02:00:00.000");
    assert_eq!(w.truth(&june).decision.unwrap().arising_time.beijing().month(), (2026, 7));
    w
}

pub(crate) async fn p32_cancel_needs_arising_time(db: Db) -> World {
    let w = World::new(db).await;
    let (_, remit) = w.ready("A-1").await;
    let asked = w.now();
    w.post(&format!("/v1/remits/{}/cancel", remit.id), json!({})).await.expect(202);
    w.until_remit(&remit, "cancelled").await;
    // The provider refuses a CANCEL without a time: it got the time of the decision, and gave the quota back.
    let sent = w.arrivals(Operation::ConfirmOrderV2);
    assert_eq!((sent.len(), fact(&sent[0], "next_step")), (1, "CANCEL"));
    assert_eq!(w.truth(&remit).decision.unwrap().arising_time, asked);
    assert_eq!(w.ledger().quota[0].held.fen(), 0);
    assert!(w.remit(&remit).await["arising_time"].is_null(), "and it means nothing");
    w
}

pub(crate) async fn p33_bank_return_after_levy(db: Db) -> World {
    let w = World::with(db, |setup| setup.far.timings.bank_return = Span(48 * 3600, 48 * 3600)).await;
    let (order, remit) = w.ready("A-1").await;
    // Given a payment that the bank gives back two days after its success, when the levy has long been made.
    w.bank_will(Outcome::Returned);
    let paid = w.pays(&remit).await;
    w.until_remit(&remit, "levied").await;
    w.run(hours(49)).await;
    assert_eq!(w.bank_says(&paid.permit).await["status"], "returned");
    w.report(&remit, &paid.permit, "returned").await;
    w.settle().await;
    // Then it is an incident with a case, and nothing is undone, paid or levied by itself.
    assert_eq!(
        (w.state(&remit).await.as_str(), w.order_state(&order).await.as_str()),
        ("returned_after_levy", "settled")
    );
    let case = w.case("returned_after_levy").await;
    assert_eq!((text(&case["severity"]), text(&case["owner_role"])), ("critical", "finance"));
    w.run(hours(200)).await;
    assert_eq!((w.sent("CONTINUE"), w.sent("CANCEL"), w.payments().len()), (1, 0, 1));
    assert_eq!(w.refused(&remit).await, "not_payable");
    w
}

pub(crate) async fn p34_close_notice_races_continue(db: Db) -> World {
    let w = World::new(db).await;
    let (order, remit) = w.ready("A-1").await;
    let paid = w.pays(&remit).await;
    // Given a close notice that comes while the answer to CONTINUE is on its way.
    w.during(Operation::ConfirmOrderV2, w.notice(&order, &remit, w.now())).await;
    w.run(minutes(1)).await;
    // Then the notice stops nothing and flips nothing: the provider shows that the levy runs.
    assert_eq!((w.state(&remit).await.as_str(), w.word(&remit).as_str()), ("levying", "PROCESS"));
    // But the CLOSE that follows has two readings now, and a person takes one of them.
    w.until_remit(&remit, "contradicted").await;
    assert_eq!(w.case("contradiction").await["severity"], "critical");
    w.two_persons_decide("contradiction", "levied", Some(evidence(&paid.payment))).await;
    assert_eq!((w.state(&remit).await.as_str(), w.sent("CONTINUE")), ("levied", 1));
    w
}

pub(crate) async fn p35_confirm_lands_after_72h(db: Db) -> World {
    let w = World::with(db, |setup| {
        setup.far.switches.late_confirm = LateConfirm::Accepted;
        setup.far.timings.closing_job = Span(6 * 3600, 6 * 3600);
    })
    .await;
    // Given a payment in time that is reported after 72 hours, when the closing job has not come by yet.
    let (_, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    w.run(hours(73)).await;
    assert_eq!((w.state(&remit).await.as_str(), w.word(&remit).as_str()), ("payout_in_doubt", "ACCEPT"));
    w.report_paid(&remit, &permit, &payment).await;
    w.settle().await;
    // Then the live ACCEPT decides: CONTINUE goes, whatever the time, with a case beside it.
    assert_eq!((w.state(&remit).await.as_str(), w.word(&remit).as_str()), ("levying", "PROCESS"));
    assert!(w.cases().await.contains(&"confirmed_past_deadline".to_owned()));
    w.until_remit(&remit, "levied").await;
    w.run(hours(48)).await;
    assert_eq!((w.sent("CONTINUE"), w.ledger().orders.len()), (1, 1), "nothing is levied again");
    w
}

pub(crate) async fn p36_paused_worker_sends_late(db: Db) -> World {
    let w = World::new(db).await;
    // Given a worker that is paused between its claim and its first byte.
    let (_, remit) = w.ready("A-1").await;
    w.pays(&remit).await;
    let paused = w.another_worker();
    let row = paused.claims_one().await;
    w.lease_ends().await;
    w.until_remit(&remit, "levied").await;
    assert_ne!(paused.wakes_with(row).await, Driven::Committed, "it finds that it is too late");
    assert_eq!(w.sent("CONTINUE"), 1);
    // And one that is paused in the middle of its drive, with the live query's ACCEPT already on its way to it.
    let order = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&order, "ready").await;
    let remit = w.remits(&order).await.remove(0);
    w.pays(&remit).await;
    let other = w.another_worker();
    w.during(Operation::QueryOrderV2, async {
        w.lease_ends().await;
        other.settle().await;
    })
    .await;
    w.until_remit(&remit, "levied").await;
    assert_eq!((w.sent("CONTINUE"), w.decided("CONTINUE")), (2, 2), "one for each remit");
    w
}

/// What exists of it: a voucher comes with the report, whole and a PDF, or is refused.
pub(crate) async fn p37_voucher_obligation_blocks_close(db: Db) -> World {
    let w = World::with(db, |setup| setup.policy.voucher_days = Some(10)).await;
    // Given a payment: what is no voucher is refused, and nothing of its report is kept.
    let (_, remit) = w.ready("A-1").await;
    let permit = w.permit(&remit).await;
    let payment = w.instruct(&permit).await.unwrap();
    let report = |voucher: &str| {
        json!({ "permit_id": permit.id(), "outcome": "paid", "amount": payment["amount"], "paid_at": payment["paid_at"],
            "bank_serial": payment["bank_serial"], "voucher_pdf": voucher })
    };
    let path = format!("/v1/remits/{}/payout-results", remit.id);
    assert_eq!(w.post(&path, report("bm8gcGRm")).await.expect(400).faults(), ["voucher_pdf: voucher_pdf"]);
    w.settle().await;
    assert_eq!(w.state(&remit).await, "permitted", "nothing of a report with a bad voucher is kept");
    // When it comes with the report, twice, the provider has it once.
    let voucher = base64::engine::general_purpose::STANDARD.encode(pdf("paid"));
    w.post(&path, report(&voucher)).await.expect(202);
    w.post(&path, report(&voucher)).await.expect(202);
    w.until_remit(&remit, "levied").await;
    w.settle().await;
    assert_eq!(w.remit(&remit).await["voucher_state"], "attached");
    assert_eq!(w.ledger().documents.len(), 1);
    // And the same file, uploaded once more, is the same paper.
    let of = remit.id.to_string();
    let same = w.uploads("bank_voucher", ("remit", &of), &pdf("paid")).await.expect(201).json();
    let known = w.post("/v1/document-submissions", json!({ "document_ids": [same["id"]] })).await.expect(200).json();
    assert_eq!((&known["state"], w.ledger().documents.len()), (&json!("verified"), 1));
    // And what shows no payment is refused before anything is sent.
    let order = w.asks_for(ask("A-2", 2)).await;
    w.until_order(&order, "ready").await;
    let late = w.remits(&order).await.remove(0);
    let of = late.id.to_string();
    let early = w.uploads("bank_voucher", ("remit", &of), &pdf("one")).await.expect(201).json();
    let wanted = json!({ "document_ids": [early["id"]] });
    assert_eq!(w.post("/v1/document-submissions", wanted.clone()).await.expect(409).json()["code"], "not_paid");
    // One that did not come is owed, and after its day a person is asked for it.
    w.pays(&late).await;
    w.until_remit(&late, "levied").await;
    assert_eq!(w.remit(&late).await["voucher_state"], "owed");
    w.run(hours(240)).await;
    assert_eq!(w.remit(&late).await["voucher_state"], "missing");
    assert_eq!(w.cases().await, ["voucher_missing"]);
    // One that the provider refuses does not meet the duty; the next one does.
    w.provider_refuses(Operation::AddBankVoucher, "0002");
    let refused = w.post("/v1/document-submissions", wanted).await.expect(201).json();
    w.run(minutes(5)).await;
    assert_eq!(w.submission_state(&refused).await, "rejected");
    assert_eq!(w.remit(&late).await["voucher_state"], "missing");
    let good = w.uploads("bank_voucher", ("remit", &of), &pdf("two")).await.expect(201).json();
    w.post("/v1/document-submissions", json!({ "document_ids": [good["id"]] })).await.expect(201);
    w.run(minutes(5)).await;
    assert_eq!(w.remit(&late).await["voucher_state"], "attached");
    assert!(w.cases().await.is_empty());
    w
}
