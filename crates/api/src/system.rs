//! Health, metrics and the description of this API. They need no key, and show nothing of anybody's.

use crate::api::Api;
use crate::problem::Error;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sign of life.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    pub(crate) status: String,
}

fn ok() -> Json<Health> {
    Json(Health { status: "ok".into() })
}

/// This process answers.
#[utoipa::path(get, path = "/healthz", tag = "system", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    ok()
}

/// This process answers.
#[utoipa::path(get, path = "/livez", tag = "system", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn livez() -> Json<Health> {
    ok()
}

/// Database there, schema known, not draining. No provider is asked: a dead one is no reason to send clients elsewhere.
#[utoipa::path(get, path = "/readyz", tag = "system", security(()), responses((status = 200, body = Health), (status = 503, body = crate::problem::Problem)))]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Error> {
    if api.draining() {
        return Err(Error::later("draining", "this process is stopping"));
    }
    api.store().check_schema().await?;
    api.store().time().await?;
    Ok(ok())
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "system", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let page = (api.settings().metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "system", security(()), responses((status = 200, body = Object)))]
pub(crate) async fn openapi_json() -> Json<utoipa::openapi::OpenApi> {
    Json(crate::routes::openapi())
}
