//! `POST /v1/remits/{id}/pay-permit`: may this remit be paid now, and until when?

use crate::api::{Api, Deed};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::remits::find;
use crate::remits::permit::{self, PermitGranted, WAIT};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::time::Instant;

/// Ask for a pay permit. The provider is queried live before it is given; the answer holds the payee in clear.
#[utoipa::path(post, path = "/v1/remits/{id}/pay-permit", tag = "remits", params(("id" = uuid::Uuid, Path)), responses(
    (status = 201, description = "pay exactly this, under this number, before this time", body = PermitGranted), (status = 404, body = Problem),
    (status = 409, description = "gate_closed, permit_live, decided, in_doubt, quote_mismatch, frozen, not_payable, card_changed, attempt_not_final or month_edge", body = Problem),
    (status = 503, description = "provider_unreachable or timeout: repeat under the same Idempotency-Key", body = Problem)))]
pub(crate) async fn pay_permit(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<PermitGranted>), Error> {
    let remit = find(&api, &caller, id.instance()).await?;
    let granted = permit::ask(&api, &caller, &deed, &remit, Instant::now() + WAIT).await?;
    let shown = permit::reveal(&api, &caller, vec![(remit, granted)]).await?.pop().ok_or(Error::Internal)??;
    Ok((StatusCode::CREATED, axum::Json(shown)))
}
