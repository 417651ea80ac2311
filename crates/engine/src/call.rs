//! One call of a provider: every gate, the send, and what its outcome does (safety.md §10).

use crate::Engine;
use crate::drive::{Drive, End};
use crate::lanes::Breaker;
use crate::seat;
use domain::effect::EffectClass;
use domain::papers::FileRef;
use domain::planted::{Bug, planted};
use domain::{InstanceId, Person, Request, Time, Verdict};
use metrics::histogram;
use providers::{Ask, Sent};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{BlobUse, Moment, Store, fail_point};
use uuid::Uuid;
use workflows::Cx;
use workflows::book::Running;

/// One send, as the engine saw it.
pub(crate) struct Outcome {
    pub(crate) sent: Sent,
    /// Just before the first byte.
    pub(crate) sent_at: Moment,
    /// A gate of ours was shut: the provider has not been asked.
    pub(crate) shut: bool,
}

/// Where the bytes of a call are kept: under which machine, by which name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    by: InstanceId,
    exchange: Uuid,
}

impl Outcome {
    /// Nothing was asked: the lane is full.
    pub(crate) fn held(delay: Duration, at: Moment) -> Self {
        Self { sent: Sent { verdict: Verdict::NotNow(delay), exchange: None }, sent_at: at, shut: false }
    }

    /// What it is to one of those who asked together. The bytes go with the first.
    pub(crate) fn part(&mut self, place: usize) -> Self {
        let verdict = match &self.sent.verdict {
            Verdict::Done(answer) => Verdict::Done(answer.part(place)),
            other @ (Verdict::Refused(_) | Verdict::NotNow(_) | Verdict::Unsure(_)) => other.clone(),
        };
        let sent = Sent { verdict, exchange: self.sent.exchange.take() };
        Self { sent, sent_at: self.sent_at, shut: self.shut }
    }
}

impl<'a> Drive<'a> {
    pub(crate) async fn call(&mut self, request: Request) -> ControlFlow<End> {
        let changes = request.operation().class() != EffectClass::Query;
        let lane = seat::lane(&self.row.account, &request);
        if let Some(delay) = self.held_back(&request, changes, &lane) {
            return Break(self.let_go(delay).await);
        }
        // The claim of the state that wants the call is the write-ahead record of the call. Questions change nothing: they may go
        // on transitions that are committed with their answer, except on a takeover.
        let uncommitted = changes && !self.draft.is_empty() && !planted(Bug::CountClaimsAfterCall);
        if self.taken_over || uncommitted {
            return self.commit_and_go_on().await;
        }
        if changes && self.row.claims >= 2 && !planted(Bug::ForgetTakeover) {
            self.park("its call may have been sent under an earlier claim");
            return Continue(());
        }
        let people = match self.people(&request).await {
            Ok(people) => people,
            Err(end) => return Break(end),
        };
        let Some(people) = people else {
            self.park("the person of its call is not in the store");
            return Continue(());
        };
        let engine = self.engine;
        let permit = match engine.lanes.enter(&lane, &engine.rules, &engine.store, engine.clock.real()).await {
            Ok(permit) => permit,
            Err(delay) => return Break(self.let_go(delay).await),
        };
        if request.operation().batch() > 1 {
            return Box::pin(self.call_together(request, people, &lane, permit)).await;
        }
        // Read only now: as many contents are in memory as there are places in the lane.
        let files = match self.files(&request).await {
            Ok(files) => files,
            Err(end) => return Break(end),
        };
        let Some(files) = files else {
            self.park("a file of its call is not in the store");
            return Continue(());
        };
        let outcome = self.send(&request, &people, &files, changes, 0).await;
        drop((permit, files));
        tell_breaker(engine, &lane, &outcome).await;
        self.take_outcome(&request, changes, outcome, &mut None).await
    }

    /// How long the call must not be begun, as far as this process knows. What depends on time is asked again at the send.
    pub(crate) fn held_back(&self, request: &Request, changes: bool, lane: &str) -> Option<Duration> {
        let (rules, cx) = (&self.engine.rules, self.seat.cx());
        if self.engine.stopping() || cx.real > self.send_by() {
            return Some(Duration::ZERO);
        }
        if (changes && rules.reconcile_only) || !self.machine.may_send(request, &cx) {
            return Some(rules.hold);
        }
        self.engine.lanes.blocked(lane, rules, cx.real)
    }

    /// The call must end before the lease does: what is sent later could meet the next worker's probe.
    fn send_by(&self) -> Time {
        if planted(Bug::SendPastLease) {
            return Time::from_millis(i64::MAX);
        }
        self.row.claimed_until - self.engine.rules.call_timeout
    }

