//! A small world around the engine: a store, a clock moved by hand, and a provider in the same process that speaks Olading's
//! protocol and does as it is told.

#![allow(dead_code, clippy::unwrap_used, clippy::allow_attributes, reason = "each test binary uses its part")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::levy::{Asked, Customer, TaxMode, Terms};
use domain::{BankCard, Cellphone, Clock, IdCard, InstanceId, Money, Person, PersonName, RequestId, Time};
use engine::{Engine, Limits, New, Rules};
use hmac::{Hmac, Mac};
use providers::{AccountConfig, Exchanging, Peer, Providers, Transport, WireAnswer, WireFault, WireRequest, olading};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Filter, Instance, Post, Posted, Store, Submitted, Target};
use uuid::Uuid;
use workflows::levy_order::{Input, Order};

pub(crate) const ACCOUNT: &str = "main";
pub(crate) const TENANT: &str = "default";
const SECRET: &str = "a secret of the tests";

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) provider: Arc<Provider>,
    pub(crate) person: Uuid,
}

/// What the provider does with its next call instead of answering.
#[derive(Clone, Copy)]
pub(crate) enum Say {
    /// No connection: nothing arrives.
    NotThere,
    /// It arrives and works, and the answer is lost.
    Silence,
    /// It arrives and works, and our worker dies.
    Panic,
    /// It arrives and works, and the answer's signature is no signature.
    Unsigned,
    /// It arrives and works, and the answer is about another order.
    Another,
}

type Watcher = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Provider {
    says: Mutex<VecDeque<Say>>,
    calls: Mutex<Vec<String>>,
    /// request_id → status.
    orders: Mutex<BTreeMap<String, &'static str>>,
    /// Looks on while a call is under way.
    watcher: Mutex<Option<Watcher>>,
    /// Orders of which every call is the end of the process that makes it.
    deadly: Mutex<BTreeSet<String>>,
    /// Told of each such end: whoever hears it kills the process.
    pub(crate) end: tokio::sync::Notify,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Rules::default(), "memory:").await
    }

    pub(crate) async fn with(rules: Rules, url: &str) -> Self {
        let clock = Clock::manual(Time::parse("2026-01-05T10:00:00+08:00").unwrap());
        Self::running(rules, url, clock).await
    }

    pub(crate) async fn running(rules: Rules, url: &str, clock: Clock) -> Self {
        let options = store::Options {
            master_key: [7; 32],
            dev: true,
            pool_size: 4,
            clock: clock.clone(),
            exclusive: true,
            blobs: store::Blobs::Database,
        };
        let store = Store::connect(url, options).await.unwrap();
        store.migrate().await.unwrap();
        let provider = Arc::new(Provider::default());
        let engine = engine(&store, &provider, &clock, rules);
        let person = store.put_person(TENANT, &payee()).await.unwrap();
        Self { engine, store, clock, provider, person }
    }

    /// The engine of a process that starts over the same store.
    pub(crate) fn restarted(&self) -> Engine {
        engine(&self.store, &self.provider, &self.clock, (*self.engine.rules).clone())
    }

    pub(crate) async fn submit(&self, key: &str) -> InstanceId {
        match self.engine.submit(self.order(key)).await.unwrap() {
            Submitted::Created(id) => id,
            other @ (Submitted::Known(_) | Submitted::Differs(_)) => panic!("{other:?}"),
        }
    }

    pub(crate) fn order(&self, key: &str) -> New {
        let request_id = self.request_id(key);
        let address = Some(format!("{ACCOUNT}/{request_id}"));
        let input = Input {
            request_id,
            person: self.person,
            name_chars: 2,
            terms: terms(),
            replaces: None,
            needs: Vec::new(),
            over_limit: false,
        };
        New {
            workflow: "levy_order".into(),
            tenant: TENANT.into(),
            account: ACCOUNT.into(),
            business_key: key.into(),
            address,
            person: Some(self.person),
            content_hash: "content".into(),
            input: serde_json::to_value(input).unwrap(),
            state: serde_json::to_value(Order::new(self.clock.now())).unwrap(),
            ..New::default()
        }
    }

    pub(crate) fn request_id(&self, key: &str) -> RequestId {
        self.store.derive_request_id(TENANT, key)
    }

    pub(crate) async fn instance(&self, id: InstanceId) -> Instance {
        self.store.instance(id).await.unwrap().unwrap()
    }

    /// The history as `event: cause`.
    pub(crate) async fn story(&self, id: InstanceId) -> Vec<String> {
        let entries = self.store.history(id).await.unwrap();
        entries.iter().map(|entry| format!("{}: {}", entry.line.event, entry.line.cause)).collect()
    }

    pub(crate) async fn post(&self, to: InstanceId, event: Value) -> Posted {
        let at = self.clock.now();
        let id = domain::ids::draw(at);
        let to = Target::Instance(to);
        self.engine
            .post(Post { id, tenant: TENANT.into(), to, event, source: "api".into(), dedupe: None, raw: None, at })
            .await
            .unwrap()
    }

    /// Lets time pass in steps until the order is where it should be.
    pub(crate) async fn until(&self, id: InstanceId, state: &str) {
        for _ in 0..200 {
            self.engine.until_idle().await.unwrap();
            if self.instance(id).await.state_name == state {
                return;
            }
            self.clock.advance_real(Duration::from_secs(30));
        }
        panic!("never {state}, but {:?}", self.instance(id).await.state);
    }

    pub(crate) async fn remits(&self) -> Vec<Instance> {
        self.store.list(Filter { workflow: Some("remit".into()), limit: 100, ..Filter::default() }).await.unwrap()
    }

    pub(crate) async fn cases(&self) -> Vec<store::Case> {
        self.store.cases(TENANT, None, None, None, None, 100).await.unwrap()
    }

    /// A callback body as the provider would send it.
    pub(crate) fn callback(&self, key: &str) -> Vec<u8> {
        let data = json!({ "request_id": self.request_id(key).as_str(), "status": "CLOSE", "remit_order_list": [] });
        let req = json!({ "name": "CREATE_ORDER_V2", "code": "0", "message": "", "data": data }).to_string();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("sign", &sign(req.as_bytes())).append_pair("req", &req);
        form.finish().into_bytes()
    }
}

