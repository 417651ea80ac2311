use serde_json::{Value, json};
use system_tests::payday::order;
use system_tests::{Kind, Payday, Setup, World, on_both};

on_both!(the_same_order_is_the_same_order, a_wrong_order_is_told_field_by_field, every_request_shows_who_it_is);

fn the_same_order_is_the_same_order(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (mut payday, http) = (Payday::new(21), &levee.http);
    let body = order("SAME", &payday.person());
    let first = http.post("/v1/orders", &body).expect("reach levee");
    let again = http.post("/v1/orders", &body).expect("reach levee");
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let mut other = body.clone();
    other["net"] = json!("128.51");
    let differs = http.post("/v1/orders", &other).expect("reach levee");
    assert_eq!(differs.status, 409, "{}", differs.text());
    differs.problem();

    let keyed = order("KEYED", &payday.person());
    let first = http.post_once("/v1/orders", "once", &keyed).expect("reach levee");
    let again = http.post_once("/v1/orders", "once", &keyed).expect("reach levee");
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    let other = http.post_once("/v1/orders", "once", &order("OTHER", &payday.person())).expect("reach levee");
    assert_eq!(other.status, 409, "the key belongs to another body: {}", other.text());
    other.problem();
    assert_eq!(http.all("/v1/orders").len(), 2);

    // The same person, amount, task and day under another key: a suspected duplicate waits for a person.
    let person = payday.person();
    levee.order(&order("TWIN-1", &person));
    let twin = levee.order(&order("TWIN-2", &person));
    let twin = levee.order_is(&twin["id"], &["gated"], std::time::Duration::from_secs(10));
    assert!(twin["waits_for"].is_string(), "{twin}");
    let release = format!("/v1/orders/{}/release", twin["id"].as_str().expect("an id"));
    let answer = http.post(&release, &json!({"reason": "two jobs on one day"})).expect("reach levee");
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    levee.order_is(&twin["id"], &["ready"], std::time::Duration::from_secs(20));
}

fn a_wrong_order_is_told_field_by_field(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let good = order("WRONG", &Payday::new(22).person());
    let spoilt: [(&str, Value); 12] = [
        ("/business_key", json!("")),
        ("/person/id_card", json!("110101196501010011")),
        ("/person/bankcard_no", json!("6222080000000000001")),
        ("/person/cellphone", json!("12345")),
        ("/person/name", json!("")),
        ("/net", json!("128.5")),
        ("/net", json!("-1.00")),
        ("/net", json!(128.5)),
        ("/tax_mode", json!("普票")),
        ("/tax_agent_parent_id", json!("abc")),
        ("/credit_code", Value::Null),
        ("/account", json!("nowhere")),
    ];
    for (pointer, value) in spoilt {
        let mut body = good.clone();
        match body.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => body["account"] = value,
        }
        let field = pointer[1..].replace('/', ".");
        refused(&levee.http, &body, &field);
    }
    let mut both = good.clone();
    both["gross"] = json!("130.00");
    refused(&levee.http, &both, "gross");
    let mut unknown = good.clone();
    unknown["bankcard"] = json!("1");
    refused(&levee.http, &unknown, "bankcard");

    let not_json =
        levee.http.send("POST", "/v1/orders", &[("Content-Type", "application/json")], b"{").expect("reach levee");
    assert_eq!(not_json.status, 400, "{}", not_json.text());
    not_json.problem();
    let huge = vec![b' '; (1 << 20) + 1];
    let huge =
        levee.http.send("POST", "/v1/orders", &[("Content-Type", "application/json")], &huge).expect("reach levee");
    assert_eq!(huge.status, 413, "{}", huge.text());
    huge.problem();
    assert!(levee.http.all("/v1/orders").is_empty(), "nothing wrong was kept");
    let state = levee.http.get("/v1/orders?state=paied").expect("reach levee");
    assert_eq!(state.status, 400, "a misspelt state is told, not listed as nothing");
}

/// 400, the field named, and no personal data in the answer.
fn refused(http: &system_tests::Http, body: &Value, field: &str) {
    let answer = http.post("/v1/orders", body).expect("reach levee");
    assert_eq!(answer.status, 400, "{field}: {}", answer.text());
    answer.problem();
    let problem = answer.json();
    let named = problem["errors"].as_array().into_iter().flatten().any(|error| {
        error["code"].is_string()
            && error["message"].is_string()
            && error["field"].as_str().is_some_and(|name| name.contains(field))
    });
    assert!(named, "{field} is named: {problem}");
    let bankcard = body["person"]["bankcard_no"].as_str().unwrap_or("-");
    assert!(!answer.text().contains(bankcard), "the answer repeats no card number: {problem}");
}

fn every_request_shows_who_it_is(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let viewer = levee.key("looker", "viewer");
    let nobody = levee.http.with_key(None);
    let stranger = levee.http.with_key(Some("levee-no-such-key-0000000000"));
    for (http, status) in [(&nobody, 401), (&stranger, 401), (&viewer, 200)] {
        assert_eq!(http.get("/v1/orders").expect("reach levee").status, status);
    }
    let body = order("WHO", &Payday::new(23).person());
    for (http, status) in [(&nobody, 401), (&viewer, 403)] {
        let answer = http.post("/v1/orders", &body).expect("reach levee");
        assert_eq!(answer.status, status);
        answer.problem();
    }
    for open in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(nobody.get(open).expect("reach levee").status, 200, "{open} needs no key");
    }
    let made = levee.http.done("/v1/keys", &json!({"name": "gone", "role": "operator", "tenant": "default"}));
    let gone = levee.http.with_key(made["key"].as_str());
    assert_eq!(gone.get("/v1/orders").expect("reach levee").status, 200);
    let path = format!("/v1/keys/{}", made["id"].as_str().expect("an id"));
    assert!(levee.http.send("DELETE", &path, &[], b"").expect("reach levee").status < 300);
    assert_eq!(gone.get("/v1/orders").expect("reach levee").status, 401, "a revoked key opens nothing");
    let page = levee.http.read("/v1/keys").to_string();
    assert!(!page.contains(made["key"].as_str().expect("shown once")), "a key is shown once");
}
