//! `POST /v1/remits/{id}/payout-results`: what became of a payment. Twice, late or against an earlier word is safe: it opens a case
//! at most, nothing flips.

use crate::api::{Api, Deed};
use crate::orders::draft::{Faults, amount, printable};
use crate::papers::submit::brought;
use crate::papers::upload::keep_voucher;
use crate::problem::{Error, FieldError, Problem};
use crate::read::{Id, Json};
use crate::remits::proof::{payee_matches, time};
use crate::remits::view::{RemitView, view};
use crate::remits::{Known, find};
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use domain::papers::FileKind;
use domain::record::Permit;
use domain::{Money, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::document::Brought;
use workflows::remit::Paid;

/// What the bank says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PayoutOutcome {
    /// Final.
    Paid,
    /// Bank-final: nothing was paid, and nothing can be under this number.
    Failed,
    /// Nobody knows.
    Unknown,
    /// 退票.
    Returned,
}

/// A payer's report.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayoutReport {
    /// Required, but for `returned` of a payment that no permit covered.
    pub(crate) permit_id: Option<Uuid>,
    pub(crate) outcome: PayoutOutcome,
    /// Required for `paid`.
    pub(crate) amount: Option<String>,
    /// The bank's final success time; required for `paid`.
    pub(crate) paid_at: Option<String>,
    /// 银行流水号; required for `paid`, and for `returned` without a permit: it names the payment.
    #[schema(max_length = 64)]
    pub(crate) bank_serial: Option<String>,
    pub(crate) bank_order_no: Option<String>,
    pub(crate) payee_bankcard_no: Option<String>,
    /// 回单, base64.
    pub(crate) voucher_pdf: Option<String>,
}

/// The report is durable; the remit as it stood just then.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Accepted {
    pub(crate) accepted: bool,
    pub(crate) remit: RemitView,
}

/// Report what became of a payment.
#[utoipa::path(post, path = "/v1/remits/{id}/payout-results", tag = "remits", params(("id" = uuid::Uuid, Path)), request_body = PayoutReport, responses(
    (status = 202, body = Accepted), (status = 400, body = Problem), (status = 404, description = "not_found or unknown_permit", body = Problem)))]
pub(crate) async fn report(
    State(api): State<Api>,
    caller: Caller,
    deed: Deed,
    id: Id,
    Json(body): Json<PayoutReport>,
) -> Result<(StatusCode, axum::Json<Accepted>), Error> {
    let remit = find(&api, &caller, id.instance()).await?;
    let permit = match body.permit_id {
        Some(id) => Some(permit_of(&api, &remit, id).await?),
        None => None,
    };
    let fields = Fields::check(permit.as_ref(), &body)?;
    let event = match permit {
        Some(permit) => event(&api, &caller, &remit, &permit, &body, fields).await?,
        None => returned(&api, &remit, fields.serial.ok_or(Error::Internal)?).await?,
    };
    api.tell(&caller, &deed, remit.row.id, event).await?;
    accepted(&api, &caller, id).await
}

/// A voucher that came with the report: kept first, then on its way with it, where the provider takes any.
async fn voucher(api: &Api, caller: &Caller, remit: &Known, pdf: Option<Vec<u8>>) -> Result<Option<Brought>, Error> {
    let Some(pdf) = pdf else { return Ok(None) };
    let file = keep_voucher(api, caller, remit.row.id, &pdf).await?.file;
    let taken = api.engine().bounds(&remit.row.account, FileKind::BankVoucher).is_some();
    Ok(taken.then(|| brought(api, caller, remit, file)))
}

/// What every report is answered with.
pub(crate) async fn accepted(api: &Api, caller: &Caller, id: Id) -> Result<(StatusCode, axum::Json<Accepted>), Error> {
    let remit = view(api, find(api, caller, id.instance()).await?).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Accepted { accepted: true, remit })))
}

/// A permit of this remit.
pub(crate) async fn permit_of(api: &Api, remit: &Known, id: Uuid) -> Result<Permit, Error> {
    let found = api.store().permit(id).await?.filter(|row| row.permit.remit == remit.row.id);
    found
        .map(|row| row.permit)
        .ok_or_else(|| Error::Missing { code: "unknown_permit", detail: "this remit has no such permit".into() })
}

