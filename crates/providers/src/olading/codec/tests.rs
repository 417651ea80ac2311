use super::*;
use crate::olading::settings::Settings;
use crate::olading::trial::{codec, now, settings, text, vectors};
use serde_json::json;

#[test]
fn golden_request() {
    let vectors = vectors();
    let req = text(&vectors, "/request/req");
    let sign = codec().sign(req.as_bytes());
    assert_eq!(sign, text(&vectors, "/request/sign"));
    assert_eq!(form(req, &sign), text(&vectors, "/request/form_body"));
    assert_eq!(unform(form(req, &sign).as_bytes()), Some((req.to_owned(), sign)));
}

#[test]
fn golden_response_and_callback() {
    let vectors = vectors();
    assert!(codec().verify(text(&vectors, "/response/body").as_bytes(), text(&vectors, "/response/Api-Sign")));
    let (req, sign) = unform(text(&vectors, "/callback/form_body").as_bytes()).unwrap();
    assert_eq!((req.as_str(), sign.as_str()), (text(&vectors, "/callback/req"), text(&vectors, "/callback/sign")));
    assert!(codec().verify(req.as_bytes(), &sign));
}

#[test]
fn t07_gson_escaped_equals_verifies_over_the_bytes_received() {
    let vectors = vectors();
    let req = text(&vectors, "/gson_escaped_request/req");
    assert!(req.contains("\\u003d"));
    assert!(codec().verify(req.as_bytes(), text(&vectors, "/gson_escaped_request/sign")));
    assert!(!codec().verify(req.as_bytes(), text(&vectors, "/gson_escaped_request/sign_if_reserialised")));
}

#[test]
fn p45_a_plus_travels_as_percent_2b() {
    let vectors = vectors();
    let (req, sign) = (text(&vectors, "/plus_trap/req"), text(&vectors, "/plus_trap/sign"));
    assert_eq!(codec().sign(req.as_bytes()), sign);
    assert_eq!(form(req, sign), text(&vectors, "/plus_trap/form_right"));
    let (req, spaced) = unform(text(&vectors, "/plus_trap/form_wrong").as_bytes()).unwrap();
    assert_eq!(spaced, text(&vectors, "/plus_trap/sign_as_received_when_wrong"));
    assert!(!codec().verify(req.as_bytes(), &spaced));
}

#[test]
fn p64_what_is_written_in_one_go_is_the_form_and_its_signature() {
    for hmac_algorithm in [Algorithm::HmacSHA256, Algorithm::HmacSHA384, Algorithm::HmacSHA512] {
        let codec = Codec::new(&Settings { hmac_algorithm, ..settings() });
        // Every byte that a form or JSON writes in another way, and text long enough to come in many pieces.
        let data = json!({ "name": "张三·\"\u{1}\\ a+b/c=&%~-_.*", "file": "+/9=".repeat(5000) });
        let body = String::from_utf8(codec.seal("QUERY_ORDER_V2", &data, now()).unwrap()).unwrap();
        let (req, sign) = unform(body.as_bytes()).unwrap();
        assert_eq!(sign, codec.sign(req.as_bytes()));
        assert_eq!(body, form(&req, &sign));
    }
}

#[test]
fn t01_req_is_an_object() {
    let body = codec().seal("QUERY_ORDER_V2", &json!({}), now()).unwrap();
    let (req, _) = unform(&body).unwrap();
    assert_eq!(
        req,
        r#"{"name":"QUERY_ORDER_V2","client_key":"olading-test-client","timestamp":"2022-07-01T12:34:56.789","data":{}}"#
    );
}

#[test]
fn t04_milliseconds_are_always_sent() {
    let whole_second = Time::parse("2022-07-01T04:34:56Z").unwrap();
    let body = codec().seal("QUERY_ORDER_V2", &json!({}), whole_second).unwrap();
    assert!(unform(&body).unwrap().0.contains(r#""timestamp":"2022-07-01T12:34:56.000""#));
}

#[test]
fn t06_the_algorithm_belongs_to_the_account() {
    let other = Codec::new(&Settings { hmac_algorithm: Algorithm::HmacSHA512, ..settings() });
    let sign = other.sign(b"message");
    assert_eq!(STANDARD.decode(&sign).unwrap().len(), 64);
    assert!(other.verify(b"message", &sign));
    assert!(!codec().verify(b"message", &sign));
}

#[test]
fn f65_after_a_rotation_the_old_key_verifies_and_the_new_one_signs() {
    let old = codec();
    let rotated = Settings { previous_secret: Some(settings().secret), secret: "new-key".into(), ..settings() };
    let new = Codec::new(&rotated);
    assert!(new.verify(b"message", &old.sign(b"message")));
    assert!(!old.verify(b"message", &new.sign(b"message")));
}

#[test]
fn a_cut_or_padded_signature_does_not_verify() {
    let sign = codec().sign(b"message");
    for bad in ["", "=", &sign[..40], &format!("{sign}="), &format!(" {sign}"), &sign.to_lowercase()] {
        assert!(!codec().verify(b"message", bad), "{bad:?}");
    }
}

#[test]
fn a_form_has_each_parameter_once() {
    for bad in ["", "req=1", "sign=1", "req=1&sign=1&req=2", "req=1&sign=1&sign=1", "{\"req\":1}"] {
        assert_eq!(unform(bad.as_bytes()), None, "{bad:?}");
    }
    assert!(unform(b"other=1&sign=s&req=r").is_some());
}

#[test]
fn nothing_prints_a_key() {
    let printed = format!("{:?} {:?}", codec(), settings());
    assert!(!printed.contains("密钥"), "{printed}");
}
