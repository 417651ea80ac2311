//! The configuration, key by key: a part that cannot be used is named and left out, and the rest is examined.

use super::report::Report;
use crate::config::{Config, in_force, unknown};
use crate::wiring;
use domain::Time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use workflows::{Params, calendar};

/// Parts with members of their own: one wrong account does not hide the others.
const KEYED: [&str; 3] = ["accounts", "policies", "params"];
/// Settings that are secrets, by their last name.
const SECRETS: [&str; 5] = ["MASTER_KEY", "BOOTSTRAP_KEY", "SECRET", "PREVIOUS_SECRET", "CLIENT_KEY"];

/// The configuration as far as it can be used.
pub(super) fn examine(report: &mut Report, file: Option<&Path>, environment: &[(String, String)]) -> Config {
    let before = report.findings.len();
    let config = match Config::load(file) {
        Ok(config) => {
            let path = file.map_or("levee.toml, if there is one".to_owned(), |path| path.display().to_string());
            report.ok(format!("the configuration is read ({path}, environment)"));
            config
        }
        Err(why) => {
            let config = survey(report, file, environment);
            if report.findings.len() == before {
                // Each part is well by itself: what load refuses is how they go together.
                report.told(&format!("{why:#}"));
            }
            config
        }
    };
    secrets(report, &config, environment);
    params(report, &config);
    policies(report, &config);
    rules(report, &config);
    config
}

/// Reads every part alone.
fn survey(report: &mut Report, file: Option<&Path>, environment: &[(String, String)]) -> Config {
    let Some(merged) = merged(report, file, environment) else { return Config::default() };
    let mut good = Map::new();
    for (section, value) in merged {
        let whole = if KEYED.contains(&section.as_str()) {
            None
        } else {
            usable(report, &section, json!({ &section: &value }))
        };
        let value = match (whole, value) {
            (Some(mut whole), _) => whole[&section].take(),
            (None, Value::Object(members)) if KEYED.contains(&section.as_str()) => each(report, &section, members),
            (None, _) => continue,
        };
        good.insert(section, value);
    }
    serde_json::from_value(Value::Object(good)).unwrap_or_default()
}

/// The members of a section that can be used.
fn each(report: &mut Report, section: &str, members: Map<String, Value>) -> Value {
    let usable = |(name, member): (String, Value)| {
        let mut alone = usable(report, &format!("{section}.{name}"), json!({ section: { &name: member } }))?;
        let member = alone[section][&name].take();
        Some((name, member))
    };
    Value::Object(members.into_iter().filter_map(usable).collect())
}

/// The part without the keys that cannot be used, each of them named; `None` where nothing of it can.
fn usable(report: &mut Report, path: &str, mut part: Value) -> Option<Value> {
    open_files(report, &mut part);
    for _ in 0..MOST_FAULTS {
        let why = match serde_json::from_value::<Config>(part.clone()) {
            Ok(_) => return Some(part),
            Err(why) => why.to_string(),
        };
        let Some((unknown, nearest)) = unknown(&why) else {
            report.fault(format!("{path} cannot be used: {why}"), "write it as the contract's example shows");
            return None;
        };
        let remedy = nearest.map_or("remove it".to_owned(), |nearest| format!("did you mean `{nearest}`?"));
        let named = if path == unknown { path.to_owned() } else { format!("{path}.{unknown}") };
        report.fault(format!("the configuration has an unknown key `{named}`"), &remedy);
        remove(&mut part, &unknown);
    }
    None
}

/// A part has no more keys than this.
const MOST_FAULTS: usize = 64;

/// Takes a key out wherever it stands in the part: a part is at most three levels deep and was refused because of it.
fn remove(part: &mut Value, key: &str) {
    let Some(map) = part.as_object_mut() else { return };
    if map.remove(key).is_none() {
        map.values_mut().for_each(|value| remove(value, key));
    }
}

/// `file:PATH` values, each missing file named.
fn open_files(report: &mut Report, value: &mut Value) {
    crate::config::open_files(value, "", &mut |path, why| {
        report.fault(
            format!("the file named by {path} cannot be read ({})", why.kind()),
            "create it, or give this user the right to read it",
        );
    });
}

