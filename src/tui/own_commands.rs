//! Commands of the user's own under the dashboard: begun beside the loop, or with the terminal lent to them; ended with
//! it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::effects::files;
use super::message::Message;
use super::run::{Dashboard, TerminalOwner};
use super::terminal;
use crate::app::effect::JobSnapshot;
use crate::app::event::Event;
use crate::domain::clean::Clean;
use crate::domain::command::{OutputMode, UserCommand};
use crate::domain::human::{self, counted};
use crate::engine::saved::{Notes, Results};
use crate::engine::token::Prompts;
use crate::run::batch::{self, CommandTarget, Finished, RunContext};

/// Beyond so many bytes, what further runs print is not shown in the pager.
const LARGEST_PAGE: usize = 16 * 1024 * 1024;

/// What runs now. Dropping it ends all of it.
#[derive(Debug)]
pub struct Commands {
    running: JoinSet<()>,
    killed: bool,
    leaving: Arc<AtomicBool>,
    inputs: UnboundedSender<Message>,
    store: Option<Results>,
    /// None over a batch that is only looked at.
    notes: Option<Notes>,
    state: PathBuf,
    /// The jobs file, to which ids are appended.
    file: PathBuf,
}

impl Commands {
    pub fn new(
        inputs: UnboundedSender<Message>,
        (store, notes): (Option<Results>, Option<Notes>),
        state: PathBuf,
        file: PathBuf,
    ) -> Self {
        let leaving = Arc::new(AtomicBool::new(false));
        Self { running: JoinSet::new(), killed: false, leaving, inputs, store, notes, state, file }
    }

    /// Whether anything runs that was not killed.
    pub fn is_busy(&mut self) -> bool {
        while self.running.try_join_next().is_some() {}
        !self.killed && !self.running.is_empty()
    }

    /// Begins nothing more.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Ends what runs.
    pub fn kill(&mut self) {
        self.leave();
        self.killed = true;
        self.running.abort_all();
    }

    fn start(&mut self, command: Arc<UserCommand>, jobs: Vec<JobSnapshot>, services: ServiceMap) {
        let targets = jobs.into_iter().map(|JobSnapshot { job, known, .. }| CommandTarget { job, known }).collect();
        let around = RunContext {
            store: self.store.clone(),
            notes: self.notes.clone(),
            services,
            state: self.state.clone(),
            file: self.file.clone(),
            prompts: Prompts::Refused,
            leaving: Arc::clone(&self.leaving),
        };
        let inputs = self.inputs.clone();
        self.running.spawn(async move {
            let (mut page, mut left_out) = (Vec::new(), 0);
            let mut ended = CommandRuns::default();
            let mut runs = std::pin::pin!(batch::run(Arc::clone(&command), targets, Arc::new(around)));
            while let Some(finished) = runs.next().await {
                if command.mode == OutputMode::Pager
                    && let Ok(ended) = &finished.result
                {
                    if page.len() < LARGEST_PAGE {
                        page.extend_from_slice(&ended.out.bytes);
                    } else {
                        left_out += usize::from(!ended.out.bytes.is_empty());
                    }
                }
                ended.count(&finished);
                let command = Arc::clone(&command);
                let _ = inputs.send(Message::CommandEnded { command, finished: Box::new(finished) });
            }
            if left_out > 0 {
                page.extend_from_slice(left_out_line(left_out).as_bytes());
            }
            let _ = inputs.send(Message::CommandsEnded { command, page, ended });
        });
    }
}

/// What came of all runs of a command.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandRuns {
    ran: usize,
    failed: usize,
    left_out: usize,
    added: usize,
}

impl CommandRuns {
    fn count(&mut self, finished: &Finished) {
        if finished.is_left_out() {
            self.left_out += 1;
            return;
        }
        self.ran += 1;
        self.failed += usize::from(!finished.is_good());
        self.added += finished.added.iter().flatten().map(|added| added.added.len()).sum::<usize>();
    }

