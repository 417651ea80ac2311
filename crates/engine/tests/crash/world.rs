//! What survives our crash: the provider and the bank (the simulator, with its ledger), the payer, the client, and the clock. The world
//! asks the process one thing at a time; when the process dies it is started again and asked the same again.

use crate::levee::{ACCOUNT, CLIENT_KEY, OF_THE_FUTURE, PAYEE_CARD, PAYEE_NAME, SECRET};
use crate::process::{Home, Process};
use crate::story::{Plan, Story};
use crate::talk::{Answered, Ask, Asked, Judged, RemitStanding, Said, Standing, Wire};
use domain::Time;
use domain::planted::Bug;
use serde_json::{Value, json};
use simulator::{
    BankReply, BankScript, Client, Config, Instruction, Ledger, Outcome, PaymentStatus, Sim, Wire as Sent,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// How long a request that had arrived when we died is under way before it is carried out: well inside the quarantine of 5 minutes.
const LATE: Duration = Duration::from_secs(90);
/// The provider's closing jobs of days to come are nothing to wait for.
const QUIET: Duration = Duration::from_secs(24 * 3600);
/// A row in quarantine is looked at every ten minutes.
const LOOKED_AGAIN: Duration = Duration::from_secs(25 * 60);
/// Rounds of a life, at most: a crash-free one takes about fifty.
const ROUNDS: usize = 400;

/// One order's life, from its submission until everything is at rest.
pub(crate) struct World<'s> {
    story: &'s Story,
    home: Home,
    process: Process,
    /// Where the next processes die.
    deaths_to_come: Vec<usize>,
    planted: Option<Bug>,
    /// The points it died at.
    deaths: Vec<String>,
    sim: Sim,
    /// Requests that find no provider to connect to.
    absent: usize,
    begun: Time,
    now: Time,
    /// Requests that arrived and whose sender died before they were carried out.
    late: Vec<(Time, Wire)>,
    payer: BTreeMap<String, Payment>,
    payments: BTreeMap<String, BTreeSet<String>>,
    acknowledged_callbacks: Vec<String>,
    /// Promises that were broken on the way.
    broken: Vec<String>,
}

/// What the payer knows of one remit.
#[derive(Default)]
struct Payment {
    attempt: u32,
    /// Permits asked for: a refusal is final for its question.
    questions: u32,
    permit: Option<Value>,
    reported: bool,
}

/// How a life ended.
pub(crate) struct Ended {
    pub(crate) standing: Standing,
    pub(crate) judged: Judged,
    /// Bank order numbers used for each remit.
    pub(crate) payments: BTreeMap<String, BTreeSet<String>>,
    pub(crate) ledger: Ledger,
    pub(crate) deaths: Vec<String>,
    pub(crate) broken: Vec<String>,
}

