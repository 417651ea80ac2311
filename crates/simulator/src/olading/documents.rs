//! Uploads (000 §2.8–§2.12): the plain, correct behaviour. Files are judged by their first bytes and kept as digests.

use super::book::{Image, Upload};
use super::check::text;
use super::codec::base64_bytes;
use super::{Call, Done, Outcome, accepted, read, refused};
use crate::agenda::Event;
use crate::ledger::{DocumentTruth, Effect, fingerprint, sha256};
use crate::sim::Sim;
use crate::switches::Judgement;
use serde_json::{Value, json};

impl Sim {
    /// UPLOAD_TAXPAYER_AGREEMENT: a `contract_id` is never used again (P63).
    pub(super) fn upload_agreement(&mut self, call: &Call) -> Outcome {
        let contract_id = text(&call.data, "contract_id").unwrap_or_default();
        let file = file(call, "file_data");
        let digest = sha256(&file);
        let key = (call.client.clone(), contract_id.clone());
        if let Some(known) = self.book.uploads.get(&key) {
            if known.request_id != call.id || known.sha256 != digest {
                return Err(refused(&self.config.switches.codes.duplicate_contract_id, "协议唯一标识重复"));
            }
            return Ok(Done { data: agreement(known, &contract_id), effect: Effect::Duplicate });
        }
        if !file.starts_with(b"%PDF") || self.config.switches.papers == Judgement::BadAtOnce {
            let data = json!({ "request_id": call.id, "status": "FAIL", "contract_id": contract_id });
            return Ok(Done { data, effect: Effect::Refused });
        }
        let file_id = format!("F{:012}", self.book.documents.len() + 1);
        let upload = Upload { request_id: call.id.clone(), sha256: digest, file_id, status: "ACCEPT" };
        let data = agreement(&upload, &contract_id);
        self.keep(call, &contract_id, "ACCEPT", &file);
        self.book.uploads.insert(key, upload);
        let at = self.after(self.config.timings.person);
        self.agenda.put(at, Event::AgreementStored { client: call.client.clone(), contract_id });
        accepted(data)
    }

    pub(crate) fn agreement_stored(&mut self, client: String, contract_id: String) {
        let bad = self.config.switches.papers == Judgement::BadLater;
        let Some(upload) = self.book.uploads.get_mut(&(client.clone(), contract_id.clone())) else { return };
        upload.status = if bad { "FAIL" } else { "SUCCESS" };
        let data = agreement(upload, &contract_id);
        self.announce(&client, "UPLOAD_TAXPAYER_AGREEMENT", data);
    }

    /// ADD_BANK_VOUCHER: `SUCCESS` or `FALSE` (P66).
    pub(super) fn add_voucher(&mut self, call: &Call) -> Outcome {
        if self.own_remit(&call.client, &call.id).is_none() {
            return Err(refused(&self.config.switches.codes.order_not_found, "订单不存在"));
        }
        let file = file(call, "file");
        let good = file.starts_with(b"%PDF");
        self.stored(call, "order_id", &call.id.clone(), good, &file)
    }

    /// UPLOAD_ID_CARD_IMAGE: a picture already there is success at once (R3, P61).
    pub(super) fn upload_image(&mut self, call: &Call) -> Outcome {
        let id_card = text(&call.data, "idCardNo").unwrap_or_default();
        let answer = |status: &str| json!({ "requestId": call.id, "status": status });
        let known = self.knows_person(&call.client, &id_card);
        let by_phone = self.config.switches.taxpayer_by_phone && call.data.contains_key("cellPhone");
        if !known && !by_phone {
            // R1 and R6: nobody signed, and without a phone number no taxpayer is created.
            return Ok(Done { data: answer("NULL"), effect: Effect::Refused });
        }
        let key = (call.client.clone(), id_card.clone());
        if let Some(image) = self.book.images.get(&key).filter(|image| image.status != FAILED) {
            return Ok(Done { data: answer(image.status), effect: Effect::Duplicate });
        }
        if self.config.switches.papers == Judgement::BadAtOnce {
            return Ok(Done { data: answer(FAILED), effect: Effect::Refused });
        }
        self.book.images.insert(key, Image { request_id: call.id.clone(), status: "ACCEPT" });
        self.keep(call, &fingerprint(&id_card), "ACCEPT", &file(call, "frontImage"));
        let at = self.after(self.config.timings.person);
        self.agenda.put(at, Event::ImageJudged { client: call.client.clone(), id_card });
        accepted(answer("ACCEPT"))
    }

