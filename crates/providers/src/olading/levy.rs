//! Our words to Olading's and back: the three operations of a levy order, and the way to the others.

use super::client::{Call, Client, invalid};
use super::lenient::{Int, Stamp, Text};
use super::limits::LimitBroken;
use super::wire::{Asked, ConfirmOrder, CreateOrder, Customer, OrderAnswer, OrderLook, QueryOrder, RemitOrder};
use crate::{Ask, Sent};
use domain::levy::{self, OrderSeen, RemitSeen, Terms};
use domain::{Answer, Fault, Person, ProviderOrderId, Refusal, Request, RequestId, Verdict};

impl Client {
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Sent {
        let call = Call { now: ask.now, timeout: ask.timeout, gate: ask.gate };
        match ask.request {
            Request::CreateOrder { request_id, terms, .. } => {
                let Some(person) = ask.people.first() else {
                    return Sent::unsent(Verdict::Refused(person_missing()));
                };
                match create(request_id, person, terms) {
                    Ok(order) => self.send(&order, call).await.map(|answer| {
                        Verdict::Done(Answer::OrderAccepted { accept_time: answer.accept_time.map(|Stamp(at)| at) })
                    }),
                    Err(broken) => Sent::unsent(Verdict::Refused(broken.into())),
                }
            }
            Request::FindOrder { request_id, .. } => {
                let person = ask.people.first();
                let id_card = person.map(|person| person.id_card.clone());
                let query = QueryOrder { request_id: request_id.clone(), id_card };
                self.send(&query, call).await.map(|look| match look {
                    OrderLook::Absent => Verdict::Done(Answer::OrderAbsent),
                    OrderLook::Seen(order) => match seen(request_id, person, *order) {
                        Some(order) => Verdict::Done(Answer::OrderSeen(order)),
                        None => Verdict::Unsure(Fault::Unreadable),
                    },
                })
            }
            Request::DecideRemit { order_id, next_step, arising_time } => {
                let (arising_time, next_step) = (*arising_time, *next_step);
                let confirm = ConfirmOrder { order_id: order_id.clone(), arising_time, next_step };
                self.send(&confirm, call).await.map(|_| Verdict::Done(Answer::RemitDecided))
            }
            Request::Invite { request_id, party, .. } => self.invite(request_id, party.as_deref(), ask, call).await,
            Request::SignUp { party, credit_code, customer_id, .. } => {
                self.apply_for(party.as_deref(), credit_code.as_deref(), customer_id.as_ref(), ask, call).await
            }
            Request::FindSignUps { of } => self.find_sign_ups(of, ask, call).await,
            Request::SubmitPaper { request_id, paper, .. } => self.submit(request_id, paper, ask, call).await,
            Request::FindIdCard { request_id, .. } => self.find_id_card(request_id, ask, call).await,
            Request::Bare { .. } => Sent::unsent(Verdict::Refused(invalid("no such operation here".to_owned()))),
        }
    }
}

impl<T> Sent<T> {
    /// Reads on where the answer says it is done.
    pub(super) fn map<U>(self, read: impl FnOnce(T) -> Verdict<U>) -> Sent<U> {
        let verdict = match self.verdict {
            Verdict::Done(answer) => read(answer),
            Verdict::Refused(refusal) => Verdict::Refused(refusal),
            Verdict::NotNow(delay) => Verdict::NotNow(delay),
            Verdict::Unsure(fault) => Verdict::Unsure(fault),
        };
        Sent { verdict, exchange: self.exchange }
    }
}

fn create(request_id: &RequestId, person: &Person, terms: &Terms) -> Result<CreateOrder, LimitBroken> {
    let some_id = |field, text: &Option<String>| text.as_deref().map(|text| id(field, text)).transpose();
    Ok(CreateOrder {
        request_id: request_id.clone(),
        id_card: person.id_card.clone(),
        name: person.name.clone(),
        tax_agent_parent_id: id("tax_agent_parent_id", &terms.tax_agent_parent_id)?,
        tax_agent_location_id: some_id("tax_agent_location_id", &terms.tax_agent_location_id)?,
        customer: match &terms.customer {
            levy::Customer::CreditCode(code) => Customer::CreditCode(code.clone()),
            levy::Customer::CustomerId(id) => Customer::CustomerId(id.clone()),
        },
        cellphone: person.cellphone.clone(),
        bankcard_no: person.bankcard.clone(),
        asked: match terms.asked {
            levy::Asked::Net(money) => Asked::Profit(money),
            levy::Asked::Gross(money) => Asked::PayAmount(money),
        },
        tax_mode: terms.tax_mode,
        two_factor: None,
        task_id: some_id("task_id", &terms.task_id)?,
        remark: terms.remark.clone(),
    })
}

pub(super) fn person_missing() -> Refusal {
    invalid("the person's data is missing".to_owned())
}

/// An id that the document calls an integer.
pub(super) fn id(field: &'static str, text: &str) -> Result<Int, LimitBroken> {
    Int::parse(text).ok_or_else(|| LimitBroken { field, problem: "is not a whole number of 1 to 20 digits".to_owned() })
}

/// `None` when an id does not fit its type.
fn seen(request_id: &RequestId, person: Option<&Person>, order: OrderAnswer) -> Option<OrderSeen> {
    let shown = order.bankcard_no.as_ref().map(|card| card.expose()).filter(|card| !card.contains('*'));
    let same_card = shown.zip(person).map(|(shown, person)| shown == person.bankcard.expose());
    Some(OrderSeen {
        request_id: request_id.clone(),
        status: order.status.0,
        remits: order.remit_order_list.into_iter().map(remit).collect::<Option<_>>()?,
        fail_reason: order.fail_reason,
        accept_time: order.accept_time.map(|Stamp(at)| at),
        arising_time: order.arising_time.map(|Stamp(at)| at),
        same_card,
    })
}

fn remit(remit: RemitOrder) -> Option<RemitSeen> {
    Some(RemitSeen {
        provider_order_id: ProviderOrderId::try_from(Text::into_string(remit.order_id)).ok()?,
        tax_agent_location_id: remit.tax_agent_location_id.into_string(),
        amount: remit.amount,
        fee: remit.fee,
        actual_amount: remit.actual_amount,
        compensate_fee: remit.compensate_fee,
        sum_fee: remit.sum_fee,
        status: remit.remit_status.0,
    })
}
