//! The state directory and the store in it, opened; our own log goes there from then on.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::SessionError;
use crate::config::files::paths;
use crate::engine::saved::{OpenStore, Results};
use crate::logging::{self, Targets};

/// The state directory: as given, else `$XDG_STATE_HOME/jobdeck`.
pub fn state_dir(given: Option<&Path>) -> Result<PathBuf, SessionError> {
    paths::state_dir(given).ok_or(SessionError::NoHome)
}

/// What is saved, to be looked at. Log lines go where `log` says.
pub fn results(dir: &Path, log: Targets) -> Result<Results, SessionError> {
    must_be_short(dir)?;
    must_be_readable(dir)?;
    let results = Results::open(dir)?;
    logging::start(log);
    Ok(results)
}

/// The store, to poll with, and notes for the user. Log lines go to the state directory too.
pub fn store(dir: &Path, log: Targets) -> Result<(OpenStore, Vec<String>), SessionError> {
    must_be_short(dir)?;
    let opened = OpenStore::open(dir)?;
    logging::start(Targets { state_dir: Some(dir.to_owned()), ..log });
    Ok(opened)
}

/// The longest path of a state directory in bytes: SQLite takes 512, and the names of its files follow.
const LONGEST_PATH: usize = 440;

fn must_be_short(dir: &Path) -> Result<(), SessionError> {
    let length = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).as_os_str().len();
    if length > LONGEST_PATH { Err(SessionError::LongPath { length, most: LONGEST_PATH }) } else { Ok(()) }
}

/// Reading only makes nothing, so a state directory that is not there yet is an empty one. Anything else that cannot
/// be listed must not pass for one: its jobs would be shown as never polled.
fn must_be_readable(dir: &Path) -> Result<(), SessionError> {
    match fs::read_dir(dir) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SessionError::Unreadable { dir: dir.to_owned(), error }),
    }
}
