//! What the common flags mean: the jobs file, the state directory and the store in it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::failure::Failure;
use super::output;
use crate::config;
use crate::config::JobsFile;
use crate::engine::saved::{OpenStore, Results};
use crate::logging;
use crate::logging::Targets;
use crate::run;

/// The state directory: as given, else `$XDG_STATE_HOME/jobdeck`.
pub fn state_dir(common: &Common) -> Result<PathBuf, Failure> {
    config::files::paths::state_dir(common.state_dir.as_deref()).ok_or_else(|| {
        Failure::internal("failed to find the home directory. Set HOME, or name a directory with --state-dir.")
    })
}

/// The jobs file, read and valid.
pub fn jobs_file(common: &Common) -> Result<JobsFile, Failure> {
    Ok(config::load_named(&common.config)?)
}

/// What is saved, to be looked at. Our own log goes to standard error where it was asked for.
pub fn results(common: &Common) -> Result<Results, Failure> {
    let dir = state_dir(common)?;
    must_be_short(&dir)?;
    must_be_readable(&dir)?;
    let results = Results::open(&dir)?;
    start_log(common, None);
    Ok(results)
}

/// The store, opened to poll with; its notes for the user are said. Our own log goes to the state directory too.
pub fn store(common: &Common) -> Result<OpenStore, Failure> {
    let dir = state_dir(common)?;
    must_be_short(&dir)?;
    let (store, notes) = OpenStore::open(&dir)?;
    run::clean_up(&dir);
    start_log(common, Some(dir));
    for note in notes {
        output::say_error(&note);
    }
    Ok(store)
}

fn start_log(common: &Common, state_dir: Option<PathBuf>) {
    logging::start(Targets { state_dir, pane: None, stderr: common.verbose > 0, verbosity: common.verbose });
}

/// The longest path of a state directory in bytes: SQLite takes 512, and names of ours follow.
const LONGEST_PATH: usize = 440;

fn must_be_short(dir: &Path) -> Result<(), Failure> {
    let length = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).as_os_str().len();
    if length <= LONGEST_PATH {
        return Ok(());
    }
    Err(Failure::internal(format!(
        "the path of the state directory is too long: {length} bytes, and a database takes {LONGEST_PATH}. Use a shorter \
         --state-dir, or a link to it."
    )))
}

/// A viewer makes nothing, so a state directory that is not there yet is an empty one. Anything else that cannot be
/// looked into must not pass for one: its jobs would be said never to have been read.
fn must_be_readable(dir: &Path) -> Result<(), Failure> {
    match fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::internal(format!(
            "failed to open the state directory {}: {error}. Look after it, or use another --state-dir.",
            dir.display()
        ))),
    }
}
