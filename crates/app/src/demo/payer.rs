//! The merchant's payer (付款方): asks a permit for each remit, pays under the bank order number it was given, and reports what
//! the bank says. It never pays without a permit and never takes a time-out for a failure.

use super::http::Http;
use super::specimens;
use super::stack::Stack;
use anyhow::{Context, Result};
use base64::Engine as _;
use domain::{Clock, Time};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) struct Payer {
    levee: Http,
    bank: Http,
    clock: Clock,
    /// Payments whose last word is out, by permit.
    open: BTreeMap<String, Payment>,
    /// Permits handed back so far per remit.
    attempts: BTreeMap<String, u32>,
    look_at: Time,
    pub(super) paid: u64,
}

struct Payment {
    remit: String,
    permit: Value,
    /// Told levee that the bank does not know.
    unknown: bool,
    /// The bank's success was reported; it may still come back (退票).
    success: bool,
    poll_at: Time,
    polls: u32,
}

/// What became of one remit it asked for.
enum Asked {
    Permit(String, Value),
    NotNow,
}

const AT_ONCE: usize = 24;
/// Attempts at one remit before the payer leaves it alone.
const ATTEMPTS_MAX: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);

impl Payer {
    pub(super) fn new(stack: &Stack) -> Self {
        Self {
            levee: stack.office.clone(),
            bank: stack.bank.clone(),
            clock: stack.clock.clone(),
            open: BTreeMap::new(),
            attempts: BTreeMap::new(),
            look_at: stack.clock.now(),
            paid: 0,
        }
    }

    /// When it wants to act next.
    pub(super) fn next(&self) -> Time {
        self.open.values().map(|payment| payment.poll_at).fold(self.look_at, Time::min)
    }

    /// One round: whatever is due now.
    pub(super) async fn round(&mut self) -> Result<()> {
        let now = self.clock.now();
        if now >= self.look_at {
            let paid = self.ask_and_pay().await?;
            self.look_at = now + if paid { Duration::ZERO } else { MINUTE * 10 };
        }
        self.poll(now).await
    }

