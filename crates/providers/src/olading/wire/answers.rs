//! What is received: answers and callbacks.

use super::*;
use crate::olading::lenient::{
    ImageStatus, OrderStatus, Private, RemitStatus, SignStatus, Stamp, Text, UploadStatus, list, optional,
    optional_text, readable,
};
use domain::Money;
use serde::Deserialize;

/// The answer to [`SyncSign`].
#[derive(Debug, Clone, Deserialize)]
pub struct SyncSignAnswer {
    pub request_id: Text,
}

/// The answer to [`SignUp`]. `SIGN` is final: no callback follows (P49).
#[derive(Debug, Clone, Deserialize)]
pub struct SignUpAnswer {
    pub id_card: Private,
    pub status: SignStatus,
}

/// The answer to [`CreateOrder`].
#[derive(Debug, Clone, Deserialize)]
pub struct CreateOrderAnswer {
    pub request_id: Text,
    #[serde(default, deserialize_with = "optional")]
    pub accept_time: Option<Stamp>,
}

/// The answer to [`ConfirmOrder`].
#[derive(Debug, Clone, Deserialize)]
pub struct ConfirmOrderAnswer {
    pub order_id: Text,
}

/// The answer to [`QuerySignUpBatch`]. Rows are found by key, never by place; a missing row says nothing (P51).
#[derive(Debug, Clone, Deserialize)]
pub struct SignUpBatchAnswer {
    pub batch_no: Text,
    #[serde(default, deserialize_with = "list")]
    pub batch_details: Vec<SignUpRow>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct SignUpRow {
    pub id_card: Private,
    #[serde(default, deserialize_with = "optional_text")]
    pub tax_agent_parent_id: Option<String>,
    pub status: SignStatus,
}

impl SignUpBatchAnswer {
    /// What is said of one agreement; `None` when nothing is, or different things are.
    pub fn status(&self, key: &SignUpKey) -> Option<&SignStatus> {
        let party = key.tax_agent_parent_id.map(|id| id.to_string());
        let same = |row: &&SignUpRow| {
            row.id_card.expose().eq_ignore_ascii_case(key.id_card.expose()) && row.tax_agent_parent_id == party
        };
        let mut found = self.batch_details.iter().filter(same).map(|row| &row.status);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}

/// The answer to [`QueryOrder`]: the order, or the code the account's settings name as "no such order".
#[derive(Debug, Clone)]
pub enum OrderLook {
    Seen(Box<OrderAnswer>),
    Absent,
}

impl<'de> Deserialize<'de> for OrderLook {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Box::<OrderAnswer>::deserialize(d).map(Self::Seen)
    }
}

/// A whole order (000 §2.7). `arising_time` is printed as required but cannot exist before a confirmation.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderAnswer {
    pub request_id: Text,
    #[serde(default, deserialize_with = "optional")]
    pub id_card: Option<Private>,
    #[serde(default, deserialize_with = "optional")]
    pub name: Option<Private>,
    #[serde(default, deserialize_with = "optional_text")]
    pub credit_code: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    pub customer_id: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub remit_order_list: Vec<RemitOrder>,
    #[serde(default, deserialize_with = "optional_text")]
    pub tax_mode: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    pub arising_time: Option<Stamp>,
    #[serde(default, deserialize_with = "optional")]
    pub accept_time: Option<Stamp>,
    #[serde(default, deserialize_with = "optional")]
    pub cellphone: Option<Private>,
    #[serde(default, deserialize_with = "optional")]
    pub bankcard_no: Option<Private>,
    pub status: OrderStatus,
    #[serde(default, deserialize_with = "optional_text")]
    pub fail_reason: Option<String>,
    #[serde(default, deserialize_with = "optional_text")]
    pub task_id: Option<String>,
}

/// 打款订单 (000 §2.3).
#[derive(Debug, Clone, Deserialize)]
pub struct RemitOrder {
    pub order_id: Text,
    pub tax_agent_location_id: Text,
    pub amount: Money,
    pub fee: Money,
    pub actual_amount: Money,
    pub compensate_fee: Money,
    pub sum_fee: Money,
    pub remit_status: RemitStatus,
}

/// The answer to [`UploadTaxpayerAgreement`], and its callback.
#[derive(Debug, Clone, Deserialize)]
pub struct AgreementAnswer {
    pub request_id: Text,
    pub status: UploadStatus,
    pub contract_id: Text,
    #[serde(default, deserialize_with = "optional_text")]
    pub file_id: Option<String>,
}

/// The answer to [`AddBankVoucher`].
#[derive(Debug, Clone, Deserialize)]
pub struct VoucherAnswer {
    pub order_id: Text,
    pub status: UploadStatus,
}

/// The answer to [`UploadIdCardImage`] and [`QueryIdCardImage`], and the callback.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageAnswer {
    pub request_id: Text,
    pub status: ImageStatus,
    #[serde(default, deserialize_with = "optional_text")]
    pub fail_reason: Option<String>,
}

/// The answer to [`UploadFaceidVideoFrame`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaceAnswer {
    pub request_id: Text,
    pub status: UploadStatus,
}

/// The callback of [`SyncSign`].
#[derive(Debug, Clone, Deserialize)]
pub struct SyncSignNotice {
    pub request_id: Text,
    pub status: SignStatus,
}

/// The callback of [`SignUp`]: its fields are in no table, these are those of the answer.
#[derive(Debug, Clone, Deserialize)]
pub struct SignUpNotice {
    #[serde(default, deserialize_with = "optional")]
    pub id_card: Option<Private>,
    #[serde(default)]
    pub status: Option<SignStatus>,
}

/// The callback of [`CreateOrder`]. Its list may be partial; amounts are taken from a query only.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderNotice {
    pub request_id: Text,
    pub status: OrderStatus,
    #[serde(default, deserialize_with = "optional_text")]
    pub fail_reason: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub remit_order_list: Vec<RemitOrder>,
}

/// 自动关单通知 (000 §2.4). Carries no order id (P41).
#[derive(Debug, Clone, Deserialize)]
pub struct CloseNotice {
    pub request_id: Text,
    pub remit_status: RemitStatus,
    #[serde(default, deserialize_with = "optional_text")]
    pub tax_agent_location_id: Option<String>,
    #[serde(default, deserialize_with = "readable")]
    pub close_time: Option<Stamp>,
    /// Printed with both spellings (T02).
    #[serde(default, alias = "Close_reason", deserialize_with = "optional_text")]
    pub close_reason: Option<String>,
}
