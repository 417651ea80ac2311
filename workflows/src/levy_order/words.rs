//! The names that print, and what is said to people.

use super::{Event, Why};

impl Why {
    pub(super) fn words(&self) -> String {
        match self {
            Why::NameTooLong => {
                "the name is longer than the provider takes: ask the provider how to register it".into()
            }
            Why::UnknownStatus(word) => format!("the provider shows the unknown status {word:?}"),
            Why::PartialCreation { reason, .. } => {
                format!("remits were created, and a failure was reported as well: {reason}")
            }
            Why::SendsExhausted => "it was sent again and again and never arrived".into(),
            Why::Bug(what) => format!("an internal fault ({what})"),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Why::NameTooLong => "name_too_long",
            Why::UnknownStatus(_) => "unknown_status",
            Why::PartialCreation { .. } => "partial_creation",
            Why::SendsExhausted => "sends_exhausted",
            Why::Bug(_) => "internal_fault",
        }
    }

    pub(super) fn moves(&self) -> &'static [&'static str] {
        match self {
            Why::NameTooLong => &["abandon"],
            Why::UnknownStatus(_) | Why::Bug(_) => &["retry"],
            Why::PartialCreation { .. } => &["accept_remits", "cancel_each"],
            Why::SendsExhausted => &["retry", "abandon"],
        }
    }
}

impl Event {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Event::Hinted(_) => "Hinted",
            Event::ReleaseAsked { .. } => "ReleaseAsked",
            Event::CancelAsked { .. } => "CancelAsked",
            Event::Required { .. } => "Required",
            Event::Met { .. } => "Met",
            Event::Unmet { .. } => "Unmet",
            Event::RemitDone { .. } => "RemitDone",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Created { .. } => "Created",
            Event::CreateRefused { .. } => "CreateRefused",
            Event::CreateUnsure { .. } => "CreateUnsure",
            Event::Seen(_) => "Seen",
            Event::Absent { .. } => "Absent",
            Event::LookFailed { .. } => "LookFailed",
            Event::GateOpened => "GateOpened",
            Event::Held(_) => "Held",
            Event::NameTooLong => "NameTooLong",
            Event::Disproved => "Disproved",
            Event::WorkerLost => "WorkerLost",
            Event::Watched => "Watched",
        }
    }
}