/// File and environment together, as `Config::load` joins them. Nothing when the file is no TOML: guessing at half a file helps nobody.
fn merged(report: &mut Report, file: Option<&Path>, environment: &[(String, String)]) -> Option<Map<String, Value>> {
    let text = in_force(file).and_then(|path| match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(why) => {
            report.fault(
                format!("the configuration {} cannot be read ({})", path.display(), why.kind()),
                "create it, or name another with --config",
            );
            None
        }
    });
    let merged = crate::config::merged(text.as_deref(), environment);
    match merged {
        Ok(Value::Object(map)) => Some(map),
        Ok(_) => None,
        Err(why) => {
            report.fault(
                format!("the configuration is no TOML: {}", first_line(&why.to_string())),
                "mend the line it names",
            );
            None
        }
    }
}

/// The lines below it show the file's text, which may be a secret.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn secrets(report: &mut Report, config: &Config, environment: &[(String, String)]) {
    for (name, value) in environment {
        let secret = SECRETS.iter().any(|secret| name.ends_with(&format!("__{secret}")))
            || (name == "LEVEE_DATABASE__URL" && has_password(value));
        if secret && !value.starts_with("file:") {
            report.warn(
                format!("{name} gives a secret through the environment, which child processes and crash reports see"),
                "write it to a file only levee may read, and give file:PATH",
            );
        }
    }
    match config.master_key() {
        Ok(_) => report.ok("security.master_key is 32 bytes"),
        Err(why) if config.security.master_key.is_some() => report.fault(
            why.to_string(),
            "make one with `head -c 32 /dev/urandom | base64`, or give the one the database was created with",
        ),
        Err(why) => report.told(&why.to_string()),
    }
    if let Err(why) = config.bootstrap_key() {
        report.fault(why.to_string(), "make one with `head -c 24 /dev/urandom | base64`");
    }
}

/// `scheme://user:password@host`.
fn has_password(url: &str) -> bool {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn params(report: &mut Report, config: &Config) {
    for (name, value) in &config.params {
        if let Err(why) = Params::new(&BTreeMap::from([(name.clone(), value.clone())])) {
            report.fault(why.to_string(), "`levee workflow show levy_order` lists the parameters and their bounds");
        }
    }
}

fn policies(report: &mut Report, config: &Config) {
    let channels = calendar::channels();
    for (account, policy) in &config.policies {
        if !config.accounts.contains_key(account) {
            report.fault(
                format!("policies.{account}: there is no account of that name"),
                "name it as in [accounts], or remove it",
            );
        }
        if let Some(channel) = policy.bank_channel.as_ref().filter(|channel| !channels.contains_key(*channel)) {
            let known: Vec<&str> = channels.keys().map(String::as_str).collect();
            report.fault(
                format!(
                    "policies.{account}.bank_channel = {channel:?} is no bank channel: it would count as always open"
                ),
                &format!("write one of {}", known.join(", ")),
            );
        }
    }
}

/// What must hold between the durations, and of a clock that is not the world's.
fn rules(report: &mut Report, config: &Config) {
    let without_params =
        Config { params: BTreeMap::new(), accounts: BTreeMap::new(), policies: BTreeMap::new(), ..Config::default() };
    let engine = Config { engine: config.engine.clone(), dev: config.dev.clone(), ..without_params };
    if let Ok(rules) = wiring::rules(&engine, false)
        && rules.lease <= rules.call_timeout
    {
        report.fault(
            format!("engine.lease_seconds ({} s) is not longer than engine.call_timeout_seconds ({} s): nothing could ever be sent", rules.lease.as_secs(), rules.call_timeout.as_secs()),
            "make the lease several times the call timeout",
        );
    }
    if config.dev.enabled {
        let epoch = config.dev.epoch.map_or("now".to_owned(), |epoch: Time| epoch.to_string());
        report.warn(
            format!(
                "dev.enabled: unsafe database settings are accepted, the clock may run (epoch {epoch}) and be advanced"
            ),
            "leave [dev] out wherever real money is paid",
        );
    }
}
