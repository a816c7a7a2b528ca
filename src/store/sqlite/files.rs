//! Which files of the database stand in their places, so that one that was taken away or replaced is noticed.
//!
//! The files are looked at by name only and never opened: closing any descriptor of a file drops every POSIX lock that
//! the process has on it, SQLite's own among them, and with the lock goes all that keeps other programs from taking
//! the write-ahead log away (<https://sqlite.org/howtocorrupt.html>, 2.2).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::store::dir::{FileId, file_id};

/// The files of a database that SQLite has open, as they stood in their places when it opened them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseFiles {
    database: Option<FileId>,
    wal: Option<FileId>,
    shm: Option<FileId>,
}

impl DatabaseFiles {
    /// What is in their places now.
    pub fn at(database: &Path) -> Self {
        Self {
            database: file_id(database),
            wal: file_id(&with_suffix(database, "-wal")),
            shm: file_id(&with_suffix(database, "-shm")),
        }
    }

    /// The database itself; None if there was none.
    pub fn main_file(&self) -> Option<FileId> {
        self.database
    }

    /// Whether a connection that had these files open still writes to what others see.
    pub fn are_in_place(&self, database: &Path) -> bool {
        self.database.is_some() && *self == Self::at(database)
    }
}

/// How a database that nobody writes looks from outside. If it looks otherwise after it was read, it was written
/// meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Which file it is; None if there is none.
    pub file: Option<FileId>,
    /// Its length in bytes.
    pub length: u64,
    modified: Option<SystemTime>,
    /// Length of its write-ahead log in bytes.
    pub wal_length: u64,
}

impl Fingerprint {
    /// How it looks now.
    pub fn of(database: &Path) -> Self {
        let about = std::fs::metadata(database).ok();
        Self {
            file: about.as_ref().map(|about| (about.dev(), about.ino())),
            length: about.as_ref().map_or(0, std::fs::Metadata::len),
            modified: about.and_then(|about| about.modified().ok()),
            wal_length: wal_length(database),
        }
    }
}

/// Length of the write-ahead log beside a database, in bytes.
pub fn wal_length(database: &Path) -> u64 {
    std::fs::metadata(with_suffix(database, "-wal")).map_or(0, |about| about.len())
}

/// A path with something added to its last name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
