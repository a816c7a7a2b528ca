//! Files that people name, opened so that nothing waits for ever: a pipe into which nobody writes, a device without an end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::fs::OFlags;

/// The most that is taken from what is no regular file.
const LARGEST_PIPED: u64 = 64 << 20;

/// How long a pipe may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Opens a regular file to be read; what is none is an error at once, but for the one that is always empty.
pub fn open(path: &Path) -> io::Result<File> {
    // Looked at before it is opened: that alone may do something to a pipe or a device.
    check(&std::fs::metadata(path)?)?;
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file whole, if it has no more than so many bytes.
pub fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > largest {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.by_ref().take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Reads a file that was named for this once, which may be a pipe: that is waited for as long as it says something now and
/// then.
pub fn read_patiently(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() || metadata.is_dir() {
        return read(path, largest);
    }
    // Opening a pipe, too, waits for whoever writes to it.
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
    std::thread::Builder::new().name("pipe".to_owned()).spawn(reading)?;
    let mut bytes = Vec::new();
    loop {
        match received.recv_timeout(SILENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => ErrorKind::TimedOut,
            RecvTimeoutError::Disconnected => ErrorKind::UnexpectedEof,
        })? {
            Ok(piece) if piece.is_empty() => return Ok(bytes),
            Ok(_) if bytes.len() as u64 > largest.min(LARGEST_PIPED) => return Err(ErrorKind::FileTooLarge.into()),
            Ok(piece) => bytes.extend(piece),
            Err(error) => return Err(error),
        }
    }
}

/// In words of ours where those of the system would not help.
pub fn sentence(error: &io::Error) -> String {
    if error.kind() == ErrorKind::TimedOut {
        format!("nothing came from it for {} s, and it is no regular file", SILENCE.as_secs())
    } else if error.kind() == ErrorKind::FileTooLarge {
        "it is too long, or has no end".to_owned()
    } else {
        error.to_string()
    }
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev()) {
        return Ok(());
    } else {
        "a device"
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what} and no regular file")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_a_pipe_that_was_named_for_this_once_is_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let pipe = at("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::os::unix::fs::symlink(&pipe, at("link")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let refused = |path: &Path| read(path, 10).unwrap_err();
        for (path, what) in [
            (pipe.clone(), "a pipe"),
            (at("link"), "a pipe"),
            (at("socket"), "a socket"),
            ("/dev/zero".into(), "a device"),
            ("/dev/tty".into(), "a device"),
        ] {
            let error = refused(&path);
            assert!(error.to_string().contains(what), "{}: {error}", path.display());
        }
        assert_eq!(refused(directory.path()).kind(), ErrorKind::IsADirectory);
        assert_eq!(refused(&at("none")).kind(), ErrorKind::NotFound);
        assert_eq!(read(Path::new("/dev/null"), 10).unwrap(), b"");
        assert_eq!(read_patiently(Path::new("/dev/zero"), 1 << 20).unwrap_err().kind(), ErrorKind::FileTooLarge);
        let sparse = at("sparse");
        File::create(&sparse).unwrap().set_len(11).unwrap();
        for read in [read, read_patiently] {
            assert_eq!(read(&sparse, 10).unwrap_err().kind(), ErrorKind::FileTooLarge);
            assert_eq!(read(&sparse, 11).unwrap(), [0; 11]);
        }
        let writing = pipe.clone();
        let writer = std::thread::spawn(move || File::create(writing).unwrap().write_all(&[b'#'; 100_000]).unwrap());
        assert_eq!(read_patiently(&pipe, 1 << 20).unwrap().len(), 100_000);
        writer.join().unwrap();
    }
}
