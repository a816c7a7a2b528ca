//! One job's place in the engine: what is known of it, when it is read next, and when it is given up. Pure; times are
//! since the engine's start.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::attempt::Attempt;
use crate::domain::fact::Health;
use crate::domain::job::Job;
use crate::domain::observation::Observation;
use crate::domain::schedule::{back_off, pause};
use crate::domain::service::Pace;
use crate::domain::state::{LostBecause, PollOutcome};

/// What a job's slot is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It waits for its next read.
    Waiting,
    /// A read is under way, or its reply is being saved.
    Reading,
    /// Another instance, this process, reads it.
    Followed(u32),
    /// Nothing more is asked by itself: it is over, or was asked as often as it had to be.
    Done,
    /// Given up in this run, with the reason.
    GivenUp(String),
    /// No longer in the jobs file.
    Withdrawn,
}

/// Since when a job is denied, and since when its request is refused: the arrival of the first such reply, with no
/// answer since then. What else came in between, the other of the two included, does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Denials {
    not_found: Option<Duration>,
    rejected: Option<Duration>,
}

/// One job's place in the engine.
#[derive(Debug)]
pub struct Slot {
    /// What the jobs file declares.
    pub job: Arc<Job>,
    /// The index of its service.
    pub service: usize,
    /// What is known, and on disk unless the store fails.
    pub known: Arc<Observation>,
    /// What it is doing.
    pub phase: Phase,
    /// When it is read next, if it is.
    pub due: Option<Duration>,
    /// Number of the last request sent.
    pub seq: u64,
    /// Its reads that are not yet on disk, and those before.
    pub attempts: Vec<Attempt>,
    /// Whether `attempts` begins with what is on disk.
    pub attempts_loaded: bool,
    /// Whether only memory knows when it was last read.
    pub unwritten: bool,
    /// The last outcome that was told, until an `ok`.
    pub told: Option<(PollOutcome, Option<u16>)>,
    /// `ok` replies in a row that changed nothing.
    pub unchanged: u32,
    /// Replies in a row that were no answer.
    pub failures: u32,
    /// Replies in a row that deny it.
    pub denials: Denials,
    /// Whether the machine slept over its read, and no reply came since.
    pub overslept: bool,
    /// Last told health.
    pub health: Health,
}

/// What follows from a reply for the schedule of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read again after this pause.
    In(Duration),
    /// Denied for longer than the grace: lost (`gone`) if it was ever seen, else given up.
    Gone,
    /// Rejected for longer than the grace.
    GiveUp,
}

impl Slot {
    /// A slot for a job of which this is known.
    pub fn new(job: Arc<Job>, service: usize, known: Observation) -> Self {
        Self {
            job,
            service,
            seq: known.applied,
            phase: if known.is_over() { Phase::Done } else { Phase::Waiting },
            known: Arc::new(known),
            due: None,
            attempts: Vec::new(),
            attempts_loaded: false,
            unwritten: false,
            told: None,
            unchanged: 0,
            failures: 0,
            denials: Denials::default(),
            overslept: false,
            health: Health::Fresh,
        }
    }

    /// Whether the engine still has something to do for it: a watch ends when no slot has.
    pub fn is_unsettled(&self) -> bool {
        match self.phase {
            Phase::Waiting | Phase::Reading | Phase::Followed(_) => true,
            Phase::Done | Phase::GivenUp(_) | Phase::Withdrawn => false,
        }
    }

    /// Whether its result is on disk and cannot be had again.
    pub fn holds_the_only_copy(&self) -> bool {
        self.job.traits.one_shot && self.known.saved.is_some()
    }

    /// Whether it is lost for now because the service denied it.
    pub fn is_gone(&self) -> bool {
        self.known.lost == Some(LostBecause::Gone)
    }

    /// Whether it waits longer because its service failed, not because of what was said about it.
    pub fn is_backing_off(&self) -> bool {
        self.failures > 0 && self.denials == Denials::default()
    }

