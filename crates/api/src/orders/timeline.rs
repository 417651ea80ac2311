//! `GET /v1/orders/{id}/timeline`: everything that happened to an order and its remits, in words and in order.

use crate::api::Api;
use crate::orders::{WORKFLOW, words};
use crate::problem::{Error, Problem};
use crate::read::{Id, Params};
use crate::role::{Caller, Role};
use axum::extract::State;
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use store::{Entry, Exchange, Letter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Show {
    /// The exact bytes of every exchange; admin, audited.
    pub(crate) raw: bool,
}

/// The whole story.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Timeline {
    pub(crate) items: Vec<Moment>,
}

/// One thing that happened.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Moment {
    #[schema(value_type = String)]
    pub(crate) at: Time,
    /// `transition`, `call` or `letter`.
    pub(crate) kind: String,
    /// The remit it happened to; null: the order itself.
    #[schema(value_type = Option<Uuid>)]
    pub(crate) remit_id: Option<InstanceId>,
    /// In words.
    pub(crate) text: String,
    pub(crate) event: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    /// `timer`, `call`, `callback`, `api`, `machine`, `takeover`, `submit`.
    pub(crate) cause: Option<String>,
    pub(crate) exchange: Option<ExchangeView>,
}

/// One call to the provider.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExchangeView {
    pub(crate) id: Uuid,
    pub(crate) operation: String,
    pub(crate) verdict: String,
    pub(crate) status: Option<u16>,
    pub(crate) took_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
}

/// Tell an order's story.
#[utoipa::path(get, path = "/v1/orders/{id}/timeline", tag = "orders", params(("id" = uuid::Uuid, Path), Show),
    responses((status = 200, body = Timeline), (status = 404, body = Problem)))]
pub(crate) async fn timeline(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Params(show): Params<Show>,
) -> Result<axum::Json<Timeline>, Error> {
    let order = api.machine(&caller, WORKFLOW, "order", id.instance()).await?;
    if show.raw {
        if caller.role < Role::Admin {
            return Err(Error::Role(Role::Admin));
        }
        api.act(&caller, "exchange.revealed", order.id, json!({"order": order.id})).await?;
    }
    let mut items = moments(&api, order.id, None, show.raw).await?;
    for child in api.store().children(order.id).await? {
        items.extend(moments(&api, child.id, Some(child.id), show.raw).await?);
    }
    // Stable: what happened to one machine at one time stays in its own order.
    items.sort_by_key(|moment| moment.at);
    Ok(axum::Json(Timeline { items }))
}

async fn moments(api: &Api, machine: InstanceId, remit: Option<InstanceId>, raw: bool) -> Result<Vec<Moment>, Error> {
    let history = api.store().history(machine).await?;
    let exchanges = api.store().exchanges(machine).await?;
    let letters = api.store().letters(machine).await?;
    let mut calls: BTreeMap<Uuid, ExchangeView> =
        exchanges.iter().map(|one| (one.exchange.id, exchange(one, raw))).collect();
    let at_of: BTreeMap<Uuid, Time> = exchanges.iter().map(|one| (one.exchange.id, one.exchange.at)).collect();
    let mut moments: Vec<Moment> = letters.iter().map(|one| letter(one, remit)).collect();
    moments.extend(history.into_iter().map(|entry| {
        let call = entry.line.exchange.and_then(|id| calls.remove(&id));
        transition(entry, remit, call)
    }));
    // Calls that moved nothing.
    moments.extend(calls.into_iter().map(|(id, view)| call(at_of.get(&id).copied().unwrap_or_default(), remit, view)));
    Ok(moments)
}

fn transition(entry: Entry, remit: Option<InstanceId>, exchange: Option<ExchangeView>) -> Moment {
    let line = entry.line;
    Moment {
        at: line.at,
        kind: "transition".into(),
        remit_id: remit,
        text: words::transition(&line.event, &line.from, &line.to),
        event: Some(line.event),
        from: Some(line.from),
        to: Some(line.to),
        cause: Some(line.cause),
        exchange,
    }
}

fn letter(letter: &Letter, remit: Option<InstanceId>) -> Moment {
    let (text, cause) = (words::letter(&letter.event), Some(letter.source.clone()));
    Moment {
        at: letter.at,
        kind: "letter".into(),
        remit_id: remit,
        text,
        event: None,
        from: None,
        to: None,
        cause,
        exchange: None,
    }
}

fn call(at: Time, remit: Option<InstanceId>, view: ExchangeView) -> Moment {
    let text = format!("{} was called: {}", view.operation, view.verdict);
    Moment {
        at,
        kind: "call".into(),
        remit_id: remit,
        text,
        event: None,
        from: None,
        to: None,
        cause: None,
        exchange: Some(view),
    }
}

fn exchange(of: &Exchange, raw: bool) -> ExchangeView {
    let bytes = |bytes: &[u8]| raw.then(|| String::from_utf8_lossy(bytes).into_owned());
    let one = &of.exchange;
    ExchangeView {
        id: one.id,
        operation: one.operation.clone(),
        verdict: one.verdict.clone(),
        status: one.status,
        took_ms: one.took_ms,
        request: bytes(&one.request),
        answer: bytes(&one.answer),
    }
}
