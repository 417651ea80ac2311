//! `GET /v1/remits`: remits, newest first.

use crate::api::Api;
use crate::orders::list::known_state;
use crate::page::{Page, Span};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::remits::WORKFLOW;
use crate::remits::view::{RemitView, view_all};
use crate::role::Caller;
use axum::extract::State;
use domain::InstanceId;
use serde::Deserialize;
use store::Filter;
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
    let span = Span::read(wanted.limit.as_deref(), wanted.cursor.as_deref())?;
    let filter = Filter {
        workflow: Some(WORKFLOW.into()),
        tenant: Some(caller.tenant.clone()),
        state: known_state(WORKFLOW, wanted.state)?,
        cursor: span.cursor.map(InstanceId),
        limit: span.fetch(),
        ..Filter::default()
    };
    let mut rows = api.store().list(filter).await?;
    let next_cursor = span.cut(&mut rows, |row| row.id.0);
    Ok(axum::Json(Page { items: view_all(&api, rows).await?, next_cursor }))
}
