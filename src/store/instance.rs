//! Instances: each holds a lock for as long as its process lives, and the system releases it on any death.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::PathBuf;

use super::dir::{StateDir, new_file};

/// This instance's name and lock.
#[derive(Debug)]
pub struct Instance {
    /// `<pid>-<random>`: unique over time, for pids come back.
    pub name: String,
    /// This process.
    pub pid: u32,
    path: PathBuf,
    /// The lock goes with this handle. It is not inherited by child processes.
    _lock: File,
}

impl Instance {
    /// Makes and locks a lock file. To be called by the one that is opening, see `connect::Opening`.
    pub fn register(dir: &StateDir) -> io::Result<Self> {
        let pid = std::process::id();
        let name = format!("{pid}-{:016x}", fastrand::u64(..));
        let path = lock_path(dir, &name);
        let mut lock = new_file(&path)?;
        lock.try_lock()?;
        // For people; whether it lives is told by the lock alone.
        let _ = writeln!(lock, "{pid}");
        Ok(Self { name, pid, path, _lock: lock })
    }

    /// Takes the lock file away. The lock itself ends with the value.
    pub fn unregister(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Which instances live, each asked once.
#[derive(Debug)]
pub struct Living<'a> {
    dir: &'a StateDir,
    known: HashMap<String, bool>,
}

impl<'a> Living<'a> {
    /// Knows nothing yet.
    pub fn new(dir: &'a StateDir) -> Self {
        Self { dir, known: HashMap::new() }
    }

    /// Whether somebody holds that instance's lock. When in doubt it lives: a job read late is better than a job
    /// read twice.
    pub fn is_alive(&mut self, name: &str) -> bool {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let alive = is_locked(&lock_path(self.dir, name));
        self.known.insert(name.to_owned(), alive);
        alive
    }
}

/// Removes lock files that nobody holds and that are not in use for a claim, and what is left of probes.
pub fn sweep(dir: &StateDir, still_claiming: &[String]) {
    let paths = [dir.instances(), dir.spool()].into_iter().filter_map(|place| std::fs::read_dir(place).ok());
    for path in paths.flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "probe") {
            let _ = std::fs::remove_file(&path);
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".lock"))
        else {
            continue;
        };
        if !still_claiming.iter().any(|claiming| claiming == name) && !is_locked(&path) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn lock_path(dir: &StateDir, name: &str) -> PathBuf {
    dir.instances().join(format!("{name}.lock"))
}

fn is_locked(path: &std::path::Path) -> bool {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    // Shared, so that two who ask at the same time do not take each other for the living.
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
    }
}
