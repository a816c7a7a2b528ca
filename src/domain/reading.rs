//! What one reply said, as a provider reads it. Pure data; texts are foreign and not sanitised.

use std::time::Duration;

use jiff::Timestamp;

use super::files::{FileCounts, ItemCounts};
use super::observation::FieldValues;
use super::state::{PollOutcome, State};

/// What one reply came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What happened to our request.
    pub read: PollOutcome,
    /// Why it is not `ok`: the service's own sentence where it gave one, otherwise ours.
    pub reason: Option<String>,
    /// The service's error code beside that sentence.
    pub error_code: Option<String>,
    /// How long the service asked us to wait; at most an hour.
    pub retry_after: Option<Duration>,
    /// What it said about the job; there exactly when `read` is `ok`.
    pub answer: Option<Answer>,
}

impl Reading {
    /// A reading that is no answer.
    pub fn refused(read: PollOutcome, reason: impl Into<String>) -> Self {
        Self { read, reason: Some(reason.into()), error_code: None, retry_after: None, answer: None }
    }

    pub fn answered(answer: Answer) -> Self {
        Self { read: PollOutcome::Answered, reason: None, error_code: None, retry_after: None, answer: Some(answer) }
    }
}

/// What an answer says about the job's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// It names this state (`Unknown` for a word that nobody knows).
    State(State),
    /// It names none: an earlier state stays.
    #[default]
    NoWord,
    /// Unstract 406: the result was handed out before.
    Acknowledged,
    /// Unstract COMPLETED without a result.
    Expired,
}

impl Verdict {
    /// Whether it names a state that we know and that is not the end.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::State(State::Queued | State::Running))
    }
}

/// What a service said about a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    pub verdict: Verdict,
    /// The service's own word, trimmed, otherwise as it came.
    pub word: Option<String>,
    /// VESSL: the code with which the user's own service answered.
    pub service_status_code: Option<i64>,
    /// Percent, 0 to 100.
    pub progress: Option<f64>,
    /// The service's own reason for `failed`, `partial` or `cancelled`.
    pub fail_reason: Option<String>,
    /// The service's own code for it.
    pub error_code: Option<String>,
    /// What is odd about the answer: an error beside a success, bytes missing at the end.
    pub warning: Option<String>,
    /// How many files or other items it names.
    pub files: Option<FileCounts>,
    /// How many items it works on.
    pub items: Option<ItemCounts>,
    /// What the job cost in US dollars, digit for digit where one number says so.
    pub cost: Option<String>,
    /// What the user's fields hold.
    pub fields: Option<Box<FieldValues>>,
    /// What the job is about: the first file's name, and how many more there are.
    pub title: Option<String>,
    /// When the service accepted the job, by its own clock.
    pub created_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    /// When it finished it. None while the job is not over.
    pub finished_at: Option<Timestamp>,
    /// When the service expects it to be over.
    pub eta: Option<Timestamp>,
    /// When the service lets go of the job or of its result.
    pub expires_at: Option<Timestamp>,
    /// Whether the service says for certain that the result was handed out to nobody.
    pub is_untaken: bool,
    /// Whether the reply carries something worth keeping though its word is not terminal.
    pub has_payload: bool,
}
