//! The people who settle cases and tasks: with legal moves only, evidence where it is needed, and a second person where that is.
//! They look at the bank's and the provider's books before they say anything.

use super::client::{letter, tell};
use super::core::{Core, Event};
use super::near::Near;
use super::plan::Trouble;
use super::world::{TENANT, TROUBLED, World};
use anyhow::{Context as _, Result};
use domain::{InstanceId, Time};
use serde_json::{Value, json};
use simulator::{BankReply, Ended, Payment, PaymentStatus};
use std::time::Duration;
use store::{Act, Case, CaseChange, CaseStep, Proposal};
use uuid::Uuid;
use workflows::remit::EvidenceGiven;

#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Looks through what is open.
    Rounds,
    Approve(Uuid),
    /// The machine is told (again, if it was not known to be kept).
    Tell(InstanceId, Value, String),
    /// A step of a case (again, if it was not known to be kept).
    Step(Box<CaseStep>),
}

const ROUNDS: Duration = Duration::from_secs(3 * 3600);
const LOOKED_AT: usize = 2000;
/// Looks that people ask for in vain before they leave a machine to its own.
const RETRIES: u32 = 3;
/// A proposal that nobody approved for so long gives way to a new one.
const LAPSES: Duration = Duration::from_secs(24 * 3600);

pub(super) fn begin(core: &Core) {
    core.lock().after(ROUNDS, Event::Office(Deed::Rounds));
}

pub(super) async fn act(world: &mut World, deed: Deed) -> Result<()> {
    match deed {
        Deed::Rounds => rounds(world).await,
        Deed::Approve(case) => approve(world, case).await,
        Deed::Tell(to, event, dedupe) => {
            if !tell(world, to, event.clone(), Some(dedupe.clone())).await? {
                world.core.lock().after(Duration::from_secs(60), Event::Office(Deed::Tell(to, event, dedupe)));
            }
            Ok(())
        }
        Deed::Step(step) => take(world, *step).await,
    }
}

async fn take(world: &mut World, step: CaseStep) -> Result<()> {
    let taken = world.office.case_step(step.clone()).await;
    if matches!(taken, Err(engine::Error::Store(store::Error::Unavailable))) {
        world.core.lock().after(Duration::from_secs(60), Event::Office(Deed::Step(Box::new(step))));
    }
    world.look_again(Duration::from_millis(1)).await
}

async fn rounds(world: &mut World) -> Result<()> {
    let at_work = {
        let mut state = world.core.lock();
        state.after(ROUNDS, Event::Office(Deed::Rounds));
        // They go home before the end: what they put back on its way has time to come to rest, or to them.
        let home = state.now >= world.begin + TROUBLED + Duration::from_secs(80 * 3600);
        (state.plan.has(Trouble::Operators) || state.calm) && !home
    };
    if !at_work {
        return Ok(());
    }
    let cases = world.store.cases(TENANT, Some("open"), None, None, None, LOOKED_AT).await.context("list cases")?;
    for case in cases {
        let turns_to_it = world.core.lock().dice.strikes(3500);
        if turns_to_it && !case.open.moves.is_empty() {
            settle(world, &case).await?;
        }
    }
    let tasks = world.store.tasks(TENANT, true, None, None, None, LOOKED_AT).await.context("list tasks")?;
    for task in tasks {
        let mut state = world.core.lock();
        if state.dice.strikes(4000) {
            let release = json!({"ReleaseAsked": {"by": "amei", "reason": "two jobs"}});
            let event = if state.dice.strikes(6000) { release } else { json!({"CancelAsked": {"by": "amei"}}) };
            state.tally.count(Near::MovesOfPeople);
            state.after(Duration::ZERO, Event::Office(Deed::Tell(task.instance, event, format!("task/{}", task.id))));
        }
    }
    Ok(())
}

/// One legal move that is true, if there is one.
async fn settle(world: &mut World, case: &Case) -> Result<()> {
    let order_id = case.open.facts["provider_order_id"].as_str().map(str::to_owned);
    let order_id = match order_id {
        Some(order_id) => Some(order_id),
        None if case.workflow == "remit" => {
            let row = world.store.instance(case.instance).await.context("read a remit")?;
            row.and_then(|row| row.input["provider_order_id"].as_str().map(str::to_owned))
        }
        None => None,
    };
    let Some((name, evidence, second)) = true_move(world, case, order_id.as_deref())? else { return Ok(()) };
    if name == "retry" {
        *world.retried.entry(case.instance).or_default() += 1;
    }
    let at = world.clock.now();
    let Some(after) = second else {
        let post = letter(world, case.instance, resolved(case, &name, evidence, "amei"), None);
        return take(world, CaseStep { letter: Some(post), ..step(case, CaseChange::Move, "amei", at) }).await;
    };
    world.core.lock().after(after, Event::Office(Deed::Approve(case.open.id)));
    let proposal = Proposal { name, reason: "looked at the books".into(), evidence, by: "amei".into(), at };
    take(world, step(case, CaseChange::Propose { proposal, lapsed: at - LAPSES }, "amei", at)).await
}

