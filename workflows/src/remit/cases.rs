//! What people are told beside the state, and the three ways out of the ordinary course: parked, contradicted, at rest.

use super::facts::{At, Input, Why};
use super::{Remit, Tell};
use crate::cases;
use crate::doubt::Doubt;
use crate::machine::{Cx, Next};
use crate::policy::Direction;
use domain::Time;
use domain::record::{Severity, Write};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// An evidenced remit that is not confirmed after this long is told of (I2: within the hour).
const CONFIRM_TELL: Duration = Duration::from_secs(50 * 60);

/// Questions about an attempt, answered by its end.
pub(super) const OF_ATTEMPT: &[&str] = &[
    "payout_in_doubt",
    "deadline_near",
    "may_be_paid_without_levy",
    "paid_amount_mismatch",
    "paid_payee_mismatch",
    "paid_at_out_of_range",
];
/// Questions about a CONTINUE, answered once the levy runs.
pub(super) const OF_CONFIRMING: &[&str] =
    &["deadline_near", "in_doubt", "decision_in_vain", "confirm_frozen", "paid_at_ahead"];
/// Questions that two persons' verdict on the levy answers.
pub(super) const OF_A_VERDICT: &[&str] =
    &["contradiction", "levy_unproven", "auto_closed_paid", "confirm_refused", "cancel_refused", "internal_fault"];
/// Incidents on record. They ask nothing of the remit, so that two persons may close them whatever it does.
pub(super) const NOTES: &[&str] = &[
    "paid_twice",
    "payment_without_permit",
    // Beside a live attempt. Its question comes again when that ends (`attempt_over`).
    "paid_after_final",
    "cancelled_paid",
    "contradictory_report",
    "returned_unlevied",
    "returned_after_levy",
    "closed_externally",
];
/// Questions that the end of a remit answers, whatever it is. What is left then is an incident.
const OF_THE_WAY: &[&str] = &[
    "deadline_near",
    "in_doubt",
    "decision_in_vain",
    "confirm_frozen",
    "paid_at_ahead",
    "payout_in_doubt",
    "may_be_paid_without_levy",
    "paid_amount_mismatch",
    "paid_payee_mismatch",
    "paid_at_out_of_range",
    "levy_running_too_long",
    "continue_not_applied",
    "confirmed_past_deadline",
    "stale_notice",
    "unknown_status",
    "card_changed",
    "quote_mismatch",
    "our_order_missing_at_provider",
];

