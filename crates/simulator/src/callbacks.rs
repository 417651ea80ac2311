//! Callbacks (异步通知): signed like requests, sent until acknowledged or until the limit (000 §1.1.3), and everything that
//! can go wrong on the way.

use crate::agenda::Event;
use crate::faults::CallbackFault;
use crate::ledger::CallbackLine;
use crate::olading::codec;
use crate::sim::{Outgoing, Sim};
use domain::Time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Letters on their way, and the record of those that left.
#[derive(Default)]
pub(crate) struct Post {
    letters: BTreeMap<u64, Letter>,
    next: u64,
    outbox: Vec<Outgoing>,
    lines: Vec<CallbackLine>,
    /// The newest signed request of each client, to be reflected (TR1).
    last_request: BTreeMap<String, String>,
    pub(crate) muted: bool,
}

#[derive(Debug, Clone)]
struct Letter {
    client: String,
    name: String,
    body: String,
    kind: &'static str,
    tries_left: u32,
}

/// The kind of a letter that says what is so.
const TRUE: &str = "true";

impl Post {
    pub(crate) fn take_outbox(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outbox)
    }

    pub(crate) fn lines(&self) -> Vec<CallbackLine> {
        self.lines.clone()
    }

    pub(crate) fn remember_request(&mut self, client: &str, form: String) {
        self.last_request.insert(client.to_owned(), form);
    }
}

impl Sim {
    /// Sends one true callback, or what chance makes of it.
    pub(crate) fn announce(&mut self, client: &str, name: &str, data: Value) {
        let soon = self.after(self.config.timings.callback);
        self.announce_at(soon, client, name, data);
    }

    pub(crate) fn announce_at(&mut self, soon: Time, client: &str, name: &str, data: Value) {
        let Some(secret) = self.secret(client) else { return };
        let req = json!({ "name": name, "code": "0", "message": "成功", "data": data }).to_string();
        let body = codec::form(&req, &codec::sign(&secret, req.as_bytes()));
        let fault = self.config.faults.for_callback(&mut self.dice);
        let retries = self.config.switches.callback_retries;
        let letter = Letter { client: client.into(), name: name.into(), body, kind: TRUE, tries_left: retries };
        match fault {
            None => self.dispatch(soon, letter),
            Some(CallbackFault::Lost) => {}
            Some(CallbackFault::Duplicated) => self.dispatch_copies(soon, &letter),
            Some(CallbackFault::Delayed) => {
                let late = self.dice.between(60, self.config.faults.callback_delay_seconds);
                self.dispatch(soon + Duration::from_secs(late), letter);
            }
            Some(CallbackFault::Forged) => {
                let body = codec::form(&req, &codec::sign("not-the-secret", req.as_bytes()));
                self.dispatch(
                    soon,
                    Letter { body, kind: CallbackFault::Forged.word(), tries_left: 0, ..letter.clone() },
                );
                self.dispatch(soon, letter);
            }
            Some(CallbackFault::Replayed) => {
                let later = soon + Duration::from_secs(self.dice.between(3600, 5 * 24 * 3600));
                self.dispatch(later, Letter { kind: CallbackFault::Replayed.word(), tries_left: 0, ..letter.clone() });
                self.dispatch(soon, letter);
            }
            Some(CallbackFault::Reflected) => {
                if let Some(body) = self.post.last_request.get(client).cloned() {
                    self.dispatch(
                        soon,
                        Letter { body, kind: CallbackFault::Reflected.word(), tries_left: 0, ..letter.clone() },
                    );
                }
                self.dispatch(soon, letter);
            }
            Some(CallbackFault::FalseNotice) => {
                self.dispatch_false_notice(soon, client, &secret);
                self.dispatch(soon, letter);
            }
        }
        if let Some(fault) = fault {
            self.cover(name, "callback", fault.word());
        }
    }

    /// One to four more, spread over some minutes, so that they pass others.
    fn dispatch_copies(&mut self, soon: Time, letter: &Letter) {
        self.dispatch(soon, letter.clone());
        for _ in 0..self.dice.between(1, 4) {
            let at = soon + Duration::from_secs(self.dice.between(0, 600));
            self.dispatch(at, Letter { kind: CallbackFault::Duplicated.word(), tries_left: 0, ..letter.clone() });
        }
    }

    /// A well signed notice that some open remit of the client was closed, which is not so.
    fn dispatch_false_notice(&mut self, at: Time, client: &str, secret: &str) {
        let open = self.book.open_remits(client);
        let Some((request_id, location)) = self.dice.pick(&open).cloned() else { return };
        let data = self.notice(&request_id, &location, self.now);
        let req = json!({ "name": "CLOSE_ORDER_NOTICE", "code": "0", "message": "成功", "data": data }).to_string();
        let body = codec::form(&req, &codec::sign(secret, req.as_bytes()));
        let kind = CallbackFault::FalseNotice.word();
        self.dispatch(
            at,
            Letter { client: client.into(), name: "CLOSE_ORDER_NOTICE".into(), body, kind, tries_left: 0 },
        );
    }

    fn dispatch(&mut self, at: Time, letter: Letter) {
        self.post.next += 1;
        let number = self.post.next;
        self.post.letters.insert(number, letter);
        self.agenda.put(at, Event::Deliver(number));
    }

    pub(crate) fn letter_leaves(&mut self, number: u64) {
        if self.post.muted {
            self.post.letters.remove(&number);
            return;
        }
        let Some(letter) = self.post.letters.get(&number) else { return };
        let url =
            self.config.clients.iter().find(|c| c.client_key == letter.client).and_then(|c| c.callback_url.clone());
        let (client, name, kind) = (letter.client.clone(), letter.name.clone(), letter.kind.to_owned());
        self.post.outbox.push(Outgoing { letter: number, client: client.clone(), url, body: letter.body.clone() });
        self.post.lines.push(CallbackLine { at: self.now, letter: number, client, name, kind, acknowledged: None });
    }

    pub(crate) fn letter_answered(&mut self, number: u64, acknowledged: bool) {
        if let Some(line) = self.post.lines.iter_mut().rev().find(|line| line.letter == number) {
            line.acknowledged = Some(acknowledged);
        }
        let Some(letter) = self.post.letters.get_mut(&number) else { return };
        if acknowledged || letter.tries_left == 0 {
            self.post.letters.remove(&number);
            return;
        }
        letter.tries_left -= 1;
        let spacing = Duration::from_secs(self.config.switches.callback_spacing_seconds);
        self.agenda.put(self.now + spacing, Event::Deliver(number));
    }
}
