//! The headless commands put together, one file each.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use clap::{CommandFactory, Parser};

use args::{Args, CliCommand, WatchArgs};
use failure::Failure;
use output::StdoutWriter;

use crate::config;
use crate::domain::clean::is_harmless;
use crate::stderr::Stderr;

pub mod args;
pub mod commands;
pub mod csv;
mod event_lines;
mod failure;
mod field_docs;
mod field_table;
mod follow;
mod job_list;
mod job_text;
mod locale;
mod odd_rows;
mod open;
mod output;
mod programs;
mod resolve;
mod setup;
mod signals;
mod stop;
mod style;
mod team_store;

/// Reads the command line, runs the command and says what went wrong; returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return explain(&error),
    };
    match execute(args) {
        Ok(code) => code,
        Err(failure) => {
            output::say_error(&failure.to_string());
            failure.kind.exit_code()
        }
    }
}

/// Help and version are data: exit code 0. Anything else is a usage error: 2.
fn explain(error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    if text.lines().all(|line| line.chars().all(is_harmless)) {
        let _ = error.print();
    } else {
        // It repeats the arguments, which may be foreign text.
        output::say(&text);
    }
    if error.use_stderr() { 2 } else { 0 }
}

fn execute(args: Args) -> Result<u8, Failure> {
    if let Some(CliCommand::Demo(demo)) = &args.command
        && demo.serve
    {
        return commands::demo::serve(demo);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("failed to start the runtime: {error}")))?;
    let code = runtime.block_on(async {
        signals::begin();
        command(args).await
    });
    // A token command or a look-up that nobody waits for any more must not keep the program from ending.
    runtime.shutdown_background();
    code
}

async fn command(args: Args) -> Result<u8, Failure> {
    let Args { common, exit_status, command } = args;
    let Some(command) = command else {
        return if io::stdout().is_terminal() {
            commands::dashboard::run(&common, exit_status).await
        } else {
            commands::watch::run(&common, WatchArgs::plain()).await
        };
    };
    match command {
        CliCommand::Demo(demo) => commands::demo::run(&common, &demo).await,
        CliCommand::Watch(watch) => commands::watch::run(&common, watch).await,
        CliCommand::Once(once) => commands::once::run(&common, once).await,
        CliCommand::Run(wanted) => commands::run::run(&common, &wanted).await,
        CliCommand::Status(status) => commands::status::run(&common, status).await,
        CliCommand::Stats(stats) => commands::stats::run(&common, stats).await,
        CliCommand::Batches(wanted) => commands::batches::run(&common, &wanted).await,
        CliCommand::Open { batch } => commands::dashboard::open(&common, &batch, exit_status).await,
        CliCommand::Forget(wanted) => commands::forget::run(&common, wanted).await,
        CliCommand::Compare(wanted) => commands::compare::run(&common, wanted).await,
        CliCommand::Report(report) => commands::report::run(&common, report).await,
        CliCommand::Show(show) => commands::show::run(&common, show).await,
        CliCommand::Export(export) => commands::export::run(&common, export).await,
        CliCommand::Add(add) => {
            let file = config::locate(common.named())?;
            printed(|out, err| commands::add::run(&file, &add, common.verbose > 0, &mut io::stdin().lock(), out, err))
        }
        CliCommand::Check(check) => commands::check::run(&common, &check).await,
        CliCommand::Init { provider } => {
            printed(|_, err| commands::init::run(common.named(), provider.as_deref(), err))
        }
        CliCommand::Schema => printed(|out, _| commands::schema::run(out)),
        CliCommand::Paths => printed(|out, _| commands::paths::run(common.named(), common.state_dir.as_deref(), out)),
        CliCommand::Providers { name } => commands::providers::run(name.as_deref(), common.named()),
        CliCommand::Store(wanted) => commands::store::run(&common, wanted).await,
        CliCommand::Keys => commands::keys::run(&common),
        CliCommand::Complete { what } => commands::completions::names(&common, what).await,
        CliCommand::Completions { shell } => commands::completions::run(&Args::command(), shell),
        CliCommand::Man => commands::man::run(Args::command(), &common),
        CliCommand::Reference => commands::reference::run(Args::command()),
    }
}

/// Runs a command that writes to what it is given.
fn printed(command: impl FnOnce(&mut StdoutWriter, &mut Stderr) -> io::Result<u8>) -> Result<u8, Failure> {
    let mut out = StdoutWriter::new();
    let code = command(&mut out, &mut Stderr::default())?;
    out.flush()?;
    Ok(code)
}
