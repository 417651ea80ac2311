//! A sign-up as people and programs see it.

use crate::api::Api;
use crate::orders::view::{PersonView, may_reveal, waits_for};
use crate::problem::Error;
use crate::role::Caller;
use crate::sign_ups::{Known, WORKFLOW};
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::sign_up::{At, Contract};

/// One sign-up.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SignUpView {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) id: InstanceId,
    /// `sync_sign` or `sign_up`.
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) state: String,
    pub(crate) person: Option<PersonView>,
    pub(crate) tax_agent_parent_id: Option<String>,
    pub(crate) credit_code: Option<String>,
    pub(crate) customer_id: Option<String>,
    /// The provider's name for it, where it has one.
    pub(crate) request_id: Option<String>,
    /// From then on silence means no.
    #[schema(value_type = Option<String>)]
    pub(crate) until: Option<Time>,
    #[schema(value_type = Option<String>)]
    pub(crate) signed_at: Option<Time>,
    /// Why it was not signed.
    pub(crate) reason: Option<String>,
    pub(crate) waits_for: Option<String>,
    /// The invitation that failed before this one.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(crate) again_of: Option<InstanceId>,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
    #[schema(value_type = String)]
    pub(crate) updated_at: Time,
}

/// The sign-up with its person masked.
pub(crate) async fn view(api: &Api, caller: &Caller, sign_up: Known) -> Result<SignUpView, Error> {
    view_all(api, caller, vec![sign_up]).await?.pop().ok_or(Error::Internal)
}

/// The same with its person in clear, audited before it is shown.
pub(crate) async fn view_revealed(api: &Api, caller: &Caller, sign_up: Known) -> Result<SignUpView, Error> {
    may_reveal(caller)?;
    let person = api.store().person(&caller.tenant, sign_up.input.person).await?;
    api.act(caller, "person.revealed", sign_up.row.id, json!({"sign_up": sign_up.row.id})).await?;
    Ok(SignUpView { person: person.as_ref().map(PersonView::clear), ..view(api, caller, sign_up).await? })
}

/// Sign-ups, in the order given, their persons masked.
pub(crate) async fn view_all(api: &Api, caller: &Caller, sign_ups: Vec<Known>) -> Result<Vec<SignUpView>, Error> {
    let persons: Vec<Uuid> = sign_ups.iter().map(|sign_up| sign_up.input.person).collect();
    let persons = api.store().persons(&caller.tenant, &persons).await?;
    let whole = |sign_up: Known| SignUpView {
        person: persons.get(&sign_up.input.person).map(PersonView::masked),
        ..bare(sign_up)
    };
    Ok(sign_ups.into_iter().map(whole).collect())
}

fn bare(sign_up: Known) -> SignUpView {
    let Known { row, input, state } = sign_up;
    let (kind, request_id, credit_code, customer_id) = match input.contract {
        Contract::SyncSign { request_id } => ("sync_sign", Some(request_id.to_string()), None, None),
        Contract::SignUp { credit_code, customer_id } => ("sign_up", None, credit_code, customer_id),
    };
    let (until, signed_at, reason) = match &state.at {
        At::Waiting { until, .. } | At::InDoubt { until, .. } => (Some(*until), None, None),
        At::Signed { at } => (None, Some(*at), None),
        At::NotSigned { reason, .. } => (None, None, Some(reason.clone())),
        At::NeedsOperator { why, .. } => (None, None, Some(why.words())),
        At::Inviting { .. } => (None, None, None),
    };
    SignUpView {
        id: row.id,
        kind: kind.into(),
        state: row.state_name,
        person: None,
        tax_agent_parent_id: input.party,
        credit_code,
        customer_id,
        request_id,
        until,
        signed_at,
        reason,
        waits_for: waits_for(WORKFLOW, &row.input, &row.state),
        again_of: input.again.map(|again| again.of),
        account: row.account,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
