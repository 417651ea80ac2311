//! The bank, scenario by scenario.

use super::*;
use crate::olading::tests::{World, bankcard, world};
use crate::{BankScript, preset};

fn instruction(number: &str) -> Instruction {
    Instruction {
        bank_order_no: number.into(),
        amount: Money::parse("10.00").unwrap(),
        payee_name: "张三".into(),
        payee_bankcard_no: bankcard(1),
    }
}

fn scripted(outcome: Outcome) -> World {
    let mut w = world();
    w.sim.script_bank(BankScript { bank_order_no: Some("P".into()), payee_tail: None, outcome, times: None });
    w
}

fn known(reply: BankReply) -> Payment {
    match reply {
        BankReply::Known(payment) => payment,
        BankReply::NoSuch | BankReply::Conflict | BankReply::Invalid(_) | BankReply::Lost => {
            panic!("no payment: {reply:?}")
        }
    }
}

/// Pays P1 and returns the first answer's status and the one after some hours.
fn life(outcome: Outcome, hours: u64) -> (Option<PaymentStatus>, Payment) {
    let mut w = scripted(outcome);
    let first = match w.sim.pay(w.now, instruction("P1")) {
        BankReply::Known(payment) => Some(payment.status),
        BankReply::Lost => None,
        BankReply::NoSuch | BankReply::Conflict | BankReply::Invalid(_) => panic!("refused"),
    };
    w.hours(hours);
    (first, known(w.sim.payment(w.now, "P1")))
}

#[test]
fn every_outcome_runs_its_course() {
    use PaymentStatus::{Failed, Pending, Returned, Success, Unknown};
    let cases = [
        (Outcome::Success, 0, Some(Success), Success),
        (Outcome::Later, 1, Some(Pending), Success),
        (Outcome::Late, 31, Some(Pending), Success),
        (Outcome::Failed, 0, Some(Failed), Failed),
        (Outcome::FailedLater, 1, Some(Pending), Failed),
        (Outcome::AnswerLost, 1, None, Success),
        (Outcome::AnswerLostFailed, 1, None, Failed),
        (Outcome::Returned, 0, Some(Success), Success),
        (Outcome::Returned, 241, Some(Success), Returned),
        (Outcome::Stuck, 1000, Some(Pending), Pending),
    ];
    for (outcome, hours, first, last) in cases {
        let (said, payment) = life(outcome, hours);
        assert_eq!((said, payment.status), (first, last), "{outcome:?} after {hours} h");
        let paid = matches!(last, Success | Returned);
        assert_eq!((payment.paid_at.is_some(), payment.bank_serial.is_some()), (paid, paid), "{outcome:?}");
        assert_eq!(payment.returned_at.is_some(), last == Returned);
    }
    let (said, payment) = life(Outcome::Unknown, 31);
    assert_eq!(said, Some(Unknown));
    assert!(matches!(payment.status, Success | Failed), "P22: either is possible");
}

#[test]
fn one_number_pays_once() {
    let mut w = scripted(Outcome::Success);
    let first = known(w.sim.pay(w.now, instruction("P1")));
    w.hours(1);
    assert_eq!(known(w.sim.pay(w.now, instruction("P1"))), first, "the first answer, its own time and serial");
    let other = Instruction { amount: Money::parse("10.01").unwrap(), ..instruction("P1") };
    assert_eq!(w.sim.pay(w.now, other), BankReply::Conflict);
    assert_eq!(
        w.sim.pay(w.now, Instruction { payee_bankcard_no: bankcard(2), ..instruction("P1") }),
        BankReply::Conflict
    );
    let truth = &w.ledger().payments[0];
    assert_eq!((truth.repeats, truth.refused_repeats), (1, 2));
    assert_eq!(w.sim.statement(w.now).len(), 1);
    assert_eq!(w.sim.payment(w.now, "P2"), BankReply::NoSuch);
}

#[test]
fn p33_a_returned_payment_stands_twice_on_the_statement() {
    let mut w = scripted(Outcome::Returned);
    w.sim.pay(w.now, instruction("P1"));
    w.hours(241);
    let lines = w.sim.statement(w.now);
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind.as_str()).collect();
    assert_eq!(kinds, ["payment", "return"]);
    assert_ne!(lines[0].bank_serial, lines[1].bank_serial);
    assert!(lines[1].at > lines[0].at);
}

#[test]
fn senseless_instructions_are_refused() {
    let mut w = scripted(Outcome::Success);
    let bad = [
        Instruction { bank_order_no: String::new(), ..instruction("P") },
        Instruction { amount: Money::ZERO, ..instruction("P") },
        Instruction { payee_name: String::new(), ..instruction("P") },
        Instruction { payee_bankcard_no: "6222000000000000000".into(), ..instruction("P") },
    ];
    for instruction in bad {
        assert!(matches!(w.sim.pay(w.now, instruction), BankReply::Invalid(_)));
    }
    assert!(w.ledger().payments.is_empty());
}

#[test]
fn scripts_pick_by_number_or_card_and_wear_out() {
    let mut w = world();
    let tail = bankcard(1)[15..].to_owned();
    w.sim.script_bank(BankScript {
        bank_order_no: None,
        payee_tail: Some(tail),
        outcome: Outcome::Failed,
        times: Some(1),
    });
    let spared = Instruction { payee_bankcard_no: bankcard(2), ..instruction("A") };
    assert_eq!(known(w.sim.pay(w.now, spared)).status, PaymentStatus::Success);
    assert_eq!(known(w.sim.pay(w.now, instruction("B"))).status, PaymentStatus::Failed);
    assert_eq!(known(w.sim.pay(w.now, instruction("C"))).status, PaymentStatus::Success);
}

#[test]
fn the_dice_of_many_meet_every_end() {
    let mut w = world();
    w.sim.set_faults(preset("many").unwrap()).unwrap();
    for number in 0..1000 {
        let _answered = w.sim.pay(w.now, instruction(&format!("N{number}")));
    }
    w.hours(300);
    let truth = w.ledger();
    for outcome in preset("many").unwrap().bank.keys() {
        assert!(truth.payments.iter().any(|payment| payment.outcome == *outcome), "{outcome:?}");
    }
    assert!(!serde_json::to_string(&truth).unwrap().contains(&bankcard(1)));
}