impl Remit {
    /// The escalation ladder of the present state (safety.md §5): times at which a person is told.
    fn ladder(&self, input: &Input) -> Vec<Time> {
        let before = |hours: u32| input.deadline - HOUR * hours;
        let (since, mut rungs) = if let At::PayoutInDoubt { since, .. } = &self.at {
            (*since, vec![before(12), before(4), before(1), input.deadline])
        } else if matches!(&self.at, At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. }) {
            let since = self.facts.proof.as_ref().map_or(input.deadline, |proof| proof.since);
            (since, vec![since + CONFIRM_TELL, before(30), before(12), before(4), before(1), input.deadline])
        } else {
            return Vec::new();
        };
        rungs.retain(|rung| *rung > since);
        rungs.sort_unstable();
        rungs
    }

    fn next_rung(&self, input: &Input) -> Option<Time> {
        self.ladder(input).get(self.facts.rungs).copied()
    }

    fn levy_late_at(&self, cx: &Cx<'_>) -> Option<Time> {
        let At::Levying { since, .. } = &self.at else { return None };
        (!self.facts.told.contains(&Tell::LevyLate)).then(|| *since + cx.params.levying_limit)
    }

    /// `at`, or the time before it at which a person must be told.
    pub(super) fn told_by(&self, at: Time, input: &Input, cx: &Cx<'_>) -> Time {
        [self.next_rung(input), self.levy_late_at(cx)].into_iter().flatten().fold(at, Time::min)
    }

    /// What a person must be told now, if anything.
    pub(super) fn due_tell(&self, input: &Input, cx: &Cx<'_>) -> Option<Tell> {
        if self.next_rung(input).is_some_and(|rung| cx.now >= rung) {
            return Some(Tell::DeadlineNear);
        }
        if self.levy_late_at(cx).is_some_and(|late| cx.now >= late) {
            return Some(Tell::LevyLate);
        }
        let stopped = matches!(self.at, At::Paid | At::Confirming { .. }) && self.frozen(Direction::Confirm, input, cx);
        (stopped && !self.facts.told.contains(&Tell::ConfirmFrozen)).then_some(Tell::ConfirmFrozen)
    }

    pub(super) fn told(mut self, tell: Tell, input: &Input, cx: &Cx<'_>) -> Option<Next<Self>> {
        if self.due_tell(input, cx) != Some(tell) {
            return None;
        }
        let left = input.deadline.since(cx.now);
        let severity = if left <= HOUR * 4 { Severity::Critical } else { Severity::High };
        let case = match tell {
            Tell::DeadlineNear => {
                self.facts.rungs = self.ladder(input).iter().filter(|rung| **rung <= cx.now).count();
                let in_doubt = matches!(self.at, At::PayoutInDoubt { .. });
                let moves: &[&str] = if in_doubt { &["paid", "not_paid"] } else { &[] };
                self.case("deadline_near", severity, moves, json!({"hours_left": left.as_secs() / 3600}), input, cx)
            }
            Tell::LevyLate => {
                self.case("levy_running_too_long", Severity::High, &["levied", "closed"], json!({}), input, cx)
            }
            Tell::ConfirmFrozen => self.case("confirm_frozen", severity, &[], json!({}), input, cx),
        };
        if tell != Tell::DeadlineNear {
            self.facts.told.push(tell);
        }
        Some(Next::to(self).with(case))
    }

    /// A case about this remit.
    pub(super) fn case(
        &self,
        kind: &str,
        severity: Severity,
        moves: &[&str],
        facts: Value,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Write {
        cases::open(kind, severity, moves, self.known(facts, input), cx)
    }

    /// Whether this is new: a word repeated a hundred times is one case.
    pub(super) fn first_time(&mut self, what: String) -> bool {
        let new = !self.facts.noted.contains(&what);
        if new {
            self.facts.noted.push(what);
        }
        new
    }

    fn known(&self, mut facts: Value, input: &Input) -> Value {
        facts["state"] = json!(self.at.name());
        facts["provider_order_id"] = json!(input.provider_order_id);
        facts["amount"] = json!(input.amount);
        facts["deadline"] = json!(input.deadline);
        facts
    }

    /// Parks it: a person settles what no rule may. A remit at rest stays there, and one that is parked keeps its question.
    pub(super) fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let group = matches!(why, Why::LevyUnproven)
            .then(|| format!("levy_unproven/{}/{}", cx.account, cx.now.beijing().day()));
        let facts = json!({"why": why.words(), "state": self.at.name()});
        let case = cases::open_in(group, why.kind(), Severity::High, why.moves(self.facts.revised), facts, cx);
        if self.at.resting() || matches!(self.at, At::NeedsOperator { .. }) {
            return Next::to(self).with(case);
        }
        let refusal = self.refuse_waiting("not_payable", "the remit is parked for a person");
        let back = Box::new(self.at.clone().set_aside(cx));
        self.go(At::NeedsOperator { why, back }).with(case).and(refusal)
    }

    /// Facts that cannot both be true. An attempt that is live stays so: its report finds its place.
    pub(super) fn contradict(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let facts = json!({"why": why, "state": self.at.name()});
        let case = cases::open("contradiction", Severity::Critical, &["levied", "closed"], facts, cx);
        let refusal = self.refuse_waiting("not_payable", "what the provider shows contradicts what we know");
        let payout = self.live_payout().cloned();
        self.go(At::Contradicted { why: why.into(), payout }).with(case).and(refusal)
    }

    /// At rest: the order is told, and questions that answered themselves are closed.
    pub(super) fn finish(self, at: At, cx: &Cx<'_>) -> Next<Self> {
        let state = at.name();
        let told = cx
            .parent
            .map(|order| Write::Tell { to: order, event: json!({"RemitDone": {"remit": cx.me, "state": state}}) });
        let refusal = self.refuse_waiting("not_payable", "the remit is over");
        self.go(at).and(told).with(cases::close(OF_THE_WAY, state, cx)).and(refusal)
    }

    /// Non-payment is proved, so even a parked remit can be cancelled (safety.md §9).
    pub(super) fn cancellable_parked(&self) -> bool {
        let At::NeedsOperator { why, back } = &self.at else { return false };
        let question_of_money = matches!(why, Why::PaidAfterFinal | Why::Bug(_)) || self.facts.paid_after_final;
        matches!(**back, At::Open { .. } | At::GateClosed { .. }) && !question_of_money && self.facts.proof.is_none()
    }
}

impl At {
    /// How often our decision has left, or is about to.
    pub(super) fn sends(&self) -> u32 {
        if let At::Confirming { sends, .. }
        | At::ConfirmInDoubt { sends, .. }
        | At::Cancelling { sends }
        | At::CancelInDoubt { sends, .. } = self
        {
            return *sends;
        }
        1
    }

    /// As a parked remit keeps it. What was about to be sent may have been sent: on the way back it is proved before anything
    /// goes again (S-G).
    pub(super) fn set_aside(self, cx: &Cx<'_>) -> At {
        let doubt = |sends| Doubt::new(cx.now, cx.now, sends);
        if let At::Confirming { sends, .. } = self {
            At::ConfirmInDoubt { doubt: doubt(sends), sends, refusal: None, acknowledged: false }
        } else if let At::Cancelling { sends } = self {
            At::CancelInDoubt { doubt: doubt(sends), sends, refusal: None }
        } else if matches!(self, At::Open { .. }) {
            At::Open { ask: None }
        } else {
            self
        }
    }
}
