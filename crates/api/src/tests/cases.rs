//! Cases: legal moves only, and nobody alone where money or tax moves (四眼原则).

use super::World;
use crate::Role;
use serde_json::json;

fn evidence(serial: &str) -> serde_json::Value {
    json!({"amount": "1234.50", "paid_at": "2026-01-05T10:01:00+08:00", "bank_serial": serial, "payee_bankcard_no": "6222000000000000004", "source": "statement"})
}

#[tokio::test]
async fn f101_evidence_without_a_permit_takes_two_persons() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let path = format!("/v1/remits/{remit}/evidence");
    for (field, value, fault) in [
        ("amount", json!("1.00"), "amount: amount_mismatch"),
        ("payee_bankcard_no", json!("4111111111111111"), "payee_bankcard_no: payee_mismatch"),
        ("paid_at", json!("2026-01-04T10:01:00+08:00"), "paid_at: paid_at_out_of_range"),
        ("source", json!("api"), "source: source"),
        ("bank_serial", json!(null), "bank_serial: missing"),
    ] {
        let mut body = evidence("BK-1");
        body[field] = value;
        assert_eq!(world.call(Role::Approver, "POST", &path, body).await.expect(400).faults(), [fault]);
    }
    let brought = world.call(Role::Approver, "POST", &path, evidence("BK-1")).await.expect(202).json();
    let case = brought["case_id"].as_str().unwrap().to_owned();
    assert_eq!(
        (brought["case"]["state"].as_str(), brought["case"]["kind"].as_str()),
        (Some("proposed"), Some("payment_evidence"))
    );
    assert!(!brought.to_string().contains("6222000000000000004"), "the card is compared, not kept");
    world.call(Role::Approver, "POST", &path, evidence("BK-1")).await.expect(202);
    let approve = format!("/v1/cases/{case}/approve");
    assert_eq!(world.call(Role::Approver, "POST", &approve, json!({})).await.expect(409).code(), "same_person");
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.remit(&remit).await["state"], "open", "one person moves nothing");
    let yes = world.call(Role::Admin, "POST", &approve, json!({})).await.expect(202).json();
    assert_eq!(yes["proposal"]["approved_by"], "admin");
    world.call(Role::Admin, "POST", &approve, json!({})).await.expect(202);
    world.pass(20).await;
    let again = world.call(Role::Admin, "POST", &approve, json!({})).await.expect(202).json();
    assert_eq!(again["state"], "resolved", "the same approver has the same answer");
    let shown = world.remit(&remit).await;
    assert_eq!(shown["evidence"]["source"], "statement", "{shown}");
    assert_eq!(shown["decision"]["next_step"], "CONTINUE", "{shown}");
    let late = world.call(Role::Approver, "POST", &path, evidence("BK-2")).await.expect(409);
    assert_eq!(late.code(), "decided");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_cases_own_moves_are_taken() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let permit = world.permit(&remit).await;
    let unknown = json!({"permit_id": permit["permit_id"], "outcome": "unknown"});
    world.post(&format!("/v1/remits/{remit}/payout-results"), unknown).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let listed = world.get("/v1/cases?state=open&kind=payout_in_doubt").await.expect(200).json();
    let case = &listed["items"][0];
    assert_eq!(case["instance"], json!({"workflow": "remit", "id": remit}));
    assert_eq!(case["moves"][0], json!({"move": "paid", "needs": ["evidence", "second_person"]}));
    let path = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    world.get(&path).await.expect(200);
    let resolve = format!("{path}/resolve");
    let tried = world.post(&resolve, json!({"move": "levied", "reason": "x"})).await.expect(400);
    assert_eq!(tried.faults(), ["move: illegal_move"]);
    assert_eq!(
        world.post(&resolve, json!({"move": "paid", "reason": "x"})).await.expect(400).faults(),
        ["evidence: missing"]
    );
    let wrong = json!({"move": "paid", "reason": "x", "evidence": {"amount": "1"}});
    assert!(world.post(&resolve, wrong).await.expect(400).faults().contains(&"evidence.paid_at: missing".to_owned()));
    assert_eq!(
        world.call(Role::Admin, "POST", &format!("{path}/approve"), json!({})).await.expect(409).code(),
        "not_proposed"
    );
    let proposed =
        world.post(&resolve, json!({"move": "not_paid", "reason": "the bank's letter"})).await.expect(202).json();
    assert_eq!(proposed["state"], "proposed");
    assert_eq!(
        world.post(&resolve, json!({"move": "not_paid", "reason": "again"})).await.expect(409).code(),
        "case_proposed"
    );
    world.call(Role::Approver, "POST", &format!("{path}/approve"), json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.remit(&remit).await["state"], "open");
    assert_eq!(world.get(&path).await.json()["state"], "resolved");
    assert_eq!(
        world.post(&resolve, json!({"move": "not_paid", "reason": "late"})).await.expect(409).code(),
        "case_resolved"
    );
}

