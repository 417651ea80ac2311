//! The merchant's bank: pays once under one number, sometimes late, sometimes without a clear word, and takes some of it back
//! days later (退票, P33).

use crate::agenda::Event;
use crate::ledger::{PaymentTruth, fingerprint};
use crate::sim::Sim;
use domain::{Money, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// What is asked of the bank: `POST /bank/v1/payments`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instruction {
    /// The merchant's number; the same number never pays twice.
    pub bank_order_no: String,
    pub amount: Money,
    pub payee_name: String,
    pub payee_bankcard_no: String,
}

/// How a payment ends. Also the words of scripts and of the `[bank]` table of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Success in the first answer.
    Success,
    /// `pending`, then success within minutes.
    Later,
    /// `pending`, then success after hours.
    Late,
    /// Failure in the first answer.
    Failed,
    /// `pending`, then failure.
    FailedLater,
    /// `unknown` for hours, then success or failure (P22).
    Unknown,
    /// The first answer is lost; success within minutes (F80).
    AnswerLost,
    /// The first answer is lost; failure within minutes.
    AnswerLostFailed,
    /// Success at once, 退票 hours or days later (F82).
    Returned,
    /// `pending` for ever: a payment that reaches the deadline in doubt (P23).
    Stuck,
}

/// What the bank says of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    Success,
    Failed,
    Pending,
    Unknown,
    /// 退票 after success: the money is back.
    Returned,
}

/// The bank's word on one payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub bank_order_no: String,
    pub status: PaymentStatus,
    pub amount: Money,
    /// When it succeeded; kept after a return.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paid_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub returned_at: Option<Time>,
}

/// The bank's answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BankReply {
    /// 200.
    Known(Payment),
    /// 404: no payment under that number.
    NoSuch,
    /// 409: the number was used for another amount or payee.
    Conflict,
    /// 400: the instruction makes no sense.
    Invalid(String),
    /// The connection closes; the payment may live.
    Lost,
}

/// One line of `GET /bank/v1/statement`: only what is final.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementLine {
    pub bank_serial: String,
    pub bank_order_no: String,
    /// `payment` or `return`.
    pub kind: String,
    pub amount: Money,
    pub payee_name: String,
    pub payee_bankcard_no: String,
    pub at: Time,
}

#[derive(Default)]
pub(crate) struct Bank {
    accounts: BTreeMap<String, Account>,
    statement: Vec<StatementLine>,
    serial: u64,
}

/// One instruction and its fate.
struct Account {
    instruction: Instruction,
    outcome: Outcome,
    statuses: Vec<(Time, PaymentStatus)>,
    bank_serial: Option<String>,
    repeats: u32,
    refused_repeats: u32,
}

impl Bank {
    pub(crate) fn truths(&self) -> Vec<PaymentTruth> {
        self.accounts.values().map(Account::truth).collect()
    }
}

impl Account {
    fn status(&self) -> PaymentStatus {
        self.statuses.last().map_or(PaymentStatus::Pending, |(_, status)| *status)
    }

    fn at(&self, wanted: PaymentStatus) -> Option<Time> {
        self.statuses.iter().find(|(_, status)| *status == wanted).map(|(at, _)| *at)
    }

    fn view(&self) -> Payment {
        Payment {
            bank_order_no: self.instruction.bank_order_no.clone(),
            status: self.status(),
            amount: self.instruction.amount,
            paid_at: self.at(PaymentStatus::Success),
            bank_serial: self.bank_serial.clone(),
            returned_at: self.at(PaymentStatus::Returned),
        }
    }

    fn truth(&self) -> PaymentTruth {
        let card = &self.instruction.payee_bankcard_no;
        let tail: String = card.chars().skip(card.chars().count().saturating_sub(4)).collect();
        PaymentTruth {
            bank_order_no: self.instruction.bank_order_no.clone(),
            amount: self.instruction.amount,
            card: fingerprint(card),
            card_masked: format!("****{tail}"),
            asked_at: self.statuses.first().map(|(at, _)| *at).unwrap_or_default(),
            outcome: self.outcome,
            statuses: self.statuses.clone(),
            bank_serial: self.bank_serial.clone(),
            repeats: self.repeats,
            refused_repeats: self.refused_repeats,
        }
    }
}

impl Sim {
    /// `POST /bank/v1/payments`.
    pub fn pay(&mut self, now: Time, instruction: Instruction) -> BankReply {
        self.settle(now);
        if let Some(why) = wrong(&instruction) {
            return BankReply::Invalid(why.into());
        }
        if let Some(account) = self.bank.accounts.get_mut(&instruction.bank_order_no) {
            if account.instruction != instruction {
                account.refused_repeats += 1;
                return BankReply::Conflict;
            }
            account.repeats += 1;
            return BankReply::Known(account.view());
        }
        let outcome = self.outcome_of(&instruction);
        self.open_account(instruction, outcome)
    }

    /// `GET /bank/v1/payments/{bank_order_no}`.
    pub fn payment(&mut self, now: Time, bank_order_no: &str) -> BankReply {
        self.settle(now);
        self.bank.accounts.get(bank_order_no).map_or(BankReply::NoSuch, |account| BankReply::Known(account.view()))
    }

    /// `GET /bank/v1/statement`: successes and returns, in order of time.
    pub fn statement(&mut self, now: Time) -> Vec<StatementLine> {
        self.settle(now);
        self.bank.statement.clone()
    }

