//! The ledger: what is known of jobs, who polls them, what has changed, and their bodies. The one interface that a kind
//! of database implements; everything else of the store is local to this machine.

use std::collections::HashSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::team::share::{ShareOutcome, ShareStep};
use super::{KeptBody, NewHookEvent, PendingHook, Reads, Save, StoreError};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, FieldValues, Observation};
use crate::domain::owner::Owner;

/// Where an answer is sent. One that is dropped says that the ledger was closed.
pub type ReplyTo<T> = oneshot::Sender<Result<T, StoreError>>;

/// A database of jobs. Both kinds of commands return at once and are answered later.
pub trait Ledger: Debug + Send + Sync {
    /// Takes a command that writes. Such commands are carried out in the order in which they were given.
    fn write(&self, command: WriteCommand);

    /// Takes a command that reads. It sees every write that was answered before.
    fn read(&self, command: ReadCommand);

    /// Whether the claims that were made still count, as far as that is known here: asked before one-shot polls, so it
    /// must not wait. An error withholds them.
    fn check_claims(&self) -> Result<(), StoreError>;

    /// Whether others than this machine's jobdecks can change what is known: then [`WriteCommand::Changes`] is worth asking
    /// for even if nothing is followed.
    fn is_shared(&self) -> bool {
        false
    }

    /// Which jobs have been saved on this machine for a moment and are not in the store that a team shares yet; None if
    /// these are the same as when this was last asked.
    fn not_uploaded(&self) -> Option<HashSet<JobKey>> {
        None
    }

    /// Once it was closed: what did not reach the store that a team shares, and why, as a sentence; None if nothing did.
    fn left_behind(&self) -> Option<String> {
        None
    }
}

/// A write that a ledger is asked for. A step is durable before it is answered, all of it or nothing; after an error
/// the same step can be given again.
#[derive(Debug)]
pub enum WriteCommand {
    /// Save a step of a job; answers with the observation as it then is.
    Save(Arc<Save>, ReplyTo<Observation>),
    /// Claim these jobs, in their order: ours if free, already ours, or a dead instance's.
    Claim(Vec<Arc<Job>>, ReplyTo<Vec<Claim>>),
    /// Note when jobs were last polled, and give up our claims on these.
    Release(Vec<JobKey>, Vec<Reads>, ReplyTo<()>),
    /// Keep what the jobs file says about these jobs.
    Declare(Vec<Arc<Job>>, ReplyTo<()>),
    /// Keep what the user's fields hold of jobs.
    SetFields(Vec<(JobKey, FieldValues)>, ReplyTo<()>),
    /// Claim these jobs to send them again, each with whether it is known to have been before: which of them may be.
    BeginSending(Vec<(Arc<Job>, bool)>, ReplyTo<Vec<bool>>),
    /// Give these up, and note whether they were sent again.
    EndSending(Vec<Arc<Job>>, bool, ReplyTo<()>),
    /// Note that these bodies were exported.
    NoteExported(Vec<BodyId>, ReplyTo<()>),
    /// The events of hooks that this instance has to deliver, oldest first, those of dead instances among them.
    HookEvents(ReplyTo<Vec<PendingHook>>),
    /// The jobs that ended where it has yet to be looked whether their run did, with the hooks that wait for it.
    HookEndings(ReplyTo<Vec<(JobKey, String)>>),
    /// Keep events of jobs for hooks that no step brings, in place of these endings; what is there already is not kept
    /// again.
    AddHookEvents(Vec<(JobKey, NewHookEvent)>, Vec<(JobKey, String)>, ReplyTo<()>),
    /// Note that a hook was run for these events: well (true) or not.
    NoteHookEvents(Vec<i64>, bool, ReplyTo<()>),
    /// Delete these jobs with all that is kept of them, but for those that a living instance has claimed.
    Forget(Vec<JobKey>, ReplyTo<()>),
    /// Give the space of what was deleted back to the disk.
    Compact(ReplyTo<()>),
    /// Write something and sync it: whether one-shot polls may be sent. An error, once, also if our claims no longer
    /// count, and jobs are to be claimed again.
    Probe(ReplyTo<()>),
    /// Wait for the turn to write, and write nothing: whether somebody else holds the database.
    Lock(ReplyTo<()>),
    /// What others have changed since this was last asked, or since the ledger was opened.
    Changes(ReplyTo<Changes>),
    /// Keep what a team's ledger has to know here.
    Share(ShareStep, ReplyTo<ShareOutcome>),
    /// Give up all claims and end. Answered when that is done.
    Close(oneshot::Sender<()>),
}

/// What a ledger is asked.
#[derive(Debug)]
pub enum ReadCommand {
    /// What is known of these jobs, in their order; a default observation for one never heard of.
    Load(Vec<JobKey>, ReplyTo<Vec<Observation>>),
    /// Every job with its last declaration, in the order in which they were first seen.
    LoadAll(ReplyTo<Vec<(Job, Observation)>>),
    SentAgain(ReplyTo<Vec<JobKey>>),
    /// A job's last polls and its changes, oldest first.
    History(JobKey, ReplyTo<(Vec<Attempt>, Vec<StateChange>)>),
    /// All bodies of a job, oldest first.
    Kept(JobKey, ReplyTo<Vec<KeptBody>>),
    Body(BodyId, ReplyTo<Bytes>),
    /// Where a body is a separate file on this machine, if it is.
    BodyPath(BodyId, ReplyTo<Option<PathBuf>>),
    /// The description of the provider that a job was last polled with, as TOML.
    Description(JobKey, ReplyTo<Option<String>>),
    /// Who holds a valid claim on each of these jobs; None where it is free.
    Owners(Vec<JobKey>, ReplyTo<Vec<Option<Arc<Owner>>>>),
}

/// Whose a job is: a lease, which ends with its holder, however that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Ours. `orphaned`: taken over from an instance that died.
    Ours {
        /// Whether a dead instance had claimed it.
        orphaned: bool,
    },
    /// Another living instance's.
    Theirs(Arc<Owner>),
    /// Nobody's yet: what a dead instance left of it, perhaps its only result, cannot be taken in for this reason. To be
    /// asked for again.
    Blocked(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    Nothing,
    /// What is known of these jobs.
    Of(Vec<JobKey>),
    /// Something; any job may be meant.
    Something,
    /// Our claims ceased to count, or could not be confirmed: all are to be made again.
    Claims,
}

/// Gives a command that writes and waits for its answer.
pub async fn order<T>(ledger: &dyn Ledger, command: impl FnOnce(ReplyTo<T>) -> WriteCommand) -> Result<T, StoreError> {
    let (reply, replied) = oneshot::channel();
    ledger.write(command(reply));
    replied.await.map_err(|_| StoreError::closed())?
}
