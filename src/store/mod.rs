//! What survives: observations, bodies, changes, attempts and claims, in SQLite behind one writer thread.
//! No other folder names SQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::domain::attempt::{Attempt, Change};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Fields, Keep, LastPoll, Observation, Role, Saved};
use crate::domain::response::Headers;

mod bodies;
mod cells;
mod connect;
mod database;
mod dir;
mod files;
mod hooks;
mod instance;
mod name;
mod reader;
mod rows;
mod salvage;
mod spool;
mod steps;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

pub use hooks::HookEvent;
pub use spool::Spool;

use dir::StateDir;
use instance::Instance;
use reader::{Question, Reader};
use trouble::Trouble;
use writer::{Command, Writer};

/// A handle on the state directory. Cheap to clone; all clones speak to the same writer thread.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Whether a handle may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads jobs: registers an instance that can hold claims.
    ReadWrite,
    /// Looks only: creates nothing, not even the directory.
    ReadOnly,
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
    /// Its last reads, all of them: replaces what is stored, unless there are none.
    pub attempts: Vec<Attempt>,
    /// The body to keep.
    pub body: Option<SaveBody>,
    /// Further results that belong to the same step: the status response beside that of the result, files beside it.
    pub further: Vec<SaveBody>,
    /// The provider's description that the job was polled with, so that what is saved stays readable.
    pub description: Option<Arc<str>>,
    /// The events that hooks are run for because of this step.
    pub hook_events: Vec<NewHookEvent>,
}

impl Save {
    /// A step that brings this observation and nothing else.
    pub fn new(job: Arc<Job>, observation: Observation) -> Self {
        Self {
            job,
            observation,
            change: None,
            attempts: Vec::new(),
            body: None,
            further: Vec::new(),
            description: None,
            hook_events: Vec::new(),
        }
    }

    /// Every body of the step: the one that the observation speaks of first.
    fn bodies(&self) -> impl Iterator<Item = &SaveBody> {
        self.body.iter().chain(&self.further)
    }
}

/// An event of a job that a hook shall be run for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHookEvent {
    /// Which hook, by its definition.
    pub hook: String,
    /// What happened.
    pub event: String,
    /// When.
    pub at: jiff::Timestamp,
}

/// A body to keep.
#[derive(Debug, Clone)]
pub struct SaveBody {
    /// Copy or evidence (never `Keep::Nothing`).
    pub keep: Keep,
    /// What it is of its job.
    pub role: Role,
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

/// The reads of a job that changed nothing but when it was last read: written once its reader is done with it, not one
/// by one.
#[derive(Debug, Clone)]
pub struct Reads {
    /// The job.
    pub job: JobKey,
    /// The last of them.
    pub last: LastPoll,
    /// The job's last reads.
    pub attempts: Vec<Attempt>,
    /// Whether these are all of them; otherwise they come after those on disk.
    pub complete: bool,
}

/// A body that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number, size and so on; the HTTP code is 0 where a dead instance left it and the code is not known.
    pub saved: Saved,
    /// Copy or evidence.
    pub keep: Keep,
    /// What it is of its job.
    pub role: Role,
    /// Whether it broke off.
    pub broken: bool,
    /// Headers it came with, but for `location`.
    pub headers: Headers,
}

/// Where an answer is sent.
type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What all clones of a handle share.
#[derive(Debug)]
struct Inner {
    dir: StateDir,
    /// None for a viewer.
    writer: Option<Channel<Command>>,
    reader: Option<Channel<Question>>,
    /// None for a viewer. Its lock lives as long as any clone.
    instance: Option<Arc<Instance>>,
    /// Whether the database was found damaged in use.
    suspect: Arc<AtomicBool>,
}

/// A thread and the way to it.
#[derive(Debug)]
struct Channel<T> {
    sender: Sender<T>,
    thread: JoinHandle<()>,
}

impl Store {
    /// Opens the state directory. With [`Access::ReadWrite`] it is made where it is missing (0700, files 0600), migrated,
    /// and an instance is registered. The strings are notes for the user: a corrupt database that was moved aside.
    pub fn open(dir: &Path, access: Access) -> Result<(Self, Vec<String>), StoreError> {
        let root = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        let dir = StateDir::new(&root);
        let failed = |trouble: &Trouble| trouble.say("open the state directory", &root);
        let mut inner = Inner { dir: dir.clone(), writer: None, reader: None, instance: None, suspect: Arc::default() };
        let mut notes = Vec::new();
        let (to_reader, questions) = channel();
        match access {
            Access::ReadWrite => {
                let (writer, note) =
                    Writer::open(dir.clone(), to_reader.clone()).map_err(|trouble| failed(&trouble))?;
                notes.extend(note);
                inner.instance = Some(writer.instance());
                inner.suspect = writer.suspect();
                let (sender, commands) = channel();
                let thread = spawn("store writer", move || writer.run(&commands))?;
                inner.writer = Some(Channel { sender, thread });
            }
            Access::ReadOnly => {}
        }
        let mut reader = Reader::new(dir, access, Arc::clone(&inner.suspect));
        if access == Access::ReadOnly {
            reader.try_open().map_err(|trouble| failed(&trouble))?;
        }
        let thread = spawn("store reader", move || reader.run(&questions))?;
        inner.reader = Some(Channel { sender: to_reader, thread });
        Ok((Self { inner: Arc::new(inner) }, notes))
    }

