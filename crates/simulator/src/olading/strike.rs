//! What a fault does to a call on the wire, before and after its effect.

use super::{Call, SYSTEM_FAILURE, codec, envelope};
use crate::agenda::{Event, LateCall};
use crate::faults::CallFault;
use crate::ledger::Effect;
use crate::sim::{Answer, Reply, Sim, Wire};
use std::time::Duration;

/// Longer than any cap on an answer (F51).
const HUGE_BYTES: usize = 2 * 1024 * 1024;

/// The page some gateway shows instead of an answer (F53).
const PAGE: &str = "<!DOCTYPE html><html><head><title>系统维护中</title></head><body>请稍后再试</body></html>";

impl Sim {
    /// Faults that leave no effect, or none yet. `None`: the call goes on.
    pub(super) fn strike_before(&mut self, call: &Call, fault: Option<CallFault>) -> Option<Reply> {
        let fault = fault?;
        let (wire, hold_ms, code) = match fault {
            CallFault::DropBefore => (Wire::Drop, 0, None),
            CallFault::SystemFailureBefore => (Wire::Answer(self.system_failure(call)), 0, Some(SYSTEM_FAILURE)),
            CallFault::ServerErrorBefore => (Wire::Answer(self.server_error()), 0, None),
            CallFault::TooManyRequests => {
                let headers = vec![("Retry-After", "1".to_owned()), ("Content-Type", "text/plain".to_owned())];
                (Wire::Answer(Answer { status: 429, headers, body: b"too many requests".to_vec() }), 0, None)
            }
            CallFault::Late => {
                let at = self.now + Duration::from_secs(self.dice.between(1, self.config.faults.late_seconds));
                let late = LateCall { client: call.client.clone(), operation: call.operation, data: call.data.clone() };
                self.agenda.put(at, Event::Late(Box::new(late)));
                (Wire::Drop, self.config.faults.slow_ms, None)
            }
            CallFault::Doubled
            | CallFault::Stale
            | CallFault::CallbackFirst
            | CallFault::DropAfter
            | CallFault::SystemFailureAfter
            | CallFault::ServerErrorAfter
            | CallFault::Delay
            | CallFault::BadSignature
            | CallFault::MissingSignature
            | CallFault::MixUp
            | CallFault::Html
            | CallFault::Truncated
            | CallFault::Drip
            | CallFault::Huge => return None,
        };
        self.log(call, Effect::Nothing, Some(fault), code);
        self.struck(call, fault);
        Some(Reply { hold_ms, wire, fault: Some(fault) })
    }

    /// Spoils the honest answer. The effect stands.
    pub(super) fn strike_after(&mut self, call: &Call, body: Vec<u8>, fault: Option<CallFault>) -> Reply {
        let other = self.swap_answer(call, &body);
        let honest = self.signed(&call.client, body);
        let Some(fault) = fault else { return Reply::plain(honest) };
        let slow = self.config.faults.slow_ms;
        let (hold_ms, wire) = match fault {
            CallFault::DropAfter => (0, Wire::Drop),
            CallFault::SystemFailureAfter => (0, Wire::Answer(self.system_failure(call))),
            CallFault::ServerErrorAfter => (0, Wire::Answer(self.server_error())),
            CallFault::Delay => (slow, Wire::Answer(honest)),
            CallFault::BadSignature => (0, Wire::Answer(forged(honest))),
            CallFault::MissingSignature => {
                (0, Wire::Answer(Answer { headers: honest.headers[..1].to_vec(), ..honest }))
            }
            CallFault::MixUp => match other {
                Some(body) => (0, Wire::Answer(self.signed(&call.client, body))),
                None => return Reply::plain(honest),
            },
            CallFault::Html => {
                let headers = vec![("Content-Type", "text/html;charset=UTF-8".to_owned())];
                (0, Wire::Answer(Answer { status: 200, headers, body: PAGE.into() }))
            }
            CallFault::Truncated => {
                let half = honest.body[..honest.body.len() / 2].to_vec();
                (0, Wire::Answer(self.signed(&call.client, half)))
            }
            CallFault::Drip => (0, Wire::Drip(honest)),
            CallFault::Huge => (0, Wire::Answer(self.signed(&call.client, padded(&honest.body)))),
            // Long enough for the callback to arrive, short enough for the caller to wait.
            CallFault::CallbackFirst => (slow / 6, Wire::Answer(honest)),
            CallFault::Doubled
            | CallFault::Stale
            | CallFault::Late
            | CallFault::DropBefore
            | CallFault::SystemFailureBefore
            | CallFault::ServerErrorBefore
            | CallFault::TooManyRequests => (0, Wire::Answer(honest)),
        };
        // These two count where they take effect: a refused order has no callback, and an old copy may be no different.
        if !matches!(fault, CallFault::Stale | CallFault::CallbackFirst) {
            self.struck(call, fault);
        }
        Reply { hold_ms, wire, fault: Some(fault) }
    }

    /// A fault was really injected.
    pub(super) fn struck(&mut self, call: &Call, fault: CallFault) {
        self.cover(call.operation.name(), fault.phase().word(), fault.word());
    }

    fn system_failure(&self, call: &Call) -> Answer {
        let body = envelope(call.operation.name(), SYSTEM_FAILURE, "系统失败", self.echo(call));
        self.signed(&call.client, body)
    }

    fn server_error(&mut self) -> Answer {
        let status = self.dice.pick(&[500, 502, 503, 504]).copied().unwrap_or(500);
        Answer { status, headers: vec![("Content-Type", "text/plain".to_owned())], body: b"server error".to_vec() }
    }
}

/// The same answer under the signature of somebody else.
fn forged(honest: Answer) -> Answer {
    let sign = codec::sign("not-the-secret", &honest.body);
    let headers = honest
        .headers
        .into_iter()
        .map(|(name, value)| if name == "Api-Sign" { (name, sign.clone()) } else { (name, value) });
    Answer { headers: headers.collect(), status: honest.status, body: honest.body }
}

/// The same answer with 2 MiB of blanks behind it, which JSON allows.
fn padded(body: &[u8]) -> Vec<u8> {
    let mut long = body.to_vec();
    long.resize(body.len() + HUGE_BYTES, b' ');
    long
}
