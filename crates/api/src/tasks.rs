//! `GET /v1/tasks`: steps that only a person can take.

use crate::api::Api;
use crate::orders::draft::search;
use crate::page::{Page, Span};
use crate::problem::{Error, Problem};
use crate::read::Params;
use crate::role::Caller;
use axum::extract::State;
use domain::{InstanceId, Time};
use serde::{Deserialize, Serialize};
use store::Task;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `open` (the default) or `all`.
    pub(crate) state: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

/// One task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TaskView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    /// The order or batch it is about.
    #[schema(value_type = Uuid)]
    pub(crate) instance_id: InstanceId,
    #[schema(value_type = String)]
    pub(crate) sla_at: Time,
    #[schema(value_type = String)]
    pub(crate) opened_at: Time,
    #[schema(value_type = Option<String>)]
    pub(crate) closed_at: Option<Time>,
}

/// List tasks.
#[utoipa::path(get, path = "/v1/tasks", tag = "tasks", params(Wanted), responses((status = 200, body = Page<TaskView>), (status = 400, body = Problem)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<axum::Json<Page<TaskView>>, Error> {
    let span = Span::read(wanted.limit.as_deref(), wanted.cursor.as_deref())?;
    let kind = search("kind", wanted.kind)?;
    let open_only = match wanted.state.as_deref() {
        None | Some("open") => true,
        Some("all") => false,
        Some(_) => {
            return Err(Error::field("state", "unknown_state", "state is open or all", "state 应为 open 或 all"));
        }
    };
    let rows = api.store().tasks(&caller.tenant, open_only, kind.as_deref(), None, span.cursor, span.fetch()).await?;
    Ok(axum::Json(span.page(rows, |task| task.id, view)))
}

fn view(task: Task) -> TaskView {
    TaskView {
        id: task.id,
        kind: task.kind,
        instance_id: task.instance,
        sla_at: task.sla_at,
        opened_at: task.opened_at,
        closed_at: task.closed_at,
    }
}
