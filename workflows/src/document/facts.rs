//! What a document is, and why a person may have to settle it.

use super::Document;
use crate::machine::{Cx, Machine as _};
use domain::papers::{FileRef, Paper};
use domain::record::{Spawn, Write};
use domain::{InstanceId, ProviderOrderId, Request, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What is brought. Never changes; the files are in the blob store, the person's data in its own encrypted row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub request_id: RequestId,
    /// Whose it is, where it is a person's.
    pub person: Option<Uuid>,
    pub paper: Paper,
    /// It is to replace one that is there: "already there" is no success then (P61).
    #[serde(default)]
    pub renewal: bool,
    /// The voucher that a payment owes, and that this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed: Option<InstanceId>,
    /// The check of the person's ID card, which hears how this submission has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<InstanceId>,
}

/// A voucher's paper, uploaded, and as it will be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    pub business_key: String,
    pub request_id: RequestId,
    pub file: FileRef,
}

impl Brought {
    /// Brings it to the provider, once, however often it is said.
    pub(crate) fn start(self, order: &ProviderOrderId, owed: Option<InstanceId>, cx: &Cx<'_>) -> Write {
        let Brought { business_key, request_id, file } = self;
        let address = Some(format!("{}/{request_id}", cx.account));
        let paper = Paper::voucher(order.clone(), file);
        let input = Input { request_id, person: None, paper, renewal: false, owed, check: None };
        Write::Spawn(Spawn {
            id: InstanceId(domain::ids::derive(cx.now, cx.me.0, &format!("document/{business_key}"))),
            workflow: Document::NAME.into(),
            business_key,
            address,
            person: None,
            input: json!(input),
            state: json!(Document::begin(cx.now)),
        })
    }
}

impl Input {
    /// The upload, the same every time.
    pub(super) fn submission(&self) -> Request {
        Request::SubmitPaper { request_id: self.request_id.clone(), person: self.person, paper: self.paper.clone() }
    }

    /// The look at how it stands, where there is one.
    pub(super) fn query(&self) -> Option<Request> {
        let person = self.person.filter(|_| matches!(self.paper, Paper::IdCard { .. }))?;
        Some(Request::FindIdCard { request_id: self.request_id.clone(), person })
    }
}

/// Why a person must settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    UnknownStatus(String),
    /// Sent again and again, and never answered.
    SendsExhausted,
    /// Taken, and nobody has said how it ended.
    Silent,
    /// It was to replace a picture that the provider had already (P61).
    NotRenewed,
    /// The provider knows no such person: a sign-up comes first (P62).
    NoPerson,
    Bug(String),
}

impl Why {
    pub(super) fn words(&self) -> String {
        match self {
            Why::UnknownStatus(word) => format!("the provider shows the unknown status {word:?}"),
            Why::SendsExhausted => "it was sent again and again, and nobody knows whether it arrived".into(),
            Why::Silent => "the provider took it days ago, and has not said how it ended".into(),
            Why::NotRenewed => {
                "the provider answers that it has a picture already: ask it to replace the old one".into()
            }
            Why::NoPerson => "the provider does not know the person: a sign-up comes first".into(),
            Why::Bug(what) => format!("an internal fault ({what})"),
        }
    }

    pub(super) fn moves(&self) -> &'static [&'static str] {
        match self {
            Why::Silent | Why::NotRenewed => &["verified", "retry", "abandon"],
            Why::UnknownStatus(_) | Why::SendsExhausted | Why::NoPerson | Why::Bug(_) => &["retry", "abandon"],
        }
    }
}
