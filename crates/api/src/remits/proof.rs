//! Evidence of a payment as people bring it: checked against the remit before anybody is asked to approve it (S-A).

use crate::api::Api;
use crate::orders::draft::{Faults, amount, printable};
use crate::problem::{Error, FieldError};
use crate::remits::Known;
use crate::role::Caller;
use domain::{BankCard, Invalid, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use workflows::remit::EvidenceGiven;

/// Evidence of a payment.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct EvidenceBody {
    #[schema(value_type = String, required = true)]
    pub(crate) amount: Option<String>,
    /// The bank's success time, RFC 3339.
    #[schema(value_type = String, required = true)]
    pub(crate) paid_at: Option<String>,
    #[schema(value_type = String, required = true, max_length = 64)]
    pub(crate) bank_serial: Option<String>,
    #[schema(value_type = String, required = true)]
    pub(crate) payee_bankcard_no: Option<String>,
    /// `statement`, or `person` with a voucher.
    #[schema(value_type = String, required = true)]
    pub(crate) source: Option<String>,
    /// The document that shows it.
    pub(crate) document_id: Option<String>,
}

/// Checks evidence for exactly this remit's amount and payee. The card itself is compared here and kept nowhere.
pub(crate) async fn check(
    api: &Api,
    caller: &Caller,
    remit: &Known,
    body: &EvidenceBody,
    prefix: &str,
) -> Result<EvidenceGiven, Error> {
    let name = |field: &str| format!("{prefix}{field}");
    let mut faults = Faults::default();
    let amount = faults.take(&name("amount"), body.amount.as_deref(), amount);
    let paid_at = faults.take(&name("paid_at"), body.paid_at.as_deref(), time);
    let bank_serial = faults.take(&name("bank_serial"), body.bank_serial.as_deref(), |text| printable(text, 64));
    let card = faults.take(&name("payee_bankcard_no"), body.payee_bankcard_no.as_deref(), BankCard::parse);
    let source = faults.take(&name("source"), body.source.as_deref(), source);
    faults.may(&name("document_id"), body.document_id.as_deref(), |text| printable(text, 64));
    if amount.is_some_and(|amount| amount != remit.input.amount) {
        faults.0.push(FieldError::new(
            &name("amount"),
            "amount_mismatch",
            "this is not the remit's amount: it proves another payment",
            "金额与打款订单不一致",
        ));
    }
    let earliest = remit.input.accept_time - api.engine().rules.params.arising_tolerance;
    if paid_at.is_some_and(|at| at < earliest) {
        faults.0.push(FieldError::new(
            &name("paid_at"),
            "paid_at_out_of_range",
            "the payment is older than the order",
            "付款时间早于订单受理时间",
        ));
    }
    if card.is_some() && !payee_matches(api, caller, remit, body.payee_bankcard_no.as_deref()).await? {
        faults.0.push(FieldError::new(
            &name("payee_bankcard_no"),
            "payee_mismatch",
            "this is not the order's payee",
            "收款卡号与订单不一致",
        ));
    }
    match (amount, paid_at, bank_serial, source) {
        (Some(amount), Some(paid_at), Some(bank_serial), Some(source)) if faults.0.is_empty() => {
            Ok(EvidenceGiven { amount, paid_at, bank_serial, payee_ok: true, source })
        }
        _ => Err(Error::Invalid(faults.0)),
    }
}

/// Whether a card that was given is the payee's; one that was not given contradicts nothing.
pub(crate) async fn payee_matches(
    api: &Api,
    caller: &Caller,
    remit: &Known,
    given: Option<&str>,
) -> Result<bool, Error> {
    let Some(given) = given else { return Ok(true) };
    let person = api.store().person(&caller.tenant, remit.input.person).await?.ok_or(Error::Internal)?;
    Ok(given.trim() == person.bankcard.expose())
}

pub(crate) fn time(text: &str) -> Result<Time, Invalid> {
    let bad = || {
        Invalid::new(
            "time_format",
            "write the time as RFC 3339 with an offset, for example 2026-01-05T09:00:00.000+08:00",
            "时间应为带时区的 RFC 3339 格式",
        )
    };
    // What a database can hold, and a calendar can print.
    Time::parse(text).filter(|at| (0..=253_402_300_799_999).contains(&at.millis())).ok_or_else(bad)
}

fn source(text: &str) -> Result<String, Invalid> {
    match text {
        "statement" | "person" => Ok(text.to_owned()),
        _ => Err(Invalid::new(
            "source",
            "source is statement, or person with a voucher",
            "来源应为 statement（对账单）或 person（人工凭证）",
        )),
    }
}
