//! `POST /v1/batches/{id}/release`: the orders of an approved batch start.

use crate::api::{Api, Deed};
use crate::batches::view::{BatchView, view};
use crate::batches::{validated, want};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use workflows::batch::Batch;

/// Release an approved batch, or let a paused one go on.
#[utoipa::path(post, path = "/v1/batches/{id}/release", tag = "batches", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, body = BatchView), (status = 404, body = Problem), (status = 409, description = "not_approved", body = Problem)))]
pub(crate) async fn release(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<BatchView>), Error> {
    let batch = validated(&api, &caller, id.instance()).await?;
    let batch = match &batch.state {
        Batch::Validating | Batch::Approval { approved_by: None } => {
            return Err(Error::conflict("not_approved", "another person must approve this batch first"));
        }
        Batch::Approval { approved_by: Some(_) } | Batch::Paused { .. } => {
            api.act(&caller, "batch.released", batch.row.id, json!({})).await?;
            let event = json!({"ReleaseAsked": {"by": caller.name}});
            want(&api, &caller, &deed, batch.row.id, event, |state| {
                matches!(state, Batch::Releasing { .. } | Batch::Done { .. })
            })
            .await?
        }
        Batch::Releasing { .. } | Batch::Done { .. } => batch,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(view(&api, batch, None).await?)))
}
