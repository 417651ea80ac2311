//! Whether anything grows with the number of orders that wait. In one run the same figures are taken twice: of a database with nothing
//! in it, and of one with very many genuine orders, each waiting for its remit to be paid (`crates/store/src/parked.rs`).

use super::real::{self, Office, STUCK};
use super::report::{self, decimal};
use super::{drive, meter};
use crate::client::Output;
use crate::demo::stack::{Setup, Stack};
use crate::demo::{office, payday};
use anyhow::{Context, Result, bail};
use clap::Args;
use domain::{BankCard, Cellphone, IdCard, InstanceId, Person, PersonName};
use serde_json::{Value, json};
use simulator::Faults;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use store::{ClaimAsk, Due, Filter, LetGo, NewInstance, Store};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

/// Orders that are copied.
const SHAPES: usize = 16;
/// Virtual seconds per real second: only shortens what provider and bank take.
const SPEED: u32 = 1200;
/// The copies wait so long, in real time as well.
const WAIT: Duration = Duration::from_secs(72 * 3600);
/// Requests of each kind, and claims.
const REQUESTS: usize = 200;
const CLAIMS: usize = 500;
/// Due rows that a measured claim finds.
const DUE: usize = 16;
/// What a worker audits: the last hour. The copies are of the last three days.
const RECENT: Duration = Duration::from_secs(3600);
/// People kept in one statement.
const PEOPLE_AT_ONCE: usize = 2000;
/// Fresh orders of each round are numbered from a multiple of this, far from each other's and from the people's and the shapes'.
const ROUND: usize = 10_000_000;
const PEOPLE: usize = 9 * ROUND;
const SHAPED: usize = 8 * ROUND;

#[derive(Args, Debug, Clone)]
pub(crate) struct Parked {
    /// An empty PostgreSQL database that may be filled.
    #[arg(long, value_name = "URL")]
    database: String,
    /// Orders that wait, each with one remit.
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    parked: u32,
    /// People whose orders they are.
    #[arg(long, default_value_t = 200_000, value_name = "N")]
    people: usize,
    /// Fresh orders that go the whole way, in each of the two rounds.
    #[arg(long, default_value_t = 4000, value_name = "N")]
    orders: usize,
    /// Also time the audit of everything, as `levee doctor` does it: minutes for a million.
    #[arg(long)]
    audit: bool,
}

/// One round's figures, by name.
type Figures = Vec<(String, Value)>;

