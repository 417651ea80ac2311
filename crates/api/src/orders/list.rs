//! `GET /v1/orders`: orders, newest first.

use crate::api::Api;
use crate::orders::draft::search;
use crate::orders::view::{OrderView, view_all};
use crate::orders::{Known, WORKFLOW};
use crate::page::{Page, Span};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use axum::extract::State;
use domain::{InstanceId, Time};
use serde::Deserialize;
use store::Filter;
use utoipa::IntoParams;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    pub(crate) state: Option<String>,
    pub(crate) business_key: Option<String>,
    /// A name, ID number, phone, the phone's last four digits, or card.
    pub(crate) person: Option<String>,
    /// Created at or after it (RFC 3339).
    pub(crate) since: Option<String>,
    /// Created before it (RFC 3339).
    pub(crate) until: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// List orders.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(Wanted), responses((status = 200, body = Page<OrderView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<OrderView>>, Error> {
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
        business_key: search("business_key", wanted.business_key)?,
        parent: None,
        persons,
        since: time("since", wanted.since.as_deref())?,
        until: time("until", wanted.until.as_deref())?,
        cursor: span.cursor.map(InstanceId),
        limit: span.fetch(),
    };
    let mut rows = api.store().list(filter).await?;
    let next_cursor = span.cut(&mut rows, |row| row.id.0);
    let orders = rows.into_iter().map(Known::read).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items: view_all(&api, &caller, orders).await?, next_cursor }))
}

/// A state that the workflow has; a misspelt one would list nothing and say so to nobody.
pub(crate) fn known_state(workflow: &str, state: Option<String>) -> Result<Option<String>, Error> {
    let Some(state) = state else { return Ok(None) };
    let states = workflows::book::find(workflow).map(|entry| entry.states).unwrap_or_default();
    if states.iter().any(|(name, _)| *name == state) {
        return Ok(Some(state));
    }
    let names: Vec<&str> = states.iter().map(|(name, _)| *name).collect();
    Err(Error::field("state", "unknown_state", &format!("the states are {}", names.join(", ")), "没有此状态"))
}

pub(crate) fn time(field: &str, text: Option<&str>) -> Result<Option<Time>, Error> {
    let bad = || {
        Error::field(
            field,
            "time_format",
            "write the time as RFC 3339 with an offset (+ is %2B in a URL)",
            "时间应为带时区的 RFC 3339 格式",
        )
    };
    text.map(|text| Time::parse(text).ok_or_else(bad)).transpose()
}
