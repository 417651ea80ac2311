use serde_json::{Value, json};
use std::time::Duration;
use system_tests::payday::{COLUMNS, gb18030, row};
use system_tests::{Http, Kind, Payday, Payer, Setup, World, on_both, truth, until};

on_both!(a_payday_file_is_checked_approved_by_a_second_person_and_released, three_encodings_are_one_file_format);

const CSV: [(&str, &str); 1] = [("Content-Type", "text/csv")];

fn a_payday_file_is_checked_approved_by_a_second_person_and_released(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (amei, boss) = (levee.key("amei", "operator"), levee.key("boss", "approver"));
    let file = file();

    let dry = upload(&amei, "/v1/batches?dry_run=true", &file, 200);
    assert_eq!((&dry["count"], &dry["sum"]), (&json!(20), &json!("2570.00")), "{dry}");
    wrong_rows_are_named(&dry);
    assert!(levee.http.all("/v1/orders").is_empty(), "a dry run keeps nothing");

    let batch = upload(&amei, "/v1/batches", &file, 201);
    wrong_rows_are_named(&batch);
    let again = upload(&amei, "/v1/batches", &file, 200);
    assert_eq!(again["id"], batch["id"], "the same file again is the same batch");
    let path = format!("/v1/batches/{}", batch["id"].as_str().expect("an id"));
    state(&amei, &path, "approval");
    let post = |http: &Http, verb: &str| http.post(&format!("{path}/{verb}"), &json!({})).expect("reach levee");

    let early = post(&amei, "release");
    assert_eq!(early.status, 409, "nothing leaves unapproved: {}", early.text());
    assert_eq!(post(&amei, "approve").status, 403, "an operator approves nothing");
    let own = levee.key("amei", "approver");
    let refused = post(&own, "approve");
    assert!(
        [403, 409].contains(&refused.status),
        "the uploader approves not with another key of hers either: {}",
        refused.text()
    );
    refused.problem();
    let approved = post(&boss, "approve");
    assert!((200..300).contains(&approved.status), "{}", approved.text());
    let released = post(&boss, "release");
    assert!((200..300).contains(&released.status), "{}", released.text());
    state(&amei, &path, "done");

    levee.settle(&world, &mut Payer::new(&amei, &world.far.http, 4), Duration::from_secs(90));
    let orders = levee.http.all("/v1/orders");
    assert_eq!(orders.len(), 20, "all good rows arrived, and only they");
    assert!(orders.iter().all(|order| order["outcome"] == "levied"), "{orders:?}");
    truth::equal(&orders, &world.far.ledger());
    world.sound();
}

fn three_encodings_are_one_file_format(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let mut payday = Payday::new(42);
    let mut encoded = |key: &str, encode: &dyn Fn(&str) -> Vec<u8>| {
        let person = payday.person();
        let text = format!("{COLUMNS}\r\n{}\r\n", row(key, &person, "10.00"));
        (person.name, encode(&text))
    };
    let files = [
        encoded("UTF-8", &|text| text.as_bytes().to_vec()),
        encoded("BOM", &|text| format!("\u{feff}{text}").into_bytes()),
        encoded("GB18030", &gb18030),
    ];
    for ((name, file), key) in files.iter().zip(["UTF-8", "BOM", "GB18030"]) {
        let batch = upload(&levee.http, "/v1/batches", file, 201);
        assert_eq!((&batch["count"], &batch["errors"]), (&json!(1), &json!([])), "{key}");
        let (path, boss) =
            (format!("/v1/batches/{}", batch["id"].as_str().expect("an id")), levee.key("boss", "approver"));
        state(&boss, &path, "approval");
        boss.done(&format!("{path}/approve"), &json!({}));
        boss.done(&format!("{path}/release"), &json!({}));
        state(&boss, &path, "done");
        let orders = levee.http.all(&format!("/v1/orders?business_key={key}"));
        let order = levee.http.read(&format!("/v1/orders/{}?reveal=true", orders[0]["id"].as_str().expect("an id")));
        assert_eq!(order["person"]["name"], **name, "{key}");
    }
    let neither =
        levee.http.send("POST", "/v1/batches", &CSV, b"business_key\r\n\xff\xff\xff\r\n").expect("reach levee");
    assert_eq!(neither.status, 400, "{}", neither.text());
}

/// Twenty good rows, and three wrong ones at lines 3, 12 and 24.
fn file() -> Vec<u8> {
    let mut payday = Payday::new(41);
    let mut lines = vec![COLUMNS.to_owned()];
    for n in 0..20 {
        lines.push(row(&format!("PAY-{n:03}"), &payday.person(), "128.50"));
    }
    let mut person = payday.person();
    person.id_card = "110101196501010011".into();
    lines.insert(2, row("BAD-ID", &person, "128.50"));
    lines.insert(11, row("BAD-NET", &payday.person(), "128.5"));
    let mut person = payday.person();
    person.bankcard_no.push('1');
    lines.push(row("BAD-CARD", &person, "128.50"));
    (lines.join("\n") + "\n").into_bytes()
}

#[track_caller]
fn wrong_rows_are_named(batch: &Value) {
    let errors = batch["errors"].as_array().expect("errors");
    let named: Vec<(i64, &str)> = errors
        .iter()
        .map(|error| (error["row"].as_i64().expect("a row"), error["field"].as_str().expect("a field")))
        .collect();
    assert_eq!(named, [(3, "id_card"), (12, "net"), (24, "bankcard_no")], "{batch}");
    assert!(errors.iter().all(|error| error["code"].is_string() && error["message"].is_string()));
}

#[track_caller]
fn upload(http: &Http, path: &str, file: &[u8], status: u16) -> Value {
    let answer = http.send("POST", path, &CSV, file).expect("reach levee");
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

#[track_caller]
fn state(http: &Http, path: &str, state: &str) {
    until(Duration::from_secs(30), &format!("the batch gets to {state}"), || {
        (http.read(path)["state"] == state).then_some(())
    });
}
