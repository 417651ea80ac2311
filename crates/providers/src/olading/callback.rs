//! 异步通知 (000 §1.1.3). A callback has no timestamp, nonce or id, one key signs both directions, and it looks like an answer:
//! replay and reflection are free (TR1). Hence it is a hint and nothing else; the engine asks.

use super::client::Client;
use super::codec::unform;
use super::lenient::{SignStatus, Stamp, Text};
use super::papers::{pictured, uploaded};
use super::wire::{AgreementAnswer, CloseNotice, ImageAnswer, OrderNotice, SignUpNotice, SyncSignNotice};
use crate::{Received, Rejected};
use domain::RequestId;
use domain::levy::Hint;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Longest body that is read.
pub const BODY_MAX: usize = 64 * 1024;

/// The acknowledgement, byte for byte (P44).
pub const ACK: &str = "SUCCESS";

/// What a verified callback says, by its name. Only the third is a callback in print; that the others carry the name of their
/// interface follows the sample of 000 §1.1.3.
#[derive(Debug, Clone)]
pub enum Notice {
    SyncSign(SyncSignNotice),
    SignUp(SignUpNotice),
    CloseOrder(CloseNotice),
    CreateOrder(OrderNotice),
    UploadAgreement(AgreementAnswer),
    UploadIdCardImage(ImageAnswer),
}

/// The names taken for callbacks; an answer of another call, replayed, is none.
const NAMES: [&str; 6] = [
    "SYNC_SIGN",
    "SIGN_UP",
    "CREATE_ORDER_V2",
    "CLOSE_ORDER_NOTICE",
    "UPLOAD_TAXPAYER_AGREEMENT",
    "UPLOAD_ID_CARD_IMAGE",
];

impl Notice {
    /// `None` when the data is not what the document describes.
    pub fn read(name: &str, data: &str) -> Option<Self> {
        match name {
            "SYNC_SIGN" => serde_json::from_str(data).ok().map(Self::SyncSign),
            "SIGN_UP" => serde_json::from_str(data).ok().map(Self::SignUp),
            "CREATE_ORDER_V2" => serde_json::from_str(data).ok().map(Self::CreateOrder),
            "CLOSE_ORDER_NOTICE" => serde_json::from_str(data).ok().map(Self::CloseOrder),
            "UPLOAD_TAXPAYER_AGREEMENT" => serde_json::from_str(data).ok().map(Self::UploadAgreement),
            "UPLOAD_ID_CARD_IMAGE" => serde_json::from_str(data).ok().map(Self::UploadIdCardImage),
            _ => None,
        }
    }

    /// What to ask about. A notice of an order that is not ours by its id's shape gives none.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Notice::CreateOrder(notice) => Some(Hint::OrderChanged { request_id: request_id(&notice.request_id)? }),
            Notice::CloseOrder(notice) => {
                let request_id = request_id(&notice.request_id)?;
                Some(match &notice.tax_agent_location_id {
                    Some(location) => Hint::Closed {
                        request_id,
                        tax_agent_location_id: location.clone(),
                        close_time: notice.close_time.map(|Stamp(at)| at),
                    },
                    None => Hint::OrderChanged { request_id },
                })
            }
            Notice::SyncSign(notice) => {
                let signed = match notice.status {
                    SignStatus::Signed => true,
                    SignStatus::Unsigned => false,
                    SignStatus::Accepted | SignStatus::Unknown(_) => return None,
                };
                Some(Hint::SignUpEnded { request_id: request_id(&notice.request_id)?, signed })
            }
            Notice::UploadAgreement(notice) => Some(Hint::PaperJudged {
                request_id: request_id(&notice.request_id)?,
                seen: uploaded(notice.status.clone()),
            }),
            Notice::UploadIdCardImage(notice) => {
                Some(Hint::PaperJudged { request_id: request_id(&notice.request_id)?, seen: pictured(notice.clone()) })
            }
            // Names nobody that could be asked about: it is found by the next look (P50).
            Notice::SignUp(_) => None,
        }
    }
}

/// The hint of a callback. Whatever else of an order's notice cannot be read, its order is asked about: nothing that is
/// acknowledged may wake nobody.
fn hint(name: &str, data: &str) -> Option<Hint> {
    if let Some(notice) = Notice::read(name, data) {
        return notice.hint();
    }
    if !matches!(name, "CREATE_ORDER_V2" | "CLOSE_ORDER_NOTICE") {
        return None;
    }
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(data).ok()?;
    let id: Text = serde_json::from_str(fields.get("request_id")?.get()).ok()?;
    Some(Hint::OrderChanged { request_id: request_id(&id)? })
}

fn request_id(text: &Text) -> Option<RequestId> {
    RequestId::try_from(text.as_str().to_owned()).ok()
}

impl Client {
    /// Verifies before it reads: nothing of an unverified body is looked at but its two parameters.
    pub(crate) fn receive(&self, body: &[u8]) -> Result<Received, Rejected> {
        if body.len() > BODY_MAX {
            return Err(Rejected::TooLarge);
        }
        let (req, sign) = unform(body).ok_or(Rejected::Malformed("not one req and one sign"))?;
        if !self.codec.verify(req.as_bytes(), &sign) {
            tracing::warn!(account = self.account, "callback with a bad signature");
            return Err(Rejected::BadSignature);
        }
        // A map, not a struct: a key given twice must not lose a callback (P73 shows a provider that does so).
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(&req).map_err(|_| Rejected::Malformed("req is no object"))?;
        if fields.contains_key("client_key") {
            return Err(Rejected::Reflected);
        }
        let name = fields.get("name").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let name = name.ok_or(Rejected::Malformed("req has no name"))?;
        if !NAMES.contains(&name.as_str()) {
            return Err(Rejected::UnknownName);
        }
        let hint = fields.get("data").and_then(|data| hint(&name, data.get()));
        Ok(Received { name, hint, digest: Sha256::digest(body).into(), ack: ACK })
    }
}

#[cfg(test)]
mod tests;
