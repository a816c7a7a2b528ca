//! What the engine tells the dashboard and the headless commands: facts, in the past tense, plain data.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::attempt::{Attempt, StateChange};
use super::human;
use super::job::{Job, JobIx};
use super::observation::Observation;
use super::owner::Owner;
use super::state::{PollOutcome, State};

/// Why results cannot be taken in or shared, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreTrouble {
    /// This machine's: nothing is saved.
    Local(String),
    /// None: memory is too short to take a result in.
    Memory(String),
    /// The one that a team shares: what is saved here is uploaded later.
    Team(String),
}

impl StoreTrouble {
    /// Why, and what waits for its end.
    pub fn begun(&self) -> String {
        match self {
            Self::Local(why) => format!("{why} (one-shot polls wait until it can be written again)"),
            Self::Memory(why) => format!("{why} (one-shot polls wait until there is more)"),
            Self::Team(why) => why.clone(),
        }
    }

    /// That it is over.
    pub fn ended(&self) -> &'static str {
        match self {
            Self::Local(_) => "the store can be written again",
            Self::Memory(_) => "there is enough memory again",
            Self::Team(_) => "the team's store answers again",
        }
    }
}

/// Something that has happened. What a fact shows as terminal is on disk already.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A job is on the list: at the start, and after a reload of the jobs file. Also sent again for a job whose
    /// name or tags changed.
    Declared {
        ix: JobIx,
        /// What the file says.
        job: Arc<Job>,
        /// What is known from disk.
        known: Arc<Observation>,
    },
    /// A job was taken out of the file.
    Withdrawn(JobIx),
    /// A changed jobs file was applied; what it declares and withdraws was reported before.
    Reloaded {
        /// Jobs that came.
        added: usize,
        /// Jobs that went.
        removed: usize,
    },
    /// Something was learned about a job, and saved; what a read that changed nothing brings is only when it was.
    Observed {
        ix: JobIx,
        /// Its state before; None if it had never been observed.
        previous: Option<State>,
        /// Whether state, word or progress changed, or this is the first sight.
        changed: bool,
        /// All that is known now.
        known: Arc<Observation>,
    },
    /// A read was not `ok`, and the one before was another.
    NotOk {
        ix: JobIx,
        read: PollOutcome,
        /// HTTP code; None if no reply came.
        http_status: Option<u16>,
        reason: String,
        /// When it is read again; None if it is not.
        retry_in: Option<Duration>,
    },
    /// How well a job is being read changed.
    Health {
        ix: JobIx,
        health: Health,
    },
    /// A whole service is read differently from now on.
    Gate {
        /// The service's name in the jobs file.
        service: Arc<str>,
        gate: Gate,
    },
    /// A service has not answered for a while though polls of it are in flight; None: it has answered again, or nothing
    /// is asked of it any more.
    Unanswered {
        /// The service's name in the jobs file.
        service: Arc<str>,
        /// What is known about the silence.
        silence: Option<Silence>,
    },
    /// The store cannot be used any more, or can be again (None).
    StoreTrouble(Option<StoreTrouble>),
    /// Another program has had the database open for so long that its log grows with every save: the log's bytes; None
    /// once it was taken in.
    LogGrows(Option<u64>),
    /// When the next read is due; None if none is.
    NextRead(Option<Timestamp>),
    /// A job was not polled though the user asked for it.
    Refused {
        ix: JobIx,
        why: Refusal,
    },
    /// What was asked for with `EngineCommand::History`.
    History {
        ix: JobIx,
        /// Its last reads, oldest first.
        attempts: Vec<Attempt>,
        /// Its changes of state, oldest first.
        changes: Vec<StateChange>,
    },
    /// Every job is over or given up. Told again after each `Reloaded`, if it still holds.
    Settled,
    /// The one-shot reads that a drain still waits for, by job; sent at its start and whenever one ends.
    Draining(Vec<JobIx>),
    /// All claims are given up and nothing is in flight; sent once after a suspend, before the process may stop.
    Suspended,
    Ended(Ending),
}

impl Fact {
    /// What is known of a job from now on, where the fact says that.
    pub fn learned(&self) -> Option<(JobIx, &Arc<Observation>)> {
        if let Self::Declared { ix, known, .. } | Self::Observed { ix, known, .. } = self {
            return Some((*ix, known));
        }
        None
    }
}

/// How well a job is being read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// As asked for.
    #[default]
    Fresh,
    /// Two reads missed at the pace that is reached.
    Stale,
    /// By the user.
    Paused,
    /// The service asked us to wait.
    Throttled(Timestamp),
    /// The service refuses our token, or there is none.
    KeyRefused,
    /// The store cannot be written, so a one-shot read is withheld.
    Held,
    /// Another instance polls it.
    Following(Arc<Owner>),
    /// Given up in this run, with the reason.
    GivenUp(String),
    /// It is over and saved on this machine, but the store that a team shares has not got it yet.
    SavedHere,
}

