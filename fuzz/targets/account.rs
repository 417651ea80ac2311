//! What the targets about a provider share: one account, and its signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use providers::{AccountConfig, Providers, Transport, olading};
use sha2::Sha256;
use std::collections::BTreeMap;

pub const ACCOUNT: &str = "main";
const SECRET: &str = "a secret of the fuzz targets";

pub fn providers(transport: Transport) -> Providers {
    let settings = olading::Settings {
        code_order_not_found: Some("1404".to_owned()),
        ..olading::Settings::new("http://127.0.0.1:9", "the client", SECRET)
    };
    let accounts = BTreeMap::from([(ACCOUNT.to_owned(), AccountConfig::Olading(settings))]);
    Providers::new(accounts, transport).expect("the settings are good")
}

pub fn sign(bytes: &[u8]) -> String {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes()).expect("keys of any length");
    mac.update(bytes);
    STANDARD.encode(mac.finalize().into_bytes())
}
