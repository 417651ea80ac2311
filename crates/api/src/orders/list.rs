//! `GET /v1/orders`: orders, newest first.

use crate::api::Api;
use crate::listing::Listing;
use crate::orders::draft::search;
use crate::orders::view::{OrderView, view_all};
use crate::orders::{Known, WORKFLOW};
use crate::page::Page;
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
    let Wanted { state, business_key, person, since, until, limit, cursor } = wanted;
    let business_key = search("business_key", business_key)?;
    let listing = Listing { state, business_key, person, since, until, limit, cursor };
    let (rows, next_cursor) = listing.page(&api, &caller, WORKFLOW).await?;
    let orders = rows.into_iter().map(Known::read).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items: view_all(&api, &caller, orders).await?, next_cursor }))
}
