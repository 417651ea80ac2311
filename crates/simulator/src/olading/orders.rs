//! # Order (代征订单)
//!
//!   CREATE ─► ACCEPT (quota held) ─► PROCESS ─► CLOSE with remits: the merchant may pay
//!                                          └──► CLOSE with a reason: rejected, quota given back
//!
//! CLOSE has four printed meanings (000 §3.2, P13) and, by script, three more that nobody printed.

use super::book::{Asked, Month, Order, OrderStatus, Remit, RemitStatus, as_of};
use super::check::text;
use super::split::{self, Quote, money};
use super::{Call, Done, IDENTITY_FAILED, INCOMPLETE, Outcome, QUOTA_SHORT, Refusal, accepted, read, refused};
use crate::agenda::Event;
use crate::faults::CallFault;
use crate::ledger::{Effect, fingerprint};
use crate::script::CloseAs;
use crate::sim::Sim;
use crate::switches::{CloseOrigin, DuplicateRequest, DuplicateShown, LevyingWord, OverCap, Per};
use crate::{Agent, TaskKind};
use domain::{BankCard, IdCard, Money, Time};
use serde_json::{Map, Value, json};
use std::time::Duration;

impl Sim {
    /// CREATE_ORDER_V2 (000 §2.3).
    pub(super) fn create_order(
        &mut self,
        call: &Call,
        fault: Option<CallFault>,
        cause: Option<CallFault>,
        close_as: Option<CloseAs>,
    ) -> Outcome {
        let known =
            self.book.by_request.get(&(call.client.clone(), call.id.clone())).and_then(|keys| keys.first()).copied();
        if let Some(first) = known {
            match self.config.switches.duplicate_request {
                DuplicateRequest::SecondOrder => {}
                DuplicateRequest::SameAnswer => {
                    return Ok(Done { data: self.acceptance(first), effect: Effect::Duplicate });
                }
                DuplicateRequest::Error => {
                    return Err(refused(&self.config.switches.codes.duplicate_request_id, "请求流水号重复"));
                }
            }
        }
        let asked = asked(&call.data);
        self.admit(call, asked)?;
        let key = self.accept_order(call, asked, cause, close_as);
        if let Some(fault @ CallFault::CallbackFirst) = fault {
            self.struck(call, fault);
            self.order_begins(key);
            self.close_and_announce(key, self.now);
            self.settle(self.now);
        } else {
            let closes = self.after(self.config.timings.order);
            let begins = self.now + closes.since(self.now) / 2;
            self.agenda.put(begins, Event::OrderBegins(key));
            self.agenda.put(closes, Event::OrderCloses(key));
        }
        accepted(self.acceptance(key))
    }

    fn acceptance(&self, key: u64) -> Value {
        let Some(order) = self.book.orders.get(&key) else { return json!({}) };
        json!({ "request_id": order.request_id, "accept_time": order.accept_time.beijing().to_string() })
    }

    /// Rules 1, 2 and 5: what is refused at once.
    fn admit(&self, call: &Call, asked: Asked) -> Result<(), Refusal> {
        let field = |name: &str| text(&call.data, name).unwrap_or_default();
        let (id_card, name, parent) = (field("id_card"), field("name"), field("tax_agent_parent_id"));
        if !self.identity_passes(&id_card, &name) || BankCard::parse(&field("bankcard_no")).is_err() {
            return Err(refused(IDENTITY_FAILED, "信息鉴权未通过"));
        }
        let agent = self
            .config
            .catalogue
            .agents
            .get(&parent)
            .ok_or_else(|| refused(INCOMPLETE, "tax_agent_parent_id is unknown"))?;
        let location = text(&call.data, "tax_agent_location_id");
        if location.as_ref().is_some_and(|id| !agent.locations.iter().any(|place| place.id == *id)) {
            return Err(refused(INCOMPLETE, "tax_agent_location_id is unknown"));
        }
        let codes = &self.config.switches.codes;
        if self.config.switches.require_sign_up && !self.has_signed(&call.client, &id_card, &parent) {
            return Err(refused(&codes.not_signed, "未签约"));
        }
        let month = self.now.beijing().month();
        if self.config.switches.month_cap == OverCap::Refuse
            && self.shares(agent, &call.data, asked, &id_card, month).is_none()
        {
            return Err(refused(&codes.month_cap, "超出资质所在地当月打款限额"));
        }
        let person = fingerprint(&id_card);
        let limit = self.config.quotas.persons.get(&person).copied().unwrap_or(self.config.quotas.person_month);
        let held = self.book.held.get(&(id_card, month)).copied().unwrap_or(0);
        if held + asked.fen() > limit.fen() { Err(refused(QUOTA_SHORT, "可用额度不足")) } else { Ok(()) }
    }

