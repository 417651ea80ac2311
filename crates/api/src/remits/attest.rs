//! `POST /v1/remits/{id}/attest-not-paid`: the payer's word that a permit was not used, and that its bank does not know the number.

use crate::api::{Api, Deed};
use crate::orders::release::reason;
use crate::problem::{Error, Problem};
use crate::read::{Id, Json};
use crate::remits::payout_results::{Accepted, accepted, permit_of};
use crate::remits::{Known, find};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::payout::{Payout, State as PayoutState};
use workflows::remit::At;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attestation {
    pub(crate) permit_id: Uuid,
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

/// Attest that a permit was not used. Refused once the instruction left, or the bank itself said "unknown": then only its final
/// word counts.
#[utoipa::path(post, path = "/v1/remits/{id}/attest-not-paid", tag = "remits", params(("id" = uuid::Uuid, Path)), request_body = Attestation, responses(
    (status = 202, body = Accepted), (status = 404, description = "not_found or unknown_permit", body = Problem),
    (status = 409, description = "in_doubt, instructed or paid", body = Problem)))]
pub(crate) async fn attest(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
    Json(body): Json<Attestation>,
) -> Result<(StatusCode, axum::Json<Accepted>), Error> {
    let reason = reason(&body.reason)?;
    let remit = find(&api, &caller, id.instance()).await?;
    let permit = permit_of(&api, &remit, body.permit_id).await?;
    if permit.state == PayoutState::Success.name() {
        return Err(Error::conflict(
            "paid",
            "this permit was reported paid: report the bank's return if there was one",
        ));
    }
    if let Some((code, detail)) = refusal(&remit, permit.id) {
        return Err(Error::conflict(code, detail));
    }
    api.act(&caller, "permit.attested_not_paid", permit.id, json!({"remit": remit.row.id, "reason": reason})).await?;
    let event = json!({"Attested": {"permit": permit.id, "by": caller.name, "reason": reason}});
    api.tell(&caller, &deed, remit.row.id, event).await?;
    accepted(&api, &caller, id).await
}

/// Why the payer's word is not enough.
fn refusal(remit: &Known, permit: Uuid) -> Option<(&'static str, &'static str)> {
    let live = live(&remit.state.at).filter(|payout| payout.permit == permit)?;
    match live.state {
        PayoutState::Instructed => Some(("instructed", "the bank has the instruction: only its word counts")),
        PayoutState::InDoubt { unknown: true } => {
            Some(("in_doubt", "the bank said it does not know: only its final word counts"))
        }
        PayoutState::InDoubt { unknown: false } | PayoutState::PermitIssued => None,
        PayoutState::Success | PayoutState::FinalFailed | PayoutState::ExpiredAttested | PayoutState::Returned => None,
    }
}

fn live(at: &At) -> Option<&Payout> {
    match at {
        At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => Some(payout),
        At::NeedsOperator { back, .. } => live(back),
        At::Open { .. }
        | At::Paid
        | At::Confirming { .. }
        | At::ConfirmInDoubt { .. }
        | At::Levying { .. }
        | At::Levied { .. } => None,
        At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } | At::Cancelled => None,
        At::AutoClosedUnpaid
        | At::AutoClosedPaid
        | At::ClosedExternally
        | At::Contradicted { .. }
        | At::ReturnedAfterLevy => None,
    }
}
