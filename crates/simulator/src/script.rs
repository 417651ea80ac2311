//! Orders for single cases: this fault for that call, this end for that payment. A script goes before the dice.

use crate::bank::Outcome;
use crate::faults::CallFault;
use crate::operation::Operation;
use serde::{Deserialize, Serialize};

/// Forces what happens to the next call that fits. `POST /_sim/olading/script`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OladingScript {
    /// Any interface when absent.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// A `request_id`, `order_id`, `batch_no` …, as the interface names its subject; any when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// How many calls, one by default.
    #[serde(default = "once")]
    pub times: u32,
    #[serde(default)]
    pub fault: Option<CallFault>,
    /// Refuse with this code, with no effect. Goes before `fault`.
    #[serde(default)]
    pub code: Option<String>,
    /// How the order that a CREATE makes will close.
    #[serde(default)]
    pub close_as: Option<CloseAs>,
}

/// Ways an order can CLOSE that the documents allow or do not exclude (P13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseAs {
    /// No remits, this reason.
    Rejected(String),
    /// No remits, no reason: in doubt.
    Bare,
    /// Remits and a reason: contradictory.
    Contradictory,
    /// The remits do not add up to what was asked (P06, F62).
    WrongSum,
    /// `fee + compensate_fee ≠ sum_fee` in each remit (F62).
    WrongFee,
    /// A status word that stands in no table (F56).
    UnknownWord,
    /// Stays in PROCESS for ever.
    Never,
}

/// Forces how payments end. `POST /_sim/bank/script`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankScript {
    /// Payments whose `bank_order_no` begins so; any when absent.
    #[serde(default)]
    pub bank_order_no: Option<String>,
    /// Payments to cards that end so; any when absent.
    #[serde(default)]
    pub payee_tail: Option<String>,
    pub outcome: Outcome,
    /// How many payments; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
}

const fn once() -> u32 {
    1
}

impl OladingScript {
    /// One call of `operation` suffers `fault`.
    pub fn fault(operation: Operation, fault: CallFault) -> Self {
        Self { operation: Some(operation), id: None, times: 1, fault: Some(fault), code: None, close_as: None }
    }

    /// One order closes like this.
    pub fn close(close_as: CloseAs) -> Self {
        Self {
            operation: Some(Operation::CreateOrderV2),
            id: None,
            times: 1,
            fault: None,
            code: None,
            close_as: Some(close_as),
        }
    }

    pub(crate) fn fits(&self, operation: Operation, id: &str) -> bool {
        // How an order closes is decided when it is made: another call must not use the script up.
        let meant = self.close_as.is_none() || operation == Operation::CreateOrderV2;
        // A fault that means nothing for this interface waits for one that it befalls.
        meant
            && self.fault.is_none_or(|fault| fault.fits(operation))
            && self.times > 0
            && self.operation.is_none_or(|o| o == operation)
            && self.id.as_deref().is_none_or(|wanted| wanted == id)
    }
}

impl BankScript {
    pub(crate) fn fits(&self, bank_order_no: &str, card: &str) -> bool {
        self.times != Some(0)
            && self.bank_order_no.as_deref().is_none_or(|prefix| bank_order_no.starts_with(prefix))
            && self.payee_tail.as_deref().is_none_or(|tail| card.ends_with(tail))
    }
}
