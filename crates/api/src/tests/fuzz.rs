//! Whatever is sent, the answer is no 5xx (F87).

use super::{World, bearer, request};
use crate::Role;
use crate::routes::ROUTES;
use axum::body::Body;
use axum::http::{Method, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

const WORDS: [&str; 34] = [
    "business_key",
    "account",
    "person",
    "net",
    "gross",
    "tax_mode",
    "tax_agent_parent_id",
    "tax_agent_location_id",
    "credit_code",
    "customer_id",
    "task_id",
    "remark",
    "name",
    "id_card",
    "cellphone",
    "bankcard_no",
    "orders",
    "permit_id",
    "outcome",
    "amount",
    "paid_at",
    "bank_serial",
    "bank_order_no",
    "payee_bankcard_no",
    "voucher_pdf",
    "reason",
    "move",
    "evidence",
    "source",
    "scope",
    "role",
    "tenant",
    "seconds",
    "create",
];

fn leaf() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "0.01",
        "1234.50",
        "GENERAL",
        "paid",
        "admin",
        "main",
        "\u{0}",
        "\u{202e}",
        "２０",
        "2026-01-05T10:00:00+08:00",
        "9999-12-31T23:59:59Z",
        "110101199003070011",
        "6222000000000000004",
        "13800000000",
        "张三",
        "0196b1c2-0000-7000-8000-000000000001",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::sample::select(texts.to_vec()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let key = prop_oneof![4 => proptest::sample::select(WORDS.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    leaf().prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            3 => proptest::collection::vec((key.clone(), inner.clone()), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
            1 => proptest::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

#[test]
fn f87_no_json_body_makes_a_fault_of_ours() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, order, remit) = runtime.block_on(async {
        let world = World::with(|settings| settings.dev = true).await;
        let (order, remit) = world.ready("A-1", 1).await;
        (world, order, remit)
    });
    let paths: Vec<String> =
        ROUTES.iter().filter(|route| route.method == Method::POST).map(|route| route.path.to_owned()).collect();
    // Nobody drives here: a question would wait its ten seconds, and a batch its five.
    let paths: Vec<String> =
        paths.into_iter().filter(|path| !path.ends_with("pay-permit") && !path.ends_with("pay-permits")).collect();
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let input = (proptest::sample::select(paths), anything(), any::<bool>());
    let run = runner.run(&input, |(path, body, known)| {
        let id = if !known {
            "0196b1c2-0000-7000-8000-000000000001"
        } else if path.contains("remits") {
            &remit
        } else {
            &order
        };
        let answer = runtime.block_on(world.call(Role::Admin, "POST", &path.replace("{id}", id), body.clone()));
        prop_assert!(answer.status < 500, "{path} {body}: {} {}", answer.status, answer.text);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn f87_no_upload_and_no_callback_makes_a_fault_of_ours() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let key = bearer("default", Role::Operator);
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let bytes = proptest::collection::vec(any::<u8>(), 0..400);
    let run = runner.run(&(bytes, any::<bool>()), |(bytes, headed)| {
        let head = b"business_key,name,id_card,cellphone,bankcard_no,net,tax_mode,tax_agent_parent_id,credit_code\n";
        let file = if headed { [head.as_slice(), &bytes].concat() } else { bytes.clone() };
        let upload = Request::post("/v1/batches?dry_run=true").header("authorization", format!("Bearer {key}"));
        let upload = upload.header("content-type", "text/csv").body(Body::from(file)).unwrap();
        let answer = runtime.block_on(world.send(upload));
        prop_assert!(answer.status < 500, "{}: {}", answer.status, answer.text);
        let answer = runtime.block_on(world.callback("main", bytes));
        prop_assert!(answer.status == 400, "{}: {}", answer.status, answer.text);
        Ok(())
    });
    run.unwrap();
}

#[tokio::test]
async fn what_no_row_can_hold_is_not_searched_for() {
    let world = World::new().await;
    for query in [
        "orders?business_key=%00",
        "orders?person=%00",
        "cases?kind=%00",
        "tasks?kind=a%E2%80%AEb",
        "orders?cursor=%00",
        "orders?state=%00",
    ] {
        let answer = world.get(&format!("/v1/{query}")).await;
        assert!(answer.status < 500, "{query}: {}", answer.text);
    }
    assert_eq!(world.get("/v1/cases?kind=%00").await.expect(400).faults(), ["kind: characters"]);
    world.call(Role::Admin, "GET", "/v1/keys?tenant=%00", None).await.expect(404);
}

#[tokio::test]
async fn malformed_bodies_and_other_media_are_told_apart() {
    let world = World::new().await;
    let key = bearer("default", Role::Operator);
    let send = |media: Option<&str>, body: &str| {
        let request = Request::post("/v1/orders").header("authorization", format!("Bearer {key}"));
        let request = media.into_iter().fold(request, |request, media| request.header("content-type", media));
        world.send(request.body(Body::from(body.to_owned())).unwrap())
    };
    assert_eq!(send(Some("application/json"), "{").await.expect(400).code(), "malformed_json");
    assert_eq!(send(Some("application/json; charset=utf-8"), "[").await.expect(400).code(), "malformed_json");
    assert_eq!(send(Some("text/plain"), "{}").await.expect(415).code(), "unsupported_media_type");
    assert_eq!(send(None, "{}").await.expect(415).code(), "unsupported_media_type");
    assert_eq!(send(Some("application/json"), &"[".repeat(100_000)).await.expect(400).code(), "malformed_json");
    let big = json!({"remark": "x".repeat(1024 * 1024)});
    assert_eq!(world.send(request(&key, "POST", "/v1/orders", Some(big))).await.expect(413).code(), "too_large");
}
