//! What will happen by itself, and when: a heap ordered by (time, sequence).

use crate::operation::Operation;
use domain::Time;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Something due on the virtual clock.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// The provider begins to create its internal orders (ACCEPT → PROCESS).
    OrderBegins(u64),
    /// The internal orders exist, or could not be made (PROCESS → CLOSE).
    OrderCloses(u64),
    /// The closing job looks at an order that was not confirmed in 72 hours.
    ClosingJob(u64),
    /// The tax of a continued remit is paid.
    Levied(String),
    /// A call that lay about at the provider is carried out now (F47).
    Late(Box<LateCall>),
    /// An authorisation agreement is signed (SIGN_UP).
    SignedUp { client: String, id_card: String, agent: Option<String> },
    /// The person signed the service agreement (SYNC_SIGN).
    SyncSigned { client: String, request_id: String },
    /// 24 hours after SYNC_SIGN: who has not signed has failed, and nobody is told (000 §2.1 R4).
    SyncLapses { client: String, request_id: String },
    /// An agreement upload is taken over.
    AgreementStored { client: String, contract_id: String },
    /// A pair of ID card pictures is judged.
    ImageJudged { client: String, id_card: String },
    /// A callback leaves.
    Deliver(u64),
    /// The bank's final word on a pending payment.
    BankSettles(String),
    /// 退票.
    BankReturns(String),
}

/// A verified call, kept until it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct LateCall {
    pub(crate) client: String,
    pub(crate) operation: Operation,
    pub(crate) data: Map<String, Value>,
}

#[derive(Default)]
pub(crate) struct Agenda {
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
}

impl Agenda {
    pub(crate) fn put(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.events.insert((at, self.sequence), event);
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next event that is due by `now`, with its own time.
    pub(crate) fn take(&mut self, now: Time) -> Option<(Time, Event)> {
        self.due().filter(|at| *at <= now)?;
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
