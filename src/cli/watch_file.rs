//! The jobs file under a running `watch`: which of its jobs are meant once it was changed.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::{output, select, setup};
use crate::config::JobsFile;
use crate::config::files::watch::WatchError;
use crate::domain::filter::Filter;
use crate::domain::hook::Hook;
use crate::domain::job::JobKey;
use crate::engine::saved::Results;
use crate::engine::token::{Prompts, Tokens};
use crate::session::reload::{News, Reloads};

/// A jobs file that is watched, and what a command wants of it.
#[derive(Debug)]
pub struct Edits {
    reloads: Reloads,
    store: Results,
    filter: Option<Filter>,
}

impl Edits {
    /// Watches a file of which those jobs are followed that the filter matches.
    pub fn of(
        file: &JobsFile,
        tokens: &Tokens,
        own_hooks: Vec<Arc<Hook>>,
        store: Results,
        filter: Option<Filter>,
    ) -> Self {
        let reloads = Reloads::of(file, tokens, own_hooks);
        if let Some(why @ (WatchError::Polled(_) | WatchError::NoThread(_))) = reloads.trouble() {
            output::say_error(&why.to_string());
        }
        Self { reloads, store, filter }
    }

    /// The next news of the file.
    pub async fn next(&mut self) -> News {
        self.reloads.next().await
    }

    /// Takes of a changed file what is followed already, and of the rest what the filter matches.
    pub fn prepare(&mut self, file: JobsFile, followed: HashSet<JobKey>) {
        let (store, filter) = (self.store.clone(), self.filter.clone());
        let meant = async move {
            let Some(filter) = filter else { return setup::with_jobs(file, |_| true) };
            match new_matches(&store, &file, &filter, &followed).await {
                Ok(new) => setup::with_jobs(file, |key| followed.contains(key) || new.contains(key)),
                Err(failure) => {
                    output::say_error(&format!("no new jobs are taken from the file: {}", failure.message));
                    setup::with_jobs(file, |key| followed.contains(key))
                }
            }
        };
        self.reloads.prepare(meant, Prompts::Allowed, output::say_error);
    }

    /// Whether a changed file is about to be put in force.
    pub fn is_preparing(&self) -> bool {
        self.reloads.is_preparing()
    }
}

async fn new_matches(
    store: &Results,
    file: &JobsFile,
    filter: &Filter,
    followed: &HashSet<JobKey>,
) -> Result<HashSet<JobKey>, Failure> {
    let new: Vec<_> = file.jobs.iter().filter(|job| !followed.contains(&job.key)).cloned().collect();
    let entries = select::of_file(store, &new).await?;
    let matching = select::matches(store, entries, filter, Timestamp::now()).await?;
    Ok(matching.into_iter().map(|entry| entry.job.key.clone()).collect())
}