impl Parked {
    pub(crate) async fn run(self, output: &Output) -> Result<ExitCode> {
        let setup = Setup {
            database: Some(self.database.clone()),
            listen: "127.0.0.1:0".into(),
            faults: Faults::default(),
            seed: 1,
            speed: i64::from(SPEED),
            timings: simulator::Timings::default(),
            keep: false,
            rate_per_second: 100_000,
            concurrency: 256,
            tune: real::tune,
        };
        let stack = Arc::new(Stack::start(setup).await?);
        let office = Office {
            uploader: office::key(&stack.office, "amei", "operator").await?,
            approver: office::key(&stack.office, "boss", "approver").await?,
        };
        let store = stack.running.engine.store.clone();
        let rests = &mut stack.running.engine.bell.rests();
        let (people, phones, names) = self.people(&store).await?;
        // Pages, plans and pools are warm before anything is counted.
        throughput(&stack, &office, rests, 1, self.orders / 4).await?;
        let empty = self.round(&stack, &office, rests, 2, &phones, &names).await?;
        let before = store.bytes().await.context("measure the tables")?;
        let begun = Instant::now();
        if self.parked > 0 {
            store.park(self.copies(&stack, &office, people).await?).await.context("make the copies")?;
        }
        let loaded = begun.elapsed();
        let after = store.bytes().await.context("measure the tables")?;
        let full = self.round(&stack, &office, rests, 3, &phones, &names).await?;

        let bytes = after.zip(before).map(|(after, before)| (after - before) / i64::from(self.parked.max(1)));
        let mut figures = vec![
            ("parked".to_owned(), json!(self.parked)),
            ("load_seconds".to_owned(), json!(loaded.as_secs())),
            ("bytes_per_parked".to_owned(), json!(bytes)),
        ];
        for ((name, empty), (_, full)) in empty.into_iter().zip(full) {
            figures.extend([(format!("empty_{name}"), empty), (format!("parked_{name}"), full)]);
        }
        report::print("parked", drive::kind(&stack.database), figures, output);
        Arc::into_inner(stack).context("nobody drives any more")?.stop().await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Snapshots of people, and words to look for them by.
    async fn people(&self, store: &Store) -> Result<(Vec<uuid::Uuid>, Vec<String>, Vec<String>)> {
        let file = payday::plain(PEOPLE, self.people.max(1));
        let people = file.lines().skip(1).map(person).collect::<Result<Vec<Person>>>()?;
        let mut ids = Vec::with_capacity(people.len());
        for some in people.chunks(PEOPLE_AT_ONCE) {
            ids.extend(store.put_persons("default", some).await.context("keep people")?);
        }
        let step = (people.len() / REQUESTS).max(1);
        let some = people.iter().step_by(step).take(REQUESTS);
        let phones = some.clone().map(|person| person.cellphone.expose().to_owned()).collect();
        Ok((ids, phones, some.map(|person| person.name.expose().to_owned()).collect()))
    }

    /// Genuine orders whose remits wait to be paid, taken through the API and the provider as any.
    async fn copies(&self, stack: &Stack, office: &Office, persons: Vec<uuid::Uuid>) -> Result<store::Parked> {
        let id = real::upload(&office.uploader, payday::plain(SHAPED, SHAPES)).await?;
        office::wait_for_state(&office.uploader, &id, "approval").await?;
        office.approver.done(&format!("/v1/batches/{id}/approve"), &json!({})).await?;
        office.approver.done(&format!("/v1/batches/{id}/release"), &json!({})).await?;
        let store = &stack.running.engine.store;
        let begun = Instant::now();
        let remits = loop {
            let open = Filter {
                workflow: Some("remit".into()),
                state: Some("open".into()),
                limit: SHAPES,
                ..Filter::default()
            };
            let remits = store.list(open).await.context("list what is open")?;
            if remits.len() == SHAPES {
                break remits;
            }
            if begun.elapsed() > STUCK {
                bail!("{} of {SHAPES} remits are open", remits.len());
            }
            sleep(Duration::from_millis(50)).await;
        };
        let (now, wait) = (stack.clock.now(), WAIT * SPEED);
        let shapes: Vec<InstanceId> = remits.iter().filter_map(|remit| remit.parent).collect();
        Ok(store::Parked { shapes, persons, count: self.parked.into(), now, due: now + wait, spread: WAIT })
    }

    async fn round(
        &self,
        stack: &Arc<Stack>,
        office: &Office,
        rests: &mut UnboundedReceiver<String>,
        round: usize,
        phones: &[String],
        names: &[String],
    ) -> Result<Figures> {
        let mut figures = claims(stack, round).await?;
        let before = spent(stack).await?;
        let per_second = throughput(stack, office, rests, round, self.orders).await?;
        let after = spent(stack).await?;
        let each_of = |amount: u64| decimal(amount * 1000 / u64::try_from(self.orders).unwrap_or(u64::MAX).max(1));
        figures.push(("orders_per_second".into(), json!(per_second)));
        // Milliseconds an order are seconds a thousand.
        figures.push(("process_cpu_seconds_per_1000".into(), each_of(after[0] - before[0])));
        figures.push(("database_cpu_seconds_per_1000".into(), each_of(after[1].saturating_sub(before[1]))));
        figures.extend(searches(stack, office, round, phones, names).await?);
        figures.extend(self.watched(stack).await?);
        Ok(figures)
    }

    /// What the housekeeper asks, once each.
    async fn watched(&self, stack: &Stack) -> Result<Figures> {
        let engine = &stack.running.engine;
        let mut figures = Figures::new();
        let mut add = |name: &str, begun: Instant| figures.push((format!("{name}_ms"), ms(begun.elapsed())));
        let begun = Instant::now();
        engine.store.counts().await.context("count")?;
        add("counts", begun);
        let begun = Instant::now();
        engine.store.in_doubt().await.context("count doubts")?;
        add("in_doubt", begun);
        let begun = Instant::now();
        engine.limbo().await.context("look for limbo")?;
        add("limbo", begun);
        let begun = Instant::now();
        engine.store.money_at_risk().await.context("sum what is at risk")?;
        add("at_risk", begun);
        let begun = Instant::now();
        engine.store.due_oldest(stack.clock.now()).await.context("find what is due")?;
        add("due_oldest", begun);
        let begun = Instant::now();
        engine.orphans().await.context("look for orphans")?;
        add("orphans", begun);
        let begun = Instant::now();
        engine.recent_audits(stack.clock.now() - RECENT).await.context("audit what is recent")?;
        add("recent_audits", begun);
        if self.audit {
            let begun = Instant::now();
            engine.audits().await.context("audit")?;
            add("audits", begun);
        }
        Ok(figures)
    }
}

fn person(line: &str) -> Result<Person> {
    let cells: Vec<&str> = line.split(',').collect();
    let [_, name, id_card, cellphone, bankcard, ..] = cells[..] else { bail!("a payday row has cells") };
    Ok(Person {
        name: PersonName::parse(name).map_err(|_| anyhow::anyhow!("a name"))?,
        id_card: IdCard::parse(id_card).map_err(|_| anyhow::anyhow!("an id card"))?,
        cellphone: Cellphone::parse(cellphone).map_err(|_| anyhow::anyhow!("a phone"))?,
        bankcard: BankCard::parse(bankcard).map_err(|_| anyhow::anyhow!("a bank card"))?,
    })
}

/// Processor time of this process, simulators and payer among it, and of the database's.
async fn spent(stack: &Stack) -> Result<[u64; 2]> {
    let spent = stack.running.engine.store.spent().await.context("read what was spent")?;
    let backend = spent.server.and_then(|server| u32::try_from(server.backend).ok());
    Ok([meter::own_ms().unwrap_or(0), backend.and_then(meter::database_ms).unwrap_or(0)])
}

/// Fresh orders, from their payday file to levied, a second.
async fn throughput(
    stack: &Arc<Stack>,
    office: &Office,
    rests: &mut UnboundedReceiver<String>,
    round: usize,
    orders: usize,
) -> Result<u64> {
    let first = round * ROUND;
    let number = |key: &str| key.strip_prefix("PAY-2026-01-")?.parse::<usize>().ok();
    let begun = Instant::now();
    let mut driving = tokio::spawn(real::drive(stack.clone(), office.clone(), first, orders, (orders / 16).max(1)));
    let (mut settled, mut paid) = (0, false);
    while settled < orders {
        tokio::select! {
            Some(key) = rests.recv() => if number(&key).is_some_and(|number| number / ROUND == round) { settled += 1 },
            driven = &mut driving, if !paid => {
                driven.context("the payer broke off")??;
                paid = true;
            }
            () = sleep(STUCK) => bail!("nothing was levied for {} s: {settled} of {orders} are", STUCK.as_secs()),
        }
    }
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    if !paid {
        driving.await.context("the payer broke off")??;
    }
    Ok(u64::try_from(orders).unwrap_or(0) * 1000 / ms)
}

/// A claim's statement with few rows due, and with none. These rows are due at a time that no worker has reached, and no copy either.
async fn claims(stack: &Stack, round: usize) -> Result<Figures> {
    let (store, now) = (&stack.running.engine.store, stack.clock.now());
    let due = now + WAIT * SPEED / 2;
    let row = |place: usize| NewInstance {
        id: InstanceId(domain::ids::draw(now)),
        workflow: "bare".into(),
        tenant: "default".into(),
        account: "main".into(),
        business_key: format!("due-{round}-{place}"),
        address: None,
        parent: None,
        batch_row: None,
        person: None,
        content_hash: String::new(),
        input: json!({}),
        state: json!({}),
        state_name: "waiting".into(),
        due: Due { wake_at: Some(due), lane: format!("main:due-{round}"), class: 3 },
        guard: None,
        at: now,
    };
    store.submit((0..DUE).map(row).collect()).await.context("make rows that are due")?;
    let mut figures = Figures::new();
    for (name, at, found) in [("claim", due, DUE), ("claim_nothing", now - WAIT * SPEED, 0)] {
        let mut took = Vec::with_capacity(CLAIMS);
        for _ in 0..CLAIMS {
            let ask = ClaimAsk {
                limit: 64,
                closed_lanes: (0..round).map(|earlier| format!("main:due-{earlier}")).collect(),
                per_lane: 64,
                rooms: BTreeMap::new(),
                only_lane: None,
                lease: Duration::from_secs(120),
                now: at,
            };
            let begun = Instant::now();
            let claimed = store.claim(ask).await.context("claim")?;
            took.push(begun.elapsed());
            if claimed.iter().filter(|row| row.workflow == "bare").count() != found {
                bail!("a claim found {} rows, not {found}", claimed.len());
            }
            let back = claimed.iter().map(|row| LetGo { id: row.id, token: row.token, wake_at: None }).collect();
            store.release(back).await.context("give rows back")?;
        }
        figures.extend(percentiles(name, took));
    }
    Ok(figures)
}

/// Every filter of the lists, as people use them.
async fn searches(
    stack: &Stack,
    office: &Office,
    round: usize,
    phones: &[String],
    names: &[String],
) -> Result<Figures> {
    let (now, key) = (stack.clock.now(), |n: usize| format!("PAY-2026-01-{}", round * ROUND + n % 100));
    let at = |hours: u64| (now - Duration::from_secs(hours * 3600)).to_string().replace('+', "%2B");
    let (since, until) = (at(37), at(36));
    let word = |words: &[String], n: usize| words[n % words.len()].clone();
    let paths: [(&str, &(dyn Fn(usize) -> String + Sync)); 9] = [
        ("phone", &|n| format!("/v1/orders?person={}", word(phones, n))),
        ("name", &|n| format!("/v1/orders?person={}", word(names, n))),
        ("business_key", &|n| format!("/v1/orders?business_key={}", key(n))),
        ("orders_newest", &|_| "/v1/orders".into()),
        ("orders_rare_state", &|_| "/v1/orders?state=rejected".into()),
        ("orders_of_an_hour", &|_| format!("/v1/orders?since={since}&until={until}")),
        ("orders_since_now", &|_| format!("/v1/orders?since={}", at(0))),
        ("remits_open", &|_| "/v1/remits?state=open".into()),
        ("remits_rare_state", &|_| "/v1/remits?state=needs_operator".into()),
    ];
    let mut figures = Figures::new();
    for (name, path) in paths {
        let mut took = Vec::with_capacity(REQUESTS);
        for n in 0..REQUESTS {
            let begun = Instant::now();
            office.uploader.get(&path(n)).await?;
            took.push(begun.elapsed());
            // What takes so long is known well enough.
            if took.iter().sum::<Duration>() > STUCK {
                break;
            }
        }
        figures.extend(percentiles(&format!("search_{name}"), took));
    }
    Ok(figures)
}

fn percentiles(name: &str, mut took: Vec<Duration>) -> Figures {
    [50, 95].map(|of| (format!("{name}_p{of}_ms"), ms(meter::percentile(&mut took, of)))).into()
}

fn ms(took: Duration) -> Value {
    decimal(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}
