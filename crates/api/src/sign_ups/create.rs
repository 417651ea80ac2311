//! `POST /v1/sign-ups`: one invitation, or many at once. Wrong ones are named and do not hold up good ones.

use crate::api::Api;
use crate::problem::{Error, FieldError, Problem};
use crate::read::{Params, media_type, parse};
use crate::role::Caller;
use crate::sign_ups::draft::{Draft, SignUpBody};
use crate::sign_ups::view::{SignUpView, view};
use crate::sign_ups::{Known, WORKFLOW, table};
use crate::table::Line;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::InstanceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{NewInstance, Submitted};
use utoipa::{IntoParams, ToSchema};

/// Most sign-ups of one call.
pub(crate) const MOST: usize = 10_000;
/// Started in one transaction.
const CHUNK: usize = 500;

/// One sign-up, or many.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Asked {
    Many(Many),
    One(Box<SignUpBody>),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Many {
    /// At most 10,000.
    pub(crate) items: Vec<SignUpBody>,
}

/// What became of many.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Taken {
    /// New ones.
    pub(crate) created: usize,
    /// That were there before with the same content.
    pub(crate) known: usize,
    /// That are wrong, or are there with other content.
    pub(crate) refused: usize,
    /// One per item, in order.
    pub(crate) items: Vec<TakenItem>,
}

/// What became of one of many.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TakenItem {
    /// From 1; in a spreadsheet, whose header is row 1, from 2.
    pub(crate) row: i64,
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(crate) id: Option<InstanceId>,
    /// 201, 200, 400 or 409, as it would have been answered alone.
    pub(crate) status: u16,
    pub(crate) errors: Vec<FieldError>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Of a spreadsheet's rows that say none: `sync_sign` or `sign_up`.
    pub(crate) kind: Option<String>,
}

/// Invite a person to sign, or many with `items` or as `text/csv` with a header row (a payday file will do). The same person, counterparty and kind with the same content answers the sign-up
/// there is.
#[utoipa::path(post, path = "/v1/sign-ups", tag = "sign-ups", params(How),
    request_body(content((Asked = "application/json"), (String = "text/csv"))), responses(
    (status = 201, description = "created", body = SignUpView),
    (status = 200, description = "it exists with the same content; or what became of many", body = Taken),
    (status = 400, body = Problem), (status = 409, description = "it exists with other content", body = Problem)))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Params(how): Params<How>,
    bytes: Bytes,
) -> Result<Response, Error> {
    let lines = match media_type(&headers).as_deref() {
        Some("text/csv") => table::csv(&bytes, how.kind.as_deref())?,
        Some("application/json") => match parse(&bytes)? {
            Asked::One(body) => return Ok(one(&api, &caller, &body).await?.into_response()),
            Asked::Many(Many { items }) => numbered(items)?,
        },
        Some(_) | None => return Err(Error::MediaType("the body as application/json or text/csv")),
    };
    Ok(axum::Json(many(&api, &caller, lines).await?).into_response())
}

fn numbered(items: Vec<SignUpBody>) -> Result<Vec<Line<SignUpBody>>, Error> {
    if items.is_empty() || items.len() > MOST {
        return Err(Error::field("items", "items_count", "give 1 to 10,000 items", "items 应有 1 至 10000 条"));
    }
    Ok(items.into_iter().zip(1..).map(|(body, row)| Line { row, body: Ok(body) }).collect())
}

async fn one(api: &Api, caller: &Caller, body: &SignUpBody) -> Result<(StatusCode, axum::Json<SignUpView>), Error> {
    let draft = Draft::check(api, &caller.tenant, body).map_err(Error::Invalid)?;
    let person = api.store().put_person(&caller.tenant, &draft.person).await?;
    let (status, id) = match api.engine().submit(draft.sign_up(api, &caller.tenant, person)?).await? {
        Submitted::Created(id) => (StatusCode::CREATED, id),
        Submitted::Known(id) => (StatusCode::OK, id),
        Submitted::Differs(id) => return Err(differs(id)),
    };
    let row = api.machine(caller, WORKFLOW, "sign-up", id).await?;
    Ok((status, axum::Json(view(api, caller, Known::read(row)?).await?)))
}

fn differs(id: InstanceId) -> Error {
    Error::conflict(
        "sign_up_exists",
        format!("sign-up {id} is of the same person and counterparty, with other content"),
    )
}

async fn many(api: &Api, caller: &Caller, lines: Vec<Line<SignUpBody>>) -> Result<Taken, Error> {
    let mut items: Vec<TakenItem> =
        lines.iter().map(|line| TakenItem { row: line.row, id: None, status: 400, errors: Vec::new() }).collect();
    let mut good: BTreeMap<usize, Draft> = BTreeMap::new();
    for (place, line) in lines.into_iter().enumerate() {
        match line.body.map_err(|error| vec![error]).and_then(|body| Draft::check(api, &caller.tenant, &body)) {
            Ok(draft) => drop(good.insert(place, draft)),
            Err(errors) => items[place].errors = errors,
        }
    }
    let persons: Vec<_> = good.values().map(|draft| draft.person.clone()).collect();
    let persons = api.store().put_persons(&caller.tenant, &persons).await?;
    let prepared = good.iter().zip(persons).map(|((place, draft), person)| {
        Ok((*place, api.engine().prepare(draft.sign_up(api, &caller.tenant, person)?)?))
    });
    let prepared: Vec<(usize, NewInstance)> = prepared.collect::<Result<_, Error>>()?;
    for chunk in prepared.chunks(CHUNK) {
        let (places, new): (Vec<usize>, Vec<NewInstance>) = chunk.iter().cloned().unzip();
        for (place, submitted) in places.into_iter().zip(api.engine().submit_all(new).await?) {
            let (status, id) = match submitted {
                Submitted::Created(id) => (201, id),
                Submitted::Known(id) => (200, id),
                Submitted::Differs(id) => (409, id),
            };
            (items[place].status, items[place].id) = (status, Some(id));
        }
    }
    let count = |of: fn(u16) -> bool| items.iter().filter(|item| of(item.status)).count();
    let (created, known, refused) = (count(|of| of == 201), count(|of| of == 200), count(|of| of >= 400));
    Ok(Taken { created, known, refused, items })
}
