//! What a remit was started with, what is known about it, and where it stands.

use super::Tell;
use crate::doubt::{Doubt, decaying};
use crate::machine::Cx;
use crate::payout::Payout;
use domain::{InstanceId, Money, ProviderOrderId, Refusal, RequestId, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// The pay gate is closed, for ever.
    #[serde(default)]
    pub gate_shut: bool,
    /// Cancel was asked: no further permit, and CANCEL as soon as non-payment is proved.
    #[serde(default)]
    pub unwanted: bool,
    /// The one revision of the decision has been made (S-E).
    #[serde(default)]
    pub revised: bool,
    /// An attempt that was over is said to be paid, and another one was live: no further permit before people have settled it.
    #[serde(default)]
    pub paid_after_final: bool,
    /// Odd words that have their case already.
    #[serde(default)]
    pub noted: Vec<String>,
    /// Evidence without a permit was brought, and waits for its second person: until then nothing is cancelled (safety.md §11).
    #[serde(default)]
    pub brought: Option<Time>,
    /// The cases in which it waits.
    #[serde(default)]
    pub brought_in: Vec<Uuid>,
}

/// PaymentEvidence as the state remembers it; the row is in `evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub evidence: Uuid,
    pub permit: Option<Uuid>,
    pub paid_at: Time,
    pub bank_serial: String,
    pub since: Time,
    /// The voucher that this payment owes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<InstanceId>,
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
        /// An attempt that was live then: its report must still find its place.
        #[serde(default)]
        payout: Option<Payout>,
    },
    /// 退票 after the levy.
    ReturnedAfterLevy,
    /// Parked with a case; `back` is where a resolved question leads.
    NeedsOperator {
        why: Why,
        back: Box<At>,
    },
}

impl Facts {
    pub fn new(quote_ok: bool, look_at: Time) -> Self {
        Self {
            quote_ok,
            notice: None,
            look_at,
            looks: 0,
            attempts: 0,
            ended: Vec::new(),
            proof: None,
            returned: false,
            running: false,
            decided_at: None,
            rungs: 0,
            told: Vec::new(),
            gate_shut: false,
            unwanted: false,
            revised: false,
            paid_after_final: false,
            noted: Vec::new(),
            brought: None,
            brought_in: Vec::new(),
        }
    }

    /// The next look after `looks` in vain.
    pub fn look(&mut self, looks: u32, cx: &Cx<'_>) {
        self.looks = looks;
        self.look_at = cx.now + decaying(looks);
    }
}
