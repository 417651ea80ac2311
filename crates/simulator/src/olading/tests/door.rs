//! What does not come through the door.

use super::*;
use crate::ledger::Effect;
use base64::Engine as _;

fn b64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// One good request of each interface.
fn good(operation: Operation) -> Value {
    let pdf = b64(b"%PDF-1.4 x");
    let jpg = b64(&[0xff, 0xd8, 0xff, 0xe0]);
    match operation {
        Operation::SyncSign => {
            json!({ "request_id": "S1", "id_card": id_card(1), "real_name": "张三", "cellphone": "13800000000", "agent_parent_id": 1001 })
        }
        Operation::SignUp => json!({
            "id_card": id_card(1), "name": "张三", "cellphone": "13800000000", "bankcard_no": bankcard(1), "limit_2": "T",
            "tax_agent_parent_id": "1001", "credit_code": "91110000MA00000000",
        }),
        Operation::CreateOrderV2 => order("R1", "10.00"),
        Operation::ConfirmOrderV2 => {
            json!({ "order_id": "x", "arising_time": "2026-01-05T08:00:00.000", "next_step": "CONTINUE" })
        }
        Operation::QuerySignUpBatch => {
            json!({ "batch_no": "B1", "batch_details": [{ "id_card": id_card(1), "tax_agent_parent_id": "1001" }] })
        }
        Operation::QueryOrderV2 => json!({ "request_id": "R1" }),
        Operation::UploadTaxpayerAgreement => json!({
            "request_id": "A1", "id_card": id_card(1), "name": "张三", "cellphone": "13800000000", "tax_agent_parent_id": "1001",
            "contract_id": "C1", "contract_type": "EMPOWER_PROTOCOL", "file_data": pdf,
        }),
        Operation::AddBankVoucher => json!({ "order_id": "x", "file_name": "凭证.pdf", "file": pdf }),
        Operation::UploadIdCardImage => json!({
            "requestId": "I1", "idCardNo": id_card(1), "realName": "张三", "cellPhone": "13800000000", "uploadWay": "DIRECT",
            "frontImage": jpg, "backImage": jpg,
        }),
        Operation::QueryIdCardImage => json!({ "requestId": "I2", "idCardNo": id_card(1) }),
        Operation::UploadFaceidVideoFrame => json!({ "requestId": "V1", "idCardNo": id_card(1), "frameBase64": jpg }),
    }
}

/// Required fields as printed; removing any one is 参数不完整.
fn required(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::SyncSign => &["request_id", "id_card", "real_name", "cellphone"],
        Operation::SignUp => &["id_card", "name", "cellphone", "bankcard_no", "credit_code"],
        Operation::CreateOrderV2 => &[
            "request_id",
            "id_card",
            "name",
            "tax_agent_parent_id",
            "credit_code",
            "cellphone",
            "bankcard_no",
            "profit",
            "tax_mode",
        ],
        Operation::ConfirmOrderV2 => &["order_id", "arising_time", "next_step"],
        Operation::QuerySignUpBatch => &["batch_no", "batch_details"],
        Operation::QueryOrderV2 => &["request_id"],
        Operation::UploadTaxpayerAgreement => &[
            "request_id",
            "id_card",
            "name",
            "cellphone",
            "tax_agent_parent_id",
            "contract_id",
            "contract_type",
            "file_data",
        ],
        Operation::AddBankVoucher => &["order_id", "file_name", "file"],
        Operation::UploadIdCardImage => &["requestId", "idCardNo", "realName", "uploadWay", "frontImage", "backImage"],
        Operation::QueryIdCardImage => &["requestId", "idCardNo"],
        Operation::UploadFaceidVideoFrame => &["requestId", "idCardNo", "frameBase64"],
    }
}

fn code(w: &mut World, operation: Operation, data: Value) -> String {
    w.code(operation, data)
}

#[test]
fn every_good_request_passes_the_door() {
    for operation in Operation::ALL {
        let answered = code(&mut world(), operation, good(operation));
        assert!(["0", "1404"].contains(&answered.as_str()), "{operation}: {answered}");
    }
}

