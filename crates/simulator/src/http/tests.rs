//! The same world through a socket.

use super::client::exchange;
use super::*;
use crate::olading::codec;
use crate::olading::tests::{KEY, SECRET, bankcard, order};
use crate::{CallFault, Client, OladingScript, Operation};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn start(callback_url: Option<String>) -> (Running, Clock) {
    let clock = Clock::manual(Time::parse("2026-01-05T09:00:00+08:00").unwrap());
    let mut config = Config {
        clients: vec![Client { client_key: KEY.into(), secret: SECRET.into(), callback_url }],
        ..Config::default()
    };
    config.faults.slow_ms = 60;
    (serve(config, clock.clone()).await.unwrap(), clock)
}

async fn json_call(method: Method, url: String, body: Value) -> Option<(StatusCode, Value)> {
    let (status, _, bytes) = exchange(method, &url, "application/json", body.to_string().into()).await?;
    Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

async fn call(running: &Running, clock: &Clock, operation: Operation, data: Value) -> Option<Value> {
    let req = json!({ "name": operation.name(), "client_key": KEY, "timestamp": clock.now().beijing().to_string(), "data": data }).to_string();
    let body = codec::form(&req, &codec::sign(SECRET, req.as_bytes()));
    let url = format!("{}{}", running.url(), operation.path());
    let (_, headers, bytes) = exchange(Method::POST, &url, "application/x-www-form-urlencoded", body.into()).await?;
    let sign = headers.get("api-sign")?.to_str().ok()?;
    codec::verify(SECRET, &bytes, sign).then(|| serde_json::from_slice(&bytes).unwrap_or_default())
}

fn script(running: &Running, fault: CallFault) {
    running.sim.lock().unwrap().script(OladingScript::fault(Operation::CreateOrderV2, fault));
}

#[tokio::test]
async fn an_order_over_http_calls_back_until_acknowledged() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callbacks/main", receiver.local_addr().unwrap());
    let (running, clock) = start(Some(url)).await;
    let answer = call(&running, &clock, Operation::CreateOrderV2, order("R1", "1.00")).await.unwrap();
    assert_eq!(answer["code"], "0");
    clock.advance(Duration::from_secs(120));
    let bodies =
        ["HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nSUCCESS"];
    for body in bodies {
        let (mut stream, _) = tokio::time::timeout(Duration::from_secs(5), receiver.accept()).await.unwrap().unwrap();
        let mut buffer = vec![0; 8192];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..read]).starts_with("POST /callbacks/main HTTP/1.1"));
        stream.write_all(body.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        clock.advance(Duration::from_secs(301));
    }
    let letters = running.sim.lock().unwrap().ledger().callbacks;
    assert_eq!(letters.iter().map(|line| line.acknowledged).collect::<Vec<_>>(), [Some(false), Some(true)]);
    running.shutdown().await;
}

#[tokio::test]
async fn faults_reach_the_wire() {
    let (running, clock) = start(None).await;
    let mut next = 0;
    let mut strike = async |fault| {
        next += 1;
        script(&running, fault);
        let begun = tokio::time::Instant::now();
        let answer = call(&running, &clock, Operation::CreateOrderV2, order(&format!("R{next}"), "1.00")).await;
        (answer.map(|answer| answer["code"].as_str().unwrap_or_default().to_owned()), begun.elapsed())
    };
    assert_eq!(strike(CallFault::DropBefore).await.0, None);
    assert_eq!(strike(CallFault::DropAfter).await.0, None);
    assert_eq!(strike(CallFault::BadSignature).await.0, None);
    assert_eq!(strike(CallFault::Html).await.0, None);
    assert_eq!(strike(CallFault::SystemFailureAfter).await.0.as_deref(), Some("0001"));
    let (code, took) = strike(CallFault::Delay).await;
    assert_eq!(code.as_deref(), Some("0"));
    assert!(took >= Duration::from_millis(60));
    let (code, took) = strike(CallFault::Drip).await;
    assert_eq!(code.as_deref(), Some("0"));
    assert!(took >= Duration::from_millis(150), "{took:?}");
    let orders = running.sim.lock().unwrap().ledger().orders.len();
    assert_eq!(orders, 6, "all but the request that was lost");
    running.shutdown().await;
}

