//! `/v1/keys`: API keys. The secret is shown once; the key's name is the person for four-eyes.

use crate::api::Api;
use crate::freezes::plain;
use crate::keyring::mint;
use crate::orders::draft::{Faults, printable};
use crate::problem::{Error, FieldError, Problem};
use crate::read::{Json, Params};
use crate::role::{Caller, Role};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::ApiKey;
use utoipa::{IntoParams, ToSchema};

/// A key to be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    /// Whose key it is: two keys of one name are one person.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Left out: the caller's own. Another one only by an admin of the tenant `default`.
    pub(crate) tenant: Option<String>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) tenant: String,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
    #[schema(value_type = Option<String>)]
    pub(crate) revoked_at: Option<Time>,
}

/// A fresh key; `key` is shown this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct KeyMade {
    pub(crate) id: String,
    /// The bearer.
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) tenant: String,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
}

/// A tenant's keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Keys {
    pub(crate) items: Vec<KeyView>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    pub(crate) tenant: Option<String>,
}

/// Make a key.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyBody, responses(
    (status = 201, body = KeyMade), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<KeyBody>,
) -> Result<(StatusCode, axum::Json<KeyMade>), Error> {
    let mut faults = Faults::default();
    let name = faults.take("name", Some(&body.name), |text| printable(text.trim(), 64));
    if body.tenant.as_deref().is_some_and(|tenant| !plain(tenant)) {
        let said = ("a tenant has 1 to 64 letters, digits, - _ and .", "租户名应为 1 至 64 个字母、数字或 - _ .");
        faults.0.push(FieldError::new("tenant", "tenant", said.0, said.1));
    }
    let Some(name) = name.filter(|_| faults.0.is_empty()) else { return Err(Error::Invalid(faults.0)) };
    let tenant = tenant_of(&caller, body.tenant)?;
    let minted = mint(name, body.role, tenant, api.now());
    let detail = json!({"name": minted.row.name, "role": minted.row.role, "tenant": minted.row.tenant});
    api.act(&caller, "key.created", &minted.row.id, detail).await?;
    api.store().put_key(minted.row.clone()).await?;
    let ApiKey { id, name, role, tenant, created_at, .. } = minted.row;
    Ok((StatusCode::CREATED, axum::Json(KeyMade { id, key: minted.secret, name, role, tenant, created_at })))
}

/// List a tenant's keys.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(Whose), responses((status = 200, body = Keys), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(whose): Params<Whose>,
) -> Result<axum::Json<Keys>, Error> {
    let tenant = tenant_of(&caller, whose.tenant)?;
    let items = api.store().keys(&tenant).await?.into_iter().map(view).collect();
    Ok(axum::Json(Keys { items }))
}

/// Revoke a key, for ever. It is refused everywhere within a minute.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path), Whose), responses(
    (status = 200, body = KeyView), (status = 404, body = Problem)))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
    Params(whose): Params<Whose>,
) -> Result<axum::Json<KeyView>, Error> {
    let Path(id) = id.map_err(|_| Error::NotFound("key"))?;
    let tenant = tenant_of(&caller, whose.tenant)?;
    let known = |keys: Vec<ApiKey>| keys.into_iter().find(|key| key.id == id).ok_or(Error::NotFound("key"));
    let key = known(api.store().keys(&tenant).await?)?;
    api.act(&caller, "key.revoked", &key.id, json!({"name": key.name, "tenant": key.tenant})).await?;
    api.store().revoke_key(&key.id, api.now()).await?;
    api.keyring().forget_all();
    Ok(axum::Json(view(known(api.store().keys(&tenant).await?)?)))
}

fn tenant_of(caller: &Caller, wanted: Option<String>) -> Result<String, Error> {
    match wanted {
        Some(other) if other != caller.tenant && !caller.of_platform() => {
            Err(Error::forbidden("forbidden", "only an admin of the tenant default has keys of other tenants"))
        }
        Some(tenant) if !plain(&tenant) => Err(Error::NotFound("tenant")),
        Some(tenant) => Ok(tenant),
        None => Ok(caller.tenant.clone()),
    }
}

fn view(key: ApiKey) -> KeyView {
    KeyView {
        id: key.id,
        name: key.name,
        role: key.role,
        tenant: key.tenant,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}
