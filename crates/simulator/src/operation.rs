//! The twelve interfaces of Olading's 代征接口文档 v2.13, with the path each belongs to (000 §2.x).

use serde::{Deserialize, Serialize};
use std::fmt;

/// One interface. `CLOSE_ORDER_NOTICE` is not here: it is a callback only (000 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    /// 商户签约接口 (000 §2.1).
    SyncSign,
    /// 签约 (000 §2.2).
    SignUp,
    /// 创建代征订单 (000 §2.3).
    CreateOrderV2,
    /// 确认代征订单 (000 §2.5).
    ConfirmOrderV2,
    /// 批量查询签约记录 (000 §2.6).
    QuerySignUpBatch,
    /// 查询代征订单 (000 §2.7).
    QueryOrderV2,
    /// 上传企业纳税人协议 (000 §2.8).
    UploadTaxpayerAgreement,
    /// 上传个人代付凭证接口 (000 §2.9).
    AddBankVoucher,
    /// 上传证件照片接口 (000 §2.10).
    UploadIdCardImage,
    /// 证件照处理结果查询接口 (000 §2.11).
    QueryIdCardImage,
    /// 活体认证文件上传接口 (000 §2.12).
    UploadFaceidVideoFrame,
}

/// `/api/levy/v1`.
pub const LEVY: &str = "/api/levy/v1";
/// `/api/tax/v1`: only SYNC_SIGN and the two ID card image interfaces (P52).
pub const TAX: &str = "/api/tax/v1";

impl Operation {
    pub const ALL: [Operation; 11] = [
        Operation::SyncSign,
        Operation::SignUp,
        Operation::CreateOrderV2,
        Operation::ConfirmOrderV2,
        Operation::QuerySignUpBatch,
        Operation::QueryOrderV2,
        Operation::UploadTaxpayerAgreement,
        Operation::AddBankVoucher,
        Operation::UploadIdCardImage,
        Operation::QueryIdCardImage,
        Operation::UploadFaceidVideoFrame,
    ];

    /// `name` inside `req`.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::SyncSign => "SYNC_SIGN",
            Operation::SignUp => "SIGN_UP",
            Operation::CreateOrderV2 => "CREATE_ORDER_V2",
            Operation::ConfirmOrderV2 => "CONFIRM_ORDER_V2",
            Operation::QuerySignUpBatch => "QUERY_SIGN_UP_BATCH",
            Operation::QueryOrderV2 => "QUERY_ORDER_V2",
            Operation::UploadTaxpayerAgreement => "UPLOAD_TAXPAYER_AGREEMENT",
            Operation::AddBankVoucher => "ADD_BANK_VOUCHER",
            Operation::UploadIdCardImage => "UPLOAD_ID_CARD_IMAGE",
            Operation::QueryIdCardImage => "QUERY_ID_CARD_IMAGE",
            Operation::UploadFaceidVideoFrame => "UPLOAD_FACEID_VIDEO_FRAME",
        }
    }

    pub fn named(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// The path the interface is documented under; another one is refused.
    pub const fn path(self) -> &'static str {
        match self {
            Operation::SyncSign | Operation::UploadIdCardImage | Operation::QueryIdCardImage => TAX,
            Operation::SignUp
            | Operation::CreateOrderV2
            | Operation::ConfirmOrderV2
            | Operation::QuerySignUpBatch
            | Operation::QueryOrderV2
            | Operation::UploadTaxpayerAgreement
            | Operation::AddBankVoucher
            | Operation::UploadFaceidVideoFrame => LEVY,
        }
    }

    /// The field that names the thing asked about, as that interface spells it.
    pub const fn key_field(self) -> &'static str {
        match self {
            Operation::SyncSign
            | Operation::CreateOrderV2
            | Operation::QueryOrderV2
            | Operation::UploadTaxpayerAgreement => "request_id",
            Operation::SignUp => "id_card",
            Operation::ConfirmOrderV2 | Operation::AddBankVoucher => "order_id",
            Operation::QuerySignUpBatch => "batch_no",
            Operation::UploadIdCardImage | Operation::QueryIdCardImage | Operation::UploadFaceidVideoFrame => {
                "requestId"
            }
        }
    }

    /// Changes nothing at the provider.
    pub const fn reads(self) -> bool {
        match self {
            Operation::QuerySignUpBatch | Operation::QueryOrderV2 | Operation::QueryIdCardImage => true,
            Operation::SyncSign
            | Operation::SignUp
            | Operation::CreateOrderV2
            | Operation::ConfirmOrderV2
            | Operation::UploadTaxpayerAgreement
            | Operation::AddBankVoucher
            | Operation::UploadIdCardImage
            | Operation::UploadFaceidVideoFrame => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
