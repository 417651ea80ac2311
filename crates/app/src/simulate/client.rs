//! The platform: submits orders, some twice, some wrong, and cancels a few; and the door its provider calls back at.

use super::core::{Core, Event};
use super::dice::Dice;
use super::near::Near;
use super::people;
use super::plan::{Plan, Trouble};
use super::world::{ACCOUNT, SUBMITTING, TENANT, World};
use anyhow::{Context as _, Result};
use domain::levy::{Asked, Customer, TaxMode, Terms};
use domain::{InstanceId, Money, Person, RequestId, Time, ids};
use engine::{New, NewGuard, NotTaken};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::{CloseAs, OladingScript, Outgoing};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Post, Posted, Submitted, Target};
use uuid::Uuid;
use workflows::levy_order::{Input, Order};

/// What the platform does next.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    Submit(usize),
    Cancel(InstanceId),
}

/// One order as the platform wants it.
struct Wish {
    person: Person,
    terms: Terms,
    request_id: RequestId,
    id: InstanceId,
}

#[derive(Default)]
pub(super) struct Client {
    pub(super) seed: Uuid,
    wishes: BTreeMap<usize, Wish>,
    /// What was acknowledged to it (I17).
    pub(super) acknowledged: BTreeMap<InstanceId, String>,
    /// Messages that were acknowledged to it and to its payer (I17).
    pub(super) told: BTreeMap<InstanceId, Vec<Uuid>>,
    /// By the stored snapshot.
    pub(super) people: BTreeMap<Uuid, Person>,
    /// Callbacks that we acknowledged: every id their post can have, by request id.
    pub(super) letters: BTreeMap<String, Letter>,
}

/// One callback's bytes, as often as they came.
pub(super) struct Letter {
    pub(super) request_id: String,
    pub(super) ids: Vec<Uuid>,
    pub(super) acknowledged: bool,
}

impl Client {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { seed: Uuid::new_v5(&Uuid::NAMESPACE_OID, &plan.seed.to_le_bytes()), ..Self::default() }
    }

    /// An id of this run: the same seed draws the same.
    pub(super) fn id(&self, at: Time, name: &str) -> Uuid {
        ids::derive(at, self.seed, name)
    }

    pub(super) fn begin(&self, core: &Core, begin: Time) {
        let mut state = core.lock();
        let window = u64::try_from(SUBMITTING.as_millis()).unwrap_or(0);
        for place in 0..state.plan.orders {
            let after = state.dice.millis(0, window);
            state.put(begin + after, Event::Client(Deed::Submit(place)));
        }
    }
}

pub(super) async fn act(world: &mut World, deed: Deed) -> Result<()> {
    match deed {
        Deed::Submit(place) => submit(world, place).await,
        Deed::Cancel(order) => {
            tell(world, order, json!({"CancelAsked": {"by": "the platform"}}), None).await.map(|_| ())
        }
    }
}

async fn submit(world: &mut World, place: usize) -> Result<()> {
    if !world.client.wishes.contains_key(&place) {
        let wish = wish(world, place)?;
        world.client.wishes.insert(place, wish);
    }
    let new = prepared(world, place).await?;
    let id = new.id.context("the id is drawn by the run")?;
    let business_key = new.business_key.clone();
    let submitted = world.office.submit(new).await;
    submitted_as(world, place, id, business_key, submitted);
    world.look_again(Duration::from_millis(1)).await
}