async fn event(
    api: &Api,
    caller: &Caller,
    remit: &Known,
    permit: &Permit,
    body: &PayoutReport,
    fields: Fields,
) -> Result<Value, Error> {
    let permit = permit.id;
    Ok(match body.outcome {
        PayoutOutcome::Paid => {
            let payee_ok = payee_matches(api, caller, remit, body.payee_bankcard_no.as_deref()).await?;
            let (amount, paid_at, bank_serial) = fields.proof.ok_or(Error::Internal)?;
            let voucher = voucher(api, caller, remit, fields.voucher).await?;
            let paid = Paid { permit, amount, paid_at, bank_serial, payee_ok, source: "api".into(), voucher };
            json!({"PaidReported": paid})
        }
        PayoutOutcome::Failed => json!({"FailedReported": {"permit": permit}}),
        PayoutOutcome::Unknown => json!({"UnknownReported": {"permit": permit}}),
        PayoutOutcome::Returned => json!({"ReturnedReported": {"permit": permit}}),
    })
}

/// 退票 of a payment named by its bank serial: under the permit that it was made with, if any.
async fn returned(api: &Api, remit: &Known, bank_serial: String) -> Result<Value, Error> {
    let evidence = api.store().evidence(remit.row.id).await?;
    let permit =
        evidence.iter().rfind(|row| row.evidence.bank_serial == bank_serial).and_then(|row| row.evidence.permit);
    Ok(match permit {
        Some(permit) => json!({"ReturnedReported": {"permit": permit}}),
        None => json!({"PaymentReturned": {"bank_serial": bank_serial}}),
    })
}

struct Fields {
    /// Complete where it is needed.
    proof: Option<(Money, Time, String)>,
    serial: Option<String>,
    /// 回单: kept byte for byte, and brought to the provider.
    voucher: Option<Vec<u8>>,
}

impl Fields {
    fn check(permit: Option<&Permit>, body: &PayoutReport) -> Result<Self, Error> {
        let mut faults = Faults::default();
        let paid = body.outcome == PayoutOutcome::Paid;
        let unpermitted = permit.is_none() && body.outcome == PayoutOutcome::Returned;
        if permit.is_none() && !unpermitted {
            faults.0.push(FieldError::missing("permit_id"));
        }
        let mut read = Reader { faults: &mut faults, required: paid };
        let amount = read.field("amount", body.amount.as_deref(), amount);
        let paid_at = read.field("paid_at", body.paid_at.as_deref(), time);
        read.required |= unpermitted;
        let bank_serial = read.field("bank_serial", body.bank_serial.as_deref(), |text| printable(text, 64));
        let order_no = permit.map(|permit| &permit.bank_order_no);
        if body.bank_order_no.is_some() && order_no.is_some() && body.bank_order_no.as_ref() != order_no {
            let said = ("this permit is paid under another bank order number", "银行订单号与付款许可不一致");
            faults.0.push(FieldError::new("bank_order_no", "bank_order_mismatch", said.0, said.1));
        }
        let voucher = body.voucher_pdf.as_deref().map(pdf);
        if voucher == Some(None) {
            let said =
                ("give the voucher as base64 of one PDF of at most 10 MB", "回单应为不超过 10 MB 的 PDF 的 base64");
            faults.0.push(FieldError::new("voucher_pdf", "voucher_pdf", said.0, said.1));
        }
        if !faults.0.is_empty() {
            return Err(Error::Invalid(faults.0));
        }
        Ok(Self {
            serial: bank_serial.clone(),
            proof: amount.zip(paid_at).zip(bank_serial).map(|((amount, paid_at), serial)| (amount, paid_at, serial)),
            voucher: voucher.flatten(),
        })
    }
}

/// The provider takes PDFs of at most 10 MB (000 §2.8; §2.9 gives no size).
const PDF_MAX: usize = 10 * 1024 * 1024;

fn pdf(text: &str) -> Option<Vec<u8>> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    (bytes.starts_with(b"%PDF-") && bytes.len() <= PDF_MAX).then_some(bytes)
}

/// Reads fields that are required for some outcomes, and checked for all.
struct Reader<'a> {
    faults: &'a mut Faults,
    required: bool,
}

impl Reader<'_> {
    fn field<T>(
        &mut self,
        name: &str,
        value: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, domain::Invalid>,
    ) -> Option<T> {
        if value.is_none() && !self.required { None } else { self.faults.take(name, value, parse) }
    }
}
