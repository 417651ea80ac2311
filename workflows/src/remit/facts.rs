//! What a remit was started with, what is known about it, and where it stands.

use super::{Remit, Tell};
use crate::doubt::{Doubt, decaying};
use crate::machine::{Cx, Next};
use crate::payout::Payout;
use domain::record::{Move, OpenCase, Severity, Write};
use domain::{InstanceId, Money, ProviderOrderId, Refusal, RequestId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3600);
/// An evidenced remit that is not confirmed after this long is told of (I2: within the hour).
const CONFIRM_TELL: Duration = Duration::from_secs(50 * 60);

/// The split as the provider quoted it, with the order's times. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub order: InstanceId,
    pub request_id: RequestId,
    pub person: Uuid,
    pub provider_order_id: ProviderOrderId,
    pub tax_agent_location_id: String,
    /// 个人实得: exactly this is paid.
    pub amount: Money,
    pub fee: Money,
    pub compensate_fee: Money,
    pub sum_fee: Money,
    pub actual_amount: Money,
    /// The only remit of its order: a queried `arising_time` is then this remit's.
    pub unsplit: bool,
    /// The earliest moment from which the provider may count its 72 h.
    pub first_sent: Time,
    pub accept_time: Time,
    pub deadline: Time,
    pub pay_cutoff: Time,
}

/// Everything learned so far that outlives a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The split adds up, or two persons accepted it (P06).
    pub quote_ok: bool,
    /// A close notice came; the close time it named.
    pub notice: Option<Time>,
    /// When to look at the provider's order next, and how many looks were in vain since the last good one.
    pub look_at: Time,
    pub looks: u32,
    /// Permits issued so far.
    pub attempts: u32,
    /// Attempts that are over, as they ended.
    pub ended: Vec<Payout>,
    pub proof: Option<Proof>,
    /// 退票 came after the decision.
    pub returned: bool,
    /// PROCESS or REMIT was observed after our CONTINUE.
    pub running: bool,
    pub decided_at: Option<Time>,
    /// Rungs of the ladder already climbed in this state.
    pub rungs: usize,
    pub told: Vec<Tell>,
}

/// PaymentEvidence as the state remembers it; the row is in `evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub evidence: Uuid,
    pub permit: Option<Uuid>,
    pub paid_at: Time,
    pub bank_serial: String,
    pub since: Time,
}

/// How the provider's side came to be closed without our decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Near or past D: the 72 h job.
    Automatically,
    /// Well before D: somebody else.
    Externally,
}

/// Why a person must settle it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A status in no table.
    UnknownStatus(String),
    ConfirmRefused(Refusal),
    CancelRefused(Refusal),
    /// Closed after our acknowledged CONTINUE, and the account's proof of levy is missing.
    LevyUnproven,
    /// "Paid" came for an attempt that was bank-final failed or attested unused.
    PaidAfterFinal,
    /// An arrow is missing or a constraint refused the commit.
    Bug(String),
}

/// Where it stands; names as they print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// May be paid: no permit is out. `ask`: a payer waits for the live query.
    Open {
        ask: Option<Uuid>,
    },
    /// A permit is out.
    Permitted(Payout),
    /// A bank channel of ours has sent the instruction.
    Paying(Payout),
    /// Nobody knows whether it was paid. `closed`: and the provider has closed its side.
    PayoutInDoubt {
        payout: Payout,
        since: Time,
        closed: Option<Provider>,
    },
    /// Final evidence is stored; a live query comes before CONTINUE.
    Paid,
    /// The decision CONTINUE is stored and may be sent; the live query is from `seen_real` (real time).
    Confirming {
        sends: u32,
        seen_real: Time,
    },
    ConfirmInDoubt {
        doubt: Doubt,
        sends: u32,
        refusal: Option<Refusal>,
        acknowledged: bool,
    },
    /// CONTINUE is applied: acknowledged, or observed running.
    Levying {
        since: Time,
        sent_at: Time,
        acknowledged: bool,
        doubt: Doubt,
    },
    Levied {
        at: Time,
    },
    /// No permit will ever be issued again. `wanted_gone`: a person or the order asked for it.
    GateClosed {
        since: Time,
        wanted_gone: bool,
    },
    /// The decision CANCEL is stored and may be sent.
    Cancelling {
        sends: u32,
    },
    CancelInDoubt {
        doubt: Doubt,
        sends: u32,
        refusal: Option<Refusal>,
    },
    Cancelled,
    AutoClosedUnpaid,
    /// Paid, and closed without a levy: to be levied again (补征).
    AutoClosedPaid,
    ClosedExternally,
    /// Facts that cannot both be true.
    Contradicted {
        why: String,
    },
    /// 退票 after the levy.
    ReturnedAfterLevy,
    /// Parked with a case; `back` is where a resolved question leads.
    NeedsOperator {
        why: Why,
        back: Box<At>,
    },
}

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
            At::Contradicted { why } => format!("a person to settle a contradiction: {why}"),
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

    fn kind(&self) -> &'static str {
        match self {
            Why::UnknownStatus(_) => "unknown_status",
            Why::ConfirmRefused(_) => "confirm_refused",
            Why::CancelRefused(_) => "cancel_refused",
            Why::LevyUnproven => "levy_unproven",
            Why::PaidAfterFinal => "paid_after_final",
            Why::Bug(_) => "internal_fault",
        }
    }

    fn moves(&self) -> &'static [&'static str] {
        match self {
            Why::UnknownStatus(_) | Why::Bug(_) => &["retry"],
            Why::ConfirmRefused(_) => &["resend_corrected", "closed"],
            Why::CancelRefused(_) => &["retry", "closed"],
            Why::LevyUnproven => &["levied", "closed"],
            Why::PaidAfterFinal => &["paid", "not_paid"],
        }
    }
}

