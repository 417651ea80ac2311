//! Lists of machines of one workflow, newest first, and what they are narrowed by.

use crate::api::Api;
use crate::page::Span;
use crate::problem::Error;
use crate::role::Caller;
use domain::{InstanceId, Time};
use store::{Filter, Instance};

/// As a caller wrote it, unread.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) state: Option<String>,
    pub(crate) business_key: Option<String>,
    /// A name, ID number, phone, the phone's last four digits, or card.
    pub(crate) person: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
}

impl Listing {
    /// One page of the caller's machines, and where the next one begins.
    pub(crate) async fn page(
        self,
        api: &Api,
        caller: &Caller,
        workflow: &str,
    ) -> Result<(Vec<Instance>, Option<String>), Error> {
        let span = Span::read(self.limit.as_deref(), self.cursor.as_deref())?;
        let persons = match &self.person {
            Some(text) => Some(api.store().find_persons(&caller.tenant, text).await?),
            None => None,
        };
        let filter = Filter {
            workflow: Some(workflow.into()),
            tenant: Some(caller.tenant.clone()),
            state: known_state(workflow, self.state)?,
            business_key: self.business_key,
            parent: None,
            persons,
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
            cursor: span.cursor.map(InstanceId),
            limit: span.fetch(),
        };
        if filter.persons.as_ref().is_some_and(Vec::is_empty) {
            return Ok((Vec::new(), None));
        }
        let mut rows = api.store().list(filter).await?;
        let next_cursor = span.cut(&mut rows, |row| row.id.0);
        Ok((rows, next_cursor))
    }
}

/// A state that the workflow has; a misspelt one would list nothing and say so to nobody.
fn known_state(workflow: &str, state: Option<String>) -> Result<Option<String>, Error> {
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
