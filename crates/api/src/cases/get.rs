//! `GET /v1/cases/{id}`: one case.

use crate::api::Api;
use crate::cases::find;
use crate::cases::view::{CaseView, view};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;

/// Show a case.
#[utoipa::path(get, path = "/v1/cases/{id}", tag = "cases", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = CaseView), (status = 404, body = Problem)))]
pub(crate) async fn get(State(api): State<Api>, caller: Caller, id: Id) -> Result<axum::Json<CaseView>, Error> {
    Ok(axum::Json(view(find(&api, &caller, id.0).await?)))
}
