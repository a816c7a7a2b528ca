//! The state directory: where its files stand, their modes, and whether there is room.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::trouble::Trouble;
use crate::domain::job::JobKey;

/// How the name of a rescue file begins.
const RESCUED: &str = "jobdeck-rescued-";

/// Below this, one-shot reads are withheld.
pub const LEAST_FREE_BYTES: u64 = 64 << 20;

/// The state directory and what is where in it.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// A directory that need not exist.
    pub fn new(root: &Path) -> Self {
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn database(&self) -> PathBuf {
        self.root.join("jobdeck.db")
    }

    /// Bodies over 64 KiB.
    pub fn bodies(&self) -> PathBuf {
        self.root.join("bodies")
    }

    /// Replies as they arrive.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// The locks of running instances.
    pub fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    /// Makes what is missing, for this user alone. A root that exists keeps its mode: it may be a directory that the
    /// user chose; what is inside is ours and is tightened.
    pub fn create(&self) -> io::Result<()> {
        if !self.root.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
            std::fs::set_permissions(&self.root, Permissions::from_mode(0o700))?;
        }
        self.create_folders()?;
        // SQLite gives its -wal and -shm files the mode of the database.
        match new_file(&self.database()) {
            Ok(_) => sync_dir(&self.root)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(&self.database(), 0o600),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Does something with a file in one of the folders, and again if the folder was taken away: cleaners of old, empty
    /// directories do that. The state directory itself is not made here.
    pub fn with_folders<T>(&self, mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match work() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.is_dir() => {
                self.create_folders()?;
                work()
            }
            other => other,
        }
    }

    fn create_folders(&self) -> io::Result<()> {
        for dir in [self.bodies(), self.spool(), self.instances()] {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => std::fs::set_permissions(&dir, Permissions::from_mode(0o700))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(&dir, 0o700),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether there is room for a response's file and one can be made.
    pub fn try_a_file(&self) -> Result<(), Trouble> {
        let free = self.free_bytes()?;
        if free < LEAST_FREE_BYTES {
            return Err(Trouble::LittleSpace(free));
        }
        if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| *limit < LEAST_FREE_BYTES) {
            return Err(Trouble::ShortFiles(limit));
        }
        let path = self.spool().join(format!("{:016x}.probe", fastrand::u64(..)));
        // A byte, because there may be room for names alone.
        let written = self.with_folders(|| new_file(&path))?.write_all(b"x");
        match std::fs::remove_file(&path) {
            // Another instance that opens the directory sweeps such files away.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(written?),
        }
    }

    /// Bytes that are free for us where the directory is.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Device and number of a file.
pub type FileId = (u64, u64);

pub fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// Makes a file that nobody else may read, whatever the umask; an error if it exists.
pub fn new_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// See `Spool::rescue`.
pub fn rescue(dir: &Path, key: &JobKey, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut last = io::Error::other("there is no place to write to");
    for place in rescue_places(dir) {
        match rescue_into(&place, key, bytes) {
            Ok(path) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Where results are rescued to, the best first; each once.
fn rescue_places(dir: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let mut places: Vec<PathBuf> = Vec::new();
    for place in [Some(dir.to_owned()), home, Some(std::env::temp_dir()), std::env::current_dir().ok()] {
        places.extend(place.filter(|place| !places.contains(place)));
    }
    places
}

/// The files that results were rescued to, wherever that was, by what their names begin with.
pub fn rescued(dir: &StateDir) -> HashMap<String, Vec<PathBuf>> {
    let mut found: HashMap<String, Vec<PathBuf>> = HashMap::new();
    let places = rescue_places(dir.root()).into_iter().filter_map(|place| std::fs::read_dir(place).ok());
    for entry in places.flatten().filter_map(Result::ok) {
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".body"));
        let numbered = name.filter(|name| name.starts_with(RESCUED)).and_then(|name| name.rsplit_once('-'));
        if let Some((stem, _)) = numbered
            && is_private(&path)
        {
            found.entry(stem.to_owned()).or_default().push(path);
        }
    }
    found
}

/// Whether a file is ours and nobody else can read or write it, as rescue files are: in a directory of everyone's
/// another user could leave what looks like one.
fn is_private(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|about| {
        about.is_file() && about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o077 == 0
    })
}

/// How the names of files begin that a job's results are rescued to.
pub fn rescue_stem(key: &JobKey) -> String {
    // An id is foreign text: it must not climb out of the directory.
    let id: String = key.id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').take(60).collect();
    format!("{RESCUED}{}-{id}", key.provider)
}

fn rescue_into(place: &Path, key: &JobKey, bytes: &[u8]) -> io::Result<PathBuf> {
    for n in 1..1000 {
        let path = place.join(format!("{}-{n}.body", rescue_stem(key)));
        let mut file = match new_file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_all()) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        let _ = sync_dir(place);
        return Ok(path);
    }
    Err(io::Error::other("too many rescued results"))
}

/// Takes the rights of others away from what is ours. What is not ours is left alone.
fn tighten(path: &Path, mode: u32) {
    let Ok(found) = std::fs::symlink_metadata(path) else { return };
    let ours = found.uid() == rustix::process::geteuid().as_raw();
    if ours && !found.is_symlink() && found.mode() & 0o077 != 0 {
        let _ = std::fs::set_permissions(path, Permissions::from_mode(mode));
    }
}
