//! `GET /v1/documents/{id}` and `GET /v1/document-submissions/{id}`.

use crate::api::Api;
use crate::papers::view::{SubmissionView, UploadView};
use crate::papers::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;

/// Read what is known of an uploaded file; never its content.
#[utoipa::path(get, path = "/v1/documents/{id}", tag = "documents", params(("id" = uuid::Uuid, Path)), responses(
    (status = 200, body = UploadView), (status = 404, body = Problem)))]
pub(crate) async fn document(State(api): State<Api>, caller: Caller, id: Id) -> Result<axum::Json<UploadView>, Error> {
    let upload = api.store().upload(&caller.tenant, id.0).await?.ok_or(Error::NotFound("document"))?;
    Ok(axum::Json(UploadView::of(upload)))
}

/// Read a submission.
#[utoipa::path(get, path = "/v1/document-submissions/{id}", tag = "documents", params(("id" = uuid::Uuid, Path)), responses(
    (status = 200, body = SubmissionView), (status = 404, body = Problem)))]
pub(crate) async fn submission(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
) -> Result<axum::Json<SubmissionView>, Error> {
    let row = api.machine(&caller, WORKFLOW, "document submission", id.instance()).await?;
    Ok(axum::Json(SubmissionView::of(Known::read(row)?)))
}
