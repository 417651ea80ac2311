//! What a process may ask of a provider, and what it may be told, in our own words. Adapters translate; the engine carries.

use crate::effect::EffectClass;
use crate::levy::{NextStep, OrderSeen, Terms};
use crate::papers::{FileRef, Paper, PaperSeen};
use crate::people::{SignSeen, SignUpKey};
use crate::{ProviderOrderId, RequestId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The lane group of calls that carry files.
pub const UPLOADS: &str = "upload";

/// A named operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    CreateOrder,
    FindOrder,
    DecideRemit,
    /// The invitation to sign under an id of ours.
    Invite,
    /// The invitation to sign that has none.
    SignUp,
    FindSignUps,
    SubmitAgreement,
    SubmitVoucher,
    SubmitIdCard,
    FindIdCard,
    SubmitFace,
    BareCreate,
    BareConfirm,
}

impl Operation {
    pub const ALL: [Operation; 13] = [
        Operation::CreateOrder,
        Operation::FindOrder,
        Operation::DecideRemit,
        Operation::Invite,
        Operation::SignUp,
        Operation::FindSignUps,
        Operation::SubmitAgreement,
        Operation::SubmitVoucher,
        Operation::SubmitIdCard,
        Operation::FindIdCard,
        Operation::SubmitFace,
        Operation::BareCreate,
        Operation::BareConfirm,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Operation::CreateOrder => "create_order",
            Operation::FindOrder => "find_order",
            Operation::DecideRemit => "decide_remit",
            Operation::Invite => "invite",
            Operation::SignUp => "sign_up",
            Operation::FindSignUps => "find_sign_ups",
            Operation::SubmitAgreement => "submit_agreement",
            Operation::SubmitVoucher => "submit_voucher",
            Operation::SubmitIdCard => "submit_id_card",
            Operation::FindIdCard => "find_id_card",
            Operation::SubmitFace => "submit_face",
            Operation::BareCreate => "bare_create",
            Operation::BareConfirm => "bare_confirm",
        }
    }

    /// The lane group it shares a rate limit and a breaker with: a flood of creates must not starve queries of what is in doubt.
    pub fn group(self) -> &'static str {
        match self {
            Operation::CreateOrder | Operation::BareCreate => "create",
            Operation::FindOrder | Operation::FindIdCard => "query",
            Operation::DecideRemit | Operation::BareConfirm => "decide",
            Operation::Invite | Operation::SignUp => "sign",
            Operation::FindSignUps => "sign_query",
            // Megabytes: they must not stand in the way of anything else (P64).
            Operation::SubmitAgreement | Operation::SubmitVoucher | Operation::SubmitIdCard | Operation::SubmitFace => {
                UPLOADS
            }
        }
    }

    pub fn class(self) -> EffectClass {
        match self {
            Operation::CreateOrder
            | Operation::DecideRemit
            | Operation::Invite
            | Operation::SignUp
            | Operation::SubmitIdCard => EffectClass::VerifyThenRetry,
            Operation::FindOrder | Operation::FindSignUps | Operation::FindIdCard => EffectClass::Query,
            Operation::SubmitAgreement
            | Operation::SubmitVoucher
            | Operation::SubmitFace
            | Operation::BareCreate
            | Operation::BareConfirm => EffectClass::Keyed,
        }
    }

    /// How many machines may share one call (000 §2.6: 500).
    pub fn batch(self) -> usize {
        match self {
            Operation::FindSignUps => 500,
            Operation::CreateOrder
            | Operation::FindOrder
            | Operation::DecideRemit
            | Operation::Invite
            | Operation::SignUp
            | Operation::SubmitAgreement
            | Operation::SubmitVoucher
            | Operation::SubmitIdCard
            | Operation::FindIdCard
            | Operation::SubmitFace
            | Operation::BareCreate
            | Operation::BareConfirm => 1,
        }
    }
}

