//! Reading requests: JSON bodies, queries and ids, each fault named by its field and with the nearest known name.

use crate::api::Deed;
use crate::problem::{Error, FieldError};
use crate::role::Caller;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::InstanceId;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use uuid::Uuid;

/// A JSON body as a checked type.
pub(crate) struct Json<T>(pub(crate) T);

/// A query string as a checked type.
pub(crate) struct Params<T>(pub(crate) T);

/// The id in a path; one that is no id is nobody's.
pub(crate) struct Id(pub(crate) Uuid);

impl Id {
    pub(crate) fn instance(&self) -> InstanceId {
        InstanceId(self.0)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if media_type(request.headers()).as_deref() != Some("application/json") {
            return Err(Error::MediaType("the body as application/json"));
        }
        // The door has read the body under its limit already.
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Error::bad("unreadable_body", "the body could not be read"))?;
        parse(&bytes).map(Json)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(value)| Params(value)).map_err(|rejection| {
            let text = rejection.body_text();
            let said = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let (path, said) = said.split_once(": ").unwrap_or(("query", said));
            Error::Invalid(vec![explain(path, said)])
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let text = Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::NotFound("resource"))?;
        Uuid::parse_str(&text).map(Id).map_err(|_| Error::NotFound("resource"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts.extensions.get::<Caller>().cloned().ok_or(Error::Unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Deed {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(parts.extensions.get::<Deed>().cloned().unwrap_or_default())
    }
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or(text).trim().to_ascii_lowercase())
}

/// A JSON body, with the path of what is wrong in it.
///
/// Every body of ours is an object: serde would take a list for one, field by field.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
        return Err(Error::field("body", "wrong_type", "give an object", "类型错误"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Error::Invalid(vec![explain(&path, &inner.to_string())]),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => malformed(&inner),
        }
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// One element of a list that is judged alone.
pub(crate) fn parse_value<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.into_inner().to_string())
    })
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::bad("malformed_json", format!("the body is no JSON: line {}, column {}", error.line(), error.column()))
}

/// serde's words as a field error. They name fields and types; a value they may quote is cut off.
fn explain(path: &str, said: &str) -> FieldError {
    let said = said.rsplit_once(" at line ").map_or(said, |(words, _)| words);
    if let Some(rest) = said.strip_prefix("unknown field `") {
        return unknown_field(path, rest);
    }
    if let Some(name) = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let field = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return FieldError::missing(&field);
    }
    let field = if path == "." { "body" } else { path };
    if let Some((_, expected)) = said.rsplit_once(", expected ").filter(|_| said.starts_with("invalid type")) {
        return FieldError::new(field, "wrong_type", &format!("give {expected}"), "类型错误");
    }
    if let Some((_, expected)) = said.rsplit_once(", expected ") {
        return FieldError::new(field, "not_allowed", &format!("give {expected}"), "取值不在允许范围内");
    }
    FieldError::new(field, "unreadable", "this value cannot be read", "无法识别该值")
}

fn unknown_field(path: &str, rest: &str) -> FieldError {
    let mut words = rest.split('`').step_by(2);
    let name = words.next().unwrap_or_default().to_owned();
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let at = if path == "." || path == name {
        name.clone()
    } else if path.ends_with(&name) {
        path.to_owned()
    } else {
        format!("{path}.{name}")
    };
    FieldError::new(&at, "unknown_field", &nearest(&name, known.iter().copied()), "未知字段")
}

/// "did you mean …", or the names there are.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let close = known.clone().map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
    match close {
        Some((distance, other)) if distance <= name.chars().count().max(3) / 2 => {
            format!("no such field; did you mean {other}?")
        }
        Some(_) => format!("no such field; there are {}", known.collect::<Vec<_>>().join(", ")),
        None => "no such field; there are none here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Body {
        amount: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        id_card: String,
        cellphone: Option<String>,
    }

    fn fault(body: &str) -> (String, String, String) {
        match parse::<Body>(body.as_bytes()) {
            Err(Error::Invalid(errors)) => {
                (errors[0].field.clone(), errors[0].code.clone(), errors[0].english().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_the_nearest_known() {
        let (field, code, message) = fault(r#"{"amuont":"1.00"}"#);
        assert_eq!((field.as_str(), code.as_str()), ("amuont", "unknown_field"));
        assert_eq!(message, "no such field; did you mean amount?");
        let (field, _, message) = fault(r#"{"amount":"1.00","inner":{"id_crad":"x"}}"#);
        assert_eq!(field, "inner.id_crad");
        assert!(message.contains("id_card"), "{message}");
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path_and_never_quoted() {
        let (field, code, message) = fault(r#"{"amount":1.5}"#);
        assert_eq!((field.as_str(), code.as_str()), ("amount", "wrong_type"));
        assert!(!message.contains("1.5"), "{message}");
        let (field, code, _) = fault(r#"{"amount":"1.00","inner":{"id_card":11010119900307}}"#);
        assert_eq!((field.as_str(), code.as_str()), ("inner.id_card", "wrong_type"));
        assert_eq!(fault("{}").1, "missing");
        assert_eq!(fault("[]").0, "body");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for bad in ["", "{", "{\"amount\":", "nonsense", "[", "{\"amount\":\"1.00\"} {}"] {
            let refused = parse::<Body>(bad.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), "malformed_json", "{bad}");
        }
    }
}
