//! What a run is judged by when it is over: every safety audit, no limbo, both ledgers, and that things came to rest (testing.md §6).

use super::core::Event;
use super::plan::Mode;
use super::world::{ACCOUNT, TENANT, World};
use crate::demo::truth;
use anyhow::{Context as _, Result};
use domain::InstanceId;
use serde_json::{Value, json};
use simulator::{Ledger, PaymentStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Filter, Instance};
use workflows::book;

/// Greatest number of calls per order, polling included, where trouble is moderate (I29).
const CALLS_PER_ORDER: u64 = 40;
/// Workers are down, asleep or cut off for less.
const HEARD_WITHIN: Duration = Duration::from_secs(3 * 3600);
/// How often everything is looked through while a run goes on.
const LOOKED_THROUGH: Duration = Duration::from_secs(100 * 3600);
const PAGE: usize = 1000;

/// In the middle of a run: what must hold at every moment.
pub(super) async fn look_through(world: &mut World) -> Result<()> {
    world.core.lock().after(LOOKED_THROUGH, Event::Audit);
    audits(world, false).await?;
    let machines = machines(world).await?;
    closed_unpaid(world, &machines).await
}

/// S-D: what is closed as unpaid has no payout that may still succeed.
async fn closed_unpaid(world: &World, machines: &[Instance]) -> Result<()> {
    let closed = |row: &&Instance| matches!(row.state_name.as_str(), "auto_closed_unpaid" | "cancelled");
    for row in machines.iter().filter(|row| row.workflow == "remit").filter(closed) {
        for permit in world.store.permits(row.id).await.context("read permits")? {
            let state = permit.permit.state.as_str();
            if matches!(state, "permit_issued" | "instructed" | "in_doubt") {
                let said = format!("S-D remit {} is {} and its permit {state}", row.id, row.state_name);
                world.core.lock().oracle.found(Some(said));
            }
        }
    }
    Ok(())
}

async fn audits(world: &mut World, at_rest: bool) -> Result<()> {
    let mut findings = world.office.audits().await.context("run the audits")?;
    findings.push(world.office.limbo().await.context("look for limbo")?);
    let mut state = world.core.lock();
    for finding in findings {
        // While nobody may be able to act, a confirmation or a cancellation may be late: the provider is away, or every worker.
        let counts = at_rest || !["I2", "I19"].contains(&finding.audit.as_str());
        if counts && finding.count > 0 {
            let said = format!("audit {}: {} {:?}", finding.audit, finding.count, finding.examples);
            state.oracle.found(Some(said));
        }
    }
    Ok(())
}

pub(super) async fn judge(world: &mut World) -> Result<()> {
    let broken = !world.core.lock().oracle.violations.is_empty();
    let (mode, intensity) = {
        let state = world.core.lock();
        (state.plan.mode, state.plan.intensity)
    };
    let machines = machines(world).await?;
    count(world, &machines);
    if broken {
        return Ok(());
    }
    audits(world, mode == Mode::Liveness).await?;
    closed_unpaid(world, &machines).await?;
    let truth = world.core.lock().sim.ledger();
    let mut said = kept(world, &machines).await?;
    said.extend(money(world, &truth));
    said.extend(once(&truth));
    if mode == Mode::Liveness {
        said.extend(compared(world, &machines, &truth).await?);
        said.extend(answered(world));
        said.extend(heard(world, &machines).await?);
        said.extend(rested(world));
    }
    let mut state = world.core.lock();
    let (calls, orders) = (state.tally.calls, state.tally.orders);
    if intensity <= 1 && orders >= 100 && calls > CALLS_PER_ORDER * orders {
        said.push(format!("I29 {calls} calls for {orders} orders"));
    }
    for (key, count) in truth.coverage {
        let (operation, kind) = key.split_once('/').unwrap_or(("?", &key));
        let _ = operation;
        *state.tally.far.entry(kind.to_owned()).or_default() += count;
        *state.tally.pairs.entry(key).or_default() += count;
    }
    state.oracle.violations.extend(said);
    Ok(())
}

