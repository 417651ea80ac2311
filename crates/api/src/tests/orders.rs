//! Orders: parsed once, told whole, once per business key.

use super::{World, order, person};
use crate::Role;
use serde_json::{Value, json};

fn with(mut body: Value, field: &str, value: Value) -> Value {
    match field.split_once('.') {
        Some((outer, inner)) => body[outer][inner] = value,
        None => body[field] = value,
    }
    body
}

#[tokio::test]
async fn one_business_key_is_one_order() {
    let world = World::new().await;
    let made = world.post("/v1/orders", order("A-1", 1)).await.expect(201).json();
    for field in [
        "id",
        "request_id",
        "state",
        "outcome",
        "deadline",
        "pay_cutoff",
        "accept_time",
        "fail_reason",
        "remits",
        "waits_for",
        "created_at",
        "updated_at",
    ] {
        assert!(made.get(field).is_some(), "{field} is missing");
    }
    assert_eq!(
        (made["state"].as_str(), &made["outcome"], &made["deadline"]),
        (Some("gated"), &Value::Null, &Value::Null)
    );
    let again = world.post("/v1/orders", order("A-1", 1)).await.expect(200).json();
    assert_eq!(again["id"], made["id"]);
    let other = world.post("/v1/orders", with(order("A-1", 1), "net", json!("1.00"))).await.expect(409);
    assert_eq!(other.code(), "business_key_conflict");
    let card = with(order("A-1", 1), "person.bankcard_no", json!("4111111111111111"));
    assert_eq!(
        world.post("/v1/orders", card).await.expect(409).code(),
        "business_key_conflict",
        "the payee is content too"
    );
}

#[tokio::test]
async fn f87_every_field_is_checked_and_named() {
    let world = World::new().await;
    let long = "九".repeat(101);
    let cases = [
        ("business_key", json!("x".repeat(65)), "length"),
        ("business_key", json!("a\u{202e}b"), "characters"),
        ("business_key", json!(null), "missing"),
        ("business_key", json!(7), "wrong_type"),
        ("person.name", json!("张3"), "name_characters"),
        ("person.id_card", json!("110101199003070012"), "id_card_checksum"),
        ("person.id_card", json!("11010119900307001x"), "id_card_lower_x"),
        ("person.cellphone", json!("１３８００００００００"), "cellphone_format"),
        ("person.bankcard_no", json!("6222000000000000005"), "bankcard_checksum"),
        ("person", json!(null), "missing"),
        ("net", json!("0.00"), "amount_zero"),
        ("net", json!("1.5"), "amount_format"),
        ("net", json!("-1.00"), "amount_format"),
        ("net", json!(12.5), "wrong_type"),
        ("tax_mode", json!("general"), "tax_mode"),
        ("tax_agent_parent_id", json!("123456789012345678901"), "digits"),
        ("tax_agent_parent_id", json!(-5), "digits"),
        ("tax_agent_location_id", json!("20o1"), "digits"),
        ("task_id", json!("12345678901"), "digits"),
        ("credit_code", json!("x".repeat(21)), "length"),
        ("remark", json!(long), "length"),
        ("account", json!("nope"), "unknown_account"),
    ];
    for (field, value, code) in cases {
        let answer = world.post("/v1/orders", with(order("A-1", 1), field, value.clone())).await.expect(400);
        assert_eq!(answer.faults(), [format!("{field}: {code}")], "{value}");
        assert!(answer.text.contains(" / "), "in both languages: {}", answer.text);
    }
    for (field, value, fault) in [
        ("gross", json!("1.00"), "gross: net_or_gross"),
        ("net", json!(null), "net: net_or_gross"),
        ("customer_id", json!("7"), "customer_id: one_customer"),
        ("credit_code", json!(null), "credit_code: one_customer"),
        ("nett", json!("1.00"), "nett: unknown_field"),
        ("person.idcard", json!("1"), "person.idcard: unknown_field"),
    ] {
        let answer = world.post("/v1/orders", with(order("A-1", 1), field, value)).await.expect(400);
        assert_eq!(answer.faults(), [fault]);
    }
}

#[tokio::test]
async fn all_faults_of_an_order_are_told_at_once_and_nothing_is_stored() {
    let world = World::new().await;
    let body = json!({"business_key": "", "person": {"name": "", "id_card": "1"}, "net": "x", "tax_mode": "?", "task_id": "a"});
    let answer = world.post("/v1/orders", body).await.expect(400);
    assert_eq!(answer.faults().len(), 10, "{:?}", answer.faults());
    assert_eq!(answer.code(), "invalid_input");
    assert_eq!(world.get("/v1/orders").await.json()["items"], json!([]));
}

#[tokio::test]
async fn numbers_may_be_ids() {
    let world = World::new().await;
    let body = with(with(order("A-1", 1), "tax_agent_parent_id", json!(1001)), "task_id", json!(1));
    let made = world.post("/v1/orders", body).await.expect(201).id();
    assert_eq!(
        world.post("/v1/orders", order("A-1", 1)).await.expect(200).id(),
        made,
        "written otherwise, the same content"
    );
}

