//! Who may do what: nobody without a key, nobody more than his role, nobody with another tenant's things.

use super::{BOOTSTRAP, World, bearer, order, request};
use crate::Role;
use crate::routes::{Access, ROUTES};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOBODY: &str = "0196b1c2-0000-7000-8000-000000000001";

fn path(of: &str) -> String {
    of.replace("{id}", NOBODY)
}

#[tokio::test]
async fn f97_every_route_is_held_against_every_role() {
    let world = World::new().await;
    for route in &ROUTES {
        let (method, path) = (route.method.as_str(), path(route.path));
        let body = (method != "GET" && method != "DELETE").then(|| json!({}));
        let bare = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let without = world.send(bare).await;
        let Access::Role(needed) = route.access else {
            assert!(without.status < 400, "{method} {path}: {}", without.text);
            continue;
        };
        assert_eq!((without.status, without.code().as_str()), (401, "unauthorized"), "{method} {path}");
        let unknown = world.send(request("nobody's key", method, &path, body.clone())).await;
        assert_eq!(unknown.status, 401, "{method} {path}");
        for role in Role::ALL {
            let answer = world.call(role, method, &path, body.clone()).await;
            let refused = answer.status == 403 && answer.code() == "forbidden";
            assert_eq!(refused, role < needed, "{method} {path} as {role}: {} {}", answer.status, answer.text);
            if refused {
                assert!(answer.text.contains(needed.word()), "the role needed is named: {}", answer.text);
            }
        }
    }
}

#[test]
fn the_table_and_the_description_have_the_same_routes() {
    let document: Value = serde_json::to_value(crate::openapi()).unwrap();
    let methods = |(path, item): (&String, &Value)| {
        let path = path.clone();
        item.as_object()
            .unwrap()
            .keys()
            .map(move |method| format!("{} {path}", method.to_uppercase()))
            .collect::<Vec<_>>()
    };
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().iter().flat_map(methods).collect();
    let declared: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(described, declared);
    assert_eq!(declared.len(), ROUTES.len(), "no route is declared twice");
}

#[test]
fn openapi_json_is_what_this_program_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let now = serde_json::to_string_pretty(&crate::openapi()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, &now).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(kept == now, "openapi.json has drifted: run the tests once with BLESS=1 and read the difference");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new().await;
    let answer = world.get("/v1/nothing").await.expect(404);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let problem = answer.json();
    for field in ["type", "title", "status", "detail", "code"] {
        assert!(!problem[field].is_null(), "{field} is missing: {problem}");
    }
    assert_eq!(problem["status"], 404);
    let answer = world.call(Role::Admin, "DELETE", "/v1/orders", None).await.expect(405);
    assert_eq!(answer.headers["allow"], "POST, GET");
    assert_eq!(answer.code(), "method_not_allowed");
    world.get("/v1/orders/no-id").await.expect(404);
    world.get("/v1/orders?limit=0").await.expect(400);
    assert_eq!(world.get("/v1/orders?stat=ready").await.expect(400).faults(), ["stat: unknown_field"]);
    assert_eq!(world.get("/v1/orders?state=redy").await.expect(400).faults(), ["state: unknown_state"]);
}

