//! `GET /v1/sign-ups`: sign-ups, newest first. Those to be invited again have the state `not_signed`.

use crate::api::Api;
use crate::listing::Listing;
use crate::page::Page;
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use crate::sign_ups::view::{SignUpView, view_all};
use crate::sign_ups::{Known, WORKFLOW};
use axum::extract::State;
use serde::Deserialize;
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
    let Wanted { state, person, since, until, limit, cursor } = wanted;
    let listing = Listing { state, business_key: None, person, since, until, limit, cursor };
    let (rows, next_cursor) = listing.page(&api, &caller, WORKFLOW).await?;
    let sign_ups = rows.into_iter().map(Known::read).collect::<Result<_, _>>()?;
    Ok(axum::Json(Page { items: view_all(&api, &caller, sign_ups).await?, next_cursor }))
}
