//! `POST /v1/remits/{id}/evidence`: proof of a payment that no permit covered. One person brings it, another approves (I24).

use crate::api::Api;
use crate::cases::resolve::propose;
use crate::cases::view::{CaseView, view};
use crate::problem::{Error, Problem};
use crate::read::{Id, Json};
use crate::remits::proof::{self, EvidenceBody};
use crate::remits::{Known, find};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use domain::record::{OpenCase, Severity};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Proposal;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::remit::{At, EvidenceGiven, lapsed, needs};

/// The evidence waits for a second person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EvidenceProposed {
    pub(crate) case_id: Uuid,
    pub(crate) case: CaseView,
}

/// Bring evidence of a payment. It opens a case, which another person approves with `POST /v1/cases/{id}/approve`.
#[utoipa::path(post, path = "/v1/remits/{id}/evidence", tag = "remits", params(("id" = uuid::Uuid, Path)), request_body = EvidenceBody, responses(
    (status = 202, body = EvidenceProposed), (status = 400, body = Problem), (status = 404, body = Problem),
    (status = 409, description = "decided or case_proposed", body = Problem)))]
pub(crate) async fn bring(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Json(body): Json<EvidenceBody>,
) -> Result<(StatusCode, axum::Json<EvidenceProposed>), Error> {
    let remit = find(&api, &caller, id.instance()).await?;
    let given = proof::check(&api, &caller, &remit, &body, "").await?;
    if decided(&remit.state.at) {
        return Err(Error::conflict(
            "decided",
            "this remit is paid, decided or over: evidence changes nothing any more",
        ));
    }
    let case = open(&api, &caller, &remit, &given).await?;
    let found = api.store().case(case).await?.ok_or(Error::Internal)?;
    let evidence = serde_json::to_value(&given).map_err(|_| Error::Internal)?;
    // A repeat by the same person says the same again, at another time.
    let earlier = found.proposal.as_ref().filter(|earlier| earlier.by == caller.name && !lapsed(earlier.at, api.now()));
    let proposal = Proposal {
        name: "paid".into(),
        reason: body.document_id.map_or("payment evidence".into(), |id| format!("payment evidence, document {id}")),
        evidence: Some(evidence),
        by: caller.name.clone(),
        at: earlier.map_or(api.now(), |earlier| earlier.at),
    };
    if !propose(&api, &caller, &found, proposal, "evidence.brought").await? {
        return Err(Error::conflict(
            "case_proposed",
            format!("case {case} has this payment already, brought by somebody else or settled"),
        ));
    }
    let case_view = view(api.store().case(case).await?.ok_or(Error::Internal)?);
    Ok((StatusCode::ACCEPTED, axum::Json(EvidenceProposed { case_id: case, case: case_view })))
}

/// One case per remit and bank serial, however often it is brought.
async fn open(api: &Api, caller: &Caller, remit: &Known, given: &EvidenceGiven) -> Result<Uuid, Error> {
    let now = api.now();
    let id = domain::ids::derive(
        remit.row.created_at,
        remit.row.id.0,
        &format!("case/payment_evidence/{}", given.bank_serial),
    );
    let case = OpenCase {
        id,
        kind: "payment_evidence".into(),
        severity: Severity::Critical,
        owner_role: "finance".into(),
        opened_at: now,
        sla_at: now + api.engine().rules.params.case_sla,
        moves: vec![needs("paid"), needs("not_paid")],
        facts: json!({"amount": given.amount, "paid_at": given.paid_at, "bank_serial": given.bank_serial, "source": given.source}),
        group: None,
    };
    api.store().open_case(remit.row.id, &caller.tenant, case).await?;
    Ok(id)
}

fn decided(at: &At) -> bool {
    match at {
        At::Open { .. }
        | At::Permitted(_)
        | At::Paying(_)
        | At::PayoutInDoubt { .. }
        | At::GateClosed { .. }
        | At::NeedsOperator { .. } => false,
        At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } | At::Levied { .. } => true,
        At::Cancelling { .. } | At::CancelInDoubt { .. } | At::Cancelled => true,
        At::AutoClosedUnpaid
        | At::AutoClosedPaid
        | At::ClosedExternally
        | At::Contradicted { .. }
        | At::ReturnedAfterLevy => true,
    }
}
