use super::*;
use crate::olading::lenient::UploadStatus;
use crate::olading::trial::{
    ask, ask_with, call, client, create, decide, envelope, find, now, order_data, person, remit_data, request_id,
    settings, signed, terms, text, told, vectors, voucher,
};
use crate::olading::wire::{AddBankVoucher, QuerySignUpBatch, SignUpKey};
use crate::{AccountConfig, Ask, Providers};
use domain::levy::{self, NextStep, OrderStatus, RemitStatus};
use domain::{Answer, IdCard, Money, Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

const CREATED: &str = "CREATE_ORDER_V2";
const QUERIED: &str = "QUERY_ORDER_V2";

fn accepted() -> Value {
    json!({ "request_id": "R202207010000000001", "accept_time": "2022-07-01T12:34:57.001" })
}

async fn order_with(key: &str, value: Value) -> Verdict<Answer> {
    let mut data = order_data();
    data[key] = value;
    ask(&find(), envelope(QUERIED, "0", &data)).await.verdict
}

fn seen(verdict: Verdict<Answer>) -> levy::OrderSeen {
    let Verdict::Done(Answer::OrderSeen(order)) = verdict else { panic!("no order: {verdict:?}") };
    order
}

#[tokio::test]
async fn the_golden_answer_is_an_accepted_order() {
    let vectors = vectors();
    let mut answer = signed(text(&vectors, "/response/body"));
    answer.headers = vec![("Api-Sign".to_owned(), text(&vectors, "/response/Api-Sign").to_owned())];
    let sent = ask(&create(), answer.clone()).await;
    let accept_time = Time::parse("2022-07-01T12:34:57.001+08:00");
    assert_eq!(sent.verdict, Verdict::Done(Answer::OrderAccepted { accept_time }));
    let exchange = sent.exchange.unwrap();
    assert_eq!((exchange.operation, exchange.status, exchange.answer), (CREATED, Some(200), answer.body));
    assert!(exchange.request.starts_with(b"req=%7B%22name%22%3A%22CREATE_ORDER_V2%22"));
}

#[tokio::test]
async fn p05_exactly_one_amount_is_sent() {
    for (asked, word, other) in [
        (levy::Asked::Net(Money::from_fen(100).unwrap()), "profit", "pay_amount"),
        (levy::Asked::Gross(Money::from_fen(100).unwrap()), "pay_amount", "profit"),
    ] {
        let terms = levy::Terms { asked, ..terms() };
        let request = Request::CreateOrder { request_id: request_id(), person: Uuid::nil(), terms };
        let sent = ask(&request, envelope(CREATED, "0", &accepted())).await;
        let body = String::from_utf8(sent.exchange.unwrap().request).unwrap();
        assert!(body.contains(&format!("%22{word}%22%3A%221.00%22")) && !body.contains(other), "{word}");
    }
}

#[tokio::test]
async fn codes_by_their_table() {
    for code in ["0002", "0003", "1009", "1010"] {
        let verdict = ask(&create(), envelope(CREATED, code, &json!({}))).await.verdict;
        assert_eq!(verdict, Verdict::Refused(Refusal { code: code.to_owned(), message: "信息".to_owned() }));
    }
    for code in ["0001", "9999", "", "00", "SUCCESS"] {
        for (request, name) in [(create(), CREATED), (find(), QUERIED)] {
            let verdict = ask(&request, envelope(name, code, &json!({}))).await.verdict;
            assert_eq!(verdict, Verdict::Unsure(Fault::UnknownCode(code.to_owned())), "P03");
        }
    }
}

#[tokio::test]
async fn a_configured_code_means_what_its_key_says() {
    let account = Settings {
        code_order_not_found: Some("2001".to_owned()),
        code_clock_refused: Some("2002".to_owned()),
        code_duplicate_request_id: Some("2003".to_owned()),
        code_month_cap: Some("2004".to_owned()),
        code_not_signed: Some("2005".to_owned()),
        ..settings()
    };
    let verdict = async |request: &Request, name: &str, code: &str| {
        ask_with(account.clone(), request, Ok(envelope(name, code, &Value::Null))).await.verdict
    };
    let absent = envelope(QUERIED, "2001", &json!({ "request_id": request_id().as_str() }));
    let absent = ask_with(account.clone(), &find(), Ok(absent)).await.verdict;
    assert_eq!(absent, Verdict::Done(Answer::OrderAbsent));
    let unsure = |code: &str| Verdict::Unsure(Fault::UnknownCode(code.to_owned()));
    assert_eq!(verdict(&create(), CREATED, "2001").await, unsure("2001"), "only a query can find nothing");
    assert_eq!(verdict(&create(), CREATED, "2002").await, Verdict::NotNow(CLOCK_DELAY));
    assert_eq!(verdict(&create(), CREATED, "2003").await, unsure("2003"), "a duplicate means: query");
    assert!(matches!(verdict(&create(), CREATED, "2004").await, Verdict::Refused(_)));
    assert!(matches!(verdict(&create(), CREATED, "2005").await, Verdict::Refused(_)));
    let confirm = decide(NextStep::Continue);
    assert_eq!(
        verdict(&confirm, "CONFIRM_ORDER_V2", "2004").await,
        unsure("2004"),
        "a cap says nothing of a confirmation"
    );
}

#[tokio::test]
async fn i26_a_not_found_that_names_no_order_proves_nothing() {
    let account = Settings { code_order_not_found: Some("2001".to_owned()), ..settings() };
    for data in [Value::Null, json!({}), json!({ "request_id": "R202207010000000002" })] {
        let answer = envelope(QUERIED, "2001", &data);
        let verdict = ask_with(account.clone(), &find(), Ok(answer)).await.verdict;
        assert_eq!(verdict, Verdict::Unsure(Fault::Unbound), "it may be the answer of another order (TR2): {data}");
    }
}

#[tokio::test]
async fn a_learned_code_serves_like_a_configured_one() {
    let peer = told(|_| Ok(envelope(QUERIED, "3001", &json!({ "request_id": request_id().as_str() }))));
    let accounts = BTreeMap::from([("main".to_owned(), AccountConfig::Olading(settings()))]);
    let providers = Providers::new(accounts, crate::Transport::Local(peer)).unwrap();
    let request = find();
    let ask = Ask {
        account: "main",
        request: &request,
        people: &[],
        files: &[],
        attempt: uuid::Uuid::nil(),
        now: now(),
        timeout: Duration::from_secs(1),
        gate: &|| true,
    };
    assert_eq!(providers.call(ask).await.verdict, Verdict::Unsure(Fault::UnknownCode("3001".to_owned())));
    for (account, gap, code) in [
        ("main", "order_not_found", "0001"),
        ("main", "order_not_found", "0"),
        ("main", "order_not_found", ""),
        ("main", "weather", "3001"),
        ("other", "order_not_found", "3001"),
    ] {
        assert!(!providers.set_learned(account, gap, code), "{account} {gap} {code:?}");
    }
    assert!(providers.set_learned("main", "order_not_found", "3001"));
    assert!(!providers.set_learned("main", "clock_refused", "3001"), "one code cannot say two things");
    assert_eq!(providers.call(ask).await.verdict, Verdict::Done(Answer::OrderAbsent));
    assert_eq!(providers.names().collect::<Vec<_>>(), ["main"]);
    let elsewhere = Ask { account: "other", ..ask };
    assert_eq!(providers.call(elsewhere).await.verdict.word(), "not_now", "a missing account refuses nothing");
}

#[tokio::test]
async fn p04_a_bad_signature_is_in_doubt_and_keeps_the_bytes() {
    let good = envelope(CREATED, "0", &accepted());
    let mut missing = good.clone();
    missing.headers.clear();
    let mut twice = good.clone();
    twice.headers.push(twice.headers[0].clone());
    let mut altered = good.clone();
    altered.body.push(b' ');
    let mut other_key = good.clone();
    other_key.headers[0].1 = "iW94bg+PYU01PJLH4+GjL58r3GwW9WRLsCsgjxBM5Yo=".to_owned();
    for answer in [missing, twice, altered, other_key] {
        let sent = ask(&create(), answer.clone()).await;
        assert_eq!(sent.verdict, Verdict::Unsure(Fault::BadSignature));
        assert_eq!(sent.exchange.unwrap().answer, answer.body);
    }
}

#[tokio::test]
async fn i26_an_answer_of_another_call_is_unbound() {
    let unbound = Verdict::Unsure(Fault::Unbound);
    let other = json!({ "request_id": "R2", "accept_time": "2022-07-01T12:34:57.001" });
    for (name, code, data) in [
        (CREATED, "0", other.clone()),
        (CREATED, "0", json!({})),
        (CREATED, "0", Value::Null),
        (CREATED, "0", json!({ "request_id": null })),
        (CREATED, "0", json!({ "request_id": "r202207010000000001" })),
        ("CONFIRM_ORDER_V2", "0", accepted()),
        ("CONFIRM_ORDER_V2", "1009", json!({})),
        (CREATED, "1009", other),
    ] {
        assert_eq!(ask(&create(), envelope(name, code, &data)).await.verdict, unbound, "{name} {code} {data}");
    }
    assert_eq!(order_with("id_card", json!("110101199003070038")).await, unbound);
    let lower_x = crate::olading::codec::Echo::id_card("id_card", &IdCard::parse("11010119900307002X").unwrap())
        .is_repeated_as("11010119900307002x");
    assert!(lower_x, "the check character of an ID number has no case");
    let refused = ask(&create(), envelope(CREATED, "1009", &accepted())).await.verdict;
    assert!(matches!(refused, Verdict::Refused(_)), "an error that repeats the id is bound");
}

#[tokio::test]
async fn f53_anything_but_the_envelope_is_unreadable() {
    let name = r#""name":"CREATE_ORDER_V2""#;
    let data = r#""data":{"request_id":"R202207010000000001"}"#;
    for body in [
        "".to_owned(),
        "<html>502</html>".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        format!(r#"{{{name},"code":"0",{data}"#),
        format!(r#"{{{name},"code":"0",{data}}} x"#),
        format!(r#"{{{name},"code":"0","code":"0",{data}}}"#),
        format!(r#"{{{name},{data}}}"#),
        format!(r#"{{"code":"0",{data}}}"#),
        format!("\u{feff}{{{name},\"code\":\"0\",{data}}}"),
        format!(r#"{{{name},"code":"0","data":{{"request_id":"R202207010000000001","accept_time":"soon"}}}}"#),
    ] {
        assert_eq!(ask(&create(), signed(body.clone())).await.verdict, Verdict::Unsure(Fault::Unreadable), "{body}");
    }
    let gbk = [br#"{"name":"CREATE_ORDER_V2","code":"0","message":""#.as_slice(), &[0xb3, 0xc9], b"\"}"].concat();
    assert_eq!(ask(&create(), signed(gbk)).await.verdict, Verdict::Unsure(Fault::Unreadable));
    let mut packed = envelope(CREATED, "0", &accepted());
    packed.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    assert_eq!(ask(&create(), packed).await.verdict, Verdict::Unsure(Fault::Unreadable));
}

#[tokio::test]
async fn only_status_200_is_read() {
    for status in [204, 302, 400, 404, 429, 500, 503] {
        let answer = WireAnswer { status, ..envelope(CREATED, "0", &accepted()) };
        let sent = ask(&create(), answer).await;
        assert_eq!(sent.verdict, Verdict::Unsure(Fault::Status(status)));
        assert_eq!(sent.exchange.unwrap().status, Some(status));
    }
}

#[tokio::test]
async fn a_fault_of_the_wire_is_not_now_only_when_nothing_left() {
    let verdict = async |fault| ask_with(settings(), &create(), Err(fault)).await;
    let sent = verdict(WireFault::NotSent).await;
    assert_eq!(sent.verdict, Verdict::NotNow(NOT_SENT_DELAY));
    assert!(sent.exchange.is_none());
    for (fault, expected) in [
        (WireFault::Timeout, Fault::Timeout),
        (WireFault::Broken, Fault::Broken),
        (WireFault::TooLarge, Fault::TooLarge),
    ] {
        let sent = verdict(fault).await;
        assert_eq!(sent.verdict, Verdict::Unsure(expected));
        assert!(sent.exchange.is_some_and(|exchange| exchange.status.is_none() && !exchange.request.is_empty()));
    }
}

#[tokio::test]
async fn p36_a_closed_gate_sends_nothing_and_is_asked_last() {
    let peer = told(|_| Ok(envelope(CREATED, "0", &accepted())));
    let (request, someone) = (create(), person());
    let asked = AtomicBool::new(false);
    let gate = || {
        asked.store(true, Ordering::Relaxed);
        false
    };
    let ask = Ask {
        account: "main",
        request: &request,
        people: std::slice::from_ref(&someone),
        files: &[],
        attempt: uuid::Uuid::nil(),
        now: now(),
        timeout: Duration::from_secs(1),
        gate: &gate,
    };
    let account = client(settings(), &peer);
    let sent = account.ask(ask).await;
    assert_eq!(sent.verdict.word(), "not_now");
    assert!(sent.exchange.is_none() && peer.seen.lock().unwrap().is_empty() && asked.swap(false, Ordering::Relaxed));
    // A request that may not be sent at all does not reach the gate.
    let nobody = account.ask(Ask { people: &[], ..ask }).await;
    assert!(matches!(nobody.verdict, Verdict::Refused(_)) && !asked.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_broken_limit_is_refused_unsent_and_names_the_field() {
    for (terms, message) in [
        (
            levy::Terms { remark: Some("备".repeat(101)), ..terms() },
            "remark has 101 characters; the provider takes at most 100",
        ),
        (
            levy::Terms { tax_agent_parent_id: "A1".to_owned(), ..terms() },
            "tax_agent_parent_id is not a whole number of 1 to 20 digits",
        ),
    ] {
        let request = Request::CreateOrder { request_id: request_id(), person: Uuid::nil(), terms };
        let sent = ask(&request, envelope(CREATED, "0", &accepted())).await;
        assert_eq!(sent.verdict, Verdict::Refused(invalid(message.to_owned())));
        assert!(sent.exchange.is_none());
    }
}

#[tokio::test]
async fn an_order_is_read_whole() {
    let order = seen(ask(&find(), envelope(QUERIED, "0", &order_data())).await.verdict);
    assert_eq!((order.status, order.same_card, order.fail_reason), (OrderStatus::Closed, Some(true), None));
    assert_eq!(order.accept_time, Time::parse("2022-07-01T12:34:57.001+08:00"));
    let [remit] = order.remits.as_slice() else { panic!("one remit") };
    assert_eq!(remit.provider_order_id.as_str(), "20220701000000000001");
    assert_eq!((remit.tax_agent_location_id.as_str(), remit.amount.fen()), ("2001", 123_450));
    assert_eq!(remit.status, RemitStatus::Accepted);
}

#[tokio::test]
async fn p09_a_rejected_order_has_a_reason_and_no_remits() {
    let mut data = order_data();
    data["remit_order_list"] = Value::Null;
    data["fail_reason"] = json!("任务类型不支持");
    let order = seen(ask(&find(), envelope(QUERIED, "0", &data)).await.verdict);
    assert!(order.remits.is_empty());
    assert_eq!((order.status, order.fail_reason.as_deref()), (OrderStatus::Closed, Some("任务类型不支持")));
}

#[tokio::test]
async fn p14_an_unknown_word_is_kept_and_an_unreadable_amount_is_in_doubt() {
    let mut remit = remit_data();
    remit["remit_status"] = json!("PROCESS");
    let order = seen(order_with("remit_order_list", json!([remit])).await);
    assert_eq!(order.remits[0].status, RemitStatus::Processing);
    let order = seen(order_with("status", json!("FROZEN")).await);
    assert_eq!(order.status, OrderStatus::Unknown("FROZEN".to_owned()));
    for (key, value) in [("amount", json!("12.3")), ("sum_fee", Value::Null), ("order_id", json!("1".repeat(33)))] {
        let mut remit = remit_data();
        remit[key] = value;
        let verdict = order_with("remit_order_list", json!([remit])).await;
        assert_eq!(verdict, Verdict::Unsure(Fault::Unreadable), "{key}");
    }
}

#[tokio::test]
async fn p54_the_card_is_compared_only_when_it_is_shown() {
    for (shown, same) in [
        (json!("6222000000000000004"), Some(true)),
        (json!("4111111111111111"), Some(false)),
        (json!("6222***********0004"), None),
        (json!(""), None),
        (Value::Null, None),
    ] {
        assert_eq!(seen(order_with("bankcard_no", shown.clone()).await).same_card, same, "{shown}");
    }
    seen(order_with("id_card", json!("110101********0011")).await);
}

#[tokio::test]
async fn a_decision_is_done_when_its_order_id_comes_back() {
    for next_step in [NextStep::Continue, NextStep::Cancel] {
        let done = envelope("CONFIRM_ORDER_V2", "0", &json!({ "order_id": "20220701000000000001" }));
        let sent = ask(&decide(next_step), done).await;
        assert_eq!(sent.verdict, Verdict::Done(Answer::RemitDecided));
        let body = String::from_utf8(sent.exchange.unwrap().request).unwrap();
        assert!(body.contains("%22arising_time%22%3A%222022-07-01T12%3A34%3A56.789%22"), "P32");
    }
    let other = envelope("CONFIRM_ORDER_V2", "0", &json!({ "order_id": 2_022_070_100_000_000_002_u64 }));
    assert_eq!(ask(&decide(NextStep::Cancel), other).await.verdict, Verdict::Unsure(Fault::Unbound));
}

#[tokio::test]
async fn an_operation_of_no_process_yet_can_be_sent() {
    let data = json!({ "order_id": "20220701000000000001", "status": "FALSE" });
    let peer = told(move |_| Ok(envelope("ADD_BANK_VOUCHER", "0", &data)));
    let sent = client(settings(), &peer).send::<AddBankVoucher>(&voucher(), call()).await;
    assert!(matches!(sent.verdict, Verdict::Done(answer) if answer.status == UploadStatus::Failed));
    let peer = told(|_| Ok(envelope("QUERY_SIGN_UP_BATCH", "0", &json!({ "batch_no": "B1", "batch_details": null }))));
    let key = SignUpKey { id_card: person().id_card, tax_agent_parent_id: None };
    let batch = QuerySignUpBatch { batch_no: "B1".to_owned(), batch_details: vec![key.clone()] };
    let sent = client(settings(), &peer).send(&batch, call()).await;
    assert!(matches!(sent.verdict, Verdict::Done(answer) if answer.status(&key).is_none()));
}

#[test]
fn an_exchange_prints_no_body() {
    let body = b"110101199003070011".to_vec();
    let exchange =
        Exchange { operation: CREATED, request: body.clone(), answer: body, status: None, took: Duration::ZERO };
    assert!(!format!("{exchange:?}").contains("1101"));
    let wire = signed("110101199003070011");
    assert!(!format!("{wire:?}").contains("1101"));
}

fn judged(answer: &WireAnswer) -> [&'static str; 2] {
    let account = client(settings(), &told(|_| Err(WireFault::NotSent)));
    let query = crate::olading::wire::QueryOrder { request_id: request_id(), id_card: Some(person().id_card) };
    [account.judge(&crate::olading::trial::create_order(), answer).word(), account.judge(&query, answer).word()]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_never_done(body in any::<Vec<u8>>(), sign in ".*", status in any::<u16>()) {
        let unsigned = WireAnswer { status, headers: vec![("Api-Sign".to_owned(), sign)], body: body.clone() };
        prop_assert_eq!(judged(&unsigned), ["unsure"; 2]);
        prop_assert_eq!(judged(&signed(body)), ["unsure"; 2]);
    }

    #[test]
    fn a_damaged_answer_is_never_done(at in 0usize..400, byte in any::<u8>(), cut in any::<bool>()) {
        let good = envelope(QUERIED, "0", &order_data());
        let mut damaged = good.clone();
        let at = at % damaged.body.len();
        if cut { damaged.body.truncate(at) } else { damaged.body[at] = byte }
        prop_assume!(damaged.body != good.body);
        prop_assert_eq!(judged(&damaged), ["unsure"; 2], "the old signature");
        // Signed anew it may be any verdict, but the reading of it never panics.
        judged(&signed(damaged.body));
    }
}
