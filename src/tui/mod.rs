//! The dashboard put together: the loop, the terminal guard, effects.

mod commands;
mod effects;
mod failpoint;
mod handover;
mod jobs_file;
mod message;
mod run;
mod signals;
mod sources;
mod terminal;

pub use crate::ui::theme;

use crate::engine::token::Tokens;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::event::Now;
use crate::app::keys::Keymap;
use crate::app::{App, Options};
use crate::config::user::User;
use crate::config::{ConfigError, JobsFile};
use crate::domain::clean::Clean;
use crate::domain::clock::Clock;
use crate::domain::fact::{Ending, Fact};
use crate::domain::field::Field;
use crate::domain::hook::Hook;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::service::Service;
use crate::domain::stats::Counts;
use crate::engine::saved::{OpenStore, Results};
use crate::engine::{self, Engine, Purpose, Setup};
use crate::exit::{Signal, Trouble};
use crate::logging::Line;
use crate::run::hooks::{self, HookRunner, Surroundings};
use crate::session::exporter::Exporter;
use crate::session::owners::Owners;
use crate::session::reload::Reloads;
use crate::stderr;
use crate::ui::theme::Theme;
use commands::Commands;
use effects::clipboard::Place;
use effects::notify::Notifier;
use effects::{Config, EffectRunner};
use run::{Dashboard, End};
use sources::{Own, Sources};
use terminal::Guard;
use terminal::input::Reader;

/// What the dashboard starts with. Tokens are asked for beforehand: a command that gives one may need the terminal.
#[derive(Debug)]
pub struct Start {
    /// The jobs file, or what is wrong with it: that is shown then, and nothing is read.
    pub batch: Result<Batch, ConfigError>,
    /// The state directory.
    pub state: PathBuf,
    /// The user's own settings.
    pub user: User,
    /// The keys in force, those of commands among them.
    pub keymap: Keymap,
    /// The same without commands: those of a changed jobs file are added to it.
    pub own_keys: Keymap,
    /// How it looks.
    pub theme: Theme,
    /// Lines for the log pane.
    pub log: UnboundedReceiver<Line>,
    /// Writes results out as they arrive.
    pub exporter: Option<Exporter>,
}

/// A jobs file and what is needed to read its jobs.
#[derive(Debug)]
pub struct Batch {
    /// The jobs file.
    pub file: JobsFile,
    /// The token of each of its services, or why there is none.
    pub services: Tokens,
    /// What is saved.
    pub results: Results,
    /// The same, opened to poll with; None where the jobs come from the disk.
    pub store: Option<OpenStore>,
    /// Where the jobs come from.
    pub origin: Origin,
}

/// Where the jobs of a dashboard come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A jobs file, which is watched.
    File,
    /// A demo's own, which is watched as well, and gone afterwards.
    Demo,
    /// The disk: these, as they are known; nothing is polled.
    Disk {
        /// What they are called together.
        batch: String,
        /// The jobs.
        jobs: Vec<(Arc<Job>, Arc<Observation>)>,
    },
}

impl Batch {
    /// What the header calls it, and under what name its view is kept.
    fn title(&self) -> PathBuf {
        match &self.origin {
            Origin::File => self.file.path.clone(),
            Origin::Demo => PathBuf::from("demo"),
            Origin::Disk { batch, .. } => PathBuf::from(format!("batch {}", batch.replace('/', "_"))),
        }
    }
}

/// How the dashboard ended; `exit::exit_code` makes the exit code of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// What went wrong with the run itself.
    pub trouble: Option<Trouble>,
    /// What the batch has come to, in one line.
    pub farewell: Option<String>,
    /// All jobs as they were last known.
    pub jobs: Counts,
}

