//! Orders: one person, one amount, one levy order at the provider.

pub(crate) mod body;
pub(crate) mod draft;
pub(crate) mod limit;
pub(crate) mod view;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod get;
pub(crate) mod timeline;
mod words;
pub(crate) mod cancel;
pub(crate) mod release;
pub(crate) mod replace;

use crate::problem::Error;
use serde::de::DeserializeOwned;
use store::Instance;
use workflows::levy_order::{Input, Order};

pub(crate) const WORKFLOW: &str = "levy_order";

/// An order's row with its input and state read.
pub(crate) struct Known {
    pub(crate) row: Instance,
    pub(crate) input: Input,
    pub(crate) state: Order,
}

impl Known {
    pub(crate) fn read(row: Instance) -> Result<Self, Error> {
        let (input, state) = (load(&row, &row.input)?, load(&row, &row.state)?);
        Ok(Self { row, input, state })
    }
}

/// Part of a row as its machine's type. One that does not load is quarantined by the engine, with a case.
pub(crate) fn load<T: DeserializeOwned>(row: &Instance, part: &serde_json::Value) -> Result<T, Error> {
    T::deserialize(part).map_err(|error| {
        tracing::error!(%error, instance = %row.id, "a row does not load");
        Error::Internal
    })
}