    /// 实名认证: the ID number's checksum holds, and the name is not on the list of those who fail.
    pub(super) fn identity_passes(&self, id_card: &str, name: &str) -> bool {
        IdCard::parse(id_card).is_ok() && !self.config.catalogue.refused_names.iter().any(|refused| refused == name)
    }

    fn accept_order(&mut self, call: &Call, asked: Asked, cause: Option<CallFault>, close_as: Option<CloseAs>) -> u64 {
        self.book.last_key += 1;
        let key = self.book.last_key;
        let name = (call.client.clone(), call.id.clone());
        let id_card = text(&call.data, "id_card").unwrap_or_default();
        let month = self.now.beijing().month();
        *self.book.held.entry((id_card.clone(), month)).or_default() += asked.fen();
        let order = Order {
            client: call.client.clone(),
            request_id: call.id.clone(),
            id_card,
            data: call.data.clone(),
            asked,
            month,
            accept_time: self.now,
            first_send: self.book.first_send.get(&name).copied().unwrap_or(self.now),
            statuses: vec![(self.now, OrderStatus::Accept)],
            fail_reason: None,
            remits: Vec::new(),
            held: asked.fen(),
            close_as,
            cause,
        };
        self.book.orders.insert(key, order);
        self.book.by_request.entry(name).or_default().push(key);
        key
    }

    /// ACCEPT → PROCESS: 正在创建内部系统订单.
    pub(crate) fn order_begins(&mut self, key: u64) {
        let now = self.now;
        if let Some(order) = self.book.orders.get_mut(&key) {
            order.statuses.push((now, OrderStatus::Process));
        }
    }

    /// PROCESS → CLOSE, with remits or with a reason.
    pub(crate) fn order_closes(&mut self, key: u64) {
        let at = self.after(self.config.timings.callback);
        self.close_and_announce(key, at);
    }

    fn close_and_announce(&mut self, key: u64, at: Time) {
        let Some(order) = self.book.orders.get(&key).cloned() else { return };
        match &order.close_as {
            Some(CloseAs::Never) => return,
            Some(CloseAs::Bare) => self.close_order(key, None),
            Some(CloseAs::Rejected(reason)) => self.close_order(key, Some(reason)),
            Some(CloseAs::Contradictory) => {
                let _placed = self.create_remits(key, &order);
                self.close_order(key, Some("部分打款订单创建失败"));
            }
            Some(CloseAs::WrongSum | CloseAs::WrongFee | CloseAs::UnknownWord) | None => {
                let reason = self.reject_reason(&order).or_else(|| self.create_remits(key, &order).err());
                self.close_order(key, reason);
            }
        }
        self.announce_order(key, at);
    }

    fn close_order(&mut self, key: u64, reason: Option<&str>) {
        let now = self.now;
        let Some(order) = self.book.orders.get_mut(&key) else { return };
        order.statuses.push((now, OrderStatus::Close));
        order.fail_reason = reason.map(|reason| reason.chars().take(30).collect());
        if order.remits.is_empty() {
            let held = order.held;
            self.book.release(key, held);
        }
    }

