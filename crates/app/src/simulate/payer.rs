//! The merchant's payer: asks permits, pays at the bank before `pay_before`, reports what the bank says; and is human about it:
//! forgets, hands back, is late, says things twice. It never pays without a permit, and never says what is not so.

use super::client::tell_as;
use super::core::{Core, Event, State};
use super::near::Near;
use super::plan::Trouble;
use super::world::World;
use anyhow::{Context as _, Result};
use domain::{InstanceId, Money, Time};
use serde_json::{Value, json};
use simulator::{BankReply, Instruction, Payment, PaymentStatus};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Filter, Instance};
use uuid::Uuid;
use workflows::remit::{Input, Paid, PermitAnswer};

#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Looks for remits that may be paid.
    Look,
    Ask(InstanceId),
    /// The question goes (again, if it was not known to be kept).
    Question(InstanceId, Uuid),
    Collect(InstanceId, Uuid, u32),
    Pay(Uuid),
    Poll(Uuid, u32),
    Say(Uuid, Value),
}

#[derive(Default)]
pub(super) struct Payer {
    seen: BTreeMap<InstanceId, Known>,
    /// What was made before this has been seen.
    looked_at: Time,
    pub(super) permits: BTreeMap<Uuid, Permit>,
    /// Questions without an answer, and when they became durable.
    pub(super) asked: BTreeMap<Uuid, (InstanceId, Option<Time>)>,
}

