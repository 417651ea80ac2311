//! A case as people and programs see it.

use domain::record::Severity;
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Case;
use utoipa::ToSchema;
use uuid::Uuid;

/// One case.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CaseView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    /// `critical`, `high`, `medium`, `info`.
    #[schema(value_type = String)]
    pub(crate) severity: Severity,
    pub(crate) instance: InstanceRef,
    #[schema(value_type = String)]
    pub(crate) opened_at: Time,
    #[schema(value_type = String)]
    pub(crate) sla_at: Time,
    pub(crate) owner_role: String,
    /// `open`, `proposed`, `resolved`.
    pub(crate) state: String,
    pub(crate) moves: Vec<MoveView>,
    #[schema(value_type = Object)]
    pub(crate) facts: Value,
    /// Cases of one cause share it.
    pub(crate) group: Option<String>,
    /// Waits for another person's approval.
    pub(crate) proposal: Option<ProposalView>,
    #[schema(value_type = Option<String>)]
    pub(crate) resolved_at: Option<Time>,
    pub(crate) resolved_how: Option<String>,
}

/// What it is about.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct InstanceRef {
    pub(crate) workflow: String,
    #[schema(value_type = Uuid)]
    pub(crate) id: InstanceId,
}

/// What a person may do, and what it takes: `evidence`, `second_person`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MoveView {
    pub(crate) r#move: String,
    pub(crate) needs: Vec<String>,
}

/// A move that somebody proposed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProposalView {
    pub(crate) r#move: String,
    pub(crate) reason: String,
    #[schema(value_type = Option<Object>)]
    pub(crate) evidence: Option<Value>,
    pub(crate) by: String,
    #[schema(value_type = String)]
    pub(crate) at: Time,
    /// Who said yes; null while it waits.
    pub(crate) approved_by: Option<String>,
}

pub(crate) fn view(case: Case) -> CaseView {
    let open = case.open;
    CaseView {
        id: open.id,
        kind: open.kind,
        severity: open.severity,
        instance: InstanceRef { workflow: case.workflow, id: case.instance },
        opened_at: open.opened_at,
        sla_at: open.sla_at,
        owner_role: open.owner_role,
        state: case.state,
        moves: open.moves.into_iter().map(|one| MoveView { r#move: one.name, needs: one.needs }).collect(),
        facts: open.facts,
        group: open.group,
        proposal: case.proposal.map(|one| ProposalView {
            r#move: one.name,
            reason: one.reason,
            evidence: one.evidence,
            by: one.by,
            at: one.at,
            approved_by: case.approved_by,
        }),
        resolved_at: case.resolved_at,
        resolved_how: case.resolved_how,
    }
}