/// What a move takes (safety.md §11): money and tax need evidence and a second person; looking again needs neither.
pub fn needs(name: &str) -> Move {
    let needs: &[&str] = match name {
        "levied" | "closed" | "paid" | "resend_corrected" => &["evidence", "second_person"],
        "not_paid" | "accept_remits" | "cancel_each" | "abandon" => &["second_person"],
        _ => &[],
    };
    Move { name: name.into(), needs: needs.iter().map(|n| (*n).to_owned()).collect() }
}

impl Facts {
    pub fn new(quote_ok: bool, look_at: Time) -> Self {
        let (ended, told) = (Vec::new(), Vec::new());
        Self {
            quote_ok,
            notice: None,
            look_at,
            looks: 0,
            attempts: 0,
            ended,
            proof: None,
            returned: false,
            running: false,
            decided_at: None,
            rungs: 0,
            told,
        }
    }

    /// The next look after `looks` in vain.
    pub fn look(&mut self, looks: u32, cx: &Cx<'_>) {
        self.looks = looks;
        self.look_at = cx.now + decaying(looks);
    }
}

impl Remit {
    /// The escalation ladder of the present state (safety.md §5): times at which a person is told.
    fn ladder(&self, input: &Input) -> Vec<Time> {
        let before = |hours: u32| input.deadline - HOUR * hours;
        let (since, mut rungs) = match &self.at {
            At::PayoutInDoubt { since, .. } => (*since, vec![before(12), before(4), before(1), input.deadline]),
            At::Paid | At::Confirming { .. } | At::ConfirmInDoubt { .. } => {
                let since = self.facts.proof.as_ref().map_or(input.deadline, |proof| proof.since);
                (since, vec![since + CONFIRM_TELL, before(30), before(12), before(4), before(1), input.deadline])
            }
            _ => return Vec::new(),
        };
        rungs.retain(|rung| *rung > since);
        rungs.sort_unstable();
        rungs
    }

    pub(super) fn next_rung(&self, input: &Input, _cx: &Cx<'_>) -> Option<Time> {
        self.ladder(input).get(self.facts.rungs).copied()
    }

    /// What a person must be told now, if anything.
    pub(super) fn due_tell(&self, input: &Input, cx: &Cx<'_>) -> Option<Tell> {
        if self.next_rung(input, cx).is_some_and(|rung| cx.now >= rung) {
            return Some(Tell::DeadlineNear);
        }
        let late = matches!(&self.at, At::Levying { since, .. } if cx.now >= *since + cx.params.levying_limit);
        if late && !self.facts.told.contains(&Tell::LevyLate) {
            return Some(Tell::LevyLate);
        }
        let stopped = matches!(self.at, At::Paid | At::Confirming { .. })
            && cx.freezes.frozen(
                crate::policy::Direction::Confirm,
                cx.account,
                cx.tenant,
                Some(&input.tax_agent_location_id),
            );
        (stopped && !self.facts.told.contains(&Tell::ConfirmFrozen)).then_some(Tell::ConfirmFrozen)
    }

