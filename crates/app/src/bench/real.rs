//! The real workload: payday files, provider, bank and payer, all on loopback. Every order has one remit, and goes the whole way: CREATE,
//! permit, payment, evidence, CONTINUE, levied. Virtual time only shortens what provider and bank take; calls, looks and callbacks
//! are as many as on a real day.

use super::meter;
use super::report::{self, decimal};
use crate::client::Output;
use crate::demo::http::Http;
use crate::demo::stack::{Setup, Stack};
use crate::demo::{office, payday};
use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use clap::Args;
use domain::Time;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use simulator::{BankReply, Faults, Instruction, PaymentStatus, Span, Timings};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval, sleep};

/// Batches that are uploaded, paid and reported at once.
const AT_ONCE: usize = 16;
/// Payout results under way at once, of one batch.
const REPORTS: usize = 8;
/// How often the payer of a batch looks for remits to be paid, and at the bank.
const PAYER_LOOKS: Duration = Duration::from_millis(500);
/// Callbacks a second in the callback run.
const CALLBACKS_PER_SECOND: u32 = 500;
/// Nothing is levied for so long: something is wrong.
pub(super) const STUCK: Duration = Duration::from_secs(60);

#[derive(Args, Debug, Clone)]
pub(crate) struct Real {
    /// An empty database that may be filled: sqlite://PATH or postgres://…; default: SQLite in a temporary folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Orders that go the whole way.
    #[arg(long, default_value_t = 6000, value_name = "N")]
    orders: usize,
    /// Rows of each payday file.
    #[arg(long, default_value_t = 500, value_name = "N")]
    batch: usize,
    /// Rows of the payday file that is only taken in, and timed.
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    file: usize,
    /// Callbacks of the callback run, at 500 a second; 0 leaves it out.
    #[arg(long, default_value_t = 5000, value_name = "N")]
    callbacks: usize,
    /// Virtual seconds per real second.
    #[arg(long, default_value_t = 1200, value_name = "S")]
    speed: i64,
}

/// Whoever uploads, approves, pays and reports.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) uploader: Http,
    pub(super) approver: Http,
}

