//! Why something that the dashboard was asked for was not done. Sentences are made of it where it is told.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinError;

use crate::domain::clean::Clean;
use crate::domain::observation::Damage;
use crate::engine::saved::StoreError;
use crate::json::pretty::PrettyError;

/// Why an effect had no success.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// No body to copy, save or show.
    #[error("nothing is saved of this job yet")]
    NothingSaved,
    /// No job was meant.
    #[error("there is nothing to save")]
    NothingToSave,
    /// No jobs file, so no state either.
    #[error("there is no state directory")]
    NoStateDirectory,
    /// A body whose output is none that can be decoded.
    #[error("there is no decoded output in this reply; copy the raw one")]
    NoOutput,
    /// The pager, while a command has the terminal.
    #[error("another program had the terminal: the pager was not started")]
    TerminalLent,
    /// A job whose service was taken out of the file.
    #[error("the jobs file knows no service {0:?} any more")]
    NoService(Arc<str>),
    /// A saved body is not what was saved.
    #[error("{damage}; `jobdeck show {id} --body` prints what is left")]
    Damaged { damage: Damage, id: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A text that cannot be printed.
    #[error(transparent)]
    Pretty(#[from] PrettyError),
    /// The working directory is gone.
    #[error("failed to find the directory: {0}")]
    NoDirectory(io::Error),
    /// A new file in the working directory.
    #[error("failed to save to {}: {error}", dir.display())]
    Save { dir: PathBuf, error: io::Error },
    /// Every file name that is tried is that of another file.
    #[error("failed to save to {}: every name for this job is taken", .0.display())]
    NamesTaken(PathBuf),
    /// Some of several files were saved.
    #[error("saved {saved} of {of} files, then: {error}")]
    Partly {
        saved: usize,
        of: usize,
        /// What became of the next.
        error: Box<Self>,
    },
    /// A file in the state directory.
    #[error("failed to write to {}: {error}", dir.display())]
    Keep { dir: PathBuf, error: io::Error },
    /// The pager cannot be started.
    #[error("failed to start the pager {program:?}: {error}. Set PAGER to one that is there.")]
    PagerStart { program: String, error: io::Error },
    /// It cannot be waited for.
    #[error("failed to wait for the pager {program:?}: {error}")]
    PagerWait { program: String, error: io::Error },
    #[error(transparent)]
    Task(#[from] JoinError),
}

impl From<EffectError> for Clean {
    fn from(error: EffectError) -> Self {
        Self::from(error.to_string())
    }
}
