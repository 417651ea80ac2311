//! Papers (资料) in our own words: what is brought to a provider for a person or a payment, and what a provider shows of it.

use crate::ProviderOrderId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A file in the blob store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    pub blob: Uuid,
    /// Hex SHA-256 of its content: what was sent can be told for ever, also when the content is shredded.
    pub sha256: String,
    pub bytes: u64,
}

/// What is brought to a provider in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paper {
    /// 企业纳税人协议, one PDF (000 §2.8). Its `contract_id` is never used again, not even after a failure (P63).
    Agreement { contract_id: String, contract: Contract, file: FileRef },
    /// 证件照片, both sides (000 §2.10).
    IdCard { front: FileRef, back: FileRef },
    /// 活体认证文件: the video, or one picture of it (000 §2.12).
    Face { video: bool, file: FileRef },
    /// 个人代付凭证 of one remit, one PDF (000 §2.9).
    Voucher { order_id: ProviderOrderId, file_name: String, file: FileRef },
}

/// With whom an agreement is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// 授权协议 with a 资质方.
    Empower { party: String },
    /// 代征协议 with a 资质地.
    Substitutes { location: String },
}

/// How a paper stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaperSeen {
    /// Taken, and not judged yet.
    Accepted,
    /// Stored, recognised, attached.
    Good,
    /// Judged, and no good; why, where it says so.
    Bad { reason: Option<String> },
    /// The provider has seen this id before (P63).
    Duplicate,
    /// There is none.
    Missing,
    /// There is not even the person (`NULL`, P62): a sign-up comes first.
    NoPerson,
    /// A word in no table: parks with the raw value, never fails.
    Unknown(String),
}

impl Paper {
    /// The voucher of a payment under this provider order. Its name shows nothing of anybody, and is within 30 characters (000 §2.9).
    pub fn voucher(order_id: ProviderOrderId, file: FileRef) -> Self {
        Paper::Voucher { order_id, file_name: "voucher.pdf".into(), file }
    }

    /// Its files, in the order in which they are sent.
    pub fn files(&self) -> Vec<&FileRef> {
        match self {
            Paper::Agreement { file, .. } | Paper::Face { file, .. } | Paper::Voucher { file, .. } => vec![file],
            Paper::IdCard { front, back } => vec![front, back],
        }
    }
}

/// What a file is, as it is uploaded (contract.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Agreement,
    IdCardFront,
    IdCardBack,
    FaceVideo,
    FaceFrame,
    BankVoucher,
}

impl FileKind {
    pub const ALL: [FileKind; 6] = [
        FileKind::Agreement,
        FileKind::IdCardFront,
        FileKind::IdCardBack,
        FileKind::FaceVideo,
        FileKind::FaceFrame,
        FileKind::BankVoucher,
    ];

    pub fn name(self) -> &'static str {
        match self {
            FileKind::Agreement => "agreement",
            FileKind::IdCardFront => "id_card_front",
            FileKind::IdCardBack => "id_card_back",
            FileKind::FaceVideo => "face_video",
            FileKind::FaceFrame => "face_frame",
            FileKind::BankVoucher => "bank_voucher",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn family(self) -> Family {
        match self {
            FileKind::Agreement | FileKind::BankVoucher => Family::Pdf,
            FileKind::IdCardFront | FileKind::IdCardBack | FileKind::FaceFrame => Family::Picture,
            FileKind::FaceVideo => Family::Video,
        }
    }
}

/// What a file must be by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Pdf,
    Picture,
    Video,
}

/// The most that a provider takes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub bytes: u64,
    /// Counted over its base64 text, not over the file.
    pub base64: bool,
}
