//! The workers of a simulated world: how one begins, and how one dies.

use super::core::{Core, TaskId, Worker};
use super::door::{Door, Who};
use super::near::Near;
use super::plan::{Plan, Trouble};
use super::wire::{BASE, Wire};
use super::world::{ACCOUNT, LEASE, World};
use anyhow::{Context as _, Result};
use domain::{Clock, Time};
use engine::{Engine, Limits, Rules};
use providers::{AccountConfig, Providers, Transport, olading};
use simulator::{Sim, Span};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use workflows::Policy;
use workflows::policy::LeviedProof;

const CLIENT_KEY: &str = "levee-sim";
const SECRET: &str = "levee-sim-secret";

impl World {
    /// A worker dies: everything it was doing is gone, what it sent is not. Another one takes its place.
    pub(super) fn crash(&mut self, worker: usize, point: &str) -> Result<()> {
        let gone: Vec<TaskId> =
            self.tasks.iter().filter(|(_, task)| task.worker == worker).map(|(id, _)| *id).collect();
        {
            let mut guard = self.core.lock();
            let state = &mut *guard;
            state.note(format_args!("crash {worker} {point}"));
            state.tally.count(Near::Crashed);
            state.tally.crashed(point.to_owned());
            let flights: Vec<u64> =
                state.flights.iter().filter(|(_, flight)| gone.contains(&flight.task)).map(|(call, _)| *call).collect();
            for call in flights {
                if let Some(flight) = state.flights.remove(&call) {
                    state.cancel(flight.give_up);
                }
                state.oracle.lost(call);
            }
            let down = if state.dice.strikes(2000) { state.dice.seconds(5, 600) } else { state.dice.millis(50, 5000) };
            let up_at = state.now + down;
            let incarnation = state.workers[worker].incarnation + 1;
            state.workers[worker] = Worker { incarnation, up_at, paused_until: up_at, ..Worker::default() };
            state.look_after_lease();
            state.look_by(up_at);
        }
        for id in gone {
            // Dropped where it stood; real input and output of it had ended.
            self.tasks.remove(&id);
        }
        self.queued[worker].clear();
        self.engines[worker] = self.start(worker)?;
        Ok(())
    }

    pub(super) fn start(&self, worker: usize) -> Result<(Engine, Clock)> {
        let clock = Clock::manual(self.clock.real() - Duration::from_secs(1));
        {
            let mut state = self.core.lock();
            let off = state.strikes(Trouble::Clocks, 4000);
            if off {
                state.tally.count(Near::ClockOff);
            }
            let ahead = if off { state.dice.between(0, 750) } else { 500 };
            state.workers[worker].ahead_ms = i64::try_from(ahead).unwrap_or(0) - 500;
        }
        Ok((engine(&self.core, &self.store, &clock, Who::Worker(worker))?, clock))
    }
}

/// A worker's clock was read from the database some time ago, and ran by itself since.
pub(super) fn set_worker_clock(clock: &Clock, now: Time, ahead_ms: i64) {
    let wanted = Time::from_millis(now.millis() + ahead_ms);
    clock.advance_real(wanted.since(clock.real()));
}

pub(super) fn engine(core: &Core, store: &Store, clock: &Clock, who: Who) -> Result<Engine> {
    let plan = core.lock().plan.clone();
    let mut settings = olading::Settings::new(BASE, CLIENT_KEY, SECRET);
    settings.code_order_not_found = plan.account.knows_not_found.then(|| "1404".into());
    let worker = if let Who::Worker(worker) = who { worker } else { 0 };
    let wire = Arc::new(Wire { core: core.clone(), worker, store: store.clone() });
    let accounts = BTreeMap::from([(ACCOUNT.to_owned(), AccountConfig::Olading(settings))]);
    let providers = Providers::new(accounts, Transport::Local(wire)).context("open the simulated account")?;
    let levied_proof = match plan.account.levied_proof {
        olading::settings::LeviedProof::BeforeDeadline => LeviedProof::BeforeDeadline,
        olading::settings::LeviedProof::SeenRunning => LeviedProof::SeenRunning,
        olading::settings::LeviedProof::Acknowledged => LeviedProof::Acknowledged,
    };
    let default_policy = Policy { payer: Some("merchant".into()), levied_proof, ..Policy::default() };
    let default_limits = Limits { concurrency: 32, rate_per_second: plan.account.rate_per_second, burst: 100 };
    let rules = Rules { lease: LEASE, default_policy, default_limits, ..Rules::default() };
    let store = store.clone().troubled(Arc::new(Door { core: core.clone(), who }));
    Ok(Engine::new(store, providers, clock.clone(), rules))
}

pub(super) fn far_side(plan: &Plan) -> Result<Sim> {
    let client = simulator::Client { client_key: CLIENT_KEY.into(), secret: SECRET.into(), callback_url: None };
    let mut config = simulator::Config {
        seed: plan.seed,
        clients: vec![client],
        faults: plan.faults(),
        switches: plan.switches.clone(),
        ..simulator::Config::default()
    };
    config.timings.bank_return = Span(3600, 60 * 3600);
    // Mostly a tax is soon paid; every fourth provider takes its time.
    config.timings.levy = if plan.seed.is_multiple_of(4) { Span(600, 7200) } else { Span(30, 900) };
    Sim::new(config).context("set up the simulated provider")
}