#[tokio::test]
async fn the_bank_answers_and_hangs_up() {
    let (running, clock) = start(None).await;
    let payments = format!("{}/bank/v1/payments", running.url());
    let pay = |number: &str, amount: &str| json!({ "bank_order_no": number, "amount": amount, "payee_name": "张三", "payee_bankcard_no": bankcard(1) });
    let (status, payment) = json_call(Method::POST, payments.clone(), pay("P1", "10.00")).await.unwrap();
    assert_eq!((status, payment["status"].as_str()), (StatusCode::OK, Some("success")));
    assert_eq!(payment["paid_at"], clock.now().to_string());
    assert_eq!(json_call(Method::POST, payments.clone(), pay("P1", "11.00")).await.unwrap().0, StatusCode::CONFLICT);
    assert_eq!(json_call(Method::GET, format!("{payments}/P9"), Value::Null).await.unwrap().0, StatusCode::NOT_FOUND);

    let control = format!("{}/_sim/bank/script", running.url());
    let (status, _) =
        json_call(Method::POST, control, json!({ "bank_order_no": "P2", "outcome": "answer_lost" })).await.unwrap();
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(json_call(Method::POST, payments.clone(), pay("P2", "10.00")).await, None);
    clock.advance(Duration::from_secs(3600));
    let (_, payment) = json_call(Method::GET, format!("{payments}/P2"), Value::Null).await.unwrap();
    assert_eq!(payment["status"], "success", "lost, and paid all the same");
    let (_, statement) =
        json_call(Method::GET, format!("{}/bank/v1/statement", running.url()), Value::Null).await.unwrap();
    assert_eq!(statement["items"].as_array().unwrap().len(), 2);
    running.shutdown().await;
}

#[tokio::test]
async fn the_control_endpoints_look_and_change() {
    let (running, clock) = start(None).await;
    let at = |path: &str| format!("{}/_sim{path}", running.url());
    let due = json_call(Method::GET, at("/due"), Value::Null).await.unwrap().1;
    assert_eq!(due, json!({ "now": clock.now(), "due": null, "in_flight": 0 }));
    call(&running, &clock, Operation::CreateOrderV2, order("R1", "1.00")).await.unwrap();
    assert!(json_call(Method::GET, at("/due"), Value::Null).await.unwrap().1["due"].is_string());
    let moved = json_call(Method::POST, at("/clock/advance"), json!({ "seconds": 3600 })).await.unwrap().1;
    assert_eq!(moved["now"], "2026-01-05T10:00:00.000+08:00");
    let ledger = json_call(Method::GET, at("/ledger"), Value::Null).await.unwrap().1;
    assert_eq!(ledger["remits"].as_array().unwrap().len(), 1);

    for (path, method, body) in [
        ("/faults", Method::PUT, json!({ "preset": "some" })),
        ("/faults", Method::PUT, json!({ "calls": { "html": 5 } })),
        ("/switches", Method::PUT, json!({ "levied_as": "REMIT" })),
        ("/clients", Method::PUT, json!({ "client_key": "b", "secret": "s", "callback_url": "http://[::1]:9/" })),
        ("/callbacks/mute", Method::POST, json!({ "muted": true })),
        ("/olading/script", Method::POST, json!({ "operation": "CREATE_ORDER_V2", "fault": "drop_after" })),
        ("/olading/script", Method::POST, json!({ "close_as": { "rejected": "校验未通过" } })),
    ] {
        assert_eq!(json_call(method, at(path), body).await.unwrap().0, StatusCode::NO_CONTENT, "{path}");
    }
    for (path, body) in
        [("/faults", json!({ "preset": "lots" })), ("/faults", json!({ "calls": { "html": 999, "drip": 2 } }))]
    {
        assert_eq!(json_call(Method::PUT, at(path), body).await.unwrap().0, StatusCode::BAD_REQUEST);
    }
    assert_eq!(json_call(Method::GET, at("/faults"), Value::Null).await.unwrap().1["calls"], json!({ "html": 5 }));
    assert_eq!(json_call(Method::GET, at("/coverage"), Value::Null).await.unwrap().1, json!({}));
    running.shutdown().await;
}

#[tokio::test]
async fn it_stays_on_this_machine() {
    let clock = Clock::manual(Time::from_millis(0));
    let with = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        config
    };
    let refused = [
        with(|c| c.listen = "0.0.0.0:0".into()),
        with(|c| c.listen = "nowhere".into()),
        with(|c| c.clients[0].callback_url = Some("http://10.0.0.1/".into())),
        with(|c| c.clients[0].callback_url = Some("https://localhost/".into())),
        with(|c| c.clients[0].callback_url = Some("http://127.0.0.1.example.com/".into())),
    ];
    for config in refused {
        assert!(serve(config, clock.clone()).await.is_err());
    }
    let open = with(|c| {
        c.listen = "0.0.0.0:0".into();
        c.allow_remote = true;
    });
    serve(open, clock).await.unwrap().shutdown().await;
}