#[tokio::test]
async fn a_proposal_lapses_and_another_takes_its_place() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let path = format!("/v1/remits/{remit}/evidence");
    let brought = world.call(Role::Approver, "POST", &path, evidence("BK-1")).await.expect(202).json();
    let case = format!("/v1/cases/{}", brought["case_id"].as_str().unwrap());
    let (approve, resolve) = (format!("{case}/approve"), format!("{case}/resolve"));
    let anew = json!({"move": "paid", "reason": "still true", "evidence": evidence("BK-1")});
    assert_eq!(
        world.post(&resolve, anew.clone()).await.expect(409).code(),
        "case_proposed",
        "it waits for its approver"
    );
    world.clock.advance_real(std::time::Duration::from_secs(25 * 3600));
    let late = world.call(Role::Admin, "POST", &approve, json!({})).await.expect(409);
    assert_eq!(late.code(), "proposal_lapsed");
    assert!(late.text.contains("/resolve"), "it says what to do: {}", late.text);
    world.call(Role::Approver, "POST", &path, evidence("BK-1")).await.expect(202);
    world.clock.advance_real(std::time::Duration::from_secs(25 * 3600));
    let proposed = world.post(&resolve, anew).await.expect(202).json();
    assert_eq!(proposed["proposal"]["by"], "operator", "another person's proposal takes its place");
    world.call(Role::Approver, "POST", &approve, json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.get(&case).await.json()["state"], "resolved");
}

#[tokio::test]
async fn a_payment_without_a_permit_is_reported_returned_by_its_serial() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    // Undecided: the return takes the evidence back.
    world.call(Role::Approver, "PUT", "/v1/freezes", json!({"scope": "all", "confirm": true})).await.expect(200);
    world.engine.refresh_freezes().await.unwrap();
    let report = format!("/v1/remits/{remit}/payout-results");
    let nameless = world.post(&report, json!({"outcome": "returned"})).await.expect(400);
    assert_eq!(nameless.faults(), ["bank_serial: missing"]);
    let failed = world.post(&report, json!({"outcome": "failed", "bank_serial": "BK-1"})).await.expect(400);
    assert_eq!(failed.faults(), ["permit_id: missing"]);
    let brought = world
        .call(Role::Approver, "POST", &format!("/v1/remits/{remit}/evidence"), evidence("BK-1"))
        .await
        .expect(202)
        .json();
    let approve = format!("/v1/cases/{}/approve", brought["case_id"].as_str().unwrap());
    world.call(Role::Admin, "POST", &approve, json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let returned = json!({"outcome": "returned", "bank_serial": "BK-1"});
    world.post(&report, returned.clone()).await.expect(202);
    world.pass(20).await;
    let shown = world.remit(&remit).await;
    assert_eq!((shown["state"].as_str(), &shown["evidence"]), (Some("open"), &json!(null)), "{shown}");
    world.post(&report, returned).await.expect(202);
    world.post(&report, json!({"outcome": "returned", "bank_serial": "BK-2"})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let odd = world.get("/v1/cases?state=open&kind=contradictory_report").await.expect(200).json();
    assert_eq!(odd["items"].as_array().unwrap().len(), 1, "a payment that nobody knows came back: {odd}");
    let bypass = world.get("/v1/cases?state=open&kind=payment_without_permit").await.expect(200).json();
    let bypass = format!("/v1/cases/{}", bypass["items"][0]["id"].as_str().unwrap());
    let close = json!({"move": "closed", "reason": "settled with the payer", "evidence": evidence("BK-1")});
    world.post(&format!("{bypass}/resolve"), close).await.expect(202);
    world.call(Role::Approver, "POST", &format!("{bypass}/approve"), json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.get(&bypass).await.json()["state"], "resolved", "before the remit rests");
    assert_eq!(world.remit(&remit).await["state"], "open", "and nothing moved");
}

#[tokio::test]
async fn a_move_that_came_too_late_puts_the_question_again_and_says_why() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let permit = world.permit(&remit).await;
    let brought = world
        .call(Role::Approver, "POST", &format!("/v1/remits/{remit}/evidence"), evidence("BK-1"))
        .await
        .expect(202)
        .json();
    let paid = json!({"permit_id": permit["permit_id"], "outcome": "paid", "amount": "1234.50",
        "paid_at": "2026-01-05T10:02:00+08:00", "bank_serial": "BK-2"});
    let report = format!("/v1/remits/{remit}/payout-results");
    world.post(&report, paid).await.expect(202);
    let case = format!("/v1/cases/{}", brought["case_id"].as_str().unwrap());
    world.post(&report, json!({"outcome": "returned", "bank_serial": "BK-1"})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    world.call(Role::Admin, "POST", &format!("{case}/approve"), json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let shown = world.get(&case).await.expect(200).json();
    assert_eq!((shown["state"].as_str(), &shown["proposal"]), (Some("open"), &json!(null)), "{shown}");
    assert_eq!(shown["facts"]["reopened"], "paid was not done: the bank has returned this payment");
}