    /// Whether anything was permitted: then there may be more at once.
    async fn ask_and_pay(&mut self) -> Result<bool> {
        let open = self.levee.all("/v1/remits?state=open").await?;
        let wanted: Vec<String> = open
            .iter()
            .filter_map(|remit| remit["id"].as_str())
            .filter(|id| self.wants(id))
            .map(str::to_owned)
            .collect();
        let levee = &self.levee;
        let asked: Vec<Result<Asked>> = stream::iter(wanted)
            .map(|remit| async move { ask(levee, remit).await })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut permits = Vec::new();
        for asked in asked {
            if let Asked::Permit(remit, permit) = asked? {
                *self.attempts.entry(remit.clone()).or_default() += 1;
                permits.push((remit, permit));
            }
        }
        let given = !permits.is_empty();
        let bank = &self.bank;
        let paid: Vec<(String, Value, Option<Value>)> = stream::iter(permits)
            .map(|(remit, permit)| async move { (remit, permit.clone(), instruct(bank, &permit).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (remit, permit, word) in paid {
            self.heard(
                Payment { remit, permit, unknown: false, success: false, poll_at: self.clock.now(), polls: 0 },
                word,
            )
            .await?;
        }
        Ok(given)
    }

    /// One in forty is left unpaid, to show what levee does about it: it is cancelled at the cut-off.
    fn wants(&self, remit: &str) -> bool {
        let on_leave = remit.bytes().map(u32::from).sum::<u32>() % 40 == 0;
        !on_leave && self.attempts.get(remit).copied().unwrap_or(0) < ATTEMPTS_MAX
    }

    async fn poll(&mut self, now: Time) -> Result<()> {
        let due: Vec<String> =
            self.open.iter().filter(|(_, payment)| now >= payment.poll_at).map(|(permit, _)| permit.clone()).collect();
        for permit in due {
            let Some(payment) = self.open.remove(&permit) else { continue };
            let number = payment.permit["bank_order_no"].as_str().unwrap_or_default();
            let word = match self
                .bank
                .send(reqwest::Method::GET, &format!("/bank/v1/payments/{number}"), "application/json", Vec::new())
                .await
            {
                Ok((200, word)) => Some(word),
                // The bank never heard of it: the very same instruction goes again, under the same number.
                Ok((404, _)) => instruct(&self.bank, &payment.permit).await,
                Ok(_) | Err(_) => None,
            };
            self.heard(payment, word).await?;
        }
        Ok(())
    }

    /// What the bank said, or did not say.
    async fn heard(&mut self, mut payment: Payment, word: Option<Value>) -> Result<()> {
        let status = word.as_ref().and_then(|word| word["status"].as_str()).unwrap_or("unknown").to_owned();
        let permit = payment.permit["permit_id"].clone();
        let mut report = json!({"permit_id": permit, "amount": payment.permit["amount"], "bank_order_no": payment.permit["bank_order_no"]});
        match status.as_str() {
            "success" if !payment.success => {
                let word = word.unwrap_or_default();
                report["outcome"] = json!("paid");
                report["paid_at"] = word["paid_at"].clone();
                report["bank_serial"] = word["bank_serial"].clone();
                report["voucher_pdf"] = self.voucher(&payment);
                self.report(&payment.remit, &report).await?;
                self.paid += 1;
                payment.success = true;
            }
            "success" => {}
            "failed" => {
                report["outcome"] = json!("failed");
                return self.report(&payment.remit, &report).await;
            }
            "returned" => {
                if !payment.success {
                    // It was paid and came back before this payer looked: both words, in order.
                    let word = word.unwrap_or_default();
                    let mut paid = report.clone();
                    paid["outcome"] = json!("paid");
                    paid["paid_at"] = word["paid_at"].clone();
                    paid["bank_serial"] = word["bank_serial"].clone();
                    self.report(&payment.remit, &paid).await?;
                }
                report["outcome"] = json!("returned");
                return self.report(&payment.remit, &report).await;
            }
            "pending" => {}
            _ if !payment.unknown && !payment.success => {
                report["outcome"] = json!("unknown");
                self.report(&payment.remit, &report).await?;
                payment.unknown = true;
            }
            _ => {}
        }
        payment.polls += 1;
        payment.poll_at =
            self.clock.now() + if payment.success { MINUTE * 360 } else { MINUTE * (5 * payment.polls.min(12)) };
        self.open.insert(permit.as_str().unwrap_or_default().to_owned(), payment);
        Ok(())
    }

    /// One in ten is left out, as happens; the paper desk brings it.
    fn voucher(&self, payment: &Payment) -> Value {
        let number = payment.permit["bank_order_no"].as_str().unwrap_or_default();
        let pdf = || base64::engine::general_purpose::STANDARD.encode(specimens::voucher(number));
        if self.paid % 10 == 9 { Value::Null } else { pdf().into() }
    }

    /// A report is repeated until it is taken: repeats are safe.
    async fn report(&self, remit: &str, report: &Value) -> Result<()> {
        let path = format!("/v1/remits/{remit}/payout-results");
        for _ in 0..50 {
            match self.levee.post(&path, report).await {
                Ok((202, _)) => return Ok(()),
                Ok((status, answer)) if (400..500).contains(&status) => {
                    anyhow::bail!("a payout result was refused ({status}): {answer}")
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        anyhow::bail!("levee did not take a payout result")
    }
}

async fn ask(levee: &Http, remit: String) -> Result<Asked> {
    let (status, answer) =
        levee.collect(&format!("/v1/remits/{remit}/pay-permit"), &json!({})).await.context("ask for a permit")?;
    Ok(if status == 201 { Asked::Permit(remit, answer) } else { Asked::NotNow })
}

/// Pays under the permit's number. `None`: nobody knows whether it arrived.
async fn instruct(bank: &Http, permit: &Value) -> Option<Value> {
    let body = json!({
        "bank_order_no": permit["bank_order_no"],
        "amount": permit["amount"],
        "payee_name": permit["payee"]["name"],
        "payee_bankcard_no": permit["payee"]["bankcard_no"],
    });
    match bank.post("/bank/v1/payments", &body).await {
        Ok((status, word)) if (200..300).contains(&status) => Some(word),
        Ok(_) | Err(_) => None,
    }
}
