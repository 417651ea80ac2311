//! The process that is killed: a store on an SQLite file, the engine, and no more. It does what the world asks, counts the points it
//! passes, and dies at one of them without a chance to tidy up.

use crate::talk::{Answered, Ask, Asked, Judged, Line, RemitStanding, Said, Standing, Wire};
use domain::levy::{Asked as Sum, Customer, TaxMode, Terms};
use domain::papers::FileRef;
use domain::planted::{Bug, plant};
use domain::{BankCard, Cellphone, Clock, IdCard, InstanceId, Money, Person, PersonName, Time};
use engine::{Engine, Limits, New, Rules};
use providers::{AccountConfig, Exchanging, Peer, Providers, Transport, WireAnswer, WireFault, WireRequest, olading};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use store::{Filter, NewBlob, Options, Post, Store, Submitted, Target, fail_point};
use uuid::Uuid;
use workflows::Policy;
use workflows::document::Brought;
use workflows::levy_order::{Input, Order};

/// The environment of the process: where the world listens, the database, the point to die at, the bug to carry.
pub(crate) const WORLD: &str = "LEVEE_CRASH_WORLD";
pub(crate) const DATABASE: &str = "LEVEE_CRASH_DATABASE";
pub(crate) const DIE_AT: &str = "LEVEE_CRASH_AT";
pub(crate) const PLANTED: &str = "LEVEE_CRASH_BUG";

/// Every point of the product, in the order of an order's life, and those of the wire.
pub(crate) const POINTS: [&str; 13] = [
    "submit",
    "post",
    "claim",
    "commit",
    "release",
    "open_case",
    "answer",
    "transaction.written",
    "transaction.committed",
    "call",
    "call.answered",
    HEARD,
    CARRIED_OUT,
];
/// The request has arrived at the provider, which has not acted on it yet; it will, whether or not we still live.
pub(crate) const HEARD: &str = "provider.heard";
/// The provider has acted; its answer is under way.
pub(crate) const CARRIED_OUT: &str = "provider.carried_out";

pub(crate) const ACCOUNT: &str = "main";
pub(crate) const CLIENT_KEY: &str = "the client";
pub(crate) const SECRET: &str = "a secret of the tests";
pub(crate) const PAYEE_CARD: &str = "6222000000000000004";
pub(crate) const PAYEE_NAME: &str = "张三";
/// A state that a newer program would know.
pub(crate) const OF_THE_FUTURE: &str = "of_the_future";
const TENANT: &str = "default";
const ORDER: InstanceId = InstanceId(Uuid::from_u128(0x019b_8c00_0000_7000_8000_0000_0000_0001));
/// The setting that names the payee.
const PERSON: &str = "crash/person";
/// The voucher of every payment.
const VOUCHER: &str = "crash/voucher";

/// The points this process has passed.
static PASSED: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// The way to the world, also for last words.
static WAY: OnceLock<Arc<Mutex<Line>>> = OnceLock::new();

/// A migrated database with the payee in it, as every life begins.
pub(crate) async fn begin(path: &Path) {
    let store = open(path, Clock::manual(Time::from_millis(0))).await;
    store.migrate().await.expect("migrate");
    let person = store.put_person(TENANT, &payee()).await.expect("store the payee");
    store.put_setting(PERSON, json!(person)).await.expect("store a setting");
    store.put_setting(VOUCHER, json!(voucher(&store).await)).await.expect("store a setting");
    store.close().await;
}

async fn open(path: &Path, clock: Clock) -> Store {
    let options =
        Options { master_key: [7; 32], dev: true, pool_size: 2, clock, exclusive: true, blobs: store::Blobs::Database };
    Store::connect(&format!("sqlite://{}", path.display()), options).await.expect("open the database")
}

/// Answers the world until it hangs up.
pub(crate) async fn serve(world: &str, database: &str) {
    let line = Line::over(UnixStream::connect(world).expect("reach the world"));
    let line = WAY.get_or_init(|| Arc::new(Mutex::new(line))).clone();
    if let Ok(name) = std::env::var(PLANTED) {
        let bug = Bug::ALL.iter().find(|bug| format!("{bug:?}") == name);
        plant(Some(*bug.expect("a bug that can be planted")));
    }
    count_points(std::env::var(DIE_AT).ok().and_then(|at| at.parse().ok()));
    let mut levee = None;
    loop {
        let heard = line.lock().unwrap_or_else(PoisonError::into_inner).hear::<Asked>();
        let Some(Asked { now, ask }) = heard else { return };
        let levee = match &mut levee {
            Some(levee) => levee,
            none => none.insert(Levee::open(Path::new(database), now, line.clone()).await),
        };
        levee.engine.clock.advance_real(now.since(levee.engine.clock.now()));
        let answer = levee.answer(ask).await;
        line.lock().unwrap_or_else(PoisonError::into_inner).say(&Said::Answer(answer));
    }
}

