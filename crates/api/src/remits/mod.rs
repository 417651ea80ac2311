//! Remits: one split of an order, paid once and levied once.

pub(crate) mod view;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod permit;
pub(crate) mod pay_permit;
pub(crate) mod payout_results;
pub(crate) mod attest;
pub(crate) mod cancel;
pub(crate) mod proof;
pub(crate) mod evidence;

use crate::api::Api;
use crate::orders::load;
use crate::problem::Error;
use crate::role::Caller;
use domain::InstanceId;
use store::Instance;
use workflows::remit::{Input, Remit};

pub(crate) const WORKFLOW: &str = "remit";

/// A remit's row with its input and state read.
pub(crate) struct Known {
    pub(crate) row: Instance,
    pub(crate) input: Input,
    pub(crate) state: Remit,
}

impl Known {
    pub(crate) fn read(row: Instance) -> Result<Self, Error> {
        let (input, state) = (load(&row, &row.input)?, load(&row, &row.state)?);
        Ok(Self { row, input, state })
    }
}

/// A remit of the caller's tenant.
pub(crate) async fn find(api: &Api, caller: &Caller, id: InstanceId) -> Result<Known, Error> {
    Known::read(api.machine(caller, WORKFLOW, "remit", id).await?)
}
