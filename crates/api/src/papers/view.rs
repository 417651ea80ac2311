//! What callers see of uploads and submissions.

use crate::orders::view::waits_for;
use crate::papers::{Known, WORKFLOW};
use domain::papers::Paper;
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use store::Upload;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::document::Document;

/// One uploaded file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UploadView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// By content: `image/jpeg`, `application/pdf`, `video/mp4`, …
    pub(crate) media: String,
    /// `stored`.
    pub(crate) state: String,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
}

/// One submission to a provider.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SubmissionView {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) id: InstanceId,
    /// `agreement`, `id_card`, `face` or `bank_voucher`.
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) state: String,
    pub(crate) request_id: String,
    pub(crate) contract_id: Option<String>,
    /// It had been there before: the provider may have kept the older one (P61).
    pub(crate) existing: bool,
    /// Why it was rejected.
    pub(crate) reason: Option<String>,
    pub(crate) waits_for: Option<String>,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
    #[schema(value_type = String)]
    pub(crate) updated_at: Time,
}

impl UploadView {
    pub(crate) fn of(upload: Upload) -> Self {
        let Upload { id, kind, file, media, at, .. } = upload;
        Self { id, kind, sha256: file.sha256, bytes: file.bytes, media, state: "stored".into(), created_at: at }
    }
}

impl SubmissionView {
    pub(crate) fn of(known: Known) -> Self {
        let Known { row, input, state } = known;
        let (kind, contract_id) = match &input.paper {
            Paper::Agreement { contract_id, .. } => ("agreement", Some(contract_id.clone())),
            Paper::IdCard { .. } => ("id_card", None),
            Paper::Face { .. } => ("face", None),
            Paper::Voucher { .. } => ("bank_voucher", None),
        };
        let (existing, reason) = match &state {
            Document::Verified { existing, .. } => (*existing, None),
            Document::Rejected { reason, .. } => (false, Some(reason.clone())),
            Document::Rendered { .. }
            | Document::Submitted { .. }
            | Document::Processing { .. }
            | Document::NeedsOperator { .. } => (false, None),
        };
        Self {
            id: row.id,
            kind: kind.into(),
            account: row.account,
            state: row.state_name,
            request_id: input.request_id.to_string(),
            contract_id,
            existing,
            reason,
            waits_for: waits_for(WORKFLOW, &row.input, &row.state),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
