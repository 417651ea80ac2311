//! Every route and what it takes, in one table; and the routers made of it.

use crate::api::Api;
use crate::door::door;
use crate::problem::Error;
use crate::role::Role;
use crate::{
    batches, callbacks as inbound, cases, clock, document, freezes, keys, orders, papers, remits, sign_ups, system,
    tasks,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware;
use std::time::Duration;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: it shows and changes nothing of anybody's.
    Open,
    Role(Role),
}

/// One route.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    /// Longest body.
    pub(crate) body_max: usize,
    /// Longest wait for its answer.
    pub(crate) patience: Duration,
    /// Its body goes through piece by piece. The same content is the same thing, so that it needs no Idempotency-Key.
    pub(crate) streamed: bool,
}

const KIB: usize = 1024;
const BODY: usize = 1024 * KIB;
/// A payday file of 50,000 rows.
const UPLOAD: usize = 16 * 1024 * KIB;
/// A photo of 20 MiB, and what a form adds.
const FILE: usize = 21 * 1024 * KIB;
/// A permit's live query alone may take 10 s.
const PATIENCE: Duration = Duration::from_secs(15);
const UPLOAD_PATIENCE: Duration = Duration::from_secs(300);

const fn of(method: Method, path: &'static str, access: Access) -> Route {
    Route { method, path, access, body_max: BODY, patience: PATIENCE, streamed: false }
}

const fn upload(method: Method, path: &'static str, access: Access) -> Route {
    Route { method, path, access, body_max: UPLOAD, patience: UPLOAD_PATIENCE, streamed: false }
}

const fn streamed(method: Method, path: &'static str, access: Access) -> Route {
    Route { method, path, access, body_max: FILE, patience: UPLOAD_PATIENCE, streamed: true }
}

const OPEN: Access = Access::Open;
const VIEWER: Access = Access::Role(Role::Viewer);
const OPERATOR: Access = Access::Role(Role::Operator);
const APPROVER: Access = Access::Role(Role::Approver);
const ADMIN: Access = Access::Role(Role::Admin);

/// What is not here is not there.
pub(crate) static ROUTES: [Route; 47] = [
    of(Method::POST, "/v1/orders", OPERATOR),
    of(Method::GET, "/v1/orders", VIEWER),
    of(Method::GET, "/v1/orders/{id}", VIEWER),
    of(Method::GET, "/v1/orders/{id}/timeline", VIEWER),
    of(Method::POST, "/v1/orders/{id}/cancel", OPERATOR),
    of(Method::POST, "/v1/orders/{id}/release", APPROVER),
    of(Method::POST, "/v1/orders/{id}/replace", OPERATOR),
    of(Method::GET, "/v1/remits", VIEWER),
    of(Method::GET, "/v1/remits/{id}", VIEWER),
    of(Method::POST, "/v1/remits/{id}/pay-permit", OPERATOR),
    upload(Method::POST, "/v1/remits/{id}/payout-results", OPERATOR),
    of(Method::POST, "/v1/remits/{id}/attest-not-paid", OPERATOR),
    of(Method::POST, "/v1/remits/{id}/cancel", OPERATOR),
    of(Method::POST, "/v1/remits/{id}/evidence", OPERATOR),
    upload(Method::POST, "/v1/batches", OPERATOR),
    of(Method::GET, "/v1/batches/{id}", VIEWER),
    of(Method::GET, "/v1/batches/{id}/rows", VIEWER),
    of(Method::POST, "/v1/batches/{id}/approve", APPROVER),
    of(Method::POST, "/v1/batches/{id}/release", OPERATOR),
    of(Method::POST, "/v1/batches/{id}/pause", OPERATOR),
    of(Method::POST, "/v1/batches/{id}/pay-permits", OPERATOR),
    upload(Method::POST, "/v1/sign-ups", OPERATOR),
    of(Method::GET, "/v1/sign-ups", VIEWER),
    of(Method::GET, "/v1/sign-ups/{id}", VIEWER),
    of(Method::POST, "/v1/sign-ups/{id}/invite-again", OPERATOR),
    streamed(Method::POST, "/v1/documents", OPERATOR),
    of(Method::GET, "/v1/documents/{id}", VIEWER),
    upload(Method::POST, "/v1/document-submissions", OPERATOR),
    of(Method::GET, "/v1/document-submissions", VIEWER),
    of(Method::GET, "/v1/document-submissions/{id}", VIEWER),
    of(Method::GET, "/v1/cases", VIEWER),
    of(Method::GET, "/v1/cases/{id}", VIEWER),
    of(Method::POST, "/v1/cases/{id}/resolve", OPERATOR),
    of(Method::POST, "/v1/cases/{id}/approve", APPROVER),
    of(Method::GET, "/v1/tasks", VIEWER),
    of(Method::GET, "/v1/freezes", VIEWER),
    of(Method::PUT, "/v1/freezes", APPROVER),
    of(Method::POST, "/v1/keys", ADMIN),
    of(Method::GET, "/v1/keys", ADMIN),
    of(Method::DELETE, "/v1/keys/{id}", ADMIN),
    of(Method::GET, "/v1/clock", VIEWER),
    of(Method::POST, "/v1/clock/advance", ADMIN),
    of(Method::GET, "/healthz", OPEN),
    of(Method::GET, "/livez", OPEN),
    of(Method::GET, "/readyz", OPEN),
    of(Method::GET, "/metrics", OPEN),
    of(Method::GET, "/openapi.json", OPEN),
];

