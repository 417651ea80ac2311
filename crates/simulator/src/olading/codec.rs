//! Signature and form of Olading, from the documents alone (000 §1.1, §1.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// `base64(hmac_sha256(utf8(secret), message))` (000 §1.2).
pub(crate) fn sign(secret: &str, message: &[u8]) -> String {
    STANDARD.encode(mac(secret, message).finalize().into_bytes())
}

/// Whether `sign` is the signature of exactly these bytes; compared in constant time.
pub(crate) fn verify(secret: &str, message: &[u8], sign: &str) -> bool {
    STANDARD.decode(sign).is_ok_and(|bytes| mac(secret, message).verify_slice(&bytes).is_ok())
}

fn mac(secret: &str, message: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("cannot fail: HMAC takes keys of any length");
    mac.update(message);
    mac
}

/// A form of exactly two parameters, `req` and `sign` (000 §1.1.1). Decoded once; `req` is what was signed.
pub(crate) fn open_form(body: &[u8]) -> Option<(String, String)> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    match pairs.as_slice() {
        [(req, text), (sign, signature)] if req == "req" && sign == "sign" => Some((text.clone(), signature.clone())),
        [(sign, signature), (req, text)] if req == "req" && sign == "sign" => Some((text.clone(), signature.clone())),
        _ => None,
    }
}

/// The other way: a callback's body, `+` as `%2B` (TR11).
pub(crate) fn form(req: &str, sign: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("req", req).append_pair("sign", sign).finish()
}

pub(crate) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../fixtures/olading.json")).unwrap()
    }

    fn text<'a>(value: &'a Value, path: &str) -> &'a str {
        value.pointer(path).and_then(Value::as_str).unwrap()
    }

    #[test]
    fn the_golden_request_opens_and_verifies() {
        let v = vectors();
        let (req, signature) = open_form(text(&v, "/request/form_body").as_bytes()).unwrap();
        assert_eq!(req, text(&v, "/request/req"));
        assert_eq!(signature, text(&v, "/request/sign"));
        assert!(verify(text(&v, "/key"), req.as_bytes(), &signature));
        assert_eq!(form(&req, &signature), text(&v, "/request/form_body"));
        assert!(!verify("another key", req.as_bytes(), &signature));
    }

    #[test]
    fn t07_the_received_bytes_are_verified_and_never_written_anew() {
        let v = vectors();
        let req = text(&v, "/gson_escaped_request/req");
        assert!(verify(text(&v, "/key"), req.as_bytes(), text(&v, "/gson_escaped_request/sign")));
        assert!(!verify(text(&v, "/key"), req.as_bytes(), text(&v, "/gson_escaped_request/sign_if_reserialised")));
    }

    #[test]
    fn the_golden_answer_and_callback_are_signed_alike() {
        let v = vectors();
        assert_eq!(sign(text(&v, "/key"), text(&v, "/response/body").as_bytes()), text(&v, "/response/Api-Sign"));
        assert_eq!(sign(text(&v, "/key"), text(&v, "/callback/req").as_bytes()), text(&v, "/callback/sign"));
        assert_eq!(form(text(&v, "/callback/req"), text(&v, "/callback/sign")), text(&v, "/callback/form_body"));
    }

    #[test]
    fn p45_a_raw_plus_arrives_as_a_space_and_fails() {
        let v = vectors();
        let (req, signature) = open_form(text(&v, "/plus_trap/form_wrong").as_bytes()).unwrap();
        assert_eq!(signature, text(&v, "/plus_trap/sign_as_received_when_wrong"));
        assert!(!verify(text(&v, "/key"), req.as_bytes(), &signature));
        let (req, signature) = open_form(text(&v, "/plus_trap/form_right").as_bytes()).unwrap();
        assert!(verify(text(&v, "/key"), req.as_bytes(), &signature));
    }

    #[test]
    fn a_form_has_exactly_two_parameters() {
        for bad in ["", "req=%7B%7D", "req=1&sign=2&more=3", "req=1&req=2", "Req=1&sign=2"] {
            assert_eq!(open_form(bad.as_bytes()), None, "{bad}");
        }
        assert!(open_form(b"sign=2&req=1").is_some(), "their order is free");
    }
}
