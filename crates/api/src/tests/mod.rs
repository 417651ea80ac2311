//! The API as its clients see it: the router driven in process, on the memory store, before the provider simulator.

mod access;
mod orders;
mod remits;
mod cases;
mod batches;
mod idempotency;
mod callbacks;
mod fuzz;
mod wire;

use crate::{Api, Role, Settings, callbacks as callback_router, router};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use domain::person::check_character;
use domain::{Clock, Time};
use engine::{Engine, Limits, Rules};
use providers::{AccountConfig, Exchanging, Peer, Providers, Transport, WireAnswer, WireFault, WireRequest, olading};
use serde_json::{Value, json};
use simulator::{Client, Config, Sim, Wire};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{ApiKey, Options, Store};
use tower::ServiceExt;

const ACCOUNT: &str = "main";
const URL: &str = "http://127.0.0.1:9";
pub(super) const SECRET: &str = "sim-secret";
pub(super) const BOOTSTRAP: &str = "a bootstrap key of more than 24 characters";

pub(super) struct World {
    pub(super) api: Api,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) far: Arc<Far>,
    router: Router,
    callbacks: Router,
}

/// The provider, in this process.
pub(super) struct Far {
    pub(super) sim: Mutex<Sim>,
    clock: Clock,
    pub(super) dead: AtomicBool,
}

impl Peer for Far {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a> {
        Box::pin(async move { self.carry(request) })
    }
}

