//! Papers (资料): files that people upload, and their submission to a provider.

pub(crate) mod upload;
pub(crate) mod check;
pub(crate) mod submit;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod view;

use crate::orders::load;
use crate::problem::Error;
use store::Instance;
use workflows::document::{Document, Input};

pub(crate) const WORKFLOW: &str = "document";

/// A submission's row with its input and state read.
pub(crate) struct Known {
    pub(crate) row: Instance,
    pub(crate) input: Input,
    pub(crate) state: Document,
}

impl Known {
    pub(crate) fn read(row: Instance) -> Result<Self, Error> {
        let (input, state) = (load(&row, &row.input)?, load(&row, &row.state)?);
        Ok(Self { row, input, state })
    }
}
