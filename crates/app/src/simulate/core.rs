//! What everybody in one simulated world shares: the time, the agenda, the dice, the far side, and who is being driven. One thread
//! holds it, so its lock never waits.

use super::dice::Dice;
use super::near::Near;
use super::oracle::Oracle;
use super::plan::{Plan, Trouble};
use super::tally::Tally;
use super::trace::Trace;
use domain::Time;
use providers::{WireAnswer, WireFault, WireRequest};
use simulator::{Outgoing, Sim};
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

pub(super) type TaskId = u64;
pub(super) type CallId = u64;

/// Something due in virtual time.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A worker looks for due rows.
    Look,
    /// A task that sleeps goes on.
    Resume(TaskId),
    /// A request reaches the provider, whether or not anybody still waits for its answer.
    Arrive(CallId, Arc<WireRequest>),
    /// Its answer reaches us.
    Answer(CallId),
    /// The call's time is up.
    GiveUp(CallId),
    /// A worker dies, if it still is the same one.
    Crash {
        worker: usize,
        incarnation: u64,
        point: &'static str,
    },
    /// Something at the provider or the bank happens by itself.
    FarSide,
    /// A callback reaches us.
    Callback(Box<Outgoing>),
    Client(super::client::Deed),
    Payer(super::payer::Deed),
    Office(super::office::Deed),
    /// The weather changes: outages, blackouts, freezes.
    Weather(super::weather::Turn),
    /// Everything is looked through.
    Audit,
}

/// One call on its way.
pub(super) struct Flight {
    pub(super) task: TaskId,
    pub(super) request: Arc<WireRequest>,
    pub(super) answer: Option<Result<WireAnswer, WireFault>>,
    pub(super) give_up: (Time, u64),
}

/// What stopped the task that is being driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    Sleeps(Time),
    Calls(CallId),
    /// Its worker dies here.
    Dies(&'static str),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Worker {
    pub(super) incarnation: u64,
    pub(super) up_at: Time,
    pub(super) paused_until: Time,
    /// How its clock differs from the database's.
    pub(super) ahead_ms: i64,
    pub(super) tasks: usize,
}

pub(super) struct State {
    pub(super) plan: Plan,
    pub(super) now: Time,
    pub(super) calm: bool,
    agenda: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    /// The one look, and the one wake-up of the far side, that are on the agenda.
    look: Option<(Time, u64)>,
    far: Option<(Time, u64)>,
    pub(super) dice: Dice,
    pub(super) sim: Sim,
    pub(super) workers: Vec<Worker>,
    pub(super) provider_away: Time,
    pub(super) database_away: Time,
    /// The last time at which every worker was down or asleep.
    pub(super) away_until: Time,
    pub(super) running: TaskId,
    pub(super) halt: Option<Halt>,
    pub(super) flights: BTreeMap<CallId, Flight>,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    pub(super) oracle: Oracle,
    /// Messages of people so far.
    pub(super) messages: u64,
}

/// A handle to it.
#[derive(Clone)]
pub(super) struct Core(Arc<Mutex<State>>);

