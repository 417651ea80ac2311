use super::*;
use crate::{AccountConfig, Providers, Transport};
use std::collections::BTreeMap;

const LEAST: &str = r#"
    provider = "olading"
    url = "https://whtax-qa-api.lanmaoly.com"
    client_key = "client"
    secret = "a-secret"
"#;

fn parse(text: &str) -> Result<Settings, String> {
    let config: AccountConfig = toml::from_str(text).map_err(|error| error.to_string())?;
    let AccountConfig::Olading(settings) = config else { return Err("no configuration names another".into()) };
    Ok(settings)
}

fn least() -> Settings {
    parse(LEAST).unwrap()
}

fn fault(settings: Settings) -> ConfigFault {
    let accounts = BTreeMap::from([("main".to_owned(), AccountConfig::Olading(settings))]);
    Providers::new(accounts, Transport::http().unwrap()).expect_err("a fault")
}

#[test]
fn every_gap_has_the_default_of_the_protocol() {
    let settings = least();
    assert_eq!(settings.hmac_algorithm, Algorithm::HmacSHA256);
    assert_eq!(settings.skew_seconds, 300);
    assert_eq!(settings.two_factor_field, TwoFactorField::Limit2);
    assert_eq!(settings.sync_sign_agent_field, SyncSignAgentField::AgentParentId);
    assert_eq!(settings.code_order_not_found, None);
    assert!(!settings.sign_up_query_covers_sync_sign);
    assert_eq!(settings.close_origin, CloseOrigin::FirstSend);
    assert_eq!(settings.voucher_max_bytes, 10_485_760);
    assert_eq!((settings.tenant.as_str(), settings.rate_per_second, settings.concurrency), ("default", 50, 32));
    assert_eq!(settings.payer, None);
    assert_eq!(settings.levied_proof, LeviedProof::BeforeDeadline);
    assert_eq!(settings.levied_terminal_status, LeviedTerminalStatus::Either);
    assert_eq!(settings.cancel_never_permitted, CancelNeverPermitted::PayCutoff);
    assert_eq!((settings.gross_sum_check, settings.gross_sum_tolerance_fen), (GrossSumCheck::Hold, 0));
    assert!(settings.check("main").is_ok());
}

#[test]
fn every_gap_can_be_answered_in_one_line() {
    let settings = parse(&format!(
        r#"{LEAST}
        hmac_algorithm = "HmacSHA512"
        two_factor_field = "authentication"
        sync_sign_agent_field = "tax_agent_parent_id"
        code_duplicate_request_id = "2001"
        code_order_not_found = "2002"
        code_clock_refused = "2003"
        code_not_signed = "2004"
        code_month_cap = "2005"
        sign_up_query_covers_sync_sign = true
        close_origin = "accept_time"
        levied_terminal_status = "remit"
        actual_amount_formula = "amount_plus_sum_fee"
        cancel_arising_time = "decision_time"
        arising_time_tolerance = 60
        arising_time_previous_month = false
        voucher_max_bytes = 1048576
        payer = "merchant"
        levied_proof = "seen_running"
        cancel_never_permitted = "after_statement"
        gross_sum_check = "warn"
        gross_sum_tolerance_fen = 2
        tenant = "shop"
        "#
    ))
    .unwrap();
    assert!(settings.check("main").is_ok());
    assert_eq!(settings.arising_time_tolerance, Some(60));
    assert_eq!(settings.arising_time_previous_month, Some(false));
}

#[test]
fn numbers_from_the_environment_arrive_as_text() {
    let settings =
        parse(&format!("{LEAST}\nrate_per_second = \"7\"\nsign_up_query_covers_sync_sign = \"true\"")).unwrap();
    assert_eq!((settings.rate_per_second, settings.sign_up_query_covers_sync_sign), (7, true));
    assert!(parse(&format!("{LEAST}\nskew_seconds = \"many\"")).is_err());
}

#[test]
fn an_unknown_key_or_word_is_refused() {
    assert!(parse(&format!("{LEAST}\nhmac_algoritm = \"HmacSHA256\"")).unwrap_err().contains("hmac_algoritm"));
    assert!(parse(&format!("{LEAST}\nlevied_proof = \"hope\"")).is_err());
    assert!(parse(&LEAST.replace("olading", "nobody")).is_err());
}

#[test]
fn plain_http_is_for_loopback_only() {
    let at = |url: &str| Settings { url: url.to_owned(), ..least() };
    for good in
        ["http://127.0.0.1:8701", "http://localhost:1/", "http://[::1]:80", "https://a.test/gate/", "http://127.1.2.3"]
    {
        assert!(at(good).check("main").is_ok(), "{good}");
    }
    assert_eq!(at("https://a.test/gate/").check("main").unwrap(), "https://a.test/gate");
    for bad in [
        "",
        "api.olading.com",
        "http://api.olading.com",
        "http://127.0.0.1.evil.test",
        "ftp://127.0.0.1",
        "https://user:pass@a.test",
        "https://a.test/?x=1",
        "https://a.test/#x",
        "https://api.olading.com/api/levy/v1",
    ] {
        assert_eq!(fault(at(bad)).key, "url", "{bad}");
    }
    let said = fault(at("http://api.olading.com")).to_string();
    assert_eq!(said, "accounts.main.url is not https: write https://…; plain http is for loopback addresses only");
}

#[test]
fn a_fault_names_its_key_and_never_the_secret() {
    let mut cases = vec![
        ("client_key", Settings { client_key: String::new(), ..least() }),
        ("secret", Settings { secret: SecretString::default(), ..least() }),
        ("secret", Settings { secret: "hidden-secret\n".into(), ..least() }),
        ("secret", Settings { secret: "hidden-secret".repeat(100).into(), ..least() }),
        ("previous_secret", Settings { previous_secret: Some("".into()), ..least() }),
        ("tenant", Settings { tenant: String::new(), ..least() }),
        ("rate_per_second", Settings { rate_per_second: 0, ..least() }),
        ("concurrency", Settings { concurrency: 0, ..least() }),
        ("code_order_not_found", Settings { code_order_not_found: Some("0002".to_owned()), ..least() }),
        ("code_month_cap", Settings { code_month_cap: Some(String::new()), ..least() }),
    ];
    let twice = Some("2001".to_owned());
    cases.push(("code_not_signed", Settings { code_clock_refused: twice.clone(), code_not_signed: twice, ..least() }));
    for (key, settings) in cases {
        let fault = fault(settings);
        assert_eq!(fault.key, key);
        assert!(!fault.to_string().contains("hidden-secret"));
    }
}

#[test]
fn only_the_printed_production_host_is_production() {
    assert!(!least().is_production());
    assert!(Settings { url: "https://api.olading.com".to_owned(), ..least() }.is_production());
}
