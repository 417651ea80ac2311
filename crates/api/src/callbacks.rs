//! `POST /callbacks/{account}`: a provider's callback. A hint, made durable before it is acknowledged; it moves nothing (I15).

use crate::api::Api;
use crate::door;
use crate::problem::Error;
use crate::read::media_type;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::{NotTaken, Rejected};
use std::time::Duration;

const LONGEST: usize = 64 * 1024;
const WITHIN: Duration = Duration::from_secs(10);
const STORED_WITHIN: Duration = Duration::from_secs(15);

/// Verified, made durable, acknowledged.
pub(crate) async fn receive(
    State(api): State<Api>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(Path(account)) = path else { return Error::NotFound("account").into_response() };
    match take(api, account, &headers, body).await {
        Ok(acknowledgement) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], acknowledgement).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn take(api: Api, account: String, headers: &HeaderMap, body: Body) -> Result<&'static str, Error> {
    if door::declared(headers).is_some_and(|length| length > LONGEST) {
        return Err(Error::TooLarge(LONGEST));
    }
    let bytes = door::read(body, LONGEST, WITHIN).await?;
    let content_type = media_type(headers);
    // The provider may hang up at any time; what it sent is stored whole or not at all.
    let task =
        tokio::spawn(
            async move { api.engine().receive(&account, content_type.as_deref(), &bytes).await.map_err(refusal) },
        );
    match tokio::time::timeout(STORED_WITHIN, task).await {
        Ok(Ok(taken)) => taken.map(|ack| ack.body),
        Ok(Err(panic)) => {
            tracing::error!(%panic, "receiving a callback ended by panic");
            Err(Error::Internal)
        }
        Err(_) => Err(not_stored()),
    }
}

/// Never the acknowledgement: the provider shall send it again, or should not have sent it.
fn refusal(not_taken: NotTaken) -> Error {
    match not_taken {
        NotTaken::Rejected(Rejected::UnknownAccount) => Error::NotFound("account"),
        NotTaken::Rejected(Rejected::TooLarge) => Error::TooLarge(LONGEST),
        NotTaken::Rejected(Rejected::Malformed(_)) => Error::bad("malformed", "this is no callback"),
        NotTaken::Rejected(Rejected::BadSignature) => Error::bad("bad_signature", "the signature does not hold"),
        NotTaken::Rejected(Rejected::Reflected) => Error::bad("reflected", "this is a message of our own"),
        NotTaken::Rejected(Rejected::UnknownName) => {
            Error::bad("unknown_name", "this account receives no such callback")
        }
        NotTaken::Unavailable(_) => not_stored(),
    }
}

fn not_stored() -> Error {
    Error::later("unavailable", "the callback could not be stored: send it again")
}
