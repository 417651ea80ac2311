use super::*;
use crate::olading::lenient::{ImageStatus, Int, SignStatus, Stamp, Text, UploadStatus};
use crate::olading::trial::{order_data, person, remit_data};
use domain::Time;
use domain::levy::RemitStatus;
use serde_json::{Value, json};

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_str(&value.to_string()).ok()
}

fn order_with(key: &str, value: Value) -> Option<OrderAnswer> {
    let mut data = order_data();
    data[key] = value;
    read(&data)
}

fn remit_with(key: &str, value: Value) -> Option<RemitOrder> {
    let mut data = remit_data();
    data[key] = value;
    read(&data)
}

#[test]
fn t03_ids_are_read_as_number_or_string_beyond_u64() {
    let id = "99999999999999999999";
    for written in [format!("\"{id}\""), id.to_owned()] {
        let text: Text = serde_json::from_str(&written).unwrap();
        assert_eq!(text.as_str(), id);
    }
    for bad in ["1.0", "1e3", "-1", "true", "null", "[]", "{}"] {
        assert!(serde_json::from_str::<Text>(bad).is_err(), "{bad}");
    }
    assert_eq!(remit_with("tax_agent_location_id", json!("2001")).unwrap().tax_agent_location_id.as_str(), "2001");
    assert_eq!(serde_json::to_string(&Int::parse(id).unwrap()).unwrap(), id);
    for bad in ["", "007", "1 ", "-1", "x", "１", "100000000000000000000"] {
        assert_eq!(Int::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn t04_seconds_and_milliseconds_are_both_read() {
    let at = |text: &str| order_with("accept_time", json!(text)).unwrap().accept_time;
    assert_eq!(at("2022-07-01T12:34:57"), Some(Stamp(Time::parse("2022-07-01T12:34:57+08:00").unwrap())));
    assert_eq!(at("2022-07-01T12:34:57.001"), Some(Stamp(Time::parse("2022-07-01T04:34:57.001Z").unwrap())));
    assert!(order_with("accept_time", json!("yesterday")).is_none());
}

#[test]
fn arising_time_may_be_missing_null_or_blank() {
    for value in [Value::Null, json!("")] {
        assert_eq!(order_with("arising_time", value).unwrap().arising_time, None);
    }
    assert_eq!(read::<OrderAnswer>(&order_data()).unwrap().arising_time, None);
}

#[test]
fn a_remit_list_may_be_missing_or_null() {
    assert!(order_with("remit_order_list", Value::Null).unwrap().remit_order_list.is_empty());
    let mut data = order_data();
    data.as_object_mut().unwrap().remove("remit_order_list");
    assert!(read::<OrderAnswer>(&data).unwrap().remit_order_list.is_empty());
}

#[test]
fn p14_a_word_of_no_table_is_kept() {
    assert_eq!(remit_with("remit_status", json!("PROCESS")).unwrap().remit_status.0, RemitStatus::Processing);
    let unknown = remit_with("remit_status", json!("FROZEN")).unwrap().remit_status.0;
    assert_eq!(unknown, RemitStatus::Unknown("FROZEN".to_owned()));
    assert!(remit_with("remit_status", Value::Null).is_none());
}

#[test]
fn an_amount_is_text_with_two_decimals_or_unreadable() {
    for bad in [json!("1234.5"), json!("1,234.50"), json!("-1.00"), json!(1234.50), json!(1234), json!(""), Value::Null]
    {
        assert!(remit_with("amount", bad.clone()).is_none(), "{bad}");
    }
}

#[test]
fn p62_the_word_null_and_a_json_null_mean_that_the_taxpayer_is_absent() {
    let status = |value: Value| read::<ImageAnswer>(&json!({ "requestId": "R1", "status": value })).map(|a| a.status);
    assert_eq!(status(json!("NULL")), Some(ImageStatus::TaxpayerAbsent));
    assert_eq!(status(Value::Null), Some(ImageStatus::TaxpayerAbsent));
    assert_eq!(status(json!("UN_IDENTIFY")), Some(ImageStatus::NotUploaded));
    assert_eq!(status(json!("LOST")), Some(ImageStatus::Unknown("LOST".to_owned())));
    assert!(read::<ImageAnswer>(&json!({ "requestId": "R1" })).is_none(), "a missing status is no answer");
}

#[test]
fn p66_t08_fail_and_false_are_failure_anywhere() {
    for word in ["FAIL", "FALSE"] {
        let voucher = read::<VoucherAnswer>(&json!({ "order_id": "1", "status": word })).unwrap();
        let face = read::<FaceAnswer>(&json!({ "requestId": "1", "status": word })).unwrap();
        let agreement =
            read::<AgreementAnswer>(&json!({ "request_id": "1", "contract_id": "C", "status": word })).unwrap();
        assert_eq!(voucher.status, UploadStatus::Failed);
        assert_eq!(face.status, UploadStatus::Failed);
        assert_eq!(agreement.status, UploadStatus::Failed);
    }
    assert!(read::<VoucherAnswer>(&json!({ "order_id": "1", "status": false })).is_none(), "a boolean is no word");
}

#[test]
fn t02_close_reason_has_two_spellings() {
    for key in ["close_reason", "Close_reason"] {
        let mut data = json!({ "request_id": "R1", "remit_status": "CLOSE", "tax_agent_location_id": "2001" });
        data[key] = json!("超时自动关单");
        assert_eq!(read::<CloseNotice>(&data).unwrap().close_reason.as_deref(), Some("超时自动关单"));
    }
}

#[test]
fn p51_batch_rows_are_found_by_key() {
    let id_card = person().id_card;
    let answer: SignUpBatchAnswer = read(&json!({ "batch_no": "B1", "batch_details": [
        { "id_card": "110101199003070038", "status": "SIGN" },
        { "id_card": id_card.expose(), "tax_agent_parent_id": 1001, "status": "UN_SIGN" },
        { "id_card": id_card.expose(), "tax_agent_parent_id": "", "status": "SIGN" },
        { "id_card": id_card.expose(), "tax_agent_parent_id": 7, "status": "SIGN" },
        { "id_card": id_card.expose(), "tax_agent_parent_id": "7", "status": "UN_SIGN" },
    ] }))
    .unwrap();
    let status = |party: Option<&str>| {
        let key = SignUpKey { id_card: id_card.clone(), tax_agent_parent_id: party.and_then(Int::parse) };
        answer.status(&key).cloned()
    };
    assert_eq!(status(Some("1001")), Some(SignStatus::Unsigned));
    assert_eq!(status(None), Some(SignStatus::Signed), "without a party: the agreement with Olading");
    assert_eq!(status(Some("1002")), None, "a missing row says nothing");
    assert_eq!(status(Some("7")), None, "two rows that differ say nothing");
}

#[test]
fn nothing_prints_a_person() {
    let printed = format!("{:?}", read::<OrderAnswer>(&order_data()).unwrap());
    for secret in ["110101199003070011", "张三", "13800000000", "6222000000000000004"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
