//! Batches: a payday file, checked row by row, approved by a second person, released row by row.

pub(crate) mod table;
pub(crate) mod rows_in;
pub(crate) mod view;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod rows;
pub(crate) mod approve;
pub(crate) mod release;
pub(crate) mod pause;
pub(crate) mod pay_permits;

use crate::api::{Api, Deed};
use crate::orders::load;
use crate::problem::Error;
use crate::role::Caller;
use domain::InstanceId;
use serde_json::Value;
use std::time::Duration;
use store::Instance;
use tokio::time::{Instant, sleep};
use workflows::batch::{Batch, Input};

pub(crate) const WORKFLOW: &str = "batch";

/// How long a wish waits for the batch's turn, so that the next wish finds its effect.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// A batch's row with its input and state read.
pub(crate) struct Known {
    pub(crate) row: Instance,
    pub(crate) input: Input,
    pub(crate) state: Batch,
}

impl Known {
    pub(crate) fn read(row: Instance) -> Result<Self, Error> {
        let (input, state) = (load(&row, &row.input)?, load(&row, &row.state)?);
        Ok(Self { row, input, state })
    }
}

/// A batch of the caller's tenant.
pub(crate) async fn find(api: &Api, caller: &Caller, id: InstanceId) -> Result<Known, Error> {
    Known::read(api.machine(caller, WORKFLOW, "batch", id).await?)
}

/// A batch whose rows are stored and whose turn to be approved has come.
async fn validated(api: &Api, caller: &Caller, id: InstanceId) -> Result<Known, Error> {
    let batch = wait(api, caller, id, |state| *state != Batch::Validating).await?;
    if batch.state == Batch::Validating {
        return Err(Error::later("validating", "the batch is still being checked: try again"));
    }
    Ok(batch)
}

/// Tells a batch what somebody wants, and gives its turn a moment to do it.
async fn want(
    api: &Api,
    caller: &Caller,
    deed: &Deed,
    id: InstanceId,
    event: Value,
    done: impl Fn(&Batch) -> bool,
) -> Result<Known, Error> {
    api.tell(caller, deed, id, event).await?;
    wait(api, caller, id, done).await
}

async fn wait(api: &Api, caller: &Caller, id: InstanceId, until: impl Fn(&Batch) -> bool) -> Result<Known, Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        let batch = find(api, caller, id).await?;
        if until(&batch.state) || Instant::now() >= end {
            return Ok(batch);
        }
        sleep(LOOK).await;
    }
}
