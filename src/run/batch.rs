//! A command of the user's own over jobs: once for each, four at a time, or once for all; the ids that it prints are
//! appended to the jobs file.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::hooks;
use super::process::{self, Launch, Output, ProcessEnd, RunError};
use super::values::JobValues;
use crate::config::ConfigError;
use crate::config::add::append;
use crate::config::add::append::{Added, Addition};
use crate::config::add::given;
use crate::domain::clean::Clean;
use crate::domain::command::{ExpandError, Marked, OutputMode, UserCommand};
use crate::domain::human;
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::Observation;
use crate::domain::service::Service;
use crate::engine::mask;
use crate::engine::saved::{Notes, Results, StoreError};
use crate::engine::token::{self, Prompts, TokenError};
use crate::session::jsonl::{StateLine, json};

/// How many runs of one command go on at once.
const AT_ONCE: usize = 4;

/// A job that a command is run for.
#[derive(Debug, Clone)]
pub struct CommandTarget {
    pub job: Arc<Job>,
    pub known: Arc<Observation>,
}

/// What a run needs besides its jobs.
#[derive(Debug, Clone)]
pub struct RunContext {
    pub store: Option<Results>,
    /// Where it is noted what was sent again; None where nothing can be written.
    pub notes: Option<Notes>,
    /// The services of the jobs file, by name.
    pub services: HashMap<Arc<str>, Arc<Service>>,
    /// The state directory, for private files.
    pub state: PathBuf,
    /// The jobs file, to which ids are appended.
    pub file: PathBuf,
    /// Whether a token command may ask something on the terminal.
    pub prompts: Prompts,
    /// Set where nothing more is to be begun.
    pub leaving: Arc<AtomicBool>,
}

/// One run that is over, or was not begun.
#[derive(Debug)]
pub struct Finished {
    /// What it was for: a job's label, or how many jobs.
    pub of: Clean,
    /// The jobs that it was for.
    pub jobs: Vec<JobKey>,
    pub result: Result<ProcessEnd, CommandError>,
    /// What became of the ids that it printed; None where it adds none, or failed.
    pub added: Option<Result<Added, AddError>>,
}

