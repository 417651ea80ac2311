use super::*;
use crate::cli::{self, Unreachable};
use clap::{CommandFactory, Parser};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[derive(Parser)]
enum Commands {
    #[command(subcommand)]
    Order(Order),
    #[command(subcommand)]
    Batch(Batch),
    #[command(subcommand)]
    Remit(Remit),
    #[command(subcommand)]
    SignUp(SignUp),
    #[command(subcommand)]
    Document(Document),
    #[command(subcommand)]
    Case(Case),
    #[command(subcommand)]
    Key(Key),
}

fn parse(line: &str) -> std::result::Result<Commands, clap::Error> {
    Commands::try_parse_from(std::iter::once("levee").chain(line.split_whitespace()))
}

fn order(line: &str) -> Order {
    match parse(line).unwrap() {
        Commands::Order(order) => order,
        Commands::Batch(_)
        | Commands::Remit(_)
        | Commands::SignUp(_)
        | Commands::Document(_)
        | Commands::Case(_)
        | Commands::Key(_) => panic!("{line}"),
    }
}

/// Answers every request with this status and body; keeps the requests.
async fn server(status: &'static str, body: &'static str) -> (Remote, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 65536];
            let size = stream.read(&mut bytes).await.unwrap();
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..size]).into_owned());
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    (Remote::new(&url, "a-key-for-tests-of-24-chars").unwrap(), seen)
}

const OUT: Output = Output { json: false };
const CREATE: &str = "order create --business-key k --name 张三 --id-card 1 --cellphone 2 --bankcard-no 3 --net 1.00 \
                      --tax-mode general --tax-agent-parent-id 9 --credit-code c";

