//! What one machine needs of another before it may go on (an order of a sign-up): asked by address, so that the other need not exist
//! yet; answered when it is met, and when it has failed.
//!
//! The asker tells [`Wanted`] to the address; the other keeps the [`Waiter`] and answers [`met`] or [`unmet`], at once or when it knows.
//! Asking twice changes nothing, so that a question whose answer was lost is asked again.

use crate::id_card_check::{self, IdCardCheck};
use crate::machine::Machine;
use crate::sign_up::{self, SignUp};
use domain::record::Write;
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A need that is still open is asked about again after this long, whatever happened to the last question.
pub const ASK_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// One need. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Where the other machine is, or will be.
    pub address: String,
    /// What it is, for people.
    pub what: String,
    /// What to start where there is nothing; `None`: a person starts it.
    pub start: Option<Box<Starting>>,
}

/// What a need may start. Told apart by what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Starting {
    /// As one that a person asks for.
    SignUp(StartOf<sign_up::Input>),
    IdCardCheck(StartOf<id_card_check::Input>),
}

/// A machine to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOf<I> {
    pub business_key: String,
    pub content_hash: String,
    pub input: I,
}

/// How far a need is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Asked { at: Time },
    Unmet { at: Time, reason: String },
    Met,
}

impl Standing {
    /// When it is asked about again.
    pub fn ask_at(&self) -> Option<Time> {
        match self {
            Standing::Asked { at } | Standing::Unmet { at, .. } => Some(*at + ASK_AGAIN),
            Standing::Met => None,
        }
    }
}

/// Whoever waits, and which of its needs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    pub by: InstanceId,
    pub need: u32,
}

/// What a step asks of the engine: the other machine started where it may be, and told that somebody waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Require {
    pub need: u32,
    pub address: String,
    pub start: Option<Start>,
}

/// A machine to be started, if its business key has not started one.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub workflow: &'static str,
    pub business_key: String,
    pub content_hash: String,
    pub person: Option<Uuid>,
    pub input: Value,
    pub state: Value,
}

impl Need {
    /// As a step of the machine that has it, as its need number `need`.
    pub(crate) fn require(&self, need: u32, now: Time) -> Require {
        let start = self.start.as_deref().map(|start| match start {
            Starting::SignUp(of) => of.start(SignUp::NAME, of.input.person, json!(SignUp::begin(now))),
            Starting::IdCardCheck(of) => of.start(IdCardCheck::NAME, of.input.person, json!(IdCardCheck::begin(now))),
        });
        Require { need, address: self.address.clone(), start }
    }

    /// The task of whoever sees to it when it has failed, and what there is to do.
    pub(crate) fn remedy(&self) -> (&'static str, &'static str) {
        match self.start.as_deref() {
            Some(Starting::IdCardCheck(_)) => ("upload_id_card", "upload both sides"),
            Some(Starting::SignUp(_)) | None => ("invite_again", "invite again"),
        }
    }
}

impl<I: Serialize> StartOf<I> {
    /// As one that may be started.
    pub fn start(&self, workflow: &'static str, person: Uuid, state: Value) -> Start {
        Start {
            workflow,
            business_key: self.business_key.clone(),
            content_hash: self.content_hash.clone(),
            person: Some(person),
            input: json!(self.input),
            state,
        }
    }
}

/// The event for the machine that is needed.
pub fn wanted(waiter: Waiter) -> Value {
    json!({ "Wanted": { "waiter": waiter } })
}

/// The event for the machine whose need is asked about now.
pub fn required(need: u32) -> Value {
    json!({ "Required": { "need": need } })
}

pub(crate) fn met(waiter: &Waiter) -> Write {
    Write::Tell { to: waiter.by, event: json!({ "Met": { "need": waiter.need } }) }
}

pub(crate) fn unmet(waiter: &Waiter, reason: &str) -> Write {
    Write::Tell { to: waiter.by, event: json!({ "Unmet": { "need": waiter.need, "reason": reason } }) }
}
