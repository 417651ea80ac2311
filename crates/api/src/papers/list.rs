//! `GET /v1/document-submissions`: submissions, newest first. Those that wait for a person have the state `needs_operator`.

use crate::api::Api;
use crate::listing::Listing;
use crate::page::Page;
use crate::papers::view::SubmissionView;
use crate::papers::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedPapers {
    pub(crate) state: Option<String>,
    /// A name, ID number, phone, the phone's last four digits, or card.
    pub(crate) person: Option<String>,
    /// Created at or after it (RFC 3339).
    pub(crate) since: Option<String>,
    /// Created before it (RFC 3339).
    pub(crate) until: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// List document submissions.
#[utoipa::path(get, path = "/v1/document-submissions", tag = "documents", params(WantedPapers), responses(
    (status = 200, body = Page<SubmissionView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<WantedPapers>,
) -> Result<axum::Json<Page<SubmissionView>>, Error> {
    let WantedPapers { state, person, since, until, limit, cursor } = wanted;
    let listing = Listing { state, business_key: None, person, since, until, limit, cursor };
    let (rows, next_cursor) = listing.page(&api, &caller, WORKFLOW).await?;
    let items = rows.into_iter().map(|row| Known::read(row).map(SubmissionView::of)).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items, next_cursor }))
}
