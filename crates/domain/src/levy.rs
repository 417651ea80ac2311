//! The levy order (代征订单) and its remits (打款订单) in our own words: what we ask for, and what a provider shows.

use crate::papers::PaperSeen;
use crate::{Money, ProviderOrderId, RequestId, Time};
use serde::{Deserialize, Serialize};

/// Which amount the platform fixed; the provider computes the other. Exactly one is ever sent (P05).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// 实到税后收入: what the person receives.
    Net(Money),
    /// 企业应付金额: what the enterprise pays in all.
    Gross(Money),
}

impl Asked {
    pub fn money(self) -> Money {
        match self {
            Asked::Net(m) | Asked::Gross(m) => m,
        }
    }
}

/// 开票模式.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaxMode {
    /// 普票: needs a task of the kind 直接发布.
    General,
    /// 专票: needs a task of the kind 委托发布.
    Special,
}

/// 关联企业: by its 统一社会信用代码 or by the provider's customer id; exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Customer {
    CreditCode(String),
    CustomerId(String),
}

/// The business content of a levy order, without the person. Ids the provider calls integers are kept as text: they exceed u64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub asked: Asked,
    pub tax_mode: TaxMode,
    /// 资质方 ID.
    pub tax_agent_parent_id: String,
    /// 资质所在地 ID; absent lets the provider split over several places.
    pub tax_agent_location_id: Option<String>,
    pub customer: Customer,
    pub task_id: Option<String>,
    pub remark: Option<String>,
}

/// 订单状态 as a provider shows it, unread: `Closed` has four meanings (P13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    Accepted,
    /// 正在创建内部系统订单: not "paying" (P16).
    Processing,
    Closed,
    /// A word in no table: parks with the raw value, never fails.
    Unknown(String),
}

/// 出款状态 as a provider shows it, unread: `Closed` has three meanings (P15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemitStatus {
    Accepted,
    Processing,
    Remitted,
    Closed,
    Unknown(String),
}

/// One remit as seen in an order's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemitSeen {
    pub provider_order_id: ProviderOrderId,
    pub tax_agent_location_id: String,
    /// 个人实得: what is to be paid to the person.
    pub amount: Money,
    /// 资质所在地服务费.
    pub fee: Money,
    /// 企业应付总金额.
    pub actual_amount: Money,
    /// 补缴服务费.
    pub compensate_fee: Money,
    /// 总服务费 = fee + compensate_fee.
    pub sum_fee: Money,
    pub status: RemitStatus,
}

/// A whole order as a query showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSeen {
    pub request_id: RequestId,
    pub status: OrderStatus,
    pub remits: Vec<RemitSeen>,
    pub fail_reason: Option<String>,
    pub accept_time: Option<Time>,
    /// 纳税义务发生时间; exists only after a confirmation.
    pub arising_time: Option<Time>,
    /// Whether the card on the provider's order is the payee's of ours; unknown when it was not shown (P54).
    pub same_card: Option<bool>,
}

/// `next_step` of a remit: write-once (S-E).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NextStep {
    /// Irrevocable: the tax is levied.
    Continue,
    /// The reserved quota is restored.
    Cancel,
}

impl NextStep {
    pub fn word(self) -> &'static str {
        match self {
            NextStep::Continue => "CONTINUE",
            NextStep::Cancel => "CANCEL",
        }
    }
}

/// What a verified callback says. A hint: it makes us ask, it moves nothing (I15, S-H).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// Something about this order changed.
    OrderChanged { request_id: RequestId },
    /// 自动关单通知. Carries no order id: the remit is found by its location (P41).
    Closed { request_id: RequestId, tax_agent_location_id: String, close_time: Option<Time> },
    /// 签约结果通知 of this invitation: whether the person has signed.
    SignUpEnded { request_id: RequestId, signed: bool },
    /// How this submission of a paper ended.
    PaperJudged { request_id: RequestId, seen: PaperSeen },
}

impl Hint {
    pub fn request_id(&self) -> &RequestId {
        match self {
            Hint::OrderChanged { request_id }
            | Hint::Closed { request_id, .. }
            | Hint::SignUpEnded { request_id, .. }
            | Hint::PaperJudged { request_id, .. } => request_id,
        }
    }
}