/// How a whole service is being polled. Moments are times of day for people, and times since its start in the engine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gate<At = Timestamp> {
    /// As asked for.
    #[default]
    Open,
    /// It asked us to wait until then.
    Throttled(At),
    /// Three polls in a row failed: the next one, alone, is tried then.
    BackingOff(At),
    /// It refuses our token, or there is none.
    KeyRefused(KeyTrouble),
}

/// Why a service has no token that it takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyTrouble {
    /// Its source gives none.
    #[error("{what}; {help}")]
    Missing {
        /// What failed, and of what: "the variable VESSL_TOKEN is not set".
        what: String,
        /// What to do about it.
        help: &'static str,
    },
    /// The service refuses it, and says this. Foreign and not sanitised.
    #[error("{0}")]
    Rejected(String),
}

impl<At> Gate<At> {
    /// The same with its moment on another clock.
    pub fn map<Other>(&self, convert: impl FnOnce(&At) -> Other) -> Gate<Other> {
        match self {
            Self::Open => Gate::Open,
            Self::Throttled(until) => Gate::Throttled(convert(until)),
            Self::BackingOff(until) => Gate::BackingOff(convert(until)),
            Self::KeyRefused(reason) => Gate::KeyRefused(reason.clone()),
        }
    }
}

/// A service that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Since when: its last good answer, else when the first of the polls that wait was sent.
    pub since: Timestamp,
    /// How many polls wait for it.
    pub polls: usize,
}

/// Why the engine did not poll a job that the user asked it to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its result is saved here, and the service deleted its own copy when it was read.
    OnlyCopySaved,
    /// A poll of it is in flight.
    InFlight,
    /// Another instance polls it.
    Following(Arc<Owner>),
    /// It is no longer in the jobs file.
    Withdrawn,
    /// Polling is paused by the user.
    Paused,
    /// What is shown is what is on disk; nothing is polled.
    FromDisk,
    /// Its result could not be saved: why the store cannot be written.
    StoreTrouble(String),
    /// Its service asked us to wait.
    Throttled {
        /// The service's name in the jobs file.
        service: Arc<str>,
        until: Timestamp,
    },
}

/// What is said of a log that grows, and of one that was taken in.
pub fn log_grows(bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!(
            "another program has had jobdeck.db open for long, so that its log grows with every save: {} so far. Nothing is \
             lost; end that program (fuser jobdeck.db-wal, in the state directory, names it) before the disk is full",
            human::bytes(bytes)
        ),
        None => "the database's log was taken in: nothing keeps it open any more".to_owned(),
    }
}

impl Refusal {
    /// Why, as a sentence. `resume` is the key that ends a pause, where there are keys.
    pub fn sentence(&self, resume: Option<&str>) -> String {
        match self {
            Self::OnlyCopySaved => {
                "its result is saved here, and the service deleted its own copy when it was read".to_owned()
            }
            Self::InFlight => "a poll of it is in flight".to_owned(),
            Self::Following(owner) => format!("another jobdeck ({owner}) polls it"),
            Self::Withdrawn => "it is no longer in the jobs file".to_owned(),
            Self::Paused => match resume {
                Some(key) => format!("polling is paused: {key} resumes"),
                None => "polling is paused".to_owned(),
            },
            Self::FromDisk => "this shows what is on disk; `jobdeck` over its jobs file polls".to_owned(),
            Self::StoreTrouble(why) => format!("its result could not be saved: {why}"),
            Self::Throttled { service, until } => format!("{service} asked to wait until {until:.0}"),
        }
    }
}

/// How the engine ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// One-shot reads that were broken off because the user would not wait.
    pub abandoned: Vec<JobIx>,
    /// Where one-shot replies were rescued to that the store did not take.
    pub rescued: Vec<std::path::PathBuf>,
    /// Responses that came and could be saved nowhere.
    pub lost: Vec<JobIx>,
    /// Whether the store could not be written at the end.
    pub store_failed: bool,
}

/// `jobs file reloaded: 1 job added, 2 jobs removed`, without what is none.
pub fn reloaded(added: usize, removed: usize) -> String {
    let parts = [(added, "added"), (removed, "removed")].into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, word)| format!("{} {word}", human::counted(count, "job"))).collect();
    if parts.is_empty() { "jobs file reloaded".to_owned() } else { format!("jobs file reloaded: {}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_says_what_it_added_and_removed_and_nothing_of_what_is_none() {
        let cases = [
            (1, 0, "jobs file reloaded: 1 job added"),
            (0, 2, "jobs file reloaded: 2 jobs removed"),
            (2, 1, "jobs file reloaded: 2 jobs added, 1 job removed"),
            (0, 0, "jobs file reloaded"),
        ];
        for (added, removed, text) in cases {
            assert_eq!(reloaded(added, removed), text);
        }
    }
}
