//! The world of one scenario: the real simulator and the real API on loopback sockets, the real store on a database of its own,
//! the real engine driven by hand, and one clock that moves only when a story says so.
//!
//! `office`, `till` and `desk` speak to levee's API (`files` has what the desk is brought), `far` to the provider and the bank, `time` lets time pass, `workers` are further workers of the
//! same fleet, `end` is the oracle that every story meets.

mod office;
mod till;
mod desk;
pub(crate) mod files;
mod far;
mod time;
mod workers;
mod end;

pub(crate) use far::{callback, fact, form, notice, paid_at, sign, signed};
pub(crate) use office::{Answer, CARD, Order, Person, Remit, ask, text, time};
pub(crate) use till::{Permit, evidence};
pub(crate) use time::{hours, minutes, seconds};

use domain::{Clock, Time};
use engine::{Engine, Limits, Rules};
use providers::{AccountConfig, Providers, Transport, olading};
use simulator::{Client, Config, Running};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use store::{Store, testing};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workflows::{Params, Policy};

/// Every story is told on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
}

pub(crate) const ACCOUNT: &str = "main";
/// An account whose settings do not fit the provider (T06).
pub(crate) const OTHER: &str = "other";
const CLIENT: &str = "sim-client";
pub(crate) const SECRET: &str = "sim-secret";

/// What a story changes before it begins.
pub(crate) struct Setup {
    pub(crate) start: &'static str,
    /// The far side.
    pub(crate) far: Config,
    /// How levee is configured for it.
    pub(crate) account: olading::Settings,
    pub(crate) other: Option<olading::Settings>,
    pub(crate) policy: Policy,
    pub(crate) params: BTreeMap<String, String>,
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) engine: Engine,
    pub(crate) far: Running,
    pub(crate) office: office::Office,
    setup: Setup,
    /// Under which number each remit was paid, as far as payers of this story know.
    paying: Mutex<BTreeMap<String, String>>,
    api: Option<Serving>,
    folder: Option<Folder>,
}

/// One process with API and callbacks.
struct Serving {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Gone when the story is.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl World {
    /// A Monday morning, an honest provider, default rules.
    pub(crate) async fn new(db: Db) -> Self {
        Self::with(db, |_| {}).await
    }

    pub(crate) async fn with(db: Db, change: impl FnOnce(&mut Setup)) -> Self {
        let mut account = olading::Settings::new("http://127.0.0.1:9", CLIENT, SECRET);
        account.code_order_not_found = Some("1404".into());
        let mut setup = Setup {
            start: "2026-01-05T10:00:00+08:00",
            far: Config::default(),
            account,
            other: None,
            policy: Policy::default(),
            params: BTreeMap::new(),
        };
        change(&mut setup);
        let clock = Clock::manual(Time::parse(setup.start).expect("a start"));
        let (store, folder) = store(db, &clock).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let callback_url = Some(format!("{base}/callbacks/{ACCOUNT}"));
        setup.far.clients = vec![Client { client_key: CLIENT.into(), secret: SECRET.into(), callback_url }];
        let far = simulator::serve(setup.far.clone(), clock.clone()).await.expect("the simulator starts");
        let engine = engine(&setup, store, &clock, &far.url());
        let api = serve(listener, &engine).await;
        let office = office::Office::open(&base).await;
        Self { clock, engine, far, office, setup, paying: Mutex::default(), api: Some(api), folder }
    }

    /// The process with API and engine dies; another one starts on the same database and address.
    pub(crate) async fn restart(&mut self) {
        let address = self.office.base().trim_start_matches("http://").to_owned();
        self.stop_api().await;
        let listener = TcpListener::bind(&address).await.expect("the same port");
        self.engine = self.another_engine();
        self.api = Some(serve(listener, &self.engine).await);
    }

    /// Another process of the fleet: it shares the database and the clock, and nothing else.
    fn another_engine(&self) -> Engine {
        engine(&self.setup, self.engine.store.clone(), &self.clock, &self.far.url())
    }

    async fn stop_api(&mut self) {
        if let Some(Serving { stop, task }) = self.api.take() {
            stop.cancel();
            task.await.expect("the API ends");
        }
    }
}

async fn store(db: Db, clock: &Clock) -> (Store, Option<Folder>) {
    let (url, folder) = match db {
        Db::Postgres => (testing::database().await, None),
        Db::Sqlite => {
            let name = format!("levee-scenario-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&path).expect("the temporary folder can be written");
            (format!("sqlite://{}/levee.db", path.display()), Some(Folder(path)))
        }
    };
    let store = Store::connect(&url, testing::options(clock.clone())).await.expect("the database opens");
    store.migrate().await.expect("the migrations apply");
    testing::stop_time(&store, clock.real()).await;
    (store, folder)
}

fn engine(setup: &Setup, store: Store, clock: &Clock, far: &str) -> Engine {
    let settings = |settings: &olading::Settings| {
        AccountConfig::Olading(olading::Settings { url: far.to_owned(), ..settings.clone() })
    };
    let mut accounts = BTreeMap::from([(ACCOUNT.to_owned(), settings(&setup.account))]);
    accounts.extend(setup.other.iter().map(|other| (OTHER.to_owned(), settings(other))));
    let providers = Providers::new(accounts, Transport::http().expect("the HTTP client")).expect("good settings");
    let rules = Rules {
        params: Params::new(&setup.params).expect("parameters inside their bounds"),
        default_policy: setup.policy.clone(),
        default_limits: Limits { rate_per_second: None, ..Limits::default() },
        ..Rules::default()
    };
    Engine::new(store, providers, clock.clone(), rules)
}

async fn serve(listener: TcpListener, engine: &Engine) -> Serving {
    let order_accounts = engine.providers.names().map(str::to_owned).collect();
    let settings =
        api::Settings { bootstrap: Some(office::BOOTSTRAP.into()), order_accounts, ..api::Settings::default() };
    let api = api::Api::new(engine.clone(), settings);
    api.ensure_bootstrap().await.expect("the first key");
    let router = api::router(api.clone()).merge(api::callbacks(api));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move { api::serve(listener, router, api::Limits::default(), stopped).await });
    Serving { stop, task }
}
