use super::report::Level;
use super::*;
use crate::config::Config;
use crate::show::Style;
use clap::{CommandFactory, Parser};
use std::path::PathBuf;
use store::Store;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    _doctor: Doctor,
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("levee-doctor-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.join("levee.db").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const MEMORY: &str =
    "[database]\nurl = \"memory:\"\n[security]\nmaster_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n";

async fn examine(text: &str, offline: bool) -> Report {
    let folder = Folder::new();
    let file = folder.write("levee.toml", text);
    Doctor { offline }.examine(Some(&file), &[]).await
}

/// The finding that says this, with its remedy.
fn said<'a>(report: &'a Report, level: Level, words: &str) -> &'a str {
    let found = report.findings.iter().find(|finding| finding.level == level && finding.what.contains(words));
    let finding = found.unwrap_or_else(|| panic!("no {level:?} says {words:?} in {:#?}", report.findings));
    assert_eq!(finding.remedy.is_empty(), level == Level::Ok, "a remedy for what is wrong: {finding:?}");
    &finding.remedy
}

fn account(url: &str, more: &str) -> String {
    format!(
        "{MEMORY}[accounts.main]\nprovider = \"olading\"\nurl = \"{url}\"\nclient_key = \"sim-client\"\nsecret = \"sim-secret\"\n{more}"
    )
}

#[test]
fn the_command_is_sound() {
    Command::command().debug_assert();
}

