//! Sign-ups (000 §2.1, §2.2, §2.6): the plain, correct behaviour.

use super::book::{Contract, SyncSign};
use super::check::{text, wire_name};
use super::tables::SYNC_SIGN_AGENT_NAME;
use super::{Call, Done, IDENTITY_FAILED, Outcome, accepted, read, refused};
use crate::agenda::Event;
use crate::ledger::Effect;
use crate::operation::Operation;
use crate::sim::Sim;
use domain::Time;
use serde_json::{Value, json};
use std::time::Duration;

const ACCEPT: &str = "ACCEPT";
const SIGN: &str = "SIGN";
const UN_SIGN: &str = "UN_SIGN";
/// 000 §2.1 R4.
const SIGNED_WITHIN: Duration = Duration::from_secs(24 * 3600);

impl Sim {
    /// SYNC_SIGN: the person signs within 24 hours, or silence (R4, P47).
    pub(super) fn sync_sign(&mut self, call: &Call) -> Outcome {
        let (id_card, name) =
            (text(&call.data, "id_card").unwrap_or_default(), text(&call.data, "real_name").unwrap_or_default());
        if !self.identity_passes(&id_card, &name) {
            return Err(refused(IDENTITY_FAILED, "信息鉴权未通过"));
        }
        let key = (call.client.clone(), call.id.clone());
        let data = json!({ "request_id": call.id });
        if let Some(known) = self.book.sync_signs.get(&key) {
            // The id is unique (000 §2.1): for another person it is a mistake of the merchant's.
            if known.id_card != id_card {
                return Err(refused(&self.config.switches.codes.duplicate_request_id, "请求流水号重复"));
            }
            return Ok(Done { data, effect: Effect::Duplicate });
        }
        let agent = text(&call.data, wire_name(&self.config.switches, Operation::SyncSign, SYNC_SIGN_AGENT_NAME));
        let person = (call.client.clone(), id_card.clone());
        self.book.sync_by_person.entry(person).or_default().push(call.id.clone());
        self.book.sync_signs.insert(key, SyncSign { id_card, agent, statuses: vec![(self.now, ACCEPT)] });
        let lapses = Event::SyncLapses { client: call.client.clone(), request_id: call.id.clone() };
        self.agenda.put(self.now + SIGNED_WITHIN, lapses);
        if self.dice.per_mille() >= self.config.switches.sync_sign_silent_per_mille {
            let at = self.after(self.config.timings.person);
            self.agenda.put(at, Event::SyncSigned { client: call.client.clone(), request_id: call.id.clone() });
        }
        accepted(data)
    }

    pub(crate) fn sync_signed(&mut self, client: String, request_id: String) {
        if !self.sync_ends(&client, &request_id, SIGN) {
            return;
        }
        self.announce(&client, "SYNC_SIGN", json!({ "request_id": request_id, "status": SIGN }));
    }

    pub(crate) fn sync_lapses(&mut self, client: String, request_id: String) {
        self.sync_ends(&client, &request_id, UN_SIGN);
    }

    /// Whether it had not ended before.
    fn sync_ends(&mut self, client: &str, request_id: &str, word: &'static str) -> bool {
        let sign = self.book.sync_signs.get_mut(&(client.to_owned(), request_id.to_owned()));
        let Some(sign) = sign.filter(|sign| last(&sign.statuses) == ACCEPT) else { return false };
        sign.statuses.push((self.now, word));
        true
    }

    /// SIGN_UP: no request id (P50); who has signed already gets `SIGN` at once and no callback (rule 2, P49).
    pub(super) fn sign_up(&mut self, call: &Call) -> Outcome {
        let name = text(&call.data, "name").unwrap_or_default();
        if !self.identity_passes(&call.id, &name) {
            return Err(refused(IDENTITY_FAILED, "信息鉴权未通过"));
        }
        let agent = text(&call.data, "tax_agent_parent_id");
        let key = (call.client.clone(), call.id.clone(), agent.clone());
        if let Some(contract) = self.book.agreements.get(&key) {
            let data = json!({ "id_card": call.id, "status": last(&contract.statuses) });
            return Ok(Done { data, effect: Effect::Duplicate });
        }
        self.book.agreements.insert(key, Contract { statuses: vec![(self.now, ACCEPT)] });
        let at = self.after(self.config.timings.person);
        self.agenda.put(at, Event::SignedUp { client: call.client.clone(), id_card: call.id.clone(), agent });
        accepted(json!({ "id_card": call.id, "status": ACCEPT }))
    }