/// A move whose claim the bank's and the provider's books bear out, its evidence, and when the second person comes to it.
#[expect(clippy::type_complexity, reason = "read once, just above")]
fn true_move(
    world: &World,
    case: &Case,
    order_id: Option<&str>,
) -> Result<Option<(String, Option<Value>, Option<Duration>)>> {
    let mut guard = world.core.lock();
    let state = &mut *guard;
    let now = state.now;
    let numbers = order_id.and_then(|id| state.oracle.remits.get(id)).map(|remit| remit.numbers.clone());
    let numbers = numbers.unwrap_or_default();
    let known = |number: &String| {
        if let BankReply::Known(payment) = state.sim.payment(now, number) { Some(payment) } else { None }
    };
    let payments: Vec<Payment> = numbers.iter().filter_map(known).collect();
    let paid = payments
        .iter()
        .find(|payment| payment.status == PaymentStatus::Success)
        .or(payments.iter().find(|p| p.paid_at.is_some()));
    let evidence = paid.and_then(given);
    let moving = payments.iter().any(|p| !matches!(p.status, PaymentStatus::Failed | PaymentStatus::Returned));
    let mut permits = world.payer.permits.values().filter(|permit| Some(permit.order_id.as_str()) == order_id);
    let may_pay = permits.any(|permit| !permit.instructed && !permit.given_up);
    let ended = order_id.and_then(|id| state.sim.remit_ended(id));
    let fits = |name: &str| match name {
        "paid" => paid.is_some_and(|payment| payment.status == PaymentStatus::Success),
        "not_paid" => !moving && !may_pay,
        "levied" => ended == Some(Ended::Levied) && evidence.is_some(),
        // What is paid and not levied stays a case until it is levied again (safety.md §12).
        "closed" if case.open.kind == "auto_closed_paid" => false,
        "closed" => matches!(ended, Some(Ended::Cancelled | Ended::AutoClosed)) && evidence.is_some(),
        "retry" => world.retried.get(&case.instance).is_none_or(|times| *times < RETRIES),
        "accept_remits" | "cancel_each" => true,
        _ => false,
    };
    let fitting: Vec<_> = case.open.moves.iter().filter(|legal| fits(&legal.name)).collect();
    if fitting.is_empty() {
        return Ok(None);
    }
    let legal = fitting[state.dice.below(fitting.len())].clone();
    let needs = |what: &str| legal.needs.iter().any(|need| need == what);
    let evidence = if needs("evidence") { evidence.map(serde_json::to_value).transpose()? } else { None };
    state.note(format_args!("operator {} {}", case.open.kind, legal.name));
    let second = needs("second_person").then(|| state.dice.seconds(60, 6 * 3600));
    if second.is_none() {
        state.tally.count(Near::MovesOfPeople);
    }
    Ok(Some((legal.name, evidence, second)))
}

async fn approve(world: &mut World, id: Uuid) -> Result<()> {
    let Some(case) = world.store.case(id).await.context("read a case")? else { return Ok(()) };
    let Some(proposal) = case.proposal.clone().filter(|_| case.state == "proposed") else { return Ok(()) };
    let at = world.clock.now();
    let yes = |by: &str| CaseChange::Approve { proposal: proposal.clone(), by: by.into() };
    let alone = world.core.lock().dice.strikes(500);
    if alone {
        let answer = world.office.case_step(step(&case, yes("amei"), "amei", at)).await;
        if matches!(answer, Ok(true)) {
            world.core.lock().oracle.found(Some(format!("I24 one person alone settled case {id}")));
        }
    }
    let event = resolved(&case, &proposal.name, proposal.evidence.clone(), "amei and boss");
    let dedupe = format!("case/{id}/approved/{}", proposal.at.millis());
    let post = letter(world, case.instance, event, Some(dedupe));
    world.core.lock().tally.count(Near::MovesOfPeople);
    take(world, CaseStep { letter: Some(post), ..step(&case, yes("boss"), "boss", at) }).await
}

fn step(case: &Case, change: CaseChange, who: &str, at: Time) -> CaseStep {
    let (what, subject) = ("case".to_owned(), case.open.id.to_string());
    let act = Act { who: who.into(), what, subject, detail: json!({"instance": case.instance}), at };
    CaseStep { case: case.open.id, change, act, letter: None }
}

fn resolved(case: &Case, name: &str, evidence: Option<Value>, by: &str) -> Value {
    let named = json!({"id": case.open.id, "kind": case.open.kind});
    json!({"CaseResolved": {"case": named, "move": name, "evidence": evidence, "by": by}})
}

fn given(payment: &Payment) -> Option<EvidenceGiven> {
    Some(EvidenceGiven {
        amount: payment.amount,
        paid_at: payment.paid_at?,
        bank_serial: payment.bank_serial.clone()?,
        payee_ok: true,
        source: "person".into(),
    })
}
