//! `POST /v1/document-submissions`: brings uploaded files to the account's provider, each within its limit and still legible.

use crate::api::Api;
use crate::orders::body::Digits;
use crate::orders::draft::{Faults, account, digits, digits_of, printable, value};
use crate::papers::check::Check;
use crate::papers::upload::HEAVY;
use crate::papers::view::SubmissionView;
use crate::papers::{Known, WORKFLOW};
use crate::problem::{Error, FieldError, Problem};
use crate::read::Json;
use crate::remits;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use documents::{Basis, Floor, Limit, Unfit, fit};
use domain::papers::{Bounds, Contract, Family, FileKind, FileRef, Paper};
use domain::{InstanceId, ProviderOrderId, RequestId};
use engine::New;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{BlobUse, NewBlob, Submitted, Upload};
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::document::{Brought, Document, Input};

/// One submission as it is asked for.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SubmissionBody {
    /// May be left out when the tenant has one account that takes orders.
    pub(crate) account: Option<String>,
    /// The uploaded files: one, or the front and the back of an ID card.
    pub(crate) document_ids: Vec<Uuid>,
    /// Of an agreement: your number of it, at most 50 characters, never used again (P63).
    #[schema(max_length = 50)]
    pub(crate) contract_id: Option<String>,
    /// Of an agreement with a 资质方 (授权协议).
    #[schema(value_type = Option<String>)]
    pub(crate) tax_agent_parent_id: Option<Digits>,
    /// Of an agreement with a 资质地 (代征协议).
    #[schema(value_type = Option<String>)]
    pub(crate) tax_agent_location_id: Option<Digits>,
    /// It replaces one that the provider has: "already there" is no success then (P61).
    pub(crate) renewal: bool,
}

