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
    #[error("nothing is saved of this job yet")]
    NothingSaved,
    #[error("there is nothing to save")]
    NothingToSave,
    #[error("there is no state directory")]
    NoStateDirectory,
    #[error("there is no decoded output in this reply; copy the raw one")]
    NoOutput,
    #[error("another program had the terminal: the pager was not started")]
    TerminalLent,
    #[error("the jobs file knows no service {0:?} any more")]
    NoService(Arc<str>),
    #[error("{damage}; `jobdeck show {id} --body` prints what is left")]
    Damaged { damage: Damage, id: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A text that cannot be printed.
    #[error(transparent)]
    Pretty(#[from] PrettyError),
    #[error("failed to find the directory: {0}")]
    NoDirectory(io::Error),
    #[error("failed to save to {}: {error}", dir.display())]
    Save { dir: PathBuf, error: io::Error },
    #[error("failed to save to {}: every name for this job is taken", .0.display())]
    NamesTaken(PathBuf),
    #[error("saved {saved} of {of} files, then: {error}")]
    Partly {
        saved: usize,
        of: usize,
        /// What became of the next.
        error: Box<Self>,
    },
    #[error("failed to write to {}: {error}", dir.display())]
    Keep { dir: PathBuf, error: io::Error },
    #[error("failed to start the pager {program:?}: {error}. Set PAGER to one that is there.")]
    PagerStart { program: String, error: io::Error },
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
