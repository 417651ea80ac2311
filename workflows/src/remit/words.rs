//! The names that print, and what is said to people.

use super::facts::{At, Input, Why};
use super::{Event, STATES};

impl At {
    pub fn name(&self) -> &'static str {
        match self {
            At::Open { .. } => "open",
            At::Permitted(_) => "permitted",
            At::Paying(_) => "paying",
            At::PayoutInDoubt { .. } => "payout_in_doubt",
            At::Paid => "paid",
            At::Confirming { .. } => "confirming",
            At::ConfirmInDoubt { .. } => "confirm_in_doubt",
            At::Levying { .. } => "levying",
            At::Levied { .. } => "levied",
            At::GateClosed { .. } => "gate_closed",
            At::Cancelling { .. } => "cancelling",
            At::CancelInDoubt { .. } => "cancel_in_doubt",
            At::Cancelled => "cancelled",
            At::AutoClosedUnpaid => "auto_closed_unpaid",
            At::AutoClosedPaid => "auto_closed_paid",
            At::ClosedExternally => "closed_externally",
            At::Contradicted { .. } => "contradicted",
            At::ReturnedAfterLevy => "returned_after_levy",
            At::NeedsOperator { .. } => "needs_operator",
        }
    }

    pub(super) fn resting(&self) -> bool {
        STATES.iter().any(|(name, rest)| *rest && *name == self.name())
    }

    /// In words, for people; `None` at rest.
    pub fn waits_for(&self, input: &Input) -> Option<String> {
        let words = match self {
            At::Open { .. } => format!("a payer to ask for a permit, until {}", input.pay_cutoff),
            At::Permitted(payout) => format!("the payer's report, permit valid until {}", payout.pay_before),
            At::Paying(_) => "the bank's answer".into(),
            At::PayoutInDoubt { .. } => "the bank's final word on a payout in doubt".into(),
            At::Paid => "a live look at the provider before CONTINUE".into(),
            At::Confirming { .. } => "CONTINUE to be acknowledged".into(),
            At::ConfirmInDoubt { .. } => "proof whether CONTINUE was applied".into(),
            At::Levying { .. } => "the levy to finish at the provider".into(),
            At::GateClosed { .. } => "its cancellation".into(),
            At::Cancelling { .. } => "CANCEL to be acknowledged".into(),
            At::CancelInDoubt { .. } => "proof whether CANCEL was applied".into(),
            At::Contradicted { why, .. } => format!("a person to settle a contradiction: {why}"),
            At::NeedsOperator { why, .. } => format!("a person: {}", why.words()),
            At::Levied { .. }
            | At::Cancelled
            | At::AutoClosedUnpaid
            | At::AutoClosedPaid
            | At::ClosedExternally
            | At::ReturnedAfterLevy => return None,
        };
        Some(words)
    }
}

impl Why {
    pub fn words(&self) -> String {
        match self {
            Why::UnknownStatus(word) => format!("the provider shows the unknown status {word:?}"),
            Why::ConfirmRefused(refusal) => format!("CONTINUE was refused ({refusal})"),
            Why::CancelRefused(refusal) => format!("CANCEL was refused ({refusal})"),
            Why::LevyUnproven => {
                "closed after CONTINUE, but the proof of levy that the account's settings demand is missing".into()
            }
            Why::PaidAfterFinal => "reported paid after the attempt was final".into(),
            Why::Bug(what) => format!("an internal fault ({what})"),
        }
    }

    /// The kind of the case that owns it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Why::UnknownStatus(_) => "unknown_status",
            Why::ConfirmRefused(_) => "confirm_refused",
            Why::CancelRefused(_) => "cancel_refused",
            Why::LevyUnproven => "levy_unproven",
            Why::PaidAfterFinal => "paid_after_final",
            Why::Bug(_) => "internal_fault",
        }
    }

    /// `revised`: the one correction of a decision has been made.
    pub(super) fn moves(&self, revised: bool) -> &'static [&'static str] {
        match self {
            Why::UnknownStatus(_) | Why::Bug(_) => &["retry"],
            Why::ConfirmRefused(_) if revised => &["closed"],
            Why::ConfirmRefused(_) => &["resend_corrected", "closed"],
            Why::CancelRefused(_) => &["retry", "closed"],
            Why::LevyUnproven => &["levied", "closed"],
            Why::PaidAfterFinal => &["paid", "not_paid"],
        }
    }
}

impl Event {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Event::PermitAsked { .. } => "PermitAsked",
            Event::Instructed { .. } => "Instructed",
            Event::PaidReported(_) => "PaidReported",
            Event::FailedReported { .. } => "FailedReported",
            Event::UnknownReported { .. } => "UnknownReported",
            Event::ReturnedReported { .. } => "ReturnedReported",
            Event::PaymentReturned { .. } => "PaymentReturned",
            Event::Attested { .. } => "Attested",
            Event::CancelAsked { .. } => "CancelAsked",
            Event::EvidenceBrought { .. } => "EvidenceBrought",
            Event::QuoteAccepted { .. } => "QuoteAccepted",
            Event::NoticeSeen { .. } => "NoticeSeen",
            Event::HintSeen => "HintSeen",
            Event::CaseResolved { .. } => "CaseResolved",
            Event::Seen { .. } => "Seen",
            Event::Absent => "Absent",
            Event::LookFailed { .. } => "LookFailed",
            Event::Acknowledged { .. } => "Acknowledged",
            Event::DecisionRefused { .. } => "DecisionRefused",
            Event::DecisionUnsure { .. } => "DecisionUnsure",
            Event::PayCutoffReached => "PayCutoffReached",
            Event::PermitExpired => "PermitExpired",
            Event::CancelDecided => "CancelDecided",
            Event::Disproved => "Disproved",
            Event::WorkerLost => "WorkerLost",
            Event::Told(_) => "Told",
        }
    }
}
