//! Names of body files: they tell the job, the request and the instance, so that a successor finds what a dead
//! instance had received, even without a database.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::domain::checksum::Checksum;
use crate::domain::job::JobKey;
use crate::domain::observation::Role;

/// Stands in the name of a file in which our own token was masked.
const MASKED: &str = "masked";

/// Ends the name of a file that is being written from memory: not all of it may be there.
pub const UNFINISHED: &str = ".unfinished";

/// What the name of a file in `spool/` or `bodies/` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyName {
    /// Which job, see [`job_digest`].
    pub job: String,
    pub seq: u64,
    /// HTTP code of the reply; 0 if not known.
    pub http_status: u16,
    /// The instance that received it.
    pub instance: String,
    /// SHA-256 of the content, once all of it was there.
    pub sha256: Option<Checksum>,
    /// Which response it is of a poll that takes the result by a request of its own: all of the result, or the status that
    /// stands by while the result is taken. None for everything else.
    pub role: Option<Role>,
    /// Whether our own token was masked in it.
    pub masked: bool,
}

impl BodyName {
    /// What is known of a response that was rescued to a file with a name for people.
    pub fn rescued(key: &JobKey) -> Self {
        let (job, instance) = (job_digest(key), "rescued".to_owned());
        Self { job, seq: 0, http_status: 0, instance, sha256: None, role: None, masked: false }
    }

    /// Reads a file's name; None for a file that is not of this store.
    pub fn parse(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        if let Some(unfinished) = name.strip_suffix(UNFINISHED) {
            return Some(Self { sha256: None, ..Self::parse(Path::new(unfinished))? });
        }
        let mut parts = name.strip_suffix(".body")?.split('.');
        let mut name = Self {
            job: parts.next()?.to_owned(),
            seq: parts.next()?.parse().ok()?,
            http_status: parts.next()?.parse().ok()?,
            instance: parts.next()?.to_owned(),
            sha256: None,
            role: None,
            masked: false,
        };
        for mark in parts {
            match Checksum::from_hex(mark) {
                Some(sha256) => name.sha256 = Some(sha256),
                None if mark == MASKED => name.masked = true,
                None => name.role = Some(Role::from_word(mark)?),
            }
        }
        Some(name)
    }
}

impl fmt::Display for BodyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.job, self.seq, self.http_status, self.instance)?;
        if let Some(sha256) = &self.sha256 {
            write!(f, ".{sha256}")?;
        }
        if let Some(role) = &self.role {
            write!(f, ".{role}")?;
        }
        if self.masked {
            write!(f, ".{MASKED}")?;
        }
        f.write_str(".body")
    }
}

/// A job as 32 hexadecimal digits. Ids are foreign text and may be no file names.
pub fn job_digest(key: &JobKey) -> String {
    let mut hasher = Sha256::new();
    for part in [key.provider.as_str(), &key.endpoint, &key.canonical_id()] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut digest = Checksum(hasher.finalize().into()).to_string();
    digest.truncate(32);
    digest
}
