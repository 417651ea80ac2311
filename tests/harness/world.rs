//! One far side, one database, one business clock, and the settings that every levee process of a test shares.

use crate::far::{self, Far};
use crate::process::{self, Done};
use crate::{Folder, Http, Levee, Postgres, Process, binary, digest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The first API key: admin of the tenant `default`.
pub const ADMIN_KEY: &str = "c4n4ry-admin-key-0123456789abcdef";
pub const MASTER_KEY: &[u8; 32] = b"c4n4ry-master-key-of-32-bytes-7d";
/// A Monday morning in Beijing.
pub const EPOCH: &str = "2026-01-05T09:00:00.000+08:00";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// How the world behaves.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Virtual seconds per real second.
    pub speed: u32,
    /// none, some, many, or a file.
    pub faults: String,
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self { speed: 600, faults: "none".into(), seed: 20_260_105 }
    }
}

#[derive(Debug)]
pub struct World {
    pub far: Far,
    pub settings: BTreeMap<String, String>,
    pub postgres: Option<Postgres>,
    speed: u32,
    pub folder: Folder,
}

impl World {
    /// With a fresh, migrated database.
    pub fn new(kind: Kind, setup: &Setup) -> Self {
        let postgres = (kind == Kind::Postgres).then(Postgres::database);
        Self::on(postgres, setup)
    }

    /// On that database, or on an SQLite file in the test's folder.
    pub fn on(postgres: Option<Postgres>, setup: &Setup) -> Self {
        let folder = Folder::new("system");
        let far = Far::start(folder.path(), setup.speed, EPOCH, setup.seed, &setup.faults);
        let url = match &postgres {
            Some(database) => database.url(),
            None => format!("sqlite://{}", folder.join("levee.db").display()),
        };
        let settings = settings(&url, &far.http.base(), setup.speed);
        let world = Self { far, settings, postgres, speed: setup.speed, folder };
        let migrated = world.run(&["migrate"]);
        assert_eq!(migrated.code, 0, "levee migrate: {}{}", migrated.out, migrated.err);
        world
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.insert(key.to_owned(), value.to_owned());
    }

    /// A `levee` command under the world's settings, environment variables only.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary::levee());
        command.current_dir(self.folder.path()).env_clear().envs(&self.settings).args(arguments);
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Done {
        process::run(arguments[0], self.command(arguments), self.folder.path(), Duration::from_secs(60))
    }

    /// `levee serve` with every role; the far side calls back to it, and both sides' clocks agree.
    #[track_caller]
    pub fn serve(&mut self) -> Levee {
        self.serve_as("serve", &["serve"])
    }

    /// The same for some roles.
    #[track_caller]
    pub fn serve_as(&mut self, name: &str, arguments: &[&str]) -> Levee {
        let mut process = Process::spawn(name, self.command(arguments), self.folder.path());
        let base = process.says("listening on ", Duration::from_secs(30));
        // Another process of the same test listens there too: callbacks must find it after a restart.
        self.set("LEVEE_SERVER__LISTEN", base.strip_prefix("http://").expect("http"));
        self.far.call_back(&format!("{base}/callbacks/main"));
        let levee = Levee { http: Http::new(&base, Some(ADMIN_KEY)), process };
        self.align(&levee);
        levee
    }

    /// A process without HTTP.
    #[track_caller]
    pub fn worker(&self, name: &str) -> Process {
        let mut process = self.spawn(name, &["worker"]);
        process.says("working", Duration::from_secs(30));
        process
    }

    /// A process as it starts, whatever becomes of it.
    pub fn spawn(&self, name: &str, arguments: &[&str]) -> Process {
        Process::spawn(name, self.command(arguments), self.folder.path())
    }

    /// Lets that much business time pass on both sides.
    #[track_caller]
    pub fn advance(&self, levee: &Levee, seconds: u64) {
        self.far.http.done("/_sim/clock/advance", &json!({"seconds": seconds}));
        levee.http.done("/v1/clock/advance", &json!({"seconds": seconds}));
    }

