//! Hooks: what has to happen for a program of the user's own to be run. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::command::Program;
use super::filter::{Filter, FilterSubject, SearchText};
use super::job::Job;
use super::observation::Observation;
use super::state::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What it is kept under: the same as long as it is defined the same.
    pub id: String,
    /// What it is run at.
    pub on: Vec<HookEvent>,
    /// Of which jobs.
    pub filter: Filter,
    pub program: Program,
    /// At most one run in so long, with all that came meanwhile.
    pub batch: Duration,
    /// Where it is declared, as `jobs.toml:12`.
    pub place: String,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// A job came into this state.
    State(State),
    /// A job is over, however it ended, or was given up.
    Over,
    /// The first job of a run failed, was cut short or lost.
    FirstFailure,
    /// All jobs are over.
    Finished,
    /// A job stays in one state for longer than it should.
    Stuck,
}

impl HookEvent {
    pub fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Over, Self::FirstFailure, Self::Finished, Self::Stuck];
        State::ALL.into_iter().map(Self::State).chain(others)
    }

    /// Its word in the files, and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::Over => "over",
            Self::FirstFailure => "first-failure",
            Self::Finished => "finished",
            Self::Stuck => "stuck",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::all().find(|event| event.as_str() == word)
    }
}

/// What a response brought about.
#[derive(Debug, Clone, Copy)]
pub struct Transition<'a> {
    pub job: &'a Job,
    /// What was known before.
    pub before: &'a Observation,
    /// What is known now.
    pub after: &'a Observation,
    /// Whether the job is given up with it.
    pub gives_up: bool,
}

impl Transition<'_> {
    fn moves(&self) -> bool {
        self.after.state != self.before.state || !self.before.is_observed()
    }

    fn ends(&self) -> bool {
        self.gives_up || self.moves() && self.after.state.is_terminal()
    }
}

impl Hook {
    /// Which of its events are those of a change, the first failure of the run or not. The end of the run, and what comes
    /// with time alone, is none.
    pub fn events(&self, change: Transition<'_>, is_first_failure: bool, now: Timestamp) -> Vec<HookEvent> {
        let Transition { job, after, .. } = change;
        let (moved, over) = (change.moves(), change.ends());
        let happened = |event: &HookEvent| match event {
            HookEvent::State(state) => moved && *state == after.state,
            HookEvent::Over => over,
            HookEvent::FirstFailure => is_first_failure,
            HookEvent::Finished | HookEvent::Stuck => false,
        };
        let events: Vec<HookEvent> = self.on.iter().copied().filter(happened).collect();
        if events.is_empty() || !self.is_about(job, after, now) {
            return Vec::new();
        }
        events
    }

    /// Whether a change may be the one that ends the run, and the hook is run at that.
    pub fn waits_for_end(&self, change: Transition<'_>) -> bool {
        self.on.contains(&HookEvent::Finished) && change.ends()
    }

    /// Whether its filter matches a job. Of the names of files it knows nothing.
    pub fn is_about(&self, job: &Job, known: &Observation, now: Timestamp) -> bool {
        self.filter.matches(&FilterSubject::new(job, known, &SearchText::new(job, known)), now)
    }
}
