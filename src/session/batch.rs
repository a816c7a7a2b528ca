//! A jobs file made ready for an engine: its store opened, its tokens asked for.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::SessionError;
use super::{open, renew_fields};
use crate::config::JobsFile;
use crate::domain::clock::Clock;
use crate::domain::hook::Hook;
use crate::engine::saved::OpenStore;
use crate::engine::token::Tokens;
use crate::engine::{self, Purpose, Setup};
use crate::logging::Targets;

/// What an engine needs to poll the jobs of a file.
#[derive(Debug)]
pub struct Batch {
    /// The jobs file, with the jobs that are meant.
    pub file: JobsFile,
    /// The token of each of its services, or why there is none.
    pub services: Tokens,
    /// The state directory, opened to poll with.
    pub store: OpenStore,
    /// The hooks of the user's config.toml.
    pub own_hooks: Vec<Arc<Hook>>,
}

impl Batch {
    /// Every hook, those of the jobs file first.
    pub fn hooks(&self) -> Vec<Arc<Hook>> {
        self.file.hooks.iter().chain(&self.own_hooks).cloned().collect()
    }

    /// What an engine starts with.
    pub fn into_setup(self, purpose: Purpose) -> Setup {
        let hooks = self.hooks();
        let Self { file: JobsFile { poll, jobs, .. }, services, store, .. } = self;
        let (seed, clock) = (fastrand::u64(..), Clock::new(Timestamp::now));
        Setup { purpose, poll, services, jobs, hooks, store, seed, clock }
    }
}

/// Opens the store for a jobs file, certificates checked before, and takes the user's fields anew where the file defines
/// them otherwise. `say` hears what a person should know of the store and the environment.
pub async fn open_store(
    file: &JobsFile,
    dir: &Path,
    log: Targets,
    say: impl Fn(&str),
) -> Result<OpenStore, SessionError> {
    engine::check_certificates(file.services.iter().map(AsRef::as_ref))?;
    let (store, notes) = open::store(dir, log)?;
    notes.iter().chain(&engine::environment_troubles()).for_each(|note| say(note));
    renew_fields::keep((&store.results(), &store.notes()), &file.services, &file.jobs).await;
    Ok(store)
}
