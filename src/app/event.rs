//! What has happened: everything that can change what the dashboard shows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::detail::tree::DecodedString;
use super::effect::{BodyPart, CopyName};
use super::keys::{Key, Keymap};
use crate::domain::clean::Clean;
use crate::domain::fact::Fact;
use crate::domain::field::Field;
use crate::domain::files::FileResult;
use crate::domain::job::{JobIx, JobKey};
use crate::domain::observation::BodyId;
use crate::json::index::Document;

/// The two clocks of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which can jump.
    pub wall: Timestamp,
    /// Time since any fixed start, which cannot.
    pub mono: Duration,
}

/// Something that has happened.
#[derive(Debug, Clone)]
pub enum Event {
    Key(Key),
    /// Text was pasted. Foreign text, line breaks included.
    Paste(String),
    /// The mouse did something.
    Mouse(Mouse),
    /// The terminal has another size.
    Resize {
        width: u16,
        height: u16,
    },
    /// The terminal got (true) or lost the focus.
    Focus(bool),
    /// The engine says so.
    Fact(Fact),
    /// A line was logged.
    Log(LogLine),
    /// The time of `wake_at` has come.
    Tick,
    /// `Effect::LoadBody` ended.
    BodyLoaded {
        ix: JobIx,
        /// The store's number of the body.
        body: BodyId,
        /// What is in it, or why it cannot be read.
        result: Result<Arc<Content>, Clean>,
    },
    /// `Effect::ReadFiles` has got so far: what is in some of the replies, nothing for those that cannot be read.
    FilesRead(Vec<FilesOf>),
    /// `Effect::BuildTree` ended.
    TreeReady {
        ix: JobIx,
        /// The store's number of the body.
        body: BodyId,
        part: BodyPart,
        /// Its index, or a sentence why there is none (with the byte at which it is no JSON).
        tree: Result<Arc<Document>, Clean>,
    },
    /// `Effect::Decode` ended.
    Decoded {
        ix: JobIx,
        /// The store's number of the body.
        body: BodyId,
        /// In which part of it the string is.
        part: BodyPart,
        /// What it holds; None if that is no JSON.
        decoded: Option<DecodedString>,
    },
    /// `Effect::Copy` ended.
    Copied {
        /// What was copied, as the effect called it.
        of: CopyName,
        copied: Copied,
    },
    /// `Effect::SaveFile` ended: the path, or a sentence why not.
    Saved(Result<Clean, Clean>),
    /// `Effect::OpenPager` failed: a sentence.
    PagerFailed(Clean),
    /// A run of a command is over.
    CommandEnded {
        /// Which command, for which job, and how it ended.
        said: Clean,
        /// Whether it went well.
        good: bool,
        /// The jobs of the run, if nothing was submitted for them.
        unsent: Vec<JobKey>,
    },
    /// The user's own commands, and the keys with theirs, are others from now on.
    KeysChanged(Box<Keymap>),
    /// The user's fields are these from now on.
    FieldsChanged(Vec<Field>),
    /// The jobs file was changed and is not valid; the old one still applies. The errors, line by line.
    ConfigBroken(Vec<Clean>),
    /// The process was suspended and goes on; the terminal is ours again.
    Resumed,
    /// SIGINT, SIGTERM or SIGHUP came. A second one does not wait.
    Signal,
}

/// A saved body and what a person looks for in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// The whole body as received.
    pub body: Bytes,
    pub content_type: Option<Clean>,
    /// Why it is no JSON, with the byte at which it is none.
    pub fault: Option<Clean>,
    pub broken: bool,
    /// How it differs from what was saved, if it does.
    pub damage: Option<Clean>,
    /// The raw output: what `y` copies. None if there is none in it.
    pub raw: Option<Bytes>,
    /// The decoded output as JSON text. None if there is none.
    pub output: Option<Bytes>,
    /// Where the output is in the body, as a path that jq takes; empty if it is made from several places.
    pub output_path: String,
    /// Its files or other items, in the body's order.
    pub files: Vec<FileResult>,
}

impl Content {
    /// What is shown as a tree: the decoded output, else the whole reply if that is JSON.
    pub fn tree(&self) -> Option<&Bytes> {
        self.output.as_ref().or(Some(&self.body).filter(|_| self.fault.is_none()))
    }
}

/// The files in a job's saved reply.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesOf {
    pub ix: JobIx,
    /// The store's number of the reply.
    pub body: BodyId,
    /// Its files, in the body's order.
    pub files: Vec<FileResult>,
}

/// What the mouse did, in cells from the upper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    pub kind: MouseKind,
    /// Column.
    pub x: u16,
    /// Row.
    pub y: u16,
}

/// What a mouse can do to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button went down.
    Press,
    /// It moved with the left button down.
    Drag,
    /// The left button went up.
    Release,
    /// The wheel turned away from the user.
    WheelUp,
    /// The wheel turned towards the user.
    WheelDown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: Level,
    /// Who it is about: a job's title, a service, a room.
    pub source: Clean,
    pub text: Clean,
}

/// How severe a line of the log is, the most severe last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the developer.
    Debug,
    /// For the reader who wants to follow.
    Info,
    /// For the reader who wants to know.
    Warn,
    /// For everyone.
    Error,
}

/// How a copy ended; each is worded so that it claims no more than is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// A tool took it: "copied 3.1 KB (wl-copy)".
    By { bytes: u64, tool: Clean },
    /// It went to the terminal, which does not answer: "sent 3.1 KB by OSC 52, the terminal must allow it".
    Sent { bytes: u64 },
    /// It is too large for OSC 52: the saved file's path was copied, or sent, instead.
    Path {
        /// The size that was too large.
        bytes: u64,
        path: Clean,
    },
    /// Nothing was copied, and why: a sentence.
    Failed(Clean),
}
