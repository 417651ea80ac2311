//! The merchant's side: the API over HTTP with the keys of two persons, and its orders.

use super::{World, far};
use domain::{Money, Time, person};
use serde_json::{Value, json};

pub(super) const BOOTSTRAP: &str = "the bootstrap key of the scenarios";
/// An answer of ours is never longer.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    /// Does the daily work, and may approve too: what others propose.
    Li,
    Wang,
}

/// The desk with its keys; clones share the client.
#[derive(Clone)]
pub(crate) struct Office {
    base: String,
    client: reqwest::Client,
    li: String,
    wang: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// An order of ours.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) request_id: String,
}

/// One of its remits.
#[derive(Debug, Clone)]
pub(crate) struct Remit {
    pub(crate) id: String,
    pub(crate) provider_order_id: String,
    pub(crate) location: String,
    pub(crate) amount: Money,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn code(&self) -> String {
        text(&self.json()["code"]).to_owned()
    }

    /// `field: code` of every wrong field.
    pub(crate) fn faults(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| format!("{}: {}", text(&error["field"]), text(&error["code"]))).collect()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// An order for the n-th person: all valid, all different.
pub(crate) fn ask(business_key: &str, n: u32) -> Value {
    json!({
        "business_key": business_key, "person": someone(n), "net": "1234.50", "tax_mode": "GENERAL",
        "tax_agent_parent_id": "1001", "tax_agent_location_id": "2001", "credit_code": "91110000MA00000000", "task_id": "1",
    })
}

/// A connection for each call: one that lay idle may be closed by the server at the very moment it is used again.
const CLOSE: (&str, &str) = ("connection", "close");

/// The card of everybody.
pub(crate) const CARD: &str = "6222000000000000004";

fn someone(n: u32) -> Value {
    let body = format!("1101011990{:02}{:02}{:03}", 1 + n / 28 % 12, 1 + n % 28, n % 1000);
    let id_card = format!("{body}{}", char::from(person::check_character(body.as_bytes())));
    json!({ "name": "张三", "id_card": id_card, "cellphone": format!("138{n:08}"), "bankcard_no": CARD })
}

impl Office {
    /// Takes the bootstrap key once, to give an operator and an approver keys of their own.
    pub(super) async fn open(base: &str) -> Self {
        let client = providers::http_client().expect("the HTTP client");
        let first = Self { base: base.to_owned(), client, li: BOOTSTRAP.into(), wang: BOOTSTRAP.into() };
        let (li, wang) = (first.key("li", "approver").await, first.key("wang", "approver").await);
        Self { li, wang, ..first }
    }

    async fn key(&self, name: &str, role: &str) -> String {
        let body = json!({ "name": name, "role": role });
        let made = self.call(Person::Wang, "POST", "/v1/keys", Some(body), None).await.expect(201).json();
        text(&made["key"]).to_owned()
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(super) async fn call(
        &self,
        who: Person,
        method: &str,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answer {
        let bearer = match who {
            Person::Li => &self.li,
            Person::Wang => &self.wang,
        };
        let method = method.parse().expect("a method");
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).bearer_auth(bearer).header(CLOSE.0, CLOSE.1);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        read(request.send().await.expect("levee answers")).await
    }

    /// A body that is not JSON, by the first person.
    pub(crate) async fn bring(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.li).header(CLOSE.0, CLOSE.1);
        read(request.header("content-type", content_type).body(body).send().await.expect("levee answers")).await
    }

    /// A call of the far side.
    pub(super) async fn plain(&self, url: &str, body: &Value) -> Answer {
        self.try_plain(url, body).await.expect("an answer")
    }

    pub(super) async fn try_plain(&self, url: &str, body: &Value) -> Option<Answer> {
        let answer = self.client.post(url).json(body).send().await.ok()?;
        Some(read(answer).await)
    }

    pub(super) async fn fetch(&self, url: &str) -> Answer {
        read(self.client.get(url).send().await.expect("an answer")).await
    }

    pub(super) async fn form(&self, url: &str, body: String) -> Answer {
        let request = self.client.post(url).header("content-type", far::FORM).body(body);
        read(request.send().await.expect("an answer")).await
    }
}

async fn read(mut answer: reqwest::Response) -> Answer {
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.expect("the whole answer") {
        body.extend_from_slice(&piece);
        assert!(body.len() <= ANSWER_MAX, "an answer without end");
    }
    Answer { status, content_type, body }
}

impl World {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.office.call(Person::Li, "GET", path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(Person::Li, path, body).await
    }

    pub(crate) async fn post_as(&self, who: Person, path: &str, body: Value) -> Answer {
        self.office.call(who, "POST", path, Some(body), None).await
    }

    pub(crate) async fn put_as(&self, who: Person, path: &str, body: Value) -> Answer {
        self.office.call(who, "PUT", path, Some(body), None).await
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{sign}limit=200{cursor}")).await.expect(200).json();
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// An order for the first person.
    pub(crate) async fn asks(&self, business_key: &str) -> Order {
        self.asks_for(ask(business_key, 1)).await
    }

    pub(crate) async fn asks_for(&self, body: Value) -> Order {
        let made = self.post("/v1/orders", body).await.expect(201).json();
        Order { id: text(&made["id"]).to_owned(), request_id: text(&made["request_id"]).to_owned() }
    }

    /// An order of one remit that may be paid.
    pub(crate) async fn ready(&self, business_key: &str) -> (Order, Remit) {
        let order = self.asks(business_key).await;
        self.until_order(&order, "ready").await;
        let mut remits = self.remits(&order).await;
        assert_eq!(remits.len(), 1, "one remit");
        (order, remits.remove(0))
    }

    /// An order that the provider splits over two places.
    pub(crate) async fn ready_split(&self, business_key: &str) -> (Order, Remit, Remit) {
        let mut body = ask(business_key, 1);
        body["net"] = json!("20000.00");
        body.as_object_mut().expect("an object").remove("tax_agent_location_id");
        let order = self.asks_for(body).await;
        self.until_order(&order, "ready").await;
        let mut remits = self.remits(&order).await;
        assert_eq!(remits.len(), 2, "two remits");
        remits.sort_by(|a, b| a.location.cmp(&b.location));
        let second = remits.remove(1);
        (order, remits.remove(0), second)
    }

    pub(crate) async fn remits(&self, order: &Order) -> Vec<Remit> {
        let shown = self.order(order).await;
        let remit = |remit: &Value| Remit {
            id: text(&remit["id"]).to_owned(),
            provider_order_id: text(&remit["provider_order_id"]).to_owned(),
            location: text(&remit["tax_agent_location_id"]).to_owned(),
            amount: Money::parse(text(&remit["amount"])).expect("an amount"),
        };
        shown["remits"].as_array().into_iter().flatten().map(remit).collect()
    }

    /// The order as levee shows it.
    pub(crate) async fn order(&self, order: &Order) -> Value {
        self.get(&format!("/v1/orders/{}", order.id)).await.expect(200).json()
    }

    /// The remit as levee shows it.
    pub(crate) async fn remit(&self, remit: &Remit) -> Value {
        self.get(&format!("/v1/remits/{}", remit.id)).await.expect(200).json()
    }

    pub(crate) async fn order_state(&self, order: &Order) -> String {
        text(&self.order(order).await["state"]).to_owned()
    }

    pub(crate) async fn state(&self, remit: &Remit) -> String {
        text(&self.remit(remit).await["state"]).to_owned()
    }
}

pub(crate) fn time(value: &Value) -> Time {
    Time::parse(text(value)).unwrap_or_else(|| panic!("no time: {value}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
