use serde_json::{Value, json};
use std::time::Duration;
use system_tests::{Kind, Levee, Payday, Payer, Setup, World, on_both, truth, until};

on_both!(
    a_permit_is_given_once_at_a_time,
    a_payment_nobody_knows_of_blocks_everything_until_the_bank_speaks,
    a_freeze_stops_permits,
    what_the_bank_gives_back_after_the_levy_becomes_a_case
);

const SOON: Duration = Duration::from_secs(30);

fn a_permit_is_given_once_at_a_time(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let person = Payday::new(11).person();
    let sent = system_tests::payday::order("PERMIT", &person);
    let (order, remit) = levee.ready(&sent);
    let path = format!("/v1/remits/{}", text(&remit["id"]));

    let first = levee.http.post_once(&format!("{path}/pay-permit"), "ask-1", &json!({})).expect("reach levee");
    assert_eq!(first.status, 201, "{}", first.text());
    let permit = first.json();
    assert_eq!(permit["remit_id"], remit["id"]);
    assert_eq!(permit["provider_order_id"], remit["provider_order_id"]);
    assert_eq!((&permit["amount"], &permit["attempt"]), (&json!("128.50"), &json!(1)));
    assert_eq!(
        permit["payee"],
        json!({"name": person.name, "bankcard_no": person.bankcard_no}),
        "the payer needs it in clear"
    );
    assert!(permit["pay_before"].is_string() && permit["bank_order_no"].is_string());

    let second = levee.http.post(&format!("{path}/pay-permit"), &json!({})).expect("reach levee");
    assert_eq!((second.status, second.problem().as_str()), (409, "permit_live"));
    let repeated = levee.http.post_once(&format!("{path}/pay-permit"), "ask-1", &json!({})).expect("reach levee");
    assert_eq!((repeated.status, repeated.json()), (201, permit.clone()), "the same key collects the same permit");

    let word = pay(&world, &permit);
    assert_eq!(word["status"], "success");
    let report = paid(&permit, &word);
    for _ in 0..3 {
        levee.http.done(&format!("{path}/payout-results"), &report);
    }
    let remit = levee.remit_is(&remit["id"], &["levied", "levying", "confirming"], SOON);
    assert_eq!(remit["evidence"]["bank_serial"], word["bank_serial"]);
    let late = levee.http.post(&format!("{path}/pay-permit"), &json!({})).expect("reach levee");
    assert_eq!((late.status, late.problem().as_str()), (409, "decided"));
    world.advance(&levee, 3 * 3600);
    levee.order_is(&order["id"], &["settled"], SOON);
    let refused =
        levee.http.post(&format!("/v1/orders/{}/cancel", text(&order["id"])), &json!({})).expect("reach levee");
    assert_eq!((refused.status, refused.problem().as_str()), (409, "decided"));
    truth::equal(&levee.http.all("/v1/orders"), &world.far.ledger());
    world.sound();
}

fn a_payment_nobody_knows_of_blocks_everything_until_the_bank_speaks(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (order, remit) = levee.ready(&system_tests::payday::order("DOUBT", &Payday::new(12).person()));
    let path = format!("/v1/remits/{}", text(&remit["id"]));
    let ask = || levee.http.post(&format!("{path}/pay-permit"), &json!({})).expect("reach levee");
    let permit = ask().json();
    let report = |permit: &Value, outcome: &str| json!({"permit_id": permit["permit_id"], "outcome": outcome, "amount": "128.50"});
    levee.http.done(&format!("{path}/payout-results"), &report(&permit, "unknown"));
    levee.remit_is(&remit["id"], &["payout_in_doubt"], SOON);

    assert_eq!((ask().status, ask().problem().as_str()), (409, "in_doubt"));
    for (verb, body) in
        [("cancel", json!({})), ("attest-not-paid", json!({"permit_id": permit["permit_id"], "reason": "I think so"}))]
    {
        let refused = levee.http.post(&format!("{path}/{verb}"), &body).expect("reach levee");
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (409, "in_doubt"),
            "{verb}: only the bank's final word counts"
        );
    }
    levee.http.done(&format!("{path}/payout-results"), &report(&permit, "failed"));
    levee.remit_is(&remit["id"], &["open"], SOON);
    let again = ask().json();
    assert_eq!(again["attempt"], 2, "{again}");
    assert_ne!(again["bank_order_no"], permit["bank_order_no"], "another attempt has another number");
    let word = pay(&world, &again);
    levee.http.done(&format!("{path}/payout-results"), &paid(&again, &word));
    levee.remit_is(&remit["id"], &["levying", "levied"], SOON);
    world.advance(&levee, 3 * 3600);
    assert_eq!(levee.order_is(&order["id"], &["settled"], SOON)["outcome"], "levied");
    truth::equal(&levee.http.all("/v1/orders"), &world.far.ledger());
    world.sound();
}

fn a_freeze_stops_permits(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (_, remit) = levee.ready(&system_tests::payday::order("FREEZE", &Payday::new(13).person()));
    let ask =
        || levee.http.post(&format!("/v1/remits/{}/pay-permit", text(&remit["id"])), &json!({})).expect("reach levee");
    freeze(&levee, true);
    assert_eq!((ask().status, ask().problem().as_str()), (409, "frozen"));
    freeze(&levee, false);
    assert_eq!(ask().status, 201);
}

fn what_the_bank_gives_back_after_the_levy_becomes_a_case(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    world.far.script_bank("returned", 1);
    let (_, remit) = levee.ready(&system_tests::payday::order("RETURNED", &Payday::new(14).person()));
    let mut payer = Payer::new(&levee.http, &world.far.http, 1);
    levee.settle(&world, &mut payer, Duration::from_secs(60));
    levee.remit_is(&remit["id"], &["levied"], SOON);
    world.advance(&levee, 11 * 24 * 3600);
    until(SOON, "the bank gives it back", || (payer.report_returns() == 1).then_some(()));
    let returned = levee.remit_is(&remit["id"], &["returned_after_levy"], SOON);
    let case = levee.http.read(&format!("/v1/cases/{}", text(&returned["case_id"])));
    assert_eq!((&case["kind"], &case["state"]), (&json!("returned_after_levy"), &json!("open")), "{case}");
    assert_eq!(case["instance"]["id"], remit["id"]);
    assert!(
        case["moves"].as_array().is_some_and(|moves| !moves.is_empty()),
        "a person is told what may be done: {case}"
    );
    truth::equal(&levee.http.all("/v1/orders"), &world.far.ledger());
    world.sound();
}

fn freeze(levee: &Levee, pay: bool) {
    let body = json!({"scope": "all", "create": false, "pay": pay, "confirm": false, "cancel": false});
    let answer = levee.http.put("/v1/freezes", &body).expect("reach levee");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn pay(world: &World, permit: &Value) -> Value {
    let body = json!({
        "bank_order_no": permit["bank_order_no"], "amount": permit["amount"],
        "payee_name": permit["payee"]["name"], "payee_bankcard_no": permit["payee"]["bankcard_no"],
    });
    world.far.http.done("/bank/v1/payments", &body)
}

fn paid(permit: &Value, word: &Value) -> Value {
    json!({
        "permit_id": permit["permit_id"], "outcome": "paid", "amount": permit["amount"],
        "paid_at": word["paid_at"], "bank_serial": word["bank_serial"], "bank_order_no": permit["bank_order_no"],
    })
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