impl Real {
    pub(crate) async fn run(self, output: &Output) -> Result<ExitCode> {
        let setup = Setup {
            database: self.database.clone(),
            listen: "127.0.0.1:0".into(),
            faults: Faults::default(),
            seed: 1,
            speed: self.speed,
            timings: prompt(),
            keep: false,
            rate_per_second: 100_000,
            concurrency: 256,
            tune,
        };
        let stack = Arc::new(Stack::start(setup).await?);
        let office = Office {
            uploader: office::key(&stack.office, "amei", "operator").await?,
            approver: office::key(&stack.office, "boss", "approver").await?,
        };
        let mut figures = vec![("orders", json!(self.orders))];
        figures.extend(self.throughput(&stack, &office).await?);
        figures.extend(self.taken_in(&office).await?);
        if self.callbacks > 0 {
            figures.extend(self.acknowledged(&stack, &office).await?);
        }
        report::print("real", super::drive::kind(&stack.database), figures, output);
        Arc::into_inner(stack).context("nobody drives any more")?.stop().await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn throughput(&self, stack: &Arc<Stack>, office: &Office) -> Result<Vec<(&'static str, Value)>> {
        let store = &stack.running.engine.store;
        let before = (store.spent().await.context("read what was spent")?, own_ms());
        let mut rests = stack.running.engine.bell.rests();
        let begun = Instant::now();
        let mut driving = tokio::spawn(drive(stack.clone(), office.clone(), 0, self.orders, self.batch));
        let mut ended = begun;
        let (mut settled, mut paid) = (0, false);
        while settled < self.orders {
            tokio::select! {
                Some(key) = rests.recv() => if key.starts_with("PAY-") {
                    (settled, ended) = (settled + 1, Instant::now());
                },
                driven = &mut driving, if !paid => {
                    driven.context("the payer broke off")??;
                    paid = true;
                }
                () = sleep(STUCK) => {
                    bail!("nothing was levied for {} s: {settled} of {} orders are", STUCK.as_secs(), self.orders)
                }
            }
        }
        if !paid {
            driving.await.context("the payer broke off")??;
        }
        let after = (store.spent().await.context("read what was spent")?, own_ms());
        let levied = count(stack, "remit", "levied").await?;
        if levied != self.orders {
            bail!("{levied} of {} remits are levied", self.orders);
        }
        let each = u64::try_from(self.orders).unwrap_or(u64::MAX).max(1);
        let ms = u64::try_from(ended.duration_since(begun).as_millis()).unwrap_or(u64::MAX).max(1);
        let calls = stack.sim.sim.lock().unwrap_or_else(PoisonError::into_inner).calls().len();
        let wal = after.0.server.as_ref().zip(before.0.server.as_ref());
        let wal = wal.map_or(Value::Null, |(after, before)| {
            json!((after.wal_bytes - before.wal_bytes) / i64::try_from(each).unwrap_or(i64::MAX))
        });
        let each_of = |amount: u64| decimal(amount * 1000 / each);
        Ok(vec![
            ("orders_per_second", json!(each * 1000 / ms)),
            ("provider_calls_per_order", each_of(u64::try_from(calls).unwrap_or(0))),
            ("commits_per_order", each_of(after.0.commits - before.0.commits)),
            ("statements_per_order", each_of(after.0.statements - before.0.statements)),
            ("wal_bytes_per_order", wal),
            // Server, simulators and payer are one process here.
            ("process_cpu_seconds_per_1000", each_of(after.1 - before.1)),
        ])
    }

    /// How fast a payday file is taken in: from the first byte to the answer, when every row is durable.
    async fn taken_in(&self, office: &Office) -> Result<Vec<(&'static str, Value)>> {
        let file = payday::plain(10_000_000, self.file);
        let begun = Instant::now();
        upload(&office.uploader, file).await?;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        Ok(vec![("csv_rows_per_second", json!(u64::try_from(self.file).unwrap_or(0) * 1000 / ms))])
    }

    /// Real callbacks, caught on their way, then brought at a steady pace: from the first byte to SUCCESS.
    async fn acknowledged(&self, stack: &Arc<Stack>, office: &Office) -> Result<Vec<(&'static str, Value)>> {
        let caught = catch(stack).await?;
        drive(stack.clone(), office.clone(), 20_000_000, self.callbacks, self.batch).await?;
        while count(stack, "remit", "levied").await? < self.orders + self.callbacks {
            sleep(Duration::from_millis(100)).await;
        }
        let caught = std::mem::take(&mut *caught.lock().unwrap_or_else(PoisonError::into_inner));
        let disk = disk(stack).await?;
        let mut flushes = flushes(&disk).await?;
        let mut took = bring(stack, caught.into_iter().take(self.callbacks)).await?;
        flushes.extend(self::flushes(&disk).await?);
        let ms = |of: Duration| decimal(u64::try_from(of.as_micros()).unwrap_or(u64::MAX));
        Ok(vec![
            ("callbacks", json!(took.len())),
            ("callback_p50_ms", ms(meter::percentile(&mut took, 50))),
            ("callback_p99_ms", ms(meter::percentile(&mut took, 99))),
            ("flush_p99_ms", ms(meter::percentile(&mut flushes, 99))),
        ])
    }
}

/// From now on the provider calls back here, and not at levee.
async fn catch(stack: &Stack) -> Result<Arc<Mutex<Vec<Bytes>>>> {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let keep = caught.clone();
    let kept = move |body: Bytes| {
        keep.lock().unwrap_or_else(PoisonError::into_inner).push(body);
        std::future::ready("SUCCESS")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen for callbacks")?;
    let url = format!("http://{}/", listener.local_addr().context("read the address")?);
    tokio::spawn(axum::serve(listener, Router::new().route("/", post(kept))).into_future());
    let mut sim = stack.sim.sim.lock().unwrap_or_else(PoisonError::into_inner);
    let client = sim.config().clients.first().cloned().context("the simulator has a client")?;
    sim.set_client(simulator::Client { callback_url: Some(url), ..client });
    Ok(caught)
}

async fn bring(stack: &Stack, callbacks: impl Iterator<Item = Bytes>) -> Result<Vec<Duration>> {
    let provider = Http::new(stack.office.base(), None)?;
    let mut ticks = interval(Duration::from_secs(1) / CALLBACKS_PER_SECOND);
    let mut under_way = Vec::new();
    for body in callbacks {
        ticks.tick().await;
        let provider = provider.clone();
        under_way.push(tokio::spawn(async move {
            let begun = Instant::now();
            let form = "application/x-www-form-urlencoded";
            let (status, said) = provider.send(reqwest::Method::POST, "/callbacks/main", form, body.to_vec()).await?;
            if said != "SUCCESS" {
                bail!("a callback was not acknowledged ({status}): {said}");
            }
            Ok(begun.elapsed())
        }));
    }
    let mut took = Vec::with_capacity(under_way.len());
    for answer in under_way {
        took.push(answer.await.context("a callback broke off")??);
    }
    Ok(took)
}

/// Provider and bank take seconds, so that work is measured and not waiting: the first look at anything finds it done.
fn prompt() -> Timings {
    Timings { order: Span(0, 2), levy: Span(0, 2), bank: Span(0, 2), callback: Span(0, 1), ..Timings::default() }
}

/// As in production, however fast the clock runs.
pub(super) fn tune(config: &mut crate::config::Config) {
    config.engine.lease_seconds = Some(120);
    config.engine.call_timeout_seconds = Some(30);
    config.engine.concurrency = 512;
}

/// Uploads, releases and pays so many orders, in batches.
pub(super) async fn drive(stack: Arc<Stack>, office: Office, first: usize, orders: usize, batch: usize) -> Result<()> {
    let batches = (0..orders).step_by(batch.max(1)).map(|from| (first + from * 2, batch.min(orders - from)));
    let (stack, office) = (&stack, &office);
    let one = |(first, rows)| async move {
        let id = upload(&office.uploader, payday::plain(first, rows)).await?;
        office::wait_for_state(&office.uploader, &id, "approval").await?;
        office.approver.done(&format!("/v1/batches/{id}/approve"), &json!({})).await?;
        office.approver.done(&format!("/v1/batches/{id}/release"), &json!({})).await?;
        pay(stack, &office.uploader, &id, rows).await
    };
    stream::iter(batches.map(one)).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(|_| ())
}

pub(super) async fn upload(office: &Http, file: String) -> Result<String> {
    let (status, answer) = office.send(reqwest::Method::POST, "/v1/batches", "text/csv", file.into_bytes()).await?;
    if !(200..300).contains(&status) {
        bail!("the payday file was refused ({status}): {answer}");
    }
    if answer["errors"].as_array().is_some_and(|errors| !errors.is_empty()) {
        bail!("the payday file has mistakes: {}", answer["errors"]);
    }
    Ok(answer["id"].as_str().context("the batch has an id")?.to_owned())
}

/// The payer of one batch: asks permits until every remit has one, pays under it, and reports what the bank says.
async fn pay(stack: &Stack, office: &Http, batch: &str, rows: usize) -> Result<()> {
    let mut permitted = 0;
    let mut pending: Vec<Value> = Vec::new();
    while permitted < rows || !pending.is_empty() {
        let mut cursor = String::new();
        while permitted < rows {
            let path = format!("/v1/batches/{batch}/pay-permits?limit=200{cursor}");
            let (status, page) = office.collect(&path, &json!({})).await?;
            if status != 200 {
                bail!("permits were refused ({status}): {page}");
            }
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let permits = items.into_iter().map(|mut item| item["permit"].take()).filter(|permit| !permit.is_null());
            let before = pending.len();
            pending.extend(permits);
            permitted += pending.len() - before;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let now = stack.clock.now();
        let reports: Vec<(bool, Value)> = pending.drain(..).map(|permit| said(stack, now, permit)).collect();
        let (ended, waiting): (Vec<_>, Vec<_>) = reports.into_iter().partition(|(ended, _)| *ended);
        pending.extend(waiting.into_iter().map(|(_, permit)| permit));
        let report = |(_, permit): (bool, Value)| async move {
            let remit = permit["remit_id"].as_str().unwrap_or_default().to_owned();
            office.done(&format!("/v1/remits/{remit}/payout-results"), &permit["report"]).await
        };
        stream::iter(ended.into_iter().map(report)).buffer_unordered(REPORTS).try_collect::<Vec<Value>>().await?;
        sleep(PAYER_LOOKS).await;
    }
    Ok(())
}

/// Pays at the bank under the permit's number, again and again the same instruction, until the bank says success.
fn said(stack: &Stack, now: Time, mut permit: Value) -> (bool, Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let Ok(amount) = serde_json::from_value(permit["amount"].clone()) else { return (false, permit) };
    let instruction = Instruction {
        bank_order_no: text(&permit["bank_order_no"]),
        amount,
        payee_name: text(&permit["payee"]["name"]),
        payee_bankcard_no: text(&permit["payee"]["bankcard_no"]),
    };
    let reply = stack.sim.sim.lock().unwrap_or_else(PoisonError::into_inner).pay(now, instruction);
    let BankReply::Known(payment) = reply else { return (false, permit) };
    if payment.status != PaymentStatus::Success {
        return (false, permit);
    }
    permit["report"] = json!({
        "permit_id": permit["permit_id"],
        "outcome": "paid",
        "amount": permit["amount"],
        "paid_at": payment.paid_at,
        "bank_serial": payment.bank_serial,
        "bank_order_no": permit["bank_order_no"],
    });
    (true, permit)
}

async fn count(stack: &Stack, workflow: &str, state: &str) -> Result<usize> {
    let counts = stack.running.engine.store.counts().await.context("count the machines")?;
    let found = counts.iter().find(|count| count.workflow == workflow && count.state == state);
    Ok(found.map_or(0, |count| usize::try_from(count.count).unwrap_or(0)))
}

/// The folder whose disk the database flushes to.
async fn disk(stack: &Stack) -> Result<PathBuf> {
    let spent = stack.running.engine.store.spent().await.context("read what was spent")?;
    if let Some(server) = spent.server {
        return Ok(server.data_directory.into());
    }
    let file = PathBuf::from(stack.database.trim_start_matches("sqlite://"));
    Ok(file.parent().filter(|folder| folder.is_dir()).unwrap_or(Path::new(".")).to_owned())
}

async fn flushes(disk: &Path) -> Result<Vec<Duration>> {
    let folder = disk.to_owned();
    tokio::task::spawn_blocking(move || meter::flushes(&folder, Duration::from_secs(2))).await?
}

fn own_ms() -> u64 {
    meter::own_ms().unwrap_or(0)
}
