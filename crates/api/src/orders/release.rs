//! `POST /v1/orders/{id}/release`: lets a held order go.

use crate::api::{Api, Deed};
use crate::orders::view::{OrderView, view};
use crate::orders::{Known, WORKFLOW, draft};
use crate::problem::{Error, Problem};
use crate::read::{Id, Json};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use workflows::levy_order::Order;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// Why this is no duplicate, or why it may go now.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

/// Release an order that waits as a suspected duplicate or by a guard.
#[utoipa::path(post, path = "/v1/orders/{id}/release", tag = "orders", params(("id" = uuid::Uuid, Path)), request_body = Release, responses(
    (status = 202, body = OrderView), (status = 404, body = Problem), (status = 409, description = "not_held", body = Problem)))]
pub(crate) async fn release(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
    Json(body): Json<Release>,
) -> Result<(StatusCode, axum::Json<OrderView>), Error> {
    let reason = reason(&body.reason)?;
    let order = Known::read(api.machine(&caller, WORKFLOW, "order", id.instance()).await?)?;
    let Order::Gated { hold: Some(_), .. } = &order.state else {
        return Err(Error::conflict("not_held", "nothing holds this order"));
    };
    api.act(&caller, "order.released", order.row.id, json!({"reason": reason})).await?;
    api.tell(&caller, &deed, order.row.id, json!({"ReleaseAsked": {"by": caller.name, "reason": reason}})).await?;
    let row = api.machine(&caller, WORKFLOW, "order", id.instance()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(&api, &caller, Known::read(row)?).await?)))
}

/// A reason that a person can read later.
pub(crate) fn reason(text: &str) -> Result<String, Error> {
    draft::printable(text, 500)
        .map_err(|invalid| Error::Invalid(vec![crate::problem::FieldError::of("reason", &invalid)]))
}
