//! Instances: each holds a lock for as long as its process lives, and the system releases it on any death.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::dir::{FileId, StateDir, file_id, new_file};
use crate::domain::clean::Clean;
use crate::domain::owner::Owner;

/// This instance and its lock.
#[derive(Debug)]
pub struct Instance {
    /// Who it is. Its name is `<pid>-<random>`.
    pub owner: Owner,
    path: PathBuf,
    lock: Mutex<Lock>,
    displaced: AtomicBool,
}

/// A lock that is held.
#[derive(Debug)]
struct Lock {
    /// The lock goes with this handle. It is not inherited by child processes.
    _file: File,
    /// Which file it is: somebody may have taken it away, or put another in its place.
    file: Option<FileId>,
}

impl Instance {
    /// Makes and locks a lock file. To be called by the one that is opening, see `connect::Opening`.
    pub fn register(dir: &StateDir) -> io::Result<Self> {
        let pid = std::process::id();
        let name = format!("{pid}-{:016x}", fastrand::u64(..));
        let path = lock_path(dir, &name);
        let lock = Mutex::new(Lock::take(&path, pid)?);
        let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
        let owner = Owner { host: host(), user: user.into(), pid, instance: name.into(), is_here: true };
        Ok(Self { owner, path, lock, displaced: AtomicBool::new(false) })
    }

    /// Its name, by which body files and the ledger know it.
    pub fn name(&self) -> &str {
        &self.owner.instance
    }

    /// Makes the lock file again if it is no longer in its place. To be called by the one that is opening.
    pub fn lock_again(&self) -> io::Result<()> {
        if !self.is_locked() {
            let lock = Lock::take(&self.path, self.owner.pid)?;
            *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock;
            self.displace();
        }
        Ok(())
    }

    /// Whether our lock file is in its place.
    pub fn is_locked(&self) -> bool {
        let file = self.lock.lock().unwrap_or_else(PoisonError::into_inner).file;
        file.is_some() && file == file_id(&self.path)
    }

    /// The claims made so far count no more: nobody else sees them.
    pub fn displace(&self) {
        self.displaced.store(true, Ordering::Relaxed);
    }

    /// Whether the claims made so far count.
    pub fn is_in_place(&self) -> bool {
        !self.displaced.load(Ordering::Relaxed) && self.is_locked()
    }

    /// Whether claims ceased to count since this was last asked: they are to be made again.
    pub fn was_displaced(&self) -> bool {
        self.displaced.swap(false, Ordering::Relaxed)
    }

    /// Takes the lock file away. The lock itself ends with the value.
    pub fn unregister(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Lock {
    fn take(path: &Path, pid: u32) -> io::Result<Self> {
        let mut file = new_file(path)?;
        file.try_lock()?;
        // For people; whether it lives is decided by the lock alone.
        let _ = writeln!(file, "{pid}");
        Ok(Self { _file: file, file: file_id(path) })
    }
}

/// Whether instances live, each looked at once.
#[derive(Debug)]
pub struct Liveness<'a> {
    dir: &'a StateDir,
    known: HashMap<String, bool>,
}

impl<'a> Liveness<'a> {
    /// Of the instances of this directory, none looked at yet.
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

/// How an instance's lock is known beyond this directory; None where the system does not tell one start of itself from
/// another. A copy of the directory, on this machine or on another, is another folder.
pub fn lock_name(dir: &StateDir, instance: &str) -> Option<String> {
    Some(format!("{}/{instance}", folder_name(dir)?))
}

/// Whether this is the name of a lock in this very directory that nobody holds any more: whoever held it is dead.
pub fn is_released(dir: &StateDir, lock: &str) -> bool {
    let in_folder = |folder: String| lock.strip_prefix(&folder)?.strip_prefix('/').filter(|name| !name.contains('/'));
    let instance = folder_name(dir).and_then(in_folder);
    instance.is_some_and(|instance| !instance.is_empty() && !is_locked(&lock_path(dir, instance)))
}

fn folder_name(dir: &StateDir) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let (device, number) = file_id(&dir.instances())?;
    Some(format!("{} {device}:{number}", boot.trim()))
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

/// The name of this machine.
pub fn host() -> Clean {
    rustix::system::uname().nodename().to_string_lossy().into_owned().into()
}

fn lock_path(dir: &StateDir, name: &str) -> PathBuf {
    dir.instances().join(format!("{name}.lock"))
}

fn is_locked(path: &Path) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "needs the number of the system's start")]
    fn a_lock_counts_as_released_only_in_the_very_directory_where_it_was_taken() {
        let (here, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [dir, copy] = [&here, &copy].map(|dir| StateDir::new(dir.path()));
        dir.create().unwrap();
        copy.create().unwrap();
        let instance = Instance::register(&dir).unwrap();
        let lock = lock_name(&dir, instance.name()).unwrap();
        assert!(!is_released(&dir, &lock), "it lives");
        assert!(!is_released(&copy, &lock), "of a copy of the directory nobody can say");
        drop(instance);
        assert!(is_released(&dir, &lock));
        let other_boot = lock.replacen(|digit: char| digit.is_ascii_hexdigit(), "x", 1);
        for unknown in [other_boot, String::new(), lock.replace('/', ""), format!("{}/", folder_name(&dir).unwrap())] {
            assert!(!is_released(&dir, &unknown), "{unknown}");
        }
    }
}
