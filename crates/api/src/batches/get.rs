//! `GET /v1/batches/{id}`: where a batch stands.

use crate::api::Api;
use crate::batches::find;
use crate::batches::view::{BatchView, view};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;

/// Show a batch.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = BatchView), (status = 404, body = Problem)))]
pub(crate) async fn get(State(api): State<Api>, caller: Caller, id: Id) -> Result<axum::Json<BatchView>, Error> {
    let batch = find(&api, &caller, id.instance()).await?;
    Ok(axum::Json(view(&api, batch, None).await?))
}