#[tokio::test]
async fn a_sound_deployment_has_no_fault() {
    let report = examine(MEMORY, true).await;
    assert_eq!((report.status(), report.count(Level::Fault)), (0, 0), "{report:#?}");
    said(&report, Level::Ok, "limbo = 0");
    said(&report, Level::Ok, "safety audits find nothing");
    assert!(
        report
            .lines(Style::PLAIN)
            .contains("warn   no account is configured: no order can be taken — add [accounts.main]")
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!((json["faults"].as_u64(), json["findings"][0]["level"].as_str()), (Some(0), Some("ok")));
}

#[tokio::test]
async fn every_fault_of_a_configuration_is_named_with_its_remedy() {
    let text = r#"
        [server]
        listen_on = "127.0.0.1:8700"
        [engine]
        lease_seconds = 10
        call_timeout_seconds = 30
        [database]
        pool = 3
        [security]
        master_key = "c2hvcnQ="
        bootstrap_key = "short"
        [accounts.main]
        provider = "olading"
        url = "http://api.olading.com"
        client_key = " padded"
        secret = ""
        rate_per_second = 0
        [accounts.typo]
        provider = "olading"
        urll = "https://api.olading.com"
        [accounts.other]
        provider = "nobody"
        [accounts.prod]
        provider = "olading"
        url = "https://api.olading.com"
        client_key = "k"
        secret = "file:/does/not/exist"
        [policies.main]
        bank_channel = "sometimes"
        [policies.gone]
        month_edge = "hold"
        [params]
        margin = "1m"
        speed = "1s"
    "#;
    let report = examine(text, true).await;
    assert_eq!(report.status(), 1);
    assert_eq!(said(&report, Level::Fault, "`server.listen_on`"), "did you mean `listen`?");
    said(&report, Level::Fault, "`database.pool`");
    said(&report, Level::Fault, "engine.lease_seconds (10 s)");
    assert!(said(&report, Level::Fault, "base64 of exactly 32 bytes").contains("/dev/urandom"));
    said(&report, Level::Fault, "security.bootstrap_key");
    for key in ["url is not https", "client_key is missing", "secret is missing", "rate_per_second is zero"] {
        said(&report, Level::Fault, &format!("accounts.main.{key}"));
    }
    assert_eq!(said(&report, Level::Fault, "`accounts.typo.urll`"), "did you mean `url`?");
    said(&report, Level::Fault, "accounts.other cannot be used");
    said(&report, Level::Fault, "the file named by accounts.prod.secret");
    assert!(said(&report, Level::Fault, "accounts.prod.payer").contains("payer = \"merchant\""));
    assert!(said(&report, Level::Fault, "policies.main.bank_channel").contains("banking_days"));
    said(&report, Level::Fault, "policies.gone");
    said(&report, Level::Fault, "params.margin");
    said(&report, Level::Fault, "params.speed");
    said(&report, Level::Warn, "the database was not examined");
}

#[tokio::test]
async fn a_file_that_is_no_toml_is_named_without_its_text() {
    let report = examine("[security]\nbootstrap_key = \"a-very-secret-key-that-is-long\n", true).await;
    said(&report, Level::Fault, "no TOML");
    said(&report, Level::Fault, "security.master_key is missing");
    assert!(!report.lines(Style::PLAIN).contains("very-secret"));
    let nowhere = Doctor { offline: true }.examine(Some(Path::new("/does/not/exist.toml")), &[]).await;
    said(&nowhere, Level::Fault, "/does/not/exist.toml");
}

#[tokio::test]
async fn what_goes_wrong_together_is_told() {
    let report = examine(&format!("{MEMORY}[dev]\nclock_speed = 2.0\n"), true).await;
    said(&report, Level::Fault, "dev.clock_speed needs dev.enabled");
}

#[tokio::test]
async fn a_secret_in_the_environment_is_a_warning() {
    let folder = Folder::new();
    let file = folder.write("levee.toml", MEMORY);
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [
        variable("LEVEE_ACCOUNTS__MAIN__SECRET", "in-clear"),
        variable("LEVEE_SECURITY__MASTER_KEY", "file:/run/key"),
        variable("LEVEE_DATABASE__URL", "postgres://levee:password@db/levee"),
    ];
    let report = Doctor { offline: true }.examine(Some(&file), &environment).await;
    said(&report, Level::Warn, "LEVEE_ACCOUNTS__MAIN__SECRET");
    said(&report, Level::Warn, "LEVEE_DATABASE__URL");
    let text = report.lines(Style::PLAIN);
    assert!(
        !text.contains("LEVEE_SECURITY__MASTER_KEY") && !text.contains("in-clear") && !text.contains("password@"),
        "{text}"
    );
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made() {
    let folder = Folder::new();
    let text = format!("[database]\nurl = \"{}\"\n[security]\nmaster_key = \"{KEY}\"\n", folder.url());
    let file = folder.write("levee.toml", &text);
    let doctor = Doctor { offline: true };
    let report = doctor.examine(Some(&file), &[]).await;
    assert_eq!(said(&report, Level::Fault, "there is no database"), "run `levee migrate`");
    assert!(!folder.0.join("levee.db").exists());

    folder.write("levee.db", "");
    let report = doctor.examine(Some(&file), &[]).await;
    assert_eq!(said(&report, Level::Fault, "has no schema"), "run `levee migrate`");

    let config = Config::load(Some(&file)).unwrap();
    let store = wiring::store(&config, wiring::Access::Tool, &wiring::host_clock()).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let report = doctor.examine(Some(&file), &[]).await;
    assert_eq!(report.status(), 0, "{report:#?}");

    let other = folder.write("other.toml", &text.replace(KEY, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="));
    let report = doctor.examine(Some(&other), &[]).await;
    said(&report, Level::Fault, "security.master_key does not open this database's keys");
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_exit_code_3() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let report = examine(&MEMORY.replace("memory:", &format!("postgres://levee@127.0.0.1:{port}/levee")), true).await;
    said(&report, Level::Fault, "the database is not available");
    assert_eq!(report.status(), 3);
}

#[tokio::test]
async fn freezes_and_breakers_are_told() {
    let folder = Folder::new();
    let text = format!("[database]\nurl = \"{}\"\n[security]\nmaster_key = \"{KEY}\"\n", folder.url());
    let file = folder.write("levee.toml", &text);
    let config = Config::load(Some(&file)).unwrap();
    let store = wiring::store(&config, wiring::Access::Tool, &wiring::host_clock()).await.unwrap();
    store.migrate().await.unwrap();
    let freeze = store::Freeze { scope: "account:main".into(), create: false, pay: true, confirm: false, cancel: true };
    store.put_freeze(freeze).await.unwrap();
    store.take_tokens("main:query", 1, 10, 10, store.time().await.unwrap()).await.unwrap();
    let until = store.time().await.unwrap() + std::time::Duration::from_secs(60);
    store.set_breaker("main:query", Some(until)).await.unwrap();
    store.close().await;
    let report = Doctor { offline: true }.examine(Some(&file), &[]).await;
    said(&report, Level::Warn, "frozen for account:main: pay, cancel");
    said(&report, Level::Warn, "the breaker of main:query is open");
    assert_eq!(report.status(), 0);
}

/// The provider simulator with its defaults, answering in real time.
async fn provider() -> simulator::Running {
    simulator::serve(simulator::Config::default(), wiring::host_clock()).await.unwrap()
}

async fn visit(store: &Store, text: &str) -> Report {
    let folder = Folder::new();
    let config = Config::load(Some(&folder.write("levee.toml", text))).unwrap();
    let mut report = Report::default();
    let transport = Transport::http().unwrap();
    accounts::examine(&mut report, &config, Some(&transport), Some(store), &wiring::host_clock()).await;
    report
}

async fn memory() -> Store {
    let folder = Folder::new();
    let config = Config::load(Some(&folder.write("levee.toml", MEMORY))).unwrap();
    wiring::store(&config, wiring::Access::Tool, &wiring::host_clock()).await.unwrap()
}

#[tokio::test]
async fn the_code_for_no_such_order_is_learned_and_kept() {
    let (provider, store) = (provider().await, memory().await);
    let text = account(&provider.url(), "");
    let report = visit(&store, &text).await;
    said(&report, Level::Ok, "learned that 1404");
    assert_eq!(store.setting(&wiring::learned_key("main")).await.unwrap(), Some("1404".into()));
    let report = visit(&store, &text).await;
    said(&report, Level::Ok, "by the learned code");
    let report = visit(&store, &account(&provider.url(), "code_order_not_found = \"9\"")).await;
    said(&report, Level::Fault, "code_order_not_found is \"9\"");
    provider.shutdown().await;

    // A provider in trouble may answer anything: what was learned stands.
    let mut config = simulator::Config::default();
    config.switches.codes.order_not_found = "5000".into();
    let troubled = simulator::serve(config, wiring::host_clock()).await.unwrap();
    let report = visit(&store, &account(&troubled.url(), "")).await;
    said(&report, Level::Warn, "answered with 5000, but 1404 was learned");
    assert_eq!(store.setting(&wiring::learned_key("main")).await.unwrap(), Some("1404".into()));
    troubled.shutdown().await;
}

#[tokio::test]
async fn a_wrong_secret_and_a_provider_that_is_away_are_told() {
    let (provider, store) = (provider().await, memory().await);
    let wrong = visit(&store, &account(&provider.url(), "").replace("sim-secret", "other")).await;
    assert_eq!(wrong.status(), 1, "{wrong:#?}");
    assert!(
        wrong.findings.iter().any(|finding| finding.what.contains("0003") || finding.what.contains("signature")),
        "{wrong:#?}"
    );
    let url = provider.url();
    provider.shutdown().await;
    let away = visit(&store, &account(&url, "")).await;
    said(&away, Level::Fault, "cannot be reached");
}

#[tokio::test]
async fn offline_an_unlearned_code_is_a_warning() {
    let report = examine(&account("http://127.0.0.1:9", ""), true).await;
    assert!(said(&report, Level::Warn, "neither configured nor learned").contains("without --offline"));
}
