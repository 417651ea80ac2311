//! A call in doubt, and how it is settled (safety.md §10).
//!
//! Probes start at once and a positive answer counts at once. Only *negative* probes must start after the quarantine, and the
//! required two must lie apart; then, and only then, the identical call may go again (S-G). Looking is never capped: its pace
//! decays, to once a day where nothing can be lost any more, and after a while a person is told. What was sent in vain before waits
//! longer before it goes again.

use crate::Params;
use domain::Time;
use domain::planted::{Bug, planted};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Negative probes needed before a re-send.
pub const NEGATIVES: u32 = 2;
/// Unsettled looks after which a person is told.
pub const TELL_AFTER: u32 = 12;

/// The provider closes by itself what waited so long: nothing is lost any more by looking once a day (I29).
const LONG_AGO: Duration = Duration::from_secs(72 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// At most 32 quarantines between two sends.
const DOUBLINGS_MAX: u32 = 5;

/// What is known about one call that may have been applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The latest time at which the call may have left.
    pub last_sent: Time,
    /// Looks so far.
    pub asked: u32,
    /// Negative probes that count, and the last of them.
    pub negatives: u32,
    pub last_negative: Option<Time>,
    /// When to look next.
    pub look_at: Time,
    /// How often the call has left, as far as is known.
    #[serde(default)]
    pub sends: u32,
    /// How often the quarantine is doubled.
    #[serde(default)]
    pub doublings: u32,
}

impl Doubt {
    /// In doubt since `last_sent`, its `sends`-th send: look at once.
    pub fn new(last_sent: Time, now: Time, sends: u32) -> Self {
        let doublings = sends.saturating_sub(1).min(DOUBLINGS_MAX);
        Self { last_sent, asked: 0, negatives: 0, last_negative: None, look_at: now, sends, doublings }
    }

    /// Something must be settled by a deadline: sends follow each other closely enough to meet the window in which the provider is
    /// there (A1).
    pub fn hurried(self) -> Self {
        Self { doublings: self.doublings.min(1), ..self }
    }

    /// The first negative look that counts is asked after so long. What was sent in vain before waits longer each time: a provider
    /// that swallows a call, or refuses it with a code of no table, is not called every few minutes for days (I29).
    fn quarantine(&self, params: &Params) -> Duration {
        params.quarantine * 2_u32.pow(self.doublings.min(DOUBLINGS_MAX))
    }

    /// A look that settled nothing.
    pub fn unclear(mut self, now: Time, params: &Params) -> Self {
        self.asked += 1;
        self.look_at = self.next_look(now, params);
        self
    }

    /// A successful probe said "not applied". It counts only when it was *asked* after the quarantine, and apart from the
    /// answer before: however late an answer comes, it may tell of the moment of its question.
    pub fn negative(mut self, asked_at: Time, now: Time, params: &Params) -> Self {
        let asked_at = if planted(Bug::ProbeCountsByAnswer) { now } else { asked_at };
        let apart = self.last_negative.is_none_or(|last| asked_at.since(last) >= params.probe_spacing);
        let quiet = asked_at >= self.last_sent + self.quarantine(params) || planted(Bug::SkipQuarantine);
        if quiet && apart {
            self.negatives += 1;
            self.last_negative = Some(now);
        }
        self.unclear(now, params)
    }

    /// Whether the call is proved not applied, so that it may go again.
    pub fn disproved(&self) -> bool {
        self.negatives >= NEGATIVES || (planted(Bug::OneProbeIsEnough) && self.negatives > 0)
    }

    /// A person asks for a look. The pace stays where it is; when this look and the next settle nothing, he is told again.
    pub fn look_now(mut self, now: Time) -> Self {
        self.asked = self.asked.min(TELL_AFTER - 2);
        self.look_at = now;
        self
    }

    /// Whether this look is the one after which a person is told.
    pub fn tell_now(&self) -> bool {
        self.asked == TELL_AFTER
    }

    fn next_look(&self, now: Time, params: &Params) -> Time {
        let open = self.last_sent + self.quarantine(params);
        if now < open {
            return (now + decaying(self.asked)).min(open);
        }
        if self.negatives > 0 {
            return now + params.probe_spacing;
        }
        if now.since(self.last_sent) > LONG_AGO {
            return now + DAY;
        }
        now + decaying(self.asked)
    }
}

