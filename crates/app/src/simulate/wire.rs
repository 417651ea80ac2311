//! The way to the provider: a request and its answer are events of their own, and either may be slow, or come when nobody waits.

use super::core::{CallId, Core, Event, Flight, State};
use super::near::Near;
use super::oracle::Sent;
use super::plan::{NETWORK_SECONDS, Trouble};
use super::world::{ACCOUNT, TENANT};
use providers::{Exchanging, Peer, WireAnswer, WireFault, WireRequest};
use simulator::faults::CallFault;
use simulator::{Reply, Wire as OnTheWire};
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// One worker's connection.
pub(super) struct Wire {
    pub(super) core: Core,
    pub(super) worker: usize,
    /// To look at what is durable when a call leaves; nobody stands at this door.
    pub(super) store: Store,
}

pub(super) const BASE: &str = "http://127.0.0.1:9";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

impl Peer for Wire {
    fn exchange<'a>(&'a self, request: &'a WireRequest) -> Exchanging<'a> {
        Box::pin(self.send(request))
    }
}

/// The points at which a worker dies around a call.
const BEFORE_FIRST_BYTE: &str = "before the first byte";
const WITH_REQUEST: &str = "with a request under way";
const WITH_ANSWER: &str = "with an answer under way";
pub(super) const CRASHES: [&str; 3] = [BEFORE_FIRST_BYTE, WITH_REQUEST, WITH_ANSWER];

/// What becomes of a connection.
enum Connection {
    Refused,
    DiesFirst,
    Stands,
}

impl Wire {
    async fn send(&self, request: &WireRequest) -> Result<WireAnswer, WireFault> {
        let connection = connect(&mut self.core.lock());
        match connection {
            Connection::Refused => return Err(WireFault::NotSent),
            Connection::DiesFirst => {
                self.core.die(BEFORE_FIRST_BYTE).await;
            }
            Connection::Stands => {}
        }
        let sent = Sent::read(&request.body);
        if let Sent::Continue(order_id) | Sent::Cancel(order_id) = &sent {
            self.meet(order_id).await;
        }
        let machine = self.core.lock().oracle.machine(&sent);
        if let Some(id) = machine {
            let row = self.store.instance(id).await.ok().flatten();
            let mut state = self.core.lock();
            let now = state.now;
            let broken = super::oracle::intended(&sent, row.as_ref(), now);
            state.oracle.found(broken);
        }
        let call = self.launch(request, &sent);
        self.core.answer(call).await
    }

    /// A remit that no payer has seen.
    async fn meet(&self, order_id: &str) {
        if self.core.lock().oracle.remits.contains_key(order_id) {
            return;
        }
        let key = format!("{ACCOUNT}/{order_id}");
        let Ok(Some(row)) = self.store.instance_by_key(TENANT, "remit", &key).await else { return };
        if let Ok(input) = serde_json::from_value(row.input) {
            self.core.lock().oracle.remit(row.id, &input);
        }
    }

    fn launch(&self, request: &WireRequest, sent: &Sent) -> CallId {
        let mut guard = self.core.lock();
        let state = &mut *guard;
        state.tally.calls += 1;
        if state.now < state.provider_away {
            state.tally.count(Near::CallsIntoOutage);
        }
        let call = state.tally.calls;
        state.note(format_args!("call {call} {sent:?}"));
        state.oracle.leaves(call, sent, state.now, &mut state.sim, &mut state.tally);
        let slow = state.strikes(Trouble::Network, 60);
        let way = if slow { state.dice.seconds(1, NETWORK_SECONDS) } else { state.dice.millis(2, 60) };
        if slow {
            state.tally.count(Near::Slow);
        }
        let request = Arc::new(request.clone());
        state.after(way, Event::Arrive(call, request.clone()));
        let give_up = state.after(request.timeout, Event::GiveUp(call));
        let task = state.running;
        state.flights.insert(call, Flight { task, request, answer: None, give_up });
        if state.strikes(Trouble::Crashes, 60) {
            let incarnation = state.workers[self.worker].incarnation;
            let point = if state.dice.strikes(5000) { WITH_REQUEST } else { WITH_ANSWER };
            let dies = if point == WITH_REQUEST { way / 2 } else { way + Duration::from_millis(3) };
            state.after(dies, Event::Crash { worker: self.worker, incarnation, point });
        }
        call
    }
}

fn connect(state: &mut State) -> Connection {
    let away = state.now < state.provider_away;
    if (away && state.dice.strikes(6000)) || state.strikes(Trouble::Network, 60) {
        state.tally.count(Near::Refused);
        return Connection::Refused;
    }
    if state.strikes(Trouble::Crashes, 40) { Connection::DiesFirst } else { Connection::Stands }
}

impl State {
    /// A request reaches the provider; its worker may be gone by now.
    pub(super) fn arrives(&mut self, call: CallId, request: &WireRequest) {
        if self.now < self.provider_away {
            return;
        }
        let path = request.url.strip_prefix(BASE).unwrap_or(&request.url);
        let before = self.sim.calls().len();
        let reply = self.sim.handle(self.now, path, CONTENT_TYPE, &request.body);
        self.oracle.arrived(&self.sim.calls()[before..]);
        self.note(format_args!("arrives {call} {:?}", reply.fault));
        self.watch_far_side();
        let Some(answer) = on_the_way_back(&reply) else {
            // Closed without a byte, at once or after a while.
            let broken = Err(WireFault::Broken);
            return self.lands_later(call, broken, Duration::from_millis(reply.hold_ms));
        };
        let Some(sent) = self.flights.get(&call).map(|flight| Sent::read(&flight.request.body)) else { return };
        self.oracle.answered(&sent, &reply, call);
        self.lands_later(call, Ok(answer), Duration::from_millis(reply.hold_ms));
    }

    fn lands_later(&mut self, call: CallId, answer: Result<WireAnswer, WireFault>, hold: Duration) {
        let way = self.dice.millis(2, 60);
        if let Some(flight) = self.flights.get_mut(&call) {
            flight.answer = Some(answer);
            self.after(hold + way, Event::Answer(call));
        }
    }
}

/// What of a reply can reach us: a dripping answer never ends within the call's time.
fn on_the_way_back(reply: &Reply) -> Option<WireAnswer> {
    let answer = match &reply.wire {
        OnTheWire::Answer(answer) => answer,
        OnTheWire::Drip(_) | OnTheWire::Drop => return None,
    };
    let mut body = answer.body.clone();
    if matches!(reply.fault, Some(CallFault::BadSignature | CallFault::MissingSignature)) {
        body = tampered(&body);
    }
    let headers = answer.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some(WireAnswer { status: answer.status, headers, body })
}

/// Whoever cannot sign tells lies: what is open is said to be levied, what was accepted is said to be unknown.
fn tampered(body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body);
    let levied = text.replace("\"remit_status\":\"ACCEPT\"", "\"remit_status\":\"PROCESS\"");
    if levied != text {
        return levied.into_bytes();
    }
    text.replace("\"code\":\"0\"", "\"code\":\"1009\"").into_bytes()
}
