//! Signing, the form, verification and binding: everything that works on exact bytes.

use super::settings::{Algorithm, Settings};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{IdCard, Time};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Sha256, Sha384, Sha512};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The keys of one account.
#[derive(Debug)]
pub struct Codec {
    client_key: String,
    algorithm: Algorithm,
    /// Signs.
    secret: SecretString,
    /// Verifies too, during a rotation.
    previous: Option<SecretString>,
}

/// `req` of a call (000 §1.1.1): an object, the sample's `[ ]` is a misprint (T01).
#[derive(Serialize)]
struct Message<'a, T> {
    name: &'a str,
    client_key: &'a str,
    timestamp: String,
    data: &'a T,
}

/// The body of an answer (000 §1.1.2), its data unread.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    pub(super) name: super::lenient::Text,
    pub(super) code: super::lenient::Text,
    /// For people; untrusted, and of whatever type.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// An id that the answer must repeat: the signature does not bind it to the request (I26, TR2).
pub struct Echo<'a> {
    key: &'static str,
    asked: &'a str,
    any_case: bool,
    required: bool,
}

impl<'a> Echo<'a> {
    pub fn id(key: &'static str, asked: &'a str) -> Self {
        Self { key, asked, any_case: false, required: true }
    }

    pub fn id_card(key: &'static str, asked: &'a IdCard) -> Self {
        Self { key, asked: asked.expose(), any_case: true, required: true }
    }

    /// Compared only where the answer shows it in full.
    pub fn if_shown(self) -> Self {
        Self { required: false, ..self }
    }

    pub(super) fn is_repeated_as(&self, shown: &str) -> bool {
        shown == self.asked || (self.any_case && shown.eq_ignore_ascii_case(self.asked))
    }
}

impl Codec {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            client_key: settings.client_key.clone(),
            algorithm: settings.hmac_algorithm,
            secret: settings.secret.clone(),
            previous: settings.previous_secret.clone(),
        }
    }

    /// `sign` of these bytes: base64 of the HMAC (000 §1.2).
    pub fn sign(&self, message: &[u8]) -> String {
        let key = self.secret.expose_secret().as_bytes();
        STANDARD.encode(match self.algorithm {
            Algorithm::HmacSHA256 => mac::<Hmac<Sha256>>(key, message).finalize().into_bytes().to_vec(),
            Algorithm::HmacSHA384 => mac::<Hmac<Sha384>>(key, message).finalize().into_bytes().to_vec(),
            Algorithm::HmacSHA512 => mac::<Hmac<Sha512>>(key, message).finalize().into_bytes().to_vec(),
        })
    }

    /// The same of what is written, while it is written.
    fn sign_written<T: Serialize>(&self, message: &T) -> Result<String, serde_json::Error> {
        let key = self.secret.expose_secret().as_bytes();
        Ok(STANDARD.encode(match self.algorithm {
            Algorithm::HmacSHA256 => written(mac::<Hmac<Sha256>>(key, b""), message)?.finalize().into_bytes().to_vec(),
            Algorithm::HmacSHA384 => written(mac::<Hmac<Sha384>>(key, b""), message)?.finalize().into_bytes().to_vec(),
            Algorithm::HmacSHA512 => written(mac::<Hmac<Sha512>>(key, b""), message)?.finalize().into_bytes().to_vec(),
        }))
    }

    /// Whether `sign` is the signature of exactly these bytes. In constant time.
    pub fn verify(&self, message: &[u8], sign: &str) -> bool {
        let Ok(sign) = STANDARD.decode(sign) else { return false };
        let fits = |secret: &SecretString| {
            let key = secret.expose_secret().as_bytes();
            match self.algorithm {
                Algorithm::HmacSHA256 => mac::<Hmac<Sha256>>(key, message).verify_slice(&sign).is_ok(),
                Algorithm::HmacSHA384 => mac::<Hmac<Sha384>>(key, message).verify_slice(&sign).is_ok(),
                Algorithm::HmacSHA512 => mac::<Hmac<Sha512>>(key, message).verify_slice(&sign).is_ok(),
            }
        };
        fits(&self.secret) || self.previous.as_ref().is_some_and(fits)
    }

    /// The whole form body of a call made at `now`. A video is in memory as it is and as it is sent, and in no third way (P64).
    pub(super) fn seal<T: Serialize>(&self, name: &str, data: &T, now: Time) -> Result<Vec<u8>, serde_json::Error> {
        let timestamp = now.beijing().to_string();
        let message = Message { name, client_key: &self.client_key, timestamp, data };
        let sign = self.sign_written(&message)?;
        let mut body = FormText(b"req=".to_vec());
        serde_json::to_writer(&mut body, &message)?;
        body.0.extend_from_slice(b"&sign=");
        body.write_all(sign.as_bytes()).map_err(serde_json::Error::io)?;
        Ok(body.0)
    }
}

