//! The kinds of job of the simulated services: what each is made of, how it ends, and what a reader comes to know of it.

use std::sync::Arc;

use serde::Deserialize;

use crate::domain::state::{LostBecause, State};

/// A range to draw from, both ends included.
pub type Range<T> = [T; 2];

#[derive(Debug, Clone)]
pub enum JobKind {
    Unstract(Arc<UnstractKind>),
    Vessl(Arc<VesslKind>),
    Optexity(Arc<OptexityKind>),
    Whisper(Arc<WhisperKind>),
    Render(Arc<RenderKind>),
}

/// What every kind of job has.
#[derive(Debug, Deserialize)]
pub struct CommonSettings {
    pub service: String,
    /// How often it occurs, in proportion to the others.
    pub weight: f64,
    /// The job's name, with placeholders.
    pub name: String,
    pub tags: Vec<String>,
    /// Seconds that it runs.
    pub runs: Range<f64>,
}

#[derive(Debug, Deserialize)]
pub struct UnstractKind {
    #[serde(flatten)]
    pub common: CommonSettings,
    pub ends: UnstractEnd,
    /// What is extracted: a name of `documents`.
    pub document: Option<String>,
    /// In place of a document: the tool's output is plain text.
    pub text: Option<String>,
    pub file: String,
    pub files: Range<usize>,
    /// How many of them fail.
    #[serde(default)]
    pub failed: Range<usize>,
    /// Why they fail, one of these.
    #[serde(default)]
    pub reasons: Vec<String>,
    #[serde(default)]
    pub delivery: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnstractEnd {
    /// COMPLETED, every file well.
    Completed,
    /// COMPLETED, some files failed.
    Partial,
    /// ERROR, every file failed.
    Error,
    /// ERROR without a word why.
    ErrorWithoutFiles,
    /// HTTP 500, COMPLETED, a file failed for want of its tool.
    ToolMissing,
    Stopped,
    /// COMPLETED long ago, the result is gone.
    Expired,
    /// Somebody else has read the result.
    AlreadyRead,
    /// COMPLETED, the reply breaks off before its Content-Length.
    Cut,
    /// COMPLETED, the reply breaks off between two chunks.
    CutChunked,
    /// COMPLETED, the connection is closed without a byte.
    NoReply,
}

impl UnstractEnd {
    /// What a reader who is alone comes to know.
    pub fn state(self) -> State {
        match self {
            Self::Completed => State::Succeeded,
            Self::Partial | Self::ToolMissing => State::Partial,
            Self::Error | Self::ErrorWithoutFiles => State::Failed,
            Self::Stopped => State::Cancelled,
            Self::Expired | Self::AlreadyRead | Self::Cut | Self::CutChunked | Self::NoReply => State::Lost,
        }
    }

