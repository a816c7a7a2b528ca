//! What is known of a job as it travels to a team's store and back: all of an observation but the numbers of its
//! bodies, which differ from store to store and are named by their SHA-256 instead.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::checksum::Checksum;
use crate::domain::files::{FileCounts, ItemCounts};
use crate::domain::observation::{BodyId, Doubt, Doubtful, FieldValues, LastPoll, Observation, SavedBody};
use crate::domain::state::{LostBecause, PollOutcome, State};

/// An observation without numbers of bodies. What a later jobdeck adds to it is left out here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedRecord {
    state: String,
    word: Option<String>,
    lost: Option<String>,
    http_status: Option<u16>,
    service_status_code: Option<i64>,
    progress: Option<f64>,
    fail_reason: Option<String>,
    error_code: Option<String>,
    warning: Option<String>,
    files: Option<(u32, u32)>,
    items: Option<(Option<u64>, Option<u64>, Option<u64>)>,
    cost: Option<Box<str>>,
    title: Option<Box<str>>,
    fields: Option<(String, String)>,
    created_at: Option<Timestamp>,
    first_seen: Option<Timestamp>,
    running_since: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    eta: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
    saved: Option<NamedBody>,
    evidence: Option<NamedBody>,
    applied: u64,
    doubt: Option<String>,
    doubtful: Option<PollRecord>,
    last_poll: Option<PollRecord>,
    /// Beside the record in the team's store: whoever sends a job again need not be who polls it.
    #[serde(skip)]
    pub sent_again: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PollRecord {
    read: Option<String>,
    http_status: Option<u16>,
    reason: Option<String>,
    at: Timestamp,
}

/// A body by what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NamedBody {
    sha256: String,
    bytes: u64,
    http_status: u16,
    at: Timestamp,
    masked: bool,
}

impl From<&Observation> for SharedRecord {
    fn from(known: &Observation) -> Self {
        let known = known.clone();
        Self {
            state: known.state.as_str().to_owned(),
            word: known.word,
            lost: known.lost.map(|lost| lost.as_str().to_owned()),
            http_status: known.http_status,
            service_status_code: known.service_status_code,
            progress: known.progress,
            fail_reason: known.fail_reason,
            error_code: known.error_code,
            warning: known.warning,
            files: known.files.map(|files| (files.total, files.failed)),
            items: known.items.map(|items| (items.total, items.succeeded, items.failed)),
            cost: known.cost,
            title: known.title,
            fields: known.fields.map(|fields| (fields.taken_by, fields.values)),
            created_at: known.created_at,
            first_seen: known.first_seen,
            running_since: known.running_since,
            finished_at: known.finished_at,
            eta: known.eta,
            expires_at: known.expires_at,
            changed_at: known.changed_at,
            saved: known.saved.as_ref().map(NamedBody::from),
            evidence: known.evidence.as_deref().map(NamedBody::from),
            applied: known.applied,
            doubt: known.doubt.map(|doubt| doubt.cause().as_str().to_owned()),
            doubtful: known.doubtful.map(|poll| PollRecord {
                read: None,
                http_status: poll.http_status,
                reason: Some(poll.reason),
                at: poll.at,
            }),
            last_poll: known.last_poll.map(|poll| PollRecord {
                read: Some(poll.read.as_str().to_owned()),
                http_status: poll.http_status,
                reason: poll.reason,
                at: poll.at,
            }),
            sent_again: known.sent_again,
        }
    }
}

impl SharedRecord {
    /// The SHA-256 of the copy, if there is one.
    #[cfg(test)]
    pub fn saved(&self) -> Option<Checksum> {
        self.saved.as_ref().and_then(NamedBody::sha256)
    }

    /// The SHA-256 of the evidence, if there is any.
    pub fn evidence(&self) -> Option<Checksum> {
        self.evidence.as_ref().and_then(NamedBody::sha256)
    }

