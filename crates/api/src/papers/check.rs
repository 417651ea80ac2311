//! The check of a person's ID card, which an account's orders may need: one for each person of an account, known by the ID number.

use crate::api::Api;
use crate::orders::draft::value;
use crate::problem::Error;
use domain::{IdCard, InstanceId};
use engine::New;
use store::Submitted;
use uuid::Uuid;
use workflows::Machine;
use workflows::id_card_check::{IdCardCheck, Input};
use workflows::needs::{Need, StartOf, Starting};

/// A check to be, and where those who wait find it.
pub(crate) struct Check {
    account: String,
    address: String,
    start: StartOf<Input>,
}

impl Check {
    /// Where the account's policy asks for it. `person` is a stored snapshot of whoever has the ID number.
    pub(crate) fn needed(api: &Api, tenant: &str, account: &str, person: Uuid, id_card: &IdCard) -> Option<Self> {
        if !api.engine().rules.policy(account).require_id_card {
            return None;
        }
        let business_key = api.store().fingerprint(tenant, "id_card_check", &[id_card.expose(), account]);
        let request_id = api.store().derive_request_id(tenant, &format!("id_card_check/{business_key}"));
        let address = format!("{account}/{request_id}");
        let content_hash = business_key.clone();
        let start = StartOf { business_key, content_hash, input: Input { request_id, person } };
        Some(Self { account: account.to_owned(), address, start })
    }

    /// As a need of an order.
    pub(crate) fn need(self) -> Need {
        let what = "the person's ID card at the provider (证件照)".to_owned();
        Need { address: self.address, what, start: Some(Box::new(Starting::IdCardCheck(self.start))) }
    }

    /// Started, unless it is there.
    pub(crate) async fn begin(self, api: &Api, tenant: &str) -> Result<InstanceId, Error> {
        let new = New {
            workflow: IdCardCheck::NAME.into(),
            tenant: tenant.into(),
            account: self.account,
            business_key: self.start.business_key,
            address: Some(self.address),
            person: Some(self.start.input.person),
            content_hash: self.start.content_hash,
            input: value(&self.start.input)?,
            state: value(&IdCardCheck::begin(api.now()))?,
            ..New::default()
        };
        match api.engine().submit(new).await? {
            Submitted::Created(id) | Submitted::Known(id) | Submitted::Differs(id) => Ok(id),
        }
    }
}
