//! The text of a file of ours, or why there is none. A pipe that gives nothing and a device that never ends are bounded.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The largest file that is read; 100,000 jobs take a twentieth of it.
const LARGEST: u64 = 256 << 20;

/// The most that is taken from what is no regular file.
const LARGEST_PIPED: u64 = 64 << 20;

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

pub fn read(path: &Path) -> Result<String, Unreadable> {
    let bytes = bytes(path)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', valid).count() + 1;
        Unreadable::new(format!("the file is not UTF-8 (see line {line})"), "save it as UTF-8")
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let metadata = std::fs::metadata(path).map_err(|error| refusal(&error))?;
    if metadata.is_file() || metadata.is_dir() {
        return bounded(File::open(path).map_err(|error| refusal(&error))?, LARGEST);
    }
    // Opening a pipe, too, waits for whoever writes to it: that must not last for ever.
    let (path, (pieces, received)) = (path.to_owned(), sync_channel(1));
    let reading = move || {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return drop(pieces.send(Err(error))),
        };
        loop {
            let mut piece = vec![0; 1 << 16];
            let read = file.read(&mut piece).inspect(|read| piece.truncate(*read)).map(|_| piece);
            let is_last = read.as_ref().map_or(true, Vec::is_empty);
            if pieces.send(read).is_err() || is_last {
                return;
            }
        }
    };
    std::thread::Builder::new().name("pipe".to_owned()).spawn(reading).map_err(|error| refusal(&error))?;
    let mut bytes = Vec::new();
    loop {
        match received.recv_timeout(SILENCE) {
            Ok(Ok(piece)) if piece.is_empty() => return Ok(bytes),
            Ok(Ok(piece)) if bytes.len() as u64 > LARGEST_PIPED => {
                drop(piece);
                return Err(endless());
            }
            Ok(Ok(piece)) => bytes.extend(piece),
            Ok(Err(error)) => return Err(refusal(&error)),
            Err(RecvTimeoutError::Timeout) => {
                let what = format!("nothing came from it for {} s, and it is no regular file", SILENCE.as_secs());
                return Err(Unreadable::new(what, "see what writes to it, or name another with --config"));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(bytes),
        }
    }
}

/// How long a pipe may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

fn bounded(mut file: File, largest: u64) -> Result<Vec<u8>, Unreadable> {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > largest {
        return Err(endless());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.by_ref().take(largest + 1).read_to_end(&mut bytes).map_err(|error| refusal(&error))?;
    if bytes.len() as u64 > largest { Err(endless()) } else { Ok(bytes) }
}

fn endless() -> Unreadable {
    Unreadable::new("the file is too long, or has no end", "name a jobs file")
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
        _ => Unreadable::new(format!("failed to read the file: {error}"), "see whether it can be opened otherwise"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_device_without_an_end_and_a_file_too_long_are_refused_and_a_pipe_is_read_to_its_end() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err(), endless());
        assert_eq!(read(Path::new("/dev/null")).as_deref(), Ok(""));
        let directory = tempfile::tempdir().unwrap();
        let sparse = directory.path().join("sparse");
        File::create(&sparse).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read(&sparse).unwrap_err(), endless());
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if made.is_ok_and(|status| status.success()) {
            let writing = pipe.clone();
            std::thread::spawn(move || File::create(writing).unwrap().write_all(&[b'#'; 100_000]).unwrap());
            assert_eq!(read(&pipe).unwrap().len(), 100_000);
        }
    }
}
