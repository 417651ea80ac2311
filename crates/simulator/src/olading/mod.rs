//! Olading (阿拉钉) 代征 v2.13 as its document prints it (`000`), strict where levee must be exact and cruel where it must be
//! patient.
//!
//! The way of a call: `door` opens and verifies it → a script or the dice choose a fault (`strike`) → `orders`, `remits`,
//! `people` or `documents` carry it out → `strike` spoils the answer. Every arrival leaves a line in the ledger.

pub(crate) mod codec;
mod tables;
mod check;
mod split;
mod book;
mod door;
mod strike;
mod orders;
mod remits;
mod people;
mod documents;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use book::Book;

use crate::faults::CallFault;
use crate::ledger::Effect;
use crate::operation::Operation;
use crate::script::CloseAs;
use crate::sim::{Answer, Reply, Sim};
use check::Data;
use domain::Time;
use serde_json::{Value, json};

/// A verified call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) client: String,
    pub(crate) operation: Operation,
    pub(crate) data: Data,
    /// The value of the interface's key field, for the ledger, scripts and echoes.
    pub(crate) id: String,
}

impl Call {
    /// What its answer is about.
    fn subject(&self) -> String {
        format!("{} {}", self.operation, self.id)
    }
}

/// What carrying out a call comes to.
pub(crate) type Outcome = Result<Done, Refusal>;

pub(crate) struct Done {
    pub(crate) data: Value,
    pub(crate) effect: Effect,
}

#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// 系统失败: ambiguous (000 §3.1).
pub(crate) const SYSTEM_FAILURE: &str = "0001";
/// 参数不完整.
pub(crate) const INCOMPLETE: &str = "0002";
/// 验签失败.
pub(crate) const BAD_SIGNATURE: &str = "0003";
/// 可用额度不足.
pub(crate) const QUOTA_SHORT: &str = "1009";
/// 信息鉴权未通过.
pub(crate) const IDENTITY_FAILED: &str = "1010";

pub(crate) fn accepted(data: Value) -> Outcome {
    Ok(Done { data, effect: Effect::Accepted })
}

pub(crate) fn read(data: Value) -> Outcome {
    Ok(Done { data, effect: Effect::Read })
}

pub(crate) fn refused(code: &str, message: impl Into<String>) -> Refusal {
    Refusal { code: code.into(), message: message.into() }
}

/// What a script or the dice decided for one call.
#[derive(Default)]
struct Fate {
    code: Option<String>,
    fault: Option<CallFault>,
    close_as: Option<CloseAs>,
}

impl Sim {
    /// One call to the provider: `POST {path}` with a form of `req` and `sign`.
    pub fn handle(&mut self, now: Time, path: &str, content_type: &str, body: &[u8]) -> Reply {
        self.settle(now);
        let call = match self.open(path, content_type, body) {
            Ok(call) => call,
            Err(answer) => return Reply::plain(answer),
        };
        if call.operation == Operation::CreateOrderV2 {
            let key = (call.client.clone(), call.id.clone());
            self.book.first_send.entry(key).or_insert(self.now);
        }
        let mut fate = self.fate(&call);
        // The first answer of all has no other to be mixed up with.
        fate.fault = fate.fault.filter(|fault| *fault != CallFault::MixUp || self.book.mixable(&call));
        if let Some(code) = fate.code {
            let body = self.refuse(&call, &refused(&code, "as the script says"), None);
            return Reply::plain(self.signed(&call.client, body));
        }
        if let Some(reply) = self.strike_before(&call, fate.fault) {
            return reply;
        }
        let mut body = self.carry_out(&call, fate.fault, None, fate.close_as);
        if fate.fault == Some(CallFault::Doubled) {
            body = self.carry_out(&call, fate.fault, fate.fault, None);
        }
        self.strike_after(&call, body, fate.fault)
    }

    fn fate(&mut self, call: &Call) -> Fate {
        if let Some(script) = self.scripts.iter_mut().find(|script| script.fits(call.operation, &call.id)) {
            script.times -= 1;
            let fate = Fate { code: script.code.clone(), fault: script.fault, close_as: script.close_as.clone() };
            self.scripts.retain(|script| script.times > 0);
            return fate;
        }
        Fate { fault: self.config.faults.for_call(call.operation, &mut self.dice), ..Fate::default() }
    }

    /// Carries the call out, writes the ledger, and returns the honest answer's body. `cause` marks an effect that exists
    /// only because of a fault.
    pub(crate) fn carry_out(
        &mut self,
        call: &Call,
        fault: Option<CallFault>,
        cause: Option<CallFault>,
        close_as: Option<CloseAs>,
    ) -> Vec<u8> {
        let outcome = match call.operation {
            Operation::CreateOrderV2 => self.create_order(call, fault, cause, close_as),
            Operation::QueryOrderV2 => self.query_order(call, fault),
            Operation::ConfirmOrderV2 => self.confirm(call),
            Operation::SyncSign => self.sync_sign(call),
            Operation::SignUp => self.sign_up(call),
            Operation::QuerySignUpBatch => self.query_sign_ups(call),
            Operation::UploadTaxpayerAgreement => self.upload_agreement(call),
            Operation::AddBankVoucher => self.add_voucher(call),
            Operation::UploadIdCardImage => self.upload_image(call),
            Operation::QueryIdCardImage => self.query_image(call),
            Operation::UploadFaceidVideoFrame => self.upload_face(call),
        };
        match outcome {
            Ok(done) => {
                self.log(call, done.effect, fault, Some("0"));
                envelope(call.operation.name(), "0", "成功", done.data)
            }
            Err(refusal) => self.refuse(call, &refusal, fault),
        }
    }

    /// A definite refusal of a call that was understood.
    fn refuse(&mut self, call: &Call, refusal: &Refusal, fault: Option<CallFault>) -> Vec<u8> {
        self.log(call, Effect::Refused, fault, Some(&refusal.code));
        let data = self.echo(call);
        envelope(call.operation.name(), &refusal.code, &refusal.message, data)
    }

    /// The ids of the call, where errors carry them (TR2).
    pub(crate) fn echo(&self, call: &Call) -> Value {
        if self.config.switches.errors_echo_ids { json!({ call.operation.key_field(): call.id }) } else { json!({}) }
    }

    /// 000 §1.1.2: the body with its `Api-Sign` header.
    pub(crate) fn signed(&self, client: &str, body: Vec<u8>) -> Answer {
        let sign = self.secret(client).map(|secret| ("Api-Sign", codec::sign(&secret, &body)));
        let headers = [("Content-Type", "application/json;charset=UTF-8".to_owned())].into_iter().chain(sign).collect();
        Answer { status: 200, headers, body }
    }

    pub(crate) fn secret(&self, client: &str) -> Option<String> {
        self.config.clients.iter().find(|known| known.client_key == client).map(|known| known.secret.clone())
    }
}

/// `{name, code, message, data}` (000 §1.1.2).
pub(crate) fn envelope(name: &str, code: &str, message: &str, data: Value) -> Vec<u8> {
    json!({ "name": name, "code": code, "message": message, "data": data }).to_string().into_bytes()
}
