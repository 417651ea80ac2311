//! `POST /v1/cases/{id}/resolve`: one of a case's legal moves, at once or as a proposal to a second person.

use crate::api::{Api, Deed};
use crate::cases::view::{CaseView, view};
use crate::cases::{event, find, letter, step};
use crate::orders::release::reason;
use crate::problem::{Error, FieldError, Problem};
use crate::read::{Id, Json};
use crate::remits;
use crate::remits::proof::{self, EvidenceBody};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use domain::record::Move;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Case, CaseChange, Proposal};
use utoipa::ToSchema;
use workflows::remit::{lapse_before, lapsed};

/// How a case is to be settled.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolution {
    /// One of the case's moves.
    pub(crate) r#move: String,
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
    /// Where the move needs it.
    pub(crate) evidence: Option<EvidenceBody>,
}

/// Resolve a case. A move that needs a second person waits as `proposed`.
#[utoipa::path(post, path = "/v1/cases/{id}/resolve", tag = "cases", params(("id" = uuid::Uuid, Path)), request_body = Resolution, responses(
    (status = 202, description = "done, or proposed", body = CaseView), (status = 400, body = Problem), (status = 404, body = Problem),
    (status = 409, description = "case_proposed or case_resolved", body = Problem)))]
pub(crate) async fn resolve(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
    Json(body): Json<Resolution>,
) -> Result<(StatusCode, axum::Json<CaseView>), Error> {
    let case = find(&api, &caller, id.0).await?;
    let reason = reason(&body.reason)?;
    let legal = legal_move(&case, &body.r#move)?;
    let evidence = evidence(&api, &caller, &case, &legal, body.evidence.as_ref()).await?;
    may_resolve(&api, &case)?;
    let done = if legal.needs.iter().any(|need| need == "second_person") {
        let proposal = Proposal { name: legal.name, reason, evidence, by: caller.name.clone(), at: api.now() };
        propose(&api, &caller, &case, proposal, "case.proposed").await?
    } else {
        let detail = json!({"move": legal.name, "reason": reason, "instance": case.instance});
        let event = event(&case, &legal.name, evidence, &caller.name);
        let letter = letter(&api, &caller, &case, event, deed.name(case.instance));
        api.engine()
            .case_step(step(&api, &caller, &case, CaseChange::Move, "case.resolved", detail, Some(letter)))
            .await?
    };
    if !done {
        return Err(Error::conflict("case_proposed", "somebody else was quicker: look at the case again"));
    }
    let case = find(&api, &caller, id.0).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(case))))
}

/// Whether the case still asks. A proposal that nobody approved in its time gives way to a new one.
fn may_resolve(api: &Api, case: &Case) -> Result<(), Error> {
    let waits = case.proposal.as_ref().is_some_and(|proposal| !lapsed(proposal.at, api.now()));
    match case.state.as_str() {
        "open" => Ok(()),
        "proposed" if waits || case.approved_by.is_some() => {
            Err(Error::conflict("case_proposed", "a move is proposed already: another person approves it"))
        }
        "proposed" => Ok(()),
        _ => Err(Error::conflict("case_resolved", "this case is settled")),
    }
}

/// Puts a move to the second person. A remit is told that evidence waits: until then nothing is cancelled (safety.md §11).
pub(crate) async fn propose(
    api: &Api,
    caller: &Caller,
    case: &Case,
    proposal: Proposal,
    what: &str,
) -> Result<bool, Error> {
    let evidence = proposal.name == "paid" && case.workflow == remits::WORKFLOW;
    let letter = evidence.then(|| {
        letter(api, caller, case, json!({"EvidenceBrought": {"by": caller.name, "case": case.open.id}}), None)
    });
    let detail = json!({"move": proposal.name, "reason": proposal.reason, "instance": case.instance});
    let change = CaseChange::Propose { proposal, lapsed: lapse_before(api.now()) };
    Ok(api.engine().case_step(step(api, caller, case, change, what, detail, letter)).await?)
}

fn legal_move(case: &Case, name: &str) -> Result<Move, Error> {
    if let Some(legal) = case.open.moves.iter().find(|legal| legal.name == name) {
        return Ok(legal.clone());
    }
    let names: Vec<&str> = case.open.moves.iter().map(|legal| legal.name.as_str()).collect();
    let said = if names.is_empty() {
        "this case has no moves: it closes by itself".to_owned()
    } else {
        format!("the legal moves are {}", names.join(", "))
    };
    Err(Error::field("move", "illegal_move", &said, "此处置方式不可用"))
}

async fn evidence(
    api: &Api,
    caller: &Caller,
    case: &Case,
    legal: &Move,
    given: Option<&EvidenceBody>,
) -> Result<Option<Value>, Error> {
    let needed = legal.needs.iter().any(|need| need == "evidence");
    let Some(given) = given else {
        return if needed { Err(Error::Invalid(vec![FieldError::missing("evidence")])) } else { Ok(None) };
    };
    if case.workflow != remits::WORKFLOW {
        return Err(Error::field("evidence", "not_needed", "this move takes no evidence", "此处置方式无需凭证"));
    }
    let remit = remits::find(api, caller, case.instance).await?;
    let checked = proof::check(api, caller, &remit, given, "evidence.").await?;
    serde_json::to_value(checked).map(Some).map_err(|_| Error::Internal)
}
