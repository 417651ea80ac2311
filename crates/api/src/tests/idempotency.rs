//! One key, one effect, one answer (F88).

use super::{World, order};
use futures::future::join_all;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f88_thirty_two_at_once_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let answers = join_all((0..32).map(|_| world.keyed("k", "/v1/orders", order("A-1", 1)))).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.text == answers[0].text), "{answers:?}");
    assert_eq!(world.get("/v1/orders").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_body_under_the_key_is_refused() {
    let world = World::new().await;
    world.keyed("k", "/v1/orders", order("A-1", 1)).await.expect(201);
    assert_eq!(world.keyed("k", "/v1/orders", order("A-2", 1)).await.expect(409).code(), "idempotency_key_reused");
    assert_eq!(world.keyed("k", "/v1/batches", order("A-1", 1)).await.expect(409).code(), "idempotency_key_reused");
}

#[tokio::test]
async fn refusals_are_kept_like_successes() {
    let world = World::new().await;
    let id = world.post("/v1/orders", order("A-1", 1)).await.expect(201).id();
    let path = format!("/v1/orders/{id}/replace");
    let body = json!({"business_key": "A-2"});
    let refused = world.keyed("k", &path, body.clone()).await.expect(409);
    world.post(&format!("/v1/orders/{id}/cancel"), json!({})).await.expect(202);
    world.engine.until_idle().await.unwrap();
    let again = world.keyed("k", &path, body.clone()).await.expect(409);
    assert_eq!(again.text, refused.text);
    assert_eq!(again.headers["content-type"], "application/problem+json");
    world.keyed("another", &path, body).await.expect(201);
}

#[tokio::test]
async fn a_key_has_a_form() {
    let world = World::new().await;
    for bad in ["", &"k".repeat(256)] {
        assert_eq!(
            world.keyed(bad, "/v1/orders", order("A-1", 1)).await.expect(400).faults(),
            ["Idempotency-Key: bad_key"]
        );
    }
    let long = "k".repeat(255);
    world.keyed(&long, "/v1/orders", order("A-1", 1)).await.expect(201);
}
