//! The headless commands put together, one file each.

use std::ffi::OsString;
use std::io::{self, IsTerminal};

use clap::{CommandFactory, Parser};

use args::{Args, Command, Watch};
use failure::Failure;
use output::Out;

use crate::config;
use crate::domain::clean::is_harmless;
use crate::stderr::Stderr;

pub mod args;
pub mod commands;
pub mod csv;
mod event_lines;
mod failure;
mod field_table;
mod follow;
mod job_list;
mod job_text;
mod locale;
mod odd;
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
    if let Some(Command::Demo(demo)) = &args.command
        && demo.serve
    {
        return commands::demo::serve(demo);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("failed to start the runtime: {error}")))?;
    let code = runtime.block_on(async {
        signals::survive_file_size_limit();
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
            commands::watch::run(&common, Watch::plain()).await
        };
    };
    match command {
        Command::Demo(demo) => commands::demo::run(&common, &demo).await,
        Command::Watch(watch) => commands::watch::run(&common, watch).await,
        Command::Once(once) => commands::once::run(&common, once).await,
        Command::Run(wanted) => commands::run::run(&common, &wanted).await,
        Command::Status(status) => commands::status::run(&common, status).await,
        Command::Stats(stats) => commands::stats::run(&common, stats).await,
        Command::Batches(wanted) => commands::batches::run(&common, &wanted).await,
        Command::Open { batch } => commands::dashboard::open(&common, &batch, exit_status).await,
        Command::Forget(wanted) => commands::forget::run(&common, wanted).await,
        Command::Compare(wanted) => commands::compare::run(&common, wanted).await,
        Command::Report(report) => commands::report::run(&common, report).await,
        Command::Show(show) => commands::show::run(&common, show).await,
        Command::Export(export) => commands::export::run(&common, export).await,
        Command::Add(add) => {
            let file = config::locate(common.named())?;
            let wanted = commands::add::Wanted {
                service: &add.service,
                ids: &add.ids,
                name: add.name.as_deref(),
                tags: &add.tags,
                batch: add.batch.as_deref().map(str::trim),
            };
            printed(|out, err| commands::add::run(&file, &wanted, &mut io::stdin().lock(), out, err))
        }
        Command::Check(check) => commands::online::run(&common, &check).await,
        Command::Init { provider } => printed(|_, err| commands::init::run(common.named(), provider.as_deref(), err)),
        Command::Schema => printed(|out, _| commands::schema::run(out)),
        Command::Paths => printed(|out, _| commands::paths::run(common.named(), common.state_dir.as_deref(), out)),
        Command::Providers { name } => commands::providers::run(name.as_deref(), common.named()),
        Command::Store(wanted) => commands::store::run(&common, wanted).await,
        Command::Keys => commands::keys::run(&common),
        Command::Complete { what } => commands::completions::names(&common, what),
        Command::Completions { shell } => commands::completions::run(&mut Args::command(), shell),
        Command::Man => commands::man::run(Args::command(), &common),
        Command::Reference => commands::reference::run(Args::command()),
    }
}

/// Runs a command that writes to what it is given.
fn printed(command: impl FnOnce(&mut Out, &mut Stderr) -> io::Result<u8>) -> Result<u8, Failure> {
    let mut out = Out::new();
    let code = command(&mut out, &mut Stderr::default())?;
    out.flush()?;
    Ok(code)
}
