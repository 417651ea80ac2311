//! Splits, caps, quota and fees.

use super::*;
use crate::{CloseAs, fingerprint};
use domain::Money;

fn fen(value: &Value) -> i64 {
    Money::parse(value.as_str().unwrap()).unwrap().fen()
}

#[test]
fn p06_a_split_adds_up_in_every_remit_and_in_all() {
    let mut w = world();
    w.create("N", "20000.01");
    let gross = with(with(order("G", "1.00"), "profit", Value::Null), "pay_amount", json!("30000.03"));
    w.done(Operation::CreateOrderV2, gross);
    w.wait(120);
    for (request, field, asked) in [("N", "amount", 2_000_001), ("G", "actual_amount", 3_000_003)] {
        let list = remits(&w.query(request));
        assert_eq!(list.len(), 2, "the configuration spreads 10,000 yuan and more over two places");
        assert_eq!(list.iter().map(|remit| fen(&remit[field])).sum::<i64>(), asked);
        for remit in &list {
            assert_eq!(fen(&remit["fee"]) + fen(&remit["compensate_fee"]), fen(&remit["sum_fee"]));
            assert_eq!(fen(&remit["amount"]) + fen(&remit["sum_fee"]), fen(&remit["actual_amount"]));
        }
    }
}

#[test]
fn a_gross_order_holds_in_the_end_what_reaches_the_person() {
    let mut w = world();
    let gross = with(with(order("G", "1.00"), "profit", Value::Null), "pay_amount", json!("1060.00"));
    w.done(Operation::CreateOrderV2, gross);
    assert_eq!(w.held(), "1060.00");
    w.wait(120);
    assert_eq!(remits(&w.query("G"))[0]["amount"], "1000.00", "6 % of 1000.00 make 1060.00");
    assert_eq!(w.held(), "1000.00");
}

#[test]
fn quota_is_held_on_acceptance_and_its_lack_is_1009() {
    let mut w = world_with(|c| c.quotas.person_month = Money::parse("1000.00").unwrap());
    w.create("R1", "600.00");
    assert_eq!(w.code(Operation::CreateOrderV2, order("R2", "400.01")), "1009");
    assert_eq!(w.code(Operation::CreateOrderV2, order("R3", "400.00")), "0", "to the fen");
    let other = with(with(order("R4", "900.00"), "id_card", json!(id_card(2))), "bankcard_no", json!(bankcard(2)));
    assert_eq!(w.code(Operation::CreateOrderV2, other), "0", "quota is a person's own");
    w.wait(120);
    let ids = w.ledger().orders.iter().find(|order| order.request_id == "R1").unwrap().remits.clone();
    assert_eq!(w.confirm(&ids[0], "CANCEL"), "0");
    assert_eq!(w.code(Operation::CreateOrderV2, order("R5", "600.00")), "0", "cancelled quota can be used again");
}

#[test]
fn p31_quota_is_counted_in_beijing_months() {
    let mut w = world_with(|c| {
        let person = fingerprint(&id_card(1));
        c.quotas.persons.insert(person, Money::parse("100.00").unwrap());
    });
    w.now = Time::parse("2026-01-31T15:59:00Z").unwrap();
    assert_eq!(w.code(Operation::CreateOrderV2, order("R1", "100.00")), "0");
    assert_eq!(w.code(Operation::CreateOrderV2, order("R2", "100.00")), "1009");
    w.now = Time::parse("2026-01-31T16:00:00Z").unwrap();
    assert_eq!(w.code(Operation::CreateOrderV2, order("R3", "100.00")), "0", "midnight in Beijing");
    let months: Vec<String> = w.ledger().quota.iter().map(|quota| quota.month.clone()).collect();
    assert_eq!(months, ["2026-01", "2026-02"]);
}

#[test]
fn a_place_takes_no_more_than_its_monthly_cap_of_one_person() {
    let mut w = world_with(|c| c.catalogue.agents.get_mut("1001").unwrap().split = None);
    w.ready("R1", "45000.00");
    w.create("R2", "10000.00");
    w.wait(120);
    let places: Vec<(String, String)> = remits(&w.query("R2"))
        .iter()
        .map(|remit| {
            (remit["tax_agent_location_id"].as_str().unwrap().into(), remit["amount"].as_str().unwrap().into())
        })
        .collect();
    assert_eq!(
        places,
        [("2001".into(), "5000.00".into()), ("2002".into(), "5000.00".into())],
        "what is left, then the next place"
    );

    w.done(Operation::CreateOrderV2, with(order("R3", "1.00"), "tax_agent_location_id", json!(2001)));
    w.wait(120);
    let view = w.query("R3");
    assert_eq!((view["fail_reason"].as_str(), remits(&view).len()), (Some("超出资质所在地当月打款限额"), 0));
    assert_eq!(w.held(), "55000.00", "the closed order holds nothing");
}

#[test]
fn f62_remits_that_do_not_add_up_can_be_ordered() {
    let mut w = world();
    w.script(OladingScript::close(CloseAs::WrongSum));
    w.create("R1", "10.00");
    w.script(OladingScript::close(CloseAs::WrongFee));
    w.create("R2", "10.00");
    w.wait(120);
    assert_eq!(remits(&w.query("R1"))[0]["amount"], "10.01");
    let remit = &remits(&w.query("R2"))[0];
    assert_ne!(fen(&remit["fee"]) + fen(&remit["compensate_fee"]), fen(&remit["sum_fee"]));
}

#[test]
fn f61_one_remit_of_three_goes_another_way() {
    let mut w = world_with(|c| {
        c.catalogue.agents.get_mut("1001").unwrap().split = Some(crate::Split { from: Money::ZERO, over: 3 })
    });
    let ids = w.ready("R1", "300.00");
    assert_eq!(ids.len(), 3);
    assert_eq!(
        [w.confirm(&ids[0], "CONTINUE"), w.confirm(&ids[1], "CONTINUE"), w.confirm(&ids[2], "CANCEL")],
        ["0", "0", "0"]
    );
    assert_eq!(w.held(), "200.00");
}
