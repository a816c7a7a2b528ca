//! What the common flags name: the jobs file, the state directory and what is saved in it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::CommonArgs;
use super::failure::Failure;
use super::{output, team_store};
use crate::config::{self, ConfigError, JobsFile};
use crate::domain::human;
use crate::engine::saved::{OpenStore, Results};
use crate::logging::Targets;
use crate::session::error::SessionError;
use crate::session::open;

/// How often a wait for the team's store says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(2);

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
        let Some(target) = team_store::target(self).await? else { return Ok(results) };
        let (store, notes) = OpenStore::open(&self.state_dir()?)?;
        notes.iter().for_each(|note| output::say_error(note));
        // A first look at a large store takes its time: whoever waits sees that it moves.
        let mut said_at = Instant::now();
        let mut said = false;
        let told = |done: u64, all: u64| {
            if said_at.elapsed() >= SAID_EVERY || (said && done == all) {
                (said_at, said) = (Instant::now(), true);
                let jobs = human::counted(all, "job");
                output::say_error(&format!(
                    "copied {done} of {jobs} from the team's store (Ctrl-c leaves; what is copied stays)"
                ));
            }
        };
        match store.catch_up(target, told).await {
            Ok(caught) => caught.damaged.iter().for_each(|why| output::say_error(why)),
            Err(error) => output::say_error(&format!("{error} (this is what is known on this machine)")),
        }
        Ok(store.results())
    }

    /// Log lines go to standard error where that was asked for.
    pub fn log(&self) -> Targets {
        Targets { stderr: self.verbose > 0, verbosity: self.verbose, ..Targets::default() }
    }
}
