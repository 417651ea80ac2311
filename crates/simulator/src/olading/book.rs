//! The provider's own books: orders, remits, quota, contracts, documents. Holds personal data in clear; the ledger does not.

use super::Call;
use super::split::{Quote, money};
use crate::faults::CallFault;
use crate::ledger::{self, Ledger, OrderTruth, PlaceTruth, QuotaTruth, RemitTruth, SignUpTruth, fingerprint};
use crate::script::CloseAs;
use crate::{Quotas, ledger::DocumentTruth};
use domain::{Money, Time};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// `(year, month)` in Beijing.
pub(crate) type Month = (i32, u32);

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) orders: BTreeMap<u64, Order>,
    /// (client, `request_id`) → every order made under it.
    pub(crate) by_request: BTreeMap<(String, String), Vec<u64>>,
    /// When a CREATE under that id first reached the provider, whatever became of it.
    pub(crate) first_send: BTreeMap<(String, String), Time>,
    pub(crate) remits: BTreeMap<String, Remit>,
    /// Remits in ACCEPT, so that nobody walks through a million others to find one.
    pub(crate) waiting: BTreeSet<String>,
    /// 缴税额度 held: (ID number, month) → fen.
    pub(crate) held: BTreeMap<(String, Month), i64>,
    /// Paid or to be paid through a place: (ID number, place, month) → fen.
    pub(crate) placed: BTreeMap<(String, String, Month), i64>,
    /// Authorisation agreements: (client, ID number, 资质方 or Olading itself).
    pub(crate) agreements: BTreeMap<(String, String, Option<String>), Contract>,
    /// Service agreements of SYNC_SIGN: (client, `request_id`).
    pub(crate) sync_signs: BTreeMap<(String, String), SyncSign>,
    /// (client, ID number) → the `request_id`s of its SYNC_SIGNs.
    pub(crate) sync_by_person: BTreeMap<(String, String), Vec<String>>,
    /// (client, `contract_id`).
    pub(crate) uploads: BTreeMap<(String, String), Upload>,
    /// (client, ID number).
    pub(crate) images: BTreeMap<(String, String), Image>,
    pub(crate) documents: Vec<DocumentTruth>,
    /// The newest answers of each client, for a mix-up: (subject, body).
    pub(crate) answers: BTreeMap<String, Vec<(String, Vec<u8>)>>,
    pub(crate) last_key: u64,
    pub(crate) last_remit: u64,
}

/// What the enterprise fixed (000 §2.3 rule 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Net(Money),
    Gross(Money),
}

#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) client: String,
    pub(crate) request_id: String,
    pub(crate) id_card: String,
    /// The request as it came, for the query's answer.
    pub(crate) data: Map<String, Value>,
    pub(crate) asked: Asked,
    pub(crate) month: Month,
    pub(crate) accept_time: Time,
    pub(crate) first_send: Time,
    pub(crate) statuses: Vec<(Time, OrderStatus)>,
    pub(crate) fail_reason: Option<String>,
    pub(crate) remits: Vec<String>,
    /// Fen of quota still held for it.
    pub(crate) held: i64,
    pub(crate) close_as: Option<CloseAs>,
    pub(crate) cause: Option<CallFault>,
}

/// 订单状态 (000 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    Accept,
    Process,
    Close,
}

#[derive(Debug, Clone)]
pub(crate) struct Remit {
    pub(crate) order: u64,
    pub(crate) location: String,
    pub(crate) quote: Quote,
    pub(crate) deadline: Time,
    pub(crate) statuses: Vec<(Time, RemitStatus)>,
    pub(crate) decision: Option<ledger::DecisionTruth>,
    pub(crate) ended: Option<ledger::Ended>,
}

/// 出款状态 (000 §3.3, and `PROCESS` of §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemitStatus {
    Accept,
    Process,
    Remit,
    Close,
}

/// 签约状态 (000 §3.5).
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    pub(crate) statuses: Vec<(Time, &'static str)>,
}

#[derive(Debug, Clone)]
pub(crate) struct SyncSign {
    pub(crate) id_card: String,
    pub(crate) agent: Option<String>,
    pub(crate) statuses: Vec<(Time, &'static str)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) request_id: String,
    pub(crate) sha256: String,
    pub(crate) file_id: String,
    pub(crate) status: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) request_id: String,
    pub(crate) status: &'static str,
}

impl Asked {
    pub(crate) fn fen(self) -> i64 {
        match self {
            Asked::Net(money) | Asked::Gross(money) => money.fen(),
        }
    }
}

impl OrderStatus {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            OrderStatus::Accept => "ACCEPT",
            OrderStatus::Process => "PROCESS",
            OrderStatus::Close => "CLOSE",
        }
    }
}

impl RemitStatus {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            RemitStatus::Accept => "ACCEPT",
            RemitStatus::Process => "PROCESS",
            RemitStatus::Remit => "REMIT",
            RemitStatus::Close => "CLOSE",
        }
    }
}

/// The newest entry of a history that is not younger than `at`.
pub(crate) fn as_of<T: Copy>(history: &[(Time, T)], at: Time) -> Option<T> {
    history.iter().rev().find(|(since, _)| *since <= at).map(|(_, value)| *value)
}

impl Remit {
    pub(crate) fn status(&self) -> RemitStatus {
        self.statuses.last().map_or(RemitStatus::Accept, |(_, status)| *status)
    }
}