    /// What is known of these jobs, in their order; a default observation for one never heard of.
    pub async fn load(&self, keys: Vec<JobKey>) -> Result<Vec<Observation>, StoreError> {
        match self.ask(|answer| Question::Load(keys.clone(), answer)).await {
            Err(_) if self.is_mended().await => self.ask(|answer| Question::Load(keys, answer)).await,
            known => known,
        }
    }

    /// Every job on disk with its last declaration, in the order in which they were first seen.
    pub async fn load_all(&self) -> Result<Vec<(Job, Observation)>, StoreError> {
        match self.ask(Question::LoadAll).await {
            Err(_) if self.is_mended().await => self.ask(Question::LoadAll).await,
            all => all,
        }
    }

    /// Keeps what the jobs file says about these jobs, in one transaction. Nothing is written where nothing changed.
    pub async fn declare(&self, jobs: Vec<Arc<Job>>) -> Result<(), StoreError> {
        self.order(|answer| Command::Declare(jobs, answer)).await
    }

    /// Claims these jobs, in their order: ours if free, already ours, or a dead instance's. Where it says `orphaned`,
    /// what is known of the job may have changed by it (doubt, evidence): load it again.
    pub async fn claim(&self, jobs: Vec<Arc<Job>>) -> Result<Vec<Claim>, StoreError> {
        self.order(|answer| Command::Claim(jobs, answer)).await
    }

    /// The pid of the living instance that holds the claim on each of these jobs; None where it is free. Writes nothing.
    pub async fn owners(&self, keys: Vec<JobKey>) -> Result<Vec<Option<u32>>, StoreError> {
        self.ask(|answer| Question::Owners(keys, answer)).await
    }

    /// Notes when jobs were last read, and gives up our claims on these, in one transaction.
    pub async fn release(&self, keys: Vec<JobKey>, reads: Vec<Reads>) -> Result<(), StoreError> {
        self.order(|answer| Command::Release(keys, reads, answer)).await
    }

    /// Saves one step durably and answers with the observation as it now stands on disk. Steps that wait at the same
    /// time are committed together. After an error the same step can be saved again.
    pub async fn save(&self, save: Save) -> Result<Observation, StoreError> {
        self.order(|answer| Command::Save(Box::new(save), answer)).await
    }

    /// Saves without waiting for it: what is saved later stands behind it in line. A failure is told to nobody; that the
    /// state directory takes nothing shows with whatever is saved next.
    pub fn post(&self, save: Save) {
        if let Some(writer) = &self.inner.writer {
            let (answer, _) = oneshot::channel();
            let _ = writer.sender.send(Command::Save(Box::new(save), answer));
        }
    }

    /// Whether another instance (or handle) has written since this was last asked.
    pub async fn changed_by_others(&self) -> Result<bool, StoreError> {
        if self.inner.writer.is_some() {
            return self.order(Command::Changed).await;
        }
        self.ask(Question::Changed).await
    }

    /// A job's last reads and its changes, oldest first.
    pub async fn history(&self, key: JobKey) -> Result<(Vec<Attempt>, Vec<Change>), StoreError> {
        self.ask(|answer| Question::History(key, answer)).await
    }

    /// All bodies that are kept for a job, oldest first: copies, and evidence, among it what dead instances left.
    pub async fn kept(&self, key: JobKey) -> Result<Vec<Kept>, StoreError> {
        self.ask(|answer| Question::Kept(key, answer)).await
    }

    /// A saved body: in memory, or mapped from its file.
    pub async fn body(&self, body: BodyId) -> Result<Bytes, StoreError> {
        self.ask(|answer| Question::Body(body, answer)).await
    }

    /// Where a saved body stands as a file of its own, if it does.
    pub async fn body_path(&self, body: BodyId) -> Result<Option<PathBuf>, StoreError> {
        self.ask(|answer| Question::BodyPath(body, answer)).await
    }

