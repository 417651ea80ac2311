//! The merchant's payer (付款方), as contract.md lets one be written: asks a permit for each open remit, pays at the bank under the
//! number it was given, reports what the bank says. It survives a levee that dies under it: every request it repeats goes under its
//! own Idempotency-Key, and a lost answer is asked for again.

use crate::{Answer, Http, parallel};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Payer {
    levee: Http,
    bank: Http,
    width: usize,
    /// Permits asked for without an answer, by remit: the key to ask again under.
    asking: BTreeMap<String, String>,
    questions: u32,
    /// Payments without a final word, by permit.
    open: BTreeMap<String, Payment>,
    /// Attempts at each remit.
    attempts: BTreeMap<String, u32>,
    /// Permits that were paid, by bank order number.
    paid: BTreeMap<String, Payment>,
}

#[derive(Debug, Clone)]
struct Payment {
    remit: String,
    permit: Value,
    said_unknown: bool,
    polls: u32,
    poll_at: Instant,
}

/// What one visit at the bank and at levee came to.
enum Came {
    /// Nothing final; look again.
    Open(Payment),
    Paid(Payment),
    Failed,
}

/// Attempts at one remit before the payer leaves it alone.
const ATTEMPTS_MAX: u32 = 3;
/// Permits asked for in one round, so that a round is short.
const ASK_MAX: usize = 128;
const POLL: Duration = Duration::from_millis(300);

impl Payer {
    /// `width`: how many things at once.
    pub fn new(levee: &Http, bank: &Http, width: usize) -> Self {
        let (asking, open, attempts, paid) = Default::default();
        Self { levee: levee.clone(), bank: bank.clone(), width, asking, questions: 0, open, attempts, paid }
    }

    pub fn is_idle(&self) -> bool {
        self.asking.is_empty() && self.open.is_empty()
    }

    pub fn paid(&self) -> usize {
        self.paid.len()
    }

    /// Whether every payment that was reported stands in its remit. A report is durable before it is read: until then a remit may
    /// still look like one that only its case explains.
    pub fn is_believed(&self) -> bool {
        let paid: Vec<&Payment> = self.paid.values().collect();
        let stands = parallel(&paid, self.width, |payment| {
            let Ok(answer) = self.levee.get(&format!("/v1/remits/{}", payment.remit)) else { return false };
            let remit = answer.json();
            !remit["evidence"].is_null() || remit["permit"]["state"] == "success"
        });
        stands.into_iter().all(|stands| stands)
    }

    /// Whatever can be done now; whether there was anything.
    pub fn round(&mut self) -> bool {
        let due: Vec<Payment> =
            self.open.values().filter(|payment| payment.poll_at <= Instant::now()).cloned().collect();
        let mut came = parallel(&due, self.width, |payment| self.look(payment.clone()));
        let wanted = self.wanted();
        let asked = parallel(&wanted, self.width, |(remit, key)| self.ask(remit, key));
        let busy = asked.iter().flatten().any(|answer| answer.status == 201)
            || came.iter().any(|came| !matches!(came, Came::Open(_)));
        let mut permits = Vec::new();
        for ((remit, _), answer) in wanted.iter().zip(asked) {
            // 503 and silence decide nothing: the same request goes again, and collects the answer there is.
            let Some(answer) = answer.filter(|answer| !undecided(answer)) else { continue };
            self.asking.remove(remit);
            if answer.status == 201 {
                *self.attempts.entry(remit.clone()).or_default() += 1;
                let permit = answer.json();
                permits.push(Payment {
                    remit: remit.clone(),
                    permit,
                    said_unknown: false,
                    polls: 0,
                    poll_at: Instant::now(),
                });
            }
        }
        came.extend(parallel(&permits, self.width, |payment| self.pay(payment.clone())));
        for payment in due.iter().chain(&permits) {
            self.open.remove(text(&payment.permit["permit_id"]));
        }
        for came in came {
            match came {
                Came::Open(payment) => drop(self.open.insert(text(&payment.permit["permit_id"]).to_owned(), payment)),
                Came::Paid(payment) => {
                    drop(self.paid.insert(text(&payment.permit["bank_order_no"]).to_owned(), payment))
                }
                Came::Failed => {}
            }
        }
        busy
    }

