//! Lenient in, strict out: the small types that read what Olading really sends and write what it prints.
//!
//! Ids arrive as text or as integers beyond u64 (T03), times with and without milliseconds (T04), enumerations with words of no
//! table (P14), absent values as null, as `""` or not at all. Amounts are not lenient: they are money.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use domain::{BankCard, BeijingTime, Cellphone, IdCard, PersonName, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Text, printed as a JSON string or as a whole number of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

/// Text about a person: prints as stars.
#[derive(Clone, PartialEq, Eq)]
pub struct Private(Zeroizing<String>);

/// 时间戳 as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub Time);

/// 整数 as sent: up to 20 digits, which is more than u64 holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int(u128);

/// A file's raw bytes, sent as base64.
#[derive(Clone, PartialEq, Eq)]
pub struct File(pub Arc<Vec<u8>>);

impl File {
    /// Its name in place of its content, for what is kept of a call.
    pub(super) fn named(&self) -> Self {
        Self::from(format!("sha256:{}", hex::encode(Sha256::digest(self.0.as_slice()))).into_bytes())
    }
}

impl From<Vec<u8>> for File {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

/// 二要素鉴权 as sent: `T` or the field absent, nothing else; any other value would turn the check on unasked (P53).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Yes {
    T,
}

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?.get();
        if raw.starts_with('"') {
            return serde_json::from_str(raw).map(Self).map_err(de::Error::custom);
        }
        // Digit by digit: serde_json would read a number beyond u64 as a float and change the id.
        if raw.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(raw.to_owned()));
        }
        Err(de::Error::custom("neither text nor a whole number"))
    }
}

impl Private {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Text> for Private {
    fn from(text: Text) -> Self {
        Self(Zeroizing::new(text.0))
    }
}

impl<'de> Deserialize<'de> for Private {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Text::deserialize(d).map(Self::from)
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TryFrom<Text> for Stamp {
    type Error = &'static str;
    fn try_from(text: Text) -> Result<Self, Self::Error> {
        BeijingTime::parse(&text.0).map(|at| Self(at.time())).ok_or("not a time")
    }
}

/// An optional value: null, `""` and a missing field (with `default`) are the same.
pub(super) fn optional<'de, D, T>(d: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<Text, Error: fmt::Display>,
{
    let text = Option::<Text>::deserialize(d)?.filter(|text| !text.0.is_empty());
    text.map(T::try_from).transpose().map_err(de::Error::custom)
}

/// Like [`optional`], where what cannot be read is as good as absent: for what no decision rests on.
pub(super) fn readable<'de, D, T>(d: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<Text>,
{
    let raw = <&RawValue>::deserialize(d)?.get();
    let text = serde_json::from_str::<Option<Text>>(raw).ok().flatten();
    Ok(text.and_then(|text| T::try_from(text).ok()))
}

/// Like [`optional`], for plain text.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Text>::deserialize(d)?.map(Text::into_string).filter(|text| !text.is_empty()))
}

/// A list, where null and a missing field (with `default`) are the empty one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(d)?.unwrap_or_default())
}

impl Int {
    /// Up to 20 digits and no leading zero: `007` would arrive as another id.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let canonical = text == "0" || !text.starts_with('0');
        (digits && canonical).then(|| text.parse().ok().map(Self))?
    }

    pub(super) fn digits(self) -> usize {
        self.0.to_string().len()
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u128(self.0)
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&Base64Display::new(self.0.as_slice(), &STANDARD))
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes)", self.0.len())
    }
}

/// The one door through which a person's data gets onto the wire (security.md §2).
pub(super) fn expose<T: Exposed, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(value.exposed())
}

/// Like [`expose`], for a field that may be absent.
pub(super) fn expose_some<T: Exposed, S: Serializer>(value: &Option<T>, s: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => s.serialize_str(value.exposed()),
        None => s.serialize_none(),
    }
}

pub(super) trait Exposed {
    fn exposed(&self) -> &str;
}

impl Exposed for IdCard {
    fn exposed(&self) -> &str {
        self.expose()
    }
}

impl Exposed for PersonName {
    fn exposed(&self) -> &str {
        self.expose()
    }
}

impl Exposed for Cellphone {
    fn exposed(&self) -> &str {
        self.expose()
    }
}

impl Exposed for BankCard {
    fn exposed(&self) -> &str {
        self.expose()
    }
}

/// A time as sent: Beijing wall time, always with milliseconds.
pub(super) fn beijing<S: Serializer>(at: &Time, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&at.beijing())
}

/// 签约状态 (000 §3.5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text")]
pub enum SignStatus {
    Accepted,
    Signed,
    Unsigned,
    Unknown(String),
}

/// The result of an upload (000 §3.6, §2.9, §2.12). `FAIL` and `FALSE` both mean failure, wherever they stand (T08, P66).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text")]
pub enum UploadStatus {
    Accepted,
    Success,
    Failed,
    Unknown(String),
}

/// 证照处理状态 (000 §3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageStatus {
    Accepted,
    Identified,
    Failed,
    /// The literal word `NULL`, and a JSON null the same way: the taxpayer does not exist, sign up first (P62).
    TaxpayerAbsent,
    /// 证照未上传.
    NotUploaded,
    Unknown(String),
}

/// 订单状态 (000 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text")]
pub struct OrderStatus(pub domain::levy::OrderStatus);

/// 出款状态 (000 §3.3), and `PROCESS`, which only the text of 000 §2.5 names (P14).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text")]
pub struct RemitStatus(pub domain::levy::RemitStatus);

impl From<Text> for SignStatus {
    fn from(word: Text) -> Self {
        match word.as_str() {
            "ACCEPT" => Self::Accepted,
            "SIGN" => Self::Signed,
            "UN_SIGN" => Self::Unsigned,
            _ => Self::Unknown(word.0),
        }
    }
}

impl From<Text> for UploadStatus {
    fn from(word: Text) -> Self {
        match word.as_str() {
            "ACCEPT" => Self::Accepted,
            "SUCCESS" => Self::Success,
            "FAIL" | "FALSE" => Self::Failed,
            _ => Self::Unknown(word.0),
        }
    }
}

impl<'de> Deserialize<'de> for ImageStatus {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(d)?.get();
        let word =
            if raw == "null" { "NULL".to_owned() } else { serde_json::from_str(raw).map_err(de::Error::custom)? };
        Ok(match word.as_str() {
            "ACCEPT" => Self::Accepted,
            "IDENTIFY_SUCCESS" => Self::Identified,
            "IDENTIFY_FAIL" => Self::Failed,
            "NULL" => Self::TaxpayerAbsent,
            "UN_IDENTIFY" => Self::NotUploaded,
            _ => Self::Unknown(word),
        })
    }
}

impl From<Text> for OrderStatus {
    fn from(word: Text) -> Self {
        use domain::levy::OrderStatus::{Accepted, Closed, Processing, Unknown};
        Self(match word.as_str() {
            "ACCEPT" => Accepted,
            "PROCESS" => Processing,
            "CLOSE" => Closed,
            _ => Unknown(word.0),
        })
    }
}

impl From<Text> for RemitStatus {
    fn from(word: Text) -> Self {
        use domain::levy::RemitStatus::{Accepted, Closed, Processing, Remitted, Unknown};
        Self(match word.as_str() {
            "ACCEPT" => Accepted,
            "PROCESS" => Processing,
            "REMIT" => Remitted,
            "CLOSE" => Closed,
            _ => Unknown(word.0),
        })
    }
}
