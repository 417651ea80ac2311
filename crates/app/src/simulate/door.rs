//! Between a worker and the database: connections lost before or after the write, crashes and pauses at every touch.

use super::core::{Core, State};
use super::near::{Lost, Near};
use super::plan::Trouble;
use domain::Time;
use store::{Passing, Touch, Trouble as Stands};

/// Whose touches pass here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Worker(usize),
    /// API and callback processes: they are asked again by whoever asked them.
    Office,
}

pub(super) struct Door {
    pub(super) core: Core,
    pub(super) who: Who,
}

enum Fate {
    Passes(bool),
    Waits(Time, bool),
    Dies(&'static str),
}

impl Stands for Door {
    fn before(&self, touch: Touch) -> Passing<'_> {
        let fate = before(&mut self.core.lock(), self.who, touch);
        Box::pin(self.meet(fate))
    }

    fn after(&self, touch: Touch, done: bool) -> Passing<'_> {
        let fate = after(&mut self.core.lock(), self.who, touch, done);
        Box::pin(self.meet(fate))
    }
}

impl Door {
    async fn meet(&self, fate: Fate) -> bool {
        match fate {
            Fate::Passes(passes) => passes,
            Fate::Waits(until, passes) => {
                self.core.until(until).await;
                passes
            }
            Fate::Dies(point) => self.core.die(point).await,
        }
    }
}

fn before(state: &mut State, who: Who, touch: Touch) -> Fate {
    if state.now < state.database_away {
        state.tally.count(Near::TouchesInBlackout);
        return Fate::Passes(false);
    }
    if state.strikes(Trouble::Connections, 15) {
        state.tally.lost(touch, Lost::Before);
        return Fate::Passes(false);
    }
    let Who::Worker(worker) = who else { return Fate::Passes(true) };
    if let Some((point, _)) = points(touch).filter(|_| state.strikes(Trouble::Crashes, 12)) {
        return Fate::Dies(point);
    }
    if state.strikes(Trouble::Pauses, 12) {
        return Fate::Waits(state.pause(worker), true);
    }
    // Neighbours come in between.
    if state.dice.strikes(300) {
        let wait = state.dice.millis(1, 400);
        return Fate::Waits(state.now + wait, true);
    }
    Fate::Passes(true)
}

fn after(state: &mut State, who: Who, touch: Touch, done: bool) -> Fate {
    state.note(format_args!("{who:?} {} {done}", touch.word()));
    if done && state.strikes(Trouble::Connections, 40) {
        state.tally.lost(touch, Lost::Answer);
        return Fate::Passes(false);
    }
    let Who::Worker(worker) = who else { return Fate::Passes(true) };
    if let Some((_, point)) = points(touch).filter(|_| state.strikes(Trouble::Crashes, 18)) {
        return Fate::Dies(point);
    }
    if state.strikes(Trouble::Pauses, 12) {
        return Fate::Waits(state.pause(worker), true);
    }
    Fate::Passes(true)
}

/// The names of the crash points before and after a touch; nobody dies at what only the API and the callback door touch.
pub(super) const fn points(touch: Touch) -> Option<(&'static str, &'static str)> {
    Some(match touch {
        Touch::Claim => ("before a claim", "after a claim"),
        Touch::Commit => ("before a commit", "after a commit"),
        Touch::Release => ("before a release", "after a release"),
        Touch::Person => ("before the person is read", "after the person is read"),
        Touch::Tokens => ("before tokens", "after tokens"),
        Touch::Freezes => ("before the freezes are read", "after the freezes are read"),
        Touch::Lanes => ("before the lanes are read", "after the lanes are read"),
        Touch::Breaker => ("before the breaker", "after the breaker"),
        Touch::Submit | Touch::Post | Touch::Answer | Touch::Case => return None,
    })
}
