//! `/_sim/…`: look at the truth, change the rules, move the clock.

use super::{Shared, client};
use crate::{BankScript, Client, Faults, OladingScript, Switches, preset};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/ledger", get(ledger))
        .route("/coverage", get(coverage))
        .route("/due", get(due))
        .route("/clock/advance", post(advance))
        .route("/faults", put(set_faults).get(faults))
        .route("/switches", put(set_switches).get(switches))
        .route("/clients", put(set_client))
        .route("/callbacks/mute", post(mute))
        .route("/olading/script", post(script))
        .route("/bank/script", post(script_bank))
}

async fn ledger(State(shared): State<Shared>) -> Response {
    let ledger = {
        let mut sim = shared.sim();
        sim.settle(shared.clock.now());
        sim.ledger()
    };
    Json(ledger).into_response()
}

async fn coverage(State(shared): State<Shared>) -> Json<Value> {
    Json(json!(shared.sim().coverage()))
}

/// `{now, due, in_flight}`: when something will next happen by itself, and how many callbacks are under way.
async fn due(State(shared): State<Shared>) -> Json<Value> {
    let due = shared.sim().due();
    Json(json!({ "now": shared.clock.now(), "due": due, "in_flight": shared.in_flight.load(Ordering::Relaxed) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(State(shared): State<Shared>, Json(Advance { seconds }): Json<Advance>) -> Json<Value> {
    shared.clock.advance(Duration::from_secs(seconds));
    shared.bell.notify_one();
    Json(json!({ "now": shared.clock.now() }))
}

/// A whole table, or the name of a preset.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Preset(Named),
    Table(Box<Faults>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    preset: String,
}

async fn set_faults(State(shared): State<Shared>, Json(wanted): Json<Wanted>) -> Response {
    let faults = match wanted {
        Wanted::Table(faults) => *faults,
        Wanted::Preset(named) => match preset(&named.preset) {
            Some(faults) => faults,
            None => return bad("no such preset: none, some or many"),
        },
    };
    match shared.sim().set_faults(faults) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => bad(&error.to_string()),
    }
}

async fn faults(State(shared): State<Shared>) -> Json<Faults> {
    Json(shared.sim().config().faults.clone())
}

async fn set_switches(State(shared): State<Shared>, Json(switches): Json<Switches>) -> StatusCode {
    shared.sim().set_switches(switches);
    StatusCode::NO_CONTENT
}

async fn switches(State(shared): State<Shared>) -> Json<Switches> {
    Json(shared.sim().config().switches.clone())
}

async fn set_client(State(shared): State<Shared>, Json(client): Json<Client>) -> Response {
    if let Err(error) = client::callback_allowed(&client, shared.allow_remote) {
        return bad(&error.to_string());
    }
    shared.sim().set_client(client);
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mute {
    muted: bool,
}

async fn mute(State(shared): State<Shared>, Json(Mute { muted }): Json<Mute>) -> StatusCode {
    shared.sim().mute_callbacks(muted);
    StatusCode::NO_CONTENT
}

async fn script(State(shared): State<Shared>, Json(script): Json<OladingScript>) -> StatusCode {
    shared.sim().script(script);
    StatusCode::NO_CONTENT
}

async fn script_bank(State(shared): State<Shared>, Json(script): Json<BankScript>) -> StatusCode {
    shared.sim().script_bank(script);
    StatusCode::NO_CONTENT
}

fn bad(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "code": "invalid", "detail": why }))).into_response()
}
