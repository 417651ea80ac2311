use serde_json::{Value, json};
use std::time::Duration;
use system_tests::far::SECRET;
use system_tests::{Answer, Http, Kind, Payday, Payer, Setup, World, digest, on_both, truth};

on_both!(
    a_callback_is_believed_as_far_as_it_is_signed,
    an_unknown_callback_is_kept_before_it_is_acknowledged,
    without_any_callback_the_schedule_alone_finishes_every_order
);

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn a_callback_is_believed_as_far_as_it_is_signed(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (order, remit) = levee.ready(&Payday::new(31).order("CALLED"));
    let notice = closed(&order["request_id"], &remit["tax_agent_location_id"]);
    let door = levee.http.with_key(None);

    let forged = post(&door, "main", &notice, "not-the-secret");
    assert_eq!(forged.status, 400);
    forged.problem();
    assert!(!forged.text().contains("SUCCESS"));
    let elsewhere = post(&door, "nowhere", &notice, SECRET);
    assert!((400..500).contains(&elsewhere.status), "{}", elsewhere.text());
    let request =
        json!({"name": "CREATE_ORDER_V2", "client_key": system_tests::far::CLIENT_KEY, "data": {}}).to_string();
    assert_eq!(post(&door, "main", &request, SECRET).status, 400, "a message of our own, reflected");
    let long = door.announce("POST", "/callbacks/main", &[FORM], 65_537).expect("reach levee");
    assert_eq!(long.status, 413);

    // Well signed and false: acknowledged, looked into, and believed no further than the provider's own answer.
    let signed = post(&door, "main", &notice, SECRET);
    assert_eq!(
        (signed.status, signed.body.as_slice()),
        (200, b"SUCCESS".as_slice()),
        "the acknowledgement, byte for byte"
    );
    let again = post(&door, "main", &notice, SECRET);
    assert_eq!(
        (again.status, again.body.as_slice()),
        (200, b"SUCCESS".as_slice()),
        "a repeat is acknowledged like the first"
    );
    std::thread::sleep(Duration::from_secs(1));
    let path = format!("/v1/remits/{}", remit["id"].as_str().expect("an id"));
    assert_eq!(levee.http.read(&path)["state"], "open", "a notice moves nothing");

    let mut payer = Payer::new(&levee.http, &world.far.http, 2);
    levee.settle(&world, &mut payer, Duration::from_secs(60));
    let orders = levee.http.all("/v1/orders");
    assert_eq!(orders[0]["outcome"], "levied", "{}", orders[0]);
    truth::equal(&orders, &world.far.ledger());
    world.sound();
}

fn an_unknown_callback_is_kept_before_it_is_acknowledged(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let mut levee = world.serve();
    let notice = closed(&json!("f".repeat(32)), &json!("2001"));
    let first = post(&levee.http, "main", &notice, SECRET);
    assert_eq!((first.status, first.body.as_slice()), (200, b"SUCCESS".as_slice()));
    assert_eq!(levee.metric("levee_callbacks_total", "outcome=\"orphan\""), 1);
    levee.process.kill();
    drop(levee);

    // What was acknowledged a moment before the kill is there: the same bytes are known again.
    let levee = world.serve();
    let again = post(&levee.http, "main", &notice, SECRET);
    assert_eq!((again.status, again.body.as_slice()), (200, b"SUCCESS".as_slice()));
    assert_eq!(levee.metric("levee_callbacks_total", "outcome=\"duplicate\""), 1);
    world.sound();
}

fn without_any_callback_the_schedule_alone_finishes_every_order(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let muted = world.far.http.post("/_sim/callbacks/mute", &json!({"muted": true})).expect("reach the simulator");
    assert_eq!(muted.status, 204);
    levee.orders(&mut Payday::new(32), "MUTED", 8);
    levee.settle(&world, &mut Payer::new(&levee.http, &world.far.http, 4), Duration::from_secs(60));
    let (orders, ledger) = (levee.http.all("/v1/orders"), world.far.ledger());
    assert!(orders.iter().all(|order| order["outcome"] == "levied"), "{orders:?}");
    assert_eq!(ledger["callbacks"], json!([]), "none was sent");
    truth::equal(&orders, &ledger);
    world.sound();
}

/// CLOSE_ORDER_NOTICE (000 §2.4), as the document prints it.
fn closed(request_id: &Value, location: &Value) -> String {
    let data = json!({
        "request_id": request_id, "remit_status": "CLOSE", "tax_agent_location_id": location,
        "close_time": "2026-01-08T09:00:00.000", "close_reason": "系统处理超过72小时",
    });
    json!({"name": "CLOSE_ORDER_NOTICE", "code": "0", "message": "成功", "data": data}).to_string()
}

fn post(door: &Http, account: &str, req: &str, secret: &str) -> Answer {
    let sign = digest::base64(&digest::hmac_sha256(secret.as_bytes(), req.as_bytes()));
    let body = digest::form(&[("req", req), ("sign", &sign)]);
    door.send("POST", &format!("/callbacks/{account}"), &[FORM], body.as_bytes()).expect("reach levee")
}
