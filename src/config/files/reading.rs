//! The text of a file of ours, or why there is none.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::named_file;

/// The largest file that is read; 100,000 jobs take a twentieth of it.
const LARGEST: u64 = 256 << 20;

/// Why a file is not read, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unreadable {
    pub what: String,
    pub help: &'static str,
}

impl Unreadable {
    fn new(what: impl Into<String>, help: &'static str) -> Self {
        Self { what: what.into(), help }
    }
}

/// Reads a regular file whole.
pub fn read(path: &Path) -> Result<String, Unreadable> {
    text(named_file::read(path, LARGEST))
}

/// The same of a file that may be a pipe, since it was named for this once.
pub fn read_patiently(path: &Path) -> Result<String, Unreadable> {
    text(named_file::read_patiently(path, LARGEST))
}

fn text(bytes: io::Result<Vec<u8>>) -> Result<String, Unreadable> {
    let bytes = bytes.map_err(|error| refusal(&error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', valid).count() + 1;
        Unreadable::new(format!("the file is not UTF-8 (see line {line})"), "save it as UTF-8")
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of the standard library are open")]
fn refusal(error: &io::Error) -> Unreadable {
    match error.kind() {
        ErrorKind::NotFound => Unreadable::new(
            "there is no such file",
            "write a starter file with `jobdeck init`, or name another with --config",
        ),
        ErrorKind::IsADirectory => Unreadable::new("this is a directory", "name the file in it with --config"),
        ErrorKind::PermissionDenied => {
            Unreadable::new("the file may not be read", "give yourself permission to read it")
        }
        ErrorKind::TimedOut => {
            Unreadable::new(named_file::sentence(error), "see what writes to it, or name another with --config")
        }
        ErrorKind::FileTooLarge => Unreadable::new("the file is too long, or has no end", "name another file"),
        ErrorKind::InvalidInput => Unreadable::new(error.to_string(), "name a regular file"),
        _ => Unreadable::new(format!("failed to read the file: {error}"), "see whether it can be opened otherwise"),
    }
}
