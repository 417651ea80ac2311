//! Our words to Olading's and back: sign-ups.

use super::client::{Call, Client};
use super::lenient::SignStatus;
use super::levy::{id, person_missing};
use super::limits::LimitBroken;
use super::settings::Settings;
use super::wire::{Agreement, QuerySignUpBatch, SignUp, SignUpBatchAnswer, SignUpKey, SyncSign};
use crate::{Ask, Sent};
use domain::people::{self, SignSeen};
use domain::{Answer, Fault, Person, RequestId, Verdict};

impl Client {
    pub(super) async fn invite(
        &self,
        request_id: &RequestId,
        party: Option<&str>,
        ask: Ask<'_>,
        call: Call<'_>,
    ) -> Sent {
        let [person] = ask.people else { return Sent::unsent(Verdict::Refused(person_missing())) };
        match invitation(self.settings(), request_id, party, person) {
            Ok(invitation) => {
                self.send(&invitation, call).await.map(|_| Verdict::Done(Answer::SignUpTaken { signed: false }))
            }
            Err(broken) => Sent::unsent(Verdict::Refused(broken.into())),
        }
    }

    pub(super) async fn apply_for(
        &self,
        party: Option<&str>,
        credit_code: Option<&str>,
        customer_id: Option<&String>,
        ask: Ask<'_>,
        call: Call<'_>,
    ) -> Sent {
        let [person] = ask.people else { return Sent::unsent(Verdict::Refused(person_missing())) };
        let agreement = match agreement(party, credit_code) {
            Ok(agreement) => agreement,
            Err(broken) => return Sent::unsent(Verdict::Refused(broken.into())),
        };
        let application = SignUp {
            id_card: person.id_card.clone(),
            name: person.name.clone(),
            cellphone: person.cellphone.clone(),
            bankcard_no: person.bankcard.clone(),
            two_factor: None,
            agreement,
            customer_id: customer_id.cloned(),
        };
        self.send(&application, call).await.map(|answer| match answer.status {
            SignStatus::Accepted => Verdict::Done(Answer::SignUpTaken { signed: false }),
            SignStatus::Signed => Verdict::Done(Answer::SignUpTaken { signed: true }),
            // Neither "accepted" nor "signed": nobody knows what became of it.
            SignStatus::Unsigned | SignStatus::Unknown(_) => Verdict::Unsure(Fault::Unreadable),
        })
    }

    pub(super) async fn find_sign_ups(&self, of: &[people::SignUpKey], ask: Ask<'_>, call: Call<'_>) -> Sent {
        if of.len() != ask.people.len() {
            return Sent::unsent(Verdict::Refused(person_missing()));
        }
        let keys = of.iter().zip(ask.people).map(|(key, person)| row(key, person)).collect::<Result<Vec<_>, _>>();
        let keys = match keys {
            Ok(keys) => keys,
            Err(broken) => return Sent::unsent(Verdict::Refused(broken.into())),
        };
        // The same agreement is asked about once, whoever asks (P51).
        let mut batch_details: Vec<SignUpKey> = Vec::with_capacity(keys.len());
        for key in &keys {
            if !batch_details.iter().any(|known| same(known, key)) {
                batch_details.push(key.clone());
            }
        }
        let query = QuerySignUpBatch { batch_no: ask.attempt.simple().to_string(), batch_details };
        self.send(&query, call).await.map(|answer| {
            let seen = keys.iter().map(|key| seen(&answer, key)).collect();
            Verdict::Done(Answer::SignUpsSeen(seen))
        })
    }
}

fn invitation(
    settings: &Settings,
    request_id: &RequestId,
    party: Option<&str>,
    person: &Person,
) -> Result<SyncSign, LimitBroken> {
    let agent = party.map(|party| id("agent_parent_id", party)).transpose()?;
    Ok(SyncSign {
        request_id: request_id.clone(),
        id_card: person.id_card.clone(),
        real_name: person.name.clone(),
        cellphone: person.cellphone.clone(),
        agent: agent.map(|agent| settings.sync_sign_agent(agent)),
    })
}

fn agreement(party: Option<&str>, credit_code: Option<&str>) -> Result<Agreement, LimitBroken> {
    let code = credit_code.map(str::to_owned);
    match (party, code) {
        (None, credit_code) => Ok(Agreement::Olading { credit_code }),
        (Some(party), Some(credit_code)) => {
            Ok(Agreement::Party { tax_agent_parent_id: id("tax_agent_parent_id", party)?, credit_code })
        }
        (Some(_), None) => {
            Err(LimitBroken { field: "credit_code", problem: "is required with tax_agent_parent_id".to_owned() })
        }
    }
}

fn row(key: &people::SignUpKey, person: &Person) -> Result<SignUpKey, LimitBroken> {
    let party = key.party.as_deref().map(|party| id("tax_agent_parent_id", party)).transpose()?;
    Ok(SignUpKey { id_card: person.id_card.clone(), tax_agent_parent_id: party })
}

fn same(a: &SignUpKey, b: &SignUpKey) -> bool {
    a.id_card == b.id_card && a.tax_agent_parent_id == b.tax_agent_parent_id
}

fn seen(answer: &SignUpBatchAnswer, key: &SignUpKey) -> Option<SignSeen> {
    Some(match answer.status(key)? {
        SignStatus::Signed => SignSeen::Signed,
        // Accepted is not signed.
        SignStatus::Unsigned | SignStatus::Accepted => SignSeen::NotSigned,
        SignStatus::Unknown(word) => SignSeen::Unknown(word.clone()),
    })
}
