//! The provider's two paths and the bank's three.

use super::wire::{dropped, respond};
use super::{Shared, control};
use crate::bank::{BankReply, Instruction, Payment};
use crate::operation::{LEVY, TAX};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

/// A 15 MB video is about 21.5 MB of form text (protocols.md §1.11 item 11).
const BODY_MAX: usize = 24 * 1024 * 1024;

pub(super) fn router(shared: Shared) -> Router {
    Router::new()
        .route(LEVY, post(provider))
        .route(TAX, post(provider))
        .route("/bank/v1/payments", post(pay))
        .route("/bank/v1/payments/{bank_order_no}", get(payment))
        .route("/bank/v1/statement", get(statement))
        .nest("/_sim", control::router())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared)
}

async fn provider(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (reply, slow_ms) = {
        let mut sim = shared.sim();
        let reply = sim.handle(shared.clock.now(), uri.path(), content_type, &body);
        (reply, sim.config().faults.slow_ms)
    };
    shared.bell.notify_one();
    respond(reply, slow_ms).await
}

async fn pay(State(shared): State<Shared>, Json(instruction): Json<Instruction>) -> Response {
    let reply = shared.sim().pay(shared.clock.now(), instruction);
    shared.bell.notify_one();
    bank(reply)
}

async fn payment(State(shared): State<Shared>, Path(bank_order_no): Path<String>) -> Response {
    let reply = shared.sim().payment(shared.clock.now(), &bank_order_no);
    bank(reply)
}

async fn statement(State(shared): State<Shared>) -> Response {
    let items = shared.sim().statement(shared.clock.now());
    Json(json!({ "items": items })).into_response()
}

fn bank(reply: BankReply) -> Response {
    let problem = |status: StatusCode, code: &str, detail: &str| {
        (status, Json(json!({ "code": code, "detail": detail }))).into_response()
    };
    match reply {
        BankReply::Known(payment) => Json::<Payment>(payment).into_response(),
        BankReply::NoSuch => problem(StatusCode::NOT_FOUND, "no_such_payment", "no payment under that number"),
        BankReply::Conflict => {
            problem(StatusCode::CONFLICT, "number_used", "the number was used for another amount or payee")
        }
        BankReply::Invalid(why) => problem(StatusCode::BAD_REQUEST, "invalid", &why),
        BankReply::Lost => dropped(),
    }
}
