//! `POST /v1/documents`: one file, judged by its content while it comes, and kept. Name and declared type are never asked.

use crate::api::Api;
use crate::door::declared;
use crate::orders::body::PersonBody;
use crate::orders::draft::{Faults, person};
use crate::papers::view::UploadView;
use crate::problem::{Error, FieldError, Problem};
use crate::read::parse;
use crate::role::Caller;
use crate::{orders, remits};
use axum::extract::State;
use axum::extract::multipart::{Field, Multipart};
use axum::http::{HeaderMap, StatusCode};
use documents::{Accept, Sniffer};
use domain::papers::{Family, FileKind, FileRef};
use domain::{InstanceId, Invalid, Time, ids};
use serde_json::json;
use std::time::Duration;
use store::{BlobWriter, NewBlob, Upload};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

/// A photo as it comes from a phone; what goes to a provider is made smaller.
const PICTURE_MAX: u64 = 20 * 1024 * 1024;
const PDF_MAX: u64 = 10 * 1024 * 1024;
const VIDEO_MAX: u64 = 15 * 1024 * 1024;
/// A field that is no file.
const TEXT_MAX: usize = 4096;
/// Tax records are kept for ten years (security.md §4).
const KEPT: Duration = Duration::from_secs(3653 * 24 * 3600);
/// Decoding a picture, or opening a PDF, takes tens of megabytes: so many at once.
pub(super) static HEAVY: Semaphore = Semaphore::const_new(2);

/// Pictures and PDFs are whole in memory until they are judged: so many megabytes of them at once. Who comes then waits before he sends.
static WHOLE: Semaphore = Semaphore::const_new(64);
const MIB: u64 = 1024 * 1024;

/// The fields of the form; the file comes last.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "for the description of the API only")]
pub(crate) struct UploadForm {
    /// `agreement`, `id_card_front`, `id_card_back`, `face_video`, `face_frame` or `bank_voucher`.
    kind: String,
    /// JSON, as in an order: whose it is.
    person: Option<String>,
    /// Or the order whose person it is of; of a voucher, the order with its one remit.
    order: Option<Uuid>,
    /// Of a voucher: the remit.
    remit: Option<Uuid>,
    #[schema(value_type = String, format = Binary)]
    file: String,
}

/// What came before the file, unread.
#[derive(Default)]
struct Head {
    kind: Option<String>,
    person: Option<String>,
    order: Option<String>,
    remit: Option<String>,
}

/// What the file is, and whose.
struct Expected {
    kind: FileKind,
    person: Option<Uuid>,
    remit: Option<InstanceId>,
}

/// Upload a file of a person or a payment. The same content again is kept once.
#[utoipa::path(post, path = "/v1/documents", tag = "documents",
    request_body(content = UploadForm, content_type = "multipart/form-data"), responses(
    (status = 201, description = "kept", body = UploadView), (status = 400, body = Problem), (status = 413, body = Problem)))]
