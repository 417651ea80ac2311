//! The door: form, client, signature, timestamp, name, path, fields, in that order. What does not pass has no effect.

use super::check::{self, check};
use super::{BAD_SIGNATURE, Call, INCOMPLETE, codec, envelope};
use crate::agenda::LateCall;
use crate::faults::CallFault;
use crate::ledger::{CallLine, Effect, fingerprint};
use crate::operation::Operation;
use crate::sim::{Answer, Sim};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields whose values may stand in the ledger as they are.
const FACTS: [&str; 8] = [
    "next_step",
    "arising_time",
    "profit",
    "pay_amount",
    "tax_agent_parent_id",
    "tax_agent_location_id",
    "tax_mode",
    "contract_id",
];

/// Greatest number of old answers kept for a mix-up.
const ANSWERS_KEPT: usize = 8;

/// A call turned away before it was understood.
struct Turned {
    client: String,
    name: String,
    code: String,
    message: String,
}

impl Sim {
    /// Opens and verifies a call, or answers why not.
    pub(super) fn open(&mut self, path: &str, content_type: &str, body: &[u8]) -> Result<Call, Answer> {
        self.examine(path, content_type, body).map_err(|turned| self.turn_away(&turned))
    }

    fn examine(&mut self, path: &str, content_type: &str, body: &[u8]) -> Result<Call, Turned> {
        let mut turned =
            Turned { client: String::new(), name: String::new(), code: INCOMPLETE.into(), message: String::new() };
        let no = |turned: Turned, message: &str| Err(Turned { message: message.into(), ..turned });
        if content_type.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
            return no(turned, "the content type is not application/x-www-form-urlencoded");
        }
        let Some((req, sign)) = codec::open_form(body) else {
            return no(turned, "the form has not exactly req and sign");
        };
        let Ok(Value::Object(envelope)) = serde_json::from_str::<Value>(&req) else {
            return no(turned, "req is no JSON object");
        };
        let word = |field: &str| envelope.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        turned.name = word("name");
        turned.code = BAD_SIGNATURE.into();
        let Some(secret) = self.secret(&word("client_key")) else { return no(turned, "unknown client_key") };
        turned.client = word("client_key");
        if !codec::verify(&secret, req.as_bytes(), &sign) {
            return no(turned, "验签失败");
        }
        self.post.remember_request(&turned.client, codec::form(&req, &sign));
        let Some(sent) = check::time(&self.config.switches, &word("timestamp")) else {
            turned.code = INCOMPLETE.into();
            return no(turned, "timestamp is no timestamp");
        };
        if sent.time().millis().abs_diff(self.now.millis()) > self.tolerance_ms() {
            turned.code.clone_from(&self.config.switches.codes.clock_refused);
            return no(turned, "timestamp is too far from the server's time");
        }
        turned.code = INCOMPLETE.into();
        self.understand(path, &envelope, &turned).map_err(|message| Turned { message, ..turned })
    }

    /// Name, path and fields: every misfit is 参数不完整.
    fn understand(&self, path: &str, envelope: &Map<String, Value>, sender: &Turned) -> Result<Call, String> {
        const MEMBERS: [&str; 4] = ["name", "client_key", "timestamp", "data"];
        if envelope.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err("req has an unknown member".into());
        }
        let operation = Operation::named(&sender.name).ok_or("no such interface")?;
        if operation.path() != path {
            return Err("the interface has another path".into());
        }
        let Some(Value::Object(data)) = envelope.get("data") else { return Err("data is no object".into()) };
        check(&self.config.switches, operation, data)?;
        let id = check::text(data, operation.key_field()).unwrap_or_default();
        Ok(Call { client: sender.client.clone(), operation, data: data.clone(), id })
    }

    /// The timestamp's tolerance is real time; virtual time may run faster (contract.md).
    pub(super) fn tolerance_ms(&self) -> u64 {
        let speed = u64::try_from(self.speed_milli).unwrap_or(1000).max(1000);
        self.config.switches.skew_seconds.saturating_mul(speed)
    }

    fn turn_away(&mut self, turned: &Turned) -> Answer {
        let line = CallLine {
            seq: self.next_seq(),
            at: self.now,
            client: turned.client.clone(),
            operation: Operation::named(&turned.name).map_or("?", Operation::name).to_owned(),
            id: String::new(),
            facts: BTreeMap::from([("why".to_owned(), turned.message.clone())]),
            effect: Effect::Refused,
            fault: None,
            code: Some(turned.code.clone()),
        };
        self.calls.push(line);
        self.signed(&turned.client, envelope(&turned.name, &turned.code, &turned.message, json!({})))
    }

    /// One line of the ledger for a call that was understood.
    pub(crate) fn log(&mut self, call: &Call, effect: Effect, fault: Option<CallFault>, code: Option<&str>) {
        let fact = |name: &&str| check::text(&call.data, name).map(|value| ((*name).to_owned(), value));
        let private = call.operation == Operation::SignUp;
        let line = CallLine {
            seq: self.next_seq(),
            at: self.now,
            client: call.client.clone(),
            operation: call.operation.name().to_owned(),
            id: if private { fingerprint(&call.id) } else { call.id.clone() },
            facts: FACTS.iter().filter_map(fact).collect(),
            effect,
            fault,
            code: code.map(str::to_owned),
        };
        self.calls.push(line);
    }

    fn next_seq(&self) -> u64 {
        u64::try_from(self.calls.len()).unwrap_or(u64::MAX) + 1
    }

    /// Carries out what lay about (F47); nobody hears the answer.
    pub(crate) fn carry_out_late(&mut self, late: &LateCall) {
        let id = check::text(&late.data, late.operation.key_field()).unwrap_or_default();
        let call = Call { client: late.client.clone(), operation: late.operation, data: late.data.clone(), id };
        let _unheard = self.carry_out(&call, Some(CallFault::Late), Some(CallFault::Late), None);
    }

    /// Keeps an answer for a later mix-up and returns an older one about something else.
    pub(super) fn swap_answer(&mut self, call: &Call, body: &[u8]) -> Option<Vec<u8>> {
        let subject = call.subject();
        let kept = self.book.answers.entry(call.client.clone()).or_default();
        let other = kept.iter().rev().find(|(of, _)| *of != subject).map(|(_, body)| body.clone());
        kept.push((subject, body.to_vec()));
        if kept.len() > ANSWERS_KEPT {
            kept.remove(0);
        }
        other
    }
}