#[test]
fn every_missing_empty_null_or_mistyped_field_is_0002() {
    for operation in Operation::ALL {
        let mut w = world();
        for field in required(operation) {
            assert_eq!(
                code(&mut w, operation, with(good(operation), field, Value::Null)),
                "0002",
                "{operation} without {field}"
            );
        }
        let fields: Vec<String> = good(operation).as_object().unwrap().keys().cloned().collect();
        for field in fields {
            for wrong in [json!(""), json!(true), json!({}), json!([]), json!(-1), json!("\u{1F600}".repeat(101))] {
                let mut data = good(operation);
                data[&field] = wrong.clone();
                assert_eq!(code(&mut w, operation, data), "0002", "{operation}: {field} = {wrong}");
            }
            let mut data = good(operation);
            data[&field] = Value::Null;
            assert_eq!(code(&mut w, operation, data), "0002", "{operation}: {field} is null");
        }
        assert!(w.ledger().calls.iter().all(|line| line.effect == Effect::Refused), "{operation}: nothing happened");
    }
}

#[test]
fn p52_wrong_paths_and_casings_are_0002() {
    for operation in Operation::ALL {
        let mut w = world();
        let other =
            if operation.path() == crate::operation::TAX { crate::operation::LEVY } else { crate::operation::TAX };
        let reply = w.call_as(operation.name(), other, good(operation));
        assert_eq!(parsed(&reply)["code"], "0002", "{operation} on {other}");
        let fields: Vec<String> = good(operation).as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let value = good(operation)[&field].clone();
            let recased = if field.contains('_') { field.replace('_', "") } else { format!("{field}_") };
            let data = with(with(good(operation), &field, Value::Null), &recased, value);
            assert_eq!(code(&mut w, operation, data), "0002", "{operation}: {recased} for {field}");
        }
    }
}

#[test]
fn lengths_count_characters() {
    let mut w = world();
    let name = |chars: usize| with(order(&format!("R{chars}"), "1.00"), "name", json!("阿".repeat(chars)));
    assert_eq!(code(&mut w, Operation::CreateOrderV2, name(10)), "0", "ten characters are thirty bytes (P11)");
    assert_eq!(code(&mut w, Operation::CreateOrderV2, name(11)), "0002");
    for (field, max) in [("remark", 100), ("customer_id", 50)] {
        let request = |length: usize| {
            with(
                with(order(&format!("{field}{length}"), "1.00"), "credit_code", Value::Null),
                "customer_id",
                json!("c"),
            )
        };
        let fits = with(request(max), field, json!("x".repeat(max)));
        let over = with(request(max + 1), field, json!("x".repeat(max + 1)));
        assert_eq!(code(&mut w, Operation::CreateOrderV2, fits), "0", "{field}");
        assert_eq!(code(&mut w, Operation::CreateOrderV2, over), "0002", "{field}");
    }
    assert_eq!(
        code(&mut w, Operation::CreateOrderV2, with(order("R", "1.00"), "task_id", json!("12345678901"))),
        "0002"
    );
    let voucher = with(good(Operation::AddBankVoucher), "file_name", json!(format!("{}.pdf", "证".repeat(27))));
    assert_eq!(code(&mut w, Operation::AddBankVoucher, voucher), "0002", "thirty with the suffix");
}

#[test]
fn p10_request_ids_have_32_characters_or_are_the_samples_uuid() {
    let mut w = world();
    assert_eq!(code(&mut w, Operation::CreateOrderV2, order(&"r".repeat(32), "1.00")), "0");
    assert_eq!(code(&mut w, Operation::CreateOrderV2, order(&"r".repeat(33), "1.00")), "0002");
    let uuid = "123e4567-e89b-12d3-a456-426614174000";
    assert_eq!(code(&mut w, Operation::CreateOrderV2, order(uuid, "1.00")), "0");
    w.sim.config.switches.uuid_request_ids = false;
    assert_eq!(code(&mut w, Operation::CreateOrderV2, order(uuid, "1.00")), "0002");
}

