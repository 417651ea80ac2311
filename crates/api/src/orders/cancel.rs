//! `POST /v1/orders/{id}/cancel`: an order that is not wanted any more.

use crate::api::{Api, Deed};
use crate::orders::view::{OrderView, view};
use crate::orders::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::remits;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use workflows::levy_order::{Order, Why};

/// Cancel an order. Before CREATE is sent it is cancelled; after that the wish is kept, and its remits are cancelled once they are
/// there. Nothing that was paid, may be paid or is decided is cancelled.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "orders", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, description = "the wish is kept", body = OrderView), (status = 404, body = Problem),
    (status = 409, description = "permit_live, in_doubt, decided or parked", body = Problem)))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<OrderView>), Error> {
    let order = Known::read(api.machine(&caller, WORKFLOW, "order", id.instance()).await?)?;
    may_be_cancelled(&api, &order).await?;
    api.act(&caller, "order.cancel_asked", order.row.id, json!({})).await?;
    api.tell(&caller, &deed, order.row.id, json!({"CancelAsked": {"by": caller.name}})).await?;
    let row = api.machine(&caller, WORKFLOW, "order", id.instance()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(&api, &caller, Known::read(row)?).await?)))
}

async fn may_be_cancelled(api: &Api, order: &Known) -> Result<(), Error> {
    match &order.state {
        Order::Gated { .. }
        | Order::Creating { .. }
        | Order::CreateInDoubt { .. }
        | Order::Accepted(_)
        | Order::Splitting(_)
        | Order::Cancelled => Ok(()),
        Order::Ready { .. } => {
            for child in api.store().children(order.row.id).await? {
                let remit = remits::Known::read(child)?;
                if let Some((code, detail)) = remits::cancel::refusal(&remit.state) {
                    return Err(Error::conflict(code, format!("remit {}: {detail}", remit.row.id)));
                }
            }
            Ok(())
        }
        Order::Settled { .. } | Order::Rejected { .. } => Err(Error::conflict("decided", "the order has ended")),
        Order::NeedsOperator { why: Why::NameTooLong, .. } => Ok(()),
        Order::NeedsOperator { .. } => Err(Error::conflict("parked", "the order is parked: resolve its case")),
    }
}
