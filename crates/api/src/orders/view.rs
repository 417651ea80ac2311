//! An order as people and programs see it.

use crate::api::Api;
use crate::orders::{Known, draft};
use crate::problem::Error;
use crate::remits::{self, view::RemitView};
use crate::role::{Caller, Role};
use domain::levy::Asked;
use domain::{InstanceId, Money, Person, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;
use workflows::book;
use workflows::levy_order::{Hold, Order, Outcome};

/// One order.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct OrderView {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) id: InstanceId,
    pub(crate) business_key: String,
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) state: String,
    /// `levied`, `partly_levied`, `cancelled`, `closed`, `rejected`; null while it is under way.
    pub(crate) outcome: Option<String>,
    #[schema(value_type = Option<String>)]
    pub(crate) net: Option<Money>,
    #[schema(value_type = Option<String>)]
    pub(crate) gross: Option<Money>,
    pub(crate) person: Option<PersonView>,
    /// D: before it everything must have been confirmed; null until CREATE may have been sent.
    #[schema(value_type = Option<String>)]
    pub(crate) deadline: Option<Time>,
    /// No pay permit after it.
    #[schema(value_type = Option<String>)]
    pub(crate) pay_cutoff: Option<Time>,
    #[schema(value_type = Option<String>)]
    pub(crate) accept_time: Option<Time>,
    /// The provider's words.
    pub(crate) fail_reason: Option<String>,
    pub(crate) remits: Vec<RemitView>,
    pub(crate) waits_for: Option<String>,
    /// `suspected_duplicate`, `month_end` or `month_limit`: waits for a release.
    pub(crate) hold: Option<String>,
    pub(crate) warnings: Vec<String>,
    /// The order this one replaces.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub(crate) replaces: Option<InstanceId>,
    #[schema(value_type = String)]
    pub(crate) created_at: Time,
    #[schema(value_type = String)]
    pub(crate) updated_at: Time,
}

/// Who is paid: masked, unless it was asked for and allowed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PersonView {
    pub(crate) name: String,
    pub(crate) id_card: String,
    pub(crate) cellphone: String,
    pub(crate) bankcard_no: String,
}

impl PersonView {
    pub(crate) fn masked(person: &Person) -> Self {
        let (name, id_card) = (person.name.masked(), person.id_card.masked());
        Self { name, id_card, cellphone: person.cellphone.masked(), bankcard_no: person.bankcard.masked() }
    }

    pub(crate) fn clear(person: &Person) -> Self {
        let text = |value: &str| value.to_owned();
        let (name, id_card) = (text(person.name.expose()), text(person.id_card.expose()));
        Self { name, id_card, cellphone: text(person.cellphone.expose()), bankcard_no: text(person.bankcard.expose()) }
    }
}

/// Refuses a caller who may not see personal data in clear.
pub(crate) fn may_reveal(caller: &Caller) -> Result<(), Error> {
    if caller.role >= Role::Approver { Ok(()) } else { Err(Error::Role(Role::Approver)) }
}

/// The order with everything around it.
pub(crate) async fn view(api: &Api, caller: &Caller, order: Known) -> Result<OrderView, Error> {
    view_all(api, caller, vec![order]).await?.pop().ok_or(Error::Internal)
}

/// The same with its person in clear, audited before it is shown.
pub(crate) async fn view_revealed(api: &Api, caller: &Caller, order: Known) -> Result<OrderView, Error> {
    may_reveal(caller)?;
    let person = api.store().person(&caller.tenant, order.input.person).await?;
    api.act(caller, "person.revealed", order.row.id, json!({"order": order.row.id})).await?;
    Ok(OrderView { person: person.as_ref().map(PersonView::clear), ..view(api, caller, order).await? })
}

/// Orders, in the order given, their persons masked: one read each for the persons, the remits, and what stands beside those.
pub(crate) async fn view_all(api: &Api, caller: &Caller, orders: Vec<Known>) -> Result<Vec<OrderView>, Error> {
    let ids: Vec<InstanceId> = orders.iter().map(|order| order.row.id).collect();
    let persons: Vec<Uuid> = orders.iter().map(|order| order.input.person).collect();
    let persons = api.store().persons(&caller.tenant, &persons).await?;
    let children = api.store().children_of(&ids).await?;
    let parents: Vec<Option<InstanceId>> = children.iter().map(|child| child.parent).collect();
    let mut remits: HashMap<InstanceId, Vec<RemitView>> = HashMap::new();
    for (parent, remit) in parents.into_iter().zip(remits::view::view_all(api, children).await?) {
        remits.entry(parent.ok_or(Error::Internal)?).or_default().push(remit);
    }
    let whole = |order: Known| OrderView {
        person: persons.get(&order.input.person).map(PersonView::masked),
        remits: remits.remove(&order.row.id).unwrap_or_default(),
        ..bare(api, order)
    };
    Ok(orders.into_iter().map(whole).collect())
}

