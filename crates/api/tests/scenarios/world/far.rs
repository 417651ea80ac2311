//! The far side: what provider and bank are made to do, what they are seen to do, and what is sent in their name.

use super::{Answer, Order, Permit, Remit, SECRET, World, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{InstanceId, Time};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use simulator::ledger::{CallLine, Effect, PaymentTruth, RemitTruth};
use simulator::{
    BankScript, CallFault, CloseAs, Ledger, OladingScript, Operation, Outcome, PaymentStatus, Sim, Switches,
};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

impl World {
    pub(crate) fn sim(&self) -> MutexGuard<'_, Sim> {
        self.far.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call of this interface suffers this.
    pub(crate) fn provider_will(&self, operation: Operation, fault: CallFault) {
        self.sim().script(OladingScript::fault(operation, fault));
    }

    /// The next call of this interface is answered as it should be, whatever was said about later ones.
    pub(crate) fn provider_answers(&self, operation: Operation) {
        self.sim().script(OladingScript {
            operation: Some(operation),
            id: None,
            times: 1,
            fault: None,
            code: None,
            close_as: None,
        });
    }

    /// The next call of this interface is refused with this code.
    pub(crate) fn provider_refuses(&self, operation: Operation, code: &str) {
        let (id, fault, close_as) = (None, None, None);
        let script =
            OladingScript { operation: Some(operation), id, times: 1, fault, code: Some(code.into()), close_as };
        self.sim().script(script);
    }

    /// Every call of this interface is refused with this code from now on.
    pub(crate) fn provider_refuses_all(&self, operation: Operation, code: &str) {
        let (id, fault, close_as) = (None, None, None);
        let (operation, code) = (Some(operation), Some(code.into()));
        self.sim().script(OladingScript { operation, id, times: u32::MAX, fault, code, close_as });
    }

    /// The next order closes like this.
    pub(crate) fn order_closes(&self, how: CloseAs) {
        self.sim().script(OladingScript::close(how));
    }

    /// The next payment ends like this.
    pub(crate) fn bank_will(&self, outcome: Outcome) {
        self.sim().script_bank(BankScript { bank_order_no: None, payee_tail: None, outcome, times: Some(1) });
    }

    pub(crate) fn switch(&self, change: impl FnOnce(&mut Switches)) {
        let mut switches = self.sim().config().switches.clone();
        change(&mut switches);
        self.sim().set_switches(switches);
    }

    /// Every call of these interfaces fails from now on, before it does anything; none of them again.
    pub(crate) fn outage(&self, operations: &[Operation]) {
        let mut faults = self.sim().config().faults.clone();
        let table = [(CallFault::ServerErrorBefore, 1000)].into();
        faults.operations =
            operations.iter().map(|operation| (*operation, std::collections::BTreeMap::clone(&table))).collect();
        self.sim().set_faults(faults).expect("a possible table");
    }

    /// How long the far side's slow answers take, in real time.
    pub(crate) fn slow(&self, real: Duration) {
        let mut faults = self.sim().config().faults.clone();
        faults.slow_ms = u64::try_from(real.as_millis()).unwrap_or(u64::MAX);
        self.sim().set_faults(faults).expect("a possible table");
    }

    pub(crate) fn mute_callbacks(&self, muted: bool) {
        self.sim().mute_callbacks(muted);
    }

    /// Waits until every callback that is due has left and was answered; whether there was any.
    pub(crate) async fn letters_arrive(&self) -> bool {
        let mut any = false;
        loop {
            {
                let sim = self.sim();
                let due = sim.due().is_some_and(|at| at <= self.now());
                let unanswered = sim.ledger().callbacks.iter().any(|line| line.acknowledged.is_none());
                if !due && !unanswered {
                    return any;
                }
            }
            any = true;
            self.ring().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Makes the far side look at the clock.
    async fn ring(&self) {
        let url = format!("{}/_sim/clock/advance", self.far.url());
        self.office.plain(&url, &json!({ "seconds": 0 })).await;
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.sim().ledger()
    }

    /// Every arrival at this interface, whatever became of it.
    pub(crate) fn arrivals(&self, operation: Operation) -> Vec<CallLine> {
        self.ledger().calls.into_iter().filter(|call| call.operation == operation.name()).collect()
    }

    /// How many CREATEs changed something.
    pub(crate) fn created(&self) -> usize {
        self.effects(Operation::CreateOrderV2, None)
    }

    /// How many CONTINUEs, or CANCELs, changed something.
    pub(crate) fn decided(&self, next_step: &str) -> usize {
        self.effects(Operation::ConfirmOrderV2, Some(next_step))
    }

    fn effects(&self, operation: Operation, next_step: Option<&str>) -> usize {
        let counts = |call: &CallLine| {
            call.effect == Effect::Accepted && next_step.is_none_or(|step| step == fact(call, "next_step"))
        };
        self.arrivals(operation).iter().filter(|call| counts(call)).count()
    }

    /// How many CONTINUEs, or CANCELs, arrived at all.
    pub(crate) fn sent(&self, next_step: &str) -> usize {
        self.arrivals(Operation::ConfirmOrderV2).iter().filter(|call| fact(call, "next_step") == next_step).count()
    }

    /// The provider's own book of a remit.
    pub(crate) fn truth(&self, remit: &Remit) -> RemitTruth {
        let truth = self.ledger().remits.into_iter().find(|truth| truth.order_id == remit.provider_order_id);
        truth.expect("the provider has this remit")
    }

    /// The last word the provider has for a remit.
    pub(crate) fn word(&self, remit: &Remit) -> String {
        self.truth(remit).statuses.last().map(|(_, word)| word.clone()).unwrap_or_default()
    }

    /// The bank's own book.
    pub(crate) fn payments(&self) -> Vec<PaymentTruth> {
        self.ledger().payments
    }

    /// Payments that succeeded, and stayed so.
    pub(crate) fn paid(&self) -> usize {
        self.payments().iter().filter(|payment| last_status(payment) == Some(PaymentStatus::Success)).count()
    }

    /// The order as a query shows it to a stranger with our key.
    pub(crate) async fn provider_shows(&self, order: &Order) -> Value {
        self.provider_is_asked(Operation::QueryOrderV2, json!({ "request_id": order.request_id })).await
    }

    /// A call with our key that levee knows nothing of.
    pub(crate) async fn provider_is_asked(&self, operation: Operation, data: Value) -> Value {
        let timestamp = self.now().beijing().to_string();
        let req = json!({ "name": operation.name(), "client_key": "sim-client", "timestamp": timestamp, "data": data });
        let url = format!("{}{}", self.far.url(), operation.path());
        self.office.form(&url, signed(&req.to_string())).await.json()["data"].clone()
    }

    /// The payer instructs the bank under the permit's number. `None`: no answer came.
    pub(crate) async fn instruct(&self, permit: &Permit) -> Option<Value> {
        let body = json!({
            "bank_order_no": permit.number(), "amount": permit.0["amount"],
            "payee_name": permit.0["payee"]["name"], "payee_bankcard_no": permit.0["payee"]["bankcard_no"],
        });
        self.instruct_with(body).await
    }

    pub(crate) async fn instruct_with(&self, body: Value) -> Option<Value> {
        let url = format!("{}/bank/v1/payments", self.far.url());
        self.office.try_plain(&url, &body).await.map(|answer| answer.expect(200).json())
    }

    /// The bank's word on a payment.
    pub(crate) async fn bank_says(&self, permit: &Permit) -> Value {
        let url = format!("{}/bank/v1/payments/{}", self.far.url(), permit.number());
        self.office.fetch(&url).await.expect(200).json()
    }

    /// A callback posted to levee, as it is.
    pub(crate) async fn callback(&self, body: String) -> Answer {
        let url = format!("{}/callbacks/{}", self.office.base(), super::ACCOUNT);
        self.office.form(&url, body).await
    }

    /// What callbacks have told an order so far, copies counted once.
    pub(crate) async fn heard(&self, order: &Order) -> Vec<Value> {
        let id = InstanceId(order.id.parse().expect("an id"));
        let letters = self.engine.store.letters(id).await.expect("the store answers");
        letters.into_iter().filter(|letter| letter.source == "callback").map(|letter| letter.event).collect()
    }

    /// A well signed CLOSE_ORDER_NOTICE for a remit, true or not (000 §2.4).
    pub(crate) async fn notice(&self, order: &Order, remit: &Remit, close_time: Time) {
        self.callback(notice(order, &remit.location, close_time)).await.expect(200);
    }
}

/// The body of a well signed CLOSE_ORDER_NOTICE.
pub(crate) fn notice(order: &Order, location: &str, close_time: Time) -> String {
    callback(
        "CLOSE_ORDER_NOTICE",
        &json!({
            "request_id": order.request_id, "remit_status": "CLOSE", "tax_agent_location_id": location,
            "close_time": close_time.beijing().to_string(), "close_reason": "超时自动关单",
        }),
    )
}

/// The body of a well signed callback.
pub(crate) fn callback(name: &str, data: &Value) -> String {
    signed(&json!({ "name": name, "code": "0", "message": "成功", "data": data }).to_string())
}

/// Signed with our secret, which is the provider's too (000 §1.2).
pub(crate) fn signed(req: &str) -> String {
    form(req, &sign(req))
}

pub(crate) fn sign(req: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(req.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

pub(crate) fn form(req: &str, sign: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("req", req).append_pair("sign", sign).finish()
}

pub(crate) fn fact<'a>(call: &'a CallLine, name: &str) -> &'a str {
    call.facts.get(name).map_or("", String::as_str)
}

pub(crate) fn last_status(payment: &PaymentTruth) -> Option<PaymentStatus> {
    payment.statuses.last().map(|(_, status)| *status)
}

/// When the bank's payment succeeded, as its answer tells.
pub(crate) fn paid_at(payment: &Value) -> Time {
    Time::parse(text(&payment["paid_at"])).expect("the bank's time")
}
