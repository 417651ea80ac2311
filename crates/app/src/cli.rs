//! The commands of the contract, and where each leads.

use crate::config::{Config, Role};
use crate::{bench, client, demo, doctor, migrate, serve, sim, simulate, workflow};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Payouts and their tax levy, driven durably: nothing lost, nothing done twice, nothing in limbo.
#[derive(Parser)]
#[command(name = "levee", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// The configuration; default: levee.toml, if there is one. Every key is also an environment variable LEVEE_SECTION__KEY.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Machine-readable output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// More log lines (levee=info); the environment variable RUST_LOG is finer.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The main job on your machine: simulators, a server, a payday file, 72 hours in seconds.
    Demo(demo::Demo),
    /// The same stack kept running, for exploring.
    Up(demo::Up),
    /// The product.
    Serve(Serve),
    /// `serve --roles worker,scheduler`.
    Worker(ReconcileOnly),
    /// The provider and bank simulators alone.
    Sim(sim::Sim),
    /// The whole system in one process on virtual time, from a seed: crashes, pauses, faults; and nothing may go wrong.
    Simulate(simulate::Simulate),
    /// What a durable step costs: rates, latency, processor time, flushes, log bytes.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Brings the database's schema up to date.
    Migrate,
    /// What is wrong, and what to do about it.
    Doctor(doctor::Doctor),
    /// Levy orders, through the admin API.
    #[command(subcommand)]
    Order(client::Order),
    /// Payday files, through the admin API.
    #[command(subcommand)]
    Batch(client::Batch),
    /// Remits, through the admin API.
    #[command(subcommand)]
    Remit(client::Remit),
    /// Invitations to sign (签约), through the admin API.
    #[command(subcommand)]
    SignUp(client::SignUp),
    /// Documents of people and payments (资料), through the admin API.
    #[command(subcommand)]
    Document(client::Document),
    /// Cases, through the admin API.
    #[command(subcommand)]
    Case(client::Case),
    /// API keys, through the admin API.
    #[command(subcommand)]
    Key(client::Key),
    /// The process book: states, arrows, timings.
    #[command(subcommand)]
    Workflow(workflow::Workflow),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Which roles this process has; default: server.roles.
    #[arg(long, value_delimiter = ',', value_name = "ROLES")]
    pub(crate) roles: Option<Vec<Role>>,
    #[command(flatten)]
    pub(crate) after: ReconcileOnly,
}

#[derive(Args)]
pub(crate) struct ReconcileOnly {
    /// After a restore or failover: queries and callbacks only (I28). Restart without it once `levee doctor` says that no call is
    /// in doubt; it does not end by itself.
    #[arg(long)]
    pub(crate) reconcile_only: bool,
}

/// What went wrong, as the contract's exit code 3: the server or the database cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreachable(pub(crate) String);

pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let config = || Config::load(cli.config.as_deref());
    let output = client::Output { json: cli.json };
    match cli.command {
        Command::Demo(demo) => demo.run(&output).await,
        Command::Up(up) => up.run().await,
        Command::Serve(Serve { roles, after }) => serve::run(config()?, roles, after.reconcile_only).await,
        Command::Worker(after) => {
            serve::run(config()?, Some(vec![Role::Worker, Role::Scheduler]), after.reconcile_only).await
        }
        Command::Sim(sim) => sim.run().await,
        Command::Simulate(simulate) => tokio::task::block_in_place(|| simulate.run(&output)),
        Command::Bench(bench) => bench.run(&output).await,
        Command::Migrate => migrate::run(&config()?).await,
        Command::Doctor(doctor) => doctor.run(cli.config.as_deref(), &output).await,
        Command::Order(order) => order.run(&client::Remote::from_environment()?, &output).await,
        Command::Batch(batch) => batch.run(&client::Remote::from_environment()?, &output).await,
        Command::Remit(remit) => remit.run(&client::Remote::from_environment()?, &output).await,
        Command::SignUp(sign_up) => sign_up.run(&client::Remote::from_environment()?, &output).await,
        Command::Document(document) => document.run(&client::Remote::from_environment()?, &output).await,
        Command::Case(case) => case.run(&client::Remote::from_environment()?, &output).await,
        Command::Key(key) => key.run(&client::Remote::from_environment()?, &output).await,
        Command::Workflow(workflow) => workflow.run(&output),
    }
}

/// 1 the work failed, 3 cannot reach the server or database; 2 (usage) is clap's own.
pub(crate) fn code_of(why: &anyhow::Error) -> u8 {
    let unreachable = why.chain().any(|cause| {
        cause.is::<Unreachable>() || matches!(cause.downcast_ref::<store::Error>(), Some(store::Error::Unavailable))
    });
    if unreachable { 3 } else { 1 }
}

/// JSON lines for the product, plain warnings for tools. Never a body, never a person.
pub(crate) fn log(cli: &Cli) {
    use tracing_subscriber::EnvFilter;
    let serving = matches!(cli.command, Command::Serve(_) | Command::Worker(_));
    // The demo's faults are on purpose: their alarms would only hide its closing table.
    let demo = matches!(cli.command, Command::Demo(_) | Command::Up(_) | Command::Simulate(_));
    let default = match () {
        () if serving || cli.verbose => "info,sqlx=warn,hyper=warn",
        () if demo => "off",
        () => "error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if serving { subscriber.json().init() } else { subscriber.init() }
}
