//! `GET /v1/cases`: cases, newest first.

use crate::api::Api;
use crate::cases::view::{CaseView, view};
use crate::orders::draft::search;
use crate::page::{Page, Span};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `open`, `proposed`, `resolved`.
    pub(crate) state: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// List cases.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", params(Wanted), responses((status = 200, body = Page<CaseView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<CaseView>>, Error> {
    let span = Span::read(wanted.limit.as_deref(), wanted.cursor.as_deref())?;
    let kind = search("kind", wanted.kind)?;
    let state = wanted.state.as_deref();
    if state.is_some_and(|state| !["open", "proposed", "resolved"].contains(&state)) {
        return Err(Error::field("state", "unknown_state", "the states are open, proposed, resolved", "没有此状态"));
    }
    let rows = api.store().cases(&caller.tenant, state, kind.as_deref(), None, span.cursor, span.fetch()).await?;
    Ok(axum::Json(span.page(rows, |case| case.open.id, view)))
}
