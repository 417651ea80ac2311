//! One adapter, with its real transport, in front of one simulated provider, and between the two the proxy.

use crate::fault::{Far, Fault};
use crate::olading;
use crate::proxy::{Plan, Proxy};
use domain::{Clock, Time};
use providers::{AccountConfig, Providers, Transport};
use simulator::ledger::{CallLine, Effect};
use simulator::{Config, OladingScript, Running, Sim, Span, Switches, Timings};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const ACCOUNT: &str = "main";
/// Enough for an honest answer on a busy machine.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);
/// How long a provider holds what it will process late.
const HELD: Duration = Duration::from_secs(2);
/// What befalls the next call, whatever it is.
pub(crate) const NEXT: OladingScript =
    OladingScript { operation: None, id: None, times: 1, fault: None, code: None, close_as: None };
const KEY: &str = "sim-client";
const SECRET: &str = "sim-secret";

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) sim: Running,
    pub(crate) proxy: Proxy,
    transport: Transport,
}

impl World {
    pub(crate) async fn new(transport: &Transport, order_seconds: u64) -> Self {
        let clock = Clock::manual(Time::parse("2026-01-05T10:00:00+08:00").unwrap());
        let timings = Timings {
            order: Span(order_seconds, order_seconds),
            levy: Span(60, 60),
            person: Span(600, 600),
            ..Timings::default()
        };
        let mut config = Config { timings, ..Config::default() };
        // People sign, and the batch query tells of whatever they sign.
        config.switches.batch_shows_sync_sign = true;
        config.switches.sync_sign_silent_per_mille = 0;
        config.faults.slow_ms = u64::try_from(HELD.as_millis()).unwrap();
        let sim = simulator::serve(config, clock.clone()).await.unwrap();
        let proxy = Proxy::start(sim.addr).await.unwrap();
        Self { clock, sim, proxy, transport: transport.clone() }
    }

    /// The account behind the proxy.
    pub(crate) fn providers(&self) -> Providers {
        self.reached("http", self.transport.clone())
    }

    /// The same account for who has no connection yet.
    pub(crate) fn afresh(&self, scheme: &str) -> Providers {
        self.reached(scheme, Transport::http().unwrap())
    }

    fn reached(&self, scheme: &str, transport: Transport) -> Providers {
        let url = format!("{scheme}://{}", self.proxy.address());
        let codes = &self.sim.sim.lock().unwrap().config().switches.codes.clone();
        let config = AccountConfig::Olading(olading::settings(&url, KEY, SECRET, codes));
        // A second provider does not compile until it has its rows here.
        match &config {
            // The stub is nobody's provider: `levee bench` alone calls it.
            AccountConfig::Olading(_) | AccountConfig::Stub(_) => {}
        }
        Providers::new(BTreeMap::from([(ACCOUNT.to_owned(), config)]), transport).unwrap()
    }

    /// Lays a fault in wait for call `call`; `other` is the one whose answer may come in its place. Just before the call goes on
    /// to the provider, `spoil` changes it.
    pub(crate) async fn arm(&self, fault: Fault, call: usize, other: usize, spoil: fn(Fault, &mut Sim)) {
        let (sim, far) = (self.sim.sim.clone(), fault.far);
        let at_strike = Box::new(move || {
            let mut sim = sim.lock().unwrap();
            match far {
                Far::Fault(fault) => sim.script(OladingScript { fault: Some(fault), ..NEXT }),
                Far::Refuse => sim.script(OladingScript { code: Some(olading::REFUSAL.to_owned()), ..NEXT }),
                Far::Honest | Far::Duplicate => {}
            }
            spoil(fault, &mut sim);
        });
        self.proxy.arm(Plan { wire: fault.wire, call, other, at_strike }).await;
    }

    /// From now on the provider shows what is.
    pub(crate) fn caught_up(&self) {
        let mut sim = self.sim.sim.lock().unwrap();
        let switches = Switches { query_lag_seconds: 0, ..sim.config().switches.clone() };
        sim.set_switches(switches);
    }

    /// Whether one of these calls has left a paper there, ten minutes ago or more.
    pub(crate) fn stored(&self, operation: &str, from: usize) -> bool {
        let before = self.clock.now() - Duration::from_secs(600);
        let kept = |line: &CallLine| line.operation == operation && line.effect == Effect::Accepted && line.at < before;
        self.calls(from).iter().any(kept)
    }

    /// The far side's ledger of calls, from one on.
    pub(crate) fn calls(&self, from: usize) -> Vec<CallLine> {
        let now = self.clock.now();
        let mut sim = self.sim.sim.lock().unwrap();
        let _callbacks = sim.run_until(now);
        sim.calls()[from..].to_vec()
    }
}
