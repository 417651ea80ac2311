//! Checks the business data of a request against its printed table and the conditions beside it. Strict on purpose: an
//! unknown or misspelt field is refused like a missing one, so that a wrong casing cannot pass unseen (P52).

use super::codec::base64_bytes;
use super::tables::{Field, Kind, SYNC_SIGN_AGENT_NAME, TWO_FACTOR_NAME, fields};
use crate::Switches;
use crate::operation::Operation;
use domain::{BeijingTime, Money};
use serde_json::{Map, Value};

/// Business data of one call.
pub(crate) type Data = Map<String, Value>;

/// 000 §2.6: at most 500 in one batch.
const BATCH_MAX: usize = 500;

/// Refuses with a message naming the field, never its value.
pub(crate) fn check(switches: &Switches, operation: Operation, data: &Data) -> Result<(), String> {
    table(switches, operation, fields(operation), data)?;
    conditions(operation, data)
}

/// The text of a field; a number is read as its digits (T03).
pub(crate) fn text(data: &Data, name: &str) -> Option<String> {
    match data.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The wire name of a field that the documents spell in two ways.
pub(crate) fn wire_name<'a>(switches: &'a Switches, operation: Operation, field: &'a str) -> &'a str {
    if field == TWO_FACTOR_NAME {
        return &switches.two_factor_field;
    }
    if operation == Operation::SyncSign && field == SYNC_SIGN_AGENT_NAME {
        return &switches.sync_sign_agent_field;
    }
    field
}

fn table(switches: &Switches, operation: Operation, fields: &[Field], data: &Data) -> Result<(), String> {
    for field in fields {
        let name = wire_name(switches, operation, field.name);
        match data.get(name) {
            None if field.needed => return Err(format!("{name} is missing")),
            None => {}
            Some(value) => one(switches, operation, &field.kind, value).map_err(|why| format!("{name} {why}"))?,
        }
    }
    let known = |name: &String| fields.iter().any(|field| wire_name(switches, operation, field.name) == name);
    match data.keys().find(|name| !known(name)) {
        Some(_) => Err("an unknown field was sent".into()),
        None => Ok(()),
    }
}

fn one(switches: &Switches, operation: Operation, kind: &Kind, value: &Value) -> Result<(), String> {
    match kind {
        Kind::Integer(max) => return integer(*max, value),
        Kind::Rows(fields) => return rows(switches, operation, fields, value),
        Kind::Text(_) | Kind::RequestId | Kind::Amount | Kind::Time | Kind::Word(_) | Kind::File(_) => {}
    }
    let text = value.as_str().ok_or("is not text")?;
    if text.is_empty() {
        return Err("is empty".into());
    }
    let long = |max: usize| if text.chars().count() > max { Err(format!("is longer than {max}")) } else { Ok(()) };
    let told = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
    match kind {
        Kind::Text(max) => long(*max),
        Kind::RequestId if switches.uuid_request_ids && uuid::Uuid::try_parse(text).is_ok() => long(36),
        Kind::RequestId => long(32),
        Kind::Amount => told(Money::parse(text).is_ok_and(|money| money.fen() > 0), "is no amount"),
        Kind::Time => told(time(switches, text).is_some(), "is no timestamp"),
        Kind::Word(words) => told(words.contains(&text), "is no word of its table"),
        Kind::File(max) => match base64_bytes(text) {
            None => Err("is no base64".into()),
            Some(bytes) => told(bytes.len() <= *max, "is larger than allowed"),
        },
        Kind::Integer(_) | Kind::Rows(_) => Ok(()),
    }
}

fn integer(max: usize, value: &Value) -> Result<(), String> {
    let digits = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err("is no integer".into());
        }
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is no integer".into());
    }
    if digits.len() > max { Err(format!("is longer than {max}")) } else { Ok(()) }
}

fn rows(switches: &Switches, operation: Operation, fields: &[Field], value: &Value) -> Result<(), String> {
    let rows = value.as_array().ok_or("is no list")?;
    if rows.is_empty() || rows.len() > BATCH_MAX {
        return Err(format!("has not 1 to {BATCH_MAX} entries"));
    }
    rows.iter().try_for_each(|row| {
        let row = row.as_object().ok_or("holds something else than objects")?;
        table(switches, operation, fields, row)
    })
}

/// A timestamp of 000 §1.1.4, with milliseconds, or by a switch without.
pub(crate) fn time(switches: &Switches, text: &str) -> Option<BeijingTime> {
    let millis = text.len() == "2019-01-22T12:34:56.789".len();
    let seconds = text.len() == "2019-01-22T12:34:56".len() && switches.seconds_timestamps;
    if millis || seconds { BeijingTime::parse(text) } else { None }
}

/// What the tables say in words: either-or, and required-when.
fn conditions(operation: Operation, data: &Data) -> Result<(), String> {
    let has = |name: &str| data.contains_key(name);
    let told = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
    match operation {
        Operation::SignUp => {
            told(!has("tax_agent_parent_id") || has("credit_code"), "credit_code is required with tax_agent_parent_id")
        }
        Operation::CreateOrderV2 => {
            told(has("profit") != has("pay_amount"), "exactly one of profit and pay_amount")?;
            told(has("credit_code") != has("customer_id"), "exactly one of credit_code and customer_id")
        }
        Operation::UploadTaxpayerAgreement if text(data, "contract_type").as_deref() == Some("EMPOWER_PROTOCOL") => {
            told(has("tax_agent_parent_id"), "tax_agent_parent_id is required for EMPOWER_PROTOCOL")
        }
        Operation::UploadTaxpayerAgreement => {
            told(has("tax_agent_location_id"), "tax_agent_location_id is required for SUBSTITUTES_PROTOCOL")
        }
        Operation::AddBankVoucher => {
            let pdf = text(data, "file_name").is_some_and(|name| name.to_lowercase().ends_with(".pdf"));
            told(pdf, "file_name needs the suffix pdf")
        }
        Operation::UploadFaceidVideoFrame => {
            told(has("videoBase64") || has("frameBase64"), "one of videoBase64 and frameBase64")
        }
        Operation::SyncSign
        | Operation::ConfirmOrderV2
        | Operation::QuerySignUpBatch
        | Operation::QueryOrderV2
        | Operation::UploadIdCardImage
        | Operation::QueryIdCardImage => Ok(()),
    }
}
