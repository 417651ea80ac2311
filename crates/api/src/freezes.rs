//! `GET|PUT /v1/freezes`: switches that stop one direction each, in a scope (safety.md §6).

use crate::api::Api;
use crate::problem::{Error, Problem};
use crate::read::Json;
use crate::role::Caller;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use store::Freeze;
use utoipa::ToSchema;

/// The switches of one scope.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FreezeView {
    /// `all`, `account:NAME`, `tenant:NAME`, `location:ID`.
    pub(crate) scope: String,
    pub(crate) create: bool,
    /// Stops permits; confirms go on.
    pub(crate) pay: bool,
    /// Stops CONTINUE, and with it pay.
    pub(crate) confirm: bool,
    pub(crate) cancel: bool,
}

/// All scopes that were ever set.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Freezes {
    pub(crate) items: Vec<FreezeView>,
}

/// How old a process lets its reading of the switches become, and a little more.
const FREEZE_AGE: Duration = Duration::from_millis(1200);

/// What to set. A switch that is left out stays as it is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeBody {
    /// `all`, `account:NAME`, `tenant:NAME`, `location:ID`.
    pub(crate) scope: String,
    pub(crate) create: Option<bool>,
    pub(crate) pay: Option<bool>,
    pub(crate) confirm: Option<bool>,
    pub(crate) cancel: Option<bool>,
}

/// Show the freeze switches.
#[utoipa::path(get, path = "/v1/freezes", tag = "freezes", responses((status = 200, body = Freezes)))]
pub(crate) async fn list(State(api): State<Api>, caller: Caller) -> Result<axum::Json<Freezes>, Error> {
    let rows = api.store().freezes().await?;
    let ours = rows.into_iter().filter(|row| sees(&api, &caller, &row.scope));
    Ok(axum::Json(Freezes { items: ours.map(view).collect() }))
}

/// Set the switches of one scope.
#[utoipa::path(put, path = "/v1/freezes", tag = "freezes", request_body = FreezeBody, responses(
    (status = 200, body = FreezeView), (status = 400, body = Problem), (status = 403, description = "another tenant's scope", body = Problem)))]
pub(crate) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<FreezeBody>,
) -> Result<axum::Json<FreezeView>, Error> {
    check_scope(&api, &caller, &body.scope)?;
    let before = api.store().freezes().await?.into_iter().find(|row| row.scope == body.scope);
    let before = before.unwrap_or(Freeze {
        scope: body.scope.clone(),
        create: false,
        pay: false,
        confirm: false,
        cancel: false,
    });
    let freeze = Freeze {
        create: body.create.unwrap_or(before.create),
        pay: body.pay.unwrap_or(before.pay),
        confirm: body.confirm.unwrap_or(before.confirm),
        cancel: body.cancel.unwrap_or(before.cancel),
        scope: body.scope,
    };
    api.act(&caller, "freeze.set", &freeze.scope, json!({"before": before, "after": freeze})).await?;
    api.store().put_freeze(freeze.clone()).await?;
    // Answered only when it holds: every process of the fleet reads the switches once a second, this one now (S-C).
    if api.engine().refresh_freezes().await.is_err() {
        return Err(Error::later("unavailable", "the freeze is stored, and not yet known to be read: repeat it"));
    }
    tokio::time::sleep(FREEZE_AGE).await;
    Ok(axum::Json(view(freeze)))
}

fn view(row: Freeze) -> FreezeView {
    FreezeView { scope: row.scope, create: row.create, pay: row.pay, confirm: row.confirm, cancel: row.cancel }
}

fn check_scope(api: &Api, caller: &Caller, scope: &str) -> Result<(), Error> {
    let bad = || {
        Error::field(
            "scope",
            "unknown_scope",
            "scope is all, account:NAME, tenant:NAME or location:ID",
            "scope 应为 all、account:名称、tenant:名称 或 location:编号",
        )
    };
    let known = match scope.split_once(':') {
        None => scope == "all",
        Some(("account", name)) => api.settings().order_accounts.iter().any(|known| known == name),
        Some(("tenant", name)) => plain(name),
        Some(("location", id)) => !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit()),
        Some(_) => false,
    };
    match () {
        () if !known => Err(bad()),
        () if !sets(api, caller, scope) => Err(Error::forbidden("forbidden", "this scope is not your tenant's alone")),
        () => Ok(()),
    }
}

/// A tenant sets switches over what is its own alone; the platform over everything.
fn sets(api: &Api, caller: &Caller, scope: &str) -> bool {
    let own = match scope.split_once(':') {
        Some(("account", name)) => api.engine().rules.tenant(name) == caller.tenant,
        Some(("tenant", name)) => name == caller.tenant,
        Some(_) | None => false,
    };
    caller.of_platform() || own
}

/// Everybody sees what stops him: his own scopes, and those that are shared.
fn sees(api: &Api, caller: &Caller, scope: &str) -> bool {
    let shared = scope == "all" || scope.starts_with("location:");
    shared || sets(api, caller, scope)
}

/// A tenant's name.
pub(crate) fn plain(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
