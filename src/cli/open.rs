//! What the common flags name: the jobs file, the state directory and what is saved in it.

use std::path::PathBuf;

use super::args::Common;
use super::failure::Failure;
use crate::config::{self, ConfigError, JobsFile};
use crate::engine::saved::Results;
use crate::logging::Targets;
use crate::session::error::SessionError;
use crate::session::open;

impl Common {
    /// The state directory.
    pub fn state_dir(&self) -> Result<PathBuf, SessionError> {
        open::state_dir(self.state_dir.as_deref())
    }

    /// The jobs file, read and valid.
    pub fn jobs_file(&self) -> Result<JobsFile, ConfigError> {
        config::load_named(&self.config)
    }

    /// What is saved, to be looked at.
    pub fn results(&self) -> Result<Results, Failure> {
        Ok(open::results(&self.state_dir()?, self.log())?)
    }

    /// Log lines go to standard error where that was asked for.
    pub fn log(&self) -> Targets {
        Targets { stderr: self.verbose > 0, verbosity: self.verbose, ..Targets::default() }
    }
}