    /// `resubmit: 17 runs, 16 jobs added, 1 failed, 2 left out`; None of a single run, which was told of.
    fn sentence(self, command: &str) -> Option<String> {
        let added = (self.added > 0).then(|| format!(", {} added", counted(self.added, "job")));
        let failed = (self.failed > 0).then(|| format!(", {} failed", self.failed));
        let left_out = (self.left_out > 0).then(|| format!(", {} left out", self.left_out));
        let parts = [added, failed, left_out].into_iter().flatten().collect::<String>();
        (self.ran + self.left_out > 1).then(|| format!("{command}: {}{parts}", counted(self.ran, "run")))
    }
}

/// The last line of a page that would have become too long.
fn left_out_line(jobs: usize) -> String {
    let (of, most) = (counted(jobs, "more job"), human::bytes(LARGEST_PAGE as u64));
    format!("\njobdeck: what was printed for {of} is not shown here, for this page has over {most}\n")
}

type ServiceMap = std::collections::HashMap<Arc<str>, Arc<crate::domain::service::Service>>;

impl Dashboard {
    /// Runs a command; one that wants the terminal gets it.
    pub(super) fn run_command(&mut self, command: Arc<UserCommand>, jobs: Vec<JobSnapshot>) {
        if command.mode == OutputMode::Terminal {
            if self.state.owner != TerminalOwner::Ours {
                return;
            }
            self.reader.pause();
            terminal::give_back();
            self.state.owner = TerminalOwner::Lent;
        }
        let services = self.effects.services();
        self.commands.start(command, jobs, services);
    }

    pub(super) fn on_command_ended(&mut self, command: &UserCommand, finished: &Finished) {
        finished.log(&command.name);
        let said = format!("{}: {}", command.name, finished.sentence());
        let good = finished.is_good() || finished.is_left_out();
        if good {
            tracing::info!(job = %finished.of, "{said}");
        } else {
            tracing::warn!(job = %finished.of, "{said}");
        }
        let unsent = if finished.has_sent() { Vec::new() } else { finished.jobs.clone() };
        self.apply(Event::CommandEnded { said: Clean::from(said), good, unsent });
    }

    pub(super) fn on_commands_ended(&mut self, command: &UserCommand, page: &[u8], ended: CommandRuns) {
        if let Some(said) = ended.sentence(&command.name) {
            let (said, good) = (Clean::from(said), ended.failed == 0);
            self.apply(Event::CommandEnded { said, good, unsent: Vec::new() });
        }
        match command.mode {
            OutputMode::Background => {}
            OutputMode::Terminal => self.take_back(Ok(())),
            OutputMode::Pager if page.is_empty() => {}
            OutputMode::Pager => match files::keep(&self.commands.state, "pager", &command.name, page) {
                Ok(path) => self.lend(path),
                Err(why) => self.apply(Event::PagerFailed(why.into())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::batch::CommandError;

    #[test]
    fn what_was_left_out_is_counted_by_itself_and_is_no_failure() {
        let runs = |ran, failed, left_out| CommandRuns { ran, failed, left_out, added: ran - failed };
        let cases = [
            (runs(17, 1, 0), Some("resubmit: 17 runs, 16 jobs added, 1 failed")),
            (runs(2, 0, 3), Some("resubmit: 2 runs, 2 jobs added, 3 left out")),
            (runs(0, 0, 2), Some("resubmit: 0 runs, 2 left out")),
            (runs(1, 0, 0), None),
            (runs(0, 0, 1), None),
        ];
        for (runs, said) in cases {
            assert_eq!(runs.sentence("resubmit").as_deref(), said);
        }
        let left_out =
            |result| Finished { of: Clean::from("scan"), jobs: Vec::new(), result: Err(result), added: None };
        let mut runs = CommandRuns::default();
        runs.count(&left_out(CommandError::SentAgain));
        runs.count(&left_out(CommandError::Leaving));
        assert_eq!((runs.ran, runs.failed, runs.left_out), (1, 1, 1), "what could not be begun did fail");
    }

    #[test]
    fn a_page_that_would_become_too_long_says_at_its_end_for_how_many_jobs_nothing_is_shown() {
        for (jobs, of) in [(1, "1 more job is"), (7, "7 more jobs is")] {
            assert!(left_out_line(jobs).contains(&format!("printed for {of} not shown")), "{}", left_out_line(jobs));
        }
    }
}
