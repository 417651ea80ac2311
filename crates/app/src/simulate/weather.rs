//! What strikes everybody at once: the provider is away for hours or days, the database for minutes, and switches are frozen.

use super::core::{Core, Event, State};
use super::near::Near;
use super::plan::Trouble;
use super::world::World;
use anyhow::Result;
use std::time::Duration;
use store::Freeze;

#[derive(Debug, Clone)]
pub(super) enum Turn {
    ProviderGoes,
    DatabaseGoes,
    Freeze,
    /// A worker's clock jumps, within what it may differ from the database's.
    ClockJumps,
    Thaw(String),
}

/// How often each is thought of.
const EVERY: Duration = Duration::from_secs(3600);

pub(super) fn begin(core: &Core) {
    let mut state = core.lock();
    for turn in [Turn::ProviderGoes, Turn::DatabaseGoes, Turn::Freeze, Turn::ClockJumps] {
        let first = state.dice.seconds(600, 7200);
        state.after(first, Event::Weather(turn));
    }
    state.after(EVERY * 50, Event::Audit);
}

pub(super) async fn turn(world: &mut World, turn: Turn) -> Result<()> {
    let freeze = match turn {
        Turn::Thaw(scope) => Some(Freeze { scope, create: false, pay: false, confirm: false, cancel: false }),
        Turn::ProviderGoes | Turn::DatabaseGoes | Turn::Freeze | Turn::ClockJumps => {
            strike(&mut world.core.lock(), turn)
        }
    };
    match freeze {
        Some(freeze) => Ok(world.store.put_freeze(freeze).await?),
        None => Ok(()),
    }
}

/// Perhaps it happens now; in an hour it is thought of again.
fn strike(state: &mut State, turn: Turn) -> Option<Freeze> {
    state.after(EVERY, Event::Weather(turn.clone()));
    match turn {
        Turn::ProviderGoes if state.strikes(Trouble::Outages, 80) => {
            let long = state.dice.strikes(1500);
            let hours =
                if long { state.dice.seconds(20 * 3600, 100 * 3600) } else { state.dice.seconds(600, 8 * 3600) };
            state.provider_away = state.now + hours;
            state.tally.count(Near::ProviderOut);
            None
        }
        Turn::DatabaseGoes if state.strikes(Trouble::Blackouts, 300) => {
            let away = state.dice.seconds(2, 600);
            state.database_away = state.now + away;
            state.tally.count(Near::BlackedOut);
            None
        }
        Turn::Freeze if state.strikes(Trouble::Freezes, 250) => {
            let scope = state.dice.one_of(&["all", "account:main", "tenant:default", "location:2001"]).to_owned();
            let which = state.dice.below(4);
            let (create, pay, confirm, cancel) = (which == 0, which == 1, which == 2, which == 3);
            let thaw = state.dice.seconds(60, 6 * 3600);
            state.after(thaw, Event::Weather(Turn::Thaw(scope.clone())));
            state.tally.count(Near::Froze);
            Some(Freeze { scope, create, pay, confirm, cancel })
        }
        Turn::ClockJumps if state.strikes(Trouble::Clocks, 1500) => {
            let worker = state.dice.below(state.workers.len());
            state.workers[worker].ahead_ms = i64::try_from(state.dice.between(0, 750)).unwrap_or(0) - 500;
            state.tally.count(Near::ClockJumped);
            None
        }
        Turn::ProviderGoes | Turn::DatabaseGoes | Turn::Freeze | Turn::ClockJumps | Turn::Thaw(_) => None,
    }
}
