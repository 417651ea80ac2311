//! The core: one value that holds the whole simulated world. No I/O, no clock of its own, one dice.

use crate::agenda::{Agenda, Event};
use crate::bank::Bank;
use crate::callbacks::Post;
use crate::dice::Dice;
use crate::faults::{CallFault, FaultError, Faults};
use crate::ledger::{CallLine, Ledger};
use crate::olading::Book;
use crate::script::{BankScript, OladingScript};
use crate::{Client, Config, Span, Switches};
use domain::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// The simulated provider and bank.
///
/// Feed it calls with [`Sim::handle`] and [`Sim::pay`], move it with [`Sim::run_until`], and compare with [`Sim::ledger`].
/// Times may stand still but do not go back: an earlier one is taken as the last.
pub struct Sim {
    pub(crate) config: Config,
    pub(crate) dice: Dice,
    pub(crate) now: Time,
    pub(crate) speed_milli: i64,
    pub(crate) agenda: Agenda,
    pub(crate) book: Book,
    pub(crate) bank: Bank,
    pub(crate) post: Post,
    pub(crate) scripts: Vec<OladingScript>,
    pub(crate) bank_scripts: Vec<BankScript>,
    pub(crate) calls: Vec<CallLine>,
    pub(crate) coverage: BTreeMap<String, u64>,
}

/// What happens on the wire in answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Real milliseconds before the first byte, or before the connection closes.
    pub hold_ms: u64,
    pub wire: Wire,
    /// The fault behind it, for tests.
    pub fault: Option<CallFault>,
}

/// What the caller gets to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wire {
    Answer(Answer),
    /// The same, a few bytes at a time.
    Drip(Answer),
    /// The connection closes without a byte.
    Drop,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A callback whose time has come. Report what became of it with [`Sim::delivered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub letter: u64,
    pub client: String,
    /// Where the client wants it; `None` when nothing was agreed.
    pub url: Option<String>,
    /// `application/x-www-form-urlencoded`: `req` and `sign` (000 §1.1.3).
    pub body: String,
}

impl Sim {
    /// Refused only when some table of faults is impossible.
    pub fn new(config: Config) -> Result<Self, FaultError> {
        config.faults.check()?;
        Ok(Self {
            dice: Dice::new(config.seed),
            config,
            now: Time::from_millis(0),
            speed_milli: 1000,
            agenda: Agenda::default(),
            book: Book::default(),
            bank: Bank::default(),
            post: Post::default(),
            scripts: Vec::new(),
            bank_scripts: Vec::new(),
            calls: Vec::new(),
            coverage: BTreeMap::new(),
        })
    }

    /// When something will happen by itself, if anything.
    pub fn due(&self) -> Option<Time> {
        self.agenda.due()
    }

    /// Lets everything happen that is due by `now`, and hands out the callbacks that leave.
    pub fn run_until(&mut self, now: Time) -> Vec<Outgoing> {
        self.settle(now);
        self.post.take_outbox()
    }

    /// The far side's answer to a callback: whether its body was `SUCCESS` (000 §1.1.3). Anything else is tried again.
    pub fn delivered(&mut self, now: Time, letter: u64, acknowledged: bool) {
        self.settle(now);
        self.letter_answered(letter, acknowledged);
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn set_faults(&mut self, faults: Faults) -> Result<(), FaultError> {
        faults.check()?;
        self.config.faults = faults;
        Ok(())
    }

    pub fn set_switches(&mut self, switches: Switches) {
        self.config.switches = switches;
    }

    /// Adds a client, or replaces the one of that key.
    pub fn set_client(&mut self, client: Client) {
        self.config.clients.retain(|known| known.client_key != client.client_key);
        self.config.clients.push(client);
    }

    /// Thousandths at which virtual time runs against real time: a caller's clock may be off by the tolerance in real time.
    pub fn set_speed(&mut self, speed_milli: i64) {
        self.speed_milli = speed_milli.max(1);
    }

    /// While muted, no callback leaves and none is kept for later (P42).
    pub fn mute_callbacks(&mut self, muted: bool) {
        self.post.muted = muted;
    }

    pub fn script(&mut self, script: OladingScript) {
        self.scripts.push(script);
    }

    pub fn script_bank(&mut self, script: BankScript) {
        self.bank_scripts.push(script);
    }

    /// Faults really injected, by `operation/phase/kind`.
    pub fn coverage(&self) -> &BTreeMap<String, u64> {
        &self.coverage
    }

    /// The ledger's calls so far, without a copy: for checks after every event.
    pub fn calls(&self) -> &[CallLine] {
        &self.calls
    }

    /// What a remit's status is now, without a copy of the ledger: for checks after every event.
    pub fn remit_status(&self, order_id: &str) -> Option<&'static str> {
        self.book.remits.get(order_id).map(|remit| remit.status().word())
    }

    /// How a remit truly ended, if it has.
    pub fn remit_ended(&self, order_id: &str) -> Option<crate::Ended> {
        self.book.remits.get(order_id).and_then(|remit| remit.ended)
    }

    /// Everything that happened, as one value.
    pub fn ledger(&self) -> Ledger {
        let mut ledger =
            Ledger { now: self.now, calls: self.calls.clone(), coverage: self.coverage.clone(), ..Ledger::default() };
        self.book.write(&self.config.quotas, &mut ledger);
        ledger.payments = self.bank.truths();
        ledger.callbacks = self.post.lines();
        ledger
    }

    /// Moves the world to `now`, event by event in order of time.
    pub(crate) fn settle(&mut self, now: Time) -> Time {
        while let Some((at, event)) = self.agenda.take(now) {
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(now);
        self.now
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::OrderBegins(key) => self.order_begins(key),
            Event::OrderCloses(key) => self.order_closes(key),
            Event::ClosingJob(key) => self.closing_job(key),
            Event::Levied(order_id) => self.levied(&order_id),
            Event::Late(call) => self.carry_out_late(&call),
            Event::SignedUp { client, id_card, agent } => self.signed_up(client, id_card, agent),
            Event::SyncSigned { client, request_id } => self.sync_signed(client, request_id),
            Event::SyncLapses { client, request_id } => self.sync_lapses(client, request_id),
            Event::AgreementStored { client, contract_id } => self.agreement_stored(client, contract_id),
            Event::ImageJudged { client, id_card } => self.image_judged(client, id_card),
            Event::Deliver(letter) => self.letter_leaves(letter),
            Event::BankSettles(number) => self.payment_settles(&number),
            Event::BankReturns(number) => self.payment_returns(&number),
        }
    }

    pub(crate) fn after(&mut self, span: Span) -> Time {
        let seconds = self.dice.between(span.0, span.1);
        self.now + Duration::from_secs(seconds)
    }

    pub(crate) fn cover(&mut self, operation: &str, phase: &str, kind: &str) {
        *self.coverage.entry(format!("{operation}/{phase}/{kind}")).or_default() += 1;
    }
}

impl Answer {
    /// A header's value; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub(crate) fn plain(answer: Answer) -> Self {
        Self { hold_ms: 0, wire: Wire::Answer(answer), fault: None }
    }

    /// The whole answer that (sooner or later) arrives, if any does.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.wire {
            Wire::Answer(answer) | Wire::Drip(answer) => Some(answer),
            Wire::Drop => None,
        }
    }
}