fn bare(api: &Api, order: Known) -> OrderView {
    let Known { row, input, state } = order;
    let times = times(api, &row.account, &state);
    let (net, gross) = match input.terms.asked {
        Asked::Net(net) => (Some(net), None),
        Asked::Gross(gross) => (None, Some(gross)),
    };
    let unsent = matches!(state, Order::Gated { .. } | Order::Creating { first_sent: None, .. });
    OrderView {
        id: row.id,
        business_key: row.business_key,
        request_id: input.request_id.to_string(),
        state: row.state_name,
        outcome: outcome(&state).map(str::to_owned),
        net,
        gross,
        person: None,
        deadline: times.map(|times| times.deadline),
        pay_cutoff: times.map(|times| times.pay_cutoff),
        accept_time: accept_time(&state),
        fail_reason: fail_reason(&state),
        remits: Vec::new(),
        waits_for: waits_for(super::WORKFLOW, &row.input, &row.state),
        hold: hold(&state).map(str::to_owned),
        warnings: if unsent { draft::warnings(api, &row.account, input.name_chars) } else { Vec::new() },
        account: row.account,
        replaces: input.replaces,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// What a machine waits for, in words.
pub(crate) fn waits_for(workflow: &str, input: &serde_json::Value, state: &serde_json::Value) -> Option<String> {
    book::load(workflow, input, state)?.ok()?.waits_for()
}

#[derive(Clone, Copy)]
struct Two {
    deadline: Time,
    pay_cutoff: Time,
}

fn times(api: &Api, account: &str, state: &Order) -> Option<Two> {
    if let Some(times) = state.times() {
        return Some(Two { deadline: times.deadline, pay_cutoff: times.pay_cutoff });
    }
    let (first_sent, accept_time) = state.first_sent()?;
    let rules = &api.engine().rules;
    let times = Order::times_from(first_sent, accept_time, &rules.params, rules.policy(account));
    Some(Two { deadline: times.deadline, pay_cutoff: times.pay_cutoff })
}

fn accept_time(state: &Order) -> Option<Time> {
    state.times().map(|times| times.accept_time).or_else(|| state.first_sent().and_then(|(_, accept_time)| accept_time))
}

fn outcome(state: &Order) -> Option<&'static str> {
    match state {
        Order::Settled { outcome: Outcome::Levied, .. } => Some("levied"),
        Order::Settled { outcome: Outcome::PartlyLevied, .. } => Some("partly_levied"),
        Order::Settled { outcome: Outcome::Cancelled, .. } | Order::Cancelled => Some("cancelled"),
        Order::Settled { outcome: Outcome::Closed, .. } => Some("closed"),
        Order::Rejected { .. } => Some("rejected"),
        Order::Gated { .. } | Order::Creating { .. } | Order::CreateInDoubt { .. } | Order::Accepted(_) => None,
        Order::Splitting(_) | Order::Ready { .. } | Order::NeedsOperator { .. } => None,
    }
}

fn fail_reason(state: &Order) -> Option<String> {
    if let Order::Rejected { reason } = state { Some(reason.clone()) } else { None }
}

fn hold(state: &Order) -> Option<&'static str> {
    match state {
        Order::Gated { hold: Some(Hold::SuspectedDuplicate), .. } => Some("suspected_duplicate"),
        Order::Gated { hold: Some(Hold::MonthEnd), .. } => Some("month_end"),
        Order::Gated { hold: Some(Hold::MonthLimit), .. } => Some("month_limit"),
        Order::Gated { hold: None, .. } | Order::Creating { .. } | Order::CreateInDoubt { .. } | Order::Accepted(_) => {
            None
        }
        Order::Splitting(_)
        | Order::Ready { .. }
        | Order::Settled { .. }
        | Order::Rejected { .. }
        | Order::Cancelled => None,
        Order::NeedsOperator { .. } => None,
    }
}
