//! The request tables as printed (000 §2.1–§2.12), misprints read as in protocols.md §1.9. Transcribed anew, not shared.

use crate::operation::Operation;

/// One row of a request table.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) needed: bool,
    pub(crate) kind: Kind,
}

/// What a field may hold. Lengths count characters.
#[derive(Debug)]
pub(crate) enum Kind {
    /// 字符串 with its greatest length.
    Text(usize),
    /// 请求流水号: S32, and by a switch the 36-character UUID of the sample.
    RequestId,
    /// 整数: digits, as a number or as text, because 20 digits exceed what most numbers hold (T03).
    Integer(usize),
    /// 金额: text, two decimals, more than nothing.
    Amount,
    /// 时间戳, Beijing time.
    Time,
    /// 枚举值.
    Word(&'static [&'static str]),
    /// Base64 of a file of at most so many bytes.
    File(usize),
    /// 查询明细: a list of objects, at most 500 (000 §2.6).
    Rows(&'static [Field]),
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, needed: true, kind }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, needed: false, kind }
}

const MIB: usize = 1024 * 1024;

/// 二要素鉴权: `T`, or the field absent; nothing else (P53).
const TWO_FACTOR: Field = may(TWO_FACTOR_NAME, Kind::Word(&["T"]));
pub(crate) const TWO_FACTOR_NAME: &str = "limit_2";
pub(crate) const SYNC_SIGN_AGENT_NAME: &str = "agent_parent_id";

const SYNC_SIGN: &[Field] = &[
    must("request_id", Kind::RequestId),
    must("id_card", Kind::Text(18)),
    must("real_name", Kind::Text(10)),
    must("cellphone", Kind::Text(11)),
    may(SYNC_SIGN_AGENT_NAME, Kind::Integer(20)),
];

const SIGN_UP: &[Field] = &[
    must("id_card", Kind::Text(18)),
    must("name", Kind::Text(10)),
    must("cellphone", Kind::Text(20)),
    must("bankcard_no", Kind::Text(20)),
    TWO_FACTOR,
    may("tax_agent_parent_id", Kind::Integer(20)),
    may("credit_code", Kind::Text(20)),
    may("customer_id", Kind::Text(50)),
];

const CREATE_ORDER_V2: &[Field] = &[
    must("request_id", Kind::RequestId),
    must("id_card", Kind::Text(18)),
    must("name", Kind::Text(10)),
    must("tax_agent_parent_id", Kind::Integer(20)),
    may("tax_agent_location_id", Kind::Integer(20)),
    may("credit_code", Kind::Text(20)),
    may("customer_id", Kind::Text(50)),
    must("cellphone", Kind::Text(20)),
    must("bankcard_no", Kind::Text(20)),
    may("profit", Kind::Amount),
    may("pay_amount", Kind::Amount),
    must("tax_mode", Kind::Word(&["GENERAL", "SPECIAL"])),
    TWO_FACTOR,
    may("task_id", Kind::Integer(10)),
    may("remark", Kind::Text(100)),
];

const CONFIRM_ORDER_V2: &[Field] = &[
    must("order_id", Kind::Text(32)),
    must("arising_time", Kind::Time),
    must("next_step", Kind::Word(&["CONTINUE", "CANCEL"])),
];

const QUERY_SIGN_UP_BATCH: &[Field] = &[must("batch_no", Kind::Text(32)), must("batch_details", Kind::Rows(BATCH_ROW))];
const BATCH_ROW: &[Field] = &[must("id_card", Kind::Text(18)), may("tax_agent_parent_id", Kind::Integer(20))];

const QUERY_ORDER_V2: &[Field] = &[must("request_id", Kind::RequestId)];

const UPLOAD_TAXPAYER_AGREEMENT: &[Field] = &[
    must("request_id", Kind::RequestId),
    must("id_card", Kind::Text(18)),
    must("name", Kind::Text(10)),
    must("cellphone", Kind::Text(20)),
    may("tax_agent_parent_id", Kind::Integer(20)),
    may("tax_agent_location_id", Kind::Integer(20)),
    must("contract_id", Kind::Text(50)),
    must("contract_type", Kind::Word(&["EMPOWER_PROTOCOL", "SUBSTITUTES_PROTOCOL"])),
    must("file_data", Kind::File(10 * MIB)),
];

const ADD_BANK_VOUCHER: &[Field] =
    &[must("order_id", Kind::Text(20)), must("file_name", Kind::Text(30)), must("file", Kind::File(10 * MIB))];

const UPLOAD_ID_CARD_IMAGE: &[Field] = &[
    must("requestId", Kind::RequestId),
    must("idCardNo", Kind::Text(18)),
    must("realName", Kind::Text(10)),
    may("cellPhone", Kind::Text(20)),
    must("uploadWay", Kind::Word(&["DIRECT"])),
    // Printed N, and required for DIRECT, which is the only way.
    must("frontImage", Kind::File(MIB)),
    must("backImage", Kind::File(MIB)),
];

const QUERY_ID_CARD_IMAGE: &[Field] = &[must("requestId", Kind::RequestId), must("idCardNo", Kind::Text(18))];

const UPLOAD_FACEID_VIDEO_FRAME: &[Field] = &[
    must("requestId", Kind::RequestId),
    must("idCardNo", Kind::Text(18)),
    may("videoBase64", Kind::File(15 * MIB)),
    may("frameBase64", Kind::File(5 * MIB)),
];

/// The request table of an interface.
pub(crate) const fn fields(operation: Operation) -> &'static [Field] {
    match operation {
        Operation::SyncSign => SYNC_SIGN,
        Operation::SignUp => SIGN_UP,
        Operation::CreateOrderV2 => CREATE_ORDER_V2,
        Operation::ConfirmOrderV2 => CONFIRM_ORDER_V2,
        Operation::QuerySignUpBatch => QUERY_SIGN_UP_BATCH,
        Operation::QueryOrderV2 => QUERY_ORDER_V2,
        Operation::UploadTaxpayerAgreement => UPLOAD_TAXPAYER_AGREEMENT,
        Operation::AddBankVoucher => ADD_BANK_VOUCHER,
        Operation::UploadIdCardImage => UPLOAD_ID_CARD_IMAGE,
        Operation::QueryIdCardImage => QUERY_ID_CARD_IMAGE,
        Operation::UploadFaceidVideoFrame => UPLOAD_FACEID_VIDEO_FRAME,
    }
}