impl Book {
    /// Gives held quota back (000 §2.5 rule 2).
    pub(crate) fn release(&mut self, key: u64, fen: i64) {
        let Some(order) = self.orders.get_mut(&key) else { return };
        let fen = fen.clamp(0, order.held);
        order.held -= fen;
        if let Some(held) = self.held.get_mut(&(order.id_card.clone(), order.month)) {
            *held -= fen;
        }
    }

    pub(crate) fn place(&mut self, id_card: &str, location: &str, month: Month, fen: i64) {
        *self.placed.entry((id_card.to_owned(), location.to_owned(), month)).or_default() += fen;
    }

    pub(crate) fn placed_by(&self, id_card: &str, location: &str, month: Month) -> i64 {
        self.placed.get(&(id_card.to_owned(), location.to_owned(), month)).copied().unwrap_or(0)
    }

    /// Whether an answer about something else is kept, to be mixed up with the one to this call.
    pub(crate) fn mixable(&self, call: &Call) -> bool {
        let subject = call.subject();
        self.answers.get(&call.client).is_some_and(|kept| kept.iter().any(|(of, _)| *of != subject))
    }

    /// (`request_id`, location) of some of the client's remits that wait for a decision.
    pub(crate) fn open_remits(&self, client: &str) -> Vec<(String, String)> {
        let named = |order_id: &String| {
            let remit = self.remits.get(order_id)?;
            let order = self.orders.get(&remit.order).filter(|order| order.client == client)?;
            Some((order.request_id.clone(), remit.location.clone()))
        };
        self.waiting.iter().filter_map(named).take(100).collect()
    }

    /// Writes the truth into a ledger, people as fingerprints.
    pub(crate) fn write(&self, quotas: &Quotas, ledger: &mut Ledger) {
        ledger.orders = self.orders.iter().map(|(key, order)| order.truth(*key)).collect();
        ledger.remits = self.remits.iter().map(|(id, remit)| self.remit_truth(id, remit)).collect();
        let quota = |((id_card, month), held): (&(String, Month), &i64)| {
            let person = fingerprint(id_card);
            let limit = quotas.persons.get(&person).copied().unwrap_or(quotas.person_month);
            QuotaTruth { person, month: ledger::month_text(*month), held: money(*held), limit }
        };
        ledger.quota = self.held.iter().map(quota).collect();
        let place = |((id_card, location, month), placed): (&(String, String, Month), &i64)| PlaceTruth {
            person: fingerprint(id_card),
            tax_agent_location_id: location.clone(),
            month: ledger::month_text(*month),
            placed: money(*placed),
        };
        ledger.places = self.placed.iter().map(place).collect();
        ledger.sign_ups = self.sign_ups();
        ledger.documents = self.documents.clone();
    }

    fn sign_ups(&self) -> Vec<SignUpTruth> {
        let words =
            |statuses: &[(Time, &'static str)]| statuses.iter().map(|(at, word)| (*at, (*word).to_owned())).collect();
        let agreements = self.agreements.iter().map(|((client, id_card, agent), contract)| SignUpTruth {
            client: client.clone(),
            request_id: None,
            person: fingerprint(id_card),
            agent: agent.clone(),
            statuses: words(&contract.statuses),
        });
        let services = self.sync_signs.iter().map(|((client, request_id), sign)| SignUpTruth {
            client: client.clone(),
            request_id: Some(request_id.clone()),
            person: fingerprint(&sign.id_card),
            agent: sign.agent.clone(),
            statuses: words(&sign.statuses),
        });
        agreements.chain(services).collect()
    }

    fn remit_truth(&self, order_id: &str, remit: &Remit) -> RemitTruth {
        let request_id = self.orders.get(&remit.order).map(|order| order.request_id.clone()).unwrap_or_default();
        RemitTruth {
            order_id: order_id.to_owned(),
            order_key: remit.order,
            request_id,
            tax_agent_location_id: remit.location.clone(),
            amount: money(remit.quote.amount),
            fee: money(remit.quote.fee),
            compensate_fee: money(remit.quote.compensate_fee),
            sum_fee: money(remit.quote.sum_fee),
            actual_amount: money(remit.quote.actual_amount),
            deadline: remit.deadline,
            statuses: remit.statuses.iter().map(|(at, status)| (*at, status.word().to_owned())).collect(),
            decision: remit.decision.clone(),
            ended: remit.ended,
        }
    }
}

impl Order {
    fn truth(&self, key: u64) -> OrderTruth {
        let (net, gross) = match self.asked {
            Asked::Net(money) => (Some(money), None),
            Asked::Gross(money) => (None, Some(money)),
        };
        let card = self.data.get("bankcard_no").and_then(Value::as_str).unwrap_or_default();
        OrderTruth {
            key,
            client: self.client.clone(),
            request_id: self.request_id.clone(),
            person: fingerprint(&self.id_card),
            card: fingerprint(card),
            net,
            gross,
            first_send: self.first_send,
            accept_time: self.accept_time,
            statuses: self.statuses.iter().map(|(at, status)| (*at, status.word().to_owned())).collect(),
            fail_reason: self.fail_reason.clone(),
            remits: self.remits.clone(),
            cause: self.cause,
        }
    }
}
