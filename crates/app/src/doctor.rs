//! `levee doctor`: what is wrong, and what to do about it. Names every fault it can find, not only the first.

mod report;
mod configuration;
mod database;
mod accounts;
mod standing;

use crate::client::Output;
use crate::wiring;
use anyhow::Result;
use clap::Args;
use providers::Transport;
use report::Report;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Asks no provider anything.
    #[arg(long)]
    pub(crate) offline: bool,
}

impl Doctor {
    /// 0 no fault, 1 faults, 3 the database cannot be reached.
    pub(crate) async fn run(self, config_file: Option<&Path>, out: &Output) -> Result<ExitCode> {
        let report = self.examine(config_file, &crate::config::environment()).await;
        report.print(out);
        Ok(report.code())
    }

    async fn examine(&self, file: Option<&Path>, environment: &[(String, String)]) -> Report {
        let mut report = Report::default();
        let config = configuration::examine(&mut report, file, environment);
        let clock = wiring::host_clock();
        let store = database::examine(&mut report, &config, &clock).await;
        let transport = if self.offline { None } else { Transport::http().ok() };
        if transport.is_none() && !self.offline {
            report.fault(
                "the HTTP client cannot be made",
                "check the TLS set-up of this machine; --offline goes on without it",
            );
        }
        accounts::examine(&mut report, &config, transport.as_ref(), store.as_ref(), &clock).await;
        if let Some(store) = store {
            standing::examine(&mut report, &config, &store, &clock).await;
            store.close().await;
        }
        report
    }
}

#[cfg(test)]
mod tests;
