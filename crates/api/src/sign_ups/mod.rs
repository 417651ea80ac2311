//! Sign-ups: one person, one counterparty, one kind of contract.

pub(crate) mod draft;
pub(crate) mod view;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod table;
pub(crate) mod get;
pub(crate) mod invite_again;

use crate::orders::load;
use crate::problem::Error;
use store::Instance;
use workflows::sign_up::{Input, SignUp};

pub(crate) const WORKFLOW: &str = "sign_up";

/// A sign-up's row with its input and state read.
pub(crate) struct Known {
    pub(crate) row: Instance,
    pub(crate) input: Input,
    pub(crate) state: SignUp,
}

impl Known {
    pub(crate) fn read(row: Instance) -> Result<Self, Error> {
        let (input, state) = (load(&row, &row.input)?, load(&row, &row.state)?);
        Ok(Self { row, input, state })
    }
}
