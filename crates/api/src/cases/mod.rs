//! Cases: questions that only people may answer, with the legal moves and no others.

pub(crate) mod view;
pub(crate) mod list;
pub(crate) mod get;
pub(crate) mod resolve;
pub(crate) mod approve;

use crate::api::Api;
use crate::problem::Error;
use crate::role::Caller;
use serde_json::{Value, json};
use store::{Act, Case, CaseChange, CaseStep, Post, Target};
use uuid::Uuid;

/// A case of the caller's tenant.
pub(crate) async fn find(api: &Api, caller: &Caller, id: Uuid) -> Result<Case, Error> {
    api.store().case(id).await?.filter(|case| case.tenant == caller.tenant).ok_or(Error::NotFound("case"))
}

/// What the machine is told: the case that is answered, and how.
pub(crate) fn event(case: &Case, name: &str, evidence: Option<Value>, by: &str) -> Value {
    let named = json!({"id": case.open.id, "kind": case.open.kind});
    json!({"CaseResolved": {"case": named, "move": name, "evidence": evidence, "by": by}})
}

/// A letter to the case's machine.
pub(crate) fn letter(api: &Api, caller: &Caller, case: &Case, event: Value, dedupe: Option<String>) -> Post {
    let at = api.now();
    let (tenant, to) = (caller.tenant.clone(), Target::Instance(case.instance));
    Post { id: domain::ids::draw(at), tenant, to, event, source: "api".into(), dedupe, raw: None, at }
}

/// One deed on a case, with its row in the audit chain.
pub(crate) fn step(
    api: &Api,
    caller: &Caller,
    case: &Case,
    change: CaseChange,
    what: &str,
    detail: Value,
    letter: Option<Post>,
) -> CaseStep {
    let (who, subject) = (caller.name.clone(), case.open.id.to_string());
    CaseStep { case: case.open.id, change, act: Act { who, what: what.into(), subject, detail, at: api.now() }, letter }
}
