//! Which jobs a command is about: those of the file or of the disk, and of them those that a filter matches.

use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::engine::saved::Store;

/// A job and what is known of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What the file (or its last declaration on disk) says.
    pub job: Arc<Job>,
    /// What is known.
    pub known: Arc<Observation>,
}

/// The jobs of the file with what is known of them, in the file's order.
pub async fn of_file(store: &Store, jobs: &[Arc<Job>]) -> Result<Vec<Entry>, Failure> {
    let known = store.load(jobs.iter().map(|job| job.key.clone()).collect()).await?;
    Ok(jobs.iter().zip(known).map(|(job, known)| Entry { job: Arc::clone(job), known: Arc::new(known) }).collect())
}

/// Every job on disk; one that the file declares is called as in the file.
pub async fn of_disk(store: &Store, declared: &[Arc<Job>]) -> Result<Vec<Entry>, Failure> {
    let by_key: std::collections::HashMap<_, _> = declared.iter().map(|job| (&job.key, job)).collect();
    let all = store.load_all().await?;
    Ok(all
        .into_iter()
        .map(|(job, known)| {
            let job = by_key.get(&job.key).map_or_else(|| Arc::new(job.clone()), |job| Arc::clone(job));
            Entry { job, known: Arc::new(known) }
        })
        .collect())
}

/// Those that the filter matches; all without one. A broken filter, or one that no job matches, is a usage error.
pub fn matching(entries: Vec<Entry>, filter: Option<&str>, now: Timestamp) -> Result<Vec<Entry>, Failure> {
    let _ = now;
    match filter {
        None => Ok(entries),
        Some(_) => Err(Failure::usage("--filter is not written yet")),
    }
}
