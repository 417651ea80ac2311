//! Every printed length, size and count, checked before anything is sent: the refusal then names the field, which the provider's
//! `0002` does not. Lengths count characters, not bytes (P11); sizes of files as the account says (P56).

use super::lenient::{File, Int};
use super::settings::{FileSizeBasis, Settings};
use super::wire::{
    AddBankVoucher, Agreement, Asked, ConfirmOrder, CreateOrder, Customer, Face, IdCardUpload, QueryIdCardImage,
    QueryOrder, QuerySignUpBatch, SignUp, SyncSign, UploadFaceidVideoFrame, UploadIdCardImage, UploadTaxpayerAgreement,
};
use domain::papers::{Bounds, FileKind};
use domain::{Money, PersonName};

/// The field that breaks a limit, by its wire name, and how. Never contains the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct LimitBroken {
    pub field: &'static str,
    pub problem: String,
}

type Checked = Result<(), LimitBroken>;

/// A request that knows its limits. Agent ids (20 digits), request and order ids, ID numbers, cards and phones are within theirs
/// by type.
pub trait Limited {
    fn check(&self, settings: &Settings) -> Result<(), LimitBroken>;
}

/// Most rows of one QUERY_SIGN_UP_BATCH (000 §2.6).
pub const BATCH_MAX: usize = 500;

const MIB: usize = 1024 * 1024;
const PDF_MAX: usize = 10 * MIB;
const ID_CARD_PICTURE_MAX: usize = MIB;
const VIDEO_MAX: usize = 15 * MIB;
const FRAME_MAX: usize = 5 * MIB;

const NAME_MAX: usize = 10;
const CREDIT_CODE_MAX: usize = 20;
const CUSTOMER_ID_MAX: usize = 50;

/// The most that the document allows of a file (000 §2.8 to §2.12). It says "MB" without saying of what: the account says (P56).
pub(crate) fn bounds(kind: FileKind, settings: &Settings) -> Bounds {
    let bytes = match kind {
        FileKind::Agreement => PDF_MAX as u64,
        FileKind::BankVoucher => u64::from(settings.voucher_max_bytes),
        FileKind::IdCardFront | FileKind::IdCardBack => ID_CARD_PICTURE_MAX as u64,
        FileKind::FaceVideo => VIDEO_MAX as u64,
        FileKind::FaceFrame => FRAME_MAX as u64,
    };
    Bounds { bytes, base64: settings.file_size_basis == FileSizeBasis::Base64 }
}

impl Limited for SyncSign {
    fn check(&self, _: &Settings) -> Checked {
        name("real_name", &self.real_name)
    }
}

impl Limited for SignUp {
    fn check(&self, _: &Settings) -> Checked {
        name("name", &self.name)?;
        match &self.agreement {
            Agreement::Olading { credit_code: None } => {}
            Agreement::Olading { credit_code: Some(code) } | Agreement::Party { credit_code: code, .. } => {
                chars("credit_code", code, CREDIT_CODE_MAX)?;
            }
        }
        self.customer_id.as_ref().map_or(Ok(()), |id| chars("customer_id", id, CUSTOMER_ID_MAX))
    }
}

impl Limited for CreateOrder {
    fn check(&self, _: &Settings) -> Checked {
        name("name", &self.name)?;
        match &self.customer {
            Customer::CreditCode(code) => chars("credit_code", code, CREDIT_CODE_MAX)?,
            Customer::CustomerId(id) => chars("customer_id", id, CUSTOMER_ID_MAX)?,
        }
        match self.asked {
            Asked::Profit(money) => above_zero("profit", money)?,
            Asked::PayAmount(money) => above_zero("pay_amount", money)?,
        }
        self.task_id.map_or(Ok(()), |id| digits("task_id", id, 10))?;
        self.remark.as_ref().map_or(Ok(()), |text| chars("remark", text, 100))
    }
}

impl Limited for ConfirmOrder {
    fn check(&self, _: &Settings) -> Checked {
        Ok(())
    }
}

