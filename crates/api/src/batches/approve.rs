//! `POST /v1/batches/{id}/approve`: the second person's yes.

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

/// Approve a batch. Only another person than its uploader may.
#[utoipa::path(post, path = "/v1/batches/{id}/approve", tag = "batches", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, body = BatchView), (status = 404, body = Problem), (status = 409, description = "same_person or not_waiting", body = Problem)))]
pub(crate) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<BatchView>), Error> {
    let batch = validated(&api, &caller, id.instance()).await?;
    if batch.input.uploader == caller.name {
        return Err(Error::conflict("same_person", "another person than the uploader approves"));
    }
    let batch = match &batch.state {
        Batch::Approval { approved_by: None } => {
            api.act(
                &caller,
                "batch.approved",
                batch.row.id,
                json!({"digest": batch.input.digest, "count": batch.input.count, "sum": batch.input.sum}),
            )
            .await?;
            let event = json!({"Approved": {"by": caller.name}});
            want(&api, &caller, &deed, batch.row.id, event, |state| *state != Batch::Approval { approved_by: None })
                .await?
        }
        Batch::Approval { approved_by: Some(_) } => batch,
        Batch::Validating | Batch::Releasing { .. } | Batch::Paused { .. } | Batch::Done { .. } => {
            return Err(Error::conflict("not_waiting", "this batch does not wait for an approval"));
        }
    };
    Ok((StatusCode::ACCEPTED, axum::Json(view(&api, batch, None).await?)))
}
