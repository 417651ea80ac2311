//! What happens on our side of the wire, by name: the faults that a run claims, and the figures beside them. One list: whatever is
//! counted is printed, and a fault that never struck makes the run fail.

macro_rules! near {
    ($($kind:ident $name:ident = $word:literal,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Near {
            $($name,)+
        }

        impl Near {
            pub(super) const ALL: &[Near] = &[$(Near::$name,)+];

            pub(super) const fn word(self) -> &'static str {
                match self {
                    $(Near::$name => $word,)+
                }
            }

            pub(super) const fn kind(self) -> Kind {
                match self {
                    $(Near::$name => Kind::$kind,)+
                }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something went wrong on purpose.
    Fault,
    /// What came of faults, and what people and machines did: figures that must not be nought, and are no faults.
    Figure,
}

near! {
    Fault AskedTwice = "permits asked for twice",
    Fault BlackedOut = "database blackouts",
    Fault ClockJumped = "clocks jumped",
    Fault ClockOff = "workers with a clock that is off",
    Fault Crashed = "crashes",
    Fault Forgot = "permits forgotten",
    Fault Froze = "freezes thrown",
    Fault HandedBack = "permits handed back",
    Fault OddlyClosed = "orders closed oddly",
    Fault OutOfOrder = "reports out of order",
    Fault Paused = "pauses",
    Fault ProviderOut = "provider outages",
    Fault Refused = "connections refused",
    Fault SaidTwice = "reports said twice",
    Fault Slow = "requests that were slow on their way",
    Fault SubmittedAgain = "orders submitted again",
    Fault TooLate = "permits used too late",
    Figure Acknowledged = "callbacks acknowledged",
    Figure Answered = "questions answered",
    Figure CallsIntoOutage = "calls while the provider is away",
    Figure CameMeanwhile = "letters that came during a turn",
    Figure Conflicts = "conflicts",
    Figure MovesOfPeople = "operator moves",
    Figure NotAcknowledged = "callbacks not acknowledged",
    Figure Payments = "payments",
    Figure Permits = "permits",
    Figure Resent = "re-sends",
    Figure Returned = "payments returned",
    Figure Split = "split orders",
    Figure Takeovers = "takeovers",
    Figure TimedOut = "calls timed out",
    Figure TouchesInBlackout = "touches while the database is away",
}

/// How the database's connection was lost at a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    /// Before anything happened.
    Before,
    /// What was asked was done, and its answer is lost.
    Answer,
}

impl Lost {
    pub(super) const ALL: [Lost; 2] = [Lost::Before, Lost::Answer];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Lost::Before => "connection lost before",
            Lost::Answer => "applied, answer lost:",
        }
    }
}