/// Counts every point passed; at the given one the process ends as by `kill -9`: nothing is unwound, flushed or closed.
fn count_points(die_at: Option<usize>) {
    for point in POINTS {
        let pass = move || {
            let passed = {
                let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
                passed.push(point.to_owned());
                passed.len()
            };
            if Some(passed) == die_at {
                let way = WAY.get().expect("points are counted once the world is there");
                way.lock().unwrap_or_else(PoisonError::into_inner).say(&Said::Dying { point: point.to_owned() });
                std::process::abort();
            }
        };
        fail::cfg_callback(point, pass).expect("configure a fail point");
    }
}

struct Levee {
    engine: Engine,
    person: Uuid,
    voucher: FileRef,
}

impl Levee {
    async fn open(database: &Path, now: Time, line: Arc<Mutex<Line>>) -> Self {
        let clock = Clock::manual(now);
        let store = open(database, clock.clone()).await;
        store.check_schema().await.expect("the schema of this program");
        let person = store.setting(PERSON).await.expect("read a setting").expect("the payee is stored");
        let mut settings = olading::Settings::new("http://127.0.0.1:9", CLIENT_KEY, SECRET);
        settings.code_order_not_found = Some("1404".into());
        let accounts = BTreeMap::from([(ACCOUNT.to_owned(), AccountConfig::Olading(settings))]);
        let providers = Providers::new(accounts, Transport::Local(Arc::new(Far(line)))).expect("one account");
        let limits = Limits { rate_per_second: None, ..Limits::default() };
        let voucher = store.setting(VOUCHER).await.expect("read a setting").expect("the voucher is stored");
        let policy = Policy { voucher_days: Some(30), ..Policy::default() };
        let rules = Rules { default_limits: limits, default_policy: policy, ..Rules::default() };
        let engine = Engine::new(store, providers, clock, rules);
        let (person, voucher) = (serde_json::from_value(person), serde_json::from_value(voucher));
        Self { engine, person: person.expect("an id"), voucher: voucher.expect("a file") }
    }

    async fn answer(&self, ask: Ask) -> Value {
        match ask {
            Ask::Submit { net, readable } => json!(self.submit(net, readable).await),
            Ask::Work => json!(self.engine.until_idle().await.expect("the store is there")),
            Ask::Permit { remit, key } => self.permit(remit, &key).await,
            Ask::Tell { remit, key, event } => json!(self.tell(remit, &key, event).await),
            Ask::Callback { body } => {
                let content_type = Some("application/x-www-form-urlencoded");
                json!(self.engine.receive(ACCOUNT, content_type, body.as_bytes()).await.map(|ack| ack.body).ok())
            }
            Ask::Look => json!(self.look().await),
            Ask::Judge => json!(self.judge().await),
        }
    }

    async fn submit(&self, net: Money, readable: bool) -> InstanceId {
        let request_id = self.engine.store.derive_request_id(TENANT, "pay-1");
        let address = Some(format!("{ACCOUNT}/{request_id}"));
        let input = Input {
            request_id,
            person: self.person,
            name_chars: 2,
            terms: terms(net),
            replaces: None,
            needs: Vec::new(),
            over_limit: false,
        };
        let order = New {
            id: Some(ORDER),
            workflow: "levy_order".into(),
            tenant: TENANT.into(),
            account: ACCOUNT.into(),
            business_key: "pay-1".into(),
            address,
            person: Some(self.person),
            content_hash: "content".into(),
            input: serde_json::to_value(input).expect("plain values"),
            state: serde_json::to_value(Order::new(self.engine.clock.now())).expect("plain values"),
            ..New::default()
        };
        let mut row = self.engine.prepare(order).expect("a workflow of the book");
        if !readable {
            (row.state, row.state_name) = (json!({ OF_THE_FUTURE: 1 }), OF_THE_FUTURE.into());
        }
        match self.engine.submit_all(vec![row]).await.expect("the store is there").remove(0) {
            Submitted::Created(id) | Submitted::Known(id) => id,
            Submitted::Differs(id) => panic!("{id} is another order"),
        }
    }

    /// Asks, lets the turn happen that answers, and collects the answer under the key.
    async fn permit(&self, remit: InstanceId, key: &str) -> Value {
        let ask = || engine::Ask { to: remit, tenant: TENANT, dedupe: Some(key), wait: Duration::ZERO };
        let event = |ask| json!({ "PermitAsked": { "ask": ask } });
        if let Some(answer) = self.engine.ask(ask(), event).await.expect("the store is there") {
            return answer;
        }
        self.engine.until_idle().await.expect("the store is there");
        self.engine.ask(ask(), event).await.expect("the store is there").unwrap_or_default()
    }

