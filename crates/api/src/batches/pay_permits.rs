//! `POST /v1/batches/{id}/pay-permits`: a permit for every open remit of a batch, each with its own answer.

use crate::api::{Api, Deed};
use crate::batches::find;
use crate::idempotency::NotFinal;
use crate::page::{limit_of, row_cursor, seal};
use crate::problem::{Error, Problem};
use crate::read::{Id, Params};
use crate::remits;
use crate::remits::permit::{self, Bare, PermitGranted, WAIT};
use crate::role::Caller;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::InstanceId;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Instance;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use workflows::remit::At;

/// Questions under way at once.
const AT_ONCE: usize = 64;
const DEFAULT: usize = 200;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Remits asked about in this call, 1 to 200.
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// One answer per open remit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Permits {
    pub(crate) items: Vec<PermitItem>,
    /// Give it back as `cursor` for the batch's next orders.
    pub(crate) next_cursor: Option<String>,
}

/// What one remit answered: `permit` with status 201, else `problem`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PermitItem {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) remit_id: InstanceId,
    pub(crate) status: u16,
    pub(crate) permit: Option<PermitGranted>,
    pub(crate) problem: Option<Problem>,
}

/// Ask for the permits of all open remits of a batch. Where some could not be answered in time, the same Idempotency-Key collects them.
#[utoipa::path(post, path = "/v1/batches/{id}/pay-permits", tag = "batches", params(("id" = uuid::Uuid, Path), Wanted), responses(
    (status = 200, body = Permits), (status = 404, body = Problem)))]
pub(crate) async fn pay_permits(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Error> {
    let batch = find(&api, &caller, id.instance()).await?;
    let limit = limit_of(wanted.limit.as_deref(), DEFAULT)?;
    let (remits, next_cursor) =
        open_remits(&api, &deed, batch.row.id, row_cursor(wanted.cursor.as_deref())?, limit).await?;
    let until = Instant::now() + WAIT;
    let ask = |remit: remits::Known| {
        let (api, caller, deed) = (&api, &caller, &deed);
        async move {
            let answer = permit::ask(api, caller, deed, &remit, until).await;
            (remit, answer)
        }
    };
    let asked: Vec<(remits::Known, Result<Bare, Error>)> =
        stream::iter(remits).map(ask).buffered(AT_ONCE).collect().await;
    let (mut granted, mut answers) = (Vec::new(), Vec::with_capacity(asked.len()));
    for (remit, answer) in asked {
        answers.push((remit.row.id, answer.as_ref().err().cloned()));
        granted.extend(answer.ok().map(|permit| (remit, permit)));
    }
    let mut shown = permit::reveal(&api, &caller, granted).await?.into_iter();
    let answer = |(remit_id, error): (InstanceId, Option<Error>)| {
        item(remit_id, error.map_or_else(|| shown.next().unwrap_or(Err(Error::Internal)), Err))
    };
    let items: Vec<PermitItem> = answers.into_iter().map(answer).collect();
    let waiting = items.iter().any(|item| item.status == 503);
    let mut response = axum::Json(Permits { items, next_cursor }).into_response();
    if waiting {
        response.extensions_mut().insert(NotFinal);
    }
    Ok(response)
}

fn item(remit_id: InstanceId, answer: Result<PermitGranted, Error>) -> PermitItem {
    match answer {
        Ok(permit) => PermitItem { remit_id, status: 201, permit: Some(permit), problem: None },
        Err(error) => {
            PermitItem { remit_id, status: error.status().as_u16(), permit: None, problem: Some(error.problem()) }
        }
    }
}

/// Whole orders until `limit` remits are together. A repeat under the same key asks again about those that were answered in between.
async fn open_remits(
    api: &Api,
    deed: &Deed,
    batch: InstanceId,
    after: i64,
    limit: usize,
) -> Result<(Vec<remits::Known>, Option<String>), Error> {
    let (mut remits, mut after) = (Vec::new(), after);
    let collecting = deed.before > 0;
    loop {
        let lines = api.store().batch_lines(batch, after, limit).await?;
        if lines.is_empty() {
            return Ok((remits, None));
        }
        let orders: Vec<InstanceId> = lines.iter().filter_map(|line| line.order).collect();
        let mut of_orders: BTreeMap<InstanceId, Vec<Instance>> = BTreeMap::new();
        for child in api.store().children_of(&orders).await? {
            of_orders.entry(child.parent.unwrap_or(child.id)).or_default().push(child);
        }
        for line in &lines {
            if remits.len() >= limit {
                return Ok((remits, Some(seal(&after.to_be_bytes()))));
            }
            let children = line.order.and_then(|order| of_orders.remove(&order)).unwrap_or_default();
            for child in children {
                let remit = remits::Known::read(child)?;
                if matches!(remit.state.at, At::Open { .. })
                    || (collecting && matches!(remit.state.at, At::Permitted(_)))
                {
                    remits.push(remit);
                }
            }
            after = line.row;
        }
    }
}
