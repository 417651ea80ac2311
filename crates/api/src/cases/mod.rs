//! Cases: questions that only people may answer, with the legal moves and no others.

pub(crate) mod view;
pub(crate) mod list;
pub(crate) mod get;
pub(crate) mod resolve;
pub(crate) mod approve;

use crate::api::Api;
use crate::problem::Error;
use crate::role::Caller;
use store::Case;
use uuid::Uuid;

/// A case of the caller's tenant.
pub(crate) async fn find(api: &Api, caller: &Caller, id: Uuid) -> Result<Case, Error> {
    api.store().case(id).await?.filter(|case| case.tenant == caller.tenant).ok_or(Error::NotFound("case"))
}
