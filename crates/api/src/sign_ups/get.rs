//! `GET /v1/sign-ups/{id}`: one sign-up.

use crate::api::Api;
use crate::orders::get::Show;
use crate::problem::{Error, Problem};
use crate::read::{Id, Params};
use crate::role::Caller;
use crate::sign_ups::view::{SignUpView, view, view_revealed};
use crate::sign_ups::{Known, WORKFLOW};
use axum::extract::State;

/// Show a sign-up.
#[utoipa::path(get, path = "/v1/sign-ups/{id}", tag = "sign-ups", params(("id" = uuid::Uuid, Path), Show),
    responses((status = 200, body = SignUpView), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Params(show): Params<Show>,
) -> Result<axum::Json<SignUpView>, Error> {
    let sign_up = Known::read(api.machine(&caller, WORKFLOW, "sign-up", id.instance()).await?)?;
    let shown =
        if show.reveal { view_revealed(&api, &caller, sign_up).await? } else { view(&api, &caller, sign_up).await? };
    Ok(axum::Json(shown))
}
