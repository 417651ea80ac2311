//! `levee.toml`, the environment, and secrets from files: one checked [`Config`] (contract.md, Configuration).

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use domain::Time;
use providers::AccountConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Everything a deployment can say. A missing key has the default given here; an unknown one is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) engine: Engine,
    pub(crate) security: Security,
    pub(crate) accounts: BTreeMap<String, AccountConfig>,
    /// What an account's policy adds to its provider settings: `[policies.main] month_edge = "hold"`.
    pub(crate) policies: BTreeMap<String, Policies>,
    /// `margin = "3h"`: inside the bounds of `workflows/params/levy.toml`.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) dev: Dev,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    pub(crate) listen: String,
    pub(crate) public_url: String,
    #[serde(deserialize_with = "roles")]
    pub(crate) roles: Vec<Role>,
}

/// What one process does; any number of each may share one PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Api,
    Callback,
    Worker,
    Scheduler,
    Console,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    pub(crate) url: String,
    /// Connections of this process.
    #[serde(deserialize_with = "parsed")]
    pub(crate) pool_size: u32,
}

/// Pictures, documents and videos: in the database, or, where they would make it large, in a folder that all processes share.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Blobs {
    pub(crate) folder: Option<PathBuf>,
}

/// Real time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Engine {
    /// How long a claim lives; 5 s when the clock runs fast.
    #[serde(deserialize_with = "maybe")]
    pub(crate) lease_seconds: Option<u64>,
    /// 1 s when the clock runs fast.
    #[serde(deserialize_with = "maybe")]
    pub(crate) call_timeout_seconds: Option<u64>,
    /// Jobs at once in this process, besides those that wait for a provider.
    #[serde(deserialize_with = "parsed")]
    pub(crate) concurrency: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Security {
    /// Base64 of 32 bytes: wraps the keys of the field encryption.
    pub(crate) master_key: Option<SecretString>,
    /// Creates one admin key at the first start.
    pub(crate) bootstrap_key: Option<SecretString>,
}

/// Policy keys that are no provider's settings (safety.md §11).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policies {
    pub(crate) month_edge: Option<workflows::policy::Guard>,
    /// What a person is paid at most in a tax month at one location, as text: an order over it is held.
    pub(crate) month_limit: Option<domain::Money>,
    pub(crate) bank_channel: Option<String>,
    #[serde(deserialize_with = "maybe")]
    pub(crate) fee_cap_basis_points: Option<i64>,
    #[serde(deserialize_with = "maybe")]
    pub(crate) name_max_chars: Option<usize>,
    pub(crate) require_sign_up: Option<workflows::policy::SignUpKind>,
    #[serde(deserialize_with = "maybe")]
    pub(crate) start_sign_ups: Option<bool>,
    #[serde(deserialize_with = "maybe")]
    pub(crate) require_id_card: Option<bool>,
    /// Days after a payment within which its voucher must be with the provider; left out, nobody asks for it.
    #[serde(deserialize_with = "maybe")]
    pub(crate) voucher_days: Option<u32>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dev {
    #[serde(deserialize_with = "parsed")]
    pub(crate) enabled: bool,
    /// Thousandths inside; `1.0` in the file.
    #[serde(deserialize_with = "speed")]
    pub(crate) clock_speed: i64,
    pub(crate) epoch: Option<Time>,
}

impl Default for Server {
    fn default() -> Self {
        let roles = vec![Role::Api, Role::Callback, Role::Worker, Role::Scheduler, Role::Console];
        Self { listen: "127.0.0.1:8700".into(), public_url: "http://127.0.0.1:8700".into(), roles }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://levee.db".into(), pool_size: 16 }
    }
}

impl Blobs {
    pub(crate) fn place(&self) -> store::Blobs {
        self.folder.clone().map_or(store::Blobs::Database, store::Blobs::Folder)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { lease_seconds: None, call_timeout_seconds: None, concurrency: 64 }
    }
}

impl Default for Dev {
    fn default() -> Self {
        Self { enabled: false, clock_speed: 1000, epoch: None }
    }
}

/// The greatest speed that works: 72 hours in 26 seconds.
const MAX_SPEED_MILLI: i64 = 10_000_000;