/// Why there is no dashboard: a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Runs the dashboard on this (single-threaded) runtime until the user leaves it. The terminal is given back when it
/// returns, and what the user has to know is said on standard error.
pub async fn run(start: Start) -> Result<Outcome, StartError> {
    let outcome = match dashboard(start).await {
        Ok(end) => end,
        Err(error) => return Err(error),
    };
    let (outcome, messages) = summed_up(outcome);
    for message in messages {
        stderr::line(&format!("jobdeck: {message}"));
    }
    Ok(outcome)
}

async fn dashboard(start: Start) -> Result<End, StartError> {
    let started = Instant::now();
    let no_terminal = |error: io::Error| {
        StartError(format!("failed to take the terminal: {error}. Use `jobdeck watch` where there is none."))
    };
    let (inputs, inbox) = unbounded_channel();
    signals::listen(inputs.clone()).map_err(no_terminal)?;
    let view = start.batch.as_ref().ok().map(|batch| effects::files::view_path(&start.state, &batch.title()));
    let guard = Guard::take().map_err(no_terminal)?;
    let screen = terminal::screen().map_err(no_terminal)?;
    let reader = Reader::start(inputs.clone()).map_err(no_terminal)?;
    let ways =
        effects::clipboard::ways(&start.user.clipboard, Place::from_environment(), effects::clipboard::is_on_path);
    let app = App::new(Options {
        file: match &start.batch {
            Ok(batch) => Ok(Clean::new(&file_name(&batch.title()))),
            Err(error) => Err(error.to_string().lines().map(Clean::new).collect()),
        },
        jobs: start.batch.as_ref().map_or(0, |batch| u32::try_from(batch.file.jobs.len()).unwrap_or(u32::MAX)),
        keymap: start.keymap,
        copies_by: Clean::from(effects::clipboard::in_words(&ways)),
        columns: start.batch.as_ref().map(|batch| columns(&batch.file.services)).unwrap_or_default(),
        zone: TimeZone::system(),
        view: view.as_deref().and_then(|path| std::fs::read_to_string(path).ok()),
        size: crossterm::terminal::size().unwrap_or((80, 24)),
        now: Now { wall: Timestamp::now(), mono: started.elapsed() },
    });
    let own_hooks = start.user.hooks;
    let own = Own { keymap: start.own_keys, commands: start.user.commands };
    let commands = Commands::new(
        inputs.clone(),
        start.batch.as_ref().ok().map(|batch| batch.results.clone()),
        start.state.clone(),
        start.batch.as_ref().map(|batch| batch.file.path.clone()).unwrap_or_default(),
    );
    let effects = EffectRunner::new(Config {
        store: start.batch.as_ref().ok().map(|batch| batch.results.clone()),
        services: start.batch.iter().flat_map(|batch| batch.file.services.clone()).collect(),
        state: start.state,
        view,
        clipboard: start.user.clipboard,
        notifier: Notifier::new(start.user.notify),
        inputs: inputs.clone(),
    });
    let mut dashboard =
        Dashboard::new(app, start.theme, screen, guard, reader, effects, commands, own, started, inputs);
    dashboard.draw_if_due();
    let (says, facts) = unbounded_channel();
    let store = start.batch.as_ref().ok().and_then(|batch| batch.store.clone());
    let (reloads, hooks) = match start.batch {
        Ok(batch) => {
            let (engine, reloads, hooks) = begin(batch, own_hooks, says)?;
            dashboard.effects.set_engine(engine);
            (reloads, hooks)
        }
        Err(_) => (Reloads::default(), None),
    };
    let owners = Owners::default();
    let exporter = start.exporter;
    let mut sources = Sources { inputs: inbox, facts, log: start.log, reloads, owners, exporter, hooks };
    dashboard.run(&mut sources).await;
    let mut end = dashboard.leave();
    if let Some(exporter) = sources.exporter.take() {
        end.not_exported = exporter.finish().await;
    }
    if let Some(hooks) = sources.hooks.take() {
        hooks.leave().await;
    }
    if let Some(store) = store {
        store.close().await;
    }
    Ok(end)
}