    /// Two programs do not start at the same moment, and a moment is minutes here: the side that lags is moved on.
    #[track_caller]
    fn align(&self, levee: &Levee) {
        let ours = millis(&levee.http.read("/v1/clock")["now"]);
        let theirs = millis(&self.far.http.read("/_sim/due")["now"]);
        let apart = (theirs - ours) / 1000;
        let body = json!({"seconds": apart.unsigned_abs()});
        match apart {
            1.. => levee.http.done("/v1/clock/advance", &body),
            ..0 => self.far.http.done("/_sim/clock/advance", &body),
            0 => Value::Null,
        };
    }

    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// No limbo, no safety audit broken, nothing else wrong (`levee doctor`).
    #[track_caller]
    pub fn sound(&self) {
        let done = self.doctor();
        let report: Value = serde_json::from_str(&done.out).unwrap_or(Value::Null);
        assert_eq!((done.code, &report["faults"]), (0, &json!(0)), "levee doctor: {}{}", done.out, done.err);
        self.safe();
    }

    /// No limbo, no safety audit broken, whatever else is wrong: for example that nobody works.
    #[track_caller]
    pub fn safe(&self) {
        let done = self.doctor();
        let report: Value = serde_json::from_str(&done.out).unwrap_or(Value::Null);
        let says = |beginning: &str| {
            let mut findings = report["findings"].as_array().into_iter().flatten();
            findings.any(|finding| {
                finding["level"] == "ok" && finding["what"].as_str().is_some_and(|what| what.starts_with(beginning))
            })
        };
        assert!(says("limbo = 0") && says("safety audits find nothing"), "{}", done.out);
    }

    fn doctor(&self) -> Done {
        self.run(&["doctor", "--json", "--offline"])
    }

    /// The files of the database.
    pub fn sqlite_files(&self) -> Vec<u8> {
        let named = |name: &str| std::fs::read(self.folder.join(name)).unwrap_or_default();
        ["levee.db", "levee.db-wal"].into_iter().flat_map(named).collect()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn settings(database: &str, provider: &str, speed: u32) -> BTreeMap<String, String> {
    let master = digest::base64(MASTER_KEY);
    let speed = speed.to_string();
    let settings = [
        ("LEVEE_DATABASE__URL", database),
        ("LEVEE_SERVER__LISTEN", "127.0.0.1:0"),
        ("LEVEE_SECURITY__MASTER_KEY", &master),
        ("LEVEE_SECURITY__BOOTSTRAP_KEY", ADMIN_KEY),
        ("LEVEE_ACCOUNTS__MAIN__PROVIDER", "olading"),
        ("LEVEE_ACCOUNTS__MAIN__URL", provider),
        ("LEVEE_ACCOUNTS__MAIN__CLIENT_KEY", far::CLIENT_KEY),
        ("LEVEE_ACCOUNTS__MAIN__SECRET", far::SECRET),
        ("LEVEE_ACCOUNTS__MAIN__CODE_ORDER_NOT_FOUND", "1404"),
        ("LEVEE_ACCOUNTS__MAIN__PAYER", "merchant"),
        ("LEVEE_ACCOUNTS__MAIN__RATE_PER_SECOND", "2000"),
        ("LEVEE_ACCOUNTS__MAIN__CONCURRENCY", "64"),
        ("LEVEE_DEV__ENABLED", "true"),
        ("LEVEE_DEV__CLOCK_SPEED", &speed),
        ("LEVEE_DEV__EPOCH", EPOCH),
    ];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Milliseconds of a time as both sides print it: RFC 3339 with milliseconds and an offset.
#[track_caller]
pub fn millis(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} is no time"));
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap_or_else(|_| panic!("{text} is no time"));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since the epoch, counted in years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    let clock = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    let (fraction, offset) = text[19..].split_at(text[19..].find(['+', '-', 'Z']).unwrap_or(0));
    let milli = format!("{:0<3}", fraction.trim_start_matches('.'))[..3].parse::<i64>().unwrap_or(0);
    let east = match offset.as_bytes() {
        [b'Z', ..] => 0,
        [sign, ..] => {
            let minutes = offset[1..3].parse::<i64>().unwrap_or(0) * 60 + offset[4..6].parse::<i64>().unwrap_or(0);
            if *sign == b'-' { -minutes } else { minutes }
        }
        [] => panic!("{text} has no offset"),
    };
    (days * 86_400 + clock - east * 60) * 1000 + milli
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(millis(&json!("1970-01-01T00:00:00.000Z")), 0);
        assert_eq!(millis(&json!("2026-01-05T09:00:00.250+08:00")), 1_767_574_800_250);
        assert_eq!(millis(&json!("2024-02-29T23:59:59+00:00")), 1_709_251_199_000);
    }
}
