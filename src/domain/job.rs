//! What a job is: the triple that identifies it, and what the jobs file declares about it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::id;

/// The name of a provider, interned: as cheap to copy and compare as a number, and valid for the life of the process.
/// The word of the jobs file, of JSON lines and of the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderName(&'static str);

impl ProviderName {
    /// VESSL serverless requests.
    pub const VESSL: Self = Self("vessl");
    /// Optexity browser tasks.
    pub const OPTEXITY: Self = Self("optexity");
    /// Unstract document extractions.
    pub const UNSTRACT: Self = Self("unstract");

    /// Interns a name. Every distinct name is kept in memory once; jobs files and databases hold few of them.
    pub fn new(name: &str) -> Self {
        static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let known = [Self::VESSL, Self::OPTEXITY, Self::UNSTRACT].into_iter().find(|known| known.0 == name);
        known.unwrap_or_else(|| {
            let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
            let interned = names.get(name).copied();
            Self(interned.unwrap_or_else(|| {
                let leaked: &'static str = Box::leak(name.into());
                names.insert(leaked);
                leaked
            }))
        })
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a job is, whatever it is called: results and claims are kept under this triple. Two spellings of one id, as of a
/// UUID in upper and in lower case, are one key.
#[derive(Debug, Clone)]
pub struct JobKey {
    /// Which provider reads it.
    pub provider: ProviderName,
    /// The normalised endpoint, see `domain::provider::Provider::endpoint`. Shared: a file has few of them.
    pub endpoint: Arc<str>,
    /// The service's own id, trimmed and otherwise as given. Foreign text.
    pub id: String,
}

impl JobKey {
    /// The spelling under which the job is kept, see `domain::id`.
    pub fn canonical_id(&self) -> Cow<'_, str> {
        id::canonical(self.provider, &self.id)
    }

    fn parts(&self) -> (ProviderName, &str, Cow<'_, str>) {
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
    pub key: JobKey,
    /// The name of its service in this file.
    pub service: Arc<str>,
    /// The user's name for it.
    pub name: Option<String>,
    /// The user's tags. Shared by jobs that are tagged alike.
    pub tags: Arc<[String]>,
    /// What its provider says about all jobs of its service.
    pub traits: JobTraits,
    /// The batch that the jobs file names. Shared by all of its jobs.
    pub batch: Option<Arc<str>>,
    /// The jobs that it was submitted again for. Empty for nearly all.
    pub resubmits: Arc<[JobKey]>,
}

/// What holds for every job of a service, as far as those need it who know no provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobTraits {
    /// Whether a result is handed out once, by whichever read.
    pub one_shot: bool,
    /// What the service calls the thing that an id names.
    pub id_noun: &'static str,
    /// How long it may stay as it is, unfinished, before it counts as stuck; None: for ever.
    pub alert_after: Option<Duration>,
}

impl Default for JobTraits {
    /// Those of a job whose service is not known here.
    fn default() -> Self {
        Self { one_shot: false, id_noun: "id", alert_after: None }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_its_name_wherever_the_name_was_read() {
        let names = ["vessl", "render", "render", "Render", ""].map(ProviderName::new);
        assert_eq!(names[0], ProviderName::VESSL);
        assert!(names[1] == names[2] && names[2] != names[3]);
        assert_eq!(format!("[{:>8}] {:?}", names[1], names[3]), "[  render] Render");
    }
}