    fn outcome_of(&mut self, instruction: &Instruction) -> Outcome {
        let fits =
            |script: &&mut crate::BankScript| script.fits(&instruction.bank_order_no, &instruction.payee_bankcard_no);
        if let Some(script) = self.bank_scripts.iter_mut().find(fits) {
            script.times = script.times.map(|times| times - 1);
            return script.outcome;
        }
        self.config.faults.for_payment(&mut self.dice).unwrap_or(Outcome::Success)
    }

    fn open_account(&mut self, instruction: Instruction, outcome: Outcome) -> BankReply {
        let number = instruction.bank_order_no.clone();
        let account =
            Account { instruction, outcome, statuses: Vec::new(), bank_serial: None, repeats: 0, refused_repeats: 0 };
        self.bank.accounts.insert(number.clone(), account);
        // A return counts on the day it happens.
        if !matches!(outcome, Outcome::Success | Outcome::Returned) {
            self.cover("BANK", "payment", outcome.word());
        }
        let timings = &self.config.timings;
        let (soon, late, back) = (timings.bank, timings.bank_late, timings.bank_return);
        match outcome {
            Outcome::Success => self.payment_is(&number, PaymentStatus::Success),
            Outcome::Failed => self.payment_is(&number, PaymentStatus::Failed),
            Outcome::Returned => {
                self.payment_is(&number, PaymentStatus::Success);
                let at = self.after(back);
                self.agenda.put(at, Event::BankReturns(number.clone()));
            }
            Outcome::Later | Outcome::FailedLater | Outcome::AnswerLost | Outcome::AnswerLostFailed => {
                self.payment_waits(&number, PaymentStatus::Pending, soon);
            }
            Outcome::Late => self.payment_waits(&number, PaymentStatus::Pending, late),
            Outcome::Unknown => self.payment_waits(&number, PaymentStatus::Unknown, late),
            Outcome::Stuck => self.payment_is(&number, PaymentStatus::Pending),
        }
        if matches!(outcome, Outcome::AnswerLost | Outcome::AnswerLostFailed) {
            return BankReply::Lost;
        }
        self.bank.accounts.get(&number).map_or(BankReply::NoSuch, |account| BankReply::Known(account.view()))
    }

    fn payment_waits(&mut self, number: &str, status: PaymentStatus, span: crate::Span) {
        self.payment_is(number, status);
        let at = self.after(span);
        self.agenda.put(at, Event::BankSettles(number.to_owned()));
    }

    pub(crate) fn payment_settles(&mut self, number: &str) {
        let Some(outcome) = self.bank.accounts.get(number).map(|account| account.outcome) else { return };
        let success = match outcome {
            Outcome::Success | Outcome::Later | Outcome::Late | Outcome::AnswerLost | Outcome::Returned => true,
            Outcome::Failed | Outcome::FailedLater | Outcome::AnswerLostFailed | Outcome::Stuck => false,
            Outcome::Unknown => self.dice.per_mille() < 600,
        };
        self.payment_is(number, if success { PaymentStatus::Success } else { PaymentStatus::Failed });
    }

    pub(crate) fn payment_returns(&mut self, number: &str) {
        self.cover("BANK", "payment", Outcome::Returned.word());
        self.payment_is(number, PaymentStatus::Returned);
    }

    /// The payment's status changes; what is final goes on the statement.
    fn payment_is(&mut self, number: &str, status: PaymentStatus) {
        let now = self.now;
        let kind = match status {
            PaymentStatus::Success => Some("payment"),
            PaymentStatus::Returned => Some("return"),
            PaymentStatus::Failed | PaymentStatus::Pending | PaymentStatus::Unknown => None,
        };
        let Some(account) = self.bank.accounts.get_mut(number) else { return };
        account.statuses.push((now, status));
        let Some(kind) = kind else { return };
        self.bank.serial += 1;
        let bank_serial = format!("BK{}{:010}", now.beijing().day().replace('-', ""), self.bank.serial);
        let Instruction { bank_order_no, amount, payee_name, payee_bankcard_no } = account.instruction.clone();
        if status == PaymentStatus::Success {
            account.bank_serial = Some(bank_serial.clone());
        }
        let line = StatementLine {
            bank_serial,
            bank_order_no,
            kind: kind.into(),
            amount,
            payee_name,
            payee_bankcard_no,
            at: now,
        };
        self.bank.statement.push(line);
    }
}

/// Why an instruction cannot be taken; no value is repeated.
fn wrong(instruction: &Instruction) -> Option<&'static str> {
    let Instruction { bank_order_no, amount, payee_name, payee_bankcard_no } = instruction;
    if bank_order_no.is_empty() || bank_order_no.chars().count() > 64 {
        return Some("bank_order_no has 1 to 64 characters");
    }
    if amount.fen() == 0 {
        return Some("amount is more than 0.00");
    }
    if payee_name.is_empty() {
        return Some("payee_name is missing");
    }
    domain::BankCard::parse(payee_bankcard_no).is_err().then_some("payee_bankcard_no is no card number")
}

impl Outcome {
    pub const ALL: [Outcome; 10] = [
        Outcome::Success,
        Outcome::Later,
        Outcome::Late,
        Outcome::Failed,
        Outcome::FailedLater,
        Outcome::Unknown,
        Outcome::AnswerLost,
        Outcome::AnswerLostFailed,
        Outcome::Returned,
        Outcome::Stuck,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Later => "later",
            Outcome::Late => "late",
            Outcome::Failed => "failed",
            Outcome::FailedLater => "failed_later",
            Outcome::Unknown => "unknown",
            Outcome::AnswerLost => "answer_lost",
            Outcome::AnswerLostFailed => "answer_lost_failed",
            Outcome::Returned => "returned",
            Outcome::Stuck => "stuck",
        }
    }
}
