//! Refusals as RFC 9457 problems: the only place with status codes.

use crate::role::Role;
use crate::strangers::WINDOW;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Invalid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong with one field, in a code and two languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The path of the field, for example `person.id_card`.
    pub field: String,
    pub code: String,
    /// 中文 / English.
    pub message: String,
    pub message_zh: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the request has {} wrong field(s)", .0.len())]
    Invalid(Vec<FieldError>),
    #[error("{detail}")]
    BadRequest { code: &'static str, detail: String },
    #[error("give a key that is not revoked: Authorization: Bearer KEY")]
    Unauthorized,
    #[error("too many wrong keys came from this address: wait a minute")]
    TooManyTries,
    #[error("this needs a key with the role {0} or higher")]
    Role(Role),
    #[error("{detail}")]
    Forbidden { code: &'static str, detail: String },
    #[error("no such {0} here")]
    NotFound(&'static str),
    #[error("{detail}")]
    Missing { code: &'static str, detail: String },
    #[error("this path has no such method; it has {0}")]
    Method(String),
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    #[error("send {0}")]
    MediaType(&'static str),
    #[error("{detail}")]
    Conflict { code: String, detail: String },
    /// Nothing is known, or nothing was done: ask again, under the same Idempotency-Key.
    #[error("{detail}")]
    Later { code: &'static str, detail: String, after_s: u32 },
    #[error("an internal fault; it is in the log")]
    Internal,
}

/// The body of every refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    pub(crate) r#type: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: String,
    pub(crate) code: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldError>,
}

impl FieldError {
    pub(crate) fn new(field: &str, code: &str, message: &str, message_zh: &str) -> Self {
        Self {
            field: field.into(),
            code: code.into(),
            message: format!("{message_zh} / {message}"),
            message_zh: message_zh.into(),
        }
    }

    pub(crate) fn of(field: &str, invalid: &Invalid) -> Self {
        Self::new(field, &invalid.code, &invalid.message, &invalid.message_zh)
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new(field, "missing", "this field is required", "此项必填")
    }

    /// The English half of the message.
    pub(crate) fn english(&self) -> &str {
        self.message.strip_prefix(&self.message_zh).and_then(|rest| rest.strip_prefix(" / ")).unwrap_or(&self.message)
    }
}

impl Error {
    pub(crate) fn field(field: &str, code: &str, message: &str, message_zh: &str) -> Self {
        Error::Invalid(vec![FieldError::new(field, code, message, message_zh)])
    }

    pub(crate) fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Error::Conflict { code: code.into(), detail: detail.into() }
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Error::Forbidden { code, detail: detail.into() }
    }

    pub(crate) fn bad(code: &'static str, detail: impl Into<String>) -> Self {
        Error::BadRequest { code, detail: detail.into() }
    }

    pub(crate) fn later(code: &'static str, detail: &str) -> Self {
        Error::Later { code, detail: detail.into(), after_s: 1 }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::Invalid(_) | Error::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Error::Unauthorized => StatusCode::UNAUTHORIZED,
            Error::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Error::Role(_) | Error::Forbidden { .. } => StatusCode::FORBIDDEN,
            Error::NotFound(_) | Error::Missing { .. } => StatusCode::NOT_FOUND,
            Error::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Error::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::Conflict { .. } => StatusCode::CONFLICT,
            Error::Later { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn code(&self) -> &str {
        match self {
            Error::Invalid(_) => "invalid_input",
            Error::BadRequest { code, .. }
            | Error::Forbidden { code, .. }
            | Error::Missing { code, .. }
            | Error::Later { code, .. } => code,
            Error::Unauthorized => "unauthorized",
            Error::TooManyTries => "too_many_tries",
            Error::Role(_) => "forbidden",
            Error::NotFound(_) => "not_found",
            Error::Method(_) => "method_not_allowed",
            Error::TooLarge(_) => "too_large",
            Error::MediaType(_) => "unsupported_media_type",
            Error::Conflict { code, .. } => code,
            Error::Internal => "internal",
        }
    }

    pub(crate) fn problem(&self) -> Problem {
        let status = self.status();
        let errors = if let Error::Invalid(errors) = self { errors.clone() } else { Vec::new() };
        Problem {
            r#type: format!("urn:levee:problem:{}", self.code()),
            title: status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code().to_owned(),
            errors,
        }
    }

    fn extra_header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Error::Later { after_s, .. } => Some((header::RETRY_AFTER, HeaderValue::from(*after_s))),
            Error::Method(allowed) => HeaderValue::from_str(allowed).ok().map(|value| (header::ALLOW, value)),
            Error::TooManyTries => Some((header::RETRY_AFTER, HeaderValue::from(WINDOW.as_secs()))),
            Error::Unauthorized => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Error::Conflict { code, .. } if code == "idempotency_running" => {
                Some((header::RETRY_AFTER, HeaderValue::from(1)))
            }
            Error::Invalid(_)
            | Error::BadRequest { .. }
            | Error::Role(_)
            | Error::Forbidden { .. }
            | Error::NotFound(_) => None,
            Error::Missing { .. }
            | Error::TooLarge(_)
            | Error::MediaType(_)
            | Error::Conflict { .. }
            | Error::Internal => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.extra_header() {
            headers.insert(name, value);
        }
        response
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable => {
                Error::later("unavailable", "the database is not available: try again, under the same Idempotency-Key")
            }
            store::Error::Forbidden(rule) => {
                Error::Conflict { code: "forbidden_by_rule".into(), detail: format!("the rule {rule} forbids it") }
            }
            store::Error::Schema { .. } => Error::later(
                "schema",
                "the database has another version than this program: an operator must migrate it",
            ),
            store::Error::Corrupt { .. } | store::Error::Refused(_) => {
                tracing::error!(%error, "the store refused to answer");
                Error::Internal
            }
        }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Store(error) => error.into(),
            engine::Error::UnknownInstance(_) => Error::NotFound("instance"),
            engine::Error::UnknownWorkflow(_) | engine::Error::Undecodable(_) => {
                tracing::error!(%error, "the engine refused");
                Error::Internal
            }
        }
    }
}