/// Why a command was not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The job has no such value.
    #[error("left out: {0}")]
    NoValue(ExpandError),
    /// Somebody has sent it again since the one who asks has looked, is at it, or died at it.
    #[error("left out: it was sent again meanwhile, or is being sent, or what sent it was killed")]
    SentAgain,
    /// Whether somebody has cannot be looked up, or that we do cannot be noted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its arguments cannot be made of this job.
    #[error(transparent)]
    Arguments(#[from] ExpandError),
    /// Its private files cannot be written.
    #[error("failed to write a file for it: {0}")]
    Files(#[from] io::Error),
    /// It wants a token, and its jobs are of several services.
    #[error("it wants the service's token: the jobs are of several services")]
    SeveralServices,
    /// It wants a token, and there is none.
    #[error("it wants the service's token: {0}")]
    Token(#[from] TokenError),
    /// It was not begun any more.
    #[error("not begun, since jobdeck is leaving")]
    Leaving,
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Why ids that a command printed are not in the file.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// It printed something else.
    #[error("what it printed are no ids, so what came of it is not in the jobs file: {0}")]
    NoIds(String),
    /// It printed so much that not all of it was kept.
    #[error("it printed more than {}: no id was added", human::bytes(process::LARGEST as u64))]
    TooMuch,
    /// The file does not take them.
    #[error("{error} (not in the file: {ids})")]
    File {
        error: ConfigError,
        /// They were paid for.
        ids: String,
    },
    #[error("failed to add them: {0}")]
    Internal(String),
}

impl Finished {
    pub fn is_good(&self) -> bool {
        let added = self.added.as_ref().is_none_or(Result::is_ok);
        added && self.result.as_ref().is_ok_and(|ended| ended.status.success())
    }

    /// Whether there was nothing to run it for.
    pub fn is_left_out(&self) -> bool {
        matches!(self.result, Err(CommandError::NoValue(_) | CommandError::SentAgain))
    }

    /// Whether something was submitted for its jobs, as far as is known: also where the ids are not in the file.
    pub fn has_sent(&self) -> bool {
        let added =
            self.added.as_ref().is_some_and(|added| added.as_ref().map_or(true, |added| !added.added.is_empty()));
        added || matches!(self.result, Err(CommandError::SentAgain))
    }

    /// How it ended, in one line.
    pub fn sentence(&self) -> String {
        let ended = match &self.result {
            Ok(ended) if ended.status.success() && ended.out.dropped > 0 && self.added.is_none() => {
                format!("done; of what it printed, {} were not kept", human::bytes(ended.out.dropped))
            }
            Ok(ended) if ended.status.success() => "done".to_owned(),
            Ok(ended) => {
                let said = String::from_utf8_lossy(&ended.err.bytes);
                let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let how =
                    ended.status.code().map_or_else(|| ended.status.to_string(), |code| format!("exit code {code}"));
                if first.is_empty() { how } else { format!("{how}: {}", Clean::new(first.trim())) }
            }
            Err(error) => Clean::from(error.to_string()).to_string(),
        };
        match &self.added {
            None => ended,
            Some(Ok(added)) => format!("{ended}, {} added", human::counted(added.added.len(), "job")),
            Some(Err(error)) => format!("{ended}, but {}", Clean::from(error.to_string())),
        }
    }

    /// Writes all that it said to the log's file.
    pub fn log(&self, command: &str) {
        let Ok(ended) = &self.result else { return };
        for (stream, output) in [("stdout", &ended.out), ("stderr", &ended.err)] {
            for line in String::from_utf8_lossy(&output.bytes).lines() {
                tracing::info!(job = %self.of, file_only = true, "{command} {stream}: {line}");
            }
            if output.dropped > 0 {
                tracing::info!(job = %self.of, file_only = true, "{command} {stream}: {} more bytes", output.dropped);
            }
        }
    }
}

/// Runs a command over jobs; each run that is over comes out as it ends. Nothing of it goes on once the stream is
/// dropped.
pub fn run(
    command: Arc<UserCommand>,
    targets: Vec<CommandTarget>,
    around: Arc<RunContext>,
) -> impl Stream<Item = Finished> + Send {
    let groups: Vec<Vec<CommandTarget>> = match command.marked {
        Marked::Each | Marked::Refuse => targets.into_iter().map(|target| vec![target]).collect(),
        Marked::All => vec![targets],
    };
    // What has the terminal has it alone.
    let at_once = if command.mode == OutputMode::Background { AT_ONCE } else { 1 };
    let one = move |group: Vec<CommandTarget>| {
        let (command, around) = (Arc::clone(&command), Arc::clone(&around));
        async move { run_group(&command, group, &around).await }
    };
    stream::iter(groups).map(one).buffer_unordered(at_once).flat_map(stream::iter)
}

/// Runs it once for those of a group that nobody else sends again; the others are left out, each for itself.
async fn run_group(command: &UserCommand, group: Vec<CommandTarget>, around: &RunContext) -> Vec<Finished> {
    let of = |group: &[CommandTarget]| Clean::from(label(group));
    let keys = |group: &[CommandTarget]| group.iter().map(|target| target.job.key.clone()).collect();
    let not_run =
        |group: &[CommandTarget], error| Finished { of: of(group), jobs: keys(group), result: Err(error), added: None };
    if around.leaving.load(Ordering::Relaxed) {
        return vec![not_run(&group, CommandError::Leaving)];
    }
    let notes = around.notes.as_ref().filter(|_| command.adds.is_some());
    let (group, late) = match notes {
        None => (group, Vec::new()),
        Some(notes) => {
            let asked = group.iter().map(|target| (Arc::clone(&target.job), target.known.sent_again)).collect();
            let mut free = match notes.begin_sending(asked).await {
                Ok(free) => free.into_iter(),
                Err(error) => return vec![not_run(&group, error.into())],
            };
            group.into_iter().partition(|_| free.next().unwrap_or_default())
        }
    };
    let mut finished: Vec<_> = late.into_iter().map(|target| not_run(&[target], CommandError::SentAgain)).collect();
    if group.is_empty() && !finished.is_empty() {
        return finished;
    }
    let result = run_once(command, &group, around).await;
    let was_sent = result.as_ref().is_ok_and(|ended| ended.status.success());
    // Before any id is in the file: whoever finds it there can know. And whatever it printed: it was paid for.
    if let Some(notes) = notes
        && let Err(error) =
            notes.end_sending(group.iter().map(|target| Arc::clone(&target.job)).collect(), was_sent).await
    {
        tracing::warn!("whether jobs were sent again cannot be noted: {error}");
    }
    let added = match &result {
        Ok(ended) if was_sent => add(command, &group, around, &ended.out).await,
        Ok(_) | Err(_) => None,
    };
    finished.push(Finished { of: of(&group), jobs: keys(&group), result, added });
    finished
}

fn label(group: &[CommandTarget]) -> String {
    match group {
        [target] => target.job.label(),
        many => human::counted(many.len(), "job"),
    }
}

async fn run_once(
    command: &UserCommand,
    group: &[CommandTarget],
    around: &RunContext,
) -> Result<ProcessEnd, CommandError> {
    let service = |target: &CommandTarget| around.services.get(&target.job.service).cloned();
    let wanted: Vec<_> = command.program.placeholders().collect();
    let values = match (command.marked, group) {
        (Marked::Each | Marked::Refuse, [target]) => {
            let values = JobValues::of(&target.job, &target.known, service(target).as_deref());
            values.with_files(&wanted, &target.job, &target.known, around.store.as_ref(), &around.state).await?
        }
        (Marked::Each | Marked::Refuse | Marked::All, _) => JobValues::default(),
    };
    let arguments = match command.program.arguments(|placeholder| values.get(placeholder)) {
        Err(missing @ ExpandError::Missing(_)) if command.marked != Marked::All => {
            return Err(CommandError::NoValue(missing));
        }
        arguments => arguments?,
    };
    let mut variables = values.variables();
    let mut given = None;
    if command.token {
        let services: BTreeSet<_> = group.iter().map(|target| Arc::clone(&target.job.service)).collect();
        let one = services.first().filter(|_| services.len() == 1).and_then(|name| around.services.get(name));
        let service = one.ok_or(CommandError::SeveralServices)?;
        let token = token::resolve(&service.token, around.prompts).await?;
        variables.push(("JOBDECK_TOKEN".to_owned(), token.expose().to_owned()));
        given = Some(token);
    }
    let launch = Launch {
        path: command.program.path(),
        arguments,
        variables,
        secrets: hooks::secrets(around.services.values()),
        input: json_lines(group),
        has_terminal: command.mode == OutputMode::Terminal,
    };
    let mut ended = process::run(launch).await?;
    // A program may print the token that it was given (`curl -v`): it reaches no screen, no log and no file.
    if let Some(token) = given {
        for output in [&mut ended.out, &mut ended.err] {
            if let Some(masked) = mask::bytes(&Bytes::from(output.bytes.clone()), &token) {
                output.bytes = masked.into();
            }
        }
    }
    Ok(ended)
}

fn json_lines(group: &[CommandTarget]) -> Bytes {
    let now = Timestamp::now();
    let line = |target: &CommandTarget| json(&StateLine::with_read(now, &target.job, &target.known)) + "\n";
    group.iter().map(line).collect::<String>().into()
}

/// Appends the ids that a command printed.
async fn add(
    command: &UserCommand,
    group: &[CommandTarget],
    around: &RunContext,
    printed: &Output,
) -> Option<Result<Added, AddError>> {
    let adds = command.adds.as_deref()?;
    if printed.dropped > 0 {
        return Some(Err(AddError::TooMuch));
    }
    let ids = match given::of_text(&String::from_utf8_lossy(&printed.bytes)) {
        Ok(ids) if ids.is_empty() => return Some(Ok(Added::default())),
        Ok(ids) => ids,
        Err(refused) => return Some(Err(AddError::NoIds(refused.join("; ")))),
    };
    let service = match (adds, group) {
        ("{service}", [target]) => target.job.service.to_string(),
        (name, _) => name.to_owned(),
    };
    // What comes of one job is found where that is, and is called after it.
    let (tags, batch, name) = match group {
        [target] => (target.job.tags.to_vec(), target.job.batch.clone(), target.job.name.as_deref().map(again)),
        _ => (Vec::new(), None, None),
    };
    let resubmits: Vec<String> = group.iter().map(|target| target.job.label()).collect();
    let file = around.file.clone();
    let work = move || {
        let addition = Addition {
            service: &service,
            ids: &ids,
            name: name.as_deref(),
            tags: &tags,
            batch: batch.as_deref(),
            resubmits: &resubmits,
        };
        append::add(&file, &addition).map_err(|error| {
            let ids = ids.iter().map(|given| given.id.as_str()).collect::<Vec<_>>().join(" ");
            AddError::File { error, ids }
        })
    };
    Some(spawn_blocking(work).await.unwrap_or_else(|error| Err(AddError::Internal(error.to_string()))))
}

/// What a job is called that was submitted again for one of this name: `scan (2)` for `scan`, `scan (3)` for that.
fn again(name: &str) -> String {
    let counted = name.strip_suffix(')').and_then(|name| name.rsplit_once(" ("));
    let counted = counted.and_then(|(name, count)| Some((name, count.parse::<u32>().ok()?)));
    let (name, count) = counted.unwrap_or((name, 1));
    format!("{name} ({})", count.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_was_submitted_again_is_called_after_the_one_before_with_its_number() {
        let cases = [("scan", "scan (2)"), ("scan (2)", "scan (3)"), ("scan (a)", "scan (a) (2)"), ("(2)", "(2) (2)")];
        for (before, after) in cases {
            assert_eq!(again(before), after);
        }
    }
}
