//! What is sent. Where the document says "one of the two" or "required when", the type says so: what may not be sent cannot be
//! built.

use crate::olading::lenient::{File, Int, Yes, beijing, expose, expose_some};
use domain::levy::{NextStep, TaxMode};
use domain::{BankCard, Cellphone, IdCard, Money, PersonName, ProviderOrderId, RequestId, Time};
use serde::Serialize;

/// 商户签约 (000 §2.1): invites the person to sign the 共享经济综合服务协议. In spite of its name not synchronous.
#[derive(Debug, Clone, Serialize)]
pub struct SyncSign {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card: IdCard,
    #[serde(serialize_with = "expose")]
    pub real_name: PersonName,
    #[serde(serialize_with = "expose")]
    pub cellphone: Cellphone,
    #[serde(flatten)]
    pub agent: Option<SyncSignAgent>,
}

/// 资质方 ID of [`SyncSign`], under the name the account's `sync_sign_agent_field` says.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncSignAgent {
    AgentParentId(Int),
    TaxAgentParentId(Int),
}

/// 签约 (000 §2.2): the authorisation agreement (授权协议). Has no request id (P50).
#[derive(Debug, Clone, Serialize)]
pub struct SignUp {
    #[serde(serialize_with = "expose")]
    pub id_card: IdCard,
    #[serde(serialize_with = "expose")]
    pub name: PersonName,
    #[serde(serialize_with = "expose")]
    pub cellphone: Cellphone,
    #[serde(serialize_with = "expose")]
    pub bankcard_no: BankCard,
    #[serde(flatten)]
    pub two_factor: Option<TwoFactor>,
    #[serde(flatten)]
    pub agreement: Agreement,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
}

/// Whose agreement is signed: a qualification party's needs the enterprise's credit code (000 §2.2 rule 4).
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Agreement {
    /// Without a party: Olading's own.
    Olading {
        #[serde(skip_serializing_if = "Option::is_none")]
        credit_code: Option<String>,
    },
    Party {
        tax_agent_parent_id: Int,
        credit_code: String,
    },
}

/// 二要素鉴权, under the name the account's `two_factor_field` says; wanted or absent (P53).
#[derive(Debug, Clone, Copy, Serialize)]
pub enum TwoFactor {
    #[serde(rename = "limit_2")]
    Limit2(Yes),
    #[serde(rename = "authentication")]
    Authentication(Yes),
}

/// 创建代征订单 (000 §2.3).
#[derive(Debug, Clone, Serialize)]
pub struct CreateOrder {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card: IdCard,
    #[serde(serialize_with = "expose")]
    pub name: PersonName,
    pub tax_agent_parent_id: Int,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_agent_location_id: Option<Int>,
    #[serde(flatten)]
    pub customer: Customer,
    #[serde(serialize_with = "expose")]
    pub cellphone: Cellphone,
    #[serde(serialize_with = "expose")]
    pub bankcard_no: BankCard,
    #[serde(flatten)]
    pub asked: Asked,
    pub tax_mode: TaxMode,
    #[serde(flatten)]
    pub two_factor: Option<TwoFactor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<Int>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// 关联企业: one of the two.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    CreditCode(String),
    CustomerId(String),
}

/// The amount: one of the two, never both (P05).
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// 纳税人实到税后收入.
    Profit(Money),
    /// 企业应付金额.
    PayAmount(Money),
}

/// 确认代征订单 (000 §2.5). CONTINUE cannot be revoked.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmOrder {
    pub order_id: ProviderOrderId,
    /// 纳税义务发生时间. Required for CANCEL too, where it is the decision time (P32).
    #[serde(serialize_with = "beijing")]
    pub arising_time: Time,
    pub next_step: NextStep,
}

/// 批量查询签约记录 (000 §2.6). A new `batch_no` for every attempt (P51).
#[derive(Debug, Clone, Serialize)]
pub struct QuerySignUpBatch {
    pub batch_no: String,
    pub batch_details: Vec<SignUpKey>,
}

/// Whose agreement with whom; without a party, with Olading.
#[derive(Debug, Clone, Serialize)]
pub struct SignUpKey {
    #[serde(serialize_with = "expose")]
    pub id_card: IdCard,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_agent_parent_id: Option<Int>,
}

/// 查询代征订单 (000 §2.7).
#[derive(Debug, Clone, Serialize)]
pub struct QueryOrder {
    pub request_id: RequestId,
    /// Not sent: the answer must be about this person (I26).
    #[serde(skip)]
    pub id_card: Option<IdCard>,
}

/// 上传企业纳税人协议 (000 §2.8).
#[derive(Debug, Clone, Serialize)]
pub struct UploadTaxpayerAgreement {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card: IdCard,
    #[serde(serialize_with = "expose")]
    pub name: PersonName,
    #[serde(serialize_with = "expose")]
    pub cellphone: Cellphone,
    #[serde(flatten)]
    pub contract: Contract,
    /// Never reusable, not even after a failure (P63).
    pub contract_id: String,
    pub file_data: File,
}

/// 协议类型 (000 §3.7), each with the id it requires.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "contract_type")]
pub enum Contract {
    /// 授权协议.
    #[serde(rename = "EMPOWER_PROTOCOL")]
    Empower { tax_agent_parent_id: Int },
    /// 代征协议.
    #[serde(rename = "SUBSTITUTES_PROTOCOL")]
    Substitutes { tax_agent_location_id: Int },
}

/// 上传个人代付凭证 (000 §2.9).
#[derive(Debug, Clone, Serialize)]
pub struct AddBankVoucher {
    pub order_id: ProviderOrderId,
    /// With the suffix `.pdf`.
    pub file_name: String,
    pub file: File,
}

/// 上传证件照片 (000 §2.10). The phone number is needed for the taxpayer to be created (R6).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadIdCardImage {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card_no: IdCard,
    #[serde(serialize_with = "expose")]
    pub real_name: PersonName,
    #[serde(serialize_with = "expose_some", skip_serializing_if = "Option::is_none")]
    pub cell_phone: Option<Cellphone>,
    #[serde(flatten)]
    pub upload: IdCardUpload,
}

/// 请求方式, with what it requires. `DIRECT` is the only one.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "uploadWay")]
pub enum IdCardUpload {
    #[serde(rename = "DIRECT", rename_all = "camelCase")]
    Direct { front_image: File, back_image: File },
}

/// 证件照处理结果查询 (000 §2.11).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryIdCardImage {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card_no: IdCard,
}

/// 活体认证文件上传 (000 §2.12).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadFaceidVideoFrame {
    pub request_id: RequestId,
    #[serde(serialize_with = "expose")]
    pub id_card_no: IdCard,
    #[serde(flatten)]
    pub face: Face,
}

/// One of the two, the video preferred (000 §2.12 R3).
#[derive(Debug, Clone, Serialize)]
pub enum Face {
    /// mp4, avi or flv.
    #[serde(rename = "videoBase64")]
    Video(File),
    /// jpg.
    #[serde(rename = "frameBase64")]
    Frame(File),
}