    pub(super) fn told(mut self, tell: Tell, input: &Input, cx: &Cx<'_>) -> Next<Self> {
        let left = input.deadline.since(cx.now);
        let severity = if left <= HOUR * 4 { Severity::Critical } else { Severity::High };
        let case = match tell {
            Tell::DeadlineNear => {
                self.facts.rungs = self.ladder(input).iter().filter(|rung| **rung <= cx.now).count();
                let moves: &[&str] =
                    if matches!(self.at, At::PayoutInDoubt { .. }) { &["paid", "not_paid"] } else { &[] };
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
        Next::to(self).with(case)
    }

    /// A case about this remit.
    pub(super) fn case(
        &self,
        kind: &str,
        severity: Severity,
        moves: &[&str],
        mut facts: Value,
        input: &Input,
        cx: &Cx<'_>,
    ) -> Write {
        facts["state"] = json!(self.at.name());
        facts["provider_order_id"] = json!(input.provider_order_id);
        facts["amount"] = json!(input.amount);
        facts["deadline"] = json!(input.deadline);
        Self::case_of(kind, severity, moves, facts, None, cx)
    }

    pub(super) fn case_of(
        kind: &str,
        severity: Severity,
        moves: &[&str],
        facts: Value,
        group: Option<String>,
        cx: &Cx<'_>,
    ) -> Write {
        Write::OpenCase(OpenCase {
            id: domain::ids::derive(cx.now, cx.me.0, &format!("case/{kind}")),
            kind: kind.into(),
            severity,
            owner_role: if severity == Severity::Critical { "finance".into() } else { "operations".into() },
            opened_at: cx.now,
            sla_at: cx.now + cx.params.case_sla,
            moves: moves.iter().map(|name| needs(name)).collect(),
            facts,
            group,
        })
    }

    pub(super) fn close_cases(kinds: &[&str], how: &str, cx: &Cx<'_>) -> Write {
        Write::CloseCases { kinds: kinds.iter().map(|k| (*k).to_owned()).collect(), how: how.into(), at: cx.now }
    }

    /// Parks it: a person settles what no rule may.
    pub(super) fn park(self, why: Why, cx: &Cx<'_>) -> Next<Self> {
        let group = matches!(why, Why::LevyUnproven)
            .then(|| format!("levy_unproven/{}/{}", cx.account, cx.now.beijing().day()));
        let facts = json!({"why": why.words(), "state": self.at.name()});
        let case = Self::case_of(why.kind(), Severity::High, why.moves(), facts, group, cx);
        let refusal = self.refuse_waiting("not_payable", "the remit is parked for a person");
        let back = match self.at.clone() {
            At::NeedsOperator { back, .. } => back,
            At::Open { .. } => Box::new(At::Open { ask: None }),
            at => Box::new(at),
        };
        self.go(At::NeedsOperator { why, back }).with(case).and(refusal)
    }

    pub(super) fn contradict(self, why: &str, cx: &Cx<'_>) -> Next<Self> {
        let facts = json!({"why": why, "state": self.at.name()});
        let case = Self::case_of("contradiction", Severity::Critical, &["levied", "closed"], facts, None, cx);
        let refusal = self.refuse_waiting("not_payable", "what the provider shows contradicts what we know");
        self.go(At::Contradicted { why: why.into() }).with(case).and(refusal)
    }

    /// At rest: the order is told, and questions that answered themselves are closed.
    pub(super) fn finish(self, at: At, cx: &Cx<'_>) -> Next<Self> {
        let state = at.name();
        let told = cx
            .parent
            .map(|order| Write::Tell { to: order, event: json!({"RemitDone": {"remit": cx.me, "state": state}}) });
        let answered = [
            "deadline_near",
            "confirm_frozen",
            "levy_running_too_long",
            "payout_in_doubt",
            "may_be_paid_without_levy",
            "stale_notice",
        ];
        let closed = Self::close_cases(&answered, state, cx);
        let refusal = self.refuse_waiting("not_payable", "the remit is over");
        self.go(at).and(told).with(closed).and(refusal)
    }

    /// Non-payment is proved, so even a parked remit is cancelled at its cut-off (safety.md §9).
    pub(super) fn may_cancel_parked(&self, input: &Input, cx: &Cx<'_>) -> bool {
        let At::NeedsOperator { why, back } = &self.at else { return false };
        let question_of_money = matches!(why, Why::PaidAfterFinal | Why::Bug(_));
        matches!(**back, At::Open { .. })
            && !question_of_money
            && self.facts.proof.is_none()
            && cx.now >= input.pay_cutoff
    }
}