#[test]
fn conditions_between_fields_hold() {
    let mut w = world();
    let refused = [
        (Operation::CreateOrderV2, with(good(Operation::CreateOrderV2), "pay_amount", json!("1.00"))),
        (Operation::CreateOrderV2, with(good(Operation::CreateOrderV2), "customer_id", json!("c"))),
        (Operation::CreateOrderV2, order("R", "0.00")),
        (Operation::CreateOrderV2, order("R", "1.0")),
        (Operation::CreateOrderV2, with(order("R", "1.00"), "limit_2", json!("F"))),
        (Operation::CreateOrderV2, with(order("R", "1.00"), "tax_agent_parent_id", json!("9999"))),
        (Operation::CreateOrderV2, with(order("R", "1.00"), "tax_agent_location_id", json!("9999"))),
        (
            Operation::UploadTaxpayerAgreement,
            with(good(Operation::UploadTaxpayerAgreement), "contract_type", json!("SUBSTITUTES_PROTOCOL")),
        ),
        (Operation::AddBankVoucher, with(good(Operation::AddBankVoucher), "file_name", json!("voucher.png"))),
        (Operation::UploadIdCardImage, with(good(Operation::UploadIdCardImage), "uploadWay", json!("URL"))),
        (
            Operation::UploadIdCardImage,
            with(good(Operation::UploadIdCardImage), "frontImage", json!(b64(&vec![0; 1024 * 1024 + 1]))),
        ),
        (
            Operation::ConfirmOrderV2,
            with(good(Operation::ConfirmOrderV2), "arising_time", json!("2026-01-05 08:00:00")),
        ),
    ];
    for (operation, data) in refused {
        assert_eq!(code(&mut w, operation, data.clone()), "0002", "{operation} {data}");
    }
    let row = json!({ "id_card": id_card(1) });
    let batch = |rows: usize| json!({ "batch_no": "B", "batch_details": vec![row.clone(); rows] });
    assert_eq!(code(&mut w, Operation::QuerySignUpBatch, batch(500)), "0");
    assert_eq!(code(&mut w, Operation::QuerySignUpBatch, batch(501)), "0002", "P51");
    assert_eq!(code(&mut w, Operation::QuerySignUpBatch, batch(0)), "0002");
}

#[test]
fn signature_client_and_clock_are_checked_before_anything() {
    let mut w = world();
    let req = |at: Time| {
        json!({ "name": "CREATE_ORDER_V2", "client_key": KEY, "timestamp": at.beijing().to_string(), "data": order("R1", "1.00") }).to_string()
    };
    let levy = Operation::CreateOrderV2.path();
    assert_eq!(parsed(&w.send(levy, &req(w.now), "wrong"))["code"], "0003");
    let stranger = req(w.now).replace(KEY, "nobody");
    let reply = w.send(levy, &stranger, SECRET);
    assert_eq!(reply.answer().unwrap().header("Api-Sign"), None, "there is no secret to sign with");
    let (early, late) = (w.now - Duration::from_secs(301), w.now + Duration::from_secs(301));
    assert_eq!(parsed(&w.send(levy, &req(early), SECRET))["code"], "1001");
    assert_eq!(parsed(&w.send(levy, &req(late), SECRET))["code"], "1001");
    w.sim.set_speed(10_000);
    assert_eq!(
        parsed(&w.send(levy, &req(late), SECRET))["code"],
        "0",
        "the tolerance is real time: ten times as wide at speed 10"
    );
    let array = format!("[{}]", req(w.now));
    let refused: Value = serde_json::from_slice(&w.send(levy, &array, SECRET).answer().unwrap().body).unwrap();
    assert_eq!(refused["code"], "0002", "T01: an object, not an array");
    assert_eq!(w.ledger().orders.len(), 1);
}

#[test]
fn t04_timestamps_may_lack_milliseconds_by_a_switch() {
    let mut w = world();
    let seconds = |w: &World| w.now.beijing().to_string()[..19].to_owned();
    let req =
        json!({ "name": "QUERY_ORDER_V2", "client_key": KEY, "timestamp": seconds(&w), "data": { "request_id": "R" } })
            .to_string();
    assert_eq!(parsed(&w.send(crate::operation::LEVY, &req, SECRET))["code"], "1404");
    w.sim.config.switches.seconds_timestamps = false;
    assert_eq!(parsed(&w.send(crate::operation::LEVY, &req, SECRET))["code"], "0002");
}

#[test]
fn identity_is_checked_at_once() {
    let mut w = world();
    for (field, value) in
        [("id_card", "110101199003070012"), ("name", "查无此人"), ("bankcard_no", "6222000000000000000")]
    {
        assert_eq!(
            code(&mut w, Operation::CreateOrderV2, with(order("R", "1.00"), field, json!(value))),
            "1010",
            "{field}"
        );
    }
    assert!(w.ledger().orders.is_empty() && w.held().is_empty());
}

#[test]
fn the_ledger_holds_no_personal_data() {
    let mut w = world();
    for operation in Operation::ALL {
        w.call(operation, good(operation));
    }
    w.wait(4000);
    let text = serde_json::to_string(&w.ledger()).unwrap();
    for secret in [id_card(1).as_str(), bankcard(1).as_str(), "张三", "13800000000", SECRET] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains(&crate::fingerprint(&id_card(1))), "people are compared by fingerprint");
}