    /// Why the result is lost to that reader.
    pub fn lost(self) -> Option<LostBecause> {
        match self {
            Self::Completed | Self::Partial | Self::ToolMissing => None,
            Self::Error | Self::ErrorWithoutFiles | Self::Stopped => None,
            Self::Expired => Some(LostBecause::Expired),
            Self::AlreadyRead => Some(LostBecause::AlreadyRead),
            Self::Cut | Self::CutChunked => Some(LostBecause::Cut),
            Self::NoReply => Some(LostBecause::NoReply),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// At once.
    #[default]
    Whole,
    /// Piece by piece over some seconds.
    Trickle,
}

#[derive(Debug, Deserialize)]
pub struct VesslKind {
    #[serde(flatten)]
    pub common: CommonSettings,
    pub ends: VesslEnd,
    /// The code that the user's own service answered.
    pub status_code: Option<u16>,
    /// What it answered.
    pub text: Option<String>,
    /// Whether that is JSON.
    #[serde(default)]
    pub json: bool,
    /// A JSON list of this many copies of the text.
    pub rows: Option<usize>,
    /// Why it failed.
    pub fail_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VesslEnd {
    /// `completed`, whatever the status_code.
    Completed,
    Failed,
}

#[derive(Debug, Deserialize)]
pub struct OptexityKind {
    #[serde(flatten)]
    pub common: CommonSettings,
    pub ends: OptexityEnd,
    /// Where it goes.
    pub end_point: String,
    /// What for.
    pub goal: String,
    /// Its result as JSON.
    pub result: Option<String>,
    /// Its result as a string.
    pub result_text: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same as a code.
    pub error_code: Option<String>,
    /// Whether it comes with a signed URL of its last screenshot.
    #[serde(default)]
    pub screenshot: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptexityEnd {
    Completed,
    Success,
    Failed,
    /// `killed`: its time-out.
    Killed,
    Cancelled,
    /// Seen once, then the service knows it no more.
    Gone,
}

/// A kind of whisper, of LLMWhisperer.
#[derive(Debug, Deserialize)]
pub struct WhisperKind {
    #[serde(flatten)]
    pub common: CommonSettings,
    pub ends: WhisperEnd,
    /// How many pages its document has.
    pub pages: Range<usize>,
    /// The text of a page.
    #[serde(default)]
    pub text: String,
    /// Why it failed.
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhisperEnd {
    Processed,
    Error,
    /// `processed`, and somebody else takes the text before a reader asks for it.
    AlreadyRead,
    /// `processed`, the reply with the text breaks off before its Content-Length.
    Cut,
}

/// A kind of render, of the farm that only a description knows.
#[derive(Debug, Deserialize)]
pub struct RenderKind {
    #[serde(flatten)]
    pub common: CommonSettings,
    pub ends: RenderEnd,
    pub scene: String,
    pub frames: Range<usize>,
    /// How many of them fail.
    #[serde(default)]
    pub failed: Range<usize>,
    /// Why a frame, or the whole, failed.
    #[serde(default)]
    pub message: String,
    /// The same as a code, of the whole.
    #[serde(default)]
    pub code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenderEnd {
    Done,
    /// `done`, some frames failed.
    Partial,
    /// `broken`, not one frame is there.
    Broken,
    Stopped,
}

impl JobKind {
    pub fn common(&self) -> &CommonSettings {
        match self {
            Self::Unstract(kind) => &kind.common,
            Self::Vessl(kind) => &kind.common,
            Self::Optexity(kind) => &kind.common,
            Self::Whisper(kind) => &kind.common,
            Self::Render(kind) => &kind.common,
        }
    }

    /// The state in which a job of this kind ends, for a reader who is alone.
    pub fn state(&self) -> State {
        match self {
            Self::Unstract(kind) => kind.ends.state(),
            Self::Vessl(kind) => match kind.ends {
                VesslEnd::Completed if kind.status_code.is_none_or(|code| (200..300).contains(&code)) => {
                    State::Succeeded
                }
                VesslEnd::Completed | VesslEnd::Failed => State::Failed,
            },
            Self::Optexity(kind) => match kind.ends {
                OptexityEnd::Completed | OptexityEnd::Success => State::Succeeded,
                OptexityEnd::Failed | OptexityEnd::Killed => State::Failed,
                OptexityEnd::Cancelled => State::Cancelled,
                OptexityEnd::Gone => State::Lost,
            },
            Self::Whisper(kind) => match kind.ends {
                WhisperEnd::Processed => State::Succeeded,
                WhisperEnd::Error => State::Failed,
                WhisperEnd::AlreadyRead | WhisperEnd::Cut => State::Lost,
            },
            Self::Render(kind) => match kind.ends {
                RenderEnd::Done => State::Succeeded,
                RenderEnd::Partial => State::Partial,
                RenderEnd::Broken => State::Failed,
                RenderEnd::Stopped => State::Cancelled,
            },
        }
    }

    /// Why the result of a job of this kind is lost.
    pub fn lost(&self) -> Option<LostBecause> {
        match self {
            Self::Unstract(kind) => kind.ends.lost(),
            Self::Vessl(_) | Self::Render(_) => None,
            Self::Optexity(kind) => (kind.ends == OptexityEnd::Gone).then_some(LostBecause::Gone),
            Self::Whisper(kind) => match kind.ends {
                WhisperEnd::Processed | WhisperEnd::Error => None,
                WhisperEnd::AlreadyRead => Some(LostBecause::AlreadyRead),
                WhisperEnd::Cut => Some(LostBecause::Cut),
            },
        }
    }
}
