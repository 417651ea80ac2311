//! Who waits for the signature: they hear of it, and of a failure, after which a person may invite again. The first invitation of all
//! answers for those that came after it.

use super::{At, Input, SignUp};
use crate::cases;
use crate::machine::{Cx, Next};
use crate::needs::{Waiter, met, unmet};
use domain::record::Write;
use serde_json::json;

impl SignUp {
    /// Somebody waits from now on. He is answered at once where there is an answer, and however often he asks.
    pub(super) fn wanted(mut self, waiter: Waiter) -> Next<Self> {
        let answer = self.at.says(&waiter);
        if !matches!(self.at, At::Signed { .. }) && !self.waiters.contains(&waiter) {
            self.waiters.push(waiter);
        }
        Next::to(self).and(answer)
    }

    /// After a transition, with what it is to those who wait.
    pub(super) fn told(before: &At, next: Next<At>, waiters: Vec<Waiter>, input: &Input) -> Next<Self> {
        let Next { state: at, mut writes } = next;
        if at.name() == before.name() {
            return Next { state: Self { at, waiters }, writes };
        }
        writes.extend(waiters.iter().filter_map(|waiter| at.says(waiter)));
        let signed = matches!(at, At::Signed { .. });
        if let (true, Some(again)) = (signed, &input.again) {
            writes.push(Write::Tell { to: again.of, event: json!("SignedAgain") });
        }
        // A failure is not the end: an invitation that comes after it may bring the signature.
        Next { state: Self { at, waiters: if signed { Vec::new() } else { waiters } }, writes }
    }
}

impl At {
    /// Another invitation to the same contract has brought the signature.
    pub(super) fn signed_again(self, cx: &Cx<'_>) -> Next<Self> {
        match self {
            At::Signed { .. } => Next::to(self),
            At::Inviting { .. }
            | At::Waiting { .. }
            | At::InDoubt { .. }
            | At::NotSigned { .. }
            | At::NeedsOperator { .. } => {
                Next::to(At::Signed { at: cx.now }).with(cases::close(&[], "signed by another invitation", cx))
            }
        }
    }

    fn says(&self, waiter: &Waiter) -> Option<Write> {
        match self {
            At::Signed { .. } => Some(met(waiter)),
            At::NotSigned { reason, .. } => Some(unmet(waiter, reason)),
            At::Inviting { .. } | At::Waiting { .. } | At::InDoubt { .. } | At::NeedsOperator { .. } => None,
        }
    }
}
