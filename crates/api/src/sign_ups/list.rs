//! `GET /v1/sign-ups`: sign-ups, newest first. Those to be invited again have the state `not_signed`.

use crate::api::Api;
use crate::orders::list::{known_state, time};
use crate::page::{Page, Span};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use crate::sign_ups::view::{SignUpView, view_all};
use crate::sign_ups::{Known, WORKFLOW};
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
    /// A name, ID number, phone, the phone's last four digits, or card.
    pub(crate) person: Option<String>,
    /// Created at or after it (RFC 3339).
    pub(crate) since: Option<String>,
    /// Created before it (RFC 3339).
    pub(crate) until: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// List sign-ups.
#[utoipa::path(get, path = "/v1/sign-ups", tag = "sign-ups", params(Wanted), responses((status = 200, body = Page<SignUpView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<SignUpView>>, Error> {
    let span = Span::read(wanted.limit.as_deref(), wanted.cursor.as_deref())?;
    let persons = match &wanted.person {
        Some(text) => Some(api.store().find_persons(&caller.tenant, text).await?),
        None => None,
    };
    if persons.as_ref().is_some_and(Vec::is_empty) {
        return Ok(axum::Json(Page { items: Vec::new(), next_cursor: None }));
    }
    let filter = Filter {
        workflow: Some(WORKFLOW.into()),
        tenant: Some(caller.tenant.clone()),
        state: known_state(WORKFLOW, wanted.state)?,
        persons,
        since: time("since", wanted.since.as_deref())?,
        until: time("until", wanted.until.as_deref())?,
        cursor: span.cursor.map(InstanceId),
        limit: span.fetch(),
        ..Filter::default()
    };
    let mut rows = api.store().list(filter).await?;
    let next_cursor = span.cut(&mut rows, |row| row.id.0);
    let sign_ups = rows.into_iter().map(Known::read).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items: view_all(&api, &caller, sign_ups).await?, next_cursor }))
}
