//! Batches: story 3, a payday file.

use super::{Answer, World, bearer, order, person};
use crate::Role;
use axum::body::Body;
use axum::http::Request;
use encoding_rs::GB18030;
use serde_json::{Value, json};

const HEAD: &str = "business_key,name,id_card,cellphone,bankcard_no,net,tax_mode,tax_agent_parent_id,tax_agent_location_id,credit_code,task_id\n";

fn row(key: &str, n: u32) -> String {
    let person = person(n);
    let text = |field: &str| person[field].as_str().unwrap().to_owned();
    format!(
        "{key},{},{},{},{},1234.50,GENERAL,1001,2001,91110000MA00000000,1\n",
        text("name"),
        text("id_card"),
        text("cellphone"),
        text("bankcard_no")
    )
}

async fn upload(world: &World, path: &str, bytes: Vec<u8>) -> Answer {
    let request = Request::post(path).header("authorization", format!("Bearer {}", bearer("default", Role::Operator)));
    world.send(request.header("content-type", "text/csv; charset=utf-8").body(Body::from(bytes)).unwrap()).await
}

#[tokio::test]
async fn a_file_is_checked_row_by_row_in_chinese() {
    let world = World::new().await;
    world.post("/v1/orders", order("B-9", 9)).await.expect(201);
    let mut text = HEAD.to_owned() + &row("B-1", 1) + &row("B-2", 2).replace("张三", "阿依古丽买买提买买提买买提");
    text += &row("B-3", 3).replace("1234.50", "12");
    text += &row("B-1", 1);
    text += &row("B-9", 9).replace("1234.50", "2.00");
    text += "\n\n";
    text += &row("B-9", 9);
    let expected = [
        (3, "name", "name_too_long"),
        (4, "net", "amount_format"),
        (5, "business_key", "repeated_in_file"),
        (6, "business_key", "business_key_conflict"),
    ];
    let (gb, _, _) = GB18030.encode(&text);
    for bytes in [text.as_bytes().to_vec(), [b"\xef\xbb\xbf", text.as_bytes()].concat(), gb.into_owned()] {
        let dry = upload(&world, "/v1/batches?dry_run=true", bytes).await.expect(200).json();
        let errors = dry["errors"].as_array().unwrap();
        let found: Vec<(i64, &str, &str)> = errors
            .iter()
            .map(|e| (e["row"].as_i64().unwrap(), e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect();
        assert!(expected.iter().all(|one| found.contains(one)), "{found:?}");
        assert_eq!((&dry["id"], &dry["wrong"], &dry["sum"]), (&Value::Null, &json!(5), &json!("1234.50")), "{dry}");
        assert!(errors[0]["message"].as_str().unwrap().contains("姓名超长"));
    }
    assert_eq!(world.get("/v1/tasks").await.json()["items"], json!([]), "a dry run stores nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_approved_by_another_person_and_released_once() {
    let world = World::new().await;
    let _driver = world.driver();
    let text = HEAD.to_owned() + &row("B-1", 1) + &row("B-2", 2) + "B-3,,,,,,,,,,\n";
    let made = upload(&world, "/v1/batches", text.clone().into_bytes()).await.expect(201);
    let shown = made.json();
    assert_eq!(
        (&shown["count"], &shown["sum"], &shown["wrong"], &shown["known"]),
        (&json!(2), &json!("2469.00"), &json!(1), &json!(0)),
        "{shown}"
    );
    let path = format!("/v1/batches/{}", made.id());
    assert_eq!(world.post(&format!("{path}/release"), json!({})).await.expect(409).code(), "not_approved");
    world.key("the uploader's other key", "operator", "default", Role::Admin).await;
    let same = super::request("the uploader's other key", "POST", &format!("{path}/approve"), Some(json!({})));
    assert_eq!(world.send(same).await.expect(409).code(), "same_person", "two keys of one name are one person");
    let approved = world.call(Role::Approver, "POST", &format!("{path}/approve"), json!({})).await.expect(202).json();
    assert_eq!(approved["approved_by"], "approver");
    world.post(&format!("{path}/release"), json!({})).await.expect(202);
    for _ in 0..500 {
        if world.get(&path).await.json()["state"] == "done" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let done = world.get(&path).await.expect(200).json();
    assert_eq!((&done["state"], &done["released"]), (&json!("done"), &json!(2)), "{done}");
    let rows = world.get(&format!("{path}/rows?limit=2")).await.expect(200).json();
    assert!(rows["items"][0]["order_id"].is_string() && rows["next_cursor"].is_string(), "{rows}");
    let again = upload(&world, "/v1/batches", text.into_bytes()).await.expect(200);
    assert_eq!(again.id(), made.id(), "the same file is the same batch");
    assert_eq!(world.get("/v1/orders").await.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(world.post(&format!("{path}/pause"), json!({})).await.expect(409).code(), "not_releasing");
}

#[tokio::test]
async fn what_is_no_upload_is_refused() {
    let world = World::new().await;
    assert_eq!(upload(&world, "/v1/batches", b"nonsense\n1\n".to_vec()).await.expect(400).code(), "invalid_input");
    assert_eq!(upload(&world, "/v1/batches", Vec::new()).await.expect(400).faults(), ["file: empty"]);
    let request =
        Request::post("/v1/batches").header("authorization", format!("Bearer {}", bearer("default", Role::Operator)));
    assert_eq!(
        world
            .send(request.header("content-type", "text/plain").body(Body::from("x")).unwrap())
            .await
            .expect(415)
            .code(),
        "unsupported_media_type"
    );
    let rows = "B,,,,,,,,,,\n".repeat(50_001);
    assert_eq!(
        upload(&world, "/v1/batches?dry_run=true", (HEAD.to_owned() + &rows).into_bytes()).await.expect(400).faults(),
        ["file: too_many_rows"]
    );
    let padded = vec![b'\n'; 4 * 1024 * 1024];
    assert_eq!(upload(&world, "/v1/batches", padded).await.expect(400).faults(), ["file: empty"], "megabytes are read");
    let big = vec![b'x'; 16 * 1024 * 1024 + 1];
    assert_eq!(upload(&world, "/v1/batches", big).await.expect(413).code(), "too_large");
}

#[tokio::test]
async fn a_payday_file_invites_its_people() {
    let world = World::new().await;
    let text = HEAD.to_owned() + &row("B-1", 1) + "\n" + &row("B-2", 2).replace("13", "x") + &row("B-3", 1);
    let (gb, _, _) = GB18030.encode(&text);
    let invited = upload(&world, "/v1/sign-ups?kind=sync_sign", gb.into_owned()).await.expect(200).json();
    let counts = ["created", "known", "refused"].map(|count| invited[count].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1], "{invited}");
    let rows: Vec<i64> =
        invited["items"].as_array().unwrap().iter().map(|item| item["row"].as_i64().unwrap()).collect();
    assert_eq!(rows, [2, 4, 5], "as a spreadsheet counts");
    let unkind = upload(&world, "/v1/sign-ups", text.clone().into_bytes()).await.expect(200).json();
    assert_eq!(unkind["items"][0]["errors"][0]["field"], "kind", "{unkind}");
    let unknown = upload(&world, "/v1/sign-ups?kind=sync_sign", text.replace("id_card,", "idcard,").into_bytes()).await;
    assert_eq!(unknown.expect(400).faults(), ["idcard: unknown_column", "id_card: missing_column"]);
}
