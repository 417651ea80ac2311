//! `GET /v1/remits/{id}`: one remit.

use crate::api::Api;
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::remits::find;
use crate::remits::view::{RemitView, view};
use crate::role::Caller;
use axum::extract::State;

/// Show a remit.
#[utoipa::path(get, path = "/v1/remits/{id}", tag = "remits", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = RemitView), (status = 404, body = Problem)))]
pub(crate) async fn get(State(api): State<Api>, caller: Caller, id: Id) -> Result<axum::Json<RemitView>, Error> {
    let remit = find(&api, &caller, id.instance()).await?;
    Ok(axum::Json(view(&api, remit).await?))
}
