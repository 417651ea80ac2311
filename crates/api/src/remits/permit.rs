//! Asking a remit whether it may be paid, and what came of it (safety.md §6).

use crate::api::{Api, Deed};
use crate::problem::Error;
use crate::remits::Known;
use crate::role::Caller;
use domain::{InstanceId, Money, Time};
use engine::Ask;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::remit::PermitAnswer;

/// How long a payer waits for the live query.
pub(crate) const WAIT: Duration = Duration::from_secs(10);

/// Leave to pay one remit once, until `pay_before`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct PermitGranted {
    pub(crate) permit_id: Uuid,
    #[schema(value_type = Uuid)]
    pub(crate) remit_id: InstanceId,
    pub(crate) provider_order_id: String,
    pub(crate) attempt: u32,
    /// The number to pay under: the same until the bank is final.
    pub(crate) bank_order_no: String,
    #[schema(value_type = String)]
    pub(crate) amount: Money,
    pub(crate) payee: Payee,
    /// The instruction must have left before this.
    #[schema(value_type = String)]
    pub(crate) pay_before: Time,
}

/// In clear: the payer needs it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Payee {
    pub(crate) name: String,
    pub(crate) bankcard_no: String,
}

impl std::fmt::Debug for Payee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payee(masked)")
    }
}

/// A permit as the remit gave it; [`reveal`] says whom to pay.
pub(crate) struct Bare {
    permit_id: Uuid,
    attempt: u32,
    bank_order_no: String,
    amount: Money,
    pay_before: Time,
}

/// Asks, waits until `until`, and answers the permit or why there is none.
///
/// Under a key the letters of earlier attempts are met first: one of them may have been granted since its asker went away. Only a
/// letter that was answered "the provider could not be reached" is followed by a new one, once per attempt.
pub(crate) async fn ask(api: &Api, caller: &Caller, deed: &Deed, remit: &Known, until: Instant) -> Result<Bare, Error> {
    let letters = if deed.key.is_some() { deed.before + 1 } else { 1 };
    for letter in 0..letters {
        let name = deed.key.as_ref().map(|key| format!("permit/{key}/{letter}"));
        let wait = until.saturating_duration_since(Instant::now());
        let asked = Ask { to: remit.row.id, tenant: &caller.tenant, dedupe: name.as_deref(), wait };
        let answer = api.engine().ask(asked, |ask| json!({"PermitAsked": {"ask": ask}})).await?;
        let Some(answer) = answer else {
            return Err(Error::later(
                "timeout",
                "the provider has not been heard yet: repeat under the same Idempotency-Key to collect the answer",
            ));
        };
        match serde_json::from_value(answer).map_err(|_| Error::Internal)? {
            PermitAnswer::Granted { permit_id, attempt, bank_order_no, amount, pay_before } => {
                return Ok(Bare { permit_id, attempt, bank_order_no, amount, pay_before });
            }
            PermitAnswer::Refused { code, detail } => return Err(Error::Conflict { code, detail }),
            PermitAnswer::Unreachable => {}
        }
    }
    Err(Error::later("provider_unreachable", "the provider could not be asked, so nothing may be paid: try again"))
}

/// The payees in clear, audited before they are shown; one answer each, in order.
pub(crate) async fn reveal(
    api: &Api,
    caller: &Caller,
    granted: Vec<(Known, Bare)>,
) -> Result<Vec<Result<PermitGranted, Error>>, Error> {
    let ids: Vec<Uuid> = granted.iter().map(|(remit, _)| remit.input.person).collect();
    let persons = api.store().persons(&caller.tenant, &ids).await?;
    let acts = granted.iter().map(|(remit, permit)| (permit.permit_id.to_string(), json!({"remit": remit.row.id})));
    api.acts(caller, "permit.payee_revealed", acts.collect()).await?;
    let shown = |(remit, permit): (Known, Bare)| {
        let person = persons.get(&remit.input.person).ok_or(Error::Internal)?;
        let payee = Payee { name: person.name.expose().to_owned(), bankcard_no: person.bankcard.expose().to_owned() };
        Ok(PermitGranted {
            permit_id: permit.permit_id,
            remit_id: remit.row.id,
            provider_order_id: remit.input.provider_order_id.to_string(),
            attempt: permit.attempt,
            bank_order_no: permit.bank_order_no,
            amount: permit.amount,
            payee,
            pay_before: permit.pay_before,
        })
    };
    Ok(granted.into_iter().map(shown).collect())
}