struct Known {
    input: Input,
    attempts: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Permit {
    pub(super) remit: InstanceId,
    pub(super) order_id: String,
    pub(super) number: String,
    amount: Money,
    pay_before: Time,
    /// The bank has the instruction.
    pub(super) instructed: bool,
    /// Whatever happens, it will not be paid under this permit any more.
    pub(super) given_up: bool,
    said_unknown: bool,
    said_paid: bool,
}

const MINUTE: Duration = Duration::from_secs(60);
const ATTEMPTS_MAX: u32 = 3;
/// A question is answered within this of virtual time, unless somebody was away (I15's other half: what came in is heard).
const HEARD_WITHIN: Duration = Duration::from_secs(2 * 3600);

pub(super) fn begin(core: &Core) {
    core.lock().after(MINUTE * 20, Event::Payer(Deed::Look));
}

pub(super) async fn act(world: &mut World, deed: Deed) -> Result<()> {
    match deed {
        Deed::Look => look(world).await,
        Deed::Ask(remit) => ask(world, remit).await,
        Deed::Question(remit, ask) => question(world, remit, ask).await,
        Deed::Collect(remit, ask, tries) => collect(world, remit, ask, tries).await,
        Deed::Pay(permit) => pay(world, permit).await,
        Deed::Poll(permit, polls) => {
            let number = world.payer.permits.get(&permit).map(|permit| permit.number.clone()).unwrap_or_default();
            let reply = {
                let mut state = world.core.lock();
                let now = state.now;
                state.sim.payment(now, &number)
            };
            heard(world, permit, reply, polls)
        }
        Deed::Say(permit, report) => say(world, permit, report).await,
    }
}

async fn look(world: &mut World) -> Result<()> {
    let mut cursor = None;
    loop {
        // What was there at the last look is known.
        let since = Some(world.payer.looked_at);
        let filter = Filter {
            workflow: Some("remit".into()),
            state: Some("open".into()),
            since,
            cursor,
            limit: 500,
            ..Filter::default()
        };
        let page = world.store.list(filter).await.context("list the open remits")?;
        for row in &page {
            discover(world, row)?;
        }
        cursor = page.last().map(|row| row.id);
        if page.len() < 500 {
            break;
        }
    }
    world.payer.looked_at = world.clock.now() - MINUTE * 10;
    world.core.lock().after(MINUTE * 45, Event::Payer(Deed::Look));
    Ok(())
}

fn discover(world: &mut World, row: &Instance) -> Result<()> {
    if world.payer.seen.contains_key(&row.id) {
        return Ok(());
    }
    let input: Input = serde_json::from_value(row.input.clone()).context("read a remit")?;
    let mut state = world.core.lock();
    if !input.unsplit {
        state.tally.count(Near::Split);
    }
    state.oracle.remit(row.id, &input);
    let on_leave = state.dice.strikes(250);
    if !on_leave {
        let in_no_hurry = state.dice.strikes(2000);
        let later = if in_no_hurry { state.dice.seconds(1, 12 * 3600) } else { state.dice.seconds(1, 1200) };
        state.after(later, Event::Payer(Deed::Ask(row.id)));
    }
    world.payer.seen.insert(row.id, Known { input, attempts: 0 });
    Ok(())
}

async fn ask(world: &mut World, remit: InstanceId) -> Result<()> {
    let Some(known) = world.payer.seen.get_mut(&remit).filter(|known| known.attempts < ATTEMPTS_MAX) else {
        return Ok(());
    };
    known.attempts += 1;
    let name = format!("ask/{remit}/{}", known.attempts);
    let ask = world.client.id(world.clock.now(), &name);
    world.payer.asked.insert(ask, (remit, None));
    question(world, remit, ask).await
}

async fn question(world: &mut World, remit: InstanceId, ask: Uuid) -> Result<()> {
    let kept = tell_as(world, ask, remit, json!({"PermitAsked": {"ask": ask}}), Some(format!("ask/{ask}"))).await?;
    let now = world.clock.now();
    if kept && let Some((_, since)) = world.payer.asked.get_mut(&ask) {
        *since = since.or(Some(now));
    }
    let next = if kept { Deed::Collect(remit, ask, 0) } else { Deed::Question(remit, ask) };
    let mut state = world.core.lock();
    let wait = state.dice.seconds(1, 5);
    state.after(wait, Event::Payer(next));
    Ok(())
}

async fn collect(world: &mut World, remit: InstanceId, ask: Uuid, tries: u32) -> Result<()> {
    let answer = world.office.store.answer(ask).await.ok().flatten();
    let mut guard = world.core.lock();
    let state = &mut *guard;
    let Some(answer) = answer else {
        let wait = Duration::from_secs(2 << tries.min(9));
        state.after(wait, Event::Payer(Deed::Collect(remit, ask, tries + 1)));
        return Ok(());
    };
    let asked = world.payer.asked.remove(&ask).and_then(|(_, since)| since).unwrap_or(state.now);
    let since = asked.max(state.provider_away).max(state.database_away).max(state.away_until);
    if state.now.since(since) > HEARD_WITHIN + Duration::from_secs(2 << tries.min(9)) {
        let waited = state.now.since(asked).as_secs() / 60;
        state.oracle.found(Some(format!("LATE the question {ask} of remit {remit} waited {waited} minutes")));
    }
    state.tally.count(Near::Answered);
    let answer: PermitAnswer = serde_json::from_value(answer).context("read a permit's answer")?;
    state.note(format_args!("answer {ask} {answer:?}"));
    match answer {
        PermitAnswer::Granted { permit_id, bank_order_no, amount, pay_before, .. } => {
            let order_id = world.payer.seen[&remit].input.provider_order_id.to_string();
            let permit = Permit {
                remit,
                order_id,
                number: bank_order_no,
                amount,
                pay_before,
                instructed: false,
                given_up: false,
                said_unknown: false,
                said_paid: false,
            };
            let permit = granted(state, permit_id, permit);
            if state.strikes(Trouble::Payers, 200) {
                // He does not trust the first one, and asks for another (S-D).
                let soon = state.dice.seconds(1, 900);
                state.after(soon, Event::Payer(Deed::Ask(remit)));
                state.tally.count(Near::AskedTwice);
            }
            world.payer.permits.insert(permit_id, permit);
        }
        PermitAnswer::Refused { .. } => {}
        PermitAnswer::Unreachable => {
            if let Some(known) = world.payer.seen.get_mut(&remit) {
                known.attempts = known.attempts.saturating_sub(1);
            }
            let later = state.dice.seconds(60, 2 * 3600);
            state.after(later, Event::Payer(Deed::Ask(remit)));
        }
    }
    Ok(())
}

/// What the payer does with a permit.
fn granted(state: &mut State, permit_id: Uuid, permit: Permit) -> Permit {
    state.tally.count(Near::Permits);
    let forgets = state.strikes(Trouble::Payers, 300);
    let hands_back = !forgets && state.strikes(Trouble::Payers, 300);
    let slow = state.strikes(Trouble::Payers, 1000);
    let left = permit.pay_before.since(state.now).as_secs();
    let wait = if slow { state.dice.seconds(0, left + 600) } else { state.dice.seconds(1, 1800) };
    if forgets || hands_back {
        let wait = if forgets { permit.pay_before.since(state.now) + MINUTE * 45 + wait } else { wait };
        if hands_back || state.dice.strikes(6000) {
            let say = attested(permit_id);
            state.after(wait, Event::Payer(Deed::Say(permit_id, say)));
        }
        state.tally.count(if forgets { Near::Forgot } else { Near::HandedBack });
    } else {
        if state.dice.strikes(1000) {
            let say = json!({"Instructed": {"permit": permit_id}});
            state.after(wait, Event::Payer(Deed::Say(permit_id, say)));
        }
        state.after(wait, Event::Payer(Deed::Pay(permit_id)));
    }
    Permit { given_up: forgets || hands_back, ..permit }
}

fn attested(permit: Uuid) -> Value {
    json!({"Attested": {"permit": permit, "by": "payer", "reason": "not used"}})
}

async fn pay(world: &mut World, id: Uuid) -> Result<()> {
    let Some(permit) = world.payer.permits.get(&id).cloned() else { return Ok(()) };
    let Some(person) = world.payer.seen.get(&permit.remit).map(|known| known.input.person) else { return Ok(()) };
    let person = &world.client.people[&person];
    let reply = {
        let mut guard = world.core.lock();
        let state = &mut *guard;
        let now = state.now;
        if now >= permit.pay_before {
            // Too late: it is not paid, and that is said.
            state.tally.count(Near::TooLate);
            let later = state.dice.seconds(1, 7200);
            state.after(later, Event::Payer(Deed::Say(id, attested(id))));
            if let Some(permit) = world.payer.permits.get_mut(&id) {
                permit.given_up = true;
            }
            return Ok(());
        }
        let instruction = Instruction {
            bank_order_no: permit.number.clone(),
            amount: permit.amount,
            payee_name: person.name.expose().to_owned(),
            payee_bankcard_no: person.bankcard.expose().to_owned(),
        };
        state.tally.count(Near::Payments);
        state.oracle.pays(&permit.order_id, &permit.number, now, &state.sim);
        let reply = state.sim.pay(now, instruction);
        state.watch_far_side();
        reply
    };
    if let Some(permit) = world.payer.permits.get_mut(&id) {
        permit.instructed = true;
    }
    heard(world, id, reply, 0)
}

/// What the bank says, and what of it is reported when.
fn heard(world: &mut World, id: Uuid, reply: BankReply, polls: u32) -> Result<()> {
    let mut guard = world.core.lock();
    let state = &mut *guard;
    let Some(permit) = world.payer.permits.get_mut(&id) else { return Ok(()) };
    let status = if let BankReply::Known(payment) = &reply { Some(payment.status) } else { None };
    state.note(format_args!("bank {} {status:?}", permit.number));
    let slow = state.strikes(Trouble::Payers, 1200);
    let wait = if slow { state.dice.seconds(0, 12 * 3600) } else { state.dice.seconds(0, 300) };
    let mut again = MINUTE * (5 << polls.min(5));
    match &reply {
        BankReply::Known(payment) => match payment.status {
            PaymentStatus::Success | PaymentStatus::Returned if !permit.said_paid => {
                permit.said_paid = true;
                let report = paid(id, payment)?;
                if state.strikes(Trouble::Payers, 800) {
                    let later = wait + state.dice.seconds(1, 30 * 3600);
                    state.after(later, Event::Payer(Deed::Say(id, report.clone())));
                    state.tally.count(Near::SaidTwice);
                }
                if state.strikes(Trouble::Payers, 200) {
                    let later = state.dice.seconds(1, 20 * 3600);
                    state.after(later, Event::Payer(Deed::Say(id, json!({"UnknownReported": {"permit": id}}))));
                    state.tally.count(Near::OutOfOrder);
                }
                state.after(wait, Event::Payer(Deed::Say(id, report)));
                again = wait + MINUTE * 120;
            }
            PaymentStatus::Success => again = MINUTE * 60 * 20,
            PaymentStatus::Returned => {
                state.after(wait, Event::Payer(Deed::Say(id, json!({"ReturnedReported": {"permit": id}}))));
                state.tally.count(Near::Returned);
                return Ok(());
            }
            PaymentStatus::Failed => {
                let report = json!({"FailedReported": {"permit": id}});
                if state.strikes(Trouble::Payers, 500) {
                    state.after(wait + MINUTE * 90, Event::Payer(Deed::Say(id, report.clone())));
                }
                state.after(wait, Event::Payer(Deed::Say(id, report)));
                let remit = permit.remit;
                state.after(wait + MINUTE * 30, Event::Payer(Deed::Ask(remit)));
                return Ok(());
            }
            PaymentStatus::Pending => {}
            PaymentStatus::Unknown => {
                if !permit.said_unknown {
                    permit.said_unknown = true;
                    state.after(wait, Event::Payer(Deed::Say(id, json!({"UnknownReported": {"permit": id}}))));
                }
            }
        },
        BankReply::Lost | BankReply::NoSuch => {}
        BankReply::Conflict | BankReply::Invalid(_) => {
            state.oracle.found(Some(format!("the bank refused the instruction of permit {id}: {reply:?}")));
        }
    }
    state.after(again, Event::Payer(Deed::Poll(id, polls + 1)));
    Ok(())
}

fn paid(permit: Uuid, payment: &Payment) -> Result<Value> {
    let (paid_at, bank_serial) = (payment.paid_at.context("paid at")?, payment.bank_serial.clone().context("serial")?);
    let paid = Paid {
        permit,
        amount: payment.amount,
        paid_at,
        bank_serial,
        payee_ok: true,
        source: "api".into(),
        voucher: None,
    };
    Ok(json!({"PaidReported": paid}))
}

/// A report is repeated until it is known to be kept.
async fn say(world: &mut World, permit: Uuid, report: Value) -> Result<()> {
    let Some(remit) = world.payer.permits.get(&permit).map(|permit| permit.remit) else { return Ok(()) };
    if !super::client::tell(world, remit, report.clone(), None).await? {
        let mut state = world.core.lock();
        let later = state.dice.seconds(5, 120);
        state.after(later, Event::Payer(Deed::Say(permit, report)));
    } else if report.get("Attested").is_some() {
        let mut state = world.core.lock();
        let later = state.dice.seconds(60, 3600);
        state.after(later, Event::Payer(Deed::Ask(remit)));
    }
    Ok(())
}