    /// Whether the same was told before. A payment comes with its voucher.
    async fn tell(&self, remit: InstanceId, key: &str, mut event: Value) -> bool {
        if let Some(paid) = event.get_mut("PaidReported") {
            let business_key = format!("voucher/{remit}");
            let request_id = self.engine.store.derive_request_id(TENANT, &business_key);
            paid["voucher"] = json!(Brought { business_key, request_id, file: self.voucher.clone() });
        }
        let at = self.engine.clock.now();
        let post = Post {
            id: domain::ids::derive(at, remit.0, key),
            tenant: TENANT.into(),
            to: Target::Instance(remit),
            event,
            source: "api".into(),
            dedupe: Some(key.to_owned()),
            raw: None,
            at,
        };
        self.engine.post(post).await.expect("the store is there") == store::Posted::Duplicate
    }

    async fn look(&self) -> Standing {
        let store = &self.engine.store;
        let order = store.instance(ORDER).await.expect("read");
        let mut remits = Vec::new();
        let children = store.children(ORDER).await.expect("read");
        let ids: Vec<InstanceId> = children.iter().map(|row| row.id).collect();
        let beside = store.beside(&ids).await.expect("read");
        for (row, beside) in children.into_iter().zip(beside) {
            let input: workflows::remit::Input = serde_json::from_value(row.input).expect("a remit's input");
            remits.push(RemitStanding {
                id: row.id,
                provider_order_id: input.provider_order_id.to_string(),
                location: input.tax_agent_location_id,
                amount: input.amount,
                state: row.state_name,
                voucher: beside.voucher,
            });
        }
        remits.sort_by(|a, b| a.location.cmp(&b.location));
        Standing {
            order: order.as_ref().map(|row| row.state_name.clone()).unwrap_or_default(),
            outcome: order.map(|row| row.state["settled"]["outcome"].clone()).unwrap_or_default(),
            remits,
            wake: store.next_wake().await.expect("read"),
        }
    }

    async fn judge(&self) -> Judged {
        let store = &self.engine.store;
        let (mut torn, mut callbacks) = (0, 0);
        for row in store.list(Filter { limit: 100, ..Filter::default() }).await.expect("read") {
            torn += usize::from(store.verify_history(row.id).await.expect("read").is_some());
            let letters = store.letters(row.id).await.expect("read");
            callbacks += letters.iter().filter(|letter| letter.source == "callback").count();
        }
        let findings = self.engine.audits().await.expect("audit");
        Judged {
            limbo: self.engine.limbo().await.expect("audit").count,
            audits: findings.into_iter().filter(|finding| finding.count > 0).map(|finding| finding.audit).collect(),
            cases: store.cases(TENANT, None, None, None, None, 100).await.expect("read").len(),
            torn,
            callbacks,
            passed: PASSED.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The provider, at the other end of the socket.
struct Far(Arc<Mutex<Line>>);

impl Peer for Far {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a> {
        Box::pin(async move { self.carry(request) })
    }
}

impl Far {
    fn carry(&self, request: &WireRequest) -> Result<WireAnswer, WireFault> {
        let path = request.url.split_once("127.0.0.1:9").expect("our account's address").1.to_owned();
        let body = String::from_utf8(request.body.clone()).expect("a form");
        let wire = Wire { path, content_type: request.content_type.to_owned(), body };
        let arrived: bool = self.tell(&Said::Request(wire));
        if !arrived {
            return Err(WireFault::NotSent);
        }
        fail_point(HEARD);
        let answered: Option<Answered> = self.tell(&Said::CarryOut);
        fail_point(CARRIED_OUT);
        let Answered { status, headers, body } = answered.ok_or(WireFault::Broken)?;
        Ok(WireAnswer { status, headers, body: body.into_bytes() })
    }

    fn tell<T: DeserializeOwned>(&self, said: &Said) -> T {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.say(said);
        line.hear().expect("the world outlives us")
    }
}

async fn voucher(store: &Store) -> FileRef {
    let at = Time::from_millis(0);
    let new = NewBlob { media: "document".into(), class: "bank_voucher".into(), keep_until: None, most: 64, at };
    let mut writer = store.blob_writer(TENANT, new).await.expect("a blob store");
    writer.write(b"%PDF-1.4").await.expect("write a blob");
    let blob = writer.finish().await.expect("keep a blob");
    FileRef { blob: blob.id, sha256: blob.sha256, bytes: blob.size }
}

fn payee() -> Person {
    Person {
        name: PersonName::parse(PAYEE_NAME).expect("a name"),
        id_card: IdCard::parse("110101199003070011").expect("a checksum that holds"),
        cellphone: Cellphone::parse("13800000000").expect("a number"),
        bankcard: BankCard::parse(PAYEE_CARD).expect("a checksum that holds"),
    }
}

fn terms(net: Money) -> Terms {
    Terms {
        asked: Sum::Net(net),
        tax_mode: TaxMode::General,
        tax_agent_parent_id: "1001".into(),
        tax_agent_location_id: None,
        customer: Customer::CreditCode("91110000MA00000000".into()),
        task_id: Some("1".into()),
        remark: None,
    }
}
