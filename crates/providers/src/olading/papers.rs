//! Our words to Olading's and back: agreements, pictures, videos and vouchers.

use super::client::{Call, Client, invalid};
use super::lenient::{File, ImageStatus, UploadStatus};
use super::levy::{id, person_missing};
use super::limits::LimitBroken;
use super::wire::{
    AddBankVoucher, Contract, Face, IdCardUpload, ImageAnswer, QueryIdCardImage, UploadFaceidVideoFrame,
    UploadIdCardImage, UploadTaxpayerAgreement,
};
use crate::{Ask, Sent};
use domain::papers::{self, Paper, PaperSeen};
use domain::{Answer, Person, Refusal, RequestId, Verdict};

impl Client {
    pub(super) async fn submit(&self, request_id: &RequestId, paper: &Paper, ask: Ask<'_>, call: Call<'_>) -> Sent {
        let said = |seen| Verdict::Done(Answer::PaperSeen(seen));
        match (paper, ask.people, ask.files) {
            (Paper::Agreement { contract_id, contract, .. }, [person], [file]) => {
                match agreement(request_id, person, contract_id, contract, File(file.clone())) {
                    Ok(agreement) => {
                        let sent = self.send(&agreement, call).await;
                        self.duplicate(sent.map(|answer| said(uploaded(answer.status))))
                    }
                    Err(broken) => Sent::unsent(Verdict::Refused(broken.into())),
                }
            }
            (Paper::Voucher { order_id, file_name, .. }, [], [file]) => {
                let (order_id, file_name) = (order_id.clone(), file_name.clone());
                let voucher = AddBankVoucher { order_id, file_name, file: File(file.clone()) };
                self.send(&voucher, call).await.map(|answer| said(uploaded(answer.status)))
            }
            (Paper::IdCard { .. }, [person], [front, back]) => {
                let upload = IdCardUpload::Direct { front_image: File(front.clone()), back_image: File(back.clone()) };
                let pictures = UploadIdCardImage {
                    request_id: request_id.clone(),
                    id_card_no: person.id_card.clone(),
                    real_name: person.name.clone(),
                    // Without it the provider makes no taxpayer of the person (R6).
                    cell_phone: Some(person.cellphone.clone()),
                    upload,
                };
                self.send(&pictures, call).await.map(|answer| said(pictured(answer)))
            }
            (Paper::Face { video, .. }, [person], [file]) => {
                let file = File(file.clone());
                let face = if *video { Face::Video(file) } else { Face::Frame(file) };
                let live =
                    UploadFaceidVideoFrame { request_id: request_id.clone(), id_card_no: person.id_card.clone(), face };
                self.send(&live, call).await.map(|answer| said(uploaded(answer.status)))
            }
            (Paper::Voucher { .. }, ..) => Sent::unsent(Verdict::Refused(files_missing())),
            (_, [_], _) => Sent::unsent(Verdict::Refused(files_missing())),
            _ => Sent::unsent(Verdict::Refused(person_missing())),
        }
    }

    pub(super) async fn find_id_card(&self, request_id: &RequestId, ask: Ask<'_>, call: Call<'_>) -> Sent {
        let [person] = ask.people else { return Sent::unsent(Verdict::Refused(person_missing())) };
        let query = QueryIdCardImage { request_id: request_id.clone(), id_card_no: person.id_card.clone() };
        self.send(&query, call).await.map(|answer| Verdict::Done(Answer::PaperSeen(pictured(answer))))
    }

    /// The account's code "duplicate", of an interface without a query: its own id was taken before (P63).
    fn duplicate(&self, sent: Sent) -> Sent {
        let Verdict::Unsure(domain::Fault::UnknownCode(code)) = &sent.verdict else { return sent };
        if !self.says_duplicate(code) {
            return sent;
        }
        Sent { verdict: Verdict::Done(Answer::PaperSeen(PaperSeen::Duplicate)), exchange: sent.exchange }
    }
}

fn agreement(
    request_id: &RequestId,
    person: &Person,
    contract_id: &str,
    contract: &papers::Contract,
    file_data: File,
) -> Result<UploadTaxpayerAgreement, LimitBroken> {
    let contract = match contract {
        papers::Contract::Empower { party } => {
            Contract::Empower { tax_agent_parent_id: id("tax_agent_parent_id", party)? }
        }
        papers::Contract::Substitutes { location } => {
            Contract::Substitutes { tax_agent_location_id: id("tax_agent_location_id", location)? }
        }
    };
    Ok(UploadTaxpayerAgreement {
        request_id: request_id.clone(),
        id_card: person.id_card.clone(),
        name: person.name.clone(),
        cellphone: person.cellphone.clone(),
        contract,
        contract_id: contract_id.to_owned(),
        file_data,
    })
}

/// 协议上传状态, and the two words of the synchronous uploads (P66).
pub(super) fn uploaded(status: UploadStatus) -> PaperSeen {
    match status {
        UploadStatus::Accepted => PaperSeen::Accepted,
        UploadStatus::Success => PaperSeen::Good,
        UploadStatus::Failed => PaperSeen::Bad { reason: None },
        UploadStatus::Unknown(word) => PaperSeen::Unknown(word),
    }
}

/// 证照处理状态.
pub(super) fn pictured(answer: ImageAnswer) -> PaperSeen {
    match answer.status {
        ImageStatus::Accepted => PaperSeen::Accepted,
        ImageStatus::Identified => PaperSeen::Good,
        ImageStatus::Failed => PaperSeen::Bad { reason: answer.fail_reason },
        ImageStatus::TaxpayerAbsent => PaperSeen::NoPerson,
        ImageStatus::NotUploaded => PaperSeen::Missing,
        ImageStatus::Unknown(word) => PaperSeen::Unknown(word),
    }
}

fn files_missing() -> Refusal {
    invalid("the content of a file is missing".to_owned())
}
