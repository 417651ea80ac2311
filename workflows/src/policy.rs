//! What an account's settings and the freeze switches allow.

use domain::Money;
use serde::{Deserialize, Serialize};

/// An account's answers to the provider's open questions, as far as they decide about money (protocols.md §5, safety.md §11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// 由谁付款: must be said explicitly before a production host's permits are issued (§15.0).
    pub payer: Option<String>,
    pub levied_proof: LeviedProof,
    pub levied_terminal_status: LeviedTerminal,
    pub cancel_never_permitted: CancelNeverPermitted,
    pub gross_sum_check: SumCheck,
    /// Per split, in fen.
    pub gross_sum_tolerance_fen: i64,
    /// 总服务费 may not exceed this share of the amount, in basis points.
    pub fee_cap_basis_points: Option<i64>,
    /// Longest name the provider takes, in characters (P11, TR16).
    pub name_max_chars: usize,
    pub month_edge: Guard,
    /// What one person is paid at most in a tax month at one location, as advice: an order over it is held (000 §2.3.5, P08).
    pub month_limit: Option<Money>,
    /// Whether the batch query tells of the contract that is invited to under an id of ours.
    pub sign_up_query_covers_sync_sign: bool,
    /// The contract that a person must have signed with the order's party before the order is sent.
    pub require_sign_up: Option<SignUpKind>,
    /// Whether an order whose person has not been invited does so itself.
    pub start_sign_ups: bool,
    /// Whether the provider must have the person's ID card before the order is sent (000 §2.10 R5: operations say whether it is needed).
    pub require_id_card: bool,
    /// Days after a payment within which its voucher must be with the provider (P37); `None`: nobody asks for it.
    pub voucher_days: Option<u32>,
    /// Which calendar of `params/banks.toml` the payer's bank keeps.
    pub bank_channel: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            payer: None,
            levied_proof: LeviedProof::BeforeDeadline,
            levied_terminal_status: LeviedTerminal::Either,
            cancel_never_permitted: CancelNeverPermitted::PayCutoff,
            gross_sum_check: SumCheck::Hold,
            gross_sum_tolerance_fen: 0,
            fee_cap_basis_points: None,
            name_max_chars: 10,
            month_edge: Guard::Warn,
            month_limit: None,
            sign_up_query_covers_sync_sign: false,
            require_sign_up: None,
            start_sign_ups: true,
            require_id_card: false,
            voucher_days: None,
            bank_channel: "always".into(),
        }
    }
}

/// What proves that a `CLOSE` after an acknowledged CONTINUE is a levy (safety.md §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeviedProof {
    BeforeDeadline,
    SeenRunning,
    Acknowledged,
}

/// Which status ends a levy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeviedTerminal {
    Close,
    Remit,
    Either,
}

/// When a remit that never had a permit is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelNeverPermitted {
    PayCutoff,
    AfterStatement,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SumCheck {
    Hold,
    Warn,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    Warn,
    Hold,
}

/// Which contract (000 §2.1, §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUpKind {
    /// 商户签约.
    SyncSign,
    /// 签约.
    SignUp,
}

/// One direction of movement; each freezes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Create,
    Pay,
    Confirm,
    Cancel,
}

/// The freeze switches in force, as `(scope, create, pay, confirm, cancel)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freezes(pub Vec<Switch>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// `all`, `account:NAME`, `tenant:NAME`, `location:ID`.
    pub scope: String,
    pub create: bool,
    pub pay: bool,
    pub confirm: bool,
    pub cancel: bool,
}

impl Freezes {
    /// Whether a movement is frozen for an instance. Freezing confirm freezes pay too: what cannot be confirmed must not be paid.
    pub fn frozen(&self, direction: Direction, account: &str, tenant: &str, location: Option<&str>) -> bool {
        let covers = |scope: &str| match scope.split_once(':') {
            None => scope == "all",
            Some(("account", name)) => name == account,
            Some(("tenant", name)) => name == tenant,
            Some(("location", id)) => Some(id) == location,
            Some(_) => false,
        };
        let stops = |switch: &Switch| match direction {
            Direction::Create => switch.create,
            Direction::Pay => switch.pay || switch.confirm,
            Direction::Confirm => switch.confirm,
            Direction::Cancel => switch.cancel,
        };
        self.0.iter().any(|switch| covers(&switch.scope) && stops(switch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_acts_in_its_direction_and_scope_only() {
        let pay = Switch { scope: "account:main".into(), create: false, pay: true, confirm: false, cancel: false };
        let freezes = Freezes(vec![pay]);
        assert!(freezes.frozen(Direction::Pay, "main", "t", None));
        assert!(!freezes.frozen(Direction::Confirm, "main", "t", None), "confirms continue");
        assert!(!freezes.frozen(Direction::Pay, "other", "t", None));
        let confirm = Freezes(vec![Switch {
            scope: "location:2001".into(),
            create: false,
            pay: false,
            confirm: true,
            cancel: false,
        }]);
        assert!(confirm.frozen(Direction::Pay, "main", "t", Some("2001")), "freezing confirm freezes pay");
        assert!(!confirm.frozen(Direction::Pay, "main", "t", Some("2002")));
    }
}