/// The pace of looks that nobody hurries: 5 s, 15 s, 60 s, 5 min, 15 min, 1 h, then every 4 h.
pub fn decaying(asked: u32) -> Duration {
    const PACE: [u64; 7] = [5, 15, 60, 300, 900, 3600, 14_400];
    let place = (asked as usize).min(PACE.len() - 1);
    Duration::from_secs(PACE[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(1_767_575_000_000) + Duration::from_secs(seconds)
    }

    #[test]
    fn s_g_only_negatives_after_the_quarantine_and_apart_allow_a_resend() {
        let params = Params::default();
        let mut doubt = Doubt::new(at(0), at(0), 1);
        for seconds in [0, 5, 20, 80, 299] {
            doubt = doubt.negative(at(seconds), at(seconds), &params);
            assert_eq!(doubt.negatives, 0, "before the quarantine");
        }
        assert_eq!(doubt.look_at, at(300), "the next look waits for the quarantine");
        doubt = doubt.negative(at(300), at(300), &params);
        doubt = doubt.negative(at(330), at(330), &params);
        assert!(!doubt.disproved(), "30 seconds apart is not apart");
        doubt = doubt.negative(at(360), at(360), &params);
        assert!(doubt.disproved());
    }

    #[test]
    fn s_g_a_negative_counts_from_its_question_however_late_its_answer_comes() {
        let params = Params::default();
        let doubt = Doubt::new(at(0), at(0), 1);
        let early = doubt.clone().negative(at(299), at(329), &params);
        assert_eq!((early.negatives, early.asked), (0, 1), "asked before the quarantine had ended");
        let once = doubt.negative(at(300), at(330), &params);
        assert_eq!(once.negatives, 1);
        let near = once.clone().negative(at(389), at(419), &params);
        assert_eq!(near.negatives, 1, "asked 59 seconds after an answer that may be as young as its arrival");
        assert!(once.negative(at(390), at(391), &params).disproved());
    }

    #[test]
    fn i29_a_doubt_of_eight_days_costs_less_than_forty_calls_whoever_asks_for_looks() {
        let params = Params::default();
        let (mut doubt, mut now, mut looks) = (Doubt::new(at(0), at(0), 1), at(0), 0);
        while now < at(8 * 86_400) {
            doubt = doubt.unclear(now, &params);
            looks += 1;
            if doubt.tell_now() && looks < 20 {
                doubt = doubt.look_now(now);
            }
            now = doubt.look_at;
        }
        assert!(looks < 39, "{looks} looks and the call itself");
    }

    #[test]
    fn every_further_send_waits_twice_as_long() {
        let params = Params::default();
        let opens = |sends, seconds| {
            let doubt = Doubt::new(at(0), at(0), sends);
            doubt.negative(at(seconds), at(seconds), &params).negatives > 0
        };
        for (sends, minutes) in [(0, 5), (1, 5), (2, 10), (3, 20), (6, 160), (60, 160)] {
            assert!(!opens(sends, minutes * 60 - 1) && opens(sends, minutes * 60), "{sends}");
        }
        let hurried = Doubt::new(at(0), at(0), 60).hurried();
        assert_eq!(hurried.quarantine(&params), params.quarantine * 2);
        assert!(hurried.quarantine(&params) <= params.provider_window, "the window is met (A1)");
    }

    #[test]
    fn a_person_who_asks_for_a_look_is_told_again_when_it_settles_nothing() {
        let params = Params::default();
        let mut doubt = Doubt::new(at(0), at(0), 1);
        let mut now = at(0);
        while !doubt.tell_now() {
            doubt = doubt.unclear(now, &params);
            now = doubt.look_at;
        }
        doubt = doubt.look_now(now);
        assert_eq!(doubt.look_at, now);
        doubt = doubt.unclear(now, &params);
        assert!(!doubt.tell_now());
        assert!(doubt.unclear(now, &params).tell_now());
    }

    #[test]
    fn looks_decay_and_never_stop() {
        let params = Params::default();
        let mut doubt = Doubt::new(at(0), at(0), 1);
        let mut now = at(0);
        for _ in 0..100 {
            doubt = doubt.unclear(now, &params);
            assert!(doubt.look_at > now);
            now = doubt.look_at;
        }
        assert!(!doubt.disproved());
    }
}
