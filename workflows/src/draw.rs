//! The process book as pictures: the state × event matrix and the Mermaid diagram, made by running the transition functions
//! themselves over every pair of specimens. `levee workflow draw` prints what the goldens hold.

use crate::machine::{Cx, Machine, Specimens, Step};
use crate::{Freezes, Params, Policy};
use domain::{InstanceId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use uuid::Uuid;

/// The specimens' world: 10 hours after the first send of every specimen order.
pub fn with_cx<T>(f: impl FnOnce(&Cx<'_>) -> T) -> T {
    let (params, policy, freezes) = (Params::default(), Policy::default(), Freezes::default());
    let now = specimen_time(10);
    let me = InstanceId(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001));
    let parent = Some(InstanceId(Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0002)));
    f(&Cx {
        me,
        parent,
        tenant: "default",
        account: "main",
        now,
        real: now,
        unsent: true,
        params: &params,
        policy: &policy,
        freezes: &freezes,
    })
}

/// A fixed Monday, 9 o'clock in Beijing, plus hours.
pub fn specimen_time(hours: u64) -> Time {
    Time::from_millis(1_767_574_800_000) + std::time::Duration::from_secs(hours * 3600)
}

type Arrows = BTreeMap<(&'static str, &'static str), BTreeSet<&'static str>>;

/// Every arrow: `(state, event) → states`, as the specimens take it.
fn arrows<M: Machine>() -> (Arrows, Vec<&'static str>) {
    let Specimens { input, states, events } = M::specimens();
    let mut arrows = Arrows::new();
    let mut names = Vec::new();
    // Before pay_cutoff, after it, and after the provider's 72 h: some arrows exist only then.
    for hours in [10, 50, 73] {
        with_cx(|cx| {
            let cx = &Cx { now: specimen_time(hours), real: specimen_time(hours), ..*cx };
            let recorded = states.iter().filter_map(|state| match state.step(&input, cx) {
                Step::Record(event) => Some(event),
                Step::Call(_) | Step::Wait(_) | Step::Ask(_) | Step::Release { .. } | Step::Require(_) | Step::Rest => {
                    None
                }
            });
            for event in events.iter().cloned().chain(recorded) {
                let name = M::event_name(&event);
                if !names.contains(&name) {
                    names.push(name);
                }
                for state in &states {
                    if let Ok(next) = state.clone().apply(&input, event.clone(), cx) {
                        arrows.entry((state.name(), name)).or_default().insert(next.state.name());
                    }
                }
            }
        });
    }
    (arrows, names)
}

/// One line per state and event that has an arrow; pairs that are illegal are left out and counted.
pub fn matrix<M: Machine>() -> String {
    let (arrows, names) = arrows::<M>();
    let mut text = String::new();
    let mut illegal = 0;
    for (state, rest) in M::STATES {
        let _ = writeln!(text, "{state}{}", if *rest { " (rest)" } else { "" });
        for event in &names {
            match arrows.get(&(*state, *event)) {
                Some(to) => {
                    let to: Vec<_> = to.iter().copied().collect();
                    let _ = writeln!(text, "    {event:<18} -> {}", to.join(" | "));
                }
                None => illegal += 1,
            }
        }
    }
    let _ = writeln!(text, "{illegal} pairs are illegal");
    text
}

/// The arrows that leave a state at rest for another state; a bug may park any.
pub fn leaves_rest<M: Machine>() -> Vec<(&'static str, &'static str)> {
    let (arrows, _) = arrows::<M>();
    let rests = |from: &str| M::STATES.iter().any(|(state, rest)| *rest && *state == from);
    let leaving = arrows.into_iter().filter(|((from, _), _)| rests(from));
    let drawn =
        leaving.flat_map(|((from, _), to)| to.into_iter().filter(move |to| *to != from).map(move |to| (from, to)));
    let states = M::specimens().states;
    let parked = with_cx(|cx| {
        let resting = states.into_iter().filter(|state| rests(state.name()));
        resting.map(|state| (state.name(), state.parked("a bug", cx).state.name())).collect::<Vec<_>>()
    });
    drawn.chain(parked).collect()
}

/// The diagram: arrows between different states, joined per pair.
pub fn mermaid<M: Machine>() -> String {
    let (arrows, _) = arrows::<M>();
    let mut edges: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for ((from, event), to) in &arrows {
        for to in to.iter().filter(|to| *to != from) {
            edges.entry((*from, *to)).or_default().push(event);
        }
    }
    let mut text = format!("stateDiagram-v2\n    [*] --> {}\n", M::STATES[0].0);
    for ((from, to), events) in edges {
        let _ = writeln!(text, "    {from} --> {to}: {}", events.join(", "));
    }
    for (state, _) in M::STATES.iter().filter(|(_, rest)| *rest) {
        let _ = writeln!(text, "    {state} --> [*]");
    }
    text
}
