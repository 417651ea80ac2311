//! Olading (阿拉钉) 代征 v2.13: its eleven operations, each with its path, its effect class and the ids its answer must repeat. The
//! twelfth interface of the document (000 §2.4) is a callback only.
//!
//! The document is `seeds/000`, cited by section; `protocols.md` §1 is the reading of it. An operation *is* its request: send it
//! with [`Client::send`].

pub mod lenient;
pub mod wire;
pub mod settings;
pub mod limits;
pub mod codec;
pub mod client;
mod levy;
mod people;
mod papers;
pub mod callback;

pub use client::{Call, Client};
pub use settings::Settings;

use crate::Descriptor;
use codec::Echo;
use domain::effect::{Described, Effect, Keyed, Query, VerifyThenRetry};
use limits::Limited;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{
    AddBankVoucher, AgreementAnswer, ConfirmOrder, ConfirmOrderAnswer, CreateOrder, CreateOrderAnswer, Face,
    FaceAnswer, IdCardUpload, ImageAnswer, OrderLook, QueryIdCardImage, QueryOrder, QuerySignUpBatch, SignUp,
    SignUpAnswer, SignUpBatchAnswer, SyncSign, SyncSignAnswer, UploadFaceidVideoFrame, UploadIdCardImage,
    UploadTaxpayerAgreement, VoucherAnswer,
};

/// One interface of the document.
pub trait Operation: Described + Serialize + Limited {
    /// Belongs to the interface; a right call to the wrong path fails silently (P52).
    const PATH: &'static str;
    type Answer: DeserializeOwned;

    /// The ids its answer must repeat.
    fn echoes(&self) -> Vec<Echo<'_>>;

    /// What "no such order" answers, where that is an answer.
    fn absent() -> Option<Self::Answer> {
        None
    }

    /// Whether the account's codes "not signed" and "monthly cap" refuse it.
    const CREATES: bool = false;

    /// As its exchange is kept, where that is not as it was sent: the contents of files are in the store already.
    fn kept(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// All of them, in the order of the document.
pub const OPERATIONS: [Descriptor; 11] = [
    describe::<SyncSign>(),
    describe::<SignUp>(),
    describe::<CreateOrder>(),
    describe::<ConfirmOrder>(),
    describe::<QuerySignUpBatch>(),
    describe::<QueryOrder>(),
    describe::<UploadTaxpayerAgreement>(),
    describe::<AddBankVoucher>(),
    describe::<UploadIdCardImage>(),
    describe::<QueryIdCardImage>(),
    describe::<UploadFaceidVideoFrame>(),
];

const TAX: &str = "/api/tax/v1";
const LEVY: &str = "/api/levy/v1";

const fn describe<O: Operation>() -> Descriptor {
    Descriptor { name: O::NAME, path: O::PATH, class: <O::Effect as Effect>::CLASS }
}

/// Our words for its operations; `None` for those of others.
pub(crate) const fn performs(operation: domain::Operation) -> Option<Descriptor> {
    match operation {
        domain::Operation::CreateOrder => Some(describe::<CreateOrder>()),
        domain::Operation::FindOrder => Some(describe::<QueryOrder>()),
        domain::Operation::DecideRemit => Some(describe::<ConfirmOrder>()),
        domain::Operation::Invite => Some(describe::<SyncSign>()),
        domain::Operation::SignUp => Some(describe::<SignUp>()),
        domain::Operation::FindSignUps => Some(describe::<QuerySignUpBatch>()),
        domain::Operation::SubmitAgreement => Some(describe::<UploadTaxpayerAgreement>()),
        domain::Operation::SubmitVoucher => Some(describe::<AddBankVoucher>()),
        domain::Operation::SubmitIdCard => Some(describe::<UploadIdCardImage>()),
        domain::Operation::FindIdCard => Some(describe::<QueryIdCardImage>()),
        domain::Operation::SubmitFace => Some(describe::<UploadFaceidVideoFrame>()),
        domain::Operation::BareCreate | domain::Operation::BareConfirm => None,
    }
}

impl Described for SyncSign {
    const NAME: &'static str = "SYNC_SIGN";
    type Effect = VerifyThenRetry<QuerySignUpBatch>;
}

impl Operation for SyncSign {
    const PATH: &'static str = TAX;
    type Answer = SyncSignAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("request_id", self.request_id.as_str())]
    }
}

impl Described for SignUp {
    const NAME: &'static str = "SIGN_UP";
    type Effect = VerifyThenRetry<QuerySignUpBatch>;
}

