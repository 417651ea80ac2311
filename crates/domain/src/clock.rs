//! The clock is a parameter everywhere, so tests and simulations can move it.
//!
//! Two readings. **Business** time carries deadlines, cut-offs, permits and poll schedules: with `dev.clock_speed = S` it reads
//! `epoch + S × (database time − origin) + advances` (contract.md). **Real** time carries leases and time-outs. Real time is the
//! database's, kept up between synchronisations by this machine's monotonic clock: a jump of the host's wall clock moves nothing
//! (F36–F38).

use crate::Time;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// A handle to one clock; clones read and move the same one.
#[derive(Clone, Debug)]
pub struct Clock(Arc<RwLock<Reading>>);

/// How business time follows real time. One row shared by the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Business time at `origin`.
    pub epoch: Time,
    /// Real (database) time at which business time was `epoch`.
    pub origin: Time,
    /// Thousandths: 1000 is real speed, 10_000_000 is the greatest supported.
    pub speed_milli: i64,
    /// What `POST /v1/clock/advance` has added so far.
    pub advanced: Duration,
}

#[derive(Debug)]
struct Reading {
    pace: Pace,
    real: Source,
}

#[derive(Debug)]
enum Source {
    /// Real time was `at` when the monotonic clock read `since`.
    Running { at: Time, since: Instant },
    /// Moves only by [`Clock::advance_real`]: simulations and tests.
    Manual { at: Time },
}

impl Pace {
    /// Business time is real time.
    pub const REAL: Pace =
        Pace { epoch: Time::from_millis(0), origin: Time::from_millis(0), speed_milli: 1000, advanced: Duration::ZERO };

    fn business(&self, real: Time) -> Time {
        let passed = i128::from(real.millis() - self.origin.millis()) * i128::from(self.speed_milli) / 1000;
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        Time::from_millis(self.epoch.millis().saturating_add(passed)) + self.advanced
    }
}

impl Clock {
    /// Starts from a reading of real time (the database's, or the host's until a database is connected).
    pub fn running(real: Time, pace: Pace) -> Self {
        Self(Arc::new(RwLock::new(Reading { pace, real: Source::Running { at: real, since: Instant::now() } })))
    }

    /// A clock that stands still until it is advanced.
    pub fn manual(at: Time) -> Self {
        Self(Arc::new(RwLock::new(Reading { pace: Pace::REAL, real: Source::Manual { at } })))
    }

    /// Business time.
    pub fn now(&self) -> Time {
        let reading = self.0.read().unwrap_or_else(PoisonError::into_inner);
        reading.pace.business(reading.real.now())
    }

    /// Real database time.
    pub fn real(&self) -> Time {
        self.0.read().unwrap_or_else(PoisonError::into_inner).real.now()
    }

    pub fn pace(&self) -> Pace {
        self.0.read().unwrap_or_else(PoisonError::into_inner).pace
    }

    /// The real time at which business time will read `at` (the farthest one where it does so twice).
    pub fn real_at(&self, at: Time) -> Time {
        let pace = self.pace();
        let ahead = i128::from(at.millis()) - i128::from((pace.epoch + pace.advanced).millis());
        let real = ahead * 1000 / i128::from(pace.speed_milli.max(1));
        Time::from_millis(i64::try_from(i128::from(pace.origin.millis()) + real).unwrap_or(i64::MAX))
    }

    /// A stretch of business time, in real time.
    pub fn to_real(&self, d: Duration) -> Duration {
        let ms = d.as_millis() * 1000 / u128::try_from(self.pace().speed_milli.max(1)).unwrap_or(1000);
        Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// Takes the database's time and the fleet's pace for the truth. Business time never moves back.
    pub fn sync(&self, real: Time, pace: Pace) {
        let mut reading = self.0.write().unwrap_or_else(PoisonError::into_inner);
        reading.pace = pace;
        if let Source::Running { at, since } = &mut reading.real {
            // An answer that took long to come is older than what was read since: no reading is taken back.
            *at = real.max(*at + since.elapsed());
            *since = Instant::now();
        }
    }

    /// Moves business time forward; real time stands.
    pub fn advance(&self, d: Duration) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).pace.advanced += d;
    }

    /// Moves a manual clock: real and business time together. A running clock is left alone.
    pub fn advance_real(&self, d: Duration) {
        let mut reading = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Source::Manual { at } = &mut reading.real {
            *at = *at + d;
        }
    }
}

impl Source {
    fn now(&self) -> Time {
        match self {
            Source::Running { at, since } => *at + since.elapsed(),
            Source::Manual { at } => *at,
        }
    }
}

/// The host's wall clock: only to start a [`Clock`] before a database has told the time, and for SQLite, which has no other.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the host's wall clock")]
pub fn host_time() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(0) + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_of_the_database_takes_no_reading_back() {
        let clock = Clock::running(Time::from_millis(1_000_000), Pace::REAL);
        clock.sync(Time::from_millis(900_000), Pace::REAL);
        assert!(clock.real() >= Time::from_millis(1_000_000));
        clock.sync(Time::from_millis(2_000_000), Pace::REAL);
        assert!(clock.real() >= Time::from_millis(2_000_000));
    }

    #[test]
    fn business_time_runs_at_its_speed_and_adds_advances() {
        let epoch = Time::parse("2026-01-05T09:00:00+08:00").unwrap();
        let clock = Clock::manual(Time::from_millis(1_000_000));
        clock.sync(
            Time::from_millis(0),
            Pace { epoch, origin: Time::from_millis(1_000_000), speed_milli: 10_000_000, advanced: Duration::ZERO },
        );
        assert_eq!(clock.now(), epoch);
        clock.advance_real(Duration::from_secs(26));
        assert_eq!(clock.now().since(epoch), Duration::from_secs(260_000), "72 hours pass in 26 seconds");
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now().since(epoch), Duration::from_secs(260_060));
        assert_eq!(clock.real_at(clock.now()), clock.real());
    }
}
