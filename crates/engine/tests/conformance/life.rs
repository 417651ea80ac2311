//! A whole life of an order on the real engine, with a fault at one of its calls: it ends as it would have ended.

use crate::fault::{Belief, Far, Fault, Truth, Wire};
use crate::world::{ACCOUNT, NEXT, PATIENT, World};
use crate::{Outcome, Wrong, told};
use domain::levy::{Asked, Customer, Hint, TaxMode, Terms};
use domain::papers::{Contract as Agreement, FileRef, Paper, PaperSeen};
use domain::{BankCard, Cellphone, IdCard, InstanceId, Money, Person, PersonName, RequestId, Time};
use engine::{Ask, Engine, Limits, New, Rules};
use providers::Transport;
use serde_json::{Value, json};
use simulator::ledger::{CallLine, Effect};
use simulator::switches::{DuplicateRequest, Repeat};
use simulator::{CallFault, OladingScript, Sim};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Filter, NewBlob, Post, Store, Submitted, Target};
use uuid::Uuid;
use workflows::Policy;
use workflows::document::{self, Brought, Document};
use workflows::levy_order::{Input, Order};
use workflows::sign_up::{self, Contract, SignUp};

const TENANT: &str = "default";
/// Between two looks at what is due.
const STEP: Duration = Duration::from_secs(15);
const STEPS: usize = 1000;
/// How old a copy a query shows that makes a re-send look needed.
const LAG_SECONDS: u64 = 420;

/// Which way a life goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Paid, then CONTINUE.
    Levied,
    /// Not wanted, then CANCEL.
    Cancelled,
    /// Invited under an id of ours; the batch query tells of it.
    Invited,
    /// Invited without one.
    SignedUp,
    /// An agreement is brought, which a callback alone confirms.
    Agreed,
    /// Both sides of a card are brought, which a query shows.
    Pictured,
    /// A video of the face is brought, and answered at once.
    Filmed,
}

impl Way {
    /// A sign-up: it is not sent again while "not signed" may mean "not yet", and its natural key refuses no repeat.
    pub(crate) fn signs(self) -> bool {
        matches!(self, Way::Invited | Way::SignedUp)
    }

    /// A paper: its identical repeat is harmless, so that it is never refused as one.
    pub(crate) fn brings(self) -> bool {
        matches!(self, Way::Agreed | Way::Pictured | Way::Filmed)
    }
}

/// How a life went, as far as it must not depend on the fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    /// The order's, the sign-up's, or the paper's.
    state: String,
    /// Its remits', and their vouchers'.
    remits: Vec<String>,
    /// Their kinds: a person is asked for nothing.
    cases: Vec<String>,
    /// Effects the provider accepted, by operation and decision.
    effects: BTreeMap<String, usize>,
    /// By audit; must be empty.
    broken: Vec<String>,
}

/// One call of a life without faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The operation's name on the wire.
    pub(crate) operation: String,
    /// As the grid prints it.
    pub(crate) label: String,
    /// Its place among the calls of the life.
    pub(crate) place: usize,
    at: Time,
}

struct Office {
    world: World,
    engine: Engine,
    store: Store,
    person: Uuid,
    /// The same engine with little patience, and when it is at work.
    hasty: Option<(Engine, Time)>,
    /// Until then nobody listens at the provider.
    away_until: Option<Time>,
}

/// A life without faults: how it ends, and its calls.
pub(crate) async fn undisturbed(transport: &Transport, way: Way) -> (Life, Vec<Moment>) {
    let mut office = Office::open(transport).await;
    let life = office.live("pay-1", way, 0).await.expect("a life without faults ends");
    assert!(life.cases.is_empty() && life.broken.is_empty(), "{life:?}");
    assert!(life.effects.values().all(|count| *count == 1), "each effect once: {life:?}");
    let (calls, askers) = (office.world.calls(0), office.askers().await);
    assert_eq!(calls.len(), askers.len(), "every call leaves its line in a history");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let moments = calls.into_iter().zip(askers).enumerate().map(|(place, (line, asker))| {
        let label = format!("{}, {asker}", named(&line));
        let count = counts.entry(label.clone()).or_default();
        *count += 1;
        Moment { label: format!("{label} {count}"), operation: line.operation, place, at: line.at }
    });
    (life, moments.collect())
}