impl Config {
    /// Reads the file (if given, or `levee.toml` if there is one), then the environment over it.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("read the configuration {}", path.display()))
        };
        Self::read(in_force(file).map(text).transpose()?.as_deref())
    }

    /// The text of a file, if there is one, then the environment over it.
    pub(crate) fn read(text: Option<&str>) -> Result<Self> {
        let mut value = merged(text, &environment()).context("read the configuration")?;
        let mut unread = None;
        open_files(&mut value, "", &mut |path, why| {
            unread.get_or_insert_with(|| anyhow::Error::new(why).context(format!("read the file named by {path}")));
        });
        if let Some(why) = unread {
            return Err(why);
        }
        let config: Config = serde_json::from_value(value).map_err(|why| nearest(&why.to_string()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        if self.dev.clock_speed != 1000 && !self.dev.enabled {
            bail!("dev.clock_speed needs dev.enabled = true: real payouts run on real time");
        }
        if !(1..=MAX_SPEED_MILLI).contains(&self.dev.clock_speed) {
            bail!("dev.clock_speed must lie between 0.001 and 10000");
        }
        if self.blobs.folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            bail!("blobs.folder must be an absolute path: every process must find the same folder");
        }
        match self.policies.keys().find(|name| !self.accounts.contains_key(*name)) {
            Some(account) => bail!("policies.{account}: there is no account of that name"),
            None => Ok(()),
        }
    }

    /// The 32 bytes that wrap every data key.
    pub(crate) fn master_key(&self) -> Result<[u8; 32]> {
        let Some(key) = &self.security.master_key else {
            bail!(
                "security.master_key is missing: write 32 random bytes in base64 (`head -c 32 /dev/urandom | base64`), best as file:PATH"
            );
        };
        let bytes = base64::engine::general_purpose::STANDARD.decode(key.expose_secret().trim());
        let bytes: Option<[u8; 32]> = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.context("security.master_key must be the base64 of exactly 32 bytes")
    }

    pub(crate) fn bootstrap_key(&self) -> Result<Option<String>> {
        let Some(key) = &self.security.bootstrap_key else { return Ok(None) };
        let key = key.expose_secret();
        if !(24..=200).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            bail!("security.bootstrap_key must be 24 to 200 printable ASCII characters");
        }
        Ok(Some(key.to_owned()))
    }
}

/// The file that counts: the one named, or `levee.toml` if there is one.
pub(crate) fn in_force(file: Option<&Path>) -> Option<&Path> {
    let fallback = Path::new("levee.toml");
    file.or_else(|| fallback.exists().then_some(fallback))
}

/// Settings are `LEVEE_` + path with `__`; a variable without a section (`LEVEE_KEY` of the CLI, `LEVEE_TEST_…`) is none.
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("LEVEE_") && name.contains("__")).collect()
}

/// The file's text and the environment over it. Values stay text: a secret of digits must not become a number.
pub(crate) fn merged(
    text: Option<&str>,
    environment: &[(String, String)],
) -> Result<serde_json::Value, config::ConfigError> {
    let mut sources = config::Config::builder();
    if let Some(text) = text {
        sources = sources.add_source(config::File::from_str(text, config::FileFormat::Toml));
    }
    let names = config::Environment::with_prefix("LEVEE").prefix_separator("_").separator("__");
    let environment = names.source(Some(environment.iter().cloned().collect()));
    sources.add_source(environment).build()?.try_deserialize()
}

/// A value `file:PATH` is what the file holds, without the line break at its end. One that cannot be read is emptied and told.
pub(crate) fn open_files(value: &mut serde_json::Value, path: &str, unread: &mut dyn FnMut(&str, std::io::Error)) {
    match value {
        serde_json::Value::String(text) => {
            let Some(file) = text.strip_prefix("file:") else { return };
            *text = match std::fs::read_to_string(file) {
                Ok(held) => held.trim_end_matches(['\r', '\n']).to_owned(),
                Err(why) => {
                    unread(path, why);
                    // The path itself is no secret to sign with.
                    String::new()
                }
            };
        }
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                open_files(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, unread);
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| open_files(item, path, unread)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// The key that serde does not know, and the known one most like it.
pub(crate) fn unknown(message: &str) -> Option<(String, Option<String>)> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = quoted.split_first().filter(|_| message.starts_with("unknown field"))?;
    let nearest = known.iter().min_by_key(|name| strsim::levenshtein(name, unknown));
    Some(((*unknown).to_owned(), nearest.map(|name| (*name).to_owned())))
}

/// Turns serde's "unknown field" into the nearest known name.
fn nearest(message: &str) -> anyhow::Error {
    match unknown(message) {
        Some((unknown, Some(best))) => {
            anyhow::anyhow!("the configuration has an unknown key `{unknown}`; did you mean `{best}`?")
        }
        Some((unknown, None)) => anyhow::anyhow!("the configuration has an unknown key `{unknown}`"),
        None => anyhow::anyhow!("the configuration cannot be used: {message}"),
    }
}

/// A value as the file types it, or as the environment spells it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelled<T> {
    Typed(T),
    Text(String),
}

