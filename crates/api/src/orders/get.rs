//! `GET /v1/orders/{id}`: one order with its remits.

use crate::api::Api;
use crate::orders::view::{OrderView, view, view_revealed};
use crate::orders::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::{Id, Params};
use crate::role::Caller;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Show {
    /// Personal data in clear; approver or admin, audited.
    pub(crate) reveal: bool,
}

/// Show an order.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "orders", params(("id" = uuid::Uuid, Path), Show),
    responses((status = 200, body = OrderView), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Params(show): Params<Show>,
) -> Result<axum::Json<OrderView>, Error> {
    let order = Known::read(api.machine(&caller, WORKFLOW, "order", id.instance()).await?)?;
    let shown =
        if show.reveal { view_revealed(&api, &caller, order).await? } else { view(&api, &caller, order).await? };
    Ok(axum::Json(shown))
}