/// One call a state wants. Holds ids, never personal data: the engine hands the person over at the send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    CreateOrder {
        request_id: RequestId,
        person: Uuid,
        terms: Terms,
    },
    FindOrder {
        request_id: RequestId,
        person: Uuid,
    },
    DecideRemit {
        order_id: ProviderOrderId,
        next_step: NextStep,
        arising_time: Time,
    },
    /// 商户签约; `party` is the 资质方 ID.
    Invite {
        request_id: RequestId,
        person: Uuid,
        party: Option<String>,
    },
    /// 签约 with the provider, or with a party.
    SignUp {
        person: Uuid,
        party: Option<String>,
        credit_code: Option<String>,
        customer_id: Option<String>,
    },
    /// 批量查询签约记录.
    FindSignUps {
        of: Vec<SignUpKey>,
    },
    /// Brings a paper. `request_id` is ours, and the same for ever; `person` is whose it is, where it is a person's.
    SubmitPaper {
        request_id: RequestId,
        person: Option<Uuid>,
        paper: Paper,
    },
    /// 证件照处理结果查询.
    FindIdCard {
        request_id: RequestId,
        person: Uuid,
    },
    Bare {
        step: BareStep,
        key: String,
    },
}

/// A call of the process that only measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BareStep {
    Create,
    Confirm,
}

impl Request {
    pub fn operation(&self) -> Operation {
        match self {
            Request::CreateOrder { .. } => Operation::CreateOrder,
            Request::FindOrder { .. } => Operation::FindOrder,
            Request::DecideRemit { .. } => Operation::DecideRemit,
            Request::Invite { .. } => Operation::Invite,
            Request::SignUp { .. } => Operation::SignUp,
            Request::FindSignUps { .. } => Operation::FindSignUps,
            Request::SubmitPaper { paper: Paper::Agreement { .. }, .. } => Operation::SubmitAgreement,
            Request::SubmitPaper { paper: Paper::Voucher { .. }, .. } => Operation::SubmitVoucher,
            Request::SubmitPaper { paper: Paper::IdCard { .. }, .. } => Operation::SubmitIdCard,
            Request::SubmitPaper { paper: Paper::Face { .. }, .. } => Operation::SubmitFace,
            Request::FindIdCard { .. } => Operation::FindIdCard,
            Request::Bare { step: BareStep::Create, .. } => Operation::BareCreate,
            Request::Bare { step: BareStep::Confirm, .. } => Operation::BareConfirm,
        }
    }

    /// One call in place of several; `None` where they cannot share one.
    pub fn together<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Option<Request> {
        let mut of = Vec::new();
        for request in requests {
            let Request::FindSignUps { of: keys } = request else { return None };
            of.extend(keys.iter().cloned());
        }
        Some(Request::FindSignUps { of })
    }

    /// The people whose data the call carries or compares, in its order.
    pub fn people(&self) -> Vec<Uuid> {
        match self {
            Request::CreateOrder { person, .. }
            | Request::FindOrder { person, .. }
            | Request::Invite { person, .. }
            | Request::SignUp { person, .. }
            | Request::FindIdCard { person, .. } => vec![*person],
            Request::FindSignUps { of } => of.iter().map(|key| key.person).collect(),
            Request::SubmitPaper { person, .. } => person.iter().copied().collect(),
            Request::DecideRemit { .. } | Request::Bare { .. } => Vec::new(),
        }
    }

    /// The files that the call carries, in its order.
    pub fn files(&self) -> Vec<&FileRef> {
        if let Request::SubmitPaper { paper, .. } = self { paper.files() } else { Vec::new() }
    }
}

/// What a verified answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    OrderAccepted {
        accept_time: Option<Time>,
    },
    OrderSeen(OrderSeen),
    /// The code the account's settings name as "no such order". Not proof by itself (P02).
    OrderAbsent,
    RemitDecided,
    /// `signed`: it had been signed before, and no callback follows (P49).
    SignUpTaken {
        signed: bool,
    },
    /// In the order of the question; a missing row says nothing (P51).
    SignUpsSeen(Vec<Option<SignSeen>>),
    PaperSeen(PaperSeen),
    BareDone,
}

impl Answer {
    /// What it says to one of those who asked together.
    pub fn part(&self, place: usize) -> Answer {
        match self {
            Answer::SignUpsSeen(seen) => Answer::SignUpsSeen(vec![seen.get(place).cloned().flatten()]),
            Answer::OrderAccepted { .. }
            | Answer::OrderSeen(_)
            | Answer::OrderAbsent
            | Answer::RemitDecided
            | Answer::SignUpTaken { .. }
            | Answer::PaperSeen(_)
            | Answer::BareDone => self.clone(),
        }
    }
}