impl Far {
    fn carry(&self, request: &WireRequest) -> Result<WireAnswer, WireFault> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(WireFault::NotSent);
        }
        let path = request.url.strip_prefix(URL).unwrap();
        let reply = self.sim.lock().unwrap().handle(self.clock.now(), path, request.content_type, &request.body);
        match reply.wire {
            Wire::Answer(answer) | Wire::Drip(answer) => {
                let headers = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                Ok(WireAnswer { status: answer.status, headers, body: answer.body })
            }
            Wire::Drop => Err(WireFault::Broken),
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id: {}", self.text)).to_owned()
    }

    /// `field: code` of every field error.
    pub(super) fn faults(&self) -> Vec<String> {
        let errors = self.json()["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|e| format!("{}: {}", e["field"].as_str().unwrap(), e["code"].as_str().unwrap())).collect()
    }

    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Clock::manual(Time::parse("2026-01-05T10:00:00+08:00").unwrap());
        let options = Options {
            master_key: [7; 32],
            dev: true,
            pool_size: 4,
            clock: clock.clone(),
            exclusive: true,
            blobs: store::Blobs::Database,
        };
        let store = Store::connect("memory:", options).await.unwrap();
        store.migrate().await.unwrap();
        let client = Client {
            client_key: "sim-client".into(),
            secret: SECRET.into(),
            callback_url: Some("http://levee/callbacks/main".into()),
        };
        let sim = Sim::new(Config { clients: vec![client], ..Config::default() }).unwrap();
        let far = Arc::new(Far { sim: Mutex::new(sim), clock: clock.clone(), dead: AtomicBool::new(false) });
        let account = || AccountConfig::Olading(olading::Settings::new(URL, "sim-client", SECRET));
        let accounts = BTreeMap::from([(ACCOUNT.to_owned(), account()), ("other".to_owned(), account())]);
        let providers = Providers::new(accounts, Transport::Local(far.clone())).unwrap();
        let rules = Rules {
            tenants: BTreeMap::from([("other".to_owned(), "other".to_owned())]),
            default_limits: Limits { rate_per_second: None, ..Limits::default() },
            ..Rules::default()
        };
        let engine = Engine::new(store, providers, clock.clone(), rules);
        let mut settings = Settings {
            order_accounts: vec![ACCOUNT.into(), "other".into()],
            bootstrap: Some(BOOTSTRAP.into()),
            ..Settings::default()
        };
        change(&mut settings);
        let api = Api::new(engine.clone(), settings);
        api.ensure_bootstrap().await.unwrap();
        let world =
            Self { router: router(api.clone()), callbacks: callback_router(api.clone()), api, engine, clock, far };
        for tenant in ["default", "other"] {
            for role in Role::ALL {
                world.key(&bearer(tenant, role), role.word(), tenant, role).await;
            }
        }
        world
    }

    pub(super) async fn key(&self, secret: &str, name: &str, tenant: &str, role: Role) {
        use sha2::{Digest, Sha256};
        let digest = hex::encode(Sha256::digest(secret.as_bytes()));
        let row = ApiKey {
            id: secret.into(),
            tenant: tenant.into(),
            name: name.into(),
            role: role.word().into(),
            digest,
            created_at: self.clock.now(),
            revoked_at: None,
        };
        self.engine.store.put_key(row).await.unwrap();
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// A call by a role of the tenant `default`.
    pub(super) async fn call(&self, role: Role, method: &str, path: &str, body: impl Into<Option<Value>>) -> Answer {
        self.send(request(&bearer("default", role), method, path, body.into())).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.call(Role::Viewer, "GET", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Role::Operator, "POST", path, body).await
    }

    pub(super) async fn keyed(&self, key: &str, path: &str, body: Value) -> Answer {
        let mut request = request(&bearer("default", Role::Operator), "POST", path, Some(body));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    pub(super) async fn callback(&self, account: &str, body: impl Into<Body>) -> Answer {
        let request =
            Request::post(format!("/callbacks/{account}")).header("content-type", "application/x-www-form-urlencoded");
        answer(self.callbacks.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap()).await
    }

    /// Lets time pass, in small steps, with everything driven.
    pub(super) async fn pass(&self, seconds: u64) {
        for _ in 0..seconds.div_ceil(10) {
            self.clock.advance_real(Duration::from_secs(10));
            self.engine.until_idle().await.unwrap();
        }
    }

    /// Drives in the background, for calls that wait for a turn.
    pub(super) fn driver(&self) -> Driver {
        let (engine, stop) = (self.engine.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                engine.until_idle().await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Driver(stop)
    }

    /// An order whose remits are there, and its first remit.
    pub(super) async fn ready(&self, business_key: &str, person: u32) -> (String, String) {
        let order = self.post("/v1/orders", order(business_key, person)).await.expect(201).id();
        self.engine.until_idle().await.unwrap();
        self.pass(120).await;
        let shown = self.get(&format!("/v1/orders/{order}")).await.expect(200).json();
        assert_eq!(shown["state"], "ready", "{shown}");
        (order, shown["remits"][0]["id"].as_str().unwrap().to_owned())
    }

    pub(super) async fn remit(&self, id: &str) -> Value {
        self.get(&format!("/v1/remits/{id}")).await.expect(200).json()
    }

    /// A permit for a remit.
    pub(super) async fn permit(&self, remit: &str) -> Value {
        let _driver = self.driver();
        self.post(&format!("/v1/remits/{remit}/pay-permit"), json!({})).await.expect(201).json()
    }
}

/// Stops between two turns: a turn that is cut off would keep its claim.
pub(super) struct Driver(Arc<AtomicBool>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) fn bearer(tenant: &str, role: Role) -> String {
    format!("key-of-{tenant}-{role}")
}

pub(super) fn request(bearer: &str, method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {bearer}"));
    match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

async fn answer(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let status: StatusCode = parts.status;
    Answer { status: status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
}

/// The n-th person: all valid, all different.
pub(super) fn person(n: u32) -> Value {
    let body = format!("1101011990{:02}{:02}{:03}", 1 + n / 28 % 12, 1 + n % 28, n % 1000);
    let id_card = format!("{body}{}", char::from(check_character(body.as_bytes())));
    json!({"name": "张三", "id_card": id_card, "cellphone": format!("138{n:08}"), "bankcard_no": "6222000000000000004"})
}

pub(super) fn order(business_key: &str, n: u32) -> Value {
    json!({
        "business_key": business_key,
        "person": person(n),
        "net": "1234.50",
        "tax_mode": "GENERAL",
        "tax_agent_parent_id": "1001",
        "tax_agent_location_id": "2001",
        "credit_code": "91110000MA00000000",
        "task_id": "1",
    })
}
