//! The model as stateright explores it: every interleaving of workers, wire, time and the outside, within the bounds.

use crate::kept::Kept;
use crate::ledger::Ledger;
use crate::rules::{Broken, Rule};
use crate::turn::Known;
use crate::world::{Far, How, Phase, Row, Watch, World};
use domain::{InstanceId, Time};
use stateright::Property;
use std::time::Duration;
use workflows::draw::specimen_time;
use workflows::machine::Machine;
use workflows::policy::Switch;
use workflows::{Freezes, Params, Policy};

/// One bounded model.
pub(crate) struct Model<F: Far> {
    pub(crate) name: &'static str,
    pub(crate) me: InstanceId,
    pub(crate) parent: Option<InstanceId>,
    pub(crate) input: <F::Machine as Machine>::Input,
    pub(crate) params: Params,
    pub(crate) policy: Policy,
    pub(crate) free: Freezes,
    pub(crate) shut: Freezes,
    pub(crate) instants: Vec<Time>,
    pub(crate) starts: Vec<World<F>>,
    /// The freeze switch may be thrown.
    pub(crate) freezes: bool,
    /// What must be reachable, so that nothing passes vacuously.
    pub(crate) sometimes: Vec<Property<Self>>,
}

/// What may happen next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act<A> {
    Claim(usize),
    Look(usize, usize, &'static str),
    Send(usize),
    NotNow(usize),
    Timeout(usize),
    Commit(usize, Known),
    Crash(usize),
    Arrives { flight: usize, how: How, answered: bool, twice: bool },
    Freeze(bool),
    Outside(A),
    Pass,
}

impl<F: Far> Model<F> {
    pub(crate) fn now(&self, world: &World<F>) -> Time {
        self.instants[usize::from(world.tick)]
    }

    /// Work is at hand: time that passes now is a pause or an outage.
    fn busy(&self, world: &World<F>) -> bool {
        self.due(world) || world.hands.iter().any(Option::is_some)
    }

    fn last(&self, world: &World<F>) -> bool {
        usize::from(world.tick) + 1 >= self.instants.len()
    }

    fn of_worker(&self, world: &World<F>, w: usize, acts: &mut Vec<Act<F::Act>>) {
        let Some(hand) = &world.hands[w] else {
            // The second worker comes in where the first is busy, hung or dead.
            let other = world.hands[1 - w].is_some();
            if self.due(world) && (w == 0 || other) && !world.far.over(&world.row.state) {
                acts.push(Act::Claim(w));
            }
            return;
        };
        match &hand.phase {
            Phase::Committing { .. } => {
                acts.push(Act::Commit(w, Known::Done));
                if world.left > 0 {
                    acts.extend([Act::Commit(w, Known::UnknownApplied), Act::Commit(w, Known::UnknownLost)]);
                }
            }
            Phase::Looking { .. } => {
                let sights = world.far.sights(&self.here(world));
                acts.extend(sights.iter().enumerate().map(|(place, sight)| Act::Look(w, place, sight.word)));
            }
            Phase::Sending(_) => {
                acts.push(Act::Send(w));
                if world.left > 0 {
                    acts.push(Act::NotNow(w));
                }
            }
            Phase::Awaiting { .. } => acts.push(Act::Timeout(w)),
        }
        if world.left > 0 && !matches!(hand.phase, Phase::Looking { .. }) {
            acts.push(Act::Crash(w));
        }
    }

    fn of_the_wire(&self, world: &World<F>, acts: &mut Vec<Act<F::Act>>) {
        for (flight, under_way) in world.net.iter().enumerate() {
            for how in world.far.hows(&under_way.request, &self.here(world)) {
                // An answer that is lost is a time-out first: the order of the two shows nowhere.
                acts.push(Act::Arrives { flight, how, answered: under_way.to.is_some(), twice: false });
                if world.left > 0 && how == How::Apply && world.far.repeats() {
                    acts.push(Act::Arrives { flight, how, answered: false, twice: true });
                }
            }
        }
    }

    /// Who owns the row now (L-2), and whether its letters wake it (S-F).
    fn owned(&self, world: &World<F>) -> Result<(), Broken> {
        let (row, state) = (&world.row, world.row.state.name());
        let resting = F::Machine::STATES.iter().any(|(name, rest)| *rest && *name == state);
        let asked = !world.ledger.cases.is_empty() || world.ledger.tasks > 0;
        if !resting && row.wake_at.is_none() && row.holder.is_none() && !asked {
            return Err(Broken::new(Rule::Limbo, format!("{state} has no owner")));
        }
        let parked = matches!(state, "needs_operator" | "contradicted");
        if parked && !asked {
            return Err(Broken::new(Rule::Limbo, format!("{state} has no open case")));
        }
        let awake = row.wake_at.is_some_and(|at| at <= self.now(world)) || row.holder.is_some();
        if !row.letters.is_empty() && !awake {
            return Err(Broken::new(Rule::F, format!("{state} sleeps over a letter")));
        }
        Ok(())
    }
}