impl Core {
    pub(super) fn new(plan: Plan, begin: Time, sim: Sim, workers: usize) -> Self {
        let dice = Dice::new(plan.seed);
        let workers = vec![Worker { up_at: begin, paused_until: begin, ..Worker::default() }; workers];
        Self(Arc::new(Mutex::new(State {
            oracle: Oracle::new(&plan),
            plan,
            now: begin,
            calm: false,
            agenda: BTreeMap::new(),
            sequence: 0,
            look: None,
            far: None,
            dice,
            sim,
            workers,
            provider_away: begin,
            database_away: begin,
            away_until: begin,
            running: 0,
            halt: None,
            flights: BTreeMap::new(),
            tally: Tally::default(),
            trace: Trace::default(),
            messages: 0,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when virtual time has come so far.
    pub(super) fn until(&self, at: Time) -> Sleep {
        Sleep { core: self.clone(), at }
    }

    /// Never ends: the worker dies here.
    pub(super) fn die(&self, point: &'static str) -> Death {
        Death { core: self.clone(), point }
    }

    /// Ends with the answer of a call, or its time-out.
    pub(super) fn answer(&self, call: CallId) -> Landing {
        Landing { core: self.clone(), call }
    }
}

impl State {
    pub(super) fn put(&mut self, at: Time, event: Event) -> (Time, u64) {
        self.sequence += 1;
        let key = (at.max(self.now), self.sequence);
        self.agenda.insert(key, event);
        key
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) -> (Time, u64) {
        self.put(self.now + delay, event)
    }

    pub(super) fn cancel(&mut self, key: (Time, u64)) {
        self.agenda.remove(&key);
    }

    /// Somebody looks for due rows at `at`, or earlier.
    pub(super) fn look_by(&mut self, at: Time) {
        let at = at.max(self.now);
        if self.look.is_none_or(|(planned, _)| at < planned) {
            if let Some(planned) = self.look {
                self.agenda.remove(&planned);
            }
            self.look = Some(self.put(at, Event::Look));
        }
    }

    /// The far side's next doing is on the agenda.
    pub(super) fn watch_far_side(&mut self) {
        let Some(at) = self.sim.due() else { return };
        let at = at.max(self.now);
        if self.far.is_none_or(|(planned, _)| at < planned) {
            if let Some(planned) = self.far {
                self.agenda.remove(&planned);
            }
            self.far = Some(self.put(at, Event::FarSide));
        }
    }

    /// The next event; time moves to it.
    pub(super) fn take(&mut self) -> Option<Event> {
        let ((at, sequence), event) = self.agenda.pop_first()?;
        self.now = at;
        let key = Some((at, sequence));
        self.look = self.look.filter(|_| self.look != key);
        self.far = self.far.filter(|_| self.far != key);
        self.tally.events += 1;
        Some(event)
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether something that this trouble would do happens now.
    pub(super) fn strikes(&mut self, trouble: Trouble, per_10k: u32) -> bool {
        let chance = self.plan.chance(trouble, per_10k);
        !self.calm && self.dice.strikes(chance)
    }

    pub(super) fn note(&mut self, words: fmt::Arguments<'_>) {
        let now = self.now;
        self.trace.note(now, words);
    }

    /// Pauses a worker: nothing of it moves until then.
    pub(super) fn pause(&mut self, worker: usize) -> Time {
        let long = self.dice.strikes(2500);
        let pause = if long { self.dice.seconds(60, 1800) } else { self.dice.seconds(1, 200) };
        let until = self.now + pause;
        self.tally.count(Near::Paused);
        let paused = &mut self.workers[worker].paused_until;
        *paused = (*paused).max(until);
        self.look_after_lease();
        until
    }

    /// Leases that nobody will end lapse: somebody must look then.
    pub(super) fn look_after_lease(&mut self) {
        let at = self.now + super::world::LEASE + Duration::from_millis(600);
        self.put(at, Event::Look);
    }
}

pub(super) struct Sleep {
    core: Core,
    at: Time,
}

impl Future for Sleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut state = self.core.lock();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        state.halt = Some(Halt::Sleeps(self.at));
        Poll::Pending
    }
}

pub(super) struct Death {
    core: Core,
    point: &'static str,
}

impl Future for Death {
    type Output = bool;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<bool> {
        self.core.lock().halt = Some(Halt::Dies(self.point));
        Poll::Pending
    }
}

pub(super) struct Landing {
    core: Core,
    call: CallId,
}

impl Future for Landing {
    type Output = Result<WireAnswer, WireFault>;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.core.lock();
        let landed = state.flights.get_mut(&self.call).and_then(|flight| flight.answer.take());
        let Some(answer) = landed else {
            state.halt = Some(Halt::Calls(self.call));
            return Poll::Pending;
        };
        state.flights.remove(&self.call);
        Poll::Ready(answer)
    }
}