/// Submit documents. The same files for the same purpose are submitted once.
#[utoipa::path(post, path = "/v1/document-submissions", tag = "documents", request_body = SubmissionBody, responses(
    (status = 201, description = "submitted", body = SubmissionView), (status = 200, description = "it was before", body = SubmissionView),
    (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn submit(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<SubmissionBody>,
) -> Result<(StatusCode, axum::Json<SubmissionView>), Error> {
    let mut faults = Faults::default();
    let account = account(&api, &caller.tenant, body.account.as_deref(), &mut faults);
    let Some(account) = account.filter(|_| faults.0.is_empty()) else { return Err(Error::Invalid(faults.0)) };
    let mut uploads = Vec::with_capacity(body.document_ids.len());
    for id in &body.document_ids {
        uploads.push(api.store().upload(&caller.tenant, *id).await?.ok_or(Error::NotFound("document"))?);
    }
    let new = prepared(&api, &caller, &account, &body, uploads).await?;
    let agreement = new.input.pointer("/paper/agreement").is_some();
    let (status, id) = match api.engine().submit(new).await? {
        Submitted::Created(id) => (StatusCode::CREATED, id),
        Submitted::Known(id) => (StatusCode::OK, id),
        // The key of any other paper says what it is: it is the same, though it came another way (with a payout result).
        Submitted::Differs(id) if !agreement => (StatusCode::OK, id),
        Submitted::Differs(id) => {
            return Err(Error::conflict(
                "contract_id_used",
                format!("document submission {id} has this contract_id, with another file, person or party"),
            ));
        }
    };
    let row = api.machine(&caller, WORKFLOW, "document submission", id).await?;
    Ok((status, axum::Json(SubmissionView::of(Known::read(row)?))))
}

async fn prepared(
    api: &Api,
    caller: &Caller,
    account: &str,
    body: &SubmissionBody,
    uploads: Vec<Upload>,
) -> Result<New, Error> {
    let person = uploads.first().and_then(|upload| upload.person);
    if uploads.iter().any(|upload| upload.person != person) {
        return Err(ids("one_person", "the documents are not of one person", "所选文件不属于同一个人"));
    }
    let kinds: Vec<Option<FileKind>> = uploads.iter().map(|upload| FileKind::named(&upload.kind)).collect();
    let mut owed = None;
    // Its natural key: what is brought, for whom or what. A renewal is another one.
    let (purpose, paper) = match (kinds.as_slice(), uploads.as_slice()) {
        ([Some(FileKind::Agreement)], [file]) => {
            let (contract_id, contract) = agreement(body)?;
            let file = fitted(api, caller, account, file).await?;
            (format!("agreement/{contract_id}"), Paper::Agreement { contract_id, contract, file })
        }
        ([Some(FileKind::IdCardFront), Some(FileKind::IdCardBack)], [front, back]) => {
            let (front, back) = (fitted(api, caller, account, front).await?, fitted(api, caller, account, back).await?);
            (format!("id_card/{}/{}", front.sha256, back.sha256), Paper::IdCard { front, back })
        }
        ([Some(FileKind::FaceVideo | FileKind::FaceFrame)], [upload]) => {
            let file = fitted(api, caller, account, upload).await?;
            (format!("face/{}", file.sha256), Paper::Face { video: kinds == [Some(FileKind::FaceVideo)], file })
        }
        ([Some(FileKind::BankVoucher)], [upload]) => {
            let remit = upload.instance.ok_or(Error::Internal)?;
            let remit = remits::find(api, caller, remit).await?;
            let Some(proof) = &remit.state.facts.proof else {
                return Err(Error::conflict(
                    "not_paid",
                    "a voucher shows a payment: report this remit's payment first",
                ));
            };
            owed = proof.voucher;
            let order_id = remit.input.provider_order_id.clone();
            let file = fitted(api, caller, account, upload).await?;
            (voucher_purpose(&order_id, &file), Paper::voucher(order_id, file))
        }
        _ => {
            return Err(ids(
                "document_set",
                "give one document, or id_card_front and id_card_back",
                "请提供一个文件，或身份证正面与反面各一个",
            ));
        }
    };
    let whose = person.map(|person| person.to_string()).unwrap_or_default();
    let renewal = if body.renewal { "renewal" } else { "" };
    // A contract_id is used once, whosever it is (P63): whatever differs is another content, and refused.
    let key: &[&str] = match &paper {
        Paper::Agreement { .. } => &[account, &purpose],
        Paper::IdCard { .. } | Paper::Face { .. } | Paper::Voucher { .. } => &[account, &purpose, &whose, renewal],
    };
    let (business_key, request_id) = known_by(api, caller, key);
    let check = match person.filter(|_| matches!(paper, Paper::IdCard { .. })) {
        Some(person) => checked(api, caller, account, person).await?,
        None => None,
    };
    let input = Input { request_id, person, paper, renewal: body.renewal, owed, check };
    machine(api, caller, account, business_key, &input)
}

/// The check that hears of this person's pictures, where the account's orders need one. It is there before they are.
async fn checked(api: &Api, caller: &Caller, account: &str, person: Uuid) -> Result<Option<InstanceId>, Error> {
    let tenant = &caller.tenant;
    let known = api.store().person(tenant, person).await?.ok_or(Error::NotFound("person"))?;
    match Check::needed(api, tenant, account, person, &known.id_card) {
        Some(check) => check.begin(api, tenant).await.map(Some),
        None => Ok(None),
    }
}

/// A voucher that came with a payer's report, as it will be known.
pub(crate) fn brought(api: &Api, caller: &Caller, remit: &remits::Known, file: FileRef) -> Brought {
    let purpose = voucher_purpose(&remit.input.provider_order_id, &file);
    let (business_key, request_id) = known_by(api, caller, &[&remit.row.account, &purpose, "", ""]);
    Brought { business_key, request_id, file }
}

fn voucher_purpose(order_id: &ProviderOrderId, file: &FileRef) -> String {
    format!("voucher/{order_id}/{}", file.sha256)
}

/// The same paper for the same purpose has the same key here, and the same id at the provider.
fn known_by(api: &Api, caller: &Caller, what: &[&str]) -> (String, RequestId) {
    let business_key = api.store().fingerprint(&caller.tenant, "document", what);
    let request_id = api.store().derive_request_id(&caller.tenant, &format!("document/{business_key}"));
    (business_key, request_id)
}

fn machine(api: &Api, caller: &Caller, account: &str, business_key: String, input: &Input) -> Result<New, Error> {
    let mut content: Vec<String> = input.paper.files().iter().map(|file| file.sha256.clone()).collect();
    if let Paper::Agreement { contract, .. } = &input.paper {
        content.extend([value(contract)?.to_string(), input.person.map(|id| id.to_string()).unwrap_or_default()]);
    }
    let content_hash = hex::encode(Sha256::digest(content.join("/")));
    Ok(New {
        workflow: WORKFLOW.into(),
        tenant: caller.tenant.clone(),
        account: account.into(),
        business_key,
        address: Some(format!("{account}/{}", input.request_id)),
        person: input.person,
        content_hash,
        input: value(input)?,
        state: value(&Document::begin(api.now()))?,
        ..New::default()
    })
}

fn agreement(body: &SubmissionBody) -> Result<(String, Contract), Error> {
    let mut faults = Faults::default();
    let contract_id = faults.take("contract_id", body.contract_id.as_deref(), |text| printable(text, 50));
    let party = faults.may("tax_agent_parent_id", digits_of(&body.tax_agent_parent_id), |text| digits(text, 20));
    let location = faults.may("tax_agent_location_id", digits_of(&body.tax_agent_location_id), |text| digits(text, 20));
    let contract = match (party, location) {
        (Some(party), None) => Some(Contract::Empower { party }),
        (None, Some(location)) => Some(Contract::Substitutes { location }),
        (None, None) | (Some(_), Some(_)) => {
            let said = ("give tax_agent_parent_id or tax_agent_location_id", "请填写资质方 ID 或资质地 ID 其一");
            faults.0.push(FieldError::new("tax_agent_parent_id", "party_or_location", said.0, said.1));
            None
        }
    };
    match (contract_id, contract) {
        (Some(contract_id), Some(contract)) if faults.0.is_empty() => Ok((contract_id, contract)),
        _ => Err(Error::Invalid(faults.0)),
    }
}

/// The file as the provider takes it: a picture within its limit, and legible; anything else as it is.
async fn fitted(api: &Api, caller: &Caller, account: &str, upload: &Upload) -> Result<FileRef, Error> {
    let kind = FileKind::named(&upload.kind).ok_or(Error::Internal)?;
    let Some(bounds) = api.engine().bounds(account, kind) else {
        return Err(Error::field(
            "account",
            "takes_no_documents",
            "this account's provider takes no such document",
            "该账户不接收此类文件",
        ));
    };
    match kind.family() {
        // A face is looked at; an ID card is read.
        Family::Picture if kind == FileKind::FaceFrame => {
            rendition(api, caller, upload, bounds, Floor::RECOGNISABLE).await
        }
        Family::Picture => rendition(api, caller, upload, bounds, Floor::LEGIBLE).await,
        Family::Pdf | Family::Video if basis(bounds).count(upload.file.bytes) > bounds.bytes => {
            let said = format!("the provider takes at most {} bytes", bounds.bytes);
            Err(ids("file_too_large", &said, "文件超过服务商允许的大小"))
        }
        Family::Pdf | Family::Video => Ok(upload.file.clone()),
    }
}

fn basis(bounds: Bounds) -> Basis {
    if bounds.base64 { Basis::Base64 } else { Basis::Raw }
}

async fn rendition(
    api: &Api,
    caller: &Caller,
    upload: &Upload,
    bounds: Bounds,
    floor: Floor,
) -> Result<FileRef, Error> {
    let _place = HEAVY.acquire().await.map_err(|_| Error::Internal)?;
    let reader = api.store().blob_reader(&caller.tenant, upload.file.blob, BlobUse::Machine).await?;
    let Some(mut reader) = reader else { return Err(Error::NotFound("document")) };
    let mut original = Vec::new();
    while let Some(part) = reader.next().await? {
        original.extend_from_slice(&part);
    }
    let limit = Limit { bytes: bounds.bytes, basis: basis(bounds), floor };
    let made = tokio::task::spawn_blocking(move || fit(&original, &limit)).await.map_err(|_| Error::Internal)?;
    let made = made.map_err(|unfit| match unfit {
        Unfit::Refused(invalid) => Error::Invalid(vec![FieldError::of("document_ids", &invalid)]),
        Unfit::TooFine(fine) => Error::Invalid(vec![FieldError::of("document_ids", &fine.invalid)]),
    })?;
    let at = api.now();
    let info = api.store().blob(&caller.tenant, upload.file.blob).await?.ok_or(Error::NotFound("document"))?;
    let new = NewBlob {
        media: "image".into(),
        class: upload.kind.clone(),
        keep_until: info.keep_until,
        most: made.jpeg.len() as u64,
        at,
    };
    let mut writer = api.store().blob_writer(&caller.tenant, new).await?;
    writer.write(&made.jpeg).await?;
    let blob = writer.finish().await?;
    Ok(FileRef { blob: blob.id, sha256: blob.sha256, bytes: blob.size })
}

fn ids(code: &str, said: &str, said_zh: &str) -> Error {
    Error::field("document_ids", code, said, said_zh)
}
