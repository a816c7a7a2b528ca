//! Store errors as sentences: the step that failed, its cause, and what to do about it.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use super::error::MORE_MEMORY;
use super::{StoreError, StoreErrorKind};
use crate::domain::observation::BodyId;

/// SQLite takes no longer path of a database, some characters for its name taken off.
const LONGEST_PATH: usize = 490;

/// What a step of the store can fail of.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// The file system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("its tables have version {0}")]
    Newer(i64),
    /// The file system is almost full: bytes that are free.
    #[error("only {} MiB are free", .0 >> 20)]
    LittleSpace(u64),
    /// The system lets us write files of so many bytes only.
    #[error("files may have {} KiB only", .0 >> 10)]
    ShortFiles(u64),
    #[error("it was taken away or replaced")]
    Replaced,
    #[error("there is no body with the number {}", .0.0)]
    NoSuchBody(BodyId),
}

impl Trouble {
    /// Whether the database file itself is damaged.
    pub fn is_corruption(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// Whether another process held the database for too long. Trying again at once is of no use.
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Whether the file system or the file failed, so that the connection is opened anew before it is used again.
    pub fn spoils_connection(&self) -> bool {
        let spoils = matches!(
            self.code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::DiskFull
            )
        );
        spoils || self.is_corruption()
    }

    /// The error for who uses the store. `step` completes "failed to".
    pub fn say(&self, step: &str, root: &Path) -> StoreError {
        StoreError { kind: self.kind(), what: format!("failed to {step}: {self}"), help: self.advice(root) }
    }

    fn kind(&self) -> StoreErrorKind {
        match self {
            Self::Newer(_) => StoreErrorKind::Newer,
            Self::LittleSpace(_) | Self::ShortFiles(_) => StoreErrorKind::NoSpace,
            _ if self.is_lack_of_memory() => StoreErrorKind::NoMemory,
            Self::Replaced => StoreErrorKind::ClaimsLost,
            Self::NoSuchBody(_) => StoreErrorKind::NotFound,
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => StoreErrorKind::NotFound,
            Self::Io(error) if is_lack_of_room(error) => StoreErrorKind::NoSpace,
            Self::Io(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
            {
                StoreErrorKind::NotWritable
            }
            Self::Io(_) => StoreErrorKind::Other,
            Self::Sql(_) if self.is_busy() => StoreErrorKind::Busy,
            Self::Sql(_) if self.is_corruption() => StoreErrorKind::Damaged,
            Self::Sql(_) => match self.code() {
                Some(ErrorCode::DiskFull) => StoreErrorKind::NoSpace,
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                    StoreErrorKind::NotWritable
                }
                _ => StoreErrorKind::Other,
            },
        }
    }

    fn is_lack_of_memory(&self) -> bool {
        match self {
            Self::Io(error) => error.kind() == io::ErrorKind::OutOfMemory,
            Self::Sql(_) => self.code() == Some(ErrorCode::OutOfMemory),
            Self::Newer(_) | Self::LittleSpace(_) | Self::ShortFiles(_) | Self::Replaced | Self::NoSuchBody(_) => false,
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            Self::Io(_)
            | Self::Newer(_)
            | Self::LittleSpace(_)
            | Self::ShortFiles(_)
            | Self::Replaced
            | Self::NoSuchBody(_) => None,
        }
    }

    fn advice(&self, root: &Path) -> String {
        let path = root.as_os_str();
        let root = root.display();
        match self {
            Self::Newer(_) => format!("{root} was written by a newer jobdeck: use that one, or another --state-dir"),
            _ if self.is_lack_of_memory() => MORE_MEMORY.to_owned(),
            Self::LittleSpace(_) => format!("Free some space where {root} is: 64 MiB are needed"),
            Self::ShortFiles(_) => "Raise the limit on file sizes (ulimit -f): 64 MiB are needed".to_owned(),
            Self::Replaced => "The jobs are claimed again in what is there now".to_owned(),
            Self::NoSuchBody(_) => "It was replaced meanwhile: look at the job again".to_owned(),
            Self::Io(error) if is_lack_of_room(error) => {
                format!("Free some space where {root} is, or raise the limit on file sizes")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                format!("Make {root} writable for you, or use another --state-dir")
            }
            Self::Io(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                format!("{root} is read-only: use another --state-dir")
            }
            Self::Io(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
                format!("Something that is no directory stands at {root} or above it: use another --state-dir")
            }
            Self::Io(_) => format!("Look after {root}, or use another --state-dir"),
            Self::Sql(_) if self.is_busy() => {
                format!("Another program holds {root}/jobdeck.db: end it, or use another --state-dir")
            }
            Self::Sql(_) if self.is_corruption() => {
                format!("{root}/jobdeck.db is damaged: start jobdeck anew and it is moved aside")
            }
            Self::Sql(_) if self.code() == Some(ErrorCode::CannotOpen) && path.len() > LONGEST_PATH => format!(
                "The path of the state directory has {} characters, and the database takes no more than about {LONGEST_PATH}: \
                 use a shorter one with --state-dir",
                path.len()
            ),
            Self::Sql(_) => match self.code() {
                Some(ErrorCode::DiskFull) => format!("Free some space where {root} is"),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                    format!("Make {root} writable for you, or use another --state-dir")
                }
                Some(ErrorCode::SystemIoFailure) => {
                    format!("Look whether the disk of {root} is full or gone, or whether file sizes are limited")
                }
                _ => format!("Look after {root}, or use another --state-dir"),
            },
        }
    }
}

fn is_lack_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
