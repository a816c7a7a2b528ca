//! The jobs file while a filter of the command line holds: which of its jobs are followed after a change.

use std::collections::HashSet;

use jiff::Timestamp;

use super::batch::Batch;
use super::error::SessionError;
use super::reload::{ReloadNews, Reloads};
use super::select;
use crate::config::JobsFile;
use crate::config::files::watch::WatchError;
use crate::domain::filter::Filter;
use crate::domain::job::JobKey;
use crate::engine::saved::Results;
use crate::engine::token::Prompts;

/// A jobs file that is watched, and which of its jobs a command follows.
#[derive(Debug)]
pub struct WatchedFile {
    reloads: Reloads,
    store: Results,
    filter: Option<Filter>,
    /// Tells the person at the terminal.
    say: fn(&str),
}

impl WatchedFile {
    /// Watches a file of which those jobs are followed that the filter matches.
    pub fn of(file: &JobsFile, batch: &Batch, filter: Option<Filter>, say: fn(&str)) -> Self {
        let reloads = Reloads::of(file, batch);
        if let Some(why @ (WatchError::Polled(_) | WatchError::NoThread(_))) = reloads.trouble() {
            say(&why.to_string());
        }
        Self { reloads, store: batch.store.results(), filter, say }
    }

    pub async fn next(&mut self) -> ReloadNews {
        self.reloads.next().await
    }

    /// Takes of a changed file what is followed already, and of the rest what the filter matches.
    pub fn prepare(&mut self, file: JobsFile, followed: HashSet<JobKey>) {
        let (store, filter, say) = (self.store.clone(), self.filter.clone(), self.say);
        let meant = async move {
            let Some(filter) = filter else { return select::with_jobs(file, |_| true) };
            match new_matches(&store, &file, &filter, &followed).await {
                Ok(new) => select::with_jobs(file, |key| followed.contains(key) || new.contains(key)),
                Err(error) => {
                    say(&format!("no new jobs are taken from the file: {error}"));
                    select::with_jobs(file, |key| followed.contains(key))
                }
            }
        };
        self.reloads.prepare(meant, Prompts::Allowed, say);
    }

    /// Whether a change is being prepared.
    pub fn is_preparing(&self) -> bool {
        self.reloads.is_preparing()
    }
}

async fn new_matches(
    store: &Results,
    file: &JobsFile,
    filter: &Filter,
    followed: &HashSet<JobKey>,
) -> Result<HashSet<JobKey>, SessionError> {
    let new: Vec<_> = file.jobs.iter().filter(|job| !followed.contains(&job.key)).cloned().collect();
    let entries = select::of_file(store, &new).await?;
    let matching = select::matches(store, entries, filter, Timestamp::now()).await?;
    Ok(matching.into_iter().map(|entry| entry.job.key.clone()).collect())
}
