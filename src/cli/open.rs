//! What the common flags name: the jobs file, the state directory and what is saved in it.

use std::path::PathBuf;

use super::args::CommonArgs;
use super::failure::Failure;
use super::{output, team_store};
use crate::config::{self, ConfigError, JobsFile};
use crate::engine::saved::{OpenStore, Results};
use crate::logging::Targets;
use crate::session::error::SessionError;
use crate::session::open;

impl CommonArgs {
    pub fn state_dir(&self) -> Result<PathBuf, SessionError> {
        open::state_dir(self.state_dir.as_deref())
    }

    /// The jobs file, read and valid.
    pub fn jobs_file(&self) -> Result<JobsFile, ConfigError> {
        config::load_named(&self.config)
    }

    /// What is saved, to be looked at: where a team shares a store, with what others saved, as far as that can be reached.
    pub async fn results(&self) -> Result<Results, Failure> {
        let results = open::results(&self.state_dir()?, self.log())?;
        let Some(team) = team_store::named(self).await? else { return Ok(results) };
        let (store, notes) = OpenStore::open(&self.state_dir()?)?;
        notes.iter().for_each(|note| output::say_error(note));
        team_store::catch_up(&store, &team).await;
        Ok(store.results())
    }

    /// Log lines go to standard error where that was asked for.
    pub fn log(&self) -> Targets {
        Targets { stderr: self.verbose > 0, verbosity: self.verbose, ..Targets::default() }
    }
}