#[tokio::test]
async fn p12_a_suspected_duplicate_waits_for_a_person() {
    let world = World::new().await;
    world.post("/v1/orders", order("A-1", 1)).await.expect(201);
    let second = world.post("/v1/orders", order("A-2", 1)).await.expect(201);
    assert_eq!(second.json()["hold"], "suspected_duplicate");
    let task = world.get("/v1/tasks").await.expect(200).json()["items"][0].clone();
    assert_eq!(
        (task["kind"].as_str(), task["instance_id"].as_str()),
        (Some("release_order"), Some(second.id().as_str()))
    );
    let path = format!("/v1/orders/{}/release", second.id());
    world.post(&path, json!({"reason": "two jobs"})).await.expect(403);
    assert_eq!(
        world.call(Role::Approver, "POST", &path, json!({"reason": " "})).await.expect(400).faults(),
        ["reason: length"]
    );
    world.call(Role::Approver, "POST", &path, json!({"reason": "two jobs"})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.get(&format!("/v1/orders/{}", second.id())).await.json()["hold"], Value::Null);
    assert_eq!(
        world.call(Role::Approver, "POST", &path, json!({"reason": "again"})).await.expect(409).code(),
        "not_held"
    );
}

#[tokio::test]
async fn people_print_masked_and_are_revealed_on_record() {
    let world = World::new().await;
    let id = world.post("/v1/orders", order("A-1", 1)).await.expect(201).id();
    let id_card = person(1)["id_card"].as_str().unwrap().to_owned();
    let path = format!("/v1/orders/{id}");
    assert!(!world.get(&path).await.expect(200).text.contains(&id_card));
    let revealing = format!("{path}?reveal=true");
    assert_eq!(world.call(Role::Operator, "GET", &revealing, None).await.expect(403).code(), "forbidden");
    assert!(world.call(Role::Approver, "GET", &revealing, None).await.expect(200).text.contains(&id_card));
    let acts = world.engine.store.acts("default", 10).await.unwrap();
    assert!(acts.iter().any(|act| act.what == "person.revealed" && act.who == "approver"));
}

#[tokio::test]
async fn orders_are_listed_and_found() {
    let world = World::new().await;
    for n in 1..=5 {
        world.post("/v1/orders", order(&format!("A-{n}"), n)).await.expect(201);
    }
    let page = world.get("/v1/orders").await.expect(200).json();
    for listed in page["items"].as_array().unwrap() {
        let alone = world.get(&format!("/v1/orders/{}", listed["id"].as_str().unwrap())).await.expect(200).json();
        assert_eq!(*listed, alone, "a page shows each as it is shown alone");
    }
    let first = world.get("/v1/orders?limit=2").await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = format!("/v1/orders?limit=200&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = world.get(&next).await.expect(200).json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (3, &Value::Null));
    for (query, count) in [
        ("business_key=A-3", 1),
        ("state=gated", 5),
        ("person=0003", 1),
        ("person=nobody", 0),
        ("until=2020-01-01T00:00:00Z", 0),
    ] {
        let found = world.get(&format!("/v1/orders?{query}")).await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(world.get("/v1/orders?since=yesterday").await.expect(400).faults(), ["since: time_format"]);
}

#[tokio::test]
async fn an_order_tells_its_times_and_its_story() {
    let world = World::new().await;
    let (id, remit) = world.ready("A-1", 1).await;
    let shown = world.get(&format!("/v1/orders/{id}")).await.json();
    assert!(shown["deadline"].is_string() && shown["pay_cutoff"].is_string() && shown["accept_time"].is_string());
    assert_eq!(shown["remits"][0]["state"], "open");
    let story = world.get(&format!("/v1/orders/{id}/timeline")).await.expect(200).json();
    let items = story["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["exchange"]["operation"].is_string()), "{story}");
    assert!(items.iter().any(|item| item["remit_id"] == json!(remit)), "{story}");
    assert!(!story.to_string().contains("\"request\""), "bytes are shown to admins who ask");
    let raw = format!("/v1/orders/{id}/timeline?raw=true");
    world.call(Role::Approver, "GET", &raw, None).await.expect(403);
    assert!(world.call(Role::Admin, "GET", &raw, None).await.expect(200).text.contains("\"request\""));
}

#[tokio::test]
async fn an_unsent_order_is_cancelled_and_replaced_by_one_other() {
    let world = World::new().await;
    let id = world.post("/v1/orders", order("A-1", 1)).await.expect(201).id();
    let replace = format!("/v1/orders/{id}/replace");
    assert_eq!(world.post(&replace, json!({"business_key": "A-2"})).await.expect(409).code(), "not_replaceable");
    world.post(&format!("/v1/orders/{id}/cancel"), json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    assert_eq!(world.get(&format!("/v1/orders/{id}")).await.json()["outcome"], "cancelled");
    assert_eq!(world.post(&replace, json!({})).await.expect(400).faults(), ["business_key: missing"]);
    assert_eq!(
        world.post(&replace, json!({"business_key": "A-1"})).await.expect(400).faults(),
        ["business_key: business_key_used"]
    );
    assert_eq!(
        world.post(&replace, json!({"business_key": "A-2", "person": person(9)})).await.expect(400).faults(),
        ["person.id_card: other_person"]
    );
    let changed = json!({"business_key": "A-2", "gross": "2000.00", "person": {"bankcard_no": "4111111111111111"}});
    let new = world.post(&replace, changed.clone()).await.expect(201).json();
    assert_eq!(
        (&new["replaces"], &new["gross"], &new["net"], &new["hold"]),
        (&json!(id), &json!("2000.00"), &Value::Null, &Value::Null)
    );
    assert_eq!(world.post(&replace, changed).await.expect(200).json()["id"], new["id"]);
    let second = world.post(&replace, json!({"business_key": "A-3"})).await.expect(201).json();
    assert_eq!(second["hold"], "suspected_duplicate", "one business is replaced once");
}