/// Takes the bytes of a parameter, and holds them as a form does.
struct FormText(Vec<u8>);

impl Write for FormText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        form_urlencoded::byte_serialize(bytes).for_each(|text| self.0.extend_from_slice(text.as_bytes()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the bytes of a message, and holds none.
struct Signing<M>(M);

impl<M: Mac> Write for Signing<M> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written<M: Mac, T: Serialize>(mac: M, message: &T) -> Result<M, serde_json::Error> {
    let mut signing = Signing(mac);
    serde_json::to_writer(&mut signing, message)?;
    Ok(signing.0)
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> M {
    let keyed = <M as Mac>::new_from_slice(key).expect("cannot fail: HMAC takes keys of any length");
    keyed.chain_update(message)
}

/// The two parameters, percent-encoded: a `+` of base64 travels as `%2B` (P45). What [`Codec::seal`] must come to.
#[cfg(test)]
pub(super) fn form(req: &str, sign: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("req", req).append_pair("sign", sign).finish()
}

/// `req` and `sign` of a form body: each exactly once, nothing else is read. Decoded once; the signature covers the decoded `req`.
pub(super) fn unform(body: &[u8]) -> Option<(String, String)> {
    let (mut req, mut sign) = (None, None);
    for (key, value) in form_urlencoded::parse(body) {
        let place = match key.as_ref() {
            "req" => &mut req,
            "sign" => &mut sign,
            _ => continue,
        };
        if place.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    req.zip(sign)
}

impl<'a> Envelope<'a> {
    /// `None` when it is not what 000 §1.1.2 describes: HTML, cut short, not UTF-8, a key twice, something after the end (F53).
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(body).ok()?).ok()
    }

    pub(super) fn message(&self) -> String {
        self.message.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    pub(super) fn data<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.data?.get()).ok()
    }

    /// Whether every id is repeated as asked.
    pub(super) fn repeats(&self, echoes: &[Echo<'_>]) -> bool {
        echoes.iter().all(|echo| self.shows(echo).unwrap_or(!echo.required))
    }

    /// Whether an id is repeated otherwise than asked. An error's data may be empty, so absence contradicts nothing.
    pub(super) fn contradicts(&self, echoes: &[Echo<'_>]) -> bool {
        echoes.iter().any(|echo| self.shows(echo) == Some(false))
    }

    /// Whether the data repeats this id; `None` when it shows none, or only a masked one.
    fn shows(&self, echo: &Echo<'_>) -> Option<bool> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(self.data?.get()).ok()?;
        let raw = fields.get(echo.key)?.get();
        let shown = serde_json::from_str::<super::lenient::Text>(raw).ok()?;
        let shown = shown.as_str();
        if shown.is_empty() || (!echo.required && shown.contains('*')) {
            return None;
        }
        Some(echo.is_repeated_as(shown))
    }
}

#[cfg(test)]
mod tests;
