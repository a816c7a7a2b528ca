//! Commands of the user's own: for which jobs they are meant, and what comes of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::App;
use super::effect::Effect;
use super::overlay::confirm::Confirm;
use crate::domain::clean::Clean;
use crate::domain::command::{Marked, UserCommand};
use crate::domain::human::counted;
use crate::domain::job::JobIx;

impl App {
    /// Runs a command over the marked jobs, or these where none is marked, as far as it is for them; asks first where it
    /// should.
    pub(super) fn run_command(&mut self, number: u16, unmarked: Vec<JobIx>) -> Vec<Effect> {
        let Some(command) = self.keymap.commands().get(usize::from(number)).map(Arc::clone) else {
            return self.say_bad("there is no such command any more");
        };
        let chosen = if self.jobs.marked() > 0 { self.chosen() } else { unmarked };
        let now = self.now.wall;
        let fits = |ix: &JobIx| self.jobs.get(*ix).is_some_and(|row| row.fits(&command.when, now));
        let jobs: Vec<JobIx> = chosen.iter().copied().filter(fits).collect();
        let name = &command.name;
        if jobs.is_empty() {
            let when = Clean::new(command.when.source());
            return match chosen.len() {
                0 => self.say_bad("there is no job to run it for"),
                1 => self.say_bad(format!("`{name}` is for {when}, which this job is not")),
                many => self.say_bad(format!("`{name}` is for {when}, which none of the {many} marked jobs is")),
            };
        }
        if command.marked == Marked::Refuse && jobs.len() > 1 {
            return self.say_bad(format!("`{name}` is for one job at a time, and {} are marked", jobs.len()));
        }
        // What was sent again is paid twice if it is sent once more.
        let is_again = |ix: &&JobIx| {
            self.jobs.get(**ix).is_some_and(|row| row.is_sent_again() || self.sent.contains(&row.job.key))
        };
        let again: HashSet<JobIx> = jobs.iter().filter(|_| command.adds.is_some()).filter(is_again).copied().collect();
        if command.confirm || !again.is_empty() {
            self.show(Confirm::new(number, command, jobs, again));
            return Vec::new();
        }
        self.start_command(command, &jobs)
    }

    /// Runs a command over these jobs.
    pub(super) fn start_command(&mut self, command: Arc<UserCommand>, jobs: &[JobIx]) -> Vec<Effect> {
        // What was begun is not begun again by the same key.
        for ix in jobs {
            if self.jobs.get(*ix).is_some_and(|row| row.marked) {
                self.jobs.toggle_mark(*ix);
                self.list.note_change(*ix);
            }
        }
        let jobs = self.subjects(jobs);
        if command.adds.is_some() {
            self.sent.extend(jobs.iter().map(|subject| subject.job.key.clone()));
        }
        let _ = self.say(format!("{}: running for {}", command.name, counted(jobs.len(), "job")));
        vec![Effect::RunCommand { command, jobs }]
    }
}
