use serde_json::{Value, json};
use std::time::Duration;
use system_tests::{Kind, Payday, Payer, Setup, World, on_both, truth};

on_both!(
    an_outside_program_does_the_whole_job,
    what_is_not_wanted_is_cancelled,
    what_nobody_pays_is_cancelled_at_its_cutoff
);

const SOON: Duration = Duration::from_secs(30);

fn an_outside_program_does_the_whole_job(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let office = levee.key("amei", "operator");
    let sent: Vec<Value> = Payday::new(1).orders("JOB", 12);
    for order in &sent {
        let key = order["business_key"].as_str().expect("text");
        let first = office.post_once("/v1/orders", key, order).expect("reach levee");
        let again = office.post_once("/v1/orders", key, order).expect("reach levee");
        assert_eq!((first.status, again.status), (201, 201), "{}", first.text());
        assert_eq!(first.json(), again.json(), "the same key and body have the same answer");
    }
    let mut payer = Payer::new(&office, &world.far.http, 4);
    levee.settle(&world, &mut payer, Duration::from_secs(90));

    let orders = office.all("/v1/orders");
    assert_eq!(orders.len(), sent.len());
    for order in &orders {
        assert_eq!((&order["state"], &order["outcome"]), (&json!("settled"), &json!("levied")), "{order}");
        assert_eq!(order["request_id"].as_str().map(str::len), Some(32));
        let remits = order["remits"].as_array().expect("remits");
        for remit in remits {
            assert_eq!(remit["state"], "levied");
            assert_eq!(remit["decision"]["next_step"], "CONTINUE");
            assert_eq!(remit["arising_time"], remit["evidence"]["paid_at"], "the bank's time, not ours");
            assert!(remit["levied_at"].is_string(), "{remit}");
        }
    }
    assert!(
        orders.iter().any(|order| order["remits"].as_array().is_some_and(|remits| remits.len() == 2)),
        "one order was split"
    );
    assert!(payer.paid() > sent.len(), "each split is paid by itself");
    people_are_masked(&office, &levee.http, &sent[0]);

    let ledger = world.far.ledger();
    truth::equal(&orders, &ledger);
    let callbacks = ledger["callbacks"].as_array().expect("callbacks");
    assert!(!callbacks.is_empty() && callbacks.iter().all(|line| line["acknowledged"] == true), "{callbacks:?}");
    assert!(levee.metric("levee_callbacks_total", "account=\"main\"") > 0);
    world.sound();
}

/// Personal data prints masked unless the role may see it and asks; the timeline tells the story in words.
fn people_are_masked(office: &system_tests::Http, admin: &system_tests::Http, sent: &Value) {
    let key = sent["business_key"].as_str().expect("text");
    let found = office.all(&format!("/v1/orders?business_key={key}"));
    let path = format!("/v1/orders/{}", found[0]["id"].as_str().expect("an id"));
    let masked = office.read(&path);
    for field in ["name", "id_card", "cellphone", "bankcard_no"] {
        assert_ne!(masked["person"][field], sent["person"][field], "{field} is masked");
    }
    assert_eq!(admin.read(&format!("{path}?reveal=true"))["person"], sent["person"]);
    assert_eq!(office.get(&format!("{path}?reveal=true")).expect("reach levee").status, 403);
    let timeline = office.read(&format!("{path}/timeline"));
    assert!(timeline["items"].as_array().is_some_and(|lines| lines.len() >= 4), "{timeline}");
}

fn what_is_not_wanted_is_cancelled(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let mut payday = Payday::new(2);

    let (order, _) = levee.ready(&payday.order("CANCEL-ORDER"));
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().expect("an id"));
    assert_eq!(levee.http.post(&path, &json!({})).expect("reach levee").status, 202);
    let ended = levee.order_is(&order["id"], &["settled"], SOON);
    assert_eq!(ended["outcome"], "cancelled");
    assert_eq!(ended["remits"][0]["state"], "cancelled");

    let (_, remit) = levee.ready(&payday.order("CANCEL-REMIT"));
    let path = format!("/v1/remits/{}", remit["id"].as_str().expect("an id"));
    let cancel = || levee.http.post(&format!("{path}/cancel"), &json!({})).expect("reach levee");
    let permit = levee.http.done(&format!("{path}/pay-permit"), &json!({}));
    let refused = cancel();
    assert_eq!((refused.status, refused.problem().as_str()), (409, "permit_live"), "nothing payable is cancelled");
    let word = json!({"permit_id": permit["permit_id"], "reason": "the person is on leave"});
    assert_eq!(levee.http.post(&format!("{path}/attest-not-paid"), &word).expect("reach levee").status, 202);
    levee.remit_is(&remit["id"], &["open"], SOON);
    assert_eq!(cancel().status, 202);
    levee.remit_is(&remit["id"], &["cancelled"], SOON);
    let refused = levee.http.post(&format!("{path}/pay-permit"), &json!({})).expect("reach levee");
    assert_eq!(refused.status, 409, "a closed gate stays closed: {}", refused.text());
    assert!(["gate_closed", "decided", "not_payable"].contains(&refused.problem().as_str()), "{}", refused.text());

    truth::equal(&levee.http.all("/v1/orders"), &world.far.ledger());
    world.sound();
}

fn what_nobody_pays_is_cancelled_at_its_cutoff(kind: Kind) {
    let mut world = World::new(kind, &Setup::default());
    let levee = world.serve();
    let (order, remit) = levee.ready(&Payday::new(3).order("NOBODY-PAYS"));
    assert!(order["pay_cutoff"].as_str() < order["deadline"].as_str(), "{order}");
    world.advance(&levee, 42 * 3600);
    assert_eq!(levee.http.read(&format!("/v1/remits/{}", remit["id"].as_str().expect("an id")))["state"], "open");
    world.advance(&levee, 2 * 3600);
    let ended = levee.order_is(&order["id"], &["settled"], SOON);
    assert_eq!(ended["outcome"], "cancelled");
    let ledger = world.far.ledger();
    assert_eq!(ledger["remits"][0]["ended"], "cancelled", "long before the provider would have closed it");
    truth::equal(&[ended], &ledger);
    world.sound();
}
