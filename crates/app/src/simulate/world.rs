//! One simulated world: the real engine and store, workers that die and sleep, and the far side, all on one agenda (testing.md §3).

use super::core::{Core, Event, Halt, TaskId, Worker};
use super::door::Who;
use super::ear::{Ear, InHand, listen};
use super::near::Near;
use super::plan::{Mode, Plan};
use super::workers::{engine, far_side, set_worker_clock};
use super::{client, office, payer, verdict, weather};
use anyhow::{Context as _, Result};
use domain::{Clock, InstanceId, Time};
use engine::{Committer, Driven, Engine};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use store::{Claimed, Scratch, Store};

pub(super) const ACCOUNT: &str = "main";
pub(super) const TENANT: &str = "default";
pub(super) const LEASE: Duration = Duration::from_secs(120);
const WORKERS: usize = 3;
/// Orders come during the first day and a half.
pub(super) const SUBMITTING: Duration = Duration::from_secs(36 * 3600);
/// Trouble goes on so long; then, in liveness runs, everything settles.
pub(super) const TROUBLED: Duration = Duration::from_secs(90 * 3600);
const SETTLING: Duration = Duration::from_secs(100 * 3600);
/// Rows that one worker drives at once.
const AT_ONCE: usize = 24;

type Work = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What a task was for.
enum Done {
    Claimed(Vec<Claimed>),
    Driven(InHand, Driven),
    Failed,
}

pub(super) struct Task {
    pub(super) worker: usize,
    work: Work,
    halt: Option<Halt>,
    drives: Option<Company>,
}

/// As the product's worker has it: whoever drives a suspect drives nothing else (F11).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    WithOthers,
}

pub(super) struct World {
    pub(super) core: Core,
    pub(super) store: Store,
    scratch: Scratch,
    pub(super) clock: Clock,
    pub(super) office: Engine,
    pub(super) begin: Time,
    pub(super) engines: Vec<(Engine, Clock)>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    last_task: TaskId,
    idle: Duration,
    pub(super) client: client::Client,
    pub(super) payer: payer::Payer,
    pub(super) ear: Ear,
    /// By worker: rows it has claimed and may not drive yet.
    pub(super) queued: Vec<VecDeque<Claimed>>,
    /// How often people asked a machine to look again.
    pub(super) retried: BTreeMap<InstanceId, u32>,
}

/// How a run ended.
pub(super) struct Outcome {
    pub(super) tally: super::tally::Tally,
    pub(super) violations: Vec<String>,
    pub(super) trace: String,
}

impl World {
    /// `clock` is the database's: it moves with the agenda.
    pub(super) async fn new(plan: Plan, scratch: Scratch, clock: Clock, aloud: bool) -> Result<Self> {
        let store = scratch.store.clone();
        let begin = clock.real();
        let core = Core::new(plan.clone(), begin, far_side(&plan)?, WORKERS);
        core.lock().trace.aloud = aloud;
        let client = client::Client::new(&plan);
        let office = engine(&core, &store, &clock, Who::Office)?;
        let mut world = Self {
            core,
            store,
            scratch,
            clock,
            office,
            begin,
            engines: Vec::new(),
            tasks: BTreeMap::new(),
            last_task: 0,
            idle: Duration::ZERO,
            client,
            payer: payer::Payer::default(),
            ear: Ear::default(),
            queued: vec![VecDeque::new(); WORKERS],
            retried: BTreeMap::new(),
        };
        for worker in 0..WORKERS {
            let engine = world.start(worker)?;
            world.engines.push(engine);
        }
        world.client.begin(&world.core, begin);
        payer::begin(&world.core);
        office::begin(&world.core);
        weather::begin(&world.core);
        world.core.lock().look_by(begin);
        Ok(world)
    }

    pub(super) async fn run(mut self) -> Result<Outcome> {
        let (calm_at, end) = self.horizon();
        loop {
            let event = {
                let mut state = self.core.lock();
                if state.next_at().is_none_or(|at| at > end) || !state.oracle.violations.is_empty() {
                    break;
                }
                let event = state.take();
                let was_calm = state.calm;
                state.calm = calm_at.is_some_and(|at| state.now >= at);
                if state.calm && !was_calm {
                    state.sim.set_faults(simulator::Faults::default()).context("stop the faults")?;
                }
                if state.calm {
                    state.provider_away = state.provider_away.min(state.now);
                    state.database_away = state.database_away.min(state.now);
                }
                event
            };
            let now = self.core.lock().now;
            self.clock.advance_real(now.since(self.clock.real()));
            self.scratch.stand_at(now).await.context("move the database's clock")?;
            if let Some(event) = event {
                self.happen(event).await?;
            }
        }
        verdict::judge(&mut self).await?;
        let mut state = self.core.lock();
        state.tally.virtual_ms = u64::try_from(state.now.since(self.begin).as_millis()).unwrap_or(0);
        let (tally, violations) = (std::mem::take(&mut state.tally), std::mem::take(&mut state.oracle.violations));
        Ok(Outcome { tally, violations, trace: state.trace.sum() })
    }