    pub(crate) fn image_judged(&mut self, client: String, id_card: String) {
        let bad = self.config.switches.papers == Judgement::BadLater;
        let Some(image) = self.book.images.get_mut(&(client.clone(), id_card)) else { return };
        image.status = if bad { FAILED } else { "IDENTIFY_SUCCESS" };
        let data = judged(&image.request_id, image.status);
        self.announce(&client, "UPLOAD_ID_CARD_IMAGE", data);
    }

    /// QUERY_ID_CARD_IMAGE: `NULL` is a literal four-letter word (P62).
    pub(super) fn query_image(&mut self, call: &Call) -> Outcome {
        let id_card = text(&call.data, "idCardNo").unwrap_or_default();
        let image = self.book.images.get(&(call.client.clone(), id_card.clone()));
        let absent = if self.knows_person(&call.client, &id_card) { "UN_IDENTIFY" } else { "NULL" };
        read(judged(&call.id, image.map_or(absent, |image| image.status)))
    }

    /// UPLOAD_FACEID_VIDEO_FRAME: the video is preferred (R3).
    pub(super) fn upload_face(&mut self, call: &Call) -> Outcome {
        let id_card = text(&call.data, "idCardNo").unwrap_or_default();
        let video = call.data.contains_key("videoBase64");
        let file = file(call, if video { "videoBase64" } else { "frameBase64" });
        let good = if video { is_video(&file) } else { file.starts_with(&[0xff, 0xd8, 0xff]) };
        self.stored(call, "requestId", &fingerprint(&id_card), good, &file)
    }

    /// The answer of the two uploads that are judged at once.
    fn stored(&mut self, call: &Call, key_field: &str, subject: &str, good: bool, file: &[u8]) -> Outcome {
        let good = good && self.config.switches.papers == Judgement::Good;
        let status = if good { "SUCCESS" } else { "FALSE" };
        let (name, digest) = (call.operation.name(), sha256(file));
        // The identical upload again is harmless (safety.md §15.14).
        let known = |it: &DocumentTruth| {
            it.client == call.client && it.operation == name && it.id == subject && it.sha256 == digest
        };
        let effect = match (good, self.book.documents.iter().any(known)) {
            (false, _) => Effect::Refused,
            (true, true) => Effect::Duplicate,
            (true, false) => {
                self.keep(call, subject, status, file);
                Effect::Accepted
            }
        };
        Ok(Done { data: json!({ key_field: call.id, "status": status }), effect })
    }

    fn keep(&mut self, call: &Call, id: &str, status: &str, file: &[u8]) {
        self.book.documents.push(DocumentTruth {
            client: call.client.clone(),
            operation: call.operation.name().to_owned(),
            id: id.to_owned(),
            at: self.now,
            status: status.to_owned(),
            sha256: sha256(file),
        });
    }
}

const FAILED: &str = "IDENTIFY_FAIL";

/// The decoded file of a field; the door has seen that it is base64.
fn file(call: &Call, field: &str) -> Vec<u8> {
    text(&call.data, field).and_then(|text| base64_bytes(&text)).unwrap_or_default()
}

/// 证照处理状态, with its reason where there is one.
fn judged(request_id: &str, status: &str) -> Value {
    let mut data = json!({ "requestId": request_id, "status": status });
    if status == FAILED {
        data["failReason"] = json!("照片不清晰");
    }
    data
}

fn agreement(upload: &Upload, contract_id: &str) -> Value {
    json!({ "request_id": upload.request_id, "status": upload.status, "contract_id": contract_id, "file_id": upload.file_id })
}

/// mp4, avi or flv by their first bytes.
fn is_video(file: &[u8]) -> bool {
    file.get(4..8) == Some(b"ftyp") || file.starts_with(b"RIFF") || file.starts_with(b"FLV")
}
