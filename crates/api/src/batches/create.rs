//! `POST /v1/batches`: a payday file. Wrong rows are named and do not hold up good ones; the same file again is the same batch.

use crate::api::Api;
use crate::batches::rows_in::{Tally, compare, judge, prepare, tally};
use crate::batches::table::{self, BatchBody};
use crate::batches::view::{BatchView, dry, view};
use crate::batches::{Known, WORKFLOW};
use crate::orders::draft::value;
use crate::problem::{Error, Problem};
use crate::read::{Params, media_type};
use crate::role::Caller;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use domain::InstanceId;
use engine::New;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{NewInstance, Submitted};
use utoipa::IntoParams;
use workflows::batch::{Batch, Input};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Check only: nothing is stored.
    pub(crate) dry_run: bool,
}

type Answer = (StatusCode, axum::Json<BatchView>);

/// Upload a batch: `text/csv` with a header row (UTF-8 with or without BOM, or GB18030), or JSON.
#[utoipa::path(post, path = "/v1/batches", tag = "batches", params(How),
    request_body(content((BatchBody = "application/json"), (String = "text/csv"))), responses(
    (status = 201, body = BatchView), (status = 200, description = "a dry run, or the same file as before", body = BatchView),
    (status = 400, description = "the file cannot be read; wrong rows are no refusal", body = Problem)))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Params(how): Params<How>,
    bytes: Bytes,
) -> Result<Answer, Error> {
    let csv = match media_type(&headers).as_deref() {
        Some("text/csv") => true,
        Some("application/json") => false,
        Some(_) | None => return Err(Error::MediaType("the body as text/csv or application/json")),
    };
    let digest = hex::encode(Sha256::digest(&bytes));
    if !how.dry_run
        && let Some(row) = api.store().instance_by_key(&caller.tenant, WORKFLOW, &digest).await?
    {
        return Ok((StatusCode::OK, axum::Json(view(&api, Known::read(row)?, None).await?)));
    }
    let (judging, tenant) = (api.clone(), caller.tenant.clone());
    // Tens of thousands of rows: not on a thread that serves others.
    let judged = tokio::task::spawn_blocking(move || {
        let lines = if csv { table::csv(&bytes) } else { table::json(&bytes) }?;
        Ok::<_, Error>(judge(&judging, &tenant, lines, csv))
    });
    let judged = judged.await.map_err(|_| Error::Internal)??;
    let judged = compare(&api, &caller, judged).await?;
    let sums = tally(&judged)?;
    if how.dry_run {
        return Ok((StatusCode::OK, axum::Json(dry(&caller.name, &judged, &sums))));
    }
    let batch = batch(&api, &caller, digest, &sums)?;
    let rows = prepare(&api, &caller, batch.id, judged).await?;
    let (status, id) = match api.store().put_batch(batch, rows).await? {
        Submitted::Created(id) => (StatusCode::CREATED, id),
        Submitted::Known(id) | Submitted::Differs(id) => (StatusCode::OK, id),
    };
    api.engine().bell.ring();
    answer(&api, &caller, status, id, sums.known).await
}

async fn answer(api: &Api, caller: &Caller, status: StatusCode, id: InstanceId, known: usize) -> Result<Answer, Error> {
    if status == StatusCode::CREATED {
        api.act(caller, "batch.uploaded", id, json!({})).await?;
    }
    let batch = super::find(api, caller, id).await?;
    Ok((status, axum::Json(view(api, batch, Some(known)).await?)))
}

/// The batch's own machine. Its business key is the file: the same file again is the same batch.
fn batch(api: &Api, caller: &Caller, digest: String, sums: &Tally) -> Result<NewInstance, Error> {
    let input = Input {
        uploader: caller.name.clone(),
        digest: digest.clone(),
        count: sums.count,
        sum: sums.sum,
        wrong: sums.wrong,
    };
    let new = New {
        workflow: WORKFLOW.into(),
        tenant: caller.tenant.clone(),
        // It calls nobody.
        account: "-".into(),
        business_key: digest.clone(),
        content_hash: digest,
        input: value(&input)?,
        state: value(&Batch::Validating)?,
        ..New::default()
    };
    Ok(api.engine().prepare(new)?)
}