    /// Meanings 1, 3 and 4 of CLOSE: checks that fail after acceptance (000 §3.2, V2.13).
    fn reject_reason(&self, order: &Order) -> Option<&'static str> {
        let field = |name: &str| text(&order.data, name);
        let customer = field("credit_code").or_else(|| field("customer_id")).unwrap_or_default();
        if self.config.catalogue.unknown_customers.contains(&customer) {
            return Some("客户信息查询失败，请联系技术支持人员");
        }
        let task = field("task_id")?;
        let wanted =
            if field("tax_mode").as_deref() == Some("GENERAL") { TaskKind::Direct } else { TaskKind::Entrusted };
        match self.config.catalogue.tasks.get(&task) {
            None => Some("任务ID不存在"),
            Some(task) if task.kind != wanted => Some("任务类型与开票模式不一致"),
            Some(_) => None,
        }
    }

    fn shares<'a>(
        &self,
        agent: &'a Agent,
        data: &Map<String, Value>,
        asked: Asked,
        id_card: &str,
        month: Month,
    ) -> Option<Vec<(&'a crate::Location, i64)>> {
        let wanted = text(data, "tax_agent_location_id");
        split::shares(agent, wanted.as_deref(), asked, |place| {
            place.month_cap.fen() - self.book.placed_by(id_card, &place.id, month)
        })
    }

    fn create_remits(&mut self, key: u64, order: &Order) -> Result<(), &'static str> {
        let parent = text(&order.data, "tax_agent_parent_id").unwrap_or_default();
        let agent = self.config.catalogue.agents.get(&parent).cloned().ok_or("资质方不存在")?;
        let shares = self
            .shares(&agent, &order.data, order.asked, &order.id_card, order.month)
            .ok_or("超出资质所在地当月打款限额")?;
        let origin = match self.config.switches.close_origin {
            CloseOrigin::FirstSend => order.first_send,
            CloseOrigin::Accept => order.accept_time,
            CloseOrigin::Ready => self.now,
        };
        let deadline = origin + self.config.timings.auto_close();
        let mut net = 0;
        for (place, share) in shares {
            let quote = bent(split::quote(place, order.asked, share), order.close_as.as_ref());
            net += quote.amount;
            self.create_remit(key, order, &place.id, quote, deadline);
        }
        // Quota is counted in what reaches the person; a gross order held a little more until now.
        self.book.release(key, order.held - net);
        let job = self.after(self.config.timings.closing_job);
        self.agenda.put(deadline.max(self.now) + job.since(self.now), Event::ClosingJob(key));
        Ok(())
    }

    fn create_remit(&mut self, key: u64, order: &Order, location: &str, quote: Quote, deadline: Time) {
        self.book.last_remit += 1;
        let order_id = format!("{:06}{:012}", self.dice.between(100_000, 999_999), self.book.last_remit);
        self.book.place(&order.id_card, location, order.month, quote.amount);
        let statuses = vec![(self.now, RemitStatus::Accept)];
        let remit =
            Remit { order: key, location: location.to_owned(), quote, deadline, statuses, decision: None, ended: None };
        self.book.remits.insert(order_id.clone(), remit);
        self.book.waiting.insert(order_id.clone());
        if let Some(order) = self.book.orders.get_mut(&key) {
            order.remits.push(order_id);
        }
    }

    /// The asynchronous result (000 §2.3), once for the order or once for each remit.
    fn announce_order(&mut self, key: u64, at: Time) {
        let Some(order) = self.book.orders.get(&key) else { return };
        let (client, request_id, reason) = (order.client.clone(), order.request_id.clone(), order.fail_reason.clone());
        let status = self.order_word(order, OrderStatus::Close);
        let remits: Vec<Value> = order.remits.iter().filter_map(|id| self.remit_view(id, self.now)).collect();
        let letters = match self.config.switches.callbacks {
            Per::Remit if !remits.is_empty() => remits.into_iter().map(|remit| vec![remit]).collect(),
            Per::Remit | Per::Order => vec![remits],
        };
        for remits in letters {
            let mut data = json!({ "request_id": request_id, "status": status, "remit_order_list": remits });
            if let Some(reason) = &reason {
                data["fail_reason"] = json!(reason);
            }
            self.announce_at(at, &client, "CREATE_ORDER_V2", data);
        }
    }

    /// QUERY_ORDER_V2 (000 §2.7), from a copy as old as the switch or the fault says.
    pub(super) fn query_order(&mut self, call: &Call, fault: Option<CallFault>) -> Outcome {
        let stale =
            if fault == Some(CallFault::Stale) { self.dice.between(1, self.config.faults.stale_seconds) } else { 0 };
        let at = self.now - Duration::from_secs(stale.max(self.config.switches.query_lag_seconds));
        let view = self.shown(call, at);
        if let Some(fault @ CallFault::Stale) = fault
            && view != self.shown(call, self.now)
        {
            self.struck(call, fault);
        }
        view.map_or_else(|| Err(refused(&self.config.switches.codes.order_not_found, "订单不存在")), read)
    }

    /// The order that a query shows, as it stood at a time.
    fn shown(&self, call: &Call, at: Time) -> Option<Value> {
        let keys = self.book.by_request.get(&(call.client.clone(), call.id.clone()))?;
        let mut views = keys.iter().filter_map(|key| self.order_view(*key, at));
        match self.config.switches.duplicate_shown {
            DuplicateShown::First => views.next(),
            DuplicateShown::Latest => views.next_back(),
        }
    }

    fn order_view(&self, key: u64, at: Time) -> Option<Value> {
        let order = self.book.orders.get(&key)?;
        let status = as_of(&order.statuses, at)?;
        let field = |name: &str| text(&order.data, name);
        let remits: Vec<Value> = order.remits.iter().filter_map(|id| self.remit_view(id, at)).collect();
        let mut view = json!({
            "request_id": order.request_id,
            "id_card": order.id_card,
            "name": field("name"),
            "credit_code": field("credit_code").unwrap_or_else(|| "91310000SIMCUST000".into()),
            "remit_order_list": remits,
            "tax_mode": field("tax_mode"),
            "accept_time": order.accept_time.beijing().to_string(),
            "cellphone": field("cellphone"),
            "bankcard_no": field("bankcard_no"),
            "status": self.order_word(order, status),
        });
        let reason = order.fail_reason.clone().filter(|_| status == OrderStatus::Close);
        let task = field("task_id").map(|id| self.id(&id));
        let more = [
            ("customer_id", field("customer_id").map(Value::from)),
            ("fail_reason", reason.map(Value::from)),
            ("task_id", task),
            ("arising_time", self.arising_time(order, at).map(|time| json!(time.beijing().to_string()))),
        ];
        for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            view[name] = value;
        }
        Some(view)
    }

    /// Per order in the answer although CONFIRM is per remit: the newest CONTINUE's (safety.md §15.0a).
    fn arising_time(&self, order: &Order, at: Time) -> Option<Time> {
        let decisions = order.remits.iter().filter_map(|id| self.book.remits.get(id)?.decision.as_ref());
        decisions
            .filter(|decision| decision.next_step == "CONTINUE" && decision.at <= at)
            .max_by_key(|d| d.at)
            .map(|d| d.arising_time)
    }

    fn order_word(&self, order: &Order, status: OrderStatus) -> &'static str {
        if status == OrderStatus::Close && order.close_as == Some(CloseAs::UnknownWord) {
            "SUSPEND"
        } else {
            status.word()
        }
    }

    /// One entry of 打款订单列表.
    fn remit_view(&self, order_id: &str, at: Time) -> Option<Value> {
        let remit = self.book.remits.get(order_id)?;
        let status = as_of(&remit.statuses, at)?;
        let levying = self.config.switches.levying_as == LevyingWord::Remit && status == RemitStatus::Process;
        let quote = remit.quote;
        Some(json!({
            "order_id": order_id,
            "tax_agent_location_id": self.id(&remit.location),
            "amount": money(quote.amount),
            "fee": money(quote.fee),
            "actual_amount": money(quote.actual_amount),
            "compensate_fee": money(quote.compensate_fee),
            "sum_fee": money(quote.sum_fee),
            "remit_status": if levying { RemitStatus::Remit.word() } else { status.word() },
        }))
    }

    /// An id of type 整数, as text or as a number (T03).
    pub(super) fn id(&self, id: &str) -> Value {
        let number = self.config.switches.ids_as_numbers.then(|| id.parse::<u64>().ok()).flatten();
        number.map_or_else(|| json!(id), |number| json!(number))
    }
}

/// The given one of the two amounts (rule 4); the door has seen that there is exactly one.
fn asked(data: &Map<String, Value>) -> Asked {
    let amount = |name: &str| text(data, name).and_then(|amount| Money::parse(&amount).ok());
    match (amount("profit"), amount("pay_amount")) {
        (Some(net), _) => Asked::Net(net),
        (None, gross) => Asked::Gross(gross.unwrap_or_default()),
    }
}

/// A quote as the script wants it wrong.
fn bent(quote: Quote, close_as: Option<&CloseAs>) -> Quote {
    match close_as {
        Some(CloseAs::WrongSum) => Quote { amount: quote.amount + 1, actual_amount: quote.actual_amount + 1, ..quote },
        Some(CloseAs::WrongFee) => Quote { compensate_fee: quote.compensate_fee + 1, ..quote },
        Some(CloseAs::Rejected(_) | CloseAs::Bare | CloseAs::Contradictory | CloseAs::UnknownWord | CloseAs::Never)
        | None => quote,
    }
}
