//! `POST /v1/sign-ups/{id}/invite-again`: a person's decision after an invitation that failed.

use crate::api::Api;
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use crate::sign_ups::draft::again;
use crate::sign_ups::view::{SignUpView, view};
use crate::sign_ups::{Known, WORKFLOW};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use store::Submitted;

/// Invite again. A new sign-up of the same person and counterparty; asked twice, it is the same one.
#[utoipa::path(post, path = "/v1/sign-ups/{id}/invite-again", tag = "sign-ups", params(("id" = uuid::Uuid, Path)), responses(
    (status = 201, description = "invited again", body = SignUpView), (status = 200, description = "it was before", body = SignUpView),
    (status = 404, body = Problem), (status = 409, description = "not_failed: this invitation has not failed", body = Problem)))]
pub(crate) async fn invite_again(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
) -> Result<(StatusCode, axum::Json<SignUpView>), Error> {
    let failed = Known::read(api.machine(&caller, WORKFLOW, "sign-up", id.instance()).await?)?;
    let Some(new) = again(&api, &caller.tenant, &caller.name, &failed)? else {
        return Err(Error::conflict(
            "not_failed",
            format!("it is {}: only a sign-up that is not_signed is invited again", failed.row.state_name),
        ));
    };
    api.act(&caller, "sign_up.invited_again", failed.row.id, json!({})).await?;
    let (status, id) = match api.engine().submit(new).await? {
        Submitted::Created(id) => (StatusCode::CREATED, id),
        // Who decided so is no part of what is signed.
        Submitted::Known(id) | Submitted::Differs(id) => (StatusCode::OK, id),
    };
    let row = api.machine(&caller, WORKFLOW, "sign-up", id).await?;
    Ok((status, axum::Json(view(&api, &caller, Known::read(row)?).await?)))
}