impl Operation for SignUp {
    const PATH: &'static str = LEVY;
    type Answer = SignUpAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id_card("id_card", &self.id_card)]
    }
}

impl Described for CreateOrder {
    const NAME: &'static str = "CREATE_ORDER_V2";
    type Effect = VerifyThenRetry<QueryOrder>;
}

impl Operation for CreateOrder {
    const PATH: &'static str = LEVY;
    type Answer = CreateOrderAnswer;
    const CREATES: bool = true;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("request_id", self.request_id.as_str())]
    }
}

impl Described for ConfirmOrder {
    const NAME: &'static str = "CONFIRM_ORDER_V2";
    type Effect = VerifyThenRetry<QueryOrder>;
}

impl Operation for ConfirmOrder {
    const PATH: &'static str = LEVY;
    type Answer = ConfirmOrderAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("order_id", self.order_id.as_str())]
    }
}

impl Described for QuerySignUpBatch {
    const NAME: &'static str = "QUERY_SIGN_UP_BATCH";
    type Effect = Query;
}

impl Operation for QuerySignUpBatch {
    const PATH: &'static str = LEVY;
    type Answer = SignUpBatchAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("batch_no", &self.batch_no)]
    }
}

impl Described for QueryOrder {
    const NAME: &'static str = "QUERY_ORDER_V2";
    type Effect = Query;
}

impl Operation for QueryOrder {
    const PATH: &'static str = LEVY;
    type Answer = OrderLook;
    fn echoes(&self) -> Vec<Echo<'_>> {
        let person = self.id_card.as_ref().map(|card| Echo::id_card("id_card", card).if_shown());
        [Echo::id("request_id", self.request_id.as_str())].into_iter().chain(person).collect()
    }
    fn absent() -> Option<OrderLook> {
        Some(OrderLook::Absent)
    }
}

impl Described for UploadTaxpayerAgreement {
    /// Printed with a space for the second underscore (000 §2.8).
    const NAME: &'static str = "UPLOAD_TAXPAYER_AGREEMENT";
    type Effect = Keyed;
}

impl Operation for UploadTaxpayerAgreement {
    const PATH: &'static str = LEVY;
    type Answer = AgreementAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("request_id", self.request_id.as_str()), Echo::id("contract_id", &self.contract_id)]
    }
    fn kept(&self) -> Option<Self> {
        Some(Self { file_data: self.file_data.named(), ..self.clone() })
    }
}

impl Described for AddBankVoucher {
    const NAME: &'static str = "ADD_BANK_VOUCHER";
    type Effect = Keyed;
}

impl Operation for AddBankVoucher {
    const PATH: &'static str = LEVY;
    type Answer = VoucherAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("order_id", self.order_id.as_str())]
    }
    fn kept(&self) -> Option<Self> {
        Some(Self { file: self.file.named(), ..self.clone() })
    }
}

impl Described for UploadIdCardImage {
    const NAME: &'static str = "UPLOAD_ID_CARD_IMAGE";
    type Effect = VerifyThenRetry<QueryIdCardImage>;
}

impl Operation for UploadIdCardImage {
    const PATH: &'static str = TAX;
    type Answer = ImageAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("requestId", self.request_id.as_str())]
    }
    fn kept(&self) -> Option<Self> {
        let IdCardUpload::Direct { front_image, back_image } = &self.upload;
        let upload = IdCardUpload::Direct { front_image: front_image.named(), back_image: back_image.named() };
        Some(Self { upload, ..self.clone() })
    }
}

impl Described for QueryIdCardImage {
    const NAME: &'static str = "QUERY_ID_CARD_IMAGE";
    type Effect = Query;
}

impl Operation for QueryIdCardImage {
    const PATH: &'static str = TAX;
    type Answer = ImageAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("requestId", self.request_id.as_str())]
    }
}

impl Described for UploadFaceidVideoFrame {
    const NAME: &'static str = "UPLOAD_FACEID_VIDEO_FRAME";
    type Effect = Keyed;
}

impl Operation for UploadFaceidVideoFrame {
    const PATH: &'static str = LEVY;
    type Answer = FaceAnswer;
    fn echoes(&self) -> Vec<Echo<'_>> {
        vec![Echo::id("requestId", self.request_id.as_str())]
    }
    fn kept(&self) -> Option<Self> {
        let face = match &self.face {
            Face::Video(file) => Face::Video(file.named()),
            Face::Frame(file) => Face::Frame(file.named()),
        };
        Some(Self { face, ..self.clone() })
    }
}

#[cfg(test)]
mod trial;
#[cfg(test)]
mod tests;
