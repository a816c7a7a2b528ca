//! What is saved of a job, in one durable step, and what is kept of it.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{Keep, LastPoll, Observation, Role, SavedBody};
use crate::domain::response::Headers;
use crate::domain::state::State;

/// One durable step of a job: all of it is on disk, or nothing of it.
#[derive(Debug, Clone)]
pub struct Save {
    /// The job and its declaration, kept for `status --all` and `show`.
    pub job: Arc<Job>,
    /// What is known now; `saved` and `evidence` are filled in by the store where a body comes with it.
    pub observation: Observation,
    /// The change to add to its history.
    pub change: Option<StateChange>,
    /// Its last reads, all of them: replaces what is stored, unless there are none.
    pub attempts: Vec<Attempt>,
    pub body: Option<SaveBody>,
    /// Further results that belong to the same step: the status response beside that of the result, files beside it.
    pub further: Vec<SaveBody>,
    /// The provider's description that the job was polled with, so that what is saved stays readable.
    pub description: Option<Arc<str>>,
    /// What hooks are run for because of this step.
    pub hooks: HookNews,
}

impl Save {
    /// A step that brings this observation and nothing else.
    pub fn new(job: Arc<Job>, observation: Observation) -> Self {
        Self {
            job,
            observation,
            change: None,
            attempts: Vec::new(),
            body: None,
            further: Vec::new(),
            description: None,
            hooks: HookNews::default(),
        }
    }

    /// Every body of the step: the one that the observation speaks of first.
    pub fn bodies(&self) -> impl Iterator<Item = &SaveBody> {
        self.body.iter().chain(&self.further)
    }
}

/// What a step of a job brings for hooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookNews {
    /// Events of the job.
    pub events: Vec<NewHookEvent>,
    /// The hooks that wait for the end of the run, to which the end of this job may have led.
    pub endings: Vec<String>,
}

/// An event of a job that a hook shall be run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHookEvent {
    /// Which hook, by its definition.
    pub hook: String,
    pub event: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct SaveBody {
    /// Copy or evidence (never `Keep::Nothing`).
    pub keep: Keep,
    /// What it is of its job.
    pub role: Role,
    /// Whether it broke off: evidence of a result, which later evidence never displaces.
    pub broken: bool,
    /// Its bytes. Long ones are already in a file of the store's, see [`Spool`](super::Spool).
    pub bytes: Bytes,
    /// The spool file that holds exactly these bytes already, if there is one.
    pub spooled: Option<PathBuf>,
    /// HTTP code it came with.
    pub http_status: u16,
    /// Headers it came with; `location` is not kept.
    pub headers: Headers,
    /// Whether our own token was masked in it.
    pub masked: bool,
    /// When it was received.
    pub at: Timestamp,
}

/// The reads of a job that changed nothing but when it was last read: written once its reader is done with it, not one
/// by one.
#[derive(Debug, Clone)]
pub struct Reads {
    pub job: JobKey,
    pub last: LastPoll,
    /// The job's last reads.
    pub attempts: Vec<Attempt>,
    /// Whether these are all of them; otherwise they come after those on disk.
    pub complete: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    /// Its number, size and so on; the HTTP code is 0 where a dead instance left it and the code is not known.
    pub saved: SavedBody,
    /// Copy or evidence.
    pub keep: Keep,
    /// What it is of its job.
    pub role: Role,
    pub broken: bool,
    /// Whether it was written out.
    pub exported: bool,
    /// Headers it came with, but for `location`.
    pub headers: Headers,
}

/// An event that a hook has not been run for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingHook {
    pub id: i64,
    pub job: Arc<Job>,
    /// Which hook, by its definition.
    pub hook: String,
    pub event: String,
    pub at: Timestamp,
    /// How often the hook has failed for it.
    pub tries: u32,
    /// The job's state before the change at that time; None if it changed nothing then.
    pub previous: Option<State>,
}