    fn horizon(&self) -> (Option<Time>, Time) {
        let troubled = self.begin + TROUBLED;
        match self.core.lock().plan.mode {
            Mode::Safety => (None, troubled + Duration::from_secs(10 * 3600)),
            Mode::Liveness => (Some(troubled), troubled + SETTLING),
        }
    }

    async fn happen(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Look => self.look().await?,
            Event::Resume(task) => self.go_on(task).await?,
            Event::Arrive(call, request) => self.core.lock().arrives(call, &request),
            Event::Answer(call) => self.lands(call, false).await?,
            Event::GiveUp(call) => self.lands(call, true).await?,
            Event::Crash { worker, incarnation, point } => {
                if self.core.lock().workers[worker].incarnation == incarnation {
                    self.crash(worker, point)?;
                }
            }
            Event::FarSide => {
                let mut state = self.core.lock();
                let now = state.now;
                for letter in state.sim.run_until(now) {
                    let way = state.dice.millis(5, 3000);
                    state.after(way, Event::Callback(Box::new(letter)));
                }
                state.watch_far_side();
            }
            Event::Callback(letter) => client::callback(self, &letter).await?,
            Event::Client(deed) => client::act(self, deed).await?,
            Event::Payer(deed) => payer::act(self, deed).await?,
            Event::Office(deed) => office::act(self, deed).await?,
            Event::Weather(turn) => weather::turn(self, turn).await?,
            Event::Audit => verdict::look_through(self).await?,
        }
        Ok(())
    }

    /// One worker that is up takes due rows.
    async fn look(&mut self) -> Result<()> {
        let chosen = {
            let mut state = self.core.lock();
            let now = state.now;
            let able = |worker: &Worker| worker.up_at <= now && worker.paused_until <= now && worker.tasks < AT_ONCE;
            let free = |place: &usize| able(&state.workers[*place]) && self.queued[*place].is_empty();
            let up: Vec<usize> = (0..WORKERS).filter(free).collect();
            if up.is_empty() {
                let soon = state.workers.iter().map(|worker| worker.up_at.max(worker.paused_until)).min();
                let soon = soon.unwrap_or(now).max(now + Duration::from_millis(50));
                state.away_until = state.away_until.max(soon);
                state.look_by(soon);
                return Ok(());
            }
            let place = state.dice.below(up.len());
            let room = usize::try_from(state.dice.between(1, 8)).unwrap_or(1);
            (up[place], room)
        };
        let (worker, room) = chosen;
        let engine = self.engines[worker].0.clone();
        let work = async move { engine.claim(room).await.map_or(Done::Failed, Done::Claimed) };
        self.begin_task(worker, None, Box::pin(work)).await
    }

    /// Drives what the worker has claimed, as far as the company it keeps allows.
    async fn begin_queued(&mut self, worker: usize) -> Result<()> {
        loop {
            let company: Vec<Company> =
                self.tasks.values().filter(|task| task.worker == worker).filter_map(|task| task.drives).collect();
            let Some(row) = self.queued[worker].front() else { return Ok(()) };
            if company.contains(&Company::Alone) || (row.suspect() && !company.is_empty()) {
                return Ok(());
            }
            let drives = if row.suspect() { Company::Alone } else { Company::WithOthers };
            let Some(row) = self.queued[worker].pop_front() else { return Ok(()) };
            let (engine, hand) = (self.engines[worker].0.clone(), self.ear.claimed(&row));
            let work = async move { Done::Driven(hand, engine.drive(row, &Committer::Direct).await) };
            Box::pin(self.begin_task(worker, Some(drives), Box::pin(work))).await?;
        }
    }

    async fn begin_task(&mut self, worker: usize, drives: Option<Company>, work: Work) -> Result<()> {
        self.last_task += 1;
        self.tasks.insert(self.last_task, Task { worker, work, halt: None, drives });
        self.core.lock().workers[worker].tasks += 1;
        self.go_on(self.last_task).await
    }

    /// Polls a task until it ends or stops in virtual time. Real input and output are awaited to their end.
    async fn go_on(&mut self, id: TaskId) -> Result<()> {
        let Some(worker) = self.tasks.get(&id).map(|task| task.worker) else { return Ok(()) };
        {
            let mut state = self.core.lock();
            let (now, of) = (state.now, state.workers[worker].clone());
            if of.paused_until > now {
                // It slept through its own turn.
                state.put(of.paused_until, Event::Resume(id));
                return Ok(());
            }
            (state.running, state.halt) = (id, None);
            set_worker_clock(&self.engines[worker].1, now, of.ahead_ms);
        }
        let Some(task) = self.tasks.get_mut(&id) else { return Ok(()) };
        let core = self.core.clone();
        let stopped = poll_fn(|cx| match task.work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => match core.lock().halt.take() {
                Some(halt) => Poll::Ready(Err(halt)),
                None => Poll::Pending,
            },
        })
        .await;
        match stopped {
            Ok(done) => {
                self.tasks.remove(&id);
                self.core.lock().workers[worker].tasks -= 1;
                self.ended(worker, done).await
            }
            Err(halt) => {
                task.halt = Some(halt);
                match halt {
                    Halt::Sleeps(until) => {
                        self.core.lock().put(until, Event::Resume(id));
                        Ok(())
                    }
                    Halt::Calls(_) => Ok(()),
                    Halt::Dies(point) => self.crash(worker, point),
                }
            }
        }
    }

    async fn ended(&mut self, worker: usize, done: Done) -> Result<()> {
        match done {
            Done::Failed => {
                self.core.lock().look_after_lease();
                self.look_again(Duration::from_secs(1)).await
            }
            Done::Claimed(rows) if rows.is_empty() => {
                self.idle = (self.idle * 2).clamp(Duration::from_millis(100), Duration::from_secs(15));
                self.look_again(self.idle).await
            }
            Done::Claimed(rows) => {
                self.idle = Duration::ZERO;
                for row in &rows {
                    let mut state = self.core.lock();
                    state.note(format_args!("claimed {} {} {} {}", row.id, row.state_name, row.claims, row.revision));
                    if row.claims > 1 {
                        state.tally.count(Near::Takeovers);
                    }
                }
                self.queued[worker].extend(rows);
                self.begin_queued(worker).await?;
                self.look_again(Duration::from_millis(1)).await
            }
            Done::Driven(hand, driven) => {
                self.driven(driven);
                listen(self, &hand, driven).await?;
                self.begin_queued(worker).await?;
                self.look_again(Duration::from_millis(1)).await
            }
        }
    }

    fn driven(&self, driven: Driven) {
        let mut state = self.core.lock();
        state.note(format_args!("driven {driven:?}"));
        match driven {
            Driven::Committed | Driven::LetGo => {}
            Driven::Conflict => {
                state.tally.count(Near::Conflicts);
                state.look_after_lease();
            }
            Driven::Forbidden | Driven::Quarantined => {
                state.oracle.violations.push(format!("a turn was {driven:?}"));
            }
            Driven::Unavailable => state.look_after_lease(),
        }
    }

    /// Somebody looks when the next free row is due; what is due and was not taken waits a moment.
    pub(super) async fn look_again(&mut self, at_least: Duration) -> Result<()> {
        let next = self.store.due_oldest(Time::from_millis(i64::MAX)).await.context("read the next due time")?;
        let Some(next) = next else { return Ok(()) };
        let mut state = self.core.lock();
        let at = next.max(state.now + at_least);
        let jitter = state.dice.millis(0, 3);
        state.look_by(at + jitter);
        Ok(())
    }

    async fn lands(&mut self, call: u64, gave_up: bool) -> Result<()> {
        let task = {
            let mut guard = self.core.lock();
            let state = &mut *guard;
            let now = state.now;
            let Some(flight) = state.flights.get_mut(&call) else { return Ok(()) };
            let sent = super::oracle::Sent::read(&flight.request.body);
            let (task, give_up) = (flight.task, flight.give_up);
            if gave_up {
                flight.answer = Some(Err(providers::WireFault::Timeout));
                state.oracle.given_up(call);
                state.tally.count(Near::TimedOut);
            } else {
                state.cancel(give_up);
                state.oracle.landed(call, &sent, now);
            }
            state.note(format_args!("lands {call} {gave_up}"));
            task
        };
        self.go_on(task).await
    }
}
