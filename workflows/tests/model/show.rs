//! A trace in words.

use crate::checker::Act;
use crate::world::{Far, World};
use stateright::Path;
use std::fmt::Write as _;
use workflows::machine::Machine;

/// What happened, step by step: the instant, the state of the row, and what was done; at the end, what it broke.
pub(crate) fn trace<F: Far>(path: Path<World<F>, Act<F::Act>>) -> String {
    let mut text = String::new();
    for (place, (world, act)) in path.into_vec().iter().enumerate() {
        let (state, act) = (world.row.state.name(), act.as_ref().map_or_else(|| "so it stands".into(), words));
        let _ = writeln!(text, "    {place:>3}. instant {} {state}: {act}", world.tick);
        if let Some(broken) = &world.broken {
            let _ = writeln!(text, "         {broken}");
        }
    }
    text
}

fn words<A: std::fmt::Debug>(act: &Act<A>) -> String {
    let worker = |w: &usize| ["worker A", "worker B"][*w];
    match act {
        Act::Claim(w) => format!("{} claims it", worker(w)),
        Act::Look(w, _, sight) => format!("{} looks: {sight}", worker(w)),
        Act::Send(w) => format!("{} sends", worker(w)),
        Act::NotNow(w) => format!("{}'s connection is refused", worker(w)),
        Act::Timeout(w) => format!("{} waits no longer for the answer", worker(w)),
        Act::Commit(w, known) => format!("{} commits ({known:?})", worker(w)),
        Act::Crash(w) => format!("{} crashes", worker(w)),
        Act::Arrives { how, answered, twice, .. } => {
            let answer = if *answered { "and is answered" } else { "and nobody hears the answer" };
            format!("the request arrives ({how:?}{}) {answer}", if *twice { ", and will again" } else { "" })
        }
        Act::Freeze(on) => format!("the freeze is {}", if *on { "on" } else { "off" }),
        Act::Outside(act) => format!("outside: {act:?}"),
        Act::Pass => "time passes".into(),
    }
}
