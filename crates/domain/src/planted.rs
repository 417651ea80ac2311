//! Bugs planted on purpose: what proves levee safe must notice when it is not (safety.md §16.5, testing.md §3).
//!
//! Each place asks `planted(Bug::…)`. That is a constant `false` in a release build and, in a build with debug assertions, one
//! relaxed read that says `false` until a test has called [`plant`].

use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// What can be broken on purpose. The model checker, the scenarios or the simulation must catch each one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            pub const ALL: &[Bug] = &[$(Bug::$bug,)+];
        }
    };
}

bugs! {
    /// CANCEL is decided with the pay gate left open (S-B).
    DropGateClose,
    /// Negative probes count at once, without the quarantine (S-G).
    SkipQuarantine,
    /// One negative probe is enough for a re-send (S-G).
    OneProbeIsEnough,
    /// A negative probe counts by the time of its answer, not of its question (S-G).
    ProbeCountsByAnswer,
    /// "Not found" ends an order as rejected (P02).
    NotFoundIsFailed,
    /// Near the deadline CONTINUE goes without evidence (S-A, P19).
    ClockConfirms,
    /// An unknown payout counts as paid (S-A).
    UnknownIsPaid,
    /// An unknown payout counts as failed: it is paid again or cancelled (P22).
    UnknownIsFailed,
    /// A remit ends while its payout is pending (testing.md §3, second version).
    CloseWhilePending,
    /// The gate stands at the decision only, not at the send (S-C, F86).
    GateAtDecisionOnly,
    /// A permit is issued after `pay_cutoff` (S-C).
    PermitAfterCutoff,
    /// A second permit while one is live (S-D, P29).
    SecondPermit,
    /// A permit on a stale observation of the remit (S-C, P28).
    PermitOnStaleRemit,
    /// `arising_time` is the time of the decision, not the bank's (P30).
    ArisingTimeIsNow,
    /// The sums of a quote are not compared (P06).
    IgnoreQuote,
    /// A close notice by itself closes a remit (S-H, P34).
    NoticeCloses,
    /// A remit with a permit out is cancelled (P27).
    CancelPermitted,
    /// CLOSE without remits and without a reason reads as a rejection (P13).
    BareCloseIsRejected,
    /// A row taken over from a dead worker is driven as if nothing had been sent (F2, F3).
    ForgetTakeover,
    /// A claim is not counted before the call (principle 4).
    CountClaimsAfterCall,
    /// A callback is acknowledged although it could not be stored (S-F).
    AckBeforeCommit,
    /// What came in during a turn wakes nobody.
    LostWakeup,
    /// A paused worker sends after its lease (P36).
    SendPastLease,
    /// Revision and token are not compared at commit (I16).
    NoFence,
    /// A time-out of a call counts as a refusal.
    TimeoutIsRefused,
    /// An answer that cannot be verified is believed (P04).
    BelieveBadSignature,
    /// An answer about another order is believed (I26).
    BelieveForeignAnswer,
    /// A retry of CREATE goes under a new id (P01, S-E).
    NewIdOnRetry,
    /// A commit of unknown outcome counts as done.
    UnknownCommitIsDone,
}

/// The bug planted in this process, as its place in [`Bug::ALL`] plus one; 0 is none.
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Whether this bug is planted in this process.
#[inline]
pub fn planted(bug: Bug) -> bool {
    cfg!(debug_assertions) && PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
}

/// Plants one bug in this process, or none. Without debug assertions nothing can be planted.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::Relaxed);
}
