//! A remit as people and programs see it.

use crate::api::Api;
use crate::orders::view::waits_for;
use crate::problem::Error;
use crate::remits::{Known, WORKFLOW};
use domain::levy::NextStep;
use domain::{InstanceId, Money, Time};
use serde::{Deserialize, Serialize};
use store::{Beside, Instance};
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

/// Remits, in the order given: one read for what stands beside all of them.
pub(crate) async fn view_all(api: &Api, rows: Vec<Instance>) -> Result<Vec<RemitView>, Error> {
    let remits: Vec<InstanceId> = rows.iter().map(|row| row.id).collect();
    let beside = api.store().beside(&remits).await?;
    rows.into_iter().zip(beside).map(|(row, beside)| Ok(shown(Known::read(row)?, beside))).collect()
}

/// The remit with its records.
pub(crate) async fn view(api: &Api, remit: Known) -> Result<RemitView, Error> {
    let beside = api.store().beside(&[remit.row.id]).await?;
    Ok(shown(remit, beside.into_iter().next().unwrap_or_default()))
}

fn shown(remit: Known, beside: Beside) -> RemitView {
    let Known { row, input, state } = remit;
    let Beside { permit, evidence, decision, open_case, voucher } = beside;
    let levied_at = if let At::Levied { at } = &state.at { Some(*at) } else { None };
    RemitView {
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
        voucher_state: voucher,
        permit: permit.map(pay_permit),
        evidence: evidence.map(proof),
        decision: decision
            .map(|decision| DecisionView { next_step: decision.next_step.word().into(), decided_at: decision.at }),
        case_id: open_case,
    }
}

fn pay_permit(permit: domain::record::Permit) -> PermitView {
    PermitView { permit_id: permit.id, attempt: permit.attempt, state: permit.state, pay_before: permit.pay_before }
}

fn proof(evidence: domain::record::Evidence) -> EvidenceView {
    EvidenceView {
        amount: evidence.amount,
        paid_at: evidence.paid_at,
        bank_serial: evidence.bank_serial,
        source: evidence.source,
    }
}