fn parsed<'de, D: Deserializer<'de>, T: Deserialize<'de> + FromStr>(d: D) -> Result<T, D::Error> {
    match Spelled::<T>::deserialize(d)? {
        Spelled::Typed(value) => Ok(value),
        Spelled::Text(text) => {
            text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no valid value")))
        }
    }
}

fn maybe<'de, D: Deserializer<'de>, T: Deserialize<'de> + FromStr>(d: D) -> Result<Option<T>, D::Error> {
    parsed(d).map(Some)
}

fn roles<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Role>, D::Error> {
    let names = match Spelled::<Vec<String>>::deserialize(d)? {
        Spelled::Typed(names) => names,
        Spelled::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    let role = |name: &String| {
        <Role as clap::ValueEnum>::from_str(name, true).map_err(|_| {
            serde::de::Error::custom(format!(
                "server.roles: there is no role {name:?}; the roles are api, callback, worker, scheduler, console"
            ))
        })
    };
    names.iter().map(role).collect()
}

#[expect(
    clippy::disallowed_types,
    clippy::float_arithmetic,
    reason = "the contract writes the speed as 1.0; inside it is thousandths"
)]
fn speed<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    let speed: f64 = parsed(d)?;
    #[expect(clippy::cast_possible_truncation, reason = "checked against its bounds by Config::check")]
    Ok((speed * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        Config::read(Some(text))
    }

    #[test]
    fn the_contracts_example_is_read() {
        let config = read(
            r#"
            [server]
            listen = "127.0.0.1:8701"
            roles = ["api", "worker"]
            [engine]
            lease_seconds = 60
            [accounts.main]
            provider = "olading"
            url = "http://127.0.0.1:9"
            client_key = "k"
            secret = "s"
            two_factor_field = "authentication"
            [params]
            margin = "3h"
            [dev]
            enabled = true
            clock_speed = 7200.0
            epoch = "2026-01-05T09:00:00.000+08:00"
            "#,
        )
        .unwrap();
        assert_eq!(config.server.roles, [Role::Api, Role::Worker]);
        assert_eq!(config.dev.clock_speed, 7_200_000);
        assert!(config.accounts.contains_key("main"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_name() {
        let why = read("[server]\nlisten_on = \"x\"\n").unwrap_err().to_string();
        assert!(why.contains("listen_on") && why.contains("`listen`"), "{why}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_the_file_is_a_configuration_or_a_refusal(
            text in ".{0,200}",
            section in proptest::sample::select(vec!["server", "database", "blobs", "engine", "security", "accounts.main", "policies.main", "params", "dev"]),
            key in proptest::sample::select(vec!["listen", "roles", "url", "folder", "pool_size", "lease_seconds", "master_key", "provider", "secret", "margin", "clock_speed", "epoch"]),
            value in proptest::prop_oneof![".{0,20}", "-?[0-9]{1,25}", "-?[0-9]{1,5}\\.[0-9e]{1,9}", "\\[.{0,9}\\]", "\"[^\"]{0,40}\"", "nan|inf|-inf|true"],
        ) {
            proptest::prop_assume!(!text.contains("file:") && !value.contains("file:"));
            let _ = (read(&text), read(&format!("[{section}]\n{key} = {value}\n")));
        }
    }

    #[test]
    fn blobs_lie_in_the_database_unless_a_folder_is_named() {
        assert_eq!(read("").unwrap().blobs.place(), store::Blobs::Database);
        let named = read("[blobs]\nfolder = \"/srv/levee/blobs\"\n").unwrap();
        assert_eq!(named.blobs.place(), store::Blobs::Folder("/srv/levee/blobs".into()));
        for wrong in ["blobs", ""] {
            let why = read(&format!("[blobs]\nfolder = \"{wrong}\"\n")).unwrap_err().to_string();
            assert!(why.contains("blobs.folder"), "{why}");
        }
    }

    #[test]
    fn a_fast_clock_needs_dev() {
        assert!(read("[dev]\nclock_speed = 2.0\n").unwrap_err().to_string().contains("dev.enabled"));
    }

    #[test]
    fn a_secret_comes_from_a_file_and_never_prints() {
        let secret = std::env::temp_dir().join(format!("levee-secret-{}", uuid::Uuid::new_v4()));
        std::fs::write(&secret, "file-secret-content\n").unwrap();
        let config = read(&format!("[security]\nbootstrap_key = \"file:{}\"\n", secret.display())).unwrap();
        std::fs::remove_file(secret).unwrap();
        assert_eq!(config.security.bootstrap_key.as_ref().unwrap().expose_secret(), "file-secret-content");
        assert!(!format!("{config:?}").contains("file-secret-content"));
    }
}
