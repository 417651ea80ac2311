//! Bounded tunables (safety.md §5). Values and bounds are reviewed data in `params/levy.toml`; a deployment may move a value
//! inside its bounds and nothing else.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

const LEVY: &str = include_str!("../params/levy.toml");

/// One tunable as the file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounded {
    pub default: String,
    pub min: String,
    pub max: String,
    pub about: String,
}

/// The timings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    pub margin: Duration,
    pub skew: Duration,
    /// How far ahead of our clock a bank time may lie without a case: *skew*, or 5 s of a fast clock (contract.md, Configuration).
    pub paid_ahead: Duration,
    pub observation_age: Duration,
    pub permit_ttl: Duration,
    pub permit_grace: Duration,
    pub arising_tolerance: Duration,
    pub provider_reach: Duration,
    pub provider_window: Duration,
    pub worker_return: Duration,
    pub bank_bound: Duration,
    pub quarantine: Duration,
    pub probe_spacing: Duration,
    pub levying_limit: Duration,
    pub month_guard: Duration,
    pub case_sla: Duration,
    pub task_sla: Duration,
    pub slow_look: Duration,
    pub sign_up_grace: Duration,
}

/// A parameter that cannot be used, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamFault {
    #[error("params.{0} is no parameter; the parameters are listed by `levee workflow show levy_order`")]
    Unknown(String),
    #[error("params.{name} = \"{value}\" is no duration; write for example \"90s\", \"5m\" or \"24h\"")]
    Unreadable { name: String, value: String },
    #[error("params.{name} = \"{value}\" is outside its bounds {min} to {max}")]
    OutOfBounds { name: String, value: String, min: String, max: String },
}

impl Params {
    /// The defaults, with the deployment's changes.
    pub fn new(changes: &BTreeMap<String, String>) -> Result<Self, ParamFault> {
        let book = Self::book();
        if let Some(name) = changes.keys().find(|name| !book.contains_key(*name)) {
            return Err(ParamFault::Unknown(name.clone()));
        }
        let value = |name: &str| bounded(name, &book[name], changes.get(name));
        Ok(Self {
            margin: value("margin")?,
            skew: value("skew")?,
            paid_ahead: value("skew")?,
            observation_age: value("observation_age")?,
            permit_ttl: value("permit_ttl")?,
            permit_grace: value("permit_grace")?,
            arising_tolerance: value("arising_tolerance")?,
            provider_reach: value("provider_reach")?,
            provider_window: value("provider_window")?,
            worker_return: value("worker_return")?,
            bank_bound: value("bank_bound")?,
            quarantine: value("quarantine")?,
            probe_spacing: value("probe_spacing")?,
            levying_limit: value("levying_limit")?,
            month_guard: value("month_guard")?,
            case_sla: value("case_sla")?,
            task_sla: value("task_sla")?,
            slow_look: value("slow_look")?,
            sign_up_grace: value("sign_up_grace")?,
        })
    }

    /// Every tunable with its bounds, for `levee workflow show`.
    pub fn book() -> BTreeMap<String, Bounded> {
        toml::from_str(LEVY).expect("cannot fail: the embedded file is read by a test")
    }

    /// C = X + W + R: what a confirmation may need (safety.md §4, L-1).
    pub fn confirm_budget(&self) -> Duration {
        self.provider_reach + self.provider_window + self.worker_return
    }
}

fn bounded(name: &str, bounds: &Bounded, change: Option<&String>) -> Result<Duration, ParamFault> {
    let value = change.unwrap_or(&bounds.default);
    let read = |text: &str| {
        humantime::parse_duration(text).map_err(|_| ParamFault::Unreadable { name: name.into(), value: text.into() })
    };
    let duration = read(value)?;
    if duration < read(&bounds.min)? || duration > read(&bounds.max)? {
        return Err(ParamFault::OutOfBounds {
            name: name.into(),
            value: value.clone(),
            min: bounds.min.clone(),
            max: bounds.max.clone(),
        });
    }
    Ok(duration)
}

impl Default for Params {
    fn default() -> Self {
        Self::new(&BTreeMap::new()).expect("cannot fail: every default lies inside its bounds (tested)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_inside_its_bounds() {
        let params = Params::new(&BTreeMap::new()).unwrap();
        assert_eq!(params.confirm_budget(), Duration::from_secs(2 * 3600 + 20 * 60));
    }

    #[test]
    fn a_change_outside_its_bounds_is_refused_by_name() {
        let change = |name: &str, value: &str| Params::new(&BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(change("margin", "3h").unwrap().margin, Duration::from_secs(3 * 3600));
        assert!(change("margin", "30m").unwrap_err().to_string().contains("params.margin"));
        assert!(change("observation_age", "60s").is_err(), "f may only be made smaller");
        assert!(matches!(change("speed", "1s"), Err(ParamFault::Unknown(_))));
        assert!(matches!(change("margin", "soon"), Err(ParamFault::Unreadable { .. })));
    }
}
