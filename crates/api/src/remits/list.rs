//! `GET /v1/remits`: remits, newest first.

use crate::api::Api;
use crate::listing::Listing;
use crate::page::Page;
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::remits::WORKFLOW;
use crate::remits::view::{RemitView, view_all};
use crate::role::Caller;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    pub(crate) state: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// List remits.
#[utoipa::path(get, path = "/v1/remits", tag = "remits", params(Wanted), responses((status = 200, body = Page<RemitView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<RemitView>>, Error> {
    let Wanted { state, limit, cursor } = wanted;
    let listing = Listing { state, limit, cursor, ..Listing::default() };
    let (rows, next_cursor) = listing.page(&api, &caller, WORKFLOW).await?;
    Ok(axum::Json(Page { items: view_all(&api, rows).await?, next_cursor }))
}