impl<'s> World<'s> {
    /// `deaths`: where the first process dies, where the second, and so on, each counted from its own start.
    pub(crate) fn new(story: &'s Story, template: &Path, deaths: &[usize], planted: Option<Bug>) -> Self {
        let home = Home::new(template);
        let mut deaths_to_come: Vec<usize> = deaths.to_vec();
        deaths_to_come.reverse();
        let process = home.start(deaths_to_come.pop(), planted);
        let url = story.callbacks.then(|| format!("http://127.0.0.1:9/callbacks/{ACCOUNT}"));
        let client = Client { client_key: CLIENT_KEY.into(), secret: SECRET.into(), callback_url: url };
        let mut config = Config { seed: 1, clients: vec![client], ..Config::default() };
        for agent in config.catalogue.agents.values_mut() {
            if let Some(split) = &mut agent.split {
                split.over = 3;
            }
        }
        let mut sim = Sim::new(config).expect("no faults but those of the story");
        sim.mute_callbacks(!story.callbacks);
        story.faults.iter().for_each(|script| sim.script(script.clone()));
        let begun = Time::parse("2026-01-05T10:00:00+08:00").expect("a time");
        Self {
            story,
            home,
            process,
            deaths_to_come,
            planted,
            deaths: Vec::new(),
            sim,
            absent: story.absent,
            begun,
            now: begun,
            late: Vec::new(),
            payer: BTreeMap::new(),
            payments: BTreeMap::new(),
            acknowledged_callbacks: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Lives the story to its end.
    pub(crate) fn live(mut self) -> Ended {
        let submit = Ask::Submit { net: self.story.net, readable: self.story.readable };
        let submitted = self.ask(submit.clone());
        for _ in 0..ROUNDS {
            self.call_back();
            self.ask(Ask::Work);
            let standing = self.look();
            if self.at_rest(&standing) && self.sim.due().is_none_or(|due| due > self.now + QUIET) {
                break;
            }
            if !self.pay(&standing) {
                self.pass_time(&standing);
            }
        }
        if self.ask(submit) != submitted {
            self.broken.push("the acknowledged order is another one now".into());
        }
        let standing = self.look();
        let judged = self.ask(Ask::Judge);
        let judged = self.judge(judged);
        self.acknowledged_callbacks.sort();
        self.acknowledged_callbacks.dedup();
        let (stored, acknowledged) = (judged.callbacks, self.acknowledged_callbacks.len());
        if stored < acknowledged {
            self.broken.push(format!("{acknowledged} callbacks are acknowledged and {stored} are stored (S-F)"));
        }
        Ended {
            standing,
            judged,
            payments: self.payments,
            ledger: self.sim.ledger(),
            deaths: self.deaths,
            broken: self.broken,
        }
    }

    /// Asks until there is an answer, whoever dies on the way.
    fn ask(&mut self, ask: Ask) -> Value {
        loop {
            match self.try_ask(ask.clone()) {
                Some(answer) => return answer,
                None => self.start_again(),
            }
        }
    }

    fn try_ask(&mut self, ask: Ask) -> Option<Value> {
        self.process.line.say(&Asked { now: self.now, ask });
        let mut arrived: Option<Wire> = None;
        loop {
            match self.process.line.hear::<Said>() {
                Some(Said::Answer(answer)) => return Some(answer),
                Some(Said::Request(wire)) => {
                    let there = self.absent == 0;
                    self.absent = self.absent.saturating_sub(1);
                    arrived = there.then_some(wire);
                    self.process.line.say(&there);
                }
                Some(Said::CarryOut) => {
                    let answered = arrived.take().and_then(|wire| self.carry_out(&wire));
                    self.process.line.say(&answered);
                }
                Some(Said::Dying { point }) => self.deaths.push(point),
                None => {
                    // Nobody waits for it any more, and it is on its way all the same.
                    self.late.extend(arrived.map(|wire| (self.now + LATE, wire)));
                    return None;
                }
            }
        }
    }

    fn carry_out(&mut self, wire: &Wire) -> Option<Answered> {
        let reply = self.sim.handle(self.now, &wire.path, &wire.content_type, wire.body.as_bytes());
        let answer = match reply.wire {
            Sent::Answer(answer) => answer,
            Sent::Drip(_) | Sent::Drop => return None,
        };
        let headers = answer.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(Answered { status: answer.status, headers, body: String::from_utf8_lossy(&answer.body).into_owned() })
    }

    /// After a death: whatever is there must already hold before anybody works on it.
    fn start_again(&mut self) {
        if !self.process.was_killed() {
            let said = self.home.said();
            panic!("the process ended by itself:\n{said}");
        }
        self.process = self.home.start(self.deaths_to_come.pop(), self.planted);
        // A process that dies while it looks is started again by whoever asked.
        match self.try_ask(Ask::Judge) {
            Some(judged) => drop(self.judge(judged)),
            None => self.start_again(),
        }
    }

    fn look(&mut self) -> Standing {
        let answer = self.ask(Ask::Look);
        serde_json::from_value(answer).expect("a standing")
    }

    fn judge(&mut self, judged: Value) -> Judged {
        let judged: Judged = serde_json::from_value(judged).expect("a judgement");
        if judged.limbo != 0 {
            self.broken.push(format!("limbo = {}", judged.limbo));
        }
        if judged.torn != 0 {
            self.broken.push(format!("{} histories do not hold", judged.torn));
        }
        self.broken.extend(judged.audits.iter().map(|audit| format!("audit {audit}")));
        judged
    }

    /// Time goes to the next thing that happens by itself, at either side.
    fn pass_time(&mut self, standing: &Standing) {
        let late = self.late.iter().map(|(at, _)| *at).min();
        let next = [standing.wake, self.sim.due(), late].into_iter().flatten().filter(|at| *at > self.now).min();
        self.now = next.unwrap_or(self.now + Duration::from_secs(60));
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= self.now);
        self.late = late;
        let due: Vec<(Time, Wire)> = due;
        for (_, wire) in due {
            self.carry_out(&wire);
        }
    }

    /// Callbacks whose time has come, until each is acknowledged or given up.
    fn call_back(&mut self) {
        for letter in self.sim.run_until(self.now) {
            let answer = self.ask(Ask::Callback { body: letter.body.clone() });
            let acknowledged = answer == "SUCCESS";
            if acknowledged {
                self.acknowledged_callbacks.push(letter.body);
            }
            self.sim.delivered(self.now, letter.letter, acknowledged);
        }
    }

    /// The payer and the client do to each remit what the story says. Whether there was anything to do.
    fn pay(&mut self, standing: &Standing) -> bool {
        let mut busy = false;
        for (remit, plan) in standing.remits.iter().zip(&self.story.plans) {
            if *plan == Plan::Cancel {
                if remit.state == "open" {
                    let key = format!("cancel/{}", remit.id);
                    self.ask(Ask::Tell { remit: remit.id, key, event: json!({ "CancelAsked": { "by": "client" } }) });
                    busy = true;
                }
                continue;
            }
            let mut payment = self.payer.remove(&remit.provider_order_id).unwrap_or_default();
            if payment.permit.is_none() && remit.state == "open" {
                self.ask_permit(remit, &mut payment);
            }
            if let Some(permit) = payment.permit.clone().filter(|_| !payment.reported) {
                busy |= self.pay_under(remit, *plan, &permit, &mut payment);
            }
            self.payer.insert(remit.provider_order_id.clone(), payment);
        }
        busy
    }

    fn ask_permit(&mut self, remit: &RemitStanding, payment: &mut Payment) {
        let key = format!("permit/{}/{}", remit.id, payment.questions);
        let answer = self.ask(Ask::Permit { remit: remit.id, key });
        if !answer.is_null() {
            // A refusal or a provider out of reach is final for this question; the next one has a key of its own.
            payment.questions += 1;
            payment.permit = answer.get("granted").cloned();
        }
    }

    /// Pays under the permit's number, or asks the bank what became of it, and reports what is final.
    fn pay_under(&mut self, remit: &RemitStanding, plan: Plan, permit: &Value, payment: &mut Payment) -> bool {
        let number = permit["bank_order_no"].as_str().expect("a permit names its number").to_owned();
        self.payments.entry(remit.provider_order_id.clone()).or_default().insert(number.clone());
        let mut reply = self.sim.payment(self.now, &number);
        if reply == BankReply::NoSuch {
            let first = payment.attempt == 0;
            let outcome = if plan == Plan::FailThenPay && first { Outcome::FailedLater } else { Outcome::Later };
            self.sim.script_bank(BankScript { bank_order_no: None, payee_tail: None, outcome, times: Some(1) });
            let instruction = Instruction {
                bank_order_no: number,
                amount: remit.amount,
                payee_name: PAYEE_NAME.into(),
                payee_bankcard_no: PAYEE_CARD.into(),
            };
            reply = self.sim.pay(self.now, instruction);
        }
        let BankReply::Known(word) = reply else { panic!("the bank takes a good instruction: {reply:?}") };
        let id = permit["permit_id"].clone();
        let report = match word.status {
            PaymentStatus::Success => json!({ "PaidReported": {
                "permit": id, "amount": word.amount, "paid_at": word.paid_at, "bank_serial": word.bank_serial,
                "payee_ok": true, "source": "api",
            } }),
            PaymentStatus::Failed => json!({ "FailedReported": { "permit": id } }),
            PaymentStatus::Pending | PaymentStatus::Unknown | PaymentStatus::Returned => return false,
        };
        let key = format!("report/{}", id.as_str().expect("an id"));
        self.ask(Ask::Tell { remit: remit.id, key, event: report });
        payment.attempt += 1;
        payment.reported = word.status == PaymentStatus::Success;
        if !payment.reported {
            payment.permit = None;
        }
        true
    }

    /// Nothing moves any more; or the row that nobody can read has been looked at again, in vain.
    fn at_rest(&self, standing: &Standing) -> bool {
        let ended = ["levied", "cancelled", "needs_operator"];
        let attached = |remit: &RemitStanding| remit.voucher.as_deref().is_none_or(|voucher| voucher == "attached");
        let remits_ended = standing.remits.iter().all(|remit| ended.contains(&remit.state.as_str()) && attached(remit));
        match standing.order.as_str() {
            "settled" | "needs_operator" => remits_ended,
            OF_THE_FUTURE => self.now.since(self.begun) > LOOKED_AGAIN,
            _ => false,
        }
    }
}