    /// The observation. Its bodies have no number yet.
    pub fn into_observation(self) -> Observation {
        Observation {
            state: State::from_word(&self.state).unwrap_or_default(),
            word: self.word,
            lost: self.lost.as_deref().and_then(LostBecause::from_word),
            http_status: self.http_status,
            service_status_code: self.service_status_code,
            progress: self.progress,
            fail_reason: self.fail_reason,
            error_code: self.error_code,
            warning: self.warning,
            odd_on_disk: None,
            files: self.files.map(|(total, failed)| FileCounts { total, failed }),
            items: self.items.map(|(total, succeeded, failed)| Box::new(ItemCounts { total, succeeded, failed })),
            cost: self.cost,
            title: self.title,
            fields: self.fields.map(|(taken_by, values)| Box::new(FieldValues { taken_by, values })),
            created_at: self.created_at,
            first_seen: self.first_seen,
            running_since: self.running_since,
            finished_at: self.finished_at,
            eta: self.eta,
            expires_at: self.expires_at,
            changed_at: self.changed_at,
            saved: self.saved.and_then(NamedBody::unnumbered),
            evidence: self.evidence.and_then(NamedBody::unnumbered).map(Box::new),
            applied: self.applied,
            doubt: self.doubt.and_then(|word| Doubt::ALL.into_iter().find(|doubt| doubt.cause().as_str() == word)),
            doubtful: self.doubtful.map(|poll| {
                Box::new(Doubtful {
                    http_status: poll.http_status,
                    at: poll.at,
                    reason: poll.reason.unwrap_or_default(),
                })
            }),
            last_poll: self.last_poll.and_then(|poll| {
                let read = PollOutcome::from_word(&poll.read?)?;
                Some(LastPoll { read, http_status: poll.http_status, reason: poll.reason, at: poll.at })
            }),
            sent_again: self.sent_again,
        }
    }
}

impl NamedBody {
    fn sha256(&self) -> Option<Checksum> {
        Checksum::from_hex(&self.sha256)
    }

    fn unnumbered(self) -> Option<SavedBody> {
        let sha256 = self.sha256()?;
        let Self { bytes, http_status, at, masked, .. } = self;
        Some(SavedBody { body: BodyId(0), bytes, sha256, http_status, at, masked })
    }
}

impl From<&SavedBody> for NamedBody {
    fn from(saved: &SavedBody) -> Self {
        Self {
            sha256: saved.sha256.to_string(),
            bytes: saved.bytes,
            http_status: saved.http_status,
            at: saved.at,
            masked: saved.masked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::new(1_800_000_000 + second, 123_456_789).unwrap()
    }

    fn saved(byte: u8) -> SavedBody {
        SavedBody { body: BodyId(0), bytes: 9, sha256: Checksum([byte; 32]), http_status: 200, at: at(3), masked: true }
    }

    fn full() -> Observation {
        Observation {
            state: State::Lost,
            word: Some("COMPLETED\0\u{202e}".to_owned()),
            lost: Some(LostBecause::NoReply),
            http_status: Some(406),
            service_status_code: Some(-1),
            progress: Some(0.1 + 0.2),
            fail_reason: Some("why".to_owned()),
            error_code: Some("E1".to_owned()),
            warning: Some("odd".to_owned()),
            odd_on_disk: None,
            files: Some(FileCounts { total: 3, failed: 1 }),
            items: Some(Box::new(ItemCounts { total: Some(u64::MAX), succeeded: None, failed: Some(0) })),
            cost: Some("0.10".into()),
            title: Some("a.pdf".into()),
            fields: Some(Box::new(FieldValues { taken_by: "x".to_owned(), values: "{}".to_owned() })),
            created_at: Some(at(0)),
            first_seen: Some(at(1)),
            running_since: Some(at(2)),
            finished_at: Some(at(3)),
            eta: Some(at(4)),
            expires_at: Some(at(8)),
            changed_at: Some(at(5)),
            saved: Some(saved(1)),
            evidence: Some(Box::new(saved(2))),
            applied: 7,
            doubt: Some(Doubt::Cut),
            doubtful: Some(Box::new(Doubtful { http_status: Some(502), at: at(6), reason: "page".to_owned() })),
            last_poll: Some(LastPoll { read: PollOutcome::Throttled, http_status: None, reason: None, at: at(7) }),
            sent_again: false,
        }
    }

    #[test]
    fn an_observation_comes_back_as_it_went_digit_for_digit() {
        for known in [full(), Observation::default()] {
            let text = serde_json::to_string(&SharedRecord::from(&known)).unwrap();
            let record: SharedRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(record.saved(), known.saved.as_ref().map(|saved| saved.sha256));
            assert_eq!(record.into_observation(), known);
        }
        let of_later: SharedRecord = serde_json::from_str(r#"{"state":"levitating","applied":3,"new":[1]}"#).unwrap();
        assert_eq!(of_later.into_observation(), Observation { applied: 3, ..Observation::default() });
    }
}
