//! `POST /v1/cases/{id}/approve`: the second person's yes (四眼原则, I24).

use crate::api::Api;
use crate::cases::view::{CaseView, view};
use crate::cases::{event, find, letter, step};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use store::{Case, CaseChange, Proposal};
use workflows::remit::lapsed;

/// Approve a proposed move. Only another person than its proposer may.
#[utoipa::path(post, path = "/v1/cases/{id}/approve", tag = "cases", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, description = "the machine is told", body = CaseView), (status = 404, body = Problem),
    (status = 409, description = "same_person, not_proposed, proposal_changed or proposal_lapsed", body = Problem)))]
pub(crate) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
) -> Result<(StatusCode, axum::Json<CaseView>), Error> {
    let case = find(&api, &caller, id.0).await?;
    // Who asks again is answered again.
    if case.approved_by.as_deref() != Some(&caller.name) {
        say_yes(&api, &caller, &case).await?;
    }
    let case = find(&api, &caller, id.0).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(case))))
}

/// The yes, its audit row and the letter to the machine, all or nothing. The database refuses the proposer's own yes as well.
async fn say_yes(api: &Api, caller: &Caller, case: &Case) -> Result<(), Error> {
    let proposal = may_approve(api, caller, case)?;
    let by = format!("{} and {}", proposal.by, caller.name);
    let detail = json!({"move": proposal.name, "proposed_by": proposal.by, "instance": case.instance});
    let event = event(case, &proposal.name, proposal.evidence.clone(), &by);
    // One letter per proposal, whoever repeats it.
    let dedupe = format!("case/{}/approved/{}", case.open.id, proposal.at.millis());
    let letter = letter(api, caller, case, event, Some(dedupe));
    let change = CaseChange::Approve { proposal, by: caller.name.clone() };
    let done = api.engine().case_step(step(api, caller, case, change, "case.approved", detail, Some(letter))).await?;
    if done {
        return Ok(());
    }
    Err(Error::conflict(
        "proposal_changed",
        "the proposal changed while it was approved, or somebody else approved it: look at the case again",
    ))
}

fn may_approve(api: &Api, caller: &Caller, case: &Case) -> Result<Proposal, Error> {
    let proposed = case.proposal.as_ref().filter(|_| case.state == "proposed" && case.approved_by.is_none());
    let Some(proposed) = proposed else {
        return Err(Error::conflict(
            "not_proposed",
            "nothing waits for an approval here: POST /v1/cases/{id}/resolve proposes a move",
        ));
    };
    if proposed.by == caller.name {
        return Err(Error::conflict("same_person", "another person than the proposer approves"));
    }
    if lapsed(proposed.at, api.now()) {
        return Err(Error::conflict(
            "proposal_lapsed",
            "the proposal is older than 24 hours and has lapsed: look at the case again, and propose anew with POST \
             /v1/cases/{id}/resolve; another person than that proposer approves it",
        ));
    }
    Ok(proposed.clone())
}
