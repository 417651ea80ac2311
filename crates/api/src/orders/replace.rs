//! `POST /v1/orders/{id}/replace`: a new order for the same business, after a proven failure or close.

use crate::api::Api;
use crate::orders::body::{Digits, OrderBody, PersonBody};
use crate::orders::create::submit;
use crate::orders::draft::Draft;
use crate::orders::view::OrderView;
use crate::orders::{Known, WORKFLOW};
use crate::problem::{Error, Problem};
use crate::read::{Id, Json};
use crate::remits;
use crate::role::Caller;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Person;
use domain::levy::{Asked, Customer, TaxMode};
use serde_json::json;
use workflows::levy_order::{Order, Outcome};

/// Replace an order that failed or closed unpaid. What the body leaves out is taken from the old order. The new one is not held as
/// a duplicate of it; a second replacement of the same order is.
#[utoipa::path(post, path = "/v1/orders/{id}/replace", tag = "orders", params(("id" = uuid::Uuid, Path)), request_body(content = Object, description = "business_key, and whatever of an order's other fields changes"), responses(
    (status = 201, body = OrderView), (status = 200, description = "it exists with the same content", body = OrderView),
    (status = 400, body = Problem), (status = 404, body = Problem), (status = 409, description = "not_replaceable or business_key_conflict", body = Problem)))]
pub(crate) async fn replace(
    State(api): State<Api>,
    caller: Caller,
    id: Id,
    Json(changes): Json<OrderBody>,
) -> Result<(StatusCode, axum::Json<OrderView>), Error> {
    let old = Known::read(api.machine(&caller, WORKFLOW, "order", id.instance()).await?)?;
    replaceable(&api, &old).await?;
    let person = api.store().person(&caller.tenant, old.input.person).await?.ok_or(Error::Internal)?;
    let body = body_of(&old, &person).overlay(changes);
    let draft = Draft::check(&api, &caller.tenant, &body).map_err(Error::Invalid)?;
    if draft.business_key == old.row.business_key {
        return Err(Error::field(
            "business_key",
            "business_key_used",
            "a replacement has a business key of its own",
            "替换订单须使用新的业务单号",
        ));
    }
    if draft.person.id_card != person.id_card {
        return Err(Error::field(
            "person.id_card",
            "other_person",
            "a replacement pays the same person: create an order for another one",
            "替换订单的收款人须为同一人",
        ));
    }
    api.act(&caller, "order.replaced", old.row.id, json!({"by": draft.business_key})).await?;
    submit(&api, &caller, &draft, Some(old.row.id)).await
}

/// Only what is over, and was provably not paid, may be asked for again (P12).
async fn replaceable(api: &Api, old: &Known) -> Result<(), Error> {
    let over = match &old.state {
        Order::Rejected { .. } | Order::Cancelled => true,
        Order::Settled { outcome, .. } => matches!(outcome, Outcome::Closed | Outcome::Cancelled),
        Order::Gated { .. } | Order::Creating { .. } | Order::CreateInDoubt { .. } | Order::Accepted(_) => false,
        Order::Splitting(_) | Order::Ready { .. } | Order::NeedsOperator { .. } => false,
    };
    if !over {
        return Err(Error::conflict(
            "not_replaceable",
            "only an order that was rejected, cancelled or closed unpaid can be replaced",
        ));
    }
    for child in api.store().children(old.row.id).await? {
        let remit = remits::Known::read(child)?;
        if remit.state.facts.proof.is_some() {
            return Err(Error::conflict(
                "not_replaceable",
                format!("remit {} was paid: its levy must be made good, not its payment repeated", remit.row.id),
            ));
        }
    }
    Ok(())
}

/// The old order as it would be asked for today.
fn body_of(old: &Known, person: &Person) -> OrderBody {
    let terms = &old.input.terms;
    let (net, gross) = match terms.asked {
        Asked::Net(net) => (Some(net.to_string()), None),
        Asked::Gross(gross) => (None, Some(gross.to_string())),
    };
    let (credit_code, customer_id) = match &terms.customer {
        Customer::CreditCode(code) => (Some(code.clone()), None),
        Customer::CustomerId(id) => (None, Some(Digits(id.clone()))),
    };
    let text = |value: &str| Some(value.to_owned());
    OrderBody {
        business_key: None,
        account: Some(old.row.account.clone()),
        person: Some(PersonBody {
            name: text(person.name.expose()),
            id_card: text(person.id_card.expose()),
            cellphone: text(person.cellphone.expose()),
            bankcard_no: text(person.bankcard.expose()),
        }),
        net,
        gross,
        tax_mode: text(match terms.tax_mode {
            TaxMode::General => "GENERAL",
            TaxMode::Special => "SPECIAL",
        }),
        tax_agent_parent_id: Some(Digits(terms.tax_agent_parent_id.clone())),
        tax_agent_location_id: terms.tax_agent_location_id.clone().map(Digits),
        credit_code,
        customer_id,
        task_id: terms.task_id.clone().map(Digits),
        remark: terms.remark.clone(),
    }
}
