//! `levee serve` as its operators and programs see it.

use crate::payday::Payday;
use crate::{Http, Payer, Process, World, until};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// A running server and its admin's key.
#[derive(Debug)]
pub struct Levee {
    pub http: Http,
    pub process: Process,
}

/// States of a remit that somebody still works at, or will.
const MOVING: [&str; 12] = [
    "open",
    "permitted",
    "paying",
    "payout_in_doubt",
    "paid",
    "confirming",
    "confirm_in_doubt",
    "levying",
    "gate_closed",
    "cancelling",
    "cancel_in_doubt",
    "contradicted",
];
const ORDERS_MOVING: [&str; 5] = ["gated", "creating", "create_in_doubt", "accepted", "splitting"];

impl Levee {
    /// A key of one's own; its name is the person for four-eyes.
    #[track_caller]
    pub fn key(&self, name: &str, role: &str) -> Http {
        let made = self.http.done("/v1/keys", &json!({"name": name, "role": role, "tenant": "default"}));
        self.http.with_key(made["key"].as_str())
    }

    /// Takes an order, once.
    #[track_caller]
    pub fn order(&self, order: &Value) -> Value {
        let key = order["business_key"].as_str().expect("an order has a key");
        let answer = self.http.post_once("/v1/orders", key, order).expect("reach levee");
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    #[track_caller]
    pub fn orders(&self, payday: &mut Payday, prefix: &str, count: usize) -> Vec<Value> {
        payday.orders(prefix, count).iter().map(|order| self.order(order)).collect()
    }

    /// Waits until the order is in one of the states.
    #[track_caller]
    pub fn order_is(&self, id: &Value, states: &[&str], within: Duration) -> Value {
        let path = format!("/v1/orders/{}", id.as_str().expect("an id"));
        self.is(&path, states, within)
    }

    #[track_caller]
    pub fn remit_is(&self, id: &Value, states: &[&str], within: Duration) -> Value {
        let path = format!("/v1/remits/{}", id.as_str().expect("an id"));
        self.is(&path, states, within)
    }

    /// Waits until what is read there is in one of the states.
    #[track_caller]
    pub fn is(&self, path: &str, states: &[&str], within: Duration) -> Value {
        let mut last = Value::Null;
        until(within, &format!("{path} gets to {states:?}"), || {
            let seen = self.http.read(path);
            if seen["state"] != last {
                println!("{path} is {}", seen["state"]);
                last = seen["state"].clone();
            }
            states.iter().any(|state| seen["state"] == **state).then_some(seen)
        })
    }

    /// An order that has come as far as one open remit.
    #[track_caller]
    pub fn ready(&self, order: &Value) -> (Value, Value) {
        let order = self.order(order);
        let order = self.order_is(&order["id"], &["ready"], Duration::from_secs(30));
        let remit = order["remits"][0].clone();
        (order, remit)
    }

    /// How many orders and remits still move: neither at rest nor explained by a case.
    pub fn moving(&self) -> io::Result<usize> {
        let mut moving = 0;
        for state in ORDERS_MOVING {
            moving += self.http.try_all(&format!("/v1/orders?state={state}"))?.len();
        }
        for state in MOVING {
            let remits = self.http.try_all(&format!("/v1/remits?state={state}"))?;
            moving += remits.iter().filter(|remit| remit["case_id"].is_null()).count();
        }
        Ok(moving)
    }

    /// Pays until nothing moves any more; time jumps on whenever the payer finds nothing to do.
    #[track_caller]
    pub fn settle(&self, world: &World, payer: &mut Payer, within: Duration) {
        let mut quiet = 0;
        let mut left = usize::MAX;
        until(within, "everything comes to rest", || {
            let busy = payer.round();
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > 0 && quiet % 6 == 0 {
                let now = self.moving().unwrap_or(usize::MAX);
                if now == 0 && payer.is_idle() && payer.is_believed() {
                    return Some(());
                }
                // What waits for hours of the business clock shall not wait for them here.
                if now == left {
                    world.advance(self, 2 * 3600);
                }
                left = now;
            }
            None
        });
    }

    /// A number of `/metrics`: the sum over every label set that contains `labels`.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &str) -> u64 {
        let page = self.http.get("/metrics").expect("reach levee").text();
        let lines =
            page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        lines.filter(|line| line.contains(labels)).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}
