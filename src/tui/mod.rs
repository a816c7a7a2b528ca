//! The dashboard put together: the loop, the terminal guard, effects.

mod effects;
mod failpoint;
mod handover;
mod jobs_file;
mod message;
mod own_commands;
mod run;
mod signals;
mod sources;
mod terminal;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::event::Now;
use crate::app::keys::Keymap;
use crate::app::{App, DashboardOptions};
use crate::child;
use crate::config::user::{Notify, User};
use crate::config::{ConfigError, JobsFile};
use crate::domain::clean::Clean;
use crate::domain::fact::{Ending, Fact};
use crate::domain::field::Field;
use crate::domain::human::counted;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::service::Service;
use crate::domain::stats::StateCounts;
use crate::engine::saved::OpenStore;
use crate::engine::saved::Results;
use crate::engine::{self, Engine, Purpose};
use crate::exit::{FailureKind, Signal};
use crate::logging::LoggedEvent;
use crate::run::hooks::{self, HookContext, HookRunner};
use crate::session::batch::Batch;
use crate::session::exporter::Exporter;
use crate::session::owners::PollOwners;
use crate::session::reload::Reloads;
use crate::stderr;
use crate::ui::theme::Theme;
use effects::clipboard::ClipboardHost;
use effects::notify::Notifier;
use effects::{Config, EffectRunner};
use own_commands::Commands;
use run::{Dashboard, End};
use sources::{Sources, UserSettings};
use terminal::Guard;
use terminal::input::InputReader;

/// What the dashboard starts with. Tokens are asked for beforehand: a command that gives one may need the terminal.
#[derive(Debug)]
pub struct Start {
    /// The jobs, or what is wrong with the jobs file: that is shown then, and nothing is polled.
    pub shown: Result<DashboardSource, ConfigError>,
    pub state: PathBuf,
    pub user: User,
    /// The keys, those of commands among them.
    pub keymap: Keymap,
    /// The same without commands: those of a changed jobs file are added to it.
    pub own_keys: Keymap,
    pub theme: Theme,
    /// Lines for the log pane.
    pub log: UnboundedReceiver<LoggedEvent>,
    /// Writes results out as they arrive.
    pub exporter: Option<Exporter>,
}

/// What a dashboard shows.
#[derive(Debug)]
pub enum DashboardSource {
    /// The jobs of a jobs file, which is watched.
    File(Batch),
    /// The jobs of a demo: its file is watched as well, and gone afterwards.
    Demo(Batch),
    /// A batch as it was saved; nothing is polled.
    Saved {
        /// What its jobs are called together.
        name: String,
        /// The services that they are of.
        file: JobsFile,
        results: Results,
        jobs: Vec<(Arc<Job>, Arc<Observation>)>,
    },
}

impl DashboardSource {
    fn file(&self) -> &JobsFile {
        match self {
            Self::File(batch) | Self::Demo(batch) => &batch.file,
            Self::Saved { file, .. } => file,
        }
    }

    fn results(&self) -> Results {
        match self {
            Self::File(batch) | Self::Demo(batch) => batch.store.results(),
            Self::Saved { results, .. } => results.clone(),
        }
    }

    /// What the header calls it, and under what name its view is kept.
    fn title(&self) -> PathBuf {
        match self {
            Self::File(batch) => batch.file.path.clone(),
            Self::Demo(_) => PathBuf::from("demo"),
            Self::Saved { name, .. } => PathBuf::from(format!("batch {}", name.replace('/', "_"))),
        }
    }
}

/// How the dashboard ended; `exit::exit_code` makes the exit code of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardOutcome {
    /// The signal that ended it.
    pub signal: Option<Signal>,
    /// What went wrong with the run itself.
    pub trouble: Option<FailureKind>,
    /// What the batch has come to, in one line.
    pub farewell: Option<String>,
    /// All jobs as they were last known.
    pub jobs: StateCounts,
}

/// Why there is no dashboard: a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DashboardError(pub String);

