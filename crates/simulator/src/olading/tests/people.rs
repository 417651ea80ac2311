//! The eight other interfaces: plain and correct.

use super::*;
use base64::Engine as _;

fn sign_up(agent: Option<&str>) -> Value {
    let data = json!({ "id_card": id_card(1), "name": "张三", "cellphone": "13800000000", "bankcard_no": bankcard(1) });
    match agent {
        Some(agent) => {
            with(with(data, "tax_agent_parent_id", json!(agent)), "credit_code", json!("91110000MA00000000"))
        }
        None => data,
    }
}

fn batch(rows: Value) -> Value {
    json!({ "batch_no": "B1", "batch_details": rows })
}

fn b64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn p49_sign_up_is_asynchronous_once_and_immediate_ever_after() {
    let mut w = world();
    assert_eq!(w.done(Operation::SignUp, sign_up(Some("1001")))["status"], "ACCEPT");
    let asked = batch(json!([{ "id_card": id_card(1), "tax_agent_parent_id": "1001" }, { "id_card": id_card(1) }]));
    let words = |data: Value| {
        data["batch_details"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(words(w.done(Operation::QuerySignUpBatch, asked.clone())), ["UN_SIGN", "UN_SIGN"]);
    assert_eq!(names(&w.wait(4000)), ["SIGN_UP"]);
    let data = w.done(Operation::QuerySignUpBatch, asked);
    assert!(data["batch_details"][1].get("tax_agent_parent_id").is_none(), "absent for agreements with Olading");
    assert_eq!(words(data), ["SIGN", "UN_SIGN"], "without the party the row asks for Olading's own agreement");
    assert_eq!(w.done(Operation::SignUp, sign_up(Some("1001")))["status"], "SIGN");
    assert!(w.hours(2).is_empty(), "no callback for who has signed");
    assert_eq!(w.done(Operation::SignUp, sign_up(None))["status"], "ACCEPT", "Olading's own is another agreement");
}

#[test]
fn p47_who_has_not_signed_within_24_hours_has_failed_and_nobody_is_told() {
    let mut w = world_with(|c| c.switches.sync_sign_silent_per_mille = 1000);
    let data = json!({ "request_id": "S1", "id_card": id_card(1), "real_name": "张三", "cellphone": "13800000000" });
    w.done(Operation::SyncSign, data.clone());
    assert!(w.hours(25).is_empty());
    let words: Vec<String> = w.ledger().sign_ups[0].statuses.iter().map(|(_, word)| word.clone()).collect();
    assert_eq!(words, ["ACCEPT", "UN_SIGN"]);
    assert_eq!(w.code(Operation::SyncSign, with(data, "id_card", json!(id_card(2)))), "1409", "the id is unique");
}

#[test]
fn p47_sync_sign_calls_back_or_stays_silent() {
    let mut w = world();
    let data = json!({ "request_id": "S1", "id_card": id_card(1), "real_name": "张三", "cellphone": "13800000000" });
    assert_eq!(w.done(Operation::SyncSign, data.clone())["request_id"], "S1");
    let letters = w.wait(4000);
    assert_eq!(names(&letters), ["SYNC_SIGN"]);
    assert_eq!(letter(&letters[0])["data"], json!({ "request_id": "S1", "status": "SIGN" }));
    let asked = batch(json!([{ "id_card": id_card(1) }]));
    let word = |w: &mut World| w.done(Operation::QuerySignUpBatch, asked.clone())["batch_details"][0]["status"].clone();
    assert_eq!(word(&mut w), "UN_SIGN", "the batch query speaks of another contract");
    w.sim.config.switches.batch_shows_sync_sign = true;
    assert_eq!(word(&mut w), "SIGN");
    w.sim.config.switches.sync_sign_silent_per_mille = 1000;
    w.done(Operation::SyncSign, with(data, "request_id", json!("S2")));
    assert!(w.hours(48).is_empty(), "000 §2.1 R4: failure is silent");
}

#[test]
fn orders_need_a_signed_person_only_by_switch() {
    let mut w = world_with(|c| c.switches.require_sign_up = true);
    assert_eq!(w.code(Operation::CreateOrderV2, order("R1", "1.00")), "1403");
    w.done(Operation::SignUp, sign_up(Some("1001")));
    w.wait(4000);
    assert_eq!(w.code(Operation::CreateOrderV2, order("R1", "1.00")), "0");
}

#[test]
fn p63_a_contract_id_is_never_used_again() {
    let mut w = world();
    let agreement = |request: &str, contract: &str| {
        json!({
            "request_id": request, "id_card": id_card(1), "name": "张三", "cellphone": "13800000000", "tax_agent_location_id": 2001,
            "contract_id": contract, "contract_type": "SUBSTITUTES_PROTOCOL", "file_data": b64(b"%PDF-1.7"),
        })
    };
    let first = w.done(Operation::UploadTaxpayerAgreement, agreement("A1", "C1"));
    assert_eq!((first["status"].as_str(), first["contract_id"].as_str()), (Some("ACCEPT"), Some("C1")));
    let letters = w.wait(4000);
    assert_eq!(names(&letters), ["UPLOAD_TAXPAYER_AGREEMENT"]);
    assert_eq!(letter(&letters[0])["data"]["status"], "SUCCESS");
    assert_eq!(
        w.done(Operation::UploadTaxpayerAgreement, agreement("A1", "C1"))["status"],
        "SUCCESS",
        "the very same again"
    );
    assert_eq!(w.code(Operation::UploadTaxpayerAgreement, agreement("A2", "C1")), "1411");
    let no_pdf = with(agreement("A3", "C3"), "file_data", json!(b64(b"GIF89a")));
    assert_eq!(w.done(Operation::UploadTaxpayerAgreement, no_pdf)["status"], "FAIL");
}

#[test]
fn p66_vouchers_and_faces_answer_success_or_false() {
    let mut w = world();
    let ids = w.ready("R1", "1.00");
    let voucher =
        |order_id: &str, bytes: &[u8]| json!({ "order_id": order_id, "file_name": "a.pdf", "file": b64(bytes) });
    assert_eq!(w.done(Operation::AddBankVoucher, voucher(&ids[0], b"%PDF"))["status"], "SUCCESS");
    assert_eq!(w.done(Operation::AddBankVoucher, voucher(&ids[0], b"text"))["status"], "FALSE");
    assert_eq!(w.code(Operation::AddBankVoucher, voucher("nowhere", b"%PDF")), "1404");
    let face = |field: &str, bytes: &[u8]| json!({ "requestId": "V1", "idCardNo": id_card(1), field: b64(bytes) });
    assert_eq!(
        w.done(Operation::UploadFaceidVideoFrame, face("videoBase64", b"\0\0\0\x18ftypmp42"))["status"],
        "SUCCESS"
    );
    assert_eq!(w.done(Operation::UploadFaceidVideoFrame, face("frameBase64", b"GIF89a"))["status"], "FALSE");
    assert_eq!(w.ledger().documents.len(), 2);
}

#[test]
fn p61_p62_images_know_null_and_what_is_already_there() {
    let mut w = world();
    let query = json!({ "requestId": "Q1", "idCardNo": id_card(1) });
    let image = |request: &str| {
        json!({
            "requestId": request, "idCardNo": id_card(1), "realName": "张三", "uploadWay": "DIRECT",
            "frontImage": b64(b"front"), "backImage": b64(b"back"),
        })
    };
    assert_eq!(w.done(Operation::QueryIdCardImage, query.clone())["status"], "NULL");
    assert_eq!(w.done(Operation::UploadIdCardImage, image("I0"))["status"], "NULL", "R6: no phone number, no taxpayer");
    let with_phone = with(image("I1"), "cellPhone", json!("13800000000"));
    assert_eq!(w.done(Operation::UploadIdCardImage, with_phone)["status"], "ACCEPT");
    let letters = w.wait(4000);
    assert_eq!(letter(&letters[0])["data"], json!({ "requestId": "I1", "status": "IDENTIFY_SUCCESS" }));
    assert_eq!(w.done(Operation::QueryIdCardImage, query)["status"], "IDENTIFY_SUCCESS");
    let renewed = with(image("I2"), "cellPhone", json!("13800000000"));
    assert_eq!(
        w.done(Operation::UploadIdCardImage, renewed)["status"],
        "IDENTIFY_SUCCESS",
        "R3: at once, and the old one stays"
    );

    w.done(Operation::SignUp, with(sign_up(None), "id_card", json!(id_card(2))));
    let signed = json!({ "requestId": "Q2", "idCardNo": id_card(2) });
    assert_eq!(w.done(Operation::QueryIdCardImage, signed)["status"], "UN_IDENTIFY");
}
