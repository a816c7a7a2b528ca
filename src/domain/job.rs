//! What a job is: the triple that identifies it, and what the jobs file declares about it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::id;

/// A hosted service that jobdeck can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// VESSL serverless requests.
    Vessl,
    /// Optexity browser tasks.
    Optexity,
    /// Unstract document extractions.
    Unstract,
}

impl Provider {
    /// Every provider, in the order of the manual.
    pub const ALL: [Self; 3] = [Self::Vessl, Self::Optexity, Self::Unstract];

    /// The word of the jobs file, of JSON lines and of the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vessl => "vessl",
            Self::Optexity => "optexity",
            Self::Unstract => "unstract",
        }
    }

    /// The provider that [`as_str`](Self::as_str) names so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }

    /// Whether the first read of a finished job deletes its result on the server.
    pub fn is_one_shot(self) -> bool {
        match self {
            Self::Unstract => true,
            Self::Vessl | Self::Optexity => false,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a job is, whatever it is called: results and claims are kept under this triple. Two spellings of one id, as of a
/// UUID in upper and in lower case, are one key.
#[derive(Debug, Clone)]
pub struct JobKey {
    /// The service's kind.
    pub provider: Provider,
    /// The normalised endpoint, see `providers::endpoint`. Shared: a file has few of them.
    pub endpoint: Arc<str>,
    /// The service's own id, trimmed and otherwise as given. Foreign text.
    pub id: String,
}

impl JobKey {
    /// The spelling under which the job is kept, see `domain::id`.
    pub fn canonical_id(&self) -> Cow<'_, str> {
        id::canonical(self.provider, &self.id)
    }

    fn parts(&self) -> (Provider, &str, Cow<'_, str>) {
        (self.provider, &self.endpoint, self.canonical_id())
    }
}

impl PartialEq for JobKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for JobKey {}

impl Hash for JobKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialOrd for JobKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for JobKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

/// A job as the jobs file declares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Job {
    /// What it is.
    pub key: JobKey,
    /// The name of its service in this file.
    pub service: Arc<str>,
    /// The user's name for it.
    pub name: Option<String>,
    /// The user's tags. Shared by jobs that are tagged alike.
    pub tags: Arc<[String]>,
}

impl Job {
    /// `service/id`, the job's name on the command line and in JSON lines.
    pub fn label(&self) -> String {
        format!("{}/{}", self.service, self.key.id)
    }

    /// The user's name for it, otherwise its id.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.key.id)
    }
}

/// A job's place in the engine's table: stable for the life of an engine, never used again for another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobIx(pub u32);