#[test]
fn the_commands_are_sound() {
    Commands::command().debug_assert();
    for line in [
        CREATE,
        "order create --file order.json",
        "order list --state ready --limit 200 --cursor x",
        "order watch 1 --interval 2",
        "order release 1 --reason checked",
        "order replace 1 --business-key k2 --bankcard-no 4",
        "batch import pay.csv --dry-run",
        "batch rows 1 --limit 5",
        "batch approve 1 --idempotency-key again",
        "batch permits 1 --limit 5 --idempotency-key again",
        "remit permit 1",
        "remit report 1 --permit 2 --outcome failed",
        "remit attest 1 --permit 2 --reason unused",
        "sign-up create --file -",
        "sign-up list --state not_signed --person 0001",
        "sign-up invite-again 1",
        "case resolve 1 --move not_paid --reason seen --evidence {}",
        "key create alice --role approver --tenant t",
        "key revoke k1",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn what_would_be_refused_anyway_is_refused_before() {
    for line in [
        &format!("{CREATE} --gross 2.00"),
        &format!("{CREATE} --customer-id c"),
        "order list --limit 201",
        "order release 1",
        "remit report 1 --permit 2 --outcome paid --amount 1.00",
        "remit report 1 --permit 2 --outcome lost --amount 1.00",
        "key create alice",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn an_order_has_the_contracts_fields() {
    let Order::Create { fields, .. } = order(CREATE) else { panic!() };
    assert_eq!(
        fields.body().unwrap(),
        json!({
            "business_key": "k", "net": "1.00", "tax_mode": "GENERAL", "tax_agent_parent_id": "9", "credit_code": "c",
            "person": {"name": "张三", "id_card": "1", "cellphone": "2", "bankcard_no": "3"},
        })
    );
}

#[test]
fn options_change_the_file() {
    let file = std::env::temp_dir().join(format!("levee-order-{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&file, r#"{"business_key":"k","net":"1.00","person":{"name":"a","id_card":"1"}}"#).unwrap();
    let Order::Create { fields, .. } = order(&format!("order create --file {} --gross 2.00 --name b", file.display()))
    else {
        panic!()
    };
    let body = fields.body().unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(body, json!({"business_key": "k", "gross": "2.00", "person": {"name": "b", "id_card": "1"}}));
}

#[tokio::test]
async fn a_post_carries_its_key_and_an_idempotency_key() {
    let (remote, seen) = server("200 OK", r#"{"id":"1","state":"cancelled"}"#).await;
    order("order release a/b --reason late").run(&remote, &OUT).await.unwrap();
    order("order cancel 1 --idempotency-key mine").run(&remote, &OUT).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen[0].starts_with("POST /v1/orders/a%2Fb/release HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(seen[0].contains("authorization: Bearer a-key-for-tests-of-24-chars\r\n"));
    assert!(seen[0].ends_with("\r\n\r\n{\"reason\":\"late\"}"));
    let key = seen[0].lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
    assert!(uuid::Uuid::parse_str(key).is_ok());
    assert!(seen[1].contains("idempotency-key: mine\r\n"));
}

#[tokio::test]
async fn filters_become_a_query() {
    let (remote, seen) = server("200 OK", r#"{"items":[],"next_cursor":null}"#).await;
    order("order list --state ready --person 张三 --since 2026-01-05T09:00:00+08:00 --limit 5")
        .run(&remote, &OUT)
        .await
        .unwrap();
    let line = "GET /v1/orders?state=ready&person=%E5%BC%A0%E4%B8%89&since=2026-01-05T09%3A00%3A00%2B08%3A00&limit=5 HTTP/1.1\r\n";
    assert!(seen.lock().unwrap()[0].starts_with(line));
}

#[tokio::test]
async fn a_problem_is_a_line_per_field_and_exit_code_1() {
    let body = r#"{"title":"bad","status":400,"detail":"two","code":"invalid","errors":[
        {"field":"person.id_card","code":"checksum","message":"wrong check digit"},{"row":7,"field":"net","code":"x","message":"no amount"}]}"#;
    let (remote, _) = server("400 Bad Request", body).await;
    let why = remote.get(&["orders"], &[]).await.unwrap_err();
    assert_eq!(
        why.downcast_ref::<Refused>().unwrap().to_string(),
        "person.id_card: wrong check digit\nrow 7, net: no amount"
    );
    let code = order("order show 1").run(&remote, &OUT).await.unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
}

#[tokio::test]
async fn a_problem_without_fields_says_its_detail_and_code() {
    let (remote, _) =
        server("409 Conflict", r#"{"title":"conflict","detail":"the gate is closed","code":"gate_closed"}"#).await;
    let why = remote.post(&["remits", "1", "pay-permit"], &[], Body::None, None).await.unwrap_err();
    assert_eq!(why.to_string(), "the gate is closed (gate_closed)");
    let (remote, _) = server("502 Bad Gateway", "<html>").await;
    assert_eq!(remote.get(&["orders"], &[]).await.unwrap_err().to_string(), "the server answered with status 502");
}

#[tokio::test]
async fn nobody_there_is_exit_code_3() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = Remote::new(&format!("http://{}", listener.local_addr().unwrap()), "key").unwrap();
    drop(listener);
    let why = order("order show 1").run(&remote, &OUT).await.unwrap_err();
    assert!(why.is::<Unreachable>() && why.to_string().contains("levee serve"), "{why}");
    assert_eq!(cli::code_of(&why), 3);
}

#[tokio::test]
async fn a_lost_answer_tells_under_which_key_to_ask_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = Remote::new(&format!("http://{}", listener.local_addr().unwrap()), "key").unwrap();
    tokio::spawn(async move { drop(listener.accept().await) });
    let why = order("order cancel 1 --idempotency-key mine").run(&remote, &OUT).await.unwrap_err();
    assert!(why.to_string().contains("--idempotency-key mine"), "{why}");
}

#[tokio::test]
async fn another_program_at_the_address_is_told() {
    let (remote, _) = server("200 OK", "<html>hello</html>").await;
    assert!(remote.get(&["orders"], &[]).await.unwrap_err().to_string().contains("LEVEE_URL"));
}

#[tokio::test]
async fn a_watch_ends_when_the_order_is_at_rest() {
    let (remote, seen) =
        server("200 OK", r#"{"id":"1","state":"settled","outcome":"levied","remits":[{"state":"levied"}]}"#).await;
    order("order watch 1").run(&remote, &OUT).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(watch::at_rest(&json!({"state": "cancelled"})));
    assert!(!watch::at_rest(&json!({"state": "needs_operator"})), "a person is awaited");
}

#[test]
fn an_address_and_a_key_are_checked() {
    for url in ["", "levee.example", "ftp://levee.example"] {
        assert!(Remote::new(url, "k").is_err(), "{url}");
    }
    assert!(Remote::new("https://levee.example/behind/", "k\nx").is_err());
    let missing = Remote::new("http://127.0.0.1:1", "file:/does/not/exist").err().unwrap();
    assert!(missing.to_string().contains("/does/not/exist"));
}

#[tokio::test]
async fn a_file_is_uploaded_under_its_kind_and_whose_it_is() {
    let (remote, seen) = server("201 Created", "{}").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("回单.pdf");
    std::fs::write(&file, "%PDF-1.4").unwrap();
    let line = format!("document upload --kind bank_voucher --remit 7 {}", file.display());
    let Commands::Document(document) = parse(&line).unwrap() else { panic!("{line}") };
    document.run(&remote, &OUT).await.unwrap();
    let request = seen.lock().unwrap().remove(0);
    for part in
        ["POST /v1/documents ", "multipart/form-data", "name=\"kind\"", "bank_voucher", "name=\"remit\"", "%PDF"]
    {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(!request.contains("回单"), "its name may say whose it is");
    for wrong in ["--kind passport --order 1 f", "--kind agreement f", "--kind agreement --order 1 --remit 2 f"] {
        assert!(parse(&format!("document upload {wrong}")).is_err(), "{wrong}");
    }
}