    /// Counts a reply and says what follows, but for what holds for its whole service.
    pub fn replied(&mut self, reply: Outcome, pace: Pace, grace: Duration) -> Next {
        self.overslept = false;
        match reply.read {
            PollOutcome::Answered => {
                self.failures = 0;
                self.denials = Denials::default();
                self.unchanged = if reply.changed { 0 } else { self.unchanged.saturating_add(1) };
                if reply.unfamiliar {
                    return Next::In(pause(pace, u32::MAX, reply.draw));
                }
                Next::In(pause(pace, self.unchanged, reply.draw))
            }
            PollOutcome::NotFound | PollOutcome::Rejected => {
                self.failures = self.failures.saturating_add(1);
                let not_found = reply.read == PollOutcome::NotFound;
                let since = if not_found { &mut self.denials.not_found } else { &mut self.denials.rejected };
                let doubted = reply.now.saturating_sub(*since.get_or_insert(reply.now));
                if doubted >= grace && doubted > Duration::ZERO {
                    return if not_found { Next::Gone } else { Next::GiveUp };
                }
                // Asked again at the end of the grace at the latest: that reply decides.
                let left = grace.saturating_sub(doubted).max(Duration::from_millis(1));
                Next::In(back_off(pace, self.failures, reply.draw).min(left))
            }
            // Its service waits as long as it asked, see `Gate`: of its own the job adds no more than its pace.
            PollOutcome::Throttled if reply.told_when => Next::In(pause(pace, 0, reply.draw)),
            PollOutcome::Throttled
            | PollOutcome::Unreachable
            | PollOutcome::ServerError
            | PollOutcome::Malformed
            | PollOutcome::Unauthorized => {
                self.failures = self.failures.saturating_add(1);
                Next::In(back_off(pace, self.failures, reply.draw))
            }
        }
    }
}

/// A reply as the slot sees it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Its outcome.
    pub read: PollOutcome,
    /// Whether it changed what is known.
    pub changed: bool,
    /// Whether it says when to come again.
    pub told_when: bool,
    /// Whether its status word is one that we do not know: such a job is read on slowly.
    pub unfamiliar: bool,
    /// When it arrived.
    pub now: Duration,
    /// Between 0 and 1.
    pub draw: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};

    const PACE: Pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) };
    const GRACE: Duration = Duration::from_secs(60);

    fn slot() -> Slot {
        let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: "http://h".into(), id: "7".to_owned() };
        let job = Job {
            traits: crate::tests::traits(key.provider),
            batch: None,
            key,
            service: "s".into(),
            name: None,
            tags: Arc::default(),
        };
        Slot::new(Arc::new(job), 0, Observation::default())
    }

    fn replies(list: &[(u64, PollOutcome)]) -> Next {
        let mut slot = slot();
        let mut next = Next::GiveUp;
        for (second, read) in list {
            let now = Duration::from_secs(*second);
            let reply = Outcome { read: *read, changed: false, told_when: true, unfamiliar: false, now, draw: 1.0 };
            next = slot.replied(reply, PACE, GRACE);
        }
        next
    }

    #[test]
    fn a_job_is_given_up_after_two_denials_that_are_the_grace_apart_with_no_ok_between() {
        use PollOutcome::{Answered, NotFound, Rejected, Unreachable};
        assert_eq!(replies(&[(0, NotFound), (30, NotFound), (60, NotFound)]), Next::Gone);
        assert_eq!(replies(&[(0, Rejected), (30, Unreachable), (61, Rejected)]), Next::GiveUp);
        assert!(matches!(replies(&[(0, NotFound)]), Next::In(_)));
        assert!(matches!(replies(&[(0, NotFound), (30, Answered), (61, NotFound)]), Next::In(_)));
        assert!(matches!(replies(&[(0, NotFound), (61, Rejected)]), Next::In(_)));
        assert_eq!(replies(&[(0, NotFound), (30, Rejected), (61, NotFound)]), Next::Gone);
        assert_eq!(replies(&[(0, Rejected), (30, NotFound), (61, Rejected)]), Next::GiveUp);
    }

    #[test]
    fn a_denied_job_is_asked_again_at_the_end_of_its_grace_at_the_latest() {
        assert_eq!(
            replies(&[(0, PollOutcome::NotFound), (57, PollOutcome::NotFound)]),
            Next::In(Duration::from_secs(3))
        );
    }

    #[test]
    fn a_job_with_a_word_that_nobody_knows_is_read_on_at_max_interval() {
        let now = Duration::ZERO;
        let reply =
            Outcome { read: PollOutcome::Answered, changed: true, told_when: false, unfamiliar: true, now, draw: 0.5 };
        assert_eq!(slot().replied(reply, PACE, GRACE), Next::In(Duration::from_secs(60)));
    }

    #[test]
    fn a_job_that_is_told_when_to_come_again_waits_no_longer_of_its_own() {
        use PollOutcome::Throttled;
        let often = [(0, Throttled), (1, Throttled), (2, Throttled), (3, Throttled)];
        assert_eq!(replies(&often), Next::In(pause(PACE, 0, 1.0)));
    }

    #[test]
    fn failures_slow_a_job_down_and_an_answer_brings_it_back_to_its_pace() {
        use PollOutcome::{Answered, Unreachable};
        assert_eq!(replies(&[(0, Unreachable), (1, Unreachable)]), Next::In(Duration::from_secs(20)));
        assert_eq!(replies(&[(0, Unreachable), (1, Unreachable), (2, Answered)]), Next::In(pause(PACE, 1, 1.0)));
    }
}
