//! Which jobs a command is about: those of the file or of the disk, and of them those that a filter matches.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::error::SessionError;
use crate::config::JobsFile;
use crate::domain::clean::Clean;
use crate::domain::fact::Health;
use crate::domain::filter::{Filter, FilterSubject, SearchText};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::Observation;
use crate::domain::service::Service;
use crate::domain::state::PollOutcome;
use crate::domain::stats::StateCounts;
use crate::engine::saved::{self, Results};

/// A job and what is known of it.
#[derive(Debug, Clone)]
pub struct KnownJob {
    /// What the file (or its last declaration on disk) says.
    pub job: Arc<Job>,
    pub known: Arc<Observation>,
    /// How well it is being read; fresh where nothing reads.
    pub health: Health,
}

impl KnownJob {
    /// A job that nothing reads now.
    pub fn new(job: Arc<Job>, known: impl Into<Arc<Observation>>) -> Self {
        Self { job, known: known.into(), health: Health::Fresh }
    }
}

/// How many of them are in each state.
pub fn counts(entries: &[KnownJob]) -> StateCounts {
    let mut counts = StateCounts::default();
    entries.iter().for_each(|entry| counts.add(&entry.known));
    counts
}

/// The jobs of the file with what is known of them, in the file's order.
pub async fn of_file(store: &Results, jobs: &[Arc<Job>]) -> Result<Vec<KnownJob>, SessionError> {
    let known = store.load(jobs.iter().map(|job| job.key.clone()).collect()).await?;
    Ok(jobs.iter().zip(known).map(|(job, known)| KnownJob::new(Arc::clone(job), known)).collect())
}

/// Every job on disk; one that the file declares is called as in the file.
pub async fn of_disk(store: &Results, declared: &[Arc<Job>]) -> Result<Vec<KnownJob>, SessionError> {
    let by_key: HashMap<_, _> = declared.iter().map(|job| (&job.key, job)).collect();
    let all = store.load_all().await?;
    Ok(all
        .into_iter()
        .map(|(job, known)| {
            let job = by_key.get(&job.key).map_or_else(|| Arc::new(job.clone()), |job| Arc::clone(job));
            KnownJob::new(job, known)
        })
        .collect())
}

/// The file with these of its jobs, and the services that they need.
pub fn with_jobs(mut file: JobsFile, are_meant: impl Fn(&JobKey) -> bool) -> JobsFile {
    file.jobs.retain(|job| are_meant(&job.key));
    let needed: HashSet<&str> = file.jobs.iter().map(|job| &*job.service).collect();
    file.services.retain(|service| needed.contains(&*service.name));
    file
}

/// A filter of the command line, which may name fields of these services; a broken one is a usage error that shows
/// where.
pub fn filter(text: Option<&str>, services: &[Arc<Service>]) -> Result<Option<Filter>, SessionError> {
    let own: Vec<&str> = services.iter().flat_map(|service| service.fields.iter()).map(|field| &*field.name).collect();
    let parse = |text: &str| {
        Filter::parse_with(text, &own).map_err(|error| SessionError::Filter { text: text.to_owned(), error })
    };
    text.map(parse).transpose()
}

/// Those that the filter matches; all without one. A filter that no job matches is a usage error.
pub async fn matching(
    store: &Results,
    entries: Vec<KnownJob>,
    filter: Option<&Filter>,
    now: Timestamp,
) -> Result<Vec<KnownJob>, SessionError> {
    let Some(filter) = filter else { return Ok(entries) };
    let all = entries.len();
    let matching = matches(store, entries, filter, now).await?;
    if matching.is_empty() {
        return Err(SessionError::NoMatch { filter: Clean::new(filter.source()), all });
    }
    Ok(matching)
}

/// Those that the filter matches, if any.
pub async fn matches(
    store: &Results,
    entries: Vec<KnownJob>,
    filter: &Filter,
    now: Timestamp,
) -> Result<Vec<KnownJob>, SessionError> {
    let mut matching = Vec::new();
    for entry in entries {
        let files = if filter.needs_files() { file_names(store, &entry).await? } else { Vec::new() };
        let KnownJob { job, known, .. } = &entry;
        let text = SearchText::new(job, known);
        let stale = is_stale(known);
        let subject = FilterSubject { stale, files: &files, ..FilterSubject::new(job, known, &text) };
        if filter.matches(&subject, now) {
            matching.push(entry);
        }
    }
    Ok(matching)
}

/// Whether the last read of a job that is not over was no answer. The dashboard counts two in a row; the disk
/// keeps only the last.
fn is_stale(known: &Observation) -> bool {
    !known.is_over() && known.last_poll.as_ref().is_some_and(|last| last.read != PollOutcome::Answered)
}

async fn file_names(store: &Results, entry: &KnownJob) -> Result<Vec<String>, SessionError> {
    let Some(saved) = entry.known.saved.as_ref().filter(|_| entry.known.files.is_some()) else { return Ok(Vec::new()) };
    let body = store.body(saved.body).await?;
    Ok(saved::payload(store, &entry.job, &entry.known, &body).await.files.into_iter().map(|file| file.name).collect())
}
