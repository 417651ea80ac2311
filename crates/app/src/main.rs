//! `levee`: the one binary. Roles, commands, configuration, wiring.

mod bench;
mod cli;
mod config;
mod wiring;
mod serve;
mod sim;
mod simulate;
mod migrate;
mod doctor;
mod client;
mod show;
mod workflow;
mod demo;

use clap::Parser;
use std::process::ExitCode;

/// Every turn reads and writes small JSON: a quarter of the time went to the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli::log(&cli);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else {
        eprintln!("levee: the operating system gave no threads");
        return ExitCode::from(1);
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("levee: {why:#}");
            ExitCode::from(cli::code_of(&why))
        }
    }
}
