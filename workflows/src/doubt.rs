//! A call in doubt, and how it is settled (safety.md §10).
//!
//! Probes start at once and a positive answer counts at once. Only *negative* probes must start after the quarantine, and the
//! required two must lie apart; then, and only then, the identical call may go again (S-G). Looking is never capped: its pace
//! decays, to once a day where nothing can be lost any more, and after a while a person is told. What was sent in vain before waits
//! longer before it goes again, but not into the last stretch before a deadline ([`in_time`]).

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
/// At most 64 quarantines between two sends.
const DOUBLINGS_MAX: u32 = 6;

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
    /// When settling it comes too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
}

impl Doubt {
    /// In doubt since `last_sent`, its `sends`-th send: look at once.
    pub fn new(last_sent: Time, now: Time, sends: u32) -> Self {
        let doublings = sends.saturating_sub(1).min(DOUBLINGS_MAX);
        Self { last_sent, asked: 0, negatives: 0, last_negative: None, look_at: now, sends, doublings, deadline: None }
    }

    /// It is lost when it is not settled before `deadline`.
    pub fn before(self, deadline: Time) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The first negative look that counts is asked at this time. What was sent in vain before waits longer each time: a provider
    /// that swallows a call, or refuses it with a code of no table, is not called every few minutes for days (I29). The last
    /// stretch before a deadline has only single quarantines: they fit into the window in which the provider is there (A1).
    fn opens_at(&self, params: &Params) -> Time {
        let single = self.last_sent + params.quarantine;
        let full = self.last_sent + params.quarantine * 2_u32.pow(self.doublings);
        match self.deadline {
            Some(deadline) if self.last_sent < deadline => full.min(single.max(deadline - params.confirm_budget())),
            _ => full,
        }
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
        let quiet = asked_at >= self.opens_at(params) || planted(Bug::SkipQuarantine);
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
        let opens_at = self.opens_at(params);
        let apart = self.last_negative.map(|last| last + params.probe_spacing);
        let at_leisure = now + decaying(self.asked + self.doublings);
        match apart {
            _ if now < opens_at => at_leisure.min(opens_at),
            Some(apart) if now < apart => apart,
            _ if now.since(self.last_sent) > LONG_AGO => now + DAY,
            _ => self.deadline.map_or(at_leisure, |deadline| in_time(at_leisure, now, deadline, params)),
        }
    }
}

/// The pace of looks that nobody hurries: 5 s, 15 s, 60 s, 5 min, 15 min, 1 h, then every 4 h.
pub fn decaying(asked: u32) -> Duration {
    const PACE: [u64; 7] = [5, 15, 60, 300, 900, 3600, 14_400];
    let place = (asked as usize).min(PACE.len() - 1);
    Duration::from_secs(PACE[place])
}

/// A look at what is lost at `deadline` is due at `at_leisure`, but no later than this: it comes when the confirm budget C begins, and
/// from there on so often that the provider is met while it is there, with time left to settle a doubt and to send (L-1, A1).
pub fn in_time(at_leisure: Time, now: Time, deadline: Time, params: &Params) -> Time {
    let begins = deadline - params.confirm_budget();
    match () {
        () if now < begins => at_leisure.min(begins),
        () if now < deadline => at_leisure.min(now + params.provider_window / 2),
        () => at_leisure,
    }
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
        for (sends, minutes) in [(0, 5), (1, 5), (2, 10), (3, 20), (7, 320), (60, 320)] {
            assert!(!opens(sends, minutes * 60 - 1) && opens(sends, minutes * 60), "{sends}");
        }
    }

    #[test]
    fn l_1_no_quarantine_is_doubled_into_the_last_stretch_before_a_deadline() {
        let params = Params::default();
        let deadline = at(100 * 3600);
        let begins = deadline - params.confirm_budget();
        let opens_at = |sent_at| Doubt::new(sent_at, sent_at, 60).before(deadline).opens_at(&params);
        let (single, full) = (params.quarantine, params.quarantine * 64);
        assert_eq!(opens_at(begins - full * 2), begins - full, "long before it");
        assert_eq!(opens_at(begins - full / 2), begins, "it would reach into it");
        assert_eq!(opens_at(begins - single / 2), begins + single / 2, "a single one is never cut short (S-G)");
        assert_eq!(opens_at(deadline - single), deadline, "within it");
        assert_eq!(opens_at(deadline), deadline + full, "past it nothing is lost by patience");
        assert!(
            single + params.probe_spacing * 2 < params.provider_window,
            "send, prove and send again fit into W (A1)"
        );
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