/// Runs the dashboard on this (single-threaded) runtime until the user leaves it. The terminal is given back when it
/// returns, and what the user has to know is said on standard error.
pub async fn run(start: Start) -> Result<DashboardOutcome, DashboardError> {
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

async fn dashboard(start: Start) -> Result<End, DashboardError> {
    let started = Instant::now();
    let no_terminal = |error: io::Error| {
        DashboardError(format!("failed to take the terminal: {error}. Use `jobdeck watch` where there is none."))
    };
    let (inputs, inbox) = unbounded_channel();
    signals::listen(inputs.clone()).map_err(no_terminal)?;
    let view = start.shown.as_ref().ok().map(|shown| effects::files::view_path(&start.state, &shown.title()));
    let guard = Guard::take().map_err(no_terminal)?;
    let screen = terminal::screen().map_err(no_terminal)?;
    let reader = InputReader::start(inputs.clone()).map_err(no_terminal)?;
    let ways =
        effects::clipboard::ways(&start.user.clipboard, ClipboardHost::from_environment(), child::can_be_started);
    let app = App::new(DashboardOptions {
        file: match &start.shown {
            Ok(shown) => Ok(Clean::new(&match (file_name(&shown.title()), shown.file().further.len()) {
                (name, 0) => name,
                (name, more) => format!("{} +{more}", name.strip_suffix(".toml").unwrap_or(&name)),
            })),
            Err(error) => Err(error.to_string().lines().map(Clean::new).collect()),
        },
        jobs: start.shown.as_ref().map_or(0, |shown| u32::try_from(shown.file().jobs.len()).unwrap_or(u32::MAX)),
        keymap: start.keymap,
        copies_by: Clean::from(effects::clipboard::in_words(&ways)),
        fields: start.shown.as_ref().map(|shown| fields(&shown.file().services)).unwrap_or_default(),
        zone: TimeZone::system(),
        view: view.as_deref().and_then(|path| std::fs::read_to_string(path).ok()),
        size: crossterm::terminal::size().unwrap_or((80, 24)),
        now: Now { wall: Timestamp::now(), mono: started.elapsed() },
    });
    let own = UserSettings { keymap: start.own_keys, commands: start.user.commands };
    let store = match &start.shown {
        Ok(DashboardSource::File(batch) | DashboardSource::Demo(batch)) => Some(batch.store.clone()),
        Ok(DashboardSource::Saved { .. }) | Err(_) => None,
    };
    let commands = Commands::new(
        inputs.clone(),
        (start.shown.as_ref().ok().map(|shown| shown.results()), store.as_ref().map(OpenStore::notes)),
        start.state.clone(),
        start.shown.as_ref().map(|shown| shown.file().path.clone()).unwrap_or_default(),
    );
    // What is only looked at is over for long: nobody is to be told.
    let silent = Notify { first_failure: false, finished: false, command: None };
    let effects = EffectRunner::new(Config {
        store: start.shown.as_ref().ok().map(|shown| shown.results()),
        services: start.shown.iter().flat_map(|shown| shown.file().services.clone()).collect(),
        state: start.state,
        view,
        clipboard: start.user.clipboard,
        notifier: Notifier::new(if store.is_some() { start.user.notify } else { silent }),
        inputs: inputs.clone(),
    });
    let mut dashboard =
        Dashboard::new(app, start.theme, screen, guard, reader, effects, commands, own, started, inputs);
    dashboard.draw_if_due();
    let (says, facts) = unbounded_channel();
    let (reloads, hooks) = match start.shown {
        Ok(shown) => {
            let (engine, reloads, hooks) = begin(shown, says)?;
            dashboard.effects.set_engine(engine);
            (reloads, hooks)
        }
        Err(_) => (Reloads::default(), None),
    };
    let owners = PollOwners::default();
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
        end.not_uploaded = store.close().await;
    }
    Ok(end)
}

/// Starts what tells of the jobs, what watches their file, and what runs hooks.
fn begin(
    shown: DashboardSource,
    facts: UnboundedSender<Fact>,
) -> Result<(Engine, Reloads, Option<HookRunner>), DashboardError> {
    let batch = match shown {
        DashboardSource::File(batch) | DashboardSource::Demo(batch) => batch,
        DashboardSource::Saved { results, jobs, .. } => {
            return Ok((engine::view::start(results, jobs, facts), Reloads::default(), None));
        }
    };
    let reloads = Reloads::of(&batch.file, &batch);
    let setup = batch.into_setup(Purpose::Dashboard);
    let secrets = hooks::secrets(setup.services.iter().map(|(service, _)| service));
    let results = setup.store.results();
    let around = HookContext { queue: setup.store.hook_queue(), results, secrets, say: None };
    let runner = HookRunner::start(setup.hooks.clone(), around);
    let engine = engine::start(setup, facts).map_err(|error| DashboardError(error.to_string()))?;
    Ok((engine, reloads, Some(runner)))
}

/// The user's fields, each name once: as a column where it is one in any service.
fn fields(services: &[Arc<Service>]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for field in services.iter().flat_map(|service| service.fields.iter()) {
        match fields.iter_mut().find(|other| other.name == field.name) {
            Some(other) if field.column && !other.column => *other = field.clone(),
            Some(_) => {}
            None => fields.push(field.clone()),
        }
    }
    fields
}

/// What the header calls a jobs file.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What came of it, and what the user has to know of that.
fn summed_up(end: End) -> (DashboardOutcome, Vec<String>) {
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
    messages.extend(end.not_uploaded);
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
            "left without waiting for {}; these results may be lost: {}{more}",
            counted(abandoned.len(), "one-shot poll"),
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
        messages.push("internal error; the polls in flight were finished and saved".to_owned());
    }
    let trouble = (end.broken || store_failed).then_some(FailureKind::Internal);
    let mut jobs = StateCounts::default();
    for (_, known) in end.jobs.values() {
        jobs.add(known);
    }
    (DashboardOutcome { signal: end.signal, trouble, farewell, jobs }, messages)
}