#[tokio::test]
async fn f96_another_tenants_things_do_not_exist() {
    let world = World::new().await;
    let (order_id, remit) = world.ready("A-1", 1).await;
    let stranger = bearer("other", Role::Admin);
    let paths = [
        ("GET", format!("/v1/orders/{order_id}")),
        ("GET", format!("/v1/orders/{order_id}/timeline")),
        ("POST", format!("/v1/orders/{order_id}/cancel")),
        ("GET", format!("/v1/remits/{remit}")),
        ("POST", format!("/v1/remits/{remit}/pay-permit")),
        ("POST", format!("/v1/remits/{remit}/cancel")),
    ];
    for (method, path) in paths {
        let body = (method == "POST").then(|| json!({}));
        let answer = world.send(request(&stranger, method, &path, body)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{method} {path}");
    }
    for list in ["/v1/orders", "/v1/remits", "/v1/cases", "/v1/tasks?state=all"] {
        let answer = world.send(request(&stranger, "GET", list, None)).await.expect(200);
        assert_eq!(answer.json()["items"], json!([]), "{list}");
    }
    let theirs = world.send(request(&stranger, "POST", "/v1/orders", Some(order("A-1", 1)))).await.expect(201);
    assert_ne!(theirs.id(), order_id, "the same business key in another tenant is another order");
    let account = json!({"account": "main"});
    let mut body = order("A-2", 2);
    body["account"] = account["account"].clone();
    let answer = world.send(request(&stranger, "POST", "/v1/orders", Some(body))).await.expect(400);
    assert_eq!(answer.faults(), ["account: unknown_account"]);
}

#[tokio::test]
async fn keys_are_shown_once_and_revoked_for_ever() {
    let world = World::new().await;
    let made = world
        .send(request(
            BOOTSTRAP,
            "POST",
            "/v1/keys",
            Some(json!({"name": "amei", "role": "operator", "tenant": "acme"})),
        ))
        .await
        .expect(201);
    let secret = made.json()["key"].as_str().unwrap().to_owned();
    world.send(request(&secret, "GET", "/v1/orders", None)).await.expect(200);
    let listed = world.send(request(BOOTSTRAP, "GET", "/v1/keys?tenant=acme", None)).await.expect(200);
    assert!(!listed.text.contains(&secret) && listed.text.contains("amei"));
    let path = format!("/v1/keys/{}?tenant=acme", made.id());
    world.send(request(BOOTSTRAP, "DELETE", &path, None)).await.expect(200);
    world.send(request(&secret, "GET", "/v1/orders", None)).await.expect(401);
    let elsewhere = world
        .send(request(
            &bearer("other", Role::Admin),
            "POST",
            "/v1/keys",
            Some(json!({"name": "x", "role": "admin", "tenant": "default"})),
        ))
        .await;
    assert_eq!(elsewhere.expect(403).code(), "forbidden", "a tenant's admin makes no keys of another tenant");
    let wrong =
        world.call(Role::Admin, "POST", "/v1/keys", json!({"name": "\u{0}", "role": "admin"})).await.expect(400);
    assert_eq!(wrong.faults(), ["name: characters"]);
    let wrong = world.call(Role::Admin, "POST", "/v1/keys", json!({"name": "x", "role": "root"})).await.expect(400);
    assert_eq!(wrong.faults(), ["role: not_allowed"]);
}

#[tokio::test]
async fn a_bootstrap_key_must_be_long_enough() {
    for bad in ["short", "has\na control character in it", "zwölf Schlüssel und zwölf"] {
        let world = World::new().await;
        let settings = crate::Settings { bootstrap: Some(bad.into()), ..crate::Settings::default() };
        assert!(crate::Api::new(world.engine.clone(), settings).ensure_bootstrap().await.is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn freezes_stop_one_direction_in_ones_own_scope() {
    let world = World::new().await;
    let set = |role, body| world.call(role, "PUT", "/v1/freezes", body);
    set(Role::Approver, json!({"scope": "account:main", "pay": true})).await.expect(200);
    let after = set(Role::Approver, json!({"scope": "account:main", "create": true})).await.expect(200).json();
    assert_eq!(after, json!({"scope": "account:main", "create": true, "pay": true, "confirm": false, "cancel": false}));
    assert_eq!(
        set(Role::Approver, json!({"scope": "account:man"})).await.expect(400).faults(),
        ["scope: unknown_scope"]
    );
    let stranger = bearer("other", Role::Admin);
    for (scope, status) in
        [("all", 403), ("account:main", 403), ("tenant:default", 403), ("tenant:other", 200), ("account:other", 200)]
    {
        let body = json!({"scope": scope, "cancel": true});
        world.send(request(&stranger, "PUT", "/v1/freezes", Some(body))).await.expect(status);
    }
    let seen = world.send(request(&stranger, "GET", "/v1/freezes", None)).await.expect(200);
    assert!(!seen.text.contains("account:main"), "{}", seen.text);
    let acts = world.engine.store.acts("default", 10).await.unwrap();
    assert!(acts.iter().any(|act| act.what == "freeze.set" && act.who == "approver"));
}

#[tokio::test]
async fn the_clock_is_advanced_in_development_only() {
    let real = World::new().await;
    assert_eq!(
        real.call(Role::Admin, "POST", "/v1/clock/advance", json!({"seconds": 60})).await.expect(403).code(),
        "dev_only"
    );
    let dev = World::with(|settings| settings.dev = true).await;
    let before = dev.get("/v1/clock").await.expect(200).json();
    let after = dev.call(Role::Admin, "POST", "/v1/clock/advance", json!({"seconds": 3600})).await.expect(200).json();
    assert_eq!(
        (before["now"].as_str().unwrap(), after["now"].as_str().unwrap()),
        ("2026-01-05T10:00:00.000+08:00", "2026-01-05T11:00:00.000+08:00")
    );
    for bad in
        [json!({"seconds": 0}), json!({"seconds": -1}), json!({"seconds": 1.5}), json!({"seconds": 99_999_999_999_u64})]
    {
        dev.call(Role::Admin, "POST", "/v1/clock/advance", bad).await.expect(400);
    }
}

#[tokio::test]
async fn a_draining_process_is_not_ready() {
    let world = World::new().await;
    world.get("/readyz").await.expect(200);
    world.api.drain();
    assert_eq!(world.get("/readyz").await.expect(503).code(), "draining");
    world.get("/livez").await.expect(200);
}
