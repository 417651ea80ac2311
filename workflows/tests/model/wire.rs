//! What goes over the wire and what time does: questions and their answers, the last gate and the first byte, requests that arrive
//! late, twice or never, crashes, and the instants that pass.

use crate::checker::Model;
use crate::kept::Kept;
use crate::rules::{Broken, Rule};
use crate::turn::{HOLD, MachineEvent, changes};
use crate::world::{Far, Flight, Hand, How, Phase, State, World};
use domain::planted::{Bug, planted};
use domain::{Answer, Fault, Refusal, Request, Time, Verdict};
use workflows::machine::Machine;

impl<F: Far> Model<F> {
    pub(crate) fn look(&self, world: &mut World<F>, w: usize, sight: usize) {
        let sight = world.far.sights(&self.here(world)).swap_remove(sight);
        world.left -= u8::from(sight.surprise);
        world.far = sight.far;
        if let Some(Phase::Looking { asked, .. }) = world.hands[w].as_ref().map(|hand| &hand.phase)
            && F::negative(&sight.answer)
        {
            self.negative(world, self.instants[usize::from(*asked)]);
        }
        self.answered(world, w, sight.answer);
    }

    /// A successful probe said "not applied" (S-G): it counts when it was asked after the quarantine, and apart from the one
    /// before.
    fn negative(&self, world: &mut World<F>, asked_at: Time) {
        let now = self.now(world);
        let watch = &mut world.watch;
        let quiet = watch.sent.is_some_and(|sent| asked_at >= sent + self.params.quarantine);
        let apart = watch.last_negative.is_none_or(|last| asked_at.since(last) >= self.params.probe_spacing);
        if quiet && apart {
            (watch.negatives, watch.last_negative) = ((watch.negatives + 1).min(2), Some(now));
        }
    }

    fn answered(&self, world: &mut World<F>, w: usize, verdict: Verdict<Answer>) {
        let Some(mut hand) = world.hands[w].take() else { return };
        let (request, sent_at) = match &hand.phase {
            Phase::Looking { request, asked } => (request.clone(), self.time_at(world, w, *asked)),
            Phase::Awaiting { request, sent_at } => (request.clone(), *sent_at),
            Phase::Committing { .. } | Phase::Sending(_) => return,
        };
        if planted(Bug::CountClaimsAfterCall) && world.row.holder == Some((w as u8, hand.until)) {
            (world.row.claims, hand.claims) = (1, 1);
        }
        hand.sent |= changes(&request);
        let event = hand.machine.answered(&request, sent_at, verdict);
        self.take(world, w, &mut hand, Some(event));
        self.run(world, w, hand);
    }

    /// The last gate, and the first byte.
    pub(crate) fn send(&self, world: &mut World<F>, w: usize) {
        let Some(mut hand) = world.hands[w].take() else { return };
        let Phase::Sending(request) = hand.phase.clone() else { return };
        hand.frozen = world.frozen;
        let late = world.tick >= hand.until && !planted(Bug::SendPastLease);
        let open = self.cx(world, w, &hand, |cx| hand.machine.may_send(&self.input, &request, cx));
        if late || !(open || planted(Bug::GateAtDecisionOnly)) {
            return self.not_now(world, w, hand);
        }
        if world.frozen {
            world.broken = Some(Broken::new(Rule::Switch, "it left under a freeze"));
        }
        self.left(world, &request);
        let (tick, to) = (world.tick, Some(w as u8));
        world.net.push(Flight { request: request.clone(), tick, to });
        let sent_at = self.time(world, w);
        hand.phase = Phase::Awaiting { request, sent_at };
        world.hands[w] = Some(hand);
    }

    /// No byte left.
    pub(crate) fn not_now(&self, world: &mut World<F>, w: usize, hand: Hand<State<F>>) {
        let wake_at = Some(self.time(world, w) + HOLD);
        self.end(world, w, hand, wake_at);
    }

    /// What must be true of every send.
    fn left(&self, world: &mut World<F>, request: &Kept<Request>) {
        let now = self.now(world);
        let watch = &mut world.watch;
        if let Some(sent) = watch.sent
            && (now < sent + self.params.quarantine || watch.negatives < 2)
        {
            let how =
                format!("sent again {} s later with {} negative probes", now.since(sent).as_secs(), watch.negatives);
            world.broken.get_or_insert(Broken::new(Rule::G, how));
        }
        watch.sends += 1;
        (watch.sent, watch.negatives, watch.last_negative) = (Some(now), 0, None);
        let first = watch.first.get_or_insert_with(|| request.clone()).clone();
        let revised = world.ledger.decision.as_ref().is_some_and(|row| row.revised);
        if first != *request && !revised {
            world.broken.get_or_insert(Broken::new(Rule::E, "a re-send differs from the first"));
        }
        let mut far = world.far.clone();
        if let Err(broken) = far.leaves(request, &self.here(world)) {
            world.broken.get_or_insert(broken);
        }
        world.far = far;
    }

    /// A request arrives; its answer may not.
    pub(crate) fn arrives(&self, world: &mut World<F>, flight: usize, how: How, answered: bool, twice: bool) {
        let arrived = world.net[flight].clone();
        let mut far = world.far.clone();
        let verdict = far.process(&arrived.request, how, &self.here(world));
        world.far = far;
        world.left -= u8::from(how == How::Refuse);
        if twice {
            world.left -= 1;
        } else {
            world.net.remove(flight);
        }
        let Some(w) = arrived.to.filter(|_| answered) else { return };
        if twice {
            world.net[flight].to = None;
        }
        if matches!(verdict, Verdict::Refused(_)) && !twice {
            world.watch.sent = None;
        }
        self.answered(world, usize::from(w), verdict);
    }

    /// No answer came in time, or none that can be read.
    pub(crate) fn timeout(&self, world: &mut World<F>, w: usize) {
        self.hang_up(world, w);
        let refusal = Refusal { code: "timeout".into(), message: String::new() };
        let refused = planted(Bug::TimeoutIsRefused);
        let verdict = if refused { Verdict::Refused(refusal) } else { Verdict::Unsure(Fault::Timeout) };
        self.answered(world, w, verdict);
    }

    fn hang_up(&self, world: &mut World<F>, w: usize) {
        for flight in world.net.iter_mut().filter(|flight| flight.to == Some(w as u8)) {
            flight.to = None;
        }
    }

    pub(crate) fn crash(&self, world: &mut World<F>, w: usize) {
        self.hang_up(world, w);
        world.hands[w] = None;
        world.left -= 1;
    }

    /// The next instant: leases lapse, and what was on the wire too long never arrives.
    pub(crate) fn pass(&self, world: &mut World<F>) {
        world.tick += 1;
        let now = self.now(world);
        world.net.retain(|flight| now < self.instants[usize::from(flight.tick)] + self.params.quarantine);
    }

    pub(crate) fn post(&self, world: &mut World<F>, event: MachineEvent<F>) {
        world.row.letters.push(Kept::new(event));
        world.row.unseen = true;
        let now = self.now(world);
        world.row.wake_at = Some(world.row.wake_at.map_or(now, |at| at.min(now)));
    }
}
