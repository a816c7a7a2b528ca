//! A file that is there whole or not at all: written beside its place under a lock, then renamed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How often one is begun again that another process took for left behind.
const TRIES: usize = 10;

/// A file that is being written, for the user alone: it goes when this is dropped, unless it was given a name.
#[derive(Debug)]
pub struct PartFile {
    /// Where it stands meanwhile.
    pub path: PathBuf,
    /// Its lock says to [`clear`] that the writer lives. Where there are no locks, nothing is cleared either.
    pub file: File,
}

impl PartFile {
    pub fn begin(dir: &Path) -> io::Result<Self> {
        for _ in 1..TRIES {
            let part = Self::create(dir)?;
            // Between the two steps another may have looked at it, and taken it away.
            let is_taken = matches!(part.file.try_lock(), Err(TryLockError::WouldBlock));
            if !is_taken && part.stands()? {
                return Ok(part);
            }
        }
        Self::create(dir)
    }

    fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(format!(".{:016x}.part", fastrand::u64(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    /// Whether its path leads to it still.
    fn stands(&self) -> io::Result<bool> {
        let inode = self.file.metadata()?.ino();
        Ok(fs::symlink_metadata(&self.path).is_ok_and(|about| about.ino() == inode))
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes a file for the user alone, over an earlier one of its name.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = PartFile::begin(path.parent().unwrap_or(Path::new(".")))?;
    part.file.write_all(bytes)?;
    fs::rename(&part.path, path)
}

/// Takes away what writers left in a folder that were killed. What cannot be looked at stays.
pub fn clear(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let left = is_file && entry.file_name().to_str().is_some_and(is_part);
        if left
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // While the lock is held: who begins it finds it taken.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one that `write` makes, and no file of the user's.
fn is_part(name: &str) -> bool {
    let digits = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".part"));
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_begun_while_another_clears_the_folder_is_there_to_the_end() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    clear(dir.path());
                }
            });
            let gone = (0..2_000).filter(|_| write(&dir.path().join("body"), b"whole").is_err()).count();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(gone, 0);
        });
    }

    #[test]
    fn what_a_killed_writer_left_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in [".0123456789abcdef.part", ".fedcba9876543210.part", "body", ".mine.part", "0123456789abcdef.part"]
        {
            fs::write(at(name), "half").unwrap();
        }
        let living = File::open(at(".fedcba9876543210.part")).unwrap();
        living.lock().unwrap();
        clear(dir.path());
        assert!(!at(".0123456789abcdef.part").exists());
        for name in [".fedcba9876543210.part", "body", ".mine.part", "0123456789abcdef.part"] {
            assert!(at(name).exists(), "{name}");
        }
        write(&at("body"), b"whole").unwrap();
        assert_eq!(fs::read(at("body")).unwrap(), b"whole");
        assert!(write(&dir.path().join("none/body"), b"x").is_err());
    }
}
