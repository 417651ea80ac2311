//! Time is UTC milliseconds inside. Beijing wall time (北京时间, +08:00) exists at the providers' edge and for tax months.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, TimeZone, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, ops, time::Duration};

/// An instant: milliseconds since the Unix epoch, UTC. Prints and parses as RFC 3339 with an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// RFC 3339 with an offset; anything finer than a millisecond is cut.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis()))
    }

    /// From `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    pub fn beijing(self) -> BeijingTime {
        BeijingTime(self)
    }
}

impl ops::Add<Duration> for Time {
    type Output = Time;
    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(millis(d)))
    }
}

impl ops::Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, d: Duration) -> Time {
        Time(self.0.saturating_sub(millis(d)))
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+08:00", self.beijing())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Time::parse(&text).ok_or_else(|| {
            de::Error::custom("write the time as RFC 3339 with an offset, for example 2026-01-05T09:00:00.000+08:00")
        })
    }
}

/// An instant as the clock on a wall in Beijing shows it: `yyyy-MM-ddTHH:mm:ss.SSS`, no zone (000 §1.1.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BeijingTime(Time);

const OFFSET_SECONDS: i32 = 8 * 3600;

impl BeijingTime {
    /// Accepts the provider's form with and without milliseconds (T04).
    pub fn parse(text: &str) -> Option<Self> {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        let at = zone().from_local_datetime(&naive).single()?;
        Some(Self(Time(at.timestamp_millis())))
    }

    pub fn time(self) -> Time {
        self.0
    }

    /// The tax month (税款所属期): `(2026, 1)`. Months are Beijing months whatever the host's zone (P31).
    pub fn month(self) -> (i32, u32) {
        let at = self.wall();
        (at.year(), at.month())
    }

    /// `2026-01-05`: the business day.
    pub fn day(self) -> String {
        self.wall().format("%Y-%m-%d").to_string()
    }

    /// Hours and minutes of the day, and whether it is Saturday or Sunday.
    pub fn hour(self) -> u32 {
        self.wall().hour()
    }

    pub fn is_weekend(self) -> bool {
        self.wall().weekday().number_from_monday() > 5
    }

    /// The first instant of this Beijing month.
    pub fn month_start(self) -> Time {
        first_of(self.month())
    }

    /// The first instant of the next Beijing month.
    pub fn month_end(self) -> Time {
        let (year, month) = self.month();
        first_of(if month == 12 { (year + 1, 1) } else { (year, month + 1) })
    }

    fn wall(self) -> DateTime<FixedOffset> {
        let utc: DateTime<Utc> = DateTime::from_timestamp_millis(self.0.0).unwrap_or_default();
        utc.with_timezone(&zone())
    }
}

fn zone() -> FixedOffset {
    FixedOffset::east_opt(OFFSET_SECONDS).expect("cannot fail: eight hours is a valid offset")
}

impl fmt::Display for BeijingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wall = self.wall();
        let ms = wall.timestamp_subsec_millis();
        let (year, month, day) = (wall.year(), wall.month(), wall.day());
        let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}")
    }
}

impl fmt::Debug for BeijingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn first_of((year, month): (i32, u32)) -> Time {
    let first = zone().with_ymd_and_hms(year, month, 1, 0, 0, 0).single();
    Time(first.expect("cannot fail: +08:00 has no gaps").timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn p31_a_tax_month_is_a_beijing_month() {
        let edge = Time::parse("2026-06-30T18:00:00Z").unwrap();
        assert_eq!(edge.beijing().month(), (2026, 7));
        assert_eq!(edge.beijing().to_string(), "2026-07-01T02:00:00.000");
        assert_eq!(
            Time::parse("2026-12-31T12:00:00+08:00").unwrap().beijing().month_end(),
            Time::parse("2027-01-01T00:00:00+08:00").unwrap()
        );
        assert_eq!(
            Time::parse("2026-12-31T17:00:00Z").unwrap().beijing().month_start(),
            Time::parse("2027-01-01T00:00:00+08:00").unwrap()
        );
    }

    #[test]
    fn t04_seconds_and_milliseconds_are_both_read() {
        let with = BeijingTime::parse("2019-01-22T12:34:56.789").unwrap();
        let without = BeijingTime::parse("2019-01-22T12:34:56").unwrap();
        assert_eq!(with.time().since(without.time()), Duration::from_millis(789));
        assert!(BeijingTime::parse("2019-01-22 12:34:56").is_none());
    }

    proptest! {
        #[test]
        fn rfc3339_and_beijing_text_round_trip(ms in 0i64..4_102_444_800_000) {
            let t = Time::from_millis(ms);
            prop_assert_eq!(Time::parse(&t.to_string()), Some(t));
            prop_assert_eq!(BeijingTime::parse(&t.beijing().to_string()).unwrap().time(), t);
        }
    }
}