async fn machines(world: &World) -> Result<Vec<Instance>> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let filter = Filter { cursor, limit: PAGE, ..Filter::default() };
        let page = world.store.list(filter).await.context("list the machines")?;
        cursor = page.last().map(|row| row.id);
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// The digest goes over every transition of every machine: the heads of their chains.
fn count(world: &World, machines: &[Instance]) {
    let resting: BTreeSet<(String, String)> = book::resting().into_iter().collect();
    let mut state = world.core.lock();
    for row in machines {
        state.note(format_args!("{} {} {} {}", row.id, row.state_name, row.revision, row.head));
        let name = (row.workflow.clone(), row.state_name.clone());
        state.tally.machines += 1;
        state.tally.at_rest += u64::from(resting.contains(&name));
        *state.tally.states.entry(name).or_default() += 1;
    }
}

/// I17: what was acknowledged is there.
async fn kept(world: &World, machines: &[Instance]) -> Result<Vec<String>> {
    let known: BTreeMap<InstanceId, &Instance> = machines.iter().map(|row| (row.id, row)).collect();
    let by_address: BTreeMap<&str, InstanceId> =
        machines.iter().filter_map(|row| Some((row.address.as_deref()?, row.id))).collect();
    let mut said: Vec<String> = world
        .client
        .acknowledged
        .keys()
        .filter(|id| !known.contains_key(id))
        .map(|id| format!("I17 order {id} was acknowledged and is gone"))
        .collect();
    let mut letters: BTreeMap<InstanceId, BTreeSet<uuid::Uuid>> = BTreeMap::new();
    for letter in world.client.letters.values().filter(|letter| letter.acknowledged) {
        let Some(home) = by_address.get(format!("{ACCOUNT}/{}", letter.request_id).as_str()) else { continue };
        if !letters.contains_key(home) {
            let kept = world.store.letters(*home).await.context("read letters")?;
            letters.insert(*home, kept.into_iter().map(|letter| letter.id).collect());
        }
        if !letter.ids.iter().any(|id| letters[home].contains(id)) {
            said.push(format!("S-F a callback about {} was acknowledged and is gone", letter.request_id));
        }
    }
    for (machine, told) in &world.client.told {
        let kept = world.store.letters(*machine).await.context("read letters")?;
        let gone = told.iter().filter(|id| !kept.iter().any(|letter| letter.id == **id));
        said.extend(gone.map(|id| format!("I17 the message {id} to {machine} was acknowledged and is gone")));
    }
    Ok(said)
}

/// I4 and I13: at most one success per remit, and the levy has the bank's own time.
fn money(world: &World, truth: &Ledger) -> Vec<String> {
    let mut said = Vec::new();
    let payments: BTreeMap<&str, _> =
        truth.payments.iter().map(|payment| (payment.bank_order_no.as_str(), payment)).collect();
    let levied: BTreeMap<&str, _> = truth
        .remits
        .iter()
        .filter_map(|remit| Some((remit.order_id.as_str(), remit.decision.as_ref()?)))
        .filter(|(_, decision)| decision.next_step == "CONTINUE")
        .collect();
    let state = world.core.lock();
    for (order_id, remit) in &state.oracle.remits {
        let paid: Vec<_> = remit.numbers.iter().filter_map(|number| payments.get(number.as_str())).collect();
        let stand = paid.iter().filter(|p| p.statuses.last().is_some_and(|(_, last)| *last == PaymentStatus::Success));
        if stand.count() > 1 {
            said.push(format!("I4 remit {order_id} was paid twice"));
        }
        let times = paid.iter().flat_map(|p| &p.statuses).filter(|(_, status)| *status == PaymentStatus::Success);
        let times: Vec<_> = times.map(|(at, _)| *at).collect();
        if let Some(decision) = levied.get(order_id.as_str())
            && !times.contains(&decision.arising_time)
        {
            said.push(format!("I13 {order_id} was levied at {}, and paid at {times:?}", decision.arising_time));
        }
    }
    said
}

/// I3: one order per request, but for those that a middlebox sent twice.
fn once(truth: &Ledger) -> Vec<String> {
    truth::surplus(truth)
        .into_iter()
        .map(|(id, times)| format!("I3 the provider has {times} orders under {id}"))
        .collect()
}

