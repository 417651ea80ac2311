//! New machines: prepared in memory, inserted once per business key, and the bell is rung.

use crate::seat::Seat;
use crate::{Engine, Error, Result};
use domain::InstanceId;
use domain::record::{Spawn, Write};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{Due, Guard, Held, NewInstance, Submitted, fail_point};
use uuid::Uuid;
use workflows::book;

/// A machine to be.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// `None` draws one.
    pub id: Option<InstanceId>,
    pub workflow: String,
    pub tenant: String,
    pub account: String,
    pub business_key: String,
    /// Where signals find it before anybody knows its id.
    pub address: Option<String>,
    pub parent: Option<InstanceId>,
    pub batch_row: Option<(InstanceId, i64)>,
    pub person: Option<Uuid>,
    /// Hex digest of the business content.
    pub content_hash: String,
    pub input: Value,
    pub state: Value,
    pub guard: Option<NewGuard>,
}

/// The semantic duplicate rule (P12): while another machine holds `key`, this one starts in `state` with `writes`.
#[derive(Debug, Clone)]
pub struct NewGuard {
    pub key: String,
    pub state: Value,
    pub writes: Vec<Write>,
}

impl Engine {
    /// The row of a new machine, with where it waits first.
    pub fn prepare(&self, new: New) -> Result<NewInstance> {
        let at = self.clock.now();
        let id = new.id.unwrap_or_else(|| InstanceId::new(at));
        let seat = Seat::new(self, id, new.parent, &new.tenant, &new.account);
        let (state_name, due) = place(&seat, &new.workflow, &new.input, &new.state)?;
        let guard = new.guard.map(|guard| hold(&seat, &new.workflow, &new.input, guard)).transpose()?;
        Ok(NewInstance {
            id,
            workflow: new.workflow,
            tenant: new.tenant,
            account: new.account,
            business_key: new.business_key,
            address: new.address,
            parent: new.parent,
            batch_row: new.batch_row,
            person: new.person,
            content_hash: new.content_hash,
            input: new.input,
            state: new.state,
            state_name,
            due,
            guard,
            at,
        })
    }

    /// Starts one machine, or finds the one that its business key has started before.
    pub async fn submit(&self, new: New) -> Result<Submitted> {
        Ok(self.intake.start(self, self.prepare(new)?).await?)
    }

    /// Starts machines in one transaction, and answers in order.
    pub async fn submit_all(&self, prepared: Vec<NewInstance>) -> Result<Vec<Submitted>> {
        fail_point("submit");
        let submitted = self.store.submit(prepared).await?;
        self.bell.ring();
        Ok(submitted)
    }

    /// A child machine. Its id follows from its parent: the same transition, run again, makes the same child.
    pub(crate) fn prepare_child(&self, parent: &Seat, spawn: Spawn) -> Result<NewInstance> {
        self.prepare(New {
            id: Some(spawn.id),
            content_hash: hex::encode(Sha256::digest(spawn.input.to_string())),
            workflow: spawn.workflow,
            tenant: parent.tenant.clone(),
            account: parent.account.clone(),
            business_key: spawn.business_key,
            address: spawn.address,
            parent: Some(parent.me),
            batch_row: None,
            person: spawn.person,
            input: spawn.input,
            state: spawn.state,
            guard: None,
        })
    }
}

fn hold(seat: &Seat, workflow: &str, input: &Value, guard: NewGuard) -> Result<Guard> {
    let (state_name, due) = place(seat, workflow, input, &guard.state)?;
    Ok(Guard { key: guard.key, held: Held { state: guard.state, state_name, due, writes: guard.writes } })
}

fn place(seat: &Seat, workflow: &str, input: &Value, state: &Value) -> Result<(String, Due)> {
    let machine = book::load(workflow, input, state).ok_or_else(|| Error::UnknownWorkflow(workflow.to_owned()))??;
    Ok((machine.state_name().to_owned(), seat.due(machine.as_ref())))
}
