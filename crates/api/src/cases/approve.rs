//! `POST /v1/cases/{id}/approve`: the second person's yes (四眼原则, I24).

use crate::api::Api;
use crate::cases::find;
use crate::cases::resolve::event;
use crate::cases::view::{CaseView, view};
use crate::problem::{Error, Problem};
use crate::read::Id;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids;
use serde_json::json;
use std::time::Duration;
use store::{Case, Post, Proposal, Target};

/// A proposal lapses after this (security.md §3).
const LAPSES: Duration = Duration::from_secs(24 * 3600);

/// Approve a proposed move. Only another person than its proposer may.
#[utoipa::path(post, path = "/v1/cases/{id}/approve", tag = "cases", params(("id" = uuid::Uuid, Path)), responses(
    (status = 202, description = "the machine is told", body = CaseView), (status = 404, body = Problem),
    (status = 409, description = "same_person, not_proposed or proposal_lapsed", body = Problem)))]
pub(crate) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
) -> Result<(StatusCode, axum::Json<CaseView>), Error> {
    let case = find(&api, &caller, id.0).await?;
    let proposed = may_approve(&api, &caller, &case)?;
    // The database refuses the proposer's own yes as well; the yes stands, and the same person may repeat it after a crash.
    let Some(approved) = api.store().approve_case(case.open.id, &caller.name).await? else {
        return Err(Error::conflict("not_proposed", "somebody else approved it, or it is settled"));
    };
    if approved != proposed {
        return Err(Error::conflict(
            "proposal_changed",
            "the proposal changed while it was approved: look at the case again",
        ));
    }
    let detail = json!({"move": approved.name, "proposed_by": approved.by, "instance": case.instance});
    api.act(&caller, "case.approved", case.open.id, detail).await?;
    tell(&api, &caller, &case, approved).await?;
    let case = find(&api, &caller, id.0).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(case))))
}

fn may_approve(api: &Api, caller: &Caller, case: &Case) -> Result<Proposal, Error> {
    let proposed = case.proposal.as_ref().filter(|_| case.state == "proposed");
    let Some(proposed) = proposed else {
        return Err(Error::conflict(
            "not_proposed",
            "nothing is proposed here: POST /v1/cases/{id}/resolve proposes a move",
        ));
    };
    if proposed.by == caller.name {
        return Err(Error::conflict("same_person", "another person than the proposer approves"));
    }
    if api.now() > proposed.at + LAPSES {
        return Err(Error::conflict(
            "proposal_lapsed",
            "the proposal is older than 24 hours: it must be looked at again",
        ));
    }
    Ok(proposed.clone())
}

/// Once per case, whoever repeats it.
async fn tell(api: &Api, caller: &Caller, case: &Case, approved: Proposal) -> Result<(), Error> {
    let at = api.now();
    let by = format!("{} and {}", approved.by, caller.name);
    let post = Post {
        id: ids::draw(at),
        tenant: caller.tenant.clone(),
        to: Target::Instance(case.instance),
        event: event(&approved.name, approved.evidence, &by),
        source: "api".into(),
        dedupe: Some(format!("case/{}/approved", case.open.id)),
        raw: None,
        at,
    };
    api.engine().post(post).await?;
    Ok(())
}
