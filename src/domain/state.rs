//! The two axes: what the service said about a job (state), and what happened to our last request (read).

use std::fmt;

/// What the service last said about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum State {
    /// Accepted, not started.
    Queued,
    /// Being processed.
    Running,
    /// Finished, everything worked.
    Succeeded,
    /// Finished, some parts failed.
    Partial,
    /// Finished, did not work.
    Failed,
    /// Stopped on request.
    Cancelled,
    /// Finished, but its result is no longer available to us.
    Lost,
    /// Never read yet, or a status word that we don't know.
    #[default]
    Unknown,
}

impl State {
    /// Every state, in the order of the contract's table and of the summary line.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::Lost,
        Self::Unknown,
    ];

    /// The word of JSON lines, filters and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// The short word of lists and of the log.
    pub fn label(self) -> &'static str {
        match self {
            Self::Queued => "WAIT",
            Self::Running => "RUN",
            Self::Succeeded => "DONE",
            Self::Partial => "PART",
            Self::Failed => "FAIL",
            Self::Cancelled => "CANC",
            Self::Lost => "LOST",
            Self::Unknown => "?",
        }
    }

    /// The state that [`as_str`](Self::as_str) names so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the job is over.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled | Self::Lost => true,
            Self::Queued | Self::Running | Self::Unknown => false,
        }
    }

    /// Whether the job is over and did not succeed.
    pub fn is_bad_end(self) -> bool {
        self.is_terminal() && self != Self::Succeeded
    }

    /// Whether `f` stops at it: lost, failed or partial.
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Lost | Self::Failed | Self::Partial)
    }

    /// The state that a service's status word means, the same table for every service: trimmed, lower-cased,
    /// `-` and space read as `_`. None for a word that nobody knows.
    pub fn from_service_word(word: &str) -> Option<Self> {
        let word: String = word
            .trim()
            .chars()
            .map(|c| if c == '-' || c == ' ' { '_' } else { c })
            .flat_map(char::to_lowercase)
            .collect();
        match word.as_str() {
            "pending" | "queued" | "allocated" | "initiated" | "ready" => Some(Self::Queued),
            "in_progress" | "running" | "started" | "executing" => Some(Self::Running),
            "completed" | "success" => Some(Self::Succeeded),
            "failed" | "killed" | "error" => Some(Self::Failed),
            "cancelled" | "canceled" | "stopped" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a finished job's result is no longer available to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LostBecause {
    /// Unstract says "already acknowledged", and there is no copy here.
    AlreadyRead,
    /// Unstract says COMPLETED without a result.
    Expired,
    /// A 406 after a reply that broke off; what came of it is kept.
    Cut,
    /// A 406 after a read whose reply never came.
    NoReply,
    /// A 406 on a job that a dead instance had claimed.
    ReaderDied,
    /// 404 or 410 for a job that was seen before. Not final.
    Gone,
}

impl LostBecause {
    pub const ALL: [Self; 6] =
        [Self::AlreadyRead, Self::Expired, Self::Cut, Self::NoReply, Self::ReaderDied, Self::Gone];

    /// The words of JSON lines and of the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyRead => "already read",
            Self::Expired => "expired",
            Self::Cut => "cut",
            Self::NoReply => "no reply",
            Self::ReaderDied => "reader died",
            Self::Gone => "gone",
        }
    }

    /// The cause that [`as_str`](Self::as_str) names so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }

    /// A sentence for a person: what happened to the result.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AlreadyRead => "already fetched elsewhere; no local copy",
            Self::Expired => "result expired on the server before it was fetched",
            Self::Cut => "connection dropped during the only response",
            Self::NoReply => "the response with the result never arrived",
            Self::ReaderDied => "the jobdeck that was fetching it died before the result was saved",
            Self::Gone => "no longer known to the service",
        }
    }
}

impl fmt::Display for LostBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What happened to a request of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollOutcome {
    /// An answer about this job, whatever the HTTP code.
    Answered,
    /// 429, or 503 with Retry-After.
    Throttled,
    /// DNS, connect, TLS, time-out, connection cut.
    Unreachable,
    /// A 5xx, 408, 421 or 425 without a job status in its body.
    ServerError,
    /// A 2xx that is no answer about this job.
    Malformed,
    /// 401, 403.
    Unauthorized,
    /// 404 or 410 about this job.
    NotFound,
    /// Any other 4xx, a redirect, an unknown route or deployment.
    Rejected,
}

impl PollOutcome {
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::Throttled,
        Self::Unreachable,
        Self::ServerError,
        Self::Malformed,
        Self::Unauthorized,
        Self::NotFound,
        Self::Rejected,
    ];

    /// The word of JSON lines and of the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "ok",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::ServerError => "server_error",
            Self::Malformed => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Rejected => "rejected",
        }
    }

    /// The outcome that [`as_str`](Self::as_str) names so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|read| read.as_str() == word)
    }
}

impl fmt::Display for PollOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
