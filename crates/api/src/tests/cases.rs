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
    world.call(Role::Admin, "POST", &approve, json!({})).await.expect(202);
    world.pass(20).await;
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
async fn a_proposal_lapses() {
    let world = World::new().await;
    let (_, remit) = world.ready("A-1", 1).await;
    let brought = world
        .call(Role::Approver, "POST", &format!("/v1/remits/{remit}/evidence"), evidence("BK-1"))
        .await
        .expect(202)
        .json();
    world.clock.advance_real(std::time::Duration::from_secs(25 * 3600));
    let approve = format!("/v1/cases/{}/approve", brought["case_id"].as_str().unwrap());
    assert_eq!(world.call(Role::Admin, "POST", &approve, json!({})).await.expect(409).code(), "proposal_lapsed");
}
