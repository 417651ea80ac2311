//! The far side: `levee sim`, the provider and the bank on a port of their own.

use crate::{Http, Process, binary};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub const CLIENT_KEY: &str = "system-tests";
/// Its bytes are no ASCII: the key is the text's UTF-8.
pub const SECRET: &str = "c4n4ry-provider-secret-密钥-91bd";

/// The simulators at work.
#[derive(Debug)]
pub struct Far {
    pub http: Http,
    _process: Process,
}

impl Far {
    /// `faults`: none, some, many, or a file.
    pub fn start(folder: &Path, speed: u32, epoch: &str, seed: u64, faults: &str) -> Self {
        let mut command = Command::new(binary::levee());
        command.current_dir(folder).env_clear().args([
            "sim",
            "--listen",
            "127.0.0.1:0",
            "--epoch",
            epoch,
            "--faults",
            faults,
        ]);
        command.args([
            "--speed",
            &speed.to_string(),
            "--seed",
            &seed.to_string(),
            "--client",
            &format!("{CLIENT_KEY}:{SECRET}"),
        ]);
        let mut process = Process::spawn("sim", command, folder);
        let base = process.says("simulating on ", Duration::from_secs(20));
        Self { http: Http::new(&base, None), _process: process }
    }

    /// Where callbacks of our client go.
    pub fn call_back(&self, url: &str) {
        let client = json!({"client_key": CLIENT_KEY, "secret": SECRET, "callback_url": url});
        let answer = self.http.put("/_sim/clients", &client).expect("reach the simulator");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    pub fn faults(&self, preset: &str) {
        let answer = self.http.put("/_sim/faults", &json!({"preset": preset})).expect("reach the simulator");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// Lets the far side alone go on by so many days: replays and returns come days later.
    pub fn days_pass(&self, days: u64) {
        self.http.done("/_sim/clock/advance", &json!({"seconds": days * 24 * 3600}));
    }

    /// What really happened.
    pub fn ledger(&self) -> Value {
        self.http.read("/_sim/ledger")
    }

    /// How the next payments end: `success`, `later`, `unknown`, `stuck` …
    pub fn script_bank(&self, outcome: &str, times: u32) {
        let script = json!({"outcome": outcome, "times": times});
        let answer = self.http.post("/_sim/bank/script", &script).expect("reach the simulator");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}
