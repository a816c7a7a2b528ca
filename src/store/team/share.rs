//! What the team's ledger keeps in this machine's own: how far it has read, what waits for upload, and what others
//! saved.

use std::sync::Arc;

use crate::domain::attempt::StateChange;
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::Observation;
use crate::store::SaveBody;

#[derive(Debug)]
pub enum ShareStep {
    /// This directory belongs to the team's store of this number from now on. If it belonged to another one, or to
    /// none, all that is known here waits for upload. Answers with [`ShareOutcome::Joined`].
    Join(String),
    /// Which jobs wait for upload, at most this many. Answers with [`ShareOutcome::Waiting`].
    Waiting(usize),
    /// These were uploaded as they then stood.
    Uploaded(Vec<Ticket>),
    /// What others know of a job. Answers with [`ShareOutcome::Imported`].
    Import(Box<Import>),
    /// All changes below this transaction were read.
    Read(u64),
    /// An instance elsewhere had claimed these, and died: it may have taken their results.
    Doubt(Vec<JobKey>),
}

/// What comes of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareOutcome {
    /// Where reading goes on, and the name of this directory.
    Joined(u64, String),
    /// What waits in all, and the first jobs of it.
    Waiting(Waiting, Vec<(Arc<Job>, Ticket)>),
    /// Whether it was taken: not if what is known here waits for upload, or is a copy that must not be replaced.
    Imported(bool),
    /// Nothing to answer.
    Done,
}

/// What of this directory the team's store does not know yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    pub jobs: usize,
    /// Those of the jobs that have a result.
    pub results: usize,
    /// What this directory is called there; None before it was joined.
    pub place: Option<String>,
}

/// A job that waits for upload as it stood when this was made. What is saved later makes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The job's number here.
    pub job: i64,
    /// How often it was saved since it was last uploaded.
    pub n: i64,
}

/// What others know of a job.
#[derive(Debug, Clone)]
pub struct Import {
    /// The job, as it was declared elsewhere.
    pub job: Arc<Job>,
    /// What is known. Its bodies are found by their SHA-256.
    pub known: Observation,
    pub changes: Vec<StateChange>,
    /// The description of its provider.
    pub description: Option<String>,
    /// Those of its bodies that are not here yet.
    pub bodies: Vec<SaveBody>,
}
