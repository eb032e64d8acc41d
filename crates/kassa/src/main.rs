//! kassa, the program: arguments, configuration, wiring, shutdown.
#![warn(clippy::print_stderr)]
#![expect(unreachable_pub, reason = "a program has no public interface; `pub` marks the interfaces between its modules")]

#[macro_use]
mod say;

mod away;
mod budget;
mod cli;
mod command;
mod diagnostics;
mod doctor;
mod failure;
mod feed;
mod jobs;
mod output;
mod proof;
mod schemas;
mod server;
mod settings;
mod sinks;
mod top;
mod warehouse;
mod wiring;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, ConfigCommand, DeadLetters, JobCommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // The program contains two cryptography providers, so rustls needs an explicit choice. This
    // only fails if it is called twice.
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap_or_default();
    diagnostics::start();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

/// A mistake in the arguments, which may be names of files that somebody else chose. Help is printed as clap does.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    say!("{}", error.render().to_string().trim_end());
    ExitCode::from(2)
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => command::demo::demo(&args),
        Command::Run(args) => command::run::run(&args),
        Command::Replay(args) => command::replay::replay(&args),
        Command::Repair(args) => command::repair::repair(&args),
        Command::Rebuild(args) => command::rebuild::rebuild(&args),
        Command::Figures(args) => command::figures::figures(&args),
        Command::Sql(args) => command::sql::sql(&args),
        Command::Prove(args) => command::prove::prove(&args),
        Command::DeadLetters(DeadLetters::List(args)) => command::dead_letters::list(&args),
        Command::DeadLetters(DeadLetters::Show(args)) => command::dead_letters::show(&args),
        Command::DeadLetters(DeadLetters::Replay(args)) => command::dead_letters::replay(&args),
        Command::Simulate(args) => command::simulate::simulate(&args),
        Command::Migrate(args) => command::migrate::migrate(&args),
        Command::Job(JobCommand::List(args)) => command::job::list(&args),
        Command::Job(JobCommand::Run(args)) => command::job::run(&args),
        Command::Check(args) => command::check::check(&args),
        Command::Doctor(args) => command::doctor::doctor(&args),
        Command::Top(args) => command::top::top(&args),
        Command::Config(ConfigCommand::Show(args)) => command::config::show(&args),
        Command::Config(ConfigCommand::Schema) => command::config::schema(),
    }
}
