//! What the store can fail of, as data: which kind, what failed, and what to do about it.

use crate::domain::fact::StoreTrouble;

/// What to do where memory is short.
pub(super) const MORE_MEMORY: &str = "End other programs, or raise the limit on memory (ulimit -v)";

/// A failure of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}. {help}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    /// What failed, and of what: "failed to save a result: disk full".
    pub what: String,
    /// What to do about it, as a sentence without its full stop.
    pub help: String,
}

/// Kinds of failures, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no room on the disk, or none for files of this size.
    NoSpace,
    /// Memory is short.
    NoMemory,
    /// We may not write there.
    NotWritable,
    /// Another program holds the database.
    Busy,
    Damaged,
    /// The database was made by a later jobdeck.
    Newer,
    /// The claims that were made do not count any more: jobs are claimed again.
    ClaimsLost,
    /// What was asked for is not there (any more).
    NotFound,
    /// The store that a team shares cannot be reached: what is saved here is uploaded later, and polls that can be made
    /// only once wait.
    Unreachable,
    Closed,
    /// Anything else that the file system or the database says.
    Other,
    /// A fault of jobdeck's own.
    Internal,
}

impl From<StoreError> for StoreTrouble {
    fn from(why: StoreError) -> Self {
        if why.kind == StoreErrorKind::Unreachable {
            Self::Team(why.to_string())
        } else if why.kind == StoreErrorKind::NoMemory {
            Self::Memory(why.to_string())
        } else {
            Self::Local(why.to_string())
        }
    }
}

impl StoreError {
    /// The store ends, or has ended.
    pub fn closed() -> Self {
        let what = "failed to use the state directory: it was closed".to_owned();
        Self { kind: StoreErrorKind::Closed, what, help: "Start jobdeck again".to_owned() }
    }

    /// There is not enough memory. `what` completes "failed to".
    pub fn no_memory(what: &str) -> Self {
        let what = format!("failed to {what}: memory is short");
        Self { kind: StoreErrorKind::NoMemory, what, help: MORE_MEMORY.to_owned() }
    }

    /// A fault of jobdeck's own. `what` completes "failed to".
    pub fn internal(what: &str) -> Self {
        let what = format!("failed to {what}: internal error");
        Self { kind: StoreErrorKind::Internal, what, help: "Please report it".to_owned() }
    }
}
