//! `POST /v1/orders`: an order, once per business key.

use crate::api::Api;
use crate::orders::body::OrderBody;
use crate::orders::draft::Draft;
use crate::orders::limit;
use crate::orders::view::{OrderView, view};
use crate::orders::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::Json;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use domain::InstanceId;
use store::Submitted;

/// Create an order. The same business key with the same content answers the order there is.
#[utoipa::path(post, path = "/v1/orders", tag = "orders", request_body = OrderBody, responses(
    (status = 201, description = "created", body = OrderView),
    (status = 200, description = "it exists with the same content", body = OrderView),
    (status = 400, body = Problem), (status = 409, description = "it exists with other content", body = Problem)))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<OrderBody>,
) -> Result<(StatusCode, axum::Json<OrderView>), Error> {
    let draft = Draft::check(&api, &caller.tenant, &body).map_err(Error::Invalid)?;
    submit(&api, &caller, &draft, None).await
}

/// Stores the person, starts the order, and answers it.
pub(crate) async fn submit(
    api: &Api,
    caller: &Caller,
    draft: &Draft,
    replaces: Option<InstanceId>,
) -> Result<(StatusCode, axum::Json<OrderView>), Error> {
    let person = api.store().put_person(&caller.tenant, &draft.person).await?;
    let over_limit = limit::exceeded(api, &caller.tenant, &[(draft, person)]).await?.contains(&draft.business_key);
    let order = draft.order(api, &caller.tenant, person, replaces, over_limit)?;
    let (status, id) = match api.engine().submit(order).await? {
        Submitted::Created(id) => (StatusCode::CREATED, id),
        Submitted::Known(id) => (StatusCode::OK, id),
        Submitted::Differs(id) => {
            let detail = format!("the business key belongs to order {id}, which has other content");
            return Err(Error::conflict("business_key_conflict", detail));
        }
    };
    let row = api.machine(caller, WORKFLOW, "order", id).await?;
    Ok((status, axum::Json(view(api, caller, Known::read(row)?).await?)))
}