impl Limited for QuerySignUpBatch {
    fn check(&self, _: &Settings) -> Checked {
        chars("batch_no", &self.batch_no, 32)?;
        match self.batch_details.len() {
            1..=BATCH_MAX => Ok(()),
            count => broken("batch_details", format!("has {count} entries; the provider takes 1 to {BATCH_MAX}")),
        }
    }
}

impl Limited for QueryOrder {
    fn check(&self, _: &Settings) -> Checked {
        Ok(())
    }
}

impl Limited for UploadTaxpayerAgreement {
    fn check(&self, settings: &Settings) -> Checked {
        name("name", &self.name)?;
        chars("contract_id", &self.contract_id, 50)?;
        pdf("file_data", &self.file_data, PDF_MAX, settings)
    }
}

impl Limited for AddBankVoucher {
    fn check(&self, settings: &Settings) -> Checked {
        chars("file_name", &self.file_name, 30)?;
        kind("file_name", self.file_name.to_ascii_lowercase().ends_with(".pdf"), "a name with the suffix .pdf")?;
        pdf("file", &self.file, usize::try_from(settings.voucher_max_bytes).unwrap_or(usize::MAX), settings)
    }
}

impl Limited for UploadIdCardImage {
    fn check(&self, settings: &Settings) -> Checked {
        name("realName", &self.real_name)?;
        let IdCardUpload::Direct { front_image, back_image } = &self.upload;
        bytes("frontImage", front_image, ID_CARD_PICTURE_MAX, settings)?;
        bytes("backImage", back_image, ID_CARD_PICTURE_MAX, settings)
    }
}

impl Limited for QueryIdCardImage {
    fn check(&self, _: &Settings) -> Checked {
        Ok(())
    }
}

impl Limited for UploadFaceidVideoFrame {
    fn check(&self, settings: &Settings) -> Checked {
        match &self.face {
            Face::Video(file) => {
                bytes("videoBase64", file, VIDEO_MAX, settings)?;
                kind("videoBase64", is_video(&file.0), "an mp4, avi or flv file")
            }
            Face::Frame(file) => {
                bytes("frameBase64", file, FRAME_MAX, settings)?;
                kind("frameBase64", file.0.starts_with(b"\xff\xd8\xff"), "a jpg file")
            }
        }
    }
}

fn broken(field: &'static str, problem: String) -> Checked {
    Err(LimitBroken { field, problem })
}

fn chars(field: &'static str, text: &str, most: usize) -> Checked {
    match text.chars().count() {
        0 => broken(field, "is empty".to_owned()),
        count if count > most => broken(field, format!("has {count} characters; the provider takes at most {most}")),
        _ => Ok(()),
    }
}

fn name(field: &'static str, name: &PersonName) -> Checked {
    chars(field, name.expose(), NAME_MAX)
}

fn digits(field: &'static str, id: Int, most: usize) -> Checked {
    match id.digits() {
        count if count > most => broken(field, format!("has {count} digits; the provider takes at most {most}")),
        _ => Ok(()),
    }
}

fn above_zero(field: &'static str, money: Money) -> Checked {
    if money == Money::ZERO { broken(field, "is zero".to_owned()) } else { Ok(()) }
}

fn bytes(field: &'static str, file: &File, most: usize, settings: &Settings) -> Checked {
    let count = match settings.file_size_basis {
        FileSizeBasis::File => file.0.len(),
        FileSizeBasis::Base64 => file.0.len().div_ceil(3) * 4,
    };
    match count {
        0 => broken(field, "is empty".to_owned()),
        count if count > most => broken(field, format!("has {count} bytes; the provider takes at most {most}")),
        _ => Ok(()),
    }
}

fn kind(field: &'static str, is_it: bool, what: &str) -> Checked {
    if is_it { Ok(()) } else { broken(field, format!("is not {what}")) }
}

fn pdf(field: &'static str, file: &File, most: usize, settings: &Settings) -> Checked {
    bytes(field, file, most, settings)?;
    kind(field, file.0.starts_with(b"%PDF-"), "a PDF file")
}

/// By its container, not by its name (security.md §5).
fn is_video(file: &[u8]) -> bool {
    let mp4 = file.get(4..8) == Some(b"ftyp");
    let avi = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"AVI ");
    mp4 || avi || file.starts_with(b"FLV")
}

#[cfg(test)]
mod tests;
