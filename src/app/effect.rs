//! What must be done outside: plain data, so that it can be compared in tests.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::detail::tree::Decode;
use crate::domain::clean::Clean;
use crate::domain::command::UserCommand;
use crate::domain::job::{Job, JobIx};
use crate::domain::observation::{BodyId, Observation};

/// What should be known before a status read of an unfinished one-shot job is copied.
pub const TAKES: &str = "this read may take the result: it can be read once";

/// Something that must be done outside.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the engine to read these jobs now.
    ReadNow(Vec<JobIx>),
    /// Ask the engine to send no new read (true), or to go on.
    Pause(bool),
    /// Ask the engine for a job's reads and changes; answered by `Fact::History`.
    LoadHistory(JobIx),
    /// Load a saved body, off the drawing thread; answered by `Event::BodyLoaded`.
    LoadBody {
        subject: JobSnapshot,
        /// The store's number of the body.
        body: BodyId,
    },
    /// Look for the files in these saved Unstract replies (by the store's numbers), off the drawing thread; answered
    /// by some `Event::FilesRead`.
    ReadFiles(Vec<(JobIx, Arc<Job>, BodyId)>),
    /// Build the index of a JSON text, off the drawing thread; answered by `Event::TreeReady`.
    BuildTree {
        ix: JobIx,
        /// The store's number of the body.
        body: BodyId,
        /// Which part of it the text is.
        part: BodyPart,
        text: Bytes,
    },
    /// Decode a long string that holds JSON, off the drawing thread; answered by `Event::Decoded`.
    Decode {
        ix: JobIx,
        /// The store's number of the body.
        body: BodyId,
        /// In which part of it the string is.
        part: BodyPart,
        decode: Decode,
    },
    /// Copy; answered by `Event::Copied`.
    Copy {
        what: What,
        /// Of these jobs; of more than one, each followed by a line break. Empty for a text.
        jobs: Vec<JobSnapshot>,
        /// What to call it when it is done.
        of: CopyName,
    },
    /// Save to a file in the working directory, never over another; answered by `Event::Saved`.
    SaveFile {
        what: What,
        /// Of these jobs, one file each.
        jobs: Vec<JobSnapshot>,
    },
    /// Save a text under this name, as `SaveFile` does.
    SaveText {
        /// The file's name without its ending. Foreign text.
        name: String,
        /// Its ending, without the dot.
        ending: &'static str,
        text: Bytes,
    },
    /// Write a report of these jobs to a new file in the working directory; answered by `Event::Saved`.
    WriteReport {
        /// What they are called together. Foreign text.
        title: String,
        /// The jobs, in their order.
        jobs: Vec<JobSnapshot>,
    },
    /// Show in the pager; an `Event::Resumed` or `Event::PagerFailed` follows.
    OpenPager {
        what: What,
        job: JobSnapshot,
    },
    /// Run a command of the user's own; answered by an `Event::CommandEnded` for each run.
    RunCommand {
        command: Arc<UserCommand>,
        jobs: Vec<JobSnapshot>,
    },
    /// Suspend to the shell; `Event::Resumed` follows.
    Suspend,
    /// Forget what is on the terminal, so that the next drawing writes every cell.
    ClearScreen,
    /// Take the mouse, or give it back.
    SetMouse(bool),
    /// Tell the user who is elsewhere.
    Notify(Notice),
    SetTitle(String),
    /// Keep the state of the view for the next start; it comes back in `DashboardOptions::view`.
    SaveView(String),
    /// Ask the engine to drain; `Fact::Draining` and `Fact::Ended` follow.
    Drain,
    /// Ask the engine to end at once; `Fact::Ended` follows.
    Abort,
    Exit,
}

/// What a copy is called: whose it is, and what of it. Empty where the size says enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyName {
    /// The job, the file, or how many jobs.
    pub whose: Clean,
    pub part: &'static str,
}

impl CopyName {
    pub fn new(whose: impl Into<Clean>, part: &'static str) -> Self {
        Self { whose: whose.into(), part }
    }
}

impl fmt::Display for CopyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whose.is_empty() { Ok(()) } else { write!(f, "{}: {}", self.whose, self.part) }
    }
}

/// A job as it stood when an effect was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSnapshot {
    pub ix: JobIx,
    pub job: Arc<Job>,
    pub known: Arc<Observation>,
}

impl JobSnapshot {
    /// Whether somebody else's read of it may take the result from us.
    pub fn may_take_the_result(&self) -> bool {
        self.job.traits.one_shot && !self.known.state.is_terminal()
    }
}

/// A part of a body that is shown as its own tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyPart {
    Output,
    /// The n-th file of an Unstract body, from 0.
    File(usize),
}

/// What is copied, saved or shown.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The raw output, byte for byte.
    Raw,
    /// The whole body as received.
    Body,
    /// The decoded output as pretty JSON.
    Output,
    /// The curl command of the status read, the key as a variable.
    Curl,
    SavedPath,
    /// A bug report: the Markdown of each job, and its curl command under it.
    Report(HashMap<JobIx, String>),
    /// These very bytes.
    Text(Bytes),
}

/// A word to the user who is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub text: Clean,
}

/// The occasions of `[notify] on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// The first failure of the batch.
    FirstFailure,
    /// Every job is over.
    Finished,
}
