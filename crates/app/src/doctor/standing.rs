//! How things stand: limbo, the safety audits, and what waits for a person.

use super::database::refused;
use super::report::Report;
use crate::config::Config;
use crate::wiring;
use domain::Clock;
use engine::{Engine, Rules};
use providers::{AccountConfig, Providers, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Finding, Store};

/// Due rows wait at most seconds for a worker that is there.
const DUE_MAX: Duration = Duration::from_secs(300);
/// Cases read per tenant; more are "at least".
const CASES_MAX: usize = 1000;

pub(super) async fn examine(report: &mut Report, config: &Config, store: &Store, clock: &Clock) {
    // Parameters at fault are named already; the audits then go by the defaults.
    let rules = wiring::rules(config, false).unwrap_or_else(|_| Rules::default());
    let Some(providers) = Transport::http().ok().and_then(|transport| Providers::new(BTreeMap::new(), transport).ok())
    else {
        return;
    };
    let engine = Engine::new(store.clone(), providers, clock.clone(), rules);
    for outcome in [
        audits(report, &engine).await,
        figures(report, &engine).await,
        orphans(report, &engine).await,
        cases(report, config, &engine).await.map_err(engine::Error::from),
        switches(report, &engine).await.map_err(engine::Error::from),
    ] {
        match outcome {
            Ok(()) => {}
            Err(engine::Error::Store(error)) => refused(report, &error),
            Err(why) => report.told(&why.to_string()),
        }
    }
}

async fn audits(report: &mut Report, engine: &Engine) -> engine::Result<()> {
    let limbo = engine.limbo().await?;
    if limbo.count == 0 {
        report.ok("limbo = 0: everything open has a timer, a worker, a task or a case");
    } else {
        report.fault(
            format!("limbo: {} instances that nothing will ever move{}", limbo.count, examples(&limbo)),
            "a bug: report it with these ids; nothing was lost, and `levee order timeline` shows where each stands",
        );
    }
    let findings = engine.audits().await?;
    let (broken, whole): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.count > 0);
    for finding in &broken {
        report.fault(
            format!(
                "safety audit {} ({}) is broken by {} rows{}",
                finding.audit,
                meaning(&finding.audit),
                finding.count,
                examples(finding)
            ),
            "freeze pay and confirm, and report it with these ids before anything else is paid",
        );
    }
    if !whole.is_empty() {
        let names: Vec<&str> = whole.iter().map(|finding| finding.audit.as_str()).collect();
        report.ok(format!("safety audits find nothing: {}", names.join(", ")));
    }
    Ok(())
}

fn examples(finding: &Finding) -> String {
    if finding.examples.is_empty() { String::new() } else { format!(", for example {}", finding.examples.join(", ")) }
}

/// The promise behind an audit's name (safety.md §3, faults.md §5), for who reads it at night.
fn meaning(audit: &str) -> &'static str {
    match audit {
        "S-A" => "a confirmation needs final evidence",
        "S-B" => "a cancelled remit can never have been paid",
        "S-C" => "a permit needs a fresh look and an open gate",
        "S-D" => "one live payout attempt per remit",
        "S-E" => "one decision per remit",
        "S-F" => "what was acknowledged is there",
        "S-G" => "nothing is sent again before it is proved not applied",
        "S-H" => "histories are whole",
        "I2" => "what is paid gets confirmed",
        "I10" => "money adds up to the fen",
        "I11" => "the payee is the order's",
        "I13" => "the arising time is the bank's",
        "I14" => "only arrows of the process book",
        "I15" => "a callback alone moves nothing",
        "I19" => "what nobody pays is cancelled",
        "I20" => "what was emitted is in the outbox",
        "I23" => "the audit trail is whole",
        "I24" => "two different people",
        "I27" => "a later permit has no later cut-off",
        _ => "see safety.md",
    }
}

async fn figures(report: &mut Report, engine: &Engine) -> engine::Result<()> {
    let figures = engine.figures().await?;
    if figures.due_oldest > DUE_MAX {
        report.fault(
            format!("the oldest due row has waited {} s for a worker", figures.due_oldest.as_secs()),
            "start `levee serve` or `levee worker`, or look why it does nothing (its log, breakers below)",
        );
    }
    let in_doubt: i64 = figures.in_doubt.iter().map(|one| one.count).sum();
    if in_doubt > 0 {
        let each: Vec<String> = figures
            .in_doubt
            .iter()
            .filter(|one| one.count > 0)
            .map(|one| format!("{} {} of {}", one.count, one.operation, one.account))
            .collect();
        report.warn(
            format!("{in_doubt} calls are in doubt ({})", each.join(", ")),
            "workers ask the provider; after a restore or failover start with `levee serve --reconcile-only` until this is 0",
        );
    }
    if figures.at_risk_fen > 0 {
        let fen = figures.at_risk_fen;
        report.ok(format!("paid and not yet levied: {}.{:02} yuan", fen / 100, fen % 100));
    }
    Ok(())
}

async fn orphans(report: &mut Report, engine: &Engine) -> engine::Result<()> {
    let orphans = engine.orphans().await?;
    if !orphans.is_empty() {
        let accounts: BTreeSet<&str> =
            orphans.iter().map(|orphan| orphan.address.split('/').next().unwrap_or_default()).collect();
        let accounts: Vec<&str> = accounts.into_iter().collect();
        report.warn(
            format!(
                "{} callbacks older than 10 minutes name orders that are not here ({})",
                orphans.len(),
                accounts.join(", ")
            ),
            "compare with the provider: another system may use this account, or a restore lost orders",
        );
    }
    Ok(())
}

async fn cases(report: &mut Report, config: &Config, engine: &Engine) -> store::Result<()> {
    let mut tenants = BTreeSet::from(["default"]);
    for account in config.accounts.values() {
        let AccountConfig::Olading(settings) = account else { continue };
        tenants.insert(settings.tenant.as_str());
    }
    let (mut open, mut late) = (0, 0);
    for tenant in tenants {
        for state in ["open", "proposed"] {
            let cases = engine.store.cases(tenant, Some(state), None, None, None, CASES_MAX).await?;
            open += cases.len();
            late += cases.iter().filter(|case| case.open.sla_at < engine.clock.now()).count();
        }
    }
    match (open, late) {
        (0, _) => report.ok("no case is open"),
        (_, 0) => report.warn(format!("{open} cases are open"), "`levee case list --state open`"),
        (_, _) => report.warn(
            format!("{open} cases are open, {late} of them overdue"),
            "`levee case list --state open`, the overdue first",
        ),
    }
    Ok(())
}

async fn switches(report: &mut Report, engine: &Engine) -> store::Result<()> {
    let real = engine.clock.real();
    for lane in engine.store.lanes().await? {
        if let Some(until) = lane.open_until.filter(|until| *until > real) {
            report.warn(
                format!("the breaker of {} is open until {until}", lane.lane),
                "the provider failed again and again; it is tried again by itself",
            );
        }
    }
    for freeze in engine.store.freezes().await? {
        let switches =
            [("create", freeze.create), ("pay", freeze.pay), ("confirm", freeze.confirm), ("cancel", freeze.cancel)];
        let on: Vec<&str> = switches.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        if !on.is_empty() {
            report.warn(
                format!("frozen for {}: {}", freeze.scope, on.join(", ")),
                "lift it with PUT /v1/freezes when its reason is gone",
            );
        }
    }
    Ok(())
}
