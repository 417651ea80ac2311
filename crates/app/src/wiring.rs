//! From a configuration to a running engine: store, clock, providers, rules.

use crate::config::{Config, Policies};
use anyhow::{Context, Result};
use domain::clock::{Pace, host_time};
use domain::{Clock, Time};
use engine::{Engine, Limits, Rules};
use providers::olading::settings as olading;
use providers::{AccountConfig, Providers, Transport};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{Options, Store};
use workflows::policy::{CancelNeverPermitted, LeviedProof, LeviedTerminal, SumCheck};
use workflows::{Params, Policy};

/// How far apart a payer's reading of a fast clock and ours may be, in real time (contract.md, Configuration).
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// How a command opens the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The product: takes SQLite's instance lock.
    Server,
    /// A tool beside it.
    Tool,
}

/// Connects, without asking anything of the schema.
pub(crate) async fn store(config: &Config, access: Access, clock: &Clock) -> Result<Store> {
    let options = Options {
        master_key: config.master_key()?,
        dev: config.dev.enabled,
        pool_size: config.database.pool_size,
        clock: clock.clone(),
        exclusive: access == Access::Server,
        blobs: config.blobs.place(),
    };
    Store::connect(&config.database.url, options).await.context("open the database")
}

/// The fleet's clock: real time is the database's, business time follows the shared pace (contract.md).
pub(crate) async fn clock(config: &Config, store: &Store, clock: &Clock) -> Result<()> {
    let real = store.time().await.context("read the database's clock")?;
    let pace = if config.dev.enabled {
        let epoch = config.dev.epoch.unwrap_or(real);
        let wanted = Pace { epoch, origin: real, speed_milli: config.dev.clock_speed, advanced: Duration::ZERO };
        store.set_pace(wanted).await.context("set the shared clock")?
    } else {
        store.pace().await.context("read the shared clock")?
    };
    clock.sync(real, pace);
    Ok(())
}

/// The engine over an opened store.
pub(crate) fn engine(config: &Config, store: Store, clock: Clock, reconcile_only: bool) -> Result<Engine> {
    let transport = Transport::http().context("make the HTTP client")?;
    let rules = rules(config, reconcile_only)?;
    let providers = Providers::new(config.accounts.clone(), transport)?;
    Ok(Engine::new(store, providers, clock, rules))
}

/// A clock that runs before a database has told the time.
pub(crate) fn host_clock() -> Clock {
    let now: Time = host_time();
    Clock::running(now, Pace::REAL)
}

/// The rules that follow from a configuration; also what `doctor` checks.
pub(crate) fn rules(config: &Config, reconcile_only: bool) -> Result<Rules> {
    let params = Params::new(&config.params)?;
    let mut rules = Rules { params, reconcile_only, ..Rules::default() }.at_speed(config.dev.clock_speed);
    if let Some(seconds) = config.engine.lease_seconds {
        rules.lease = Duration::from_secs(seconds);
    }
    if let Some(seconds) = config.engine.call_timeout_seconds {
        rules.call_timeout = Duration::from_secs(seconds);
    }
    // A call that is still under way must not meet its own negative probes: the quarantine outlasts the real call timeout.
    rules.params.quarantine = rules.params.quarantine.max(business(rules.call_timeout, config.dev.clock_speed));
    rules.params.paid_ahead = rules.params.paid_ahead.max(business(CLOCKS_APART, config.dev.clock_speed));
    for (name, account) in &config.accounts {
        match account {
            AccountConfig::Olading(settings) => {
                let extra = config.policies.get(name).cloned().unwrap_or_default();
                rules.policies.insert(name.clone(), policy(settings, extra));
                rules.tenants.insert(name.clone(), settings.tenant.clone());
                let rate = i64::from(settings.rate_per_second);
                let limits =
                    Limits { concurrency: settings.concurrency as usize, rate_per_second: Some(rate), burst: rate * 2 };
                rules.limits.insert(name.clone(), limits);
            }
            // No configuration names it.
            AccountConfig::Stub(_) => {}
        }
    }
    Ok(rules)
}

/// A stretch of real time on a business clock of this speed.
fn business(real: Duration, speed_milli: i64) -> Duration {
    let ms = real.as_millis().saturating_mul(u128::try_from(speed_milli).unwrap_or(1000)) / 1000;
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// An account's settings as the process book reads them.
fn policy(settings: &olading::Settings, extra: Policies) -> Policy {
    let default = Policy::default();
    Policy {
        payer: settings.payer.clone(),
        levied_proof: match settings.levied_proof {
            olading::LeviedProof::BeforeDeadline => LeviedProof::BeforeDeadline,
            olading::LeviedProof::SeenRunning => LeviedProof::SeenRunning,
            olading::LeviedProof::Acknowledged => LeviedProof::Acknowledged,
        },
        levied_terminal_status: match settings.levied_terminal_status {
            olading::LeviedTerminalStatus::Close => LeviedTerminal::Close,
            olading::LeviedTerminalStatus::Remit => LeviedTerminal::Remit,
            olading::LeviedTerminalStatus::Either => LeviedTerminal::Either,
        },
        cancel_never_permitted: match settings.cancel_never_permitted {
            olading::CancelNeverPermitted::PayCutoff => CancelNeverPermitted::PayCutoff,
            olading::CancelNeverPermitted::AfterStatement => CancelNeverPermitted::AfterStatement,
            olading::CancelNeverPermitted::Never => CancelNeverPermitted::Never,
        },
        gross_sum_check: match settings.gross_sum_check {
            olading::GrossSumCheck::Hold => SumCheck::Hold,
            olading::GrossSumCheck::Warn => SumCheck::Warn,
            olading::GrossSumCheck::Off => SumCheck::Off,
        },
        gross_sum_tolerance_fen: i64::from(settings.gross_sum_tolerance_fen),
        fee_cap_basis_points: extra.fee_cap_basis_points,
        name_max_chars: extra.name_max_chars.unwrap_or(default.name_max_chars),
        sign_up_query_covers_sync_sign: settings.sign_up_query_covers_sync_sign,
        require_sign_up: extra.require_sign_up,
        start_sign_ups: extra.start_sign_ups.unwrap_or(default.start_sign_ups),
        require_id_card: extra.require_id_card.unwrap_or(default.require_id_card),
        voucher_days: extra.voucher_days,
        month_edge: extra.month_edge.unwrap_or(default.month_edge),
        month_limit: extra.month_limit,
        bank_channel: extra.bank_channel.unwrap_or(default.bank_channel),
    }
}

/// Codes that `levee doctor` has learned for this account, from the store's settings.
pub(crate) async fn learned(store: &Store, providers: &Providers) -> Result<BTreeMap<String, String>> {
    let mut learned = BTreeMap::new();
    let names: Vec<String> = providers.names().map(str::to_owned).collect();
    for account in names {
        let Some(code) = store.setting(&learned_key(&account)).await.context("read learned codes")? else { continue };
        if let Some(code) = code.as_str() {
            providers.set_learned(&account, "order_not_found", code);
            learned.insert(account, code.to_owned());
        }
    }
    Ok(learned)
}

/// The setting under which a learned "order not found" code is kept.
pub(crate) fn learned_key(account: &str) -> String {
    format!("learned/{account}/order_not_found")
}