/// I8: both ledgers say the same, or a case says why not.
async fn compared(world: &World, machines: &[Instance], truth: &Ledger) -> Result<Vec<String>> {
    let mut cases: BTreeMap<InstanceId, String> = BTreeMap::new();
    for case in world.store.cases(TENANT, None, None, None, None, usize::MAX >> 1).await.context("list the cases")? {
        if case.state != "resolved" {
            cases.insert(case.instance, case.open.id.to_string());
            *world.core.lock().tally.cases.entry(case.open.kind).or_default() += 1;
        }
    }
    let mut remits: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in machines.iter().filter(|row| row.workflow == "remit") {
        let standing = world.store.evidence(row.id).await.context("read evidence")?;
        let evidence = standing.iter().rev().find(|row| row.revoked_at.is_none()).or(standing.last());
        let evidence = evidence.map(|row| {
            let evidence = &row.evidence;
            json!({"bank_serial": evidence.bank_serial, "amount": evidence.amount, "paid_at": evidence.paid_at})
        });
        let view = json!({
            "provider_order_id": row.input["provider_order_id"],
            "state": row.state_name,
            "case_id": cases.get(&row.id),
            "evidence": evidence,
        });
        let order = row.input["order"].as_str().unwrap_or_default().to_owned();
        remits.entry(order).or_default().push(view);
    }
    let orders: Vec<Value> = machines
        .iter()
        .filter(|row| row.workflow == "levy_order")
        .map(|row| {
            json!({
                "request_id": row.input["request_id"],
                "state": row.state_name,
                "case_id": cases.get(&row.id),
                "remits": remits.remove(&row.id.to_string()).unwrap_or_default(),
            })
        })
        .collect();
    let found = truth::compare(&orders, truth)?;
    Ok(found.differences.into_iter().map(|difference| format!("I8 {difference}")).collect())
}

/// Every question that became durable has been answered.
fn answered(world: &World) -> Vec<String> {
    let open = world.payer.asked.iter().filter(|(_, (_, since))| since.is_some());
    open.map(|(ask, (remit, _))| format!("L-2 the question {ask} of remit {remit} was never answered")).collect()
}

/// What its remits say wakes an order: it hears of their ends about when they come.
async fn heard(world: &World, machines: &[Instance]) -> Result<Vec<String>> {
    let mut remits: BTreeMap<InstanceId, Vec<InstanceId>> = BTreeMap::new();
    for row in machines.iter().filter(|row| row.workflow == "remit") {
        remits.entry(row.parent.unwrap_or(row.id)).or_default().push(row.id);
    }
    let resting = book::resting();
    let rests = |state: &str| resting.iter().any(|(workflow, name)| workflow == "remit" && name == state);
    let mut said = Vec::new();
    for (order, remits) in remits.into_iter().filter(|(_, remits)| remits.len() > 1) {
        let mut ends = Vec::new();
        for remit in remits {
            let story = world.store.history(remit).await.context("read a history")?;
            let turns = story.iter().filter(|entry| rests(&entry.line.to) && entry.line.from != entry.line.to);
            ends.extend(turns.map(|entry| entry.line.at));
        }
        let story = world.store.history(order).await.context("read a history")?;
        let mut told: Vec<_> =
            story.iter().filter(|entry| entry.line.event == "RemitDone").map(|entry| entry.line.at).collect();
        ends.sort_unstable();
        told.sort_unstable();
        let late = ends.iter().zip(&told).find(|(end, told)| told.since(**end) > HEARD_WITHIN);
        if let Some((end, told)) = late {
            said.push(format!("LATE order {order} heard at {told} what its remit said at {end}"));
        }
    }
    Ok(said)
}

/// A run in which little came to rest proves little.
fn rested(world: &World) -> Vec<String> {
    let state = world.core.lock();
    // Where the provider's "not found" proves nothing, an order whose CREATE was lost waits for a person, and may.
    let provable = state.plan.account.knows_not_found && state.plan.switches.errors_echo_ids;
    let in_doubt = state.tally.states.get(&("levy_order".to_owned(), "create_in_doubt".to_owned()));
    let parked = if provable { 0 } else { in_doubt.copied().unwrap_or(0) };
    let (rest, all) = (state.tally.at_rest + parked, state.tally.machines);
    let few = state.plan.orders >= 50 && rest * 100 < all * 80;
    few.then(|| format!("L-2 only {rest} of {all} machines came to rest")).into_iter().collect()
}
