//! The shared clock's rules: one row for the fleet; business time goes on from where it stands, and never back (contract.md).

use domain::clock::Pace;
use domain::{Clock, Time};

/// Business time at `real` under a pace.
fn business(pace: Pace, real: Time) -> Time {
    let clock = Clock::manual(real);
    clock.sync(real, pace);
    clock.now()
}

/// A configured pace meets the one in force: a later epoch moves business time forward; otherwise it goes on, at the new speed.
pub(crate) fn configure(old: Pace, new: Pace, real: Time) -> Pace {
    let (stands, wanted) = (business(old, real), business(new, real));
    if wanted >= stands {
        return new;
    }
    if old.speed_milli == new.speed_milli {
        return old;
    }
    Pace { epoch: stands, origin: real, speed_milli: new.speed_milli, advanced: std::time::Duration::ZERO }
}

/// Adds an advance.
pub(crate) fn advance(old: Pace, by: Pace, _: Time) -> Pace {
    Pace { advanced: old.advanced + by.advanced, ..old }
}