pub(crate) async fn upload(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<(StatusCode, axum::Json<UploadView>), Error> {
    let mut form = form.map_err(|_| Error::MediaType("the body as multipart/form-data"))?;
    let mut head = Head::default();
    while let Some(field) = form.next_field().await.map_err(|_| broken())? {
        let name = field.name().unwrap_or_default().to_owned();
        let place = match name.as_str() {
            "kind" => &mut head.kind,
            "person" => &mut head.person,
            "order" => &mut head.order,
            "remit" => &mut head.remit,
            "file" => {
                let mut field = field;
                let taken = head.file(&api, &caller, declared(&headers), &mut field).await;
                if taken.is_err() {
                    spill(field).await;
                }
                return taken.map(|upload| (StatusCode::CREATED, axum::Json(UploadView::of(upload))));
            }
            _ => {
                let said =
                    ("the fields are kind, person, order, remit and file", "字段应为 kind、person、order、remit、file");
                return Err(Error::field(&name, "unknown_field", said.0, said.1));
            }
        };
        *place = Some(text(&name, field).await?);
    }
    Err(Error::Invalid(vec![FieldError::missing("file")]))
}

/// What is left of a refused file is read and forgotten: a connection that is closed under unread bytes loses the answer.
async fn spill(mut field: Field<'_>) {
    while let Ok(Some(_)) = field.chunk().await {}
}

impl Head {
    async fn file(
        self,
        api: &Api,
        caller: &Caller,
        declared: Option<usize>,
        field: &mut Field<'_>,
    ) -> Result<Upload, Error> {
        let expected = self.expected(api, caller).await?;
        take(api, caller, expected, declared, field).await
    }

    async fn expected(self, api: &Api, caller: &Caller) -> Result<Expected, Error> {
        let names = FileKind::ALL.map(FileKind::name).join(", ");
        let kind = self.kind.as_deref().map(str::trim);
        let Some(kind) = kind else { return Err(Error::Invalid(vec![FieldError::missing("kind")])) };
        let kind = FileKind::named(kind).ok_or_else(|| {
            Error::field("kind", "file_kind", &format!("kind is one of {names}"), &format!("kind 应为 {names} 之一"))
        })?;
        match (kind, self.person, self.order, self.remit) {
            (FileKind::BankVoucher, None, None, Some(remit)) => {
                let remit = remits::find(api, caller, id("remit", &remit)?).await?;
                Ok(Expected { kind, person: None, remit: Some(remit.row.id) })
            }
            (FileKind::BankVoucher, None, Some(order), None) => {
                let order = api.machine(caller, orders::WORKFLOW, "order", id("order", &order)?).await?;
                match api.store().children(order.id).await?.as_slice() {
                    [remit] => Ok(Expected { kind, person: None, remit: Some(remit.id) }),
                    _ => Err(Error::field(
                        "remit",
                        "remit_required",
                        "the order has not exactly one remit: name the remit that was paid",
                        "该订单并非只有一笔打款订单：请填写 remit",
                    )),
                }
            }
            (_, Some(body), None, None) if kind != FileKind::BankVoucher => {
                let body: PersonBody = parse(body.as_bytes())?;
                let mut faults = Faults::default();
                let Some(person) = person(Some(&body), &mut faults) else { return Err(Error::Invalid(faults.0)) };
                let person = api.store().put_person(&caller.tenant, &person).await?;
                Ok(Expected { kind, person: Some(person), remit: None })
            }
            (_, None, Some(order), None) if kind != FileKind::BankVoucher => {
                let row = api.machine(caller, orders::WORKFLOW, "order", id("order", &order)?).await?;
                Ok(Expected { kind, person: row.person, remit: None })
            }
            (FileKind::BankVoucher, ..) => Err(Error::field(
                "remit",
                "whose",
                "a voucher is of one remit: give remit, or order",
                "付款凭证属于一笔打款：请填写 remit 或 order 其一",
            )),
            _ => Err(Error::field("person", "whose", "give person or order", "请填写 person 或 order 其一")),
        }
    }
}

/// Chunk by chunk: nothing is kept that has been refused.
async fn take(
    api: &Api,
    caller: &Caller,
    expected: Expected,
    declared: Option<usize>,
    field: &mut Field<'_>,
) -> Result<Upload, Error> {
    let (accept, media, most) = match expected.kind.family() {
        Family::Picture => (Accept::picture(PICTURE_MAX), "image", PICTURE_MAX),
        Family::Pdf => (Accept::pdf(PDF_MAX), "document", PDF_MAX),
        Family::Video => (Accept::video(VIDEO_MAX), "video", VIDEO_MAX),
    };
    let _whole = match expected.kind.family() {
        Family::Picture | Family::Pdf => Some(room(declared, most).await?),
        Family::Video => None,
    };
    let at = api.now();
    let class = expected.kind.name().to_owned();
    let new = NewBlob { media: media.into(), class, keep_until: Some(at + KEPT), most, at };
    let mut writer = api.store().blob_writer(&caller.tenant, new).await?;
    let mut sniffer = Sniffer::new(accept, None);
    while let Some(chunk) = field.chunk().await.map_err(|_| broken())? {
        sniffer.feed(&chunk).map_err(|invalid| refused(&invalid))?;
        writer.write(&chunk).await?;
    }
    let _place = HEAVY.acquire().await.map_err(|_| Error::Internal)?;
    let inspected = tokio::task::spawn_blocking(move || sniffer.finish()).await.map_err(|_| Error::Internal)?;
    inspected.map_err(|invalid| refused(&invalid))?;
    kept(api, caller, expected, writer, at).await
}

/// A voucher that came inside a payer's report: kept as it is, for the provider to judge. A report is never lost over its paper.
pub(crate) async fn keep_voucher(api: &Api, caller: &Caller, remit: InstanceId, pdf: &[u8]) -> Result<Upload, Error> {
    let expected = Expected { kind: FileKind::BankVoucher, person: None, remit: Some(remit) };
    let at = api.now();
    let class = expected.kind.name().to_owned();
    let new = NewBlob { media: "document".into(), class, keep_until: Some(at + KEPT), most: PDF_MAX, at };
    let mut writer = api.store().blob_writer(&caller.tenant, new).await?;
    writer.write(pdf).await?;
    kept(api, caller, expected, writer, at).await
}

async fn kept(api: &Api, caller: &Caller, expected: Expected, writer: BlobWriter, at: Time) -> Result<Upload, Error> {
    let blob = writer.finish().await?;
    let upload = Upload {
        id: ids::draw(at),
        tenant: caller.tenant.clone(),
        kind: expected.kind.name().into(),
        person: expected.person,
        instance: expected.remit,
        file: FileRef { blob: blob.id, sha256: blob.sha256, bytes: blob.size },
        media: blob.media,
        by: caller.name.clone(),
        at,
    };
    api.store().put_upload(upload.clone()).await?;
    let facts = json!({ "kind": upload.kind, "sha256": upload.file.sha256 });
    api.act(caller, "document.uploaded", InstanceId(upload.id), facts).await?;
    Ok(upload)
}

/// Room for a file that is kept whole: as large as its request says, or as it may be.
async fn room(declared: Option<usize>, most: u64) -> Result<SemaphorePermit<'static>, Error> {
    let bytes = declared.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(most).min(most);
    let megabytes = u32::try_from(bytes.div_ceil(MIB).max(1)).map_err(|_| Error::Internal)?;
    WHOLE.acquire_many(megabytes).await.map_err(|_| Error::Internal)
}

fn refused(invalid: &Invalid) -> Error {
    Error::Invalid(vec![FieldError::of("file", invalid)])
}

fn broken() -> Error {
    Error::bad("unreadable_body", "the form ended before it was whole")
}

fn id(field: &str, text: &str) -> Result<InstanceId, Error> {
    let bad = |_| Error::field(field, "id_format", "give the id as levee answered it", "请填写 levee 返回的 id");
    Uuid::parse_str(text.trim()).map(InstanceId).map_err(bad)
}

async fn text(name: &str, mut field: Field<'_>) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|_| broken())? {
        if bytes.len() + chunk.len() > TEXT_MAX {
            return Err(Error::field(name, "too_long", "at most 4,096 bytes", "不得超过 4096 字节"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Error::field(name, "not_text", "write it as UTF-8 text", "请使用 UTF-8 文本"))
}