fn submitted_as(
    world: &mut World,
    place: usize,
    id: InstanceId,
    business_key: String,
    submitted: engine::Result<Submitted>,
) {
    let again = Event::Client(Deed::Submit(place));
    let mut state = world.core.lock();
    state.note(format_args!("submit {place} {submitted:?}"));
    match submitted {
        Ok(Submitted::Created(made)) => {
            world.client.acknowledged.insert(made, business_key);
            state.tally.orders += 1;
            if state.strikes(Trouble::Oddities, 200) {
                let later = state.dice.seconds(1, 50 * 3600);
                state.after(later, Event::Client(Deed::Cancel(id)));
            }
            if state.strikes(Trouble::Oddities, 400) {
                let later = state.dice.seconds(1, 3600);
                state.after(later, again);
                state.tally.count(Near::SubmittedAgain);
            }
        }
        Ok(Submitted::Known(known)) => {
            // The answer of the first try was lost: this is the first acknowledgement.
            if world.client.acknowledged.insert(known, business_key).is_none() {
                state.tally.orders += 1;
            }
        }
        Ok(Submitted::Differs(_)) => state.oracle.found(Some(format!("I18 order {place} differs from itself"))),
        Err(_) => {
            let later = state.dice.seconds(1, 60);
            state.after(later, again);
        }
    }
}

fn wish(world: &mut World, place: usize) -> Result<Wish> {
    let mut guard = world.core.lock();
    let state = &mut *guard;
    let person = people::person(&mut state.dice, place)?;
    let odd = |state: &mut super::core::State, per_10k| state.strikes(Trouble::Oddities, per_10k);
    let mut terms = terms(&mut state.dice)?;
    if odd(state, 60) {
        terms.task_id = Some("2".into());
        terms.tax_mode = TaxMode::General;
    }
    if odd(state, 40) {
        terms.customer = Customer::CreditCode("91110000MA0000NONE".into());
    }
    let request_id = hex::encode(Sha256::digest(format!("{}/{place}", world.client.seed)));
    let request_id = RequestId::try_from(request_id[..32].to_owned()).ok().context("mint a request id")?;
    let id = InstanceId(world.client.id(state.now, &format!("order/{place}")));
    if odd(state, 150) {
        let closes = [
            CloseAs::WrongSum,
            CloseAs::WrongFee,
            CloseAs::Bare,
            CloseAs::Contradictory,
            CloseAs::UnknownWord,
            CloseAs::Never,
            CloseAs::Rejected("资质方审核未通过".into()),
        ];
        let close = closes[state.dice.below(closes.len())].clone();
        let script = OladingScript { id: Some(request_id.to_string()), ..OladingScript::close(close) };
        state.sim.script(script);
        state.tally.count(Near::OddlyClosed);
    }
    state.oracle.order(request_id.to_string(), id);
    Ok(Wish { person, terms, request_id, id })
}

fn terms(dice: &mut Dice) -> Result<Terms> {
    let split = dice.strikes(700);
    let fen = if split { dice.between(1_000_000, 1_900_000) } else { dice.between(5_000, 975_000) };
    let money = Money::from_fen(i64::try_from(fen)?).ok().context("an amount in range")?;
    let special = dice.strikes(1600);
    Ok(Terms {
        asked: if dice.strikes(1100) { Asked::Gross(money) } else { Asked::Net(money) },
        tax_mode: if special { TaxMode::Special } else { TaxMode::General },
        tax_agent_parent_id: "1001".into(),
        tax_agent_location_id: dice.strikes(2500).then(|| "2001".into()),
        customer: Customer::CreditCode("91110000MA00000000".into()),
        task_id: Some(if special { "2" } else { "1" }.into()),
        remark: None,
    })
}