/// The route of a request.
pub(crate) fn route(method: &Method, path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path && route.method == *method)
}

/// What a path can do, as `Allow` has it.
pub(crate) fn allowed_methods(path: &str) -> String {
    let methods: Vec<&str> =
        ROUTES.iter().filter(|route| route.path == path).map(|route| route.method.as_str()).collect();
    methods.join(", ")
}

/// The admin API.
pub fn router(api: Api) -> Router {
    let (router, _) = assembled().split_for_parts();
    router
        .fallback(no_path)
        // The door has its own limit per route.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(api.clone(), door))
        .with_state(api)
}

/// `POST /callbacks/{account}`: verified, made durable, acknowledged; no key.
pub fn callbacks(api: Api) -> Router {
    Router::new()
        .route("/callbacks/{account}", axum::routing::post(inbound::receive).fallback(only_post))
        .with_state(api)
}

/// The description of the API, as `openapi.json` has it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = assembled().split_for_parts();
    document::complete(&mut document);
    let components = document.components.get_or_insert_default();
    let bearer =
        Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("An API key, from POST /v1/keys")).build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    document
}

#[derive(OpenApi)]
#[openapi(
    info(title = "levee", description = "Payouts and their tax levy, driven durably. Money is text with two decimals; times are RFC 3339 with an offset; errors are RFC 9457 problems."),
    security(("key" = [])),
    components(schemas(crate::problem::Problem, crate::problem::FieldError))
)]
struct Doc;

fn assembled() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Doc::openapi())
        .routes(routes!(orders::create::create, orders::list::list))
        .routes(routes!(orders::get::get))
        .routes(routes!(orders::timeline::timeline))
        .routes(routes!(orders::cancel::cancel))
        .routes(routes!(orders::release::release))
        .routes(routes!(orders::replace::replace))
        .routes(routes!(remits::list::list))
        .routes(routes!(remits::get::get))
        .routes(routes!(remits::pay_permit::pay_permit))
        .routes(routes!(remits::payout_results::report))
        .routes(routes!(remits::attest::attest))
        .routes(routes!(remits::cancel::cancel))
        .routes(routes!(remits::evidence::bring))
        .routes(routes!(batches::create::create))
        .routes(routes!(batches::get::get))
        .routes(routes!(batches::rows::rows))
        .routes(routes!(batches::approve::approve))
        .routes(routes!(batches::release::release))
        .routes(routes!(batches::pause::pause))
        .routes(routes!(batches::pay_permits::pay_permits))
        .routes(routes!(sign_ups::create::create, sign_ups::list::list))
        .routes(routes!(sign_ups::get::get))
        .routes(routes!(sign_ups::invite_again::invite_again))
        .routes(routes!(papers::upload::upload))
        .routes(routes!(papers::get::document))
        .routes(routes!(papers::submit::submit, papers::list::list))
        .routes(routes!(papers::get::submission))
        .routes(routes!(cases::list::list))
        .routes(routes!(cases::get::get))
        .routes(routes!(cases::resolve::resolve))
        .routes(routes!(cases::approve::approve))
        .routes(routes!(tasks::list))
        .routes(routes!(freezes::list, freezes::put))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::revoke))
        .routes(routes!(clock::read))
        .routes(routes!(clock::advance))
        .routes(routes!(system::healthz))
        .routes(routes!(system::livez))
        .routes(routes!(system::readyz))
        .routes(routes!(system::metrics))
        .routes(routes!(system::openapi_json))
}

async fn no_path() -> Error {
    Error::NotFound("path")
}

async fn only_post() -> Error {
    Error::Method("POST".into())
}