    /// Remits to ask a permit for, each under a key of its own for this attempt.
    fn wanted(&mut self) -> Vec<(String, String)> {
        let open = self.levee.try_all("/v1/remits?state=open").unwrap_or_default();
        for remit in open.iter().filter_map(|remit| remit["id"].as_str()) {
            let attempt = self.attempts.get(remit).copied().unwrap_or(0);
            if attempt < ATTEMPTS_MAX && !self.asking.contains_key(remit) {
                // A refusal is kept under its key like any answer: another question needs another key.
                self.questions += 1;
                self.asking.insert(remit.to_owned(), format!("permit-{remit}-{}", self.questions));
            }
        }
        self.asking.iter().take(ASK_MAX).map(|(remit, key)| (remit.clone(), key.clone())).collect()
    }

    fn ask(&self, remit: &str, key: &str) -> Option<Answer> {
        self.levee.post_once(&format!("/v1/remits/{remit}/pay-permit"), key, &json!({})).ok()
    }

    /// Pays under the permit's number. No answer: nobody knows whether it arrived.
    fn pay(&self, payment: Payment) -> Came {
        let permit = &payment.permit;
        let body = json!({
            "bank_order_no": permit["bank_order_no"],
            "amount": permit["amount"],
            "payee_name": permit["payee"]["name"],
            "payee_bankcard_no": permit["payee"]["bankcard_no"],
        });
        let word = self.bank.post("/bank/v1/payments", &body).ok().filter(|answer| answer.status == 200);
        self.heard(payment, word.map(|answer| answer.json()))
    }

    fn look(&self, payment: Payment) -> Came {
        let path = format!("/bank/v1/payments/{}", text(&payment.permit["bank_order_no"]));
        match self.bank.get(&path) {
            Ok(answer) if answer.status == 200 => self.heard(payment, Some(answer.json())),
            // The bank never heard of it: the very same instruction goes again, under the same number.
            Ok(answer) if answer.status == 404 => self.pay(payment),
            Ok(_) | Err(_) => self.heard(payment, None),
        }
    }

    /// What the bank said, or did not say, and told to levee.
    fn heard(&self, mut payment: Payment, word: Option<Value>) -> Came {
        let word = word.unwrap_or_default();
        payment.polls += 1;
        payment.poll_at = Instant::now() + POLL * payment.polls.min(10);
        match word["status"].as_str() {
            Some("success" | "returned") => {
                let facts = json!({"paid_at": word["paid_at"], "bank_serial": word["bank_serial"]});
                if self.report(&payment, "paid", &facts) { Came::Paid(payment) } else { Came::Open(payment) }
            }
            Some("failed") => {
                if self.report(&payment, "failed", &json!({})) {
                    Came::Failed
                } else {
                    Came::Open(payment)
                }
            }
            Some("unknown") if !payment.said_unknown => {
                payment.said_unknown = self.report(&payment, "unknown", &json!({}));
                Came::Open(payment)
            }
            _ => Came::Open(payment),
        }
    }

    /// 退票: reports every payment that came back.
    pub fn report_returns(&mut self) -> usize {
        let statement = self.bank.read("/bank/v1/statement");
        let lines = statement["items"].as_array().into_iter().flatten().filter(|line| line["kind"] == "return");
        let mut returned = 0;
        for line in lines {
            if let Some(payment) = self.paid.remove(text(&line["bank_order_no"])) {
                assert!(self.report(&payment, "returned", &json!({})), "levee takes the report of a return");
                returned += 1;
            }
        }
        returned
    }

    /// Whether levee has it now. Repeats are safe; a refusal is a mistake of one of us.
    fn report(&self, payment: &Payment, outcome: &str, facts: &Value) -> bool {
        let permit = &payment.permit;
        let mut body = json!({
            "permit_id": permit["permit_id"],
            "outcome": outcome,
            "amount": permit["amount"],
            "bank_order_no": permit["bank_order_no"],
        });
        for (name, value) in facts.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let key = format!("report-{}-{outcome}", text(&permit["permit_id"]));
        let Ok(answer) = self.levee.post_once(&format!("/v1/remits/{}/payout-results", payment.remit), &key, &body)
        else {
            return false;
        };
        assert!(
            answer.status == 202 || undecided(&answer),
            "a report was refused with {}: {}",
            answer.status,
            answer.text()
        );
        answer.status == 202
    }
}

/// Nobody knows yet: levee cannot say, or an earlier request under the same key still runs.
fn undecided(answer: &Answer) -> bool {
    answer.status >= 500 || (answer.status == 409 && answer.json()["code"] == "idempotency_running")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