    /// `None` when somebody is not there.
    pub(crate) async fn people(&mut self, request: &Request) -> Result<Option<Vec<Person>>, End> {
        let ids = request.people();
        if ids.is_empty() {
            return Ok(Some(Vec::new()));
        }
        match self.engine.store.persons(&self.row.tenant, &ids).await {
            Ok(found) => Ok(ids.iter().map(|id| found.get(id).cloned()).collect()),
            Err(error) => Err(self.refused(&error).await.into()),
        }
    }

    /// The contents of its files; `None` when one is not there, or was shredded.
    async fn files(&mut self, request: &Request) -> Result<Option<Vec<Arc<Vec<u8>>>>, End> {
        let mut files = Vec::new();
        for file in request.files() {
            match content(&self.engine.store, &self.row.tenant, file).await {
                Ok(Some(content)) => files.push(Arc::new(content)),
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.refused(&error).await.into()),
            }
        }
        Ok(Some(files))
    }

    /// Follows from the turn and the number of the call in it, so that a simulation repeats it; a takeover, or the next turn, makes
    /// another.
    fn attempt(&self, number: usize) -> Uuid {
        let now = self.engine.clock.now().millis();
        let name = format!("{}/{}/{now}/{number}", self.row.revision, self.row.claims);
        Uuid::new_v5(&self.row.id.0, name.as_bytes())
    }

    /// The send itself. The gate is asked last, just before the first byte: with the clock and the freezes of that moment (F86),
    /// and `send_by`, because this worker may have been paused since it claimed (F8).
    pub(crate) async fn send(
        &mut self,
        request: &Request,
        people: &[Person],
        files: &[Arc<Vec<u8>>],
        changes: bool,
        number: usize,
    ) -> Outcome {
        let (engine, seat, send_by) = (self.engine, self.seat.clone(), self.send_by());
        let (sent_at, shut) = (Mutex::new(engine.moment()), AtomicBool::new(false));
        let attempt = self.attempt(number);
        let machine = Mutex::new(&mut self.machine);
        let gate = || {
            let fresh = seat.refreshed(engine);
            let cx = fresh.cx();
            let allowed = !engine.stopping() && cx.real <= send_by && !(changes && engine.rules.reconcile_only);
            let may = |machine: &dyn Running| machine.may_send(request, &cx) || planted(Bug::GateAtDecisionOnly);
            let open = allowed && may(machine.lock().unwrap_or_else(PoisonError::into_inner).as_ref());
            *sent_at.lock().unwrap_or_else(PoisonError::into_inner) = Moment { business: cx.now, real: cx.real };
            shut.store(!open, Ordering::SeqCst);
            fail_point("call");
            open
        };
        let ask = Ask {
            account: &seat.account,
            request,
            people,
            files,
            attempt,
            now: engine.clock.now(),
            timeout: engine.rules.call_timeout,
            gate: &gate,
        };
        let sent = engine.providers.call(ask).await;
        fail_point("call.answered");
        let sent_at = *sent_at.lock().unwrap_or_else(PoisonError::into_inner);
        Outcome { sent, sent_at, shut: shut.load(Ordering::SeqCst) }
    }

    /// `kept` are the bytes that another machine keeps, or from now on this one.
    pub(crate) async fn take_outcome(
        &mut self,
        request: &Request,
        changes: bool,
        outcome: Outcome,
        kept: &mut Option<Kept>,
    ) -> ControlFlow<End> {
        let Outcome { sent, sent_at, shut } = outcome;
        let word = sent.verdict.word();
        if let Some(exchange) = &sent.exchange {
            let labels = [
                ("account", self.row.account.clone()),
                ("operation", request.operation().name().to_owned()),
                ("verdict", word.to_owned()),
            ];
            histogram!("levee_call_seconds", &labels).record(exchange.took);
        }
        match sent.verdict {
            // Provably not accepted: no transition, no count.
            Verdict::NotNow(delay) => Break(self.let_go(if shut { self.engine.rules.hold } else { delay }).await),
            verdict @ (Verdict::Done(_) | Verdict::Refused(_) | Verdict::Unsure(_)) => {
                self.sent |= changes;
                let Moment { business, real } = sent_at;
                if let Some(exchange) = sent.exchange {
                    let exchange = self.draft.exchanged(&self.row, exchange, word, business);
                    *kept = Some(Kept { by: self.row.id, exchange });
                }
                // What an answer shows is as old as its question (*f*, S-C): it may tell of that moment, however late it comes.
                let answered = self.machine.answered(request, business, verdict, &Cx { real, ..self.seat.cx() });
                if changes && answered.is_err() {
                    // Parked in doubt, so that nobody sends it again without asking first.
                    self.lose_outcome();
                }
                // Whoever reads the history finds the bytes of a shared call beside that machine.
                let elsewhere = kept.filter(|kept| kept.by != self.row.id).map(|kept| format!("call of {}", kept.by));
                self.take(answered, elsewhere.as_deref().unwrap_or("call"), kept.map(|kept| kept.exchange));
                Continue(())
            }
        }
    }
}

