//! `GET /v1/batches/{id}/rows`: where each row of a batch has got to.

use crate::api::Api;
use crate::batches::find;
use crate::batches::view::{RowFault, row_fault};
use crate::page::{Page, limit_of, row_cursor, seal};
use crate::problem::{Error, Problem};
use crate::read::{Id, Params};
use crate::role::Caller;
use axum::extract::State;
use domain::InstanceId;
use serde::{Deserialize, Serialize};
use store::BatchLine;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// One row of an upload.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RowView {
    pub(crate) row: i64,
    pub(crate) business_key: Option<String>,
    /// Once it was released.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(crate) order_id: Option<InstanceId>,
    /// The order's state.
    pub(crate) state: Option<String>,
    pub(crate) errors: Vec<RowFault>,
}

/// List a batch's rows in order.
#[utoipa::path(get, path = "/v1/batches/{id}/rows", tag = "batches", params(("id" = uuid::Uuid, Path), Wanted),
    responses((status = 200, body = Page<RowView>), (status = 404, body = Problem)))]
pub(crate) async fn rows(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<RowView>>, Error> {
    let batch = find(&api, &caller, id.instance()).await?;
    let limit = limit_of(wanted.limit.as_deref(), 50)?;
    let mut lines = api.store().batch_lines(batch.row.id, row_cursor(wanted.cursor.as_deref())?, limit + 1).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next_cursor = lines.last().filter(|_| more).map(|line| seal(&line.row.to_be_bytes()));
    Ok(axum::Json(Page { items: lines.into_iter().map(view).collect(), next_cursor }))
}

fn view(line: BatchLine) -> RowView {
    let row = line.row;
    let errors = line.errors.into_iter().map(|error| row_fault(row, error)).collect();
    RowView { row, business_key: line.business_key, order_id: line.order, state: line.state, errors }
}
