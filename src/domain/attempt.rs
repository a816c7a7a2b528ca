//! One line of a job's Attempts tab: a read, or a run of reads that all came to the same.

use std::time::Duration;

use jiff::Timestamp;

use super::state::{PollOutcome, State};

/// How many attempts of a job are kept.
pub const KEPT: usize = 50;
/// How many changes of a job are kept.
pub const CHANGES_KEPT: i64 = 200;
/// So many more may be there before the first are deleted.
pub const CHANGES_BEYOND: i64 = 16;

/// Reads in a row that all came to the same. Texts are foreign and not sanitised.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// When the first of them was sent.
    pub first: Timestamp,
    /// When the last of them was sent.
    pub last: Timestamp,
    pub count: u32,
    /// What they came to.
    pub read: PollOutcome,
    /// HTTP code, None if no reply came.
    pub http_status: Option<u16>,
    /// Of the last of them, to the end of the body.
    pub latency: Duration,
    /// Bytes of the last body.
    pub bytes: u64,
    /// What the service asked for.
    pub retry_after: Option<Duration>,
    /// The service's own word.
    pub word: Option<String>,
    pub reason: Option<String>,
}

impl Attempt {
    /// Whether a later read may be counted in this line.
    pub fn same(&self, other: &Self) -> bool {
        self.read == other.read
            && self.http_status == other.http_status
            && self.word == other.word
            && self.reason == other.reason
            && self.retry_after == other.retry_after
    }

    /// Adds a read to the end of a list, newest last, at most [`KEPT`] long.
    pub fn push(list: &mut Vec<Self>, attempt: Self) {
        if let Some(last) = list.last_mut()
            && last.same(&attempt)
        {
            last.count += attempt.count;
            last.last = attempt.last;
            last.latency = attempt.latency;
            last.bytes = attempt.bytes;
            return;
        }
        if list.len() >= KEPT {
            list.remove(0);
        }
        // Most jobs have one line or two: room for four by habit would be more than all else that is known of them.
        list.reserve_exact(1);
        list.push(attempt);
    }
}

/// A change of a job's state, as kept in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// When we learned of it.
    pub at: Timestamp,
    /// What the job was before; None at first sight.
    pub previous: Option<State>,
    /// What it is now.
    pub state: State,
    /// The service's own word.
    pub word: Option<String>,
}
