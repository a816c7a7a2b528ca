//! `jobdeck run NAME`: a command of the user's own over jobs, without a screen.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use jiff::Timestamp;

use crate::cli::args::CommonArgs;
use crate::cli::failure::Failure;
use crate::cli::odd_rows;
use crate::cli::output::{self, StdoutWriter};
use crate::cli::signals::Signals;
use crate::domain::clean::Clean;
use crate::domain::command::{Marked, UserCommand};
use crate::domain::human::counted;
use crate::engine::token::Prompts;
use crate::exit::Signal;
use crate::run::batch::{self, CommandTarget, Finished, RunContext};
use crate::run::clean_up;
use crate::session::open;
use crate::session::select::{self, KnownJob};
use crate::session::settings;
use clap::Args;

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The name of the command
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only jobs that this filter matches
    #[arg(long, value_name = "FILTER")]
    pub filter: Option<String>,
    /// Also for jobs that were sent again already, by a command with `adds`
    #[arg(long)]
    pub again: bool,
    /// Without the question that `confirm = true` asks on a terminal
    #[arg(long)]
    pub yes: bool,
}

/// How many jobs are named that are left out.
const NAMED: usize = 5;

/// Runs it: 0 where every run went well, 1 where one did not.
pub async fn run(common: &CommonArgs, wanted: &RunArgs) -> Result<u8, Failure> {
    let file = common.jobs_file()?;
    let (user, keymap) = settings::read()?;
    let commands = settings::commands(&user, Some(&file), &keymap)?.1;
    let command = named(&commands, &wanted.name)?;
    let filter = select::filter(wanted.filter.as_deref(), &file.services)?;
    let store = common.results().await?;
    let now = Timestamp::now();
    let entries = select::of_file(&store, &file.jobs).await?;
    odd_rows::say(&entries);
    let chosen = select::matching(&store, entries, filter.as_ref(), now).await?;
    let all = chosen.len();
    let meant = select::matches(&store, chosen, &command.when, now).await?;
    if meant.len() < all {
        let when = Clean::new(command.when.source());
        output::say_error(&format!("{} of {all} left out: `{}` is for `{when}`", all - meant.len(), command.name));
    }
    let is_new = |entry: &KnownJob| wanted.again || command.adds.is_none() || !entry.known.sent_again;
    let (meant, sent_again): (Vec<_>, Vec<_>) = meant.into_iter().partition(is_new);
    if !sent_again.is_empty() {
        let count = sent_again.len();
        output::say_error(&format!("{count} of {all} left out: sent again already; --again sends them once more"));
    }
    if meant.is_empty() {
        return Err(nothing_to_do(command));
    }
    if command.marked == Marked::Refuse && meant.len() > 1 {
        let name = &command.name;
        return Err(Failure::usage(format!("`{name}` is for one job at a time")).help("narrow the filter to one"));
    }
    let jobs = counted(meant.len(), "job");
    if command.confirm
        && !wanted.yes
        && io::stdin().is_terminal()
        && !output::ask(&format!("{} {jobs}?", Clean::new(&command.name)))?
    {
        output::say("nothing was run");
        return Ok(1);
    }
    let mut signals = Signals::listen()?;
    let state = common.state_dir()?;
    clean_up(&state);
    // Only what sends jobs again has something to note.
    let written = if command.adds.is_some() { Some(open::store(&state, common.log())?) } else { None };
    let notes = written.as_ref().map(|(store, said)| {
        said.iter().for_each(|note| output::say_error(note));
        store.notes()
    });
    let services = file.services.iter().map(|service| (Arc::clone(&service.name), Arc::clone(service))).collect();
    let leaving = Arc::new(AtomicBool::new(false));
    let around = RunContext {
        store: Some(store.clone()),
        notes,
        services,
        state,
        file: file.path.clone(),
        prompts: Prompts::Allowed,
        leaving: Arc::clone(&leaving),
    };
    let targets = meant.into_iter().map(|KnownJob { job, known, .. }| CommandTarget { job, known }).collect();
    let mut runs = pin!(batch::run(Arc::clone(command), targets, Arc::new(around)));
    let (mut failed, mut left_out, mut ran) = (0_usize, 0_usize, 0_usize);
    let (mut ended_by, mut out) = (None::<Signal>, StdoutWriter::new());
    loop {
        tokio::select! {
            biased;
            signal = signals.next() => {
                if ended_by.is_some() {
                    output::say_error(&format!("{signal} again: what still runs is killed"));
                    break;
                }
                ended_by = Some(signal);
                leaving.store(true, Ordering::Relaxed);
                output::say_error(&format!("{signal}: waiting for what runs (a signal now kills it)"));
            }
            finished = runs.next() => match finished {
                Some(finished) if finished.is_left_out() => {
                    left_out += 1;
                    if left_out <= NAMED {
                        output::say_error(&format!("{}: {}", finished.of, finished.sentence()));
                    }
                }
                Some(finished) => {
                    ran += 1;
                    failed += usize::from(!finished.is_good());
                    report(command, &finished, &mut out)?;
                }
                None => break,
            }
        }
    }
    out.flush()?;
    if let Some((store, _)) = written {
        store.close().await;
    }
    if left_out > NAMED {
        output::say_error(&format!("and {} more left out", left_out - NAMED));
    }
    if failed > 0 {
        output::say_error(&format!("{} failed", counted(failed, "run")));
    }
    if ran == 0 && ended_by.is_none() {
        return Err(nothing_to_do(command));
    }
    Ok(ended_by.map_or(u8::from(failed > 0), Signal::exit_code))
}

fn nothing_to_do(command: &UserCommand) -> Failure {
    Failure::usage(format!("there is no job to run `{}` for", command.name)).help("`jobdeck status` lists them")
}

fn named<'a>(commands: &'a [Arc<UserCommand>], name: &str) -> Result<&'a Arc<UserCommand>, Failure> {
    commands.iter().find(|command| &*command.name == name).ok_or_else(|| {
        let names: Vec<&str> = commands.iter().map(|command| &*command.name).collect();
        let known = if names.is_empty() {
            "[[commands]] in the jobs file or in config.toml defines one".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        Failure::usage(format!("there is no command `{}`", Clean::new(name))).help(known)
    })
}

/// What it printed, or the jobs that came of it, to standard output; the rest to standard error.
fn report(command: &UserCommand, finished: &Finished, out: &mut StdoutWriter) -> Result<(), Failure> {
    finished.log(&command.name);
    if let Ok(ended) = &finished.result
        && command.adds.is_none()
    {
        out.write_all(&ended.out.bytes)?;
    }
    if let Some(Ok(added)) = &finished.added {
        for label in &added.added {
            out.line(&Clean::new(label))?;
        }
    }
    out.flush()?;
    output::say_error(&format!("{}: {}", finished.of, finished.sentence()));
    Ok(())
}
