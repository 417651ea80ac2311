//! The platform's people desk: invites everybody in the payday file to sign before anybody is paid, and again whoever has not signed
//! within a day. Orders wait for their person's signature by themselves.

use super::closing::Progress;
use super::http::Http;
use super::papers;
use super::stack::Stack;
use anyhow::{Context, Result, bail};
use domain::{Clock, Time};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// The account's policy: `sync_sign` (商户签约) with the party that pays.
pub(super) const CONTRACT: workflows::policy::SignUpKind = workflows::policy::SignUpKind::SyncSign;

/// One in so many is left out, as people are in practice: their orders invite them.
const FORGOTTEN: usize = 10;

pub(super) struct Desk {
    office: Http,
    clock: Clock,
    look_at: Time,
    /// Failed invitations that have been followed by another.
    followed: BTreeSet<String>,
}

/// How often it looks who has not signed.
const LOOK: Duration = Duration::from_secs(3600);

impl Desk {
    /// Invites the people of a payday file.
    pub(super) async fn invite(stack: &Stack, office: Http, file: &[u8], progress: &Progress) -> Result<Self> {
        let rows = rows(file)?;
        let invited = rows.iter().enumerate().filter(|(place, _)| place % FORGOTTEN != FORGOTTEN - 1);
        let items: Vec<Value> = invited.map(|(_, row)| row.invitation()).collect();
        let (mut created, mut refused) = (0, 0);
        for chunk in items.chunks(10_000) {
            let (status, taken) = office.post("/v1/sign-ups", &json!({ "items": chunk })).await?;
            if status != 200 {
                bail!("the invitations were refused ({status}): {taken}");
            }
            created += taken["created"].as_u64().unwrap_or(0);
            refused += taken["refused"].as_u64().unwrap_or(0);
        }
        progress.say(&format!("{created} people invited to sign, {refused} with mistakes are not"));
        Ok(Self { office, clock: stack.clock.clone(), look_at: stack.clock.now(), followed: BTreeSet::new() })
    }

    /// When it wants to act next.
    pub(super) fn next(&self) -> Time {
        self.look_at
    }

    /// One round: whatever is due now.
    pub(super) async fn round(&mut self) -> Result<()> {
        if self.clock.now() >= self.look_at {
            self.follow_up().await?;
        }
        Ok(())
    }

    /// At the end: the last invitations, and the vouchers that the payer has left out. How much there was to do.
    pub(super) async fn close(&mut self) -> Result<usize> {
        Ok(self.follow_up().await? + papers::bring_owed(&self.office).await?)
    }

    /// Invites again whoever has not signed within a day, and gives up who was invited twice: his orders are cancelled. How many that
    /// were.
    pub(super) async fn follow_up(&mut self) -> Result<usize> {
        self.look_at = self.clock.now() + LOOK;
        let failed = self.office.all("/v1/sign-ups?state=not_signed").await?;
        let mut followed = 0;
        for sign_up in &failed {
            let id = sign_up["id"].as_str().context("a sign-up has an id")?;
            if !self.followed.insert(id.to_owned()) {
                continue;
            }
            followed += 1;
            if sign_up["again_of"].is_null() {
                self.office.done(&format!("/v1/sign-ups/{id}/invite-again"), &json!({})).await?;
            } else {
                self.give_up(&sign_up["person"]).await?;
            }
        }
        Ok(followed)
    }

    async fn give_up(&self, person: &Value) -> Result<()> {
        for order in self.office.all("/v1/orders?state=gated").await? {
            let waits = order["waits_for"].as_str().is_some_and(|why| why.contains("invite again"));
            if let (true, Some(id)) = (waits && order["person"] == *person, order["id"].as_str()) {
                self.office.done(&format!("/v1/orders/{id}/cancel"), &json!({})).await?;
            }
        }
        Ok(())
    }
}

/// The people of a payday file.
pub(super) fn rows(file: &[u8]) -> Result<Vec<Row>> {
    csv::Reader::from_reader(file).into_deserialize().collect::<Result<_, _>>().context("read the payday file")
}

/// What a payday file says of a person.
#[derive(serde::Deserialize)]
pub(super) struct Row {
    name: String,
    pub(super) id_card: String,
    cellphone: String,
    bankcard_no: String,
    tax_agent_parent_id: String,
    credit_code: String,
}

impl Row {
    pub(super) fn person(&self) -> Value {
        json!({
            "name": self.name, "id_card": self.id_card, "cellphone": self.cellphone, "bankcard_no": self.bankcard_no,
        })
    }

    fn invitation(&self) -> Value {
        json!({
            "kind": CONTRACT,
            "person": self.person(),
            "tax_agent_parent_id": self.tax_agent_parent_id,
            "credit_code": self.credit_code,
        })
    }
}
