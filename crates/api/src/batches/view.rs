//! A batch as people and programs see it.

use crate::api::Api;
use crate::batches::rows_in::{Judged, Tally};
use crate::batches::{Known, WORKFLOW};
use crate::orders::view::waits_for;
use crate::problem::{Error, FieldError};
use domain::{InstanceId, Money, Time};
use serde::{Deserialize, Serialize};
use store::RowError;
use utoipa::ToSchema;
use workflows::batch::Batch;

/// Row errors shown with a batch; all are under `/rows`.
const SHOWN: usize = 10_000;
const CHUNK: usize = 1_000;

/// One batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BatchView {
    /// Null for a dry run: nothing was stored.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(crate) id: Option<InstanceId>,
    /// `validating`, `approval`, `releasing`, `paused`, `done`.
    pub(crate) state: String,
    /// Good rows, and what they ask for in all.
    pub(crate) count: usize,
    #[schema(value_type = String)]
    pub(crate) sum: Money,
    /// Wrong rows; they do not hold up the good ones.
    pub(crate) wrong: usize,
    /// Good rows whose order exists already, with the same content.
    pub(crate) known: Option<usize>,
    /// Orders started so far.
    pub(crate) released: i64,
    pub(crate) errors: Vec<RowFault>,
    pub(crate) uploader: String,
    pub(crate) approved_by: Option<String>,
    pub(crate) waits_for: Option<String>,
    #[schema(value_type = Option<String>)]
    pub(crate) created_at: Option<Time>,
}

/// What is wrong with one field of one row.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct RowFault {
    /// As a spreadsheet counts: the header is row 1. In JSON the first order is 1.
    pub(crate) row: i64,
    pub(crate) field: String,
    pub(crate) code: String,
    /// 中文 / English.
    pub(crate) message: String,
    pub(crate) message_zh: String,
}

/// A dry run: as it would be.
pub(crate) fn dry(uploader: &str, judged: &[Judged], tally: &Tally) -> BatchView {
    BatchView {
        id: None,
        state: "validating".into(),
        count: tally.count,
        sum: tally.sum,
        wrong: tally.wrong,
        known: Some(tally.known),
        released: 0,
        errors: judged.iter().flat_map(faults_of).take(SHOWN).collect(),
        uploader: uploader.into(),
        approved_by: None,
        waits_for: None,
        created_at: None,
    }
}

fn faults_of(row: &Judged) -> impl Iterator<Item = RowFault> {
    let number = row.row;
    row.draft.as_ref().err().into_iter().flatten().map(move |fault| of(number, fault.clone()))
}

fn of(row: i64, fault: FieldError) -> RowFault {
    RowFault { row, field: fault.field, code: fault.code, message: fault.message, message_zh: fault.message_zh }
}

/// A stored one. `known` is counted at the upload only.
pub(crate) async fn view(api: &Api, batch: Known, known: Option<usize>) -> Result<BatchView, Error> {
    let sums = api.store().batch_sums(batch.row.id).await?;
    let errors = if sums.bad > 0 { errors(api, batch.row.id).await? } else { Vec::new() };
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    Ok(BatchView {
        id: Some(batch.row.id),
        waits_for: waits_for(WORKFLOW, &batch.row.input, &batch.row.state),
        state: batch.row.state_name,
        count: count(sums.good),
        sum: Money::from_fen(sums.amount_fen).map_err(|_| Error::Internal)?,
        wrong: count(sums.bad),
        known,
        released: sums.released,
        errors,
        uploader: batch.input.uploader,
        approved_by: approved_by(&batch.state).map(str::to_owned),
        created_at: Some(batch.row.created_at),
    })
}

async fn errors(api: &Api, batch: InstanceId) -> Result<Vec<RowFault>, Error> {
    let (mut faults, mut after) = (Vec::new(), -1);
    loop {
        let lines = api.store().batch_lines(batch, after, CHUNK).await?;
        let last = lines.len() < CHUNK;
        after = lines.last().map_or(after, |line| line.row);
        faults.extend(
            lines.into_iter().flat_map(|line| line.errors.into_iter().map(move |error| row_fault(line.row, error))),
        );
        if last || faults.len() >= SHOWN {
            faults.truncate(SHOWN);
            return Ok(faults);
        }
    }
}

pub(crate) fn row_fault(row: i64, error: RowError) -> RowFault {
    of(row, FieldError::new(&error.field, &error.code, &error.message, &error.message_zh))
}

fn approved_by(state: &Batch) -> Option<&str> {
    match state {
        Batch::Approval { approved_by } => approved_by.as_deref(),
        Batch::Releasing { approved_by, .. } | Batch::Paused { approved_by, .. } => Some(approved_by),
        Batch::Validating | Batch::Done { .. } => None,
    }
}