async fn content(store: &Store, tenant: &str, file: &FileRef) -> store::Result<Option<Vec<u8>>> {
    let Some(mut reader) = store.blob_reader(tenant, file.blob, BlobUse::Machine).await? else { return Ok(None) };
    let mut content = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or(0));
    while let Some(part) = reader.next().await? {
        content.extend_from_slice(&part);
    }
    Ok(Some(content))
}

/// What the outcome says about the provider being there.
pub(crate) async fn tell_breaker(engine: &Engine, lane: &str, outcome: &Outcome) {
    if outcome.shut {
        return;
    }
    let shared = match engine.lanes.judge(lane, &outcome.sent, engine.clock.real()) {
        Breaker::Stays => return,
        Breaker::Opens(until) => Some(until),
        Breaker::Closes => None,
    };
    tracing::warn!(lane, open = shared.is_some(), "breaker");
    // Only the others learn it later: the breaker of this process has moved.
    let _ = engine.store.set_breaker(lane, shared).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::Drive;
    use crate::finish::load;
    use crate::support::{Say, World};
    use crate::{Committer, Driven};
    use store::Freeze;
    use workflows::book::Want;

    /// An order in `creating`, claimed, and the call it wants.
    async fn creating(world: &World) -> (Drive<'_>, Request) {
        world.submit("pay-1").await;
        world.provider.say(Say::NotThere);
        world.engine.until_idle().await.unwrap();
        world.clock.advance_real(Duration::from_secs(2));
        let row = world.engine.claim(1).await.unwrap().remove(0);
        let machine = load(&row).unwrap();
        let drive = Drive::new(&world.engine, row, machine, &Committer::Direct);
        let Want::Call(request) = drive.machine.want(&drive.seat.cx()) else { panic!("it wants no call") };
        (drive, request)
    }

    async fn stopped(mut drive: Drive<'_>, request: Request) -> bool {
        let people = drive.people(&request).await.ok().flatten().unwrap_or_default();
        let outcome = drive.send(&request, &people, &[], true, 0).await;
        outcome.shut && matches!(outcome.sent.verdict, Verdict::NotNow(_)) && outcome.sent.exchange.is_none()
    }

    #[tokio::test]
    async fn f86_a_freeze_thrown_after_the_decision_stops_the_send() {
        let world = World::new().await;
        let (drive, request) = creating(&world).await;
        assert_eq!(drive.held_back(&request, true, "main:create"), None, "decided");
        let frozen = Freeze { scope: "all".into(), create: true, pay: false, confirm: false, cancel: false };
        world.store.put_freeze(frozen).await.unwrap();
        world.engine.refresh_freezes().await.unwrap();
        assert_eq!(drive.held_back(&request, true, "main:create"), None, "this turn's snapshot is older");
        assert!(stopped(drive, request).await);
    }

    #[tokio::test]
    async fn f8_the_gate_knows_that_the_worker_was_paused() {
        let world = World::new().await;
        let (drive, request) = creating(&world).await;
        world.clock.advance_real(Duration::from_secs(91));
        assert!(stopped(drive, request).await, "30 seconds before the lease ends");
    }

    #[tokio::test]
    async fn f7_the_gate_knows_that_the_worker_stops() {
        let world = World::new().await;
        let (drive, request) = creating(&world).await;
        world.engine.stop_sending();
        assert!(stopped(drive, request).await);
    }

    #[tokio::test]
    async fn an_open_gate_lets_it_go() {
        let world = World::new().await;
        let (mut drive, request) = creating(&world).await;
        let ControlFlow::Continue(()) = drive.call(request).await else { panic!("it was held back") };
        assert!(drive.sent);
        let End::Driven(driven) = drive.finish().await else { panic!("forbidden") };
        assert_eq!((driven, world.provider.creates()), (Driven::Committed, 1));
    }

    #[tokio::test]
    async fn what_was_sent_and_cannot_be_written_is_parked_in_doubt() {
        let world = World::new().await;
        let (mut drive, request) = creating(&world).await;
        let ControlFlow::Continue(()) = drive.call(request).await else { panic!("it was held back") };
        let id = drive.row.id;
        assert_eq!(drive.park_forbidden("some_rule").await, Driven::Forbidden);
        let parked = world.instance(id).await;
        assert_eq!(parked.state_name, "needs_operator");
        let back = parked.state.to_string();
        assert!(back.contains("create_in_doubt"), "whoever resolves it asks before he sends: {back}");
    }
}
