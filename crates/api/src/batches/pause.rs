//! `POST /v1/batches/{id}/pause`: no further orders start.

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

/// Pause a batch that is being released. Orders that have started go on.
#[utoipa::path(post, path = "/v1/batches/{id}/pause", tag = "batches", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, body = BatchView), (status = 404, body = Problem), (status = 409, description = "not_releasing", body = Problem)))]
pub(crate) async fn pause(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<BatchView>), Error> {
    let batch = validated(&api, &caller, id.instance()).await?;
    let batch = match &batch.state {
        Batch::Releasing { .. } => {
            api.act(&caller, "batch.paused", batch.row.id, json!({})).await?;
            let event = json!({"PauseAsked": {"by": caller.name}});
            want(&api, &caller, &deed, batch.row.id, event, |state| !matches!(state, Batch::Releasing { .. })).await?
        }
        Batch::Paused { .. } => batch,
        Batch::Validating | Batch::Approval { .. } | Batch::Done { .. } => {
            return Err(Error::conflict("not_releasing", "this batch is not being released"));
        }
    };
    Ok((StatusCode::ACCEPTED, axum::Json(view(&api, batch, None).await?)))
}