    /// Tries to write (a row and a sync) and asks for the free space: whether one-shot reads may be sent. An error, once,
    /// also if the directory or its database was replaced: jobs are to be claimed again.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.order(Command::Probe).await?;
        let displaced = self.inner.instance.as_ref().is_some_and(|instance| instance.was_displaced());
        if displaced { Err(self.unwritable(&Trouble::Replaced)) } else { Ok(()) }
    }

    /// Waits for its turn in the database and writes nothing: whether no other program holds it. Cheap, for nothing is
    /// synced.
    pub async fn lock(&self) -> Result<(), StoreError> {
        self.order(Command::Lock).await
    }

    /// Asks for the free space and makes a file, without a sync: cheap enough to be done before every one-shot read,
    /// where [`probe`](Self::probe) is not.
    pub fn glance(&self) -> Result<(), StoreError> {
        writer::try_a_file(&self.inner.dir).map_err(|trouble| self.unwritable(&trouble))?;
        let in_place = self.inner.instance.as_ref().is_none_or(|instance| instance.is_in_place());
        if in_place { Ok(()) } else { Err(self.unwritable(&Trouble::Replaced)) }
    }

    /// A place for a reply's bytes as they arrive. What came of a one-shot one outlives us.
    pub fn spool(&self, key: &JobKey, seq: u64, one_shot: bool) -> Spool {
        let instance = self.inner.instance.as_ref().map_or("none", |instance| &instance.name);
        Spool::new(self.inner.dir.clone(), key, seq, one_shot, instance)
    }

    /// Deletes the file of a finished one-shot reply that is not worth saving. What is neither saved nor discarded is
    /// taken for the remains of a dead instance later.
    pub fn discard(&self, spooled: &Path) {
        let _ = std::fs::remove_file(spooled);
    }

    /// The state directory, absolute.
    pub fn dir(&self) -> &Path {
        self.inner.dir.root()
    }

    /// Gives up all claims, unregisters the instance and waits for the writer to end.
    pub async fn close(&self) {
        let Some(writer) = &self.inner.writer else { return };
        if let Some(reader) = &self.inner.reader {
            let (done, closed) = oneshot::channel();
            if reader.sender.send(Question::Rest(done)).is_ok() {
                let _ = closed.await;
            }
        }
        let (done, closed) = oneshot::channel();
        if writer.sender.send(Command::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }

    fn unwritable(&self, trouble: &Trouble) -> StoreError {
        trouble.say("write to the state directory", self.dir())
    }

    /// Whether a read failed of a damaged database that has been replaced since.
    async fn is_mended(&self) -> bool {
        // The writer looks through a suspect database before it does anything.
        self.inner.suspect.load(Ordering::Relaxed) && self.order(Command::Changed).await.is_ok()
    }

    async fn order<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Result<T, StoreError> {
        let Some(writer) = &self.inner.writer else {
            return Err(StoreError("failed to write: the state directory was opened for looking only".to_owned()));
        };
        answered(&writer.sender, command).await
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Question) -> Result<T, StoreError> {
        let Some(reader) = &self.inner.reader else { return Err(closed()) };
        answered(&reader.sender, question).await
    }
}

impl Store {
    /// Keeps what the user's fields hold of jobs, where their definitions changed after the result was saved.
    pub async fn set_fields(&self, fields: Vec<(JobKey, Fields)>) -> Result<(), StoreError> {
        self.order(|answer| Command::SetFields(fields, answer)).await
    }

    /// Notes that these bodies were written out, as `forget` wants to know.
    pub async fn note_exported(&self, bodies: Vec<BodyId>) -> Result<(), StoreError> {
        self.order(|answer| Command::NoteExported(bodies, answer)).await
    }

    /// The events of hooks that this instance has to deliver, oldest first: its own, and those that dead ones left.
    pub async fn hook_events(&self) -> Result<Vec<HookEvent>, StoreError> {
        self.order(Command::HookEvents).await
    }

    /// Notes that a hook was run for these events, well or not. After three runs in vain an event is given up.
    pub async fn note_hook_events(&self, events: Vec<i64>, delivered: bool) -> Result<(), StoreError> {
        self.order(|answer| Command::NoteHookEvents(events, delivered, answer)).await
    }

    /// The description of the provider that a job was last polled with, as TOML; None where it needs none.
    pub async fn description(&self, key: JobKey) -> Result<Option<String>, StoreError> {
        self.ask(|answer| Question::Description(key, answer)).await
    }
}

impl Drop for Inner {
    /// Ends the threads. What was asked for is still done; claims stay, as after a death: `Store::close` gives them up.
    fn drop(&mut self) {
        // The writer first, for it can ask the reader too.
        if let Some(Channel { sender, thread }) = self.writer.take() {
            drop(sender);
            let _ = thread.join();
        }
        if let Some(Channel { sender, thread }) = self.reader.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// Writes a result that the store does not take to the first place that takes it: the state directory, the home
/// directory, the temporary directory, the current one. Answers with the path of the file, which is new and 0600.
pub fn rescue(dir: &Path, key: &JobKey, bytes: &[u8]) -> std::io::Result<PathBuf> {
    dir::rescue(dir, key, bytes)
}

async fn answered<M, T>(to: &Sender<M>, message: impl FnOnce(Answer<T>) -> M) -> Result<T, StoreError> {
    let (answer, answered) = oneshot::channel();
    to.send(message(answer)).map_err(|_| closed())?;
    answered.await.map_err(|_| closed())?
}

fn closed() -> StoreError {
    StoreError("failed to use the state directory: it was closed. Start jobdeck again".to_owned())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| StoreError(format!("failed to start a thread: {error}. End some programs, then try again")))
}
