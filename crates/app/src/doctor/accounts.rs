//! The accounts: every key at fault, who pays, and whether the provider knows us.

use super::report::Report;
use crate::config::Config;
use crate::{show, wiring};
use domain::{Answer, Clock, Fault, Request, RequestId, Verdict};
use providers::olading::Settings;
use providers::{AccountConfig, Ask, Providers, Sent, Transport};
use std::collections::BTreeMap;
use std::time::Duration;
use store::Store;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Codes that mean something else, or nothing certain (safety.md §11).
const NOT_LEARNED: [&str; 3] = ["0001", "0002", "0003"];
/// The gap that is learned, as `providers` names it.
const GAP: &str = "order_not_found";
/// Settings have no more keys than this.
const MOST_FAULTS: usize = 32;

pub(super) async fn examine(
    report: &mut Report,
    config: &Config,
    transport: Option<&Transport>,
    store: Option<&Store>,
    clock: &Clock,
) {
    if config.accounts.is_empty() {
        report.warn(
            "no account is configured: no order can be taken",
            "add [accounts.main] with provider, url, client_key and secret",
        );
    }
    for (name, account) in &config.accounts {
        let AccountConfig::Olading(settings) = account else { continue };
        payer(report, name, settings, config.dev.enabled);
        if !keys(report, name, settings) {
            continue;
        }
        let visit = Visit { name, settings, store, clock };
        match transport {
            Some(transport) => visit.ask(report, transport).await,
            None => {
                let known = settings.code_order_not_found.is_some() || visit.remembered(report).await.is_some();
                if !known {
                    unlearned(report, name, "run `levee doctor` without --offline: it learns the code from one query");
                }
            }
        }
    }
}

/// Every key that cannot be used: each found one is mended in a copy until the rest is well.
fn keys(report: &mut Report, name: &str, settings: &Settings) -> bool {
    let mut tried = settings.clone();
    for found in 0..MOST_FAULTS {
        let Ok(transport) = Transport::http() else { return false };
        let fault = match open(name, &tried, transport) {
            Ok(_) => return found == 0,
            Err(fault) => fault,
        };
        report.fault(format!("accounts.{name}.{} {}", fault.key, fault.problem), &fault.remedy);
        if !mend(&mut tried, fault.key) {
            return false;
        }
    }
    false
}

fn open(name: &str, settings: &Settings, transport: Transport) -> Result<Providers, providers::ConfigFault> {
    Providers::new(BTreeMap::from([(name.to_owned(), AccountConfig::Olading(settings.clone()))]), transport)
}

/// `false` for a key this does not know: then the first fault must do.
fn mend(settings: &mut Settings, key: &str) -> bool {
    let sound = Settings::new("https://provider.invalid", "client", "secret");
    match key {
        "url" => settings.url = sound.url,
        "client_key" => settings.client_key = sound.client_key,
        "secret" => settings.secret = sound.secret,
        "previous_secret" => settings.previous_secret = None,
        "tenant" => settings.tenant = sound.tenant,
        "rate_per_second" => settings.rate_per_second = sound.rate_per_second,
        "concurrency" => settings.concurrency = sound.concurrency,
        "code_duplicate_request_id" => settings.code_duplicate_request_id = None,
        "code_order_not_found" => settings.code_order_not_found = None,
        "code_clock_refused" => settings.code_clock_refused = None,
        "code_not_signed" => settings.code_not_signed = None,
        "code_month_cap" => settings.code_month_cap = None,
        _ => return false,
    }
    true
}

/// Nobody may be paid twice because two sides each believed it was theirs to pay (safety.md §15.0).
fn payer(report: &mut Report, name: &str, settings: &Settings, dev: bool) {
    if !settings.is_production() {
        return;
    }
    if settings.payer.is_none() {
        report.fault(
            format!("accounts.{name}.payer is not stated, and {} is the production host", settings.url),
            "read in the contract who pays the person, then write payer = \"merchant\"; no permit is issued before",
        );
    }
    if dev {
        report.fault(
            format!("accounts.{name} is the production host, and dev.enabled is on"),
            "leave [dev] out: real payouts run on real time",
        );
    }
}

fn unlearned(report: &mut Report, name: &str, remedy: &str) {
    report.warn(
        format!("accounts.{name}.code_order_not_found is neither configured nor learned: an order the provider never got stays in doubt until a person decides"),
        remedy,
    );
}

/// One account being asked.
struct Visit<'a> {
    name: &'a str,
    settings: &'a Settings,
    store: Option<&'a Store>,
    clock: &'a Clock,
}