/// One cell of the grid. What is wrong, if anything.
pub(crate) async fn cell(
    transport: &Transport,
    way: Way,
    expected: &Life,
    moment: &Moment,
    fault: Fault,
    patience: Duration,
) -> Outcome {
    let mut office = Office::open(transport).await;
    let mut from = 0;
    if fault.wire == Wire::Other {
        // An earlier life, whose answers will come in place of this one's.
        office.live("pay-0", way, 0).await?;
        from = office.world.calls(0).len();
    }
    office.world.arm(fault, from + moment.place, moment.place, spoil).await;
    office.hasty = fault.times_out().then(|| (engine(&office.world, &office.store, patience), moment.at));
    office.away_until = (fault.wire == Wire::Refuse).then_some(moment.at);
    let life = office.live("pay-1", way, from).await?;
    if !office.world.proxy.struck() {
        return Err(Wrong::Missed);
    }
    if fault.wire == Wire::Refuse {
        let came = office.world.calls(from).get(moment.place).map(|line| line.at);
        told(came > Some(moment.at), || format!("it was refused and still came at {came:?}"))?;
    }
    if fault.far == Far::Duplicate {
        let refused = office.world.calls(from).iter().any(|line| line.effect == Effect::Refused);
        told(refused, || "nothing was sent again".to_owned())?;
    }
    let expected = if lost(way, moment, fault) { not_signed(expected) } else { expected.clone() };
    told(life == expected, || format!("{life:?}"))
}

/// An invitation under an id of ours that never arrives: no query can tell, so it is not sent again, and a person invites anew.
fn lost(way: Way, moment: &Moment, fault: Fault) -> bool {
    let never = matches!(fault.truth, Truth::Unseen | Truth::Idle) && fault.belief == Belief::Unsure;
    way == Way::Invited && moment.operation == "SYNC_SIGN" && never
}

fn not_signed(life: &Life) -> Life {
    Life { state: "not_signed".into(), effects: BTreeMap::new(), ..life.clone() }
}

/// What a fault needs of the far side so that there is a right end at all.
fn spoil(fault: Fault, sim: &mut Sim) {
    let mut switches = sim.config().switches.clone();
    if fault.wire == Wire::Twice {
        // A provider that makes two orders of one request cannot be helped (F46).
        switches.duplicate_request = DuplicateRequest::SameAnswer;
    }
    if fault.far == Far::Duplicate {
        // The answer is lost and what is shown is old: the same is sent again, and refused.
        switches.duplicate_request = DuplicateRequest::Error;
        switches.repeated_confirm = Repeat::Error;
        switches.query_lag_seconds = LAG_SECONDS;
        sim.script(OladingScript { fault: Some(CallFault::DropAfter), ..NEXT });
    }
    sim.set_switches(switches);
}

impl Office {
    async fn open(transport: &Transport) -> Self {
        let world = World::new(transport, 20).await;
        let clock = world.clock.clone();
        let options = store::Options {
            master_key: [7; 32],
            dev: true,
            pool_size: 1,
            clock: clock.clone(),
            exclusive: true,
            blobs: store::Blobs::Database,
        };
        let store = Store::connect("memory:", options).await.unwrap();
        store.migrate().await.unwrap();
        let engine = engine(&world, &store, PATIENT);
        let person = store.put_person(TENANT, &payee()).await.unwrap();
        Self { world, engine, store, person, hasty: None, away_until: None }
    }

    async fn live(&mut self, key: &'static str, way: Way, from: usize) -> Result<Life, Wrong> {
        if way.signs() {
            return self.sign_up(key, way, from).await;
        }
        if way.brings() {
            return self.paper(key, way, from).await;
        }
        let order = self.submit(key).await;
        self.until(order, "ready").await?;
        self.world.caught_up();
        let remits = Filter { workflow: Some("remit".into()), parent: Some(order), limit: 100, ..Filter::default() };
        let remits: Vec<InstanceId> = self.store.list(remits).await.unwrap().iter().map(|row| row.id).collect();
        for remit in remits.clone() {
            match way {
                Way::Levied => {
                    let (business_key, request_id) = (format!("voucher/{key}"), self.request_id("voucher", key));
                    let voucher = Brought { business_key, request_id, file: self.file(b"%PDF-1.4").await };
                    self.pay(remit, &voucher).await?;
                }
                Way::Invited | Way::SignedUp | Way::Agreed | Way::Pictured | Way::Filmed => {}
                Way::Cancelled => self.post(remit, json!({ "CancelAsked": { "by": "somebody" } })).await,
            }
        }
        self.until(order, "settled").await?;
        let mut ends = Vec::new();
        for remit in remits {
            ends.push(self.state(remit).await);
            let vouchers =
                Filter { workflow: Some("document".into()), parent: Some(remit), limit: 1, ..Filter::default() };
            for voucher in self.store.list(vouchers).await.unwrap() {
                self.until(voucher.id, "verified").await?;
                ends.push("verified".to_owned());
            }
        }
        self.life(order, ends, from).await
    }

    async fn life(&self, id: InstanceId, remits: Vec<String>, from: usize) -> Result<Life, Wrong> {
        let cases = self.store.cases(TENANT, None, None, None, None, 100).await.unwrap();
        let cases = cases.into_iter().map(|case| case.open.kind).collect();
        let effects = accepted(&self.world.calls(from));
        Ok(Life { state: self.state(id).await, remits, cases, effects, broken: self.broken().await })
    }

