use super::*;
use crate::olading::codec::form;
use crate::olading::trial::{client, codec, order_data, settings, text, told, vectors};
use crate::{AccountConfig, Providers, Transport, WireFault};
use domain::Time;
use proptest::prelude::*;
use serde_json::{Value, json};

fn receive(body: &[u8]) -> Result<Received, Rejected> {
    client(settings(), &told(|_| Err(WireFault::NotSent))).receive(body)
}

fn signed(req: &str) -> Vec<u8> {
    form(req, &codec().sign(req.as_bytes())).into_bytes()
}

fn notice(name: &str, data: &Value) -> Result<Received, Rejected> {
    receive(&signed(&json!({ "name": name, "code": "0", "message": "", "data": data }).to_string()))
}

fn hint(name: &str, data: &Value) -> Option<Hint> {
    notice(name, data).unwrap().hint
}

fn changed(id: &str) -> Hint {
    Hint::OrderChanged { request_id: RequestId::try_from(id.to_owned()).unwrap() }
}

#[test]
fn p44_the_golden_notice_is_acknowledged_byte_for_byte() {
    let vectors = vectors();
    let body = text(&vectors, "/callback/form_body").as_bytes();
    let received = receive(body).unwrap();
    assert_eq!(received.ack, text(&vectors, "/callback/reply"));
    assert_eq!(received.ack.as_bytes(), b"SUCCESS");
    assert_eq!(received.name, "CLOSE_ORDER_NOTICE");
    assert_eq!(received.digest, receive(body).unwrap().digest, "a duplicate has the same digest");
    assert_eq!(
        received.hint,
        Some(Hint::Closed {
            request_id: RequestId::try_from("R202207010000000001".to_owned()).unwrap(),
            tax_agent_location_id: "2001".to_owned(),
            close_time: Time::parse("2022-07-04T12:40:00.000+08:00"),
        })
    );
}

#[test]
fn p40_an_order_that_changed_is_named_by_our_request_id() {
    let data = json!({ "request_id": "R1", "status": "PROCESS" });
    assert_eq!(hint("CREATE_ORDER_V2", &data), Some(changed("R1")));
    assert_eq!(hint("CREATE_ORDER_V2", &order_data()), Some(changed("R202207010000000001")));
}

#[test]
fn p41_a_close_notice_names_a_place_or_else_the_whole_order() {
    let mut data =
        json!({ "request_id": "R1", "remit_status": "CLOSE", "tax_agent_location_id": 2001, "close_time": "" });
    assert!(
        matches!(hint("CLOSE_ORDER_NOTICE", &data), Some(Hint::Closed { tax_agent_location_id, close_time: None, .. })
        if tax_agent_location_id == "2001")
    );
    data["tax_agent_location_id"] = json!("");
    assert_eq!(hint("CLOSE_ORDER_NOTICE", &data), Some(changed("R1")));
}

#[test]
fn p41_a_close_notice_whose_time_cannot_be_read_is_still_one() {
    for close_time in [json!("yesterday"), json!("2022-13-01 00:00:00"), json!(1.5), json!({}), json!([]), json!(null)]
    {
        let data = json!({ "request_id": "R1", "remit_status": "CLOSE", "tax_agent_location_id": "2001", "close_time": close_time });
        let hint = hint("CLOSE_ORDER_NOTICE", &data);
        assert!(
            matches!(&hint, Some(Hint::Closed { tax_agent_location_id, close_time: None, .. }) if tax_agent_location_id == "2001"),
            "{data}: {hint:?}"
        );
    }
}

#[test]
fn whatever_else_of_a_notice_cannot_be_read_its_order_is_asked_about() {
    for data in [
        json!({ "request_id": "R1" }),
        json!({ "request_id": "R1", "remit_status": {}, "status": [] }),
        json!({ "request_id": "R1", "remit_status": "CLOSE", "status": "CLOSE", "tax_agent_location_id": {}, "remit_order_list": 7 }),
        json!({ "request_id": "R1", "status": 1.5, "remit_order_list": [{ "amount": "much" }] }),
    ] {
        for name in ["CLOSE_ORDER_NOTICE", "CREATE_ORDER_V2"] {
            assert_eq!(hint(name, &data), Some(changed("R1")), "{name} {data}");
        }
    }
    let doubled =
        r#"{"name":"CLOSE_ORDER_NOTICE","data":{"request_id":"R1","remit_status":"CLOSE","remit_status":"CLOSE"}}"#;
    assert_eq!(receive(&signed(doubled)).unwrap().hint, Some(changed("R1")));
}

