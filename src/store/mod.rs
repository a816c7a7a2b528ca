//! What survives: observations, bodies, changes, attempts and claims, in SQLite behind one writer thread.
//! No other folder names SQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::attempt::{Attempt, Change};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{Keep, Observation};
use crate::domain::reply::Headers;

/// A handle on the state directory. Cheap to clone; all clones speak to the same writer thread.
#[derive(Clone, Debug)]
pub struct Store {}

/// Whether a handle may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads jobs: registers an instance that can hold claims.
    Reader,
    /// Looks only: creates nothing, not even the directory.
    Viewer,
}

/// What failed, as a step and its cause; a sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Whose a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Ours. `orphaned`: taken over from an instance that died.
    Ours {
        /// Whether a dead instance had claimed it.
        orphaned: bool,
    },
    /// Another living instance's, by its pid.
    Theirs(u32),
}

/// One durable step of a job: all of it is on disk, or nothing of it.
#[derive(Debug, Clone)]
pub struct Save {
    /// The job and its declaration, kept for `status --all` and `show`.
    pub job: Arc<Job>,
    /// What is known now; `saved` and `evidence` are filled in by the store where a body comes with it.
    pub observation: Observation,
    /// The change to add to its history.
    pub change: Option<Change>,
    /// Its last reads, all of them: replaces what is stored.
    pub attempts: Vec<Attempt>,
    /// The body to keep.
    pub body: Option<SaveBody>,
}

/// A body to keep.
#[derive(Debug, Clone)]
pub struct SaveBody {
    /// Copy or evidence (never `Keep::Nothing`).
    pub keep: Keep,
    /// Whether it broke off: evidence of a result, which later evidence never displaces.
    pub broken: bool,
    /// Its bytes. Long ones are already in a file of the store's, see [`Spool`].
    pub bytes: Bytes,
    /// The spool file that holds exactly these bytes already, if there is one.
    pub spooled: Option<PathBuf>,
    /// HTTP code it came with.
    pub http_status: u16,
    /// Headers it came with; `location` is not kept.
    pub headers: Headers,
    /// Whether our own token was masked in it.
    pub masked: bool,
    /// When it was received.
    pub at: jiff::Timestamp,
}

impl Store {
    /// Opens the state directory. With [`Access::Reader`] it is made where it is missing (0700, files 0600), migrated,
    /// and an instance is registered. The strings are notes for the user: a corrupt database that was moved aside.
    pub fn open(dir: &Path, access: Access) -> Result<(Self, Vec<String>), StoreError> {
        let _ = (dir, access);
        Err(StoreError("not written yet".to_owned()))
    }

    /// What is known of these jobs, in their order; a default observation for one never heard of.
    pub async fn load(&self, keys: Vec<JobKey>) -> Result<Vec<Observation>, StoreError> {
        let _ = keys;
        unimplemented!()
    }

    /// Every job on disk with its last declaration, in the order in which they were first seen.
    pub async fn load_all(&self) -> Result<Vec<(Job, Observation)>, StoreError> {
        unimplemented!()
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        Path::new("")
    }

    /// Keeps what the jobs file declares about these jobs, for `status --all` and `show`.
    pub async fn declare(&self, jobs: Vec<Arc<Job>>) -> Result<(), StoreError> {
        let _ = jobs;
        unimplemented!()
    }

    /// The living instance, by its pid, that holds the claim on each of these jobs; None where it is free. Writes nothing.
    pub async fn owners(&self, keys: Vec<JobKey>) -> Result<Vec<Option<u32>>, StoreError> {
        let _ = keys;
        unimplemented!()
    }

    /// Claims these jobs, in their order: ours if free, already ours, or a dead instance's.
    pub async fn claim(&self, keys: Vec<JobKey>) -> Result<Vec<Claim>, StoreError> {
        let _ = keys;
        unimplemented!()
    }

    /// Gives up our claims on these jobs.
    pub async fn release(&self, keys: Vec<JobKey>) -> Result<(), StoreError> {
        let _ = keys;
        unimplemented!()
    }

    /// Saves one step durably and answers with the observation as it now stands on disk. Steps that wait at the same
    /// time are committed together.
    pub async fn save(&self, save: Save) -> Result<Observation, StoreError> {
        let _ = save;
        unimplemented!()
    }

    /// Whether another instance (or handle) has written since this was last asked.
    pub async fn changed_by_others(&self) -> Result<bool, StoreError> {
        unimplemented!()
    }

    /// A job's last reads and its changes, oldest first.
    pub async fn history(&self, key: JobKey) -> Result<(Vec<Attempt>, Vec<Change>), StoreError> {
        let _ = key;
        unimplemented!()
    }

    /// A saved body: in memory, or mapped from its file.
    pub async fn body(&self, body: i64) -> Result<Bytes, StoreError> {
        let _ = body;
        unimplemented!()
    }

    /// Where a saved body stands as a file of its own, if it does.
    pub async fn body_path(&self, body: i64) -> Result<Option<PathBuf>, StoreError> {
        let _ = body;
        unimplemented!()
    }

    /// Tries to write (a row and a sync) and asks for the free space: whether one-shot reads may be sent.
    pub async fn probe(&self) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// A place for a reply's bytes as they arrive.
    pub fn spool(&self, key: &JobKey, seq: u64) -> Spool {
        let _ = (key, seq);
        unimplemented!()
    }

    /// Gives up all claims, unregisters the instance and waits for the writer to end.
    pub async fn close(&self) {}
}

/// Where a reply's bytes go as they arrive: memory up to 64 KiB, then a file in the state directory, whose name
/// tells the job, so that a successor finds what a dead instance had received. If the disk fails it goes on in
/// memory: a one-shot reply is never lost to a full disk.
#[derive(Debug)]
pub struct Spool {}

impl Spool {
    /// Takes the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        let _ = chunk;
    }

    /// How many bytes it holds.
    pub fn len(&self) -> u64 {
        0
    }

    /// All bytes, synced to disk where they are in a file, and that file.
    pub fn finish(self) -> (Bytes, Option<PathBuf>) {
        (Bytes::new(), None)
    }
}

/// Writes bytes that the store did not take to the first place that takes them.
pub fn rescue(dir: &Path, key: &JobKey, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let _ = (dir, key, bytes);
    Err(std::io::ErrorKind::Other.into())
}