impl Visit<'_> {
    /// Asks for an order that never existed: the answer shows whether the provider is there, knows our keys, and how it says "no".
    async fn ask(&self, report: &mut Report, transport: &Transport) {
        let Ok(providers) = open(self.name, self.settings, transport.clone()) else { return };
        let remembered = self.remembered(report).await;
        if let Some(code) = &remembered {
            providers.set_learned(self.name, GAP, code);
        }
        let Ok(request_id) = RequestId::try_from(Uuid::new_v4().simple().to_string()) else { return };
        let request = Request::FindOrder { request_id, person: Uuid::nil() };
        let ask = Ask {
            account: self.name,
            request: &request,
            people: &[],
            files: &[],
            attempt: Uuid::nil(),
            now: self.clock.now(),
            timeout: TIMEOUT,
            gate: &|| true,
        };
        let sent = providers.call(ask).await;
        self.judge(report, &providers, sent, remembered.as_deref()).await;
    }

    async fn judge(&self, report: &mut Report, providers: &Providers, sent: Sent, remembered: Option<&str>) {
        let name = self.name;
        let left = sent.exchange.is_some();
        match sent.verdict {
            Verdict::Done(Answer::OrderAbsent) => {
                let source = if self.settings.code_order_not_found.is_some() { "configured" } else { "learned" };
                report.ok(format!("accounts.{name}: the provider answers, knows our keys, and says \"no such order\" by the {source} code"));
            }
            Verdict::Done(_) => report.fault(
                format!("accounts.{name}: the provider shows an order for an id that was never sent"),
                "freeze create and pay for this account, and ask the provider: its queries prove nothing",
            ),
            Verdict::Refused(refusal) if refusal.code == "0003" => report.fault(
                format!("accounts.{name}: the provider refuses our signature (0003): secret or client_key wrong"),
                "compare both with what the provider gave, and hmac_algorithm with its settings",
            ),
            Verdict::Refused(refusal) => report.fault(
                format!("accounts.{name}: the provider refuses a query ({}: {})", show::clean(&refusal.code), show::clean(&refusal.message)),
                "ask the provider what this code means for QUERY_ORDER_V2",
            ),
            Verdict::NotNow(_) if left => report.fault(format!("accounts.{name}: the provider refuses our clock"), "run NTP (chrony) on this machine"),
            Verdict::NotNow(_) => report.fault(
                format!("accounts.{name}: the provider cannot be reached at {}", self.settings.url),
                "check the address, the firewall, and the certificate; --offline leaves the providers out",
            ),
            Verdict::Unsure(Fault::UnknownCode(code)) => self.unknown(report, providers, &code, remembered).await,
            Verdict::Unsure(Fault::BadSignature) => report.fault(
                format!("accounts.{name}: the answer's signature does not verify"),
                "secret wrong (or rotated: put the old one into previous_secret), or something between changes the answers",
            ),
            Verdict::Unsure(fault @ (Fault::Timeout | Fault::Broken | Fault::Status(_) | Fault::Unreadable | Fault::Unbound | Fault::TooLarge | Fault::WorkerLost)) => {
                report.fault(format!("accounts.{name}: no usable answer from {} ({fault})", self.settings.url), "check that url is the provider's interface host, then try again later");
            }
        }
    }

    /// The provider knows us, and said "no such order" in a code of its own.
    async fn unknown(&self, report: &mut Report, providers: &Providers, code: &str, remembered: Option<&str>) {
        let (name, shown) = (self.name, show::clean(code));
        if let Some(configured) = &self.settings.code_order_not_found {
            let what = format!(
                "accounts.{name}: an unknown order is answered with {shown}, but code_order_not_found is {configured:?}"
            );
            report.fault(what, "correct the key, or leave it out and let `levee doctor` learn it");
            return;
        }
        if let Some(before) = remembered {
            // A provider in trouble answers everything with one code: taking that for "no such order" would send orders twice.
            report.warn(
                format!("accounts.{name}: an unknown order is answered with {shown}, but {} was learned, which stays in force", show::clean(before)),
                "run `levee doctor` again later; if the provider has changed its code, write it as code_order_not_found",
            );
            return;
        }
        if NOT_LEARNED.contains(&code) || !providers.set_learned(name, GAP, code) {
            report.ok(format!("accounts.{name}: the provider answers and knows our keys"));
            unlearned(
                report,
                name,
                &format!(
                    "it answers {shown}, which says nothing certain: ask the provider for the code, and write it as code_order_not_found"
                ),
            );
            return;
        }
        let Some(store) = self.store else {
            report.warn(
                format!("accounts.{name}: an unknown order is answered with {shown}"),
                "not kept, for there is no database: run `levee doctor` again, or write it as code_order_not_found",
            );
            return;
        };
        if let Err(error) = store.put_setting(&wiring::learned_key(name), code.into()).await {
            super::database::refused(report, &error);
            return;
        }
        report.ok(format!(
            "accounts.{name}: the provider answers and knows our keys; learned that {shown} means \"no such order\"; servers take it at their next start"
        ));
    }

    /// What an earlier visit learned.
    async fn remembered(&self, report: &mut Report) -> Option<String> {
        let store = self.store?;
        match store.setting(&wiring::learned_key(self.name)).await {
            Ok(code) => code.and_then(|code| code.as_str().map(str::to_owned)),
            Err(error) => {
                super::database::refused(report, &error);
                None
            }
        }
    }
}