/// Starts what tells of the jobs, what watches their file, and what runs hooks.
fn begin(
    batch: Batch,
    own_hooks: Vec<Arc<Hook>>,
    facts: UnboundedSender<Fact>,
) -> Result<(Engine, Reloads, Option<HookRunner>), StartError> {
    let Batch { file, services, results, store, origin } = batch;
    let (reloads, store) = match (origin, store) {
        (Origin::File | Origin::Demo, Some(store)) => (Reloads::of(&file, &services, own_hooks.clone()), store),
        (Origin::Disk { jobs, .. }, _) => {
            return Ok((engine::view::start(results, jobs, facts), Reloads::default(), None));
        }
        (Origin::File | Origin::Demo, None) => {
            return Err(StartError("internal error: the store was not opened to poll with".to_owned()));
        }
    };
    let JobsFile { poll, jobs, hooks, .. } = file;
    let hooks: Vec<_> = hooks.into_iter().chain(own_hooks).collect();
    let secrets = hooks::secrets(services.iter().map(|(service, _)| service));
    let around = Surroundings { queue: store.hook_queue(), results, secrets, say: None };
    let runner = HookRunner::start(hooks.clone(), around);
    let (seed, clock) = (fastrand::u64(..), Clock::new(Timestamp::now));
    let setup = Setup { purpose: Purpose::Dashboard, poll, services, jobs, hooks, store, seed, clock };
    let engine = engine::start(setup, facts).map_err(|error| StartError(error.to_string()))?;
    Ok((engine, reloads, Some(runner)))
}

/// The fields that are columns of the list, each name once.
fn columns(services: &[Arc<Service>]) -> Vec<Field> {
    let mut columns: Vec<Field> = Vec::new();
    for field in services.iter().flat_map(|service| service.fields.iter()).filter(|field| field.column) {
        if columns.iter().all(|column| column.name != field.name) {
            columns.push(field.clone());
        }
    }
    columns
}

/// What the header calls a jobs file.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What came of it, and what the user has to know of that.
fn summed_up(end: End) -> (Outcome, Vec<String>) {
    let farewell = end.farewell;
    let Ending { abandoned, rescued, lost, store_failed } = end.ending.unwrap_or_default();
    let mut messages = Vec::new();
    if !lost.is_empty() {
        messages.push(format!("{} response(s) could be saved nowhere: their results are lost", lost.len()));
    }
    for path in &rescued {
        let path = path.display();
        messages.push(format!(
            "a result that the state directory did not take was written to {path}\nleave it there: jobdeck takes it up when \
             it is started again from this directory"
        ));
    }
    for failed in end.not_exported {
        messages.push(format!("not exported, tried again at the next start: {failed}"));
    }
    if !abandoned.is_empty() {
        let names: Vec<_> =
            abandoned.iter().filter_map(|ix| end.jobs.get(ix)).map(|(job, _)| Clean::from(job.label())).collect();
        let shown: Vec<_> = names.iter().take(20).map(Clean::as_str).collect();
        let more = names.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        messages.push(format!(
            "left without waiting for {} read(s) that can be made only once; these results may be lost: {}{more}",
            abandoned.len(),
            shown.join(", ")
        ));
    }
    if store_failed {
        messages.push("the state directory could not be written to the end; see the log in it".to_owned());
    }
    if let Some(why) = &end.terminal_lost {
        messages.push(format!("left because the terminal is lost: {why}; the polls in flight were finished and saved"));
    }
    if end.broken {
        messages.push("this was a fault of jobdeck's own; the reads in flight were finished and saved".to_owned());
    }
    let trouble = (end.broken || store_failed).then_some(Trouble::Internal);
    let mut jobs = Counts::default();
    for (_, known) in end.jobs.values() {
        jobs.add(known);
    }
    (Outcome { signal: end.signal, trouble, farewell, jobs }, messages)
}
