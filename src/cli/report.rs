//! What `watch` and `once` say of each fact: a line of JSON, or a line for a person.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::lines::{ReadLine, StateLine, SummaryLine, json};
use super::output::Look;
use super::words;
use crate::domain::clean::Clean;
use crate::domain::fact::Health;
use crate::domain::human;
use crate::domain::job::Job;
use crate::domain::note;
use crate::domain::observation::Observation;
use crate::domain::state::{Read, State};
use crate::domain::stats::Counts;

/// In which language lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// JSON lines.
    Jsonl,
    /// Lines for a person.
    Plain(Look),
}

/// A read that was not `ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOk {
    /// Its outcome.
    pub read: Read,
    /// HTTP code; None if no reply came.
    pub http_status: Option<u16>,
    /// Why. Foreign text.
    pub reason: String,
    /// When the job is read again.
    pub retry_in: Option<Duration>,
}

impl Tongue {
    /// The first sight of a job, or a change.
    pub fn state(self, now: Timestamp, job: &Job, previous: Option<State>, known: &Observation) -> String {
        match self {
            Self::Jsonl => json(&StateLine::new(now, job, previous, known)),
            Self::Plain(look) => {
                let mark = words::painted(&format!("{:<6}", words::mark(known.state, look)), known.state, look);
                let note = note::note(known, &Health::Fresh, now, &TimeZone::system());
                line(&[human::clock(now, &TimeZone::system()), mark, named(job), note.to_string()])
            }
        }
    }

    /// A read that was not `ok`.
    pub fn read(self, now: Timestamp, job: &Arc<Job>, not_ok: &NotOk) -> String {
        let NotOk { read, http_status, reason, retry_in } = not_ok;
        match self {
            Self::Jsonl => json(&ReadLine::new(now, job, *read, *http_status, reason, *retry_in)),
            Self::Plain(_) => {
                let again = retry_in.map_or_else(String::new, |wait| format!("(again in {})", human::latency(wait)));
                let said = format!("{}: {}", note::read_in_words(*read), Clean::new(reason));
                line(&[human::clock(now, &TimeZone::system()), "~ read".to_owned(), named(job), said, again])
            }
        }
    }

    /// The last line.
    pub fn summary(self, now: Timestamp, jobs: &Counts, exit: u8) -> String {
        match self {
            Self::Jsonl => json(&SummaryLine::new(now, jobs, exit)),
            Self::Plain(_) => format!("{} (exit code {exit})", words::counts(jobs)),
        }
    }
}

/// `service/id` and, where it has one, the job's name; harmless.
pub fn named(job: &Job) -> String {
    let label = Clean::new(&job.label());
    match &job.name {
        Some(name) => format!("{label} \"{}\"", Clean::new(name)),
        None => label.to_string(),
    }
}

fn line(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  ")
}