/// The order as the API would make it of its body.
async fn prepared(world: &mut World, place: usize) -> Result<New> {
    let wish = &world.client.wishes[&place];
    let person = world.store.put_person(TENANT, &wish.person).await.context("keep a person")?;
    world.client.people.insert(person, wish.person.clone());
    let now = world.clock.now();
    let input = Input {
        request_id: wish.request_id.clone(),
        person,
        name_chars: wish.person.name.chars(),
        terms: wish.terms.clone(),
        replaces: None,
        needs: Vec::new(),
        over_limit: false,
    };
    let amount = wish.terms.asked.money().to_string();
    let key =
        world.store.fingerprint(TENANT, "duplicate", &[wish.person.id_card.expose(), &amount, &now.beijing().day()]);
    let task = world.client.id(now, &format!("task/{place}"));
    let task = Order::release_task(task, now, world.office.rules.params.task_sla);
    Ok(New {
        id: Some(wish.id),
        workflow: "levy_order".into(),
        tenant: TENANT.into(),
        account: ACCOUNT.into(),
        business_key: format!("PAY-{place:06}"),
        address: Some(format!("{ACCOUNT}/{}", wish.request_id)),
        person: Some(person),
        content_hash: format!("{place}"),
        input: serde_json::to_value(input)?,
        state: serde_json::to_value(Order::new(now))?,
        guard: Some(NewGuard {
            key,
            state: serde_json::to_value(Order::suspected_duplicate(now))?,
            writes: vec![task],
        }),
        ..New::default()
    })
}

/// Makes a message durable; whether it is known to be.
pub(super) async fn tell(world: &mut World, to: InstanceId, event: Value, dedupe: Option<String>) -> Result<bool> {
    let post = letter(world, to, event, dedupe);
    told(world, post).await
}

/// The same, under an id that is known before.
pub(super) async fn tell_as(
    world: &mut World,
    id: Uuid,
    to: InstanceId,
    event: Value,
    dedupe: Option<String>,
) -> Result<bool> {
    let post = Post { id, ..letter(world, to, event, dedupe) };
    told(world, post).await
}

/// A letter to a machine, under an id of its own.
pub(super) fn letter(world: &World, to: InstanceId, event: Value, dedupe: Option<String>) -> Post {
    let sequence = {
        let mut state = world.core.lock();
        state.messages += 1;
        state.messages
    };
    let at = world.clock.now();
    let id = world.client.id(at, &format!("message/{sequence}"));
    Post { id, tenant: TENANT.into(), to: Target::Instance(to), event, source: "api".into(), dedupe, raw: None, at }
}

async fn told(world: &mut World, post: Post) -> Result<bool> {
    let (id, to) = (post.id, post.to.clone());
    let posted = world.office.post(post).await;
    if let Target::Instance(to) = to {
        let kept = matches!(posted, Ok(Posted::Stored));
        world.ear.goes(to, id, kept);
        if kept {
            world.client.told.entry(to).or_default().push(id);
        }
    }
    world.look_again(Duration::from_millis(1)).await?;
    Ok(posted.is_ok())
}

/// One callback reaches us, is verified and kept, and is answered.
pub(super) async fn callback(world: &mut World, letter: &Outgoing) -> Result<()> {
    let body = letter.body.as_bytes();
    let digest = hex::encode(Sha256::digest(body));
    let taken = world.office.receive(ACCOUNT, Some("application/x-www-form-urlencoded"), body).await;
    let (now, acknowledged) = (world.clock.now(), taken.is_ok());
    if !matches!(taken, Err(NotTaken::Rejected(_))) {
        let id = ids::derive(now, Uuid::nil(), &format!("callback/{ACCOUNT}/{digest}"));
        let request_id = request_id_of(&letter.body);
        let kept = world.client.letters.entry(digest);
        let kept = kept.or_insert_with(|| Letter { request_id, ids: Vec::new(), acknowledged: false });
        kept.ids.push(id);
        kept.acknowledged |= acknowledged;
    }
    {
        let mut state = world.core.lock();
        state.note(format_args!("callback {} {acknowledged}", letter.letter));
        state.tally.count(if acknowledged { Near::Acknowledged } else { Near::NotAcknowledged });
        let at = state.now;
        state.sim.delivered(at, letter.letter, acknowledged);
        state.watch_far_side();
    }
    world.look_again(Duration::from_millis(1)).await
}

fn request_id_of(body: &str) -> String {
    let after = body.split_once("%22request_id%22%3A%22").map_or("", |(_, after)| after);
    after.split('%').next().unwrap_or_default().to_owned()
}
