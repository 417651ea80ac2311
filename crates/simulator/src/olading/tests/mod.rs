//! The provider's behaviour, as specifications. `World` is one client talking to one simulator.

mod door;
mod faults;
mod lifecycle;
mod money;
mod people;
mod switches;

use crate::olading::codec;
use crate::sim::{Outgoing, Reply, Sim};
use crate::{Client, Config, Ledger, OladingScript, Operation};
use domain::{Time, person};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(crate) const KEY: &str = "client-a";
pub(crate) const SECRET: &str = "密钥-for-tests";

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) now: Time,
}

pub(crate) fn world() -> World {
    world_with(|_| {})
}

pub(crate) fn world_with(change: impl FnOnce(&mut Config)) -> World {
    let clients = vec![Client {
        client_key: KEY.into(),
        secret: SECRET.into(),
        callback_url: Some("http://127.0.0.1:9/cb".into()),
    }];
    let mut config = Config { clients, ..Config::default() };
    change(&mut config);
    World { sim: Sim::new(config).unwrap(), now: Time::parse("2026-01-05T09:00:00+08:00").unwrap() }
}

/// A person of the given number, with valid checksums.
pub(crate) fn id_card(number: u32) -> String {
    let body = format!("110101199001{:02}{:03}", number / 1000 % 28 + 1, number % 1000);
    format!("{body}{}", person::check_character(body.as_bytes()) as char)
}

pub(crate) fn bankcard(number: u32) -> String {
    let body = format!("62220000{number:010}");
    (0..10)
        .map(|digit| format!("{body}{digit}"))
        .find(|card| person::luhn_sum(card.as_bytes()).is_multiple_of(10))
        .unwrap()
}

/// A good CREATE_ORDER_V2 for person 1.
pub(crate) fn order(request_id: &str, profit: &str) -> Value {
    json!({
        "request_id": request_id, "id_card": id_card(1), "name": "张三", "tax_agent_parent_id": "1001", "credit_code": "91110000MA00000000",
        "cellphone": "13800000000", "bankcard_no": bankcard(1), "profit": profit, "tax_mode": "GENERAL",
    })
}

/// The same object with one field set, or taken away by null.
pub(crate) fn with(mut value: Value, field: &str, to: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    if to.is_null() {
        object.remove(field);
    } else {
        object.insert(field.into(), to);
    }
    value
}

impl World {
    pub(crate) fn wait(&mut self, seconds: u64) -> Vec<Outgoing> {
        self.now = self.now + Duration::from_secs(seconds);
        self.sim.run_until(self.now)
    }

    pub(crate) fn hours(&mut self, hours: u64) -> Vec<Outgoing> {
        self.wait(hours * 3600)
    }

    pub(crate) fn call(&mut self, operation: Operation, data: Value) -> Reply {
        self.call_as(operation.name(), operation.path(), data)
    }

    pub(crate) fn call_as(&mut self, name: &str, path: &str, data: Value) -> Reply {
        let req = json!({ "name": name, "client_key": KEY, "timestamp": self.now.beijing().to_string(), "data": data })
            .to_string();
        self.send(path, &req, SECRET)
    }

    pub(crate) fn send(&mut self, path: &str, req: &str, secret: &str) -> Reply {
        let body = codec::form(req, &codec::sign(secret, req.as_bytes()));
        self.sim.handle(self.now, path, "application/x-www-form-urlencoded; charset=UTF-8", body.as_bytes())
    }

    /// The code and data of a call whose answer must be well signed and name what was asked.
    pub(crate) fn ask(&mut self, operation: Operation, data: Value) -> (String, Value) {
        let reply = self.call(operation, data);
        let answer = parsed(&reply);
        assert_eq!(answer["name"], operation.name());
        (answer["code"].as_str().unwrap().to_owned(), answer["data"].clone())
    }

    pub(crate) fn code(&mut self, operation: Operation, data: Value) -> String {
        self.ask(operation, data).0
    }

    pub(crate) fn done(&mut self, operation: Operation, data: Value) -> Value {
        let (code, data) = self.ask(operation, data);
        assert_eq!(code, "0", "{operation}: {data}");
        data
    }

    pub(crate) fn create(&mut self, request_id: &str, profit: &str) -> Value {
        self.done(Operation::CreateOrderV2, order(request_id, profit))
    }

    pub(crate) fn query(&mut self, request_id: &str) -> Value {
        self.done(Operation::QueryOrderV2, json!({ "request_id": request_id }))
    }

    /// Creates an order, waits until it is ready, and returns its remits' ids.
    pub(crate) fn ready(&mut self, request_id: &str, profit: &str) -> Vec<String> {
        self.create(request_id, profit);
        self.wait(120);
        remits(&self.query(request_id)).iter().map(|remit| remit["order_id"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn confirm(&mut self, order_id: &str, next_step: &str) -> String {
        let arising = self.now.beijing().to_string();
        self.code(
            Operation::ConfirmOrderV2,
            json!({ "order_id": order_id, "arising_time": arising, "next_step": next_step }),
        )
    }

    pub(crate) fn remit_status(&mut self, request_id: &str) -> Vec<String> {
        remits(&self.query(request_id)).iter().map(|remit| remit["remit_status"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn held(&self) -> String {
        self.ledger().quota.first().map(|quota| quota.held.to_string()).unwrap_or_default()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.sim.ledger()
    }

    pub(crate) fn script(&mut self, script: OladingScript) {
        self.sim.script(script);
    }
}

pub(crate) fn remits(view: &Value) -> Vec<Value> {
    view["remit_order_list"].as_array().cloned().unwrap_or_default()
}

/// The body of an answer with a good signature.
pub(crate) fn parsed(reply: &Reply) -> Value {
    let answer = reply.answer().expect("an answer");
    assert_eq!(answer.status, 200);
    let sign = answer.header("api-sign").expect("a signature");
    assert!(codec::verify(SECRET, &answer.body, sign), "the answer's signature");
    serde_json::from_slice(&answer.body).unwrap()
}

/// What a callback says, its signature checked.
pub(crate) fn letter(outgoing: &Outgoing) -> Map<String, Value> {
    let (req, sign) = codec::open_form(outgoing.body.as_bytes()).unwrap();
    assert!(codec::verify(SECRET, req.as_bytes(), &sign), "the callback's signature");
    serde_json::from_str(&req).unwrap()
}

pub(crate) fn names(letters: &[Outgoing]) -> Vec<String> {
    letters.iter().map(|outgoing| letter(outgoing)["name"].as_str().unwrap().to_owned()).collect()
}