#[test]
fn a_verified_notice_that_says_nothing_readable_is_taken_without_a_hint() {
    for data in [Value::Null, json!({}), json!([]), json!({ "request_id": "x".repeat(33), "status": "CLOSE" })] {
        assert_eq!(hint("CREATE_ORDER_V2", &data), None, "{data}");
    }
    assert_eq!(receive(&signed(r#"{"name":"CREATE_ORDER_V2"}"#)).unwrap().hint, None);
    for name in ["SIGN_UP", "UPLOAD_TAXPAYER_AGREEMENT", "UPLOAD_ID_CARD_IMAGE"] {
        assert_eq!(notice(name, &json!({ "request_id": "R1", "status": "SIGN" })).unwrap().hint, None);
    }
}

#[test]
fn the_result_of_an_invitation_says_whether_it_was_signed_and_nothing_else_does() {
    let said = |status: &str| hint("SYNC_SIGN", &json!({ "request_id": "R1", "status": status }));
    let ended = |signed| Some(Hint::SignUpEnded { request_id: "R1".to_owned().try_into().unwrap(), signed });
    assert_eq!((said("SIGN"), said("UN_SIGN")), (ended(true), ended(false)));
    assert_eq!((said("ACCEPT"), said("HALF_SIGN")), (None, None));
}

#[test]
fn every_notice_is_read_as_printed() {
    let read = |name: &str, data: Value| Notice::read(name, &data.to_string()).is_some();
    assert!(read("SYNC_SIGN", json!({ "request_id": "R1", "status": "UN_SIGN" })));
    assert!(read("SIGN_UP", json!({ "id_card": "110101199003070011", "status": "SIGN" })));
    assert!(read("SIGN_UP", json!({})), "its fields are in no table");
    assert!(read("UPLOAD_TAXPAYER_AGREEMENT", json!({ "request_id": "R1", "status": "FAIL", "contract_id": "C1" })));
    assert!(read("UPLOAD_ID_CARD_IMAGE", json!({ "requestId": "R1", "status": "NULL", "failReason": "模糊" })));
    assert!(!read("QUERY_ORDER_V2", json!({})));
}

#[test]
fn a_doubled_key_does_not_lose_a_notice() {
    let req = r#"{"name":"CREATE_ORDER_V2","code":"0","code":"0","data":{"request_id":"R1","status":"CLOSE"}}"#;
    assert_eq!(receive(&signed(req)).unwrap().hint, Some(changed("R1")));
}

#[test]
fn tr1_our_own_message_is_reflected_and_an_answer_is_no_notice() {
    let vectors = vectors();
    assert_eq!(receive(text(&vectors, "/request/form_body").as_bytes()), Err(Rejected::Reflected));
    let disguised = r#"{"name":"CREATE_ORDER_V2","client\u005fkey":"k","data":{"request_id":"R1"}}"#;
    assert_eq!(receive(&signed(disguised)), Err(Rejected::Reflected));
    for name in ["QUERY_ORDER_V2", "CONFIRM_ORDER_V2", "REGISTER", "create_order_v2", ""] {
        assert_eq!(notice(name, &json!({})), Err(Rejected::UnknownName), "{name:?}");
    }
}

#[test]
fn p45_a_raw_plus_fails_and_the_signature_is_over_the_decoded_bytes() {
    let vectors = vectors();
    let wrong = text(&vectors, "/plus_trap/form_wrong").as_bytes();
    assert_eq!(receive(wrong), Err(Rejected::BadSignature));
    let right = text(&vectors, "/plus_trap/form_right").as_bytes();
    assert_eq!(receive(right).unwrap().name, "SIGN_UP");
}

#[test]
fn t07_a_gson_escaped_notice_verifies() {
    let vectors = vectors();
    let body = form(text(&vectors, "/gson_escaped_request/req"), text(&vectors, "/gson_escaped_request/sign"));
    assert_eq!(receive(body.as_bytes()).unwrap().name, "UPLOAD_ID_CARD_IMAGE");
}

#[test]
fn what_is_not_a_notice_is_rejected() {
    for body in ["", "req=1", "sign=1", "{}", "req=%7B%7D&req=%7B%7D&sign=x"] {
        assert!(matches!(receive(body.as_bytes()), Err(Rejected::Malformed(_))), "{body:?}");
    }
    assert_eq!(receive(b"req=%7B%7D&sign=x"), Err(Rejected::BadSignature));
    for req in ["", "null", "[{\"name\":\"SIGN_UP\"}]", "{}", "{\"name\":1}", "{\"name\":\"SIGN_UP\"", "\"SIGN_UP\""] {
        assert!(matches!(receive(&signed(req)), Err(Rejected::Malformed(_))), "{req:?}");
    }
    assert_eq!(receive(&vec![b'a'; BODY_MAX + 1]), Err(Rejected::TooLarge));
}

#[test]
fn the_registry_finds_the_account() {
    let accounts = [("main".to_owned(), AccountConfig::Olading(settings()))].into();
    let providers = Providers::new(accounts, Transport::Local(told(|_| Err(WireFault::NotSent)))).unwrap();
    let vectors = vectors();
    let body = text(&vectors, "/callback/form_body").as_bytes();
    assert_eq!(providers.receive("other", None, body), Err(Rejected::UnknownAccount));
    assert!(providers.receive("main", Some("application/x-www-form-urlencoded;charset=UTF-8"), body).is_ok());
    assert!(providers.receive("main", None, body).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_never_received(body in any::<Vec<u8>>(), req in ".*", sign in ".*") {
        prop_assert!(receive(&body).is_err());
        prop_assert!(receive(form(&req, &sign).as_bytes()).is_err());
    }

    #[test]
    fn arbitrary_signed_data_never_panics(data in ".*", name in proptest::sample::select(NAMES.to_vec())) {
        let _ = receive(&signed(&format!(r#"{{"name":"{name}","data":{data}}}"#)));
        let _ = notice(name, &json!({ "request_id": data, "status": data, "tax_agent_location_id": data }));
    }
}