impl<F: Far> stateright::Model for Model<F> {
    type State = World<F>;
    type Action = Act<F::Act>;

    fn init_states(&self) -> Vec<World<F>> {
        self.starts.clone()
    }

    fn actions(&self, world: &World<F>, acts: &mut Vec<Act<F::Act>>) {
        if world.broken.is_some() || (world.far.over(&world.row.state) && world.hands.iter().all(Option::is_none)) {
            return;
        }
        self.of_worker(world, 0, acts);
        self.of_worker(world, 1, acts);
        self.of_the_wire(world, acts);
        // What comes in while work is at hand is a race: a surprise.
        let (busy, mut outside) = (self.busy(world), Vec::new());
        world.far.acts(&self.here(world), &mut outside);
        outside.retain(|act| world.left > 0 || !(busy || world.far.surprises(act)));
        acts.extend(outside.into_iter().map(Act::Outside));
        if self.freezes && (world.left > 0 || world.frozen) {
            acts.push(Act::Freeze(!world.frozen));
        }
        if !self.last(world) && (world.left > 0 || !busy) {
            acts.push(Act::Pass);
        }
    }

    fn next_state(&self, world: &World<F>, act: Act<F::Act>) -> Option<World<F>> {
        let mut next = world.clone();
        match act {
            Act::Claim(w) => self.claim(&mut next, w),
            Act::Look(w, sight, _) => self.look(&mut next, w, sight),
            Act::Send(w) => self.send(&mut next, w),
            Act::NotNow(w) => {
                next.left -= 1;
                let hand = next.hands[w].take()?;
                self.not_now(&mut next, w, hand);
            }
            Act::Timeout(w) => self.timeout(&mut next, w),
            Act::Commit(w, known) => {
                next.left -= u8::from(known != Known::Done);
                self.commit(&mut next, w, known);
            }
            Act::Crash(w) => self.crash(&mut next, w),
            Act::Arrives { flight, how, answered, twice } => self.arrives(&mut next, flight, how, answered, twice),
            Act::Freeze(on) => {
                next.left -= u8::from(on);
                next.frozen = on;
            }
            Act::Outside(act) => {
                next.left -= u8::from(world.far.surprises(&act) || self.busy(world));
                let letters = next.far.act(&act, &self.here(world));
                letters.into_iter().for_each(|letter| self.post(&mut next, letter));
            }
            Act::Pass => {
                next.left -= u8::from(self.busy(world));
                self.pass(&mut next);
            }
        }
        if next.broken.is_none() {
            next.broken = self.owned(&next).err();
        }
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all: Vec<Property<Self>> = vec![
            Property::always(Rule::A.words(), |_, world| holds(world, Rule::A)),
            Property::always(Rule::B.words(), |_, world| holds(world, Rule::B)),
            Property::always(Rule::C.words(), |_, world| holds(world, Rule::C)),
            Property::always(Rule::D.words(), |_, world| holds(world, Rule::D)),
            Property::always(Rule::E.words(), |_, world| holds(world, Rule::E)),
            Property::always(Rule::F.words(), |_, world| holds(world, Rule::F)),
            Property::always(Rule::G.words(), |_, world| holds(world, Rule::G)),
            Property::always(Rule::H.words(), |_, world| holds(world, Rule::H)),
            Property::always(Rule::Limbo.words(), |_, world| holds(world, Rule::Limbo)),
            Property::always(Rule::Doubt.words(), |_, world| holds(world, Rule::Doubt)),
            Property::always(Rule::Switch.words(), |_, world| holds(world, Rule::Switch)),
        ];
        all.extend(self.sometimes.iter().cloned());
        all
    }
}

fn holds<F: Far>(world: &World<F>, rule: Rule) -> bool {
    world.broken.as_ref().is_none_or(|broken| broken.rule != rule)
}

/// Whether the row is in this state: for what must be reachable.
pub(crate) fn is<F: Far>(world: &World<F>, name: &str) -> bool {
    world.row.state.name() == name
}

/// A model's world before anything has happened.
pub(crate) fn start<F: Far>(machine: F::Machine, far: F, left: u8, skew: i8, wake_at: Time) -> World<F> {
    World {
        row: Row {
            state: Kept::new(machine),
            claims: 0,
            holder: None,
            wake_at: Some(wake_at),
            letters: Vec::new(),
            unseen: false,
        },
        ledger: Ledger::default(),
        hands: [None, None],
        net: Vec::new(),
        far,
        tick: 0,
        skew,
        frozen: false,
        left,
        watch: Watch::default(),
        broken: None,
    }
}

pub(crate) fn shut() -> Freezes {
    Freezes(vec![Switch { scope: "all".into(), create: true, pay: true, confirm: true, cancel: true }])
}

/// Minutes after the specimens' beginning.
pub(crate) fn minutes(minutes: &[u64]) -> Vec<Time> {
    let at = |minutes: &u64| specimen_time(0) + Duration::from_secs(60 * minutes);
    minutes.iter().map(at).collect()
}