    async fn sign_up(&mut self, key: &'static str, way: Way, from: usize) -> Result<Life, Wrong> {
        let contract = match way {
            Way::Invited => Contract::SyncSign { request_id: self.store.derive_request_id(TENANT, key) },
            Way::SignedUp | Way::Levied | Way::Cancelled | Way::Agreed | Way::Pictured | Way::Filmed => {
                Contract::SignUp { credit_code: Some("91110000MA00000000".into()), customer_id: None }
            }
        };
        // Another key is another person: the provider knows the first.
        let person = if key == "pay-1" { self.person } else { self.store.put_person(TENANT, &other()).await.unwrap() };
        let party = Some("1001".to_owned());
        let input = sign_up::Input { contract, person, name_chars: 2, party, again: None };
        let state = SignUp::begin(self.world.clock.now());
        let id = self.start("sign_up", key, None, person, json!(input), json!(state)).await;
        // Silence means no after a day and an hour.
        for step in 0..STEPS * 2 {
            self.tick().await;
            if step > STEPS {
                self.world.clock.advance_real(STEP * 20);
            }
            if matches!(self.state(id).await.as_str(), "signed" | "not_signed") {
                return self.life(id, Vec::new(), from).await;
            }
        }
        Err(Wrong::Not(format!("it never ended, but is {}", self.state(id).await)))
    }

