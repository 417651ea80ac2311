//! When a bank moves money: the latest start from which a payment still settles in time (P21).

use domain::Time;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const BANKS: &str = include_str!("../params/banks.toml");
const HOUR: Duration = Duration::from_secs(3600);

/// One bank channel's calendar.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    pub about: String,
    #[serde(default = "yes")]
    pub weekends: bool,
    #[serde(default)]
    pub open_hour: u32,
    #[serde(default = "midnight")]
    pub close_hour: u32,
    #[serde(default)]
    pub holidays: BTreeSet<String>,
}

fn yes() -> bool {
    true
}

fn midnight() -> u32 {
    24
}

/// The channels of `params/banks.toml`.
pub fn channels() -> BTreeMap<String, Channel> {
    toml::from_str(BANKS).expect("cannot fail: the embedded file is read by a test")
}

/// The latest instant from which `bound` of the channel's open time still fits before `by`. An unknown channel is `always`.
pub fn latest_start(channel: &str, by: Time, bound: Duration) -> Time {
    let channels = channels();
    let Some(channel) = channels.get(channel).filter(|c| !c.always()) else {
        return by - bound;
    };
    // Walk back hour by hour; only open hours count. A year without enough open hours means: never in time.
    let (mut at, mut left) = (by, bound);
    for _ in 0..366 * 24 {
        if left.is_zero() {
            return at;
        }
        let hour_start = Time::from_millis((at.millis() - 1).div_euclid(3_600_000) * 3_600_000);
        let span = at.since(hour_start).min(HOUR);
        if channel.open(hour_start) {
            let used = span.min(left);
            left -= used;
            at = at - used;
        } else {
            at = hour_start;
        }
    }
    Time::from_millis(0)
}

impl Channel {
    fn always(&self) -> bool {
        self.weekends && self.open_hour == 0 && self.close_hour == 24 && self.holidays.is_empty()
    }

    fn open(&self, at: Time) -> bool {
        let wall = at.beijing();
        let day = (self.weekends || !wall.is_weekend()) && !self.holidays.contains(&wall.day());
        day && (self.open_hour..self.close_hour).contains(&wall.hour())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).unwrap()
    }

    #[test]
    fn a_bank_that_is_always_open_needs_just_its_bound() {
        assert_eq!(latest_start("always", at("2026-01-05T10:00:00+08:00"), 24 * HOUR), at("2026-01-04T10:00:00+08:00"));
    }

    #[test]
    fn p21_before_a_long_holiday_the_last_start_is_before_it() {
        // D lies in the National Day week: eight open hours fit only on 30 September.
        let start = latest_start("banking_days", at("2026-10-05T12:00:00+08:00"), 8 * HOUR);
        assert_eq!(start, at("2026-09-30T09:00:00+08:00"));
        let monday = latest_start("banking_days", at("2026-01-12T10:00:00+08:00"), 2 * HOUR);
        assert_eq!(monday, at("2026-01-09T16:00:00+08:00"), "the weekend does not count");
    }
}