    pub(crate) fn signed_up(&mut self, client: String, id_card: String, agent: Option<String>) {
        let now = self.now;
        if let Some(contract) = self.book.agreements.get_mut(&(client.clone(), id_card.clone(), agent.clone())) {
            contract.statuses.push((now, SIGN));
        }
        if self.config.switches.sign_up_callback {
            let mut data = json!({ "id_card": id_card, "status": SIGN });
            if let Some(agent) = agent {
                data["tax_agent_parent_id"] = self.id(&agent);
            }
            self.announce(&client, "SIGN_UP", data);
        }
    }

    /// QUERY_SIGN_UP_BATCH: 授权协议 only, and by a switch SYNC_SIGN's contracts too.
    pub(super) fn query_sign_ups(&mut self, call: &Call) -> Outcome {
        let rows = call.data.get("batch_details").and_then(Value::as_array).cloned().unwrap_or_default();
        let answer = |row: &Value| {
            let row = row.as_object()?;
            let (id_card, agent) = (text(row, "id_card")?, text(row, "tax_agent_parent_id"));
            let signed = self.agreement_signed(&call.client, &id_card, agent.as_ref())
                || self.sync_shown(&call.client, &id_card, agent.as_ref());
            let mut line = json!({ "id_card": id_card, "status": if signed { SIGN } else { UN_SIGN } });
            if let Some(agent) = agent {
                line["tax_agent_parent_id"] = self.id(&agent);
            }
            Some(line)
        };
        let details: Vec<Value> = rows.iter().filter_map(answer).collect();
        read(json!({ "batch_no": call.id, "batch_details": details }))
    }

    fn agreement_signed(&self, client: &str, id_card: &str, agent: Option<&String>) -> bool {
        let key = (client.to_owned(), id_card.to_owned(), agent.cloned());
        self.book.agreements.get(&key).is_some_and(|contract| last(&contract.statuses) == SIGN)
    }

    fn sync_shown(&self, client: &str, id_card: &str, agent: Option<&String>) -> bool {
        self.config.switches.batch_shows_sync_sign && self.sync_sign_of(client, id_card, agent)
    }

    fn sync_sign_of(&self, client: &str, id_card: &str, agent: Option<&String>) -> bool {
        let fits = |sign: &SyncSign| sign.agent.as_ref() == agent && last(&sign.statuses) == SIGN;
        let requests = self.book.sync_by_person.get(&(client.to_owned(), id_card.to_owned()));
        let sign = |request: &String| self.book.sync_signs.get(&(client.to_owned(), request.clone()));
        requests.is_some_and(|requests| requests.iter().filter_map(sign).any(fits))
    }

    /// Whether the person may have orders when sign-up is required: any contract with the party will do.
    pub(super) fn has_signed(&self, client: &str, id_card: &str, parent: &str) -> bool {
        let agent = Some(parent.to_owned());
        self.agreement_signed(client, id_card, agent.as_ref()) || self.sync_sign_of(client, id_card, agent.as_ref())
    }

    /// Whether the provider has ever heard of the person, for the image query's `NULL`.
    pub(super) fn knows_person(&self, client: &str, id_card: &str) -> bool {
        let first = (client.to_owned(), id_card.to_owned(), None);
        let agreement = self.book.agreements.range(first..).next();
        let signs = agreement.is_some_and(|((of, person, _), _)| of == client && person == id_card);
        signs || self.book.sync_by_person.contains_key(&(client.to_owned(), id_card.to_owned()))
    }
}

fn last(statuses: &[(Time, &'static str)]) -> &'static str {
    statuses.last().map_or(UN_SIGN, |(_, word)| word)
}