    async fn paper(&mut self, key: &'static str, way: Way, from: usize) -> Result<Life, Wrong> {
        let person = if key == "pay-1" { self.person } else { self.store.put_person(TENANT, &other()).await.unwrap() };
        let paper = match way {
            Way::Agreed => Paper::Agreement {
                contract_id: format!("C-{key}"),
                contract: Agreement::Empower { party: "1001".into() },
                file: self.file(b"%PDF-1.4").await,
            },
            Way::Pictured => Paper::IdCard { front: self.file(b"front").await, back: self.file(b"back").await },
            Way::Filmed | Way::Levied | Way::Cancelled | Way::Invited | Way::SignedUp => {
                Paper::Face { video: true, file: self.file(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom").await }
            }
        };
        let request_id = self.request_id("paper", key);
        let judged = json!({ "Hinted": Hint::PaperJudged { request_id: request_id.clone(), seen: PaperSeen::Good } });
        let address = Some(format!("{ACCOUNT}/{request_id}"));
        let input =
            document::Input { request_id, person: Some(person), paper, renewal: false, owed: None, check: None };
        let state = Document::begin(self.world.clock.now());
        let id = self.start("document", key, address, person, json!(input), json!(state)).await;
        for _ in 0..STEPS {
            self.tick().await;
            if way == Way::Agreed && self.world.stored("UPLOAD_TAXPAYER_AGREEMENT", from) {
                self.post(id, judged.clone()).await;
            }
            if matches!(self.state(id).await.as_str(), "verified" | "rejected") {
                return self.life(id, Vec::new(), from).await;
            }
        }
        Err(Wrong::Not(format!("it never ended, but is {}", self.state(id).await)))
    }

    fn request_id(&self, what: &str, key: &str) -> RequestId {
        self.store.derive_request_id(TENANT, &format!("{what}/{key}"))
    }

    async fn file(&self, content: &[u8]) -> FileRef {
        let (at, most) = (self.world.clock.now(), 1 << 20);
        let new = NewBlob { media: "document".into(), class: "test".into(), keep_until: None, most, at };
        let mut writer = self.store.blob_writer(TENANT, new).await.unwrap();
        writer.write(content).await.unwrap();
        let blob = writer.finish().await.unwrap();
        FileRef { blob: blob.id, sha256: blob.sha256, bytes: blob.size }
    }

    /// What a payer does: ask until there is a word, pay, report.
    async fn pay(&mut self, remit: InstanceId, voucher: &Brought) -> Outcome {
        let mut letter = 0;
        for _ in 0..STEPS {
            let dedupe = format!("permit/{letter}");
            let ask = Ask { to: remit, tenant: TENANT, dedupe: Some(&dedupe), wait: Duration::ZERO };
            let answer = self.engine.ask(ask, |ask| json!({ "PermitAsked": { "ask": ask } })).await.unwrap();
            match answer {
                Some(answer) if answer["granted"].is_object() => {
                    let (permit, amount) = (&answer["granted"]["permit_id"], &answer["granted"]["amount"]);
                    let paid = json!({
                        "permit": permit, "amount": amount, "paid_at": self.world.clock.now(), "bank_serial": "1", "payee_ok": true,
                        "source": "api", "voucher": voucher
                    });
                    self.post(remit, json!({ "PaidReported": paid })).await;
                    return Ok(());
                }
                Some(answer) if answer == json!("unreachable") => letter += 1,
                Some(answer) => return Err(Wrong::Not(format!("no permit: {answer}"))),
                None => self.tick().await,
            }
        }
        Err(Wrong::Not("no permit".to_owned()))
    }

    async fn tick(&mut self) {
        let now = self.world.clock.now();
        let engine = self.hasty.as_ref().filter(|(_, at)| *at == now).map_or(&self.engine, |(hasty, _)| hasty);
        engine.until_idle().await.unwrap();
        if self.away_until.is_some_and(|until| self.world.clock.now() >= until) && self.world.proxy.struck() {
            self.away_until = None;
            self.world.proxy.mend();
        }
        self.world.clock.advance_real(STEP);
    }

    async fn until(&mut self, id: InstanceId, state: &'static str) -> Outcome {
        for _ in 0..STEPS {
            self.tick().await;
            if self.state(id).await == state {
                return Ok(());
            }
        }
        let state_now = self.store.instance(id).await.unwrap().unwrap().state;
        Err(Wrong::Not(format!("never {state}, but {state_now}")))
    }

    async fn state(&self, id: InstanceId) -> String {
        self.store.instance(id).await.unwrap().unwrap().state_name
    }

    /// For every call so far: the workflow and the state that made it.
    async fn askers(&self) -> Vec<String> {
        let mut askers = Vec::new();
        for row in self.store.list(Filter { limit: 100, ..Filter::default() }).await.unwrap() {
            for entry in self.store.history(row.id).await.unwrap() {
                if entry.line.exchange.is_some() {
                    askers.push((
                        entry.line.at,
                        row.created_at,
                        entry.seq,
                        format!("{} {}", row.workflow, entry.line.from),
                    ));
                }
            }
        }
        askers.sort();
        askers.into_iter().map(|(.., asker)| asker).collect()
    }

    /// Audits, histories and limbo.
    async fn broken(&self) -> Vec<String> {
        let mut found = self.engine.audits().await.unwrap();
        found.push(self.engine.limbo().await.unwrap());
        found.into_iter().filter(|finding| finding.count > 0).map(|finding| finding.audit).collect()
    }

    async fn submit(&self, key: &'static str) -> InstanceId {
        let request_id = self.store.derive_request_id(TENANT, key);
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
        let state = Order::new(self.world.clock.now());
        self.start("levy_order", key, address, self.person, json!(input), json!(state)).await
    }

    async fn start(
        &self,
        workflow: &str,
        key: &str,
        address: Option<String>,
        person: Uuid,
        input: Value,
        state: Value,
    ) -> InstanceId {
        let new = New {
            workflow: workflow.into(),
            tenant: TENANT.into(),
            account: ACCOUNT.into(),
            business_key: key.into(),
            address,
            person: Some(person),
            content_hash: "content".into(),
            input,
            state,
            ..New::default()
        };
        match self.engine.submit(new).await.unwrap() {
            Submitted::Created(id) => id,
            other @ (Submitted::Known(_) | Submitted::Differs(_)) => panic!("{other:?}"),
        }
    }

    async fn post(&self, to: InstanceId, event: Value) {
        let at = self.world.clock.now();
        let (id, to) = (domain::ids::draw(at), Target::Instance(to));
        let post = Post { id, tenant: TENANT.into(), to, event, source: "api".into(), dedupe: None, raw: None, at };
        self.engine.post(post).await.unwrap();
    }
}

fn engine(world: &World, store: &Store, call_timeout: Duration) -> Engine {
    let default_limits = Limits { rate_per_second: None, ..Limits::default() };
    let default_policy = Policy { sign_up_query_covers_sync_sign: true, ..Policy::default() };
    let rules = Rules { call_timeout, default_limits, default_policy, ..Rules::default() };
    Engine::new(store.clone(), world.providers(), world.clock.clone(), rules)
}

/// The operation, and which way it decides.
fn named(line: &CallLine) -> String {
    let decision = line.facts.get("next_step").map(|step| format!(" {step}")).unwrap_or_default();
    format!("{}{decision}", line.operation)
}

fn accepted(calls: &[CallLine]) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for line in calls.iter().filter(|line| line.effect == Effect::Accepted) {
        *effects.entry(named(line)).or_default() += 1;
    }
    effects
}

fn payee() -> Person {
    Person {
        name: PersonName::parse("张三").unwrap(),
        id_card: IdCard::parse("110101199003070011").unwrap(),
        cellphone: Cellphone::parse("13800000000").unwrap(),
        bankcard: BankCard::parse("6222000000000000004").unwrap(),
    }
}

fn other() -> Person {
    Person { id_card: IdCard::parse("11010119900307002X").unwrap(), ..payee() }
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
