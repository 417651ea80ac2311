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
    /// The fault that is really injected when this letter leaves, under the name of the callback it befell.
    counts: Option<(String, CallbackFault)>,
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
        let letter =
            Letter { client: client.into(), name: name.into(), body, kind: TRUE, tries_left: retries, counts: None };
        let Some(fault) = fault else { return self.dispatch(soon, letter) };
        // Sent once, beside the true letter or in its place.
        let odd = Letter { kind: fault.word(), tries_left: 0, counts: Some((name.into(), fault)), ..letter.clone() };
        match fault {
            CallbackFault::Lost => return self.cover(name, "callback", fault.word()),
            CallbackFault::Delayed => {
                let late = self.dice.between(60, self.config.faults.callback_delay_seconds);
                return self.dispatch(soon + Duration::from_secs(late), Letter { counts: odd.counts, ..letter });
            }
            CallbackFault::Duplicated => self.dispatch_copies(soon, odd),
            CallbackFault::Forged => {
                let body = codec::form(&req, &codec::sign("not-the-secret", req.as_bytes()));
                self.dispatch(soon, Letter { body, ..odd });
            }
            CallbackFault::Replayed => {
                let later = soon + Duration::from_secs(self.dice.between(3600, 5 * 24 * 3600));
                self.dispatch(later, odd);
            }
            CallbackFault::Reflected => {
                if let Some(body) = self.post.last_request.get(client).cloned() {
                    self.dispatch(soon, Letter { body, ..odd });
                }
            }
            CallbackFault::FalseNotice => {
                if let Some(body) = self.false_notice(client, &secret) {
                    self.dispatch(soon, Letter { body, name: "CLOSE_ORDER_NOTICE".into(), ..odd });
                }
            }
        }
        self.dispatch(soon, letter);
    }

    /// One to four more, spread over some minutes, so that they pass others.
    fn dispatch_copies(&mut self, soon: Time, mut copy: Letter) {
        for _ in 0..self.dice.between(1, 4) {
            let at = soon + Duration::from_secs(self.dice.between(0, 600));
            self.dispatch(at, copy.clone());
            // One fault, however many copies.
            copy.counts = None;
        }
    }

    /// A well signed notice that some open remit of the client was closed, which is not so; none without an open remit.
    fn false_notice(&mut self, client: &str, secret: &str) -> Option<String> {
        let open = self.book.open_remits(client);
        let (request_id, location) = self.dice.pick(&open).cloned()?;
        let data = self.notice(&request_id, &location, self.now);
        let req = json!({ "name": "CLOSE_ORDER_NOTICE", "code": "0", "message": "成功", "data": data }).to_string();
        Some(codec::form(&req, &codec::sign(secret, req.as_bytes())))
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
        let Some(letter) = self.post.letters.get_mut(&number) else { return };
        let counts = letter.counts.take();
        let letter = letter.clone();
        if let Some((name, fault)) = counts {
            self.cover(&name, "callback", fault.word());
        }
        let url =
            self.config.clients.iter().find(|c| c.client_key == letter.client).and_then(|c| c.callback_url.clone());
        let (client, name, kind) = (letter.client, letter.name, letter.kind.to_owned());
        self.post.outbox.push(Outgoing { letter: number, client: client.clone(), url, body: letter.body });
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