fn engine(store: &Store, provider: &Arc<Provider>, clock: &Clock, rules: Rules) -> Engine {
    let mut settings = olading::Settings::new("http://127.0.0.1:9", "the client", SECRET);
    settings.code_order_not_found = Some("9404".into());
    let accounts = BTreeMap::from([(ACCOUNT.to_owned(), AccountConfig::Olading(settings))]);
    let providers = Providers::new(accounts, Transport::Local(provider.clone())).unwrap();
    let limits = Limits { rate_per_second: None, ..Limits::default() };
    Engine::new(store.clone(), providers, clock.clone(), Rules { default_limits: limits, ..rules })
}

impl Provider {
    pub(crate) fn say(&self, say: Say) {
        self.says.lock().unwrap().push_back(say);
    }

    pub(crate) fn watch(&self, watcher: impl Fn(&str) + Send + Sync + 'static) {
        *self.watcher.lock().unwrap() = Some(Box::new(watcher));
    }

    /// From now on whoever makes a call of this order dies of it.
    pub(crate) fn kills(&self, order: &RequestId) {
        self.deadly.lock().unwrap().insert(order.as_str().to_owned());
    }

    fn is_deadly(&self, request: &WireRequest) -> bool {
        let text = String::from_utf8_lossy(&request.body);
        self.deadly.lock().unwrap().iter().any(|order| text.contains(order))
    }

    /// The names of the calls so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn creates(&self) -> usize {
        self.calls().iter().filter(|name| *name == "CREATE_ORDER_V2").count()
    }

    /// The orders it has.
    pub(crate) fn orders(&self) -> usize {
        self.orders.lock().unwrap().len()
    }

    fn answer(&self, name: &str, data: &Value) -> (&'static str, Value) {
        let request_id = data["request_id"].as_str().unwrap_or_default().to_owned();
        let mut orders = self.orders.lock().unwrap();
        match name {
            "CREATE_ORDER_V2" => {
                orders.entry(request_id.clone()).or_insert("CLOSE");
                ("0", json!({ "request_id": request_id }))
            }
            "QUERY_ORDER_V2" if !orders.contains_key(&request_id) => ("9404", json!({ "request_id": request_id })),
            "QUERY_ORDER_V2" => {
                let remit = json!({
                    "order_id": format!("20260105{}", &request_id[..8]), "tax_agent_location_id": "2001", "amount": "100.00", "fee": "6.00",
                    "actual_amount": "106.00", "compensate_fee": "0.00", "sum_fee": "6.00", "remit_status": "ACCEPT"
                });
                ("0", json!({ "request_id": request_id, "status": orders[&request_id], "remit_order_list": [remit] }))
            }
            _ => ("0001", json!({})),
        }
    }
}

impl Peer for Provider {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a> {
        Box::pin(async move {
            let answer = self.exchange_now(request);
            if self.is_deadly(request) {
                self.end.notify_one();
                std::future::pending::<()>().await;
            }
            if !self.deadly.lock().unwrap().is_empty() {
                // An answer takes longer than a process takes to die.
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
            answer
        })
    }
}

impl Provider {
    fn exchange_now(&self, request: &WireRequest) -> Result<WireAnswer, WireFault> {
        let form: BTreeMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let req: Value = serde_json::from_str(&form["req"]).unwrap();
        let name = req["name"].as_str().unwrap();
        let say = self.says.lock().unwrap().pop_front();
        if matches!(say, Some(Say::NotThere)) {
            return Err(WireFault::NotSent);
        }
        self.calls.lock().unwrap().push(name.to_owned());
        if let Some(watcher) = self.watcher.lock().unwrap().as_ref() {
            watcher(name);
        }
        let (code, mut data) = self.answer(name, &req["data"]);
        match say {
            Some(Say::Silence) => return Err(WireFault::Timeout),
            Some(Say::Panic) => panic!("the worker dies in the call"),
            Some(Say::Another) => data["request_id"] = json!("another"),
            Some(Say::NotThere | Say::Unsigned) | None => {}
        }
        let body = json!({ "name": name, "code": code, "message": "", "data": data }).to_string().into_bytes();
        let signed = if matches!(say, Some(Say::Unsigned)) { sign(b"something else") } else { sign(&body) };
        Ok(WireAnswer { status: 200, headers: vec![("Api-Sign".into(), signed)], body })
    }
}

/// Runs a future to its end inside the provider's synchronous call; needs a runtime of several threads.
pub(crate) fn meanwhile<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

fn sign(bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(bytes);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn payee() -> Person {
    Person {
        name: PersonName::parse("张三").unwrap(),
        id_card: IdCard::parse("110101199003070011").unwrap(),
        cellphone: Cellphone::parse("13800000000").unwrap(),
        bankcard: BankCard::parse("6222000000000000004").unwrap(),
    }
}

fn terms() -> Terms {
    Terms {
        asked: Asked::Net(Money::parse("100.00").unwrap()),
        tax_mode: TaxMode::General,
        tax_agent_parent_id: "1001".into(),
        tax_agent_location_id: None,
        customer: Customer::CreditCode("91110000MA00000000".into()),
        task_id: None,
        remark: None,
    }
}
