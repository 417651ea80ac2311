//! A remit as people and programs see it.

use crate::api::Api;
use crate::orders::view::waits_for;
use crate::problem::Error;
use crate::remits::{Known, WORKFLOW};
use domain::levy::NextStep;
use domain::{InstanceId, Money, Time};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use store::Instance;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::remit::At;

/// One remit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RemitView {
    #[schema(value_type = Uuid)]
    pub(crate) id: InstanceId,
    #[schema(value_type = Uuid)]
    pub(crate) order_id: InstanceId,
    pub(crate) provider_order_id: String,
    pub(crate) tax_agent_location_id: String,
    /// 个人实得: exactly this is paid.
    #[schema(value_type = String)]
    pub(crate) amount: Money,
    #[schema(value_type = String)]
    pub(crate) fee: Money,
    #[schema(value_type = String)]
    pub(crate) compensate_fee: Money,
    #[schema(value_type = String)]
    pub(crate) sum_fee: Money,
    #[schema(value_type = String)]
    pub(crate) actual_amount: Money,
    pub(crate) state: String,
    #[schema(value_type = String)]
    pub(crate) pay_cutoff: Time,
    #[schema(value_type = String)]
    pub(crate) deadline: Time,
    /// 纳税义务发生时间 of a confirmed remit.
    #[schema(value_type = Option<String>)]
    pub(crate) arising_time: Option<Time>,
    #[schema(value_type = Option<String>)]
    pub(crate) levied_at: Option<Time>,
    pub(crate) voucher_state: Option<String>,
    /// The newest one.
    pub(crate) permit: Option<PermitView>,
    pub(crate) evidence: Option<EvidenceView>,
    pub(crate) decision: Option<DecisionView>,
    /// An open case about it.
    pub(crate) case_id: Option<Uuid>,
    pub(crate) waits_for: Option<String>,
}

/// Leave to pay once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PermitView {
    pub(crate) permit_id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) state: String,
    #[schema(value_type = String)]
    pub(crate) pay_before: Time,
}

/// Proof of payment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EvidenceView {
    #[schema(value_type = String)]
    pub(crate) amount: Money,
    #[schema(value_type = String)]
    pub(crate) paid_at: Time,
    pub(crate) bank_serial: String,
    pub(crate) source: String,
}

/// `CONTINUE` or `CANCEL`, for ever.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DecisionView {
    pub(crate) next_step: String,
    #[schema(value_type = String)]
    pub(crate) decided_at: Time,
}

/// Views made at once.
const AT_ONCE: usize = 8;

/// Remits, in the order given.
pub(crate) async fn view_all(api: &Api, rows: Vec<Instance>) -> Result<Vec<RemitView>, Error> {
    let views = rows.into_iter().map(|row| async { view(api, Known::read(row)?).await });
    stream::iter(views).buffered(AT_ONCE).try_collect().await
}

/// The remit with its records. What its state says is not there is not asked for.
pub(crate) async fn view(api: &Api, remit: Known) -> Result<RemitView, Error> {
    let Known { row, input, state } = remit;
    let facts = &state.facts;
    let store = api.store();
    let permits = if facts.attempts > 0 { store.permits(row.id).await? } else { Vec::new() };
    let evidence = if facts.proof.is_some() { store.evidence(row.id).await? } else { Vec::new() };
    let decision = if facts.decided_at.is_some() { store.decision(row.id).await? } else { None };
    let cases = store.cases(&row.tenant, None, None, Some(row.id), None, 20).await?;
    let open_case = cases.iter().find(|case| case.state != "resolved").map(|case| case.open.id);
    let levied_at = if let At::Levied { at } = &state.at { Some(*at) } else { None };
    Ok(RemitView {
        id: row.id,
        order_id: input.order,
        provider_order_id: input.provider_order_id.to_string(),
        tax_agent_location_id: input.tax_agent_location_id,
        amount: input.amount,
        fee: input.fee,
        compensate_fee: input.compensate_fee,
        sum_fee: input.sum_fee,
        actual_amount: input.actual_amount,
        waits_for: waits_for(WORKFLOW, &row.input, &row.state),
        state: row.state_name,
        pay_cutoff: input.pay_cutoff,
        deadline: input.deadline,
        arising_time: decision
            .as_ref()
            .filter(|decision| decision.next_step == NextStep::Continue)
            .map(|decision| decision.arising_time),
        levied_at,
        voucher_state: None,
        permit: permits.into_iter().map(|row| row.permit).max_by_key(|permit| permit.attempt).map(permit),
        evidence: evidence.into_iter().rfind(|row| row.revoked_at.is_none()).map(proof),
        decision: decision
            .map(|decision| DecisionView { next_step: decision.next_step.word().into(), decided_at: decision.at }),
        case_id: open_case,
    })
}

fn permit(permit: domain::record::Permit) -> PermitView {
    PermitView { permit_id: permit.id, attempt: permit.attempt, state: permit.state, pay_before: permit.pay_before }
}

fn proof(row: store::EvidenceRow) -> EvidenceView {
    let evidence = row.evidence;
    EvidenceView {
        amount: evidence.amount,
        paid_at: evidence.paid_at,
        bank_serial: evidence.bank_serial,
        source: evidence.source,
    }
}
