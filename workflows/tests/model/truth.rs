//! Whether what a remit has come to is true of the outside, and of its own rows.

use crate::remit::{Outside, Side};
use crate::rules::{Broken, Rule};
use crate::world::Here;
use workflows::machine::Machine;
use workflows::remit::{At, Remit};

impl Outside {
    /// No end is reached by doubt.
    pub(crate) fn ends_well(&self, before: &Remit, at: &Here<'_, Remit>) -> Result<(), Broken> {
        let wrong = |how| Err(Broken::new(Rule::Doubt, how));
        match &at.machine.at {
            At::Levied { .. } | At::Levying { .. } if !self.applied() => wrong("levied, and CONTINUE is not applied"),
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid
                if self.side == Side::Open =>
            {
                wrong("at rest, and the provider has it open")
            }
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid if self.applied() => {
                wrong("closed, and the levy runs")
            }
            At::Cancelled | At::AutoClosedUnpaid | At::ClosedExternally | At::AutoClosedPaid
                if at.ledger.live() > 0 || self.pending() =>
            {
                wrong("at rest, and a payment is under way")
            }
            At::Cancelled | At::AutoClosedUnpaid if self.paid_at().is_some() && at.ledger.cases.is_empty() => {
                wrong("closed unpaid, and the bank has paid")
            }
            // Two persons may close it later; never the turn that opens it.
            At::AutoClosedPaid if before.at != At::AutoClosedPaid && !at.ledger.case("auto_closed_paid") => {
                wrong("an incident without its case")
            }
            At::Open { .. }
            | At::Permitted(_)
            | At::Paying(_)
            | At::PayoutInDoubt { .. }
            | At::Paid
            | At::Confirming { .. }
            | At::ConfirmInDoubt { .. }
            | At::Levying { .. }
            | At::Levied { .. }
            | At::GateClosed { .. }
            | At::Cancelling { .. }
            | At::CancelInDoubt { .. }
            | At::Cancelled
            | At::AutoClosedUnpaid
            | At::AutoClosedPaid
            | At::ClosedExternally
            | At::Contradicted { .. }
            | At::ReturnedAfterLevy
            | At::NeedsOperator { .. } => Ok(()),
        }
    }
}

/// Where a remit stands: what is decided is never undecided, and rest is left by drawn arrows only (S-H).
pub(crate) fn kept_to(before: &Remit, at: &Here<'_, Remit>) -> Result<(), Broken> {
    let (from, to) = (before.at.name(), at.machine.at.name());
    let drawn = matches!(
        (from, to),
        ("levied", "returned_after_levy")
            | ("auto_closed_paid" | "closed_externally", "levied" | "returned_after_levy")
    );
    let rests = |name: &str| Remit::STATES.iter().any(|(state, rest)| *rest && *state == name);
    if rests(from) && from != to && !drawn {
        return Err(Broken::new(Rule::H, format!("{from} was left for {to}")));
    }
    let undecided = ["open", "permitted", "paying", "payout_in_doubt", "paid", "gate_closed"].contains(&to);
    if undecided && at.ledger.decision.is_some() {
        return Err(Broken::new(Rule::H, format!("{to}, and it is decided")));
    }
    if at.machine.facts.proof.is_none() && at.ledger.stands().is_some() {
        return Err(Broken::new(Rule::H, "the evidence is forgotten"));
    }
    if at.ledger.gate && !at.machine.facts.gate_shut {
        return Err(Broken::new(Rule::H, "the closed gate is forgotten"));
    }
    let known = live_in(&at.machine.at);
    if at.ledger.live() != usize::from(known) {
        return Err(Broken::new(Rule::H, format!("{to} does not know its live permit")));
    }
    Ok(())
}

fn live_in(at: &At) -> bool {
    match at {
        At::Permitted(payout) | At::Paying(payout) | At::PayoutInDoubt { payout, .. } => payout.state.live(),
        At::Contradicted { payout, .. } => payout.as_ref().is_some_and(|payout| payout.state.live()),
        At::NeedsOperator { back, .. } => live_in(back),
        At::Open { .. } | At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } | At::Levying { .. } => false,
        At::Levied { .. } | At::GateClosed { .. } | At::Cancelling { .. } | At::CancelInDoubt { .. } => false,
        At::Cancelled | At::AutoClosedUnpaid | At::AutoClosedPaid | At::ClosedExternally | At::ReturnedAfterLevy => {
            false
        }
    }
}
