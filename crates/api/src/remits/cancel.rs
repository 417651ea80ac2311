//! `POST /v1/remits/{id}/cancel`: one unpaid remit that is not wanted any more.

use crate::api::{Api, Deed};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::remits::find;
use crate::remits::payout_results::{Accepted, accepted};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use workflows::remit::{At, Remit};

/// Cancel an unpaid remit: its pay gate closes for ever, then the provider is told.
#[utoipa::path(post, path = "/v1/remits/{id}/cancel", tag = "remits", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, body = Accepted), (status = 404, body = Problem), (status = 409, description = "permit_live, in_doubt, decided or parked", body = Problem)))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
) -> Result<(StatusCode, axum::Json<Accepted>), Error> {
    let remit = find(&api, &caller, id.instance()).await?;
    if let Some((code, detail)) = refusal(&remit.state) {
        return Err(Error::conflict(code, detail));
    }
    api.act(&caller, "remit.cancel_asked", remit.row.id, json!({})).await?;
    api.tell(&caller, &deed, remit.row.id, json!({"CancelAsked": {"by": caller.name}})).await?;
    accepted(&api, &caller, id).await
}

/// Why a remit cannot be cancelled now (S-B). One that is cancelled, or being cancelled, already is what was asked for.
pub(crate) fn refusal(remit: &Remit) -> Option<(&'static str, &'static str)> {
    match &remit.at {
        At::Open { .. } | At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } | At::Cancelled => {
            None
        }
        At::AutoClosedUnpaid | At::ClosedExternally => None,
        At::Permitted(_) | At::Paying(_) => {
            Some(("permit_live", "a permit is out: report its result, or attest that it was not used"))
        }
        At::PayoutInDoubt { .. } => Some(("in_doubt", "nobody knows whether it was paid")),
        At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } => {
            Some(("decided", "it is paid"))
        }
        At::Levied { .. } | At::AutoClosedPaid | At::ReturnedAfterLevy => Some(("decided", "it was paid")),
        At::Contradicted { .. } | At::NeedsOperator { .. } => Some(("parked", "it is parked: resolve its case")),
    }
}
