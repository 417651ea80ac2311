//! # Remit (打款订单)
//!
//!   ACCEPT ── CONTINUE ─► PROCESS ─► CLOSE or REMIT (levied; irrevocable from the first step on)
//!     ├────── CANCEL ───► CLOSE (quota restored)
//!     └────── 72 h ─────► CLOSE (quota restored, CLOSE_ORDER_NOTICE)
//!
//! The bank's payment is not in the picture: the provider does not see it (safety.md §1).

use super::book::{Remit, RemitStatus};
use super::check::{self, text};
use super::{Call, Done, Outcome, Refusal, accepted, refused};
use crate::agenda::Event;
use crate::ledger::{DecisionTruth, Effect, Ended};
use crate::sim::Sim;
use crate::switches::{ArisingTime, LateConfirm, LevyWord, Per, Repeat};
use domain::Time;
use serde_json::{Value, json};
use std::time::Duration;

impl Sim {
    /// CONFIRM_ORDER_V2 (000 §2.5).
    pub(super) fn confirm(&mut self, call: &Call) -> Outcome {
        let not_found = || refused(&self.config.switches.codes.order_not_found, "订单不存在");
        let remit = self.own_remit(&call.client, &call.id).cloned().ok_or_else(not_found)?;
        let step = text(&call.data, "next_step").unwrap_or_default();
        let arising = text(&call.data, "arising_time").and_then(|time| check::time(&self.config.switches, &time));
        let arising = arising.map(domain::BeijingTime::time).unwrap_or_default();
        if let Some(decision) = &remit.decision {
            let same = decision.next_step == step;
            let rule = if same { self.config.switches.repeated_confirm } else { self.config.switches.contrary_confirm };
            return match rule {
                Repeat::SameAnswer => Ok(Done { data: json!({ "order_id": call.id }), effect: Effect::Duplicate }),
                Repeat::Error => Err(self.not_confirmable()),
            };
        }
        let late = self.now >= remit.deadline && self.config.switches.late_confirm == LateConfirm::Refused;
        if remit.status() != RemitStatus::Accept || late {
            return Err(self.not_confirmable());
        }
        if step == "CONTINUE" {
            self.arising_time_passes(&remit, arising)?;
        }
        self.decide(&call.id, &remit, &step, arising);
        accepted(json!({ "order_id": call.id }))
    }

    pub(super) fn own_remit(&self, client: &str, order_id: &str) -> Option<&Remit> {
        let remit = self.book.remits.get(order_id)?;
        self.book.orders.get(&remit.order).filter(|order| order.client == client).map(|_| remit)
    }

    fn not_confirmable(&self) -> Refusal {
        refused(&self.config.switches.codes.not_confirmable, "订单状态不允许确认")
    }

    fn arising_time_passes(&self, remit: &Remit, arising: Time) -> Result<(), Refusal> {
        let latest = self.now + Duration::from_millis(self.tolerance_ms());
        let accepted = self.book.orders.get(&remit.order).map(|order| order.accept_time).unwrap_or_default();
        let passes = match self.config.switches.arising_time {
            ArisingTime::Any => true,
            ArisingTime::NotFuture => arising <= latest,
            ArisingTime::WithinOrder => {
                arising <= latest && arising >= accepted && arising.beijing().month() == self.now.beijing().month()
            }
        };
        if passes {
            Ok(())
        } else {
            Err(refused(&self.config.switches.codes.arising_time, "纳税义务发生时间超出范围"))
        }
    }

    fn decide(&mut self, order_id: &str, remit: &Remit, step: &str, arising: Time) {
        let decision = DecisionTruth { next_step: step.to_owned(), at: self.now, arising_time: arising };
        if let Some(remit) = self.book.remits.get_mut(order_id) {
            remit.decision = Some(decision);
        }
        if step == "CONTINUE" {
            self.remit_is(order_id, RemitStatus::Process, None);
            let at = self.after(self.config.timings.levy);
            self.agenda.put(at, Event::Levied(order_id.to_owned()));
        } else {
            self.remit_is(order_id, RemitStatus::Close, Some(Ended::Cancelled));
            self.restore(remit);
        }
    }

    /// 缴税成功.
    pub(crate) fn levied(&mut self, order_id: &str) {
        let word = match self.config.switches.levied_as {
            LevyWord::Close => RemitStatus::Close,
            LevyWord::Remit => RemitStatus::Remit,
        };
        self.remit_is(order_id, word, Some(Ended::Levied));
    }

    fn remit_is(&mut self, order_id: &str, status: RemitStatus, ended: Option<Ended>) {
        let now = self.now;
        self.book.waiting.remove(order_id);
        if let Some(remit) = self.book.remits.get_mut(order_id) {
            remit.statuses.push((now, status));
            remit.ended = ended.or(remit.ended);
        }
    }

    /// 恢复被占用的缴税额度, and by a switch the monthly cap.
    fn restore(&mut self, remit: &Remit) {
        self.book.release(remit.order, remit.quote.amount);
        let Some(order) = self.book.orders.get(&remit.order) else { return };
        if self.config.switches.month_cap_restored {
            let (id_card, month) = (order.id_card.clone(), order.month);
            self.book.place(&id_card, &remit.location, month, -remit.quote.amount);
        }
    }

    /// 超时自动关单 (000 §2.4): closes what was neither continued nor cancelled.
    pub(crate) fn closing_job(&mut self, key: u64) {
        let Some(order) = self.book.orders.get(&key) else { return };
        let (client, request_id, ids) = (order.client.clone(), order.request_id.clone(), order.remits.clone());
        let mut closed = Vec::new();
        for order_id in ids {
            let Some(remit) = self.book.remits.get(&order_id).cloned() else { continue };
            if remit.status() == RemitStatus::Accept {
                self.remit_is(&order_id, RemitStatus::Close, Some(Ended::AutoClosed));
                self.restore(&remit);
                closed.push(remit.location);
            }
        }
        let told = match self.config.switches.close_notice {
            Per::Remit => closed.len(),
            Per::Order => closed.len().min(1),
        };
        for location in &closed[..told] {
            let notice = self.notice(&request_id, location, self.now);
            self.announce(&client, "CLOSE_ORDER_NOTICE", notice);
        }
    }

    /// The data of CLOSE_ORDER_NOTICE; it carries no order id (P41).
    pub(crate) fn notice(&self, request_id: &str, location: &str, at: Time) -> Value {
        json!({
            "request_id": request_id,
            "remit_status": RemitStatus::Close.word(),
            "tax_agent_location_id": self.id(location),
            "close_time": at.beijing().to_string(),
            "close_reason": "超时自动关单",
        })
    }
}
