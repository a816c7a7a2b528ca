//! One job in the engine: what is known of it, when it is polled next, and when it is given up. Pure; times are since
//! the engine's start.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::fact::Health;
use crate::domain::job::Job;
use crate::domain::observation::{Observation, Seen};
use crate::domain::owner::Owner;
use crate::domain::reading::{Reading, Verdict};
use crate::domain::schedule::{back_off, pause};
use crate::domain::service::Pace;
use crate::domain::state::{LostBecause, PollOutcome, State};
use crate::store::Reads;

use super::disk::UnreportedPoll;
use super::schedule::ServiceIx;

/// What is known of a job never heard of: one for all of them, for a new batch may have a hundred thousand.
static NOTHING: LazyLock<Arc<Observation>> = LazyLock::new(Arc::default);

/// What is being done for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It waits for its next poll.
    Waiting,
    /// A poll is in flight, or its response is being saved.
    Polling,
    /// Another instance polls it.
    Followed(Arc<Owner>),
    /// It is to be claimed: the store could not be asked.
    Unclaimed,
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

#[derive(Debug)]
pub struct JobEntry {
    /// What the jobs file declares.
    pub job: Arc<Job>,
    pub service: ServiceIx,
    /// What is known, and on disk unless the store fails.
    pub known: Arc<Observation>,
    /// What is being done for it. Set by `Schedule`.
    pub phase: Phase,
    /// When it is polled next, if it is. Set by `Schedule`.
    pub due: Option<Duration>,
    /// Sooner it is not polled, whatever happens: its provider asks for so long a pause. Set by `Schedule`.
    pub not_before: Duration,
    /// Number of the last request sent.
    pub seq: u64,
    /// Its reads that are not yet on disk, and those before.
    pub attempts: Vec<Attempt>,
    /// Whether `attempts` begins with what is on disk.
    pub attempts_loaded: bool,
    /// Whether only memory knows when it was last read.
    pub unwritten: bool,
    /// The last outcome that was reported, until an `ok`.
    pub reported: Option<(PollOutcome, Option<u16>)>,
    /// `ok` replies in a row that changed nothing.
    pub unchanged: u32,
    /// Replies in a row that were no answer.
    pub failures: u32,
    /// Replies in a row that deny it.
    pub denials: Denials,
    /// Whether the machine slept over its read, and no reply came since.
    pub overslept: bool,
    /// The health that was last reported.
    pub health: Health,
}

/// What follows from a reply for the schedule of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPoll {
    /// Read again after this pause.
    In(Duration),
    /// Denied for longer than the grace: lost (`gone`) if it was ever seen, else given up.
    Gone,
    /// Rejected for longer than the grace.
    GiveUp,
}

impl JobEntry {
    /// A slot for a job of which this is known.
    pub fn new(job: Arc<Job>, service: ServiceIx, known: Observation) -> Self {
        let is_unheard_of = known == Observation::default();
        Self {
            job,
            service,
            seq: known.applied,
            phase: if known.is_over() { Phase::Done } else { Phase::Waiting },
            known: if is_unheard_of { Arc::clone(&NOTHING) } else { Arc::new(known) },
            due: None,
            not_before: Duration::ZERO,
            attempts: Vec::new(),
            // Of a job never heard of there is nothing on disk.
            attempts_loaded: is_unheard_of,
            unwritten: false,
            reported: None,
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
            Phase::Waiting | Phase::Polling | Phase::Followed(_) | Phase::Unclaimed => true,
            Phase::Done | Phase::GivenUp(_) | Phase::Withdrawn => false,
        }
    }

    /// Whether its polls may take its result from the service.
    pub fn is_one_shot(&self) -> bool {
        self.job.traits.one_shot
    }

    /// Whether its result is on disk and cannot be fetched again.
    pub fn holds_the_only_copy(&self) -> bool {
        self.is_one_shot() && self.known.saved.is_some()
    }

    /// Whether it is lost for now because the service denied it.
    pub fn is_gone(&self) -> bool {
        self.known.lost == Some(LostBecause::Gone)
    }

    /// Whether it waits longer because its service failed, not because of what was said about it.
    pub fn is_backing_off(&self) -> bool {
        self.failures > 0 && self.denials == Denials::default()
    }

    /// What is to be reported of a poll that was not `ok`: not again while it stays the same.
    pub fn take_news(&mut self, seen: Seen<'_>) -> Option<UnreportedPoll> {
        let (read, http_status) = (seen.reading.read, seen.http_status);
        let now = (read != PollOutcome::Answered).then_some((read, http_status));
        let is_news = now.is_some() && self.reported != now;
        self.reported = now;
        is_news.then(|| (read, http_status, seen.reading.reason.clone().unwrap_or_default()))
    }

    /// What the disk does not know yet of its polls. It counts as known from now on.
    pub fn take_unwritten(&mut self) -> Option<Reads> {
        let last = self.known.last_poll.clone().filter(|_| std::mem::take(&mut self.unwritten))?;
        let complete = self.attempts_loaded;
        let attempts = if complete { self.attempts.clone() } else { std::mem::take(&mut self.attempts) };
        Some(Reads { job: self.job.key.clone(), last, attempts, complete })
    }

    /// A pace at which the job is polled again within half of what is left before the service lets go of it.
    fn before_expiry(&self, pace: Pace, at: Timestamp) -> Pace {
        let expires = self.known.expires_at.filter(|_| !self.known.is_over());
        match expires.and_then(|expires| Duration::try_from(expires.duration_since(at)).ok()) {
            Some(left) => Pace { max_interval: pace.max_interval.min(left / 2).max(pace.interval), ..pace },
            None => pace,
        }
    }

    /// Counts a reply and says what follows, but for what holds for its whole service.
    pub fn replied(&mut self, seen: Seen<'_>, changed: bool, pace: Pace, grace: Duration) -> NextPoll {
        self.overslept = false;
        let pace = self.before_expiry(pace, seen.at);
        let read = seen.reading.read;
        match read {
            PollOutcome::Answered => {
                self.failures = 0;
                self.denials = Denials::default();
                self.unchanged = if changed { 0 } else { self.unchanged.saturating_add(1) };
                if is_unfamiliar(seen.reading) {
                    return NextPoll::In(pause(pace, u32::MAX, seen.draw));
                }
                NextPoll::In(pause(pace, self.unchanged, seen.draw))
            }
            PollOutcome::NotFound | PollOutcome::Rejected => {
                self.failures = self.failures.saturating_add(1);
                let not_found = read == PollOutcome::NotFound;
                let since = if not_found { &mut self.denials.not_found } else { &mut self.denials.rejected };
                let doubted = seen.now.saturating_sub(*since.get_or_insert(seen.now));
                if doubted >= grace && doubted > Duration::ZERO {
                    return if not_found { NextPoll::Gone } else { NextPoll::GiveUp };
                }
                // Asked again at the end of the grace at the latest: that reply decides.
                let left = grace.saturating_sub(doubted).max(Duration::from_millis(1));
                NextPoll::In(back_off(pace, self.failures, seen.draw).min(left))
            }
            // Its service waits as long as it asked, see `Gate`: the job itself adds no more than its pace.
            PollOutcome::Throttled if seen.reading.retry_after.is_some() => NextPoll::In(pause(pace, 0, seen.draw)),
            PollOutcome::Throttled
            | PollOutcome::Unreachable
            | PollOutcome::ServerError
            | PollOutcome::Malformed
            | PollOutcome::Unauthorized => {
                self.failures = self.failures.saturating_add(1);
                NextPoll::In(back_off(pace, self.failures, seen.draw))
            }
        }
    }
}

/// Whether its status word is one that nobody knows: such a job is polled on slowly.
fn is_unfamiliar(reading: &Reading) -> bool {
    reading.answer.as_ref().is_some_and(|answer| answer.verdict == Verdict::State(State::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::observation::tests::seen;
    use crate::domain::reading::Answer;

    const PACE: Pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) };
    const GRACE: Duration = Duration::from_secs(60);

    fn entry() -> JobEntry {
        let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: "http://h".into(), id: "7".to_owned() };
        let job = crate::tests::job(key, "s");
        JobEntry::new(Arc::new(job), ServiceIx::default(), Observation::default())
    }

    #[test]
    fn jobs_never_heard_of_share_what_is_known_of_them_and_have_no_history_to_be_read() {
        let (one, other) = (entry(), entry());
        assert!(Arc::ptr_eq(&one.known, &other.known) && one.attempts_loaded);
        let heard_of = Observation { applied: 1, ..Observation::default() };
        let heard_of = JobEntry::new(Arc::clone(&one.job), one.service, heard_of);
        assert!(!Arc::ptr_eq(&one.known, &heard_of.known) && !heard_of.attempts_loaded);
    }

    fn replies(list: &[(u64, PollOutcome)]) -> NextPoll {
        let mut entry = entry();
        let mut next = NextPoll::GiveUp;
        for (second, read) in list {
            let now = Duration::from_secs(*second);
            let refused = Reading::refused(*read, "no");
            let reading = Reading { retry_after: Some(now), ..refused };
            next = entry.replied(seen(&reading, now), false, PACE, GRACE);
        }
        next
    }

    #[test]
    fn a_job_is_given_up_after_two_denials_that_are_the_grace_apart_with_no_ok_between() {
        use PollOutcome::{Answered, NotFound, Rejected, Unreachable};
        assert_eq!(replies(&[(0, NotFound), (30, NotFound), (60, NotFound)]), NextPoll::Gone);
        assert_eq!(replies(&[(0, Rejected), (30, Unreachable), (61, Rejected)]), NextPoll::GiveUp);
        assert!(matches!(replies(&[(0, NotFound)]), NextPoll::In(_)));
        assert!(matches!(replies(&[(0, NotFound), (30, Answered), (61, NotFound)]), NextPoll::In(_)));
        assert!(matches!(replies(&[(0, NotFound), (61, Rejected)]), NextPoll::In(_)));
        assert_eq!(replies(&[(0, NotFound), (30, Rejected), (61, NotFound)]), NextPoll::Gone);
        assert_eq!(replies(&[(0, Rejected), (30, NotFound), (61, Rejected)]), NextPoll::GiveUp);
    }

    #[test]
    fn a_job_that_its_service_lets_go_of_is_polled_within_half_of_what_is_left() {
        let answered = Reading::answered(Answer::default());
        let next = |left: Option<u64>| {
            let mut entry = entry();
            let seen = seen(&answered, Duration::ZERO);
            entry.unchanged = 40;
            let expires_at = left.map(|left| seen.at + Duration::from_secs(left));
            entry.known = Arc::new(Observation { expires_at, ..Observation::default() });
            let NextPoll::In(pause) = entry.replied(seen, false, PACE, GRACE) else { panic!("given up") };
            pause
        };
        let (slow, soon) = (next(None), next(Some(20)));
        assert!(soon <= Duration::from_secs(10) && soon < slow, "{soon:?} of {slow:?}");
        assert_eq!((next(Some(86_400)), next(Some(0)) >= PACE.interval), (slow, true));
    }

    #[test]
    fn a_denied_job_is_asked_again_at_the_end_of_its_grace_at_the_latest() {
        assert_eq!(
            replies(&[(0, PollOutcome::NotFound), (57, PollOutcome::NotFound)]),
            NextPoll::In(Duration::from_secs(3))
        );
    }

    #[test]
    fn a_job_with_a_word_that_nobody_knows_is_read_on_at_max_interval() {
        let answer = Answer { verdict: Verdict::State(State::Unknown), ..Answer::default() };
        let reading = Reading::answered(answer);
        assert_eq!(
            entry().replied(seen(&reading, Duration::ZERO), true, PACE, GRACE),
            NextPoll::In(Duration::from_secs(60))
        );
    }

    #[test]
    fn a_job_that_is_told_when_to_come_again_waits_no_longer_of_its_own() {
        use PollOutcome::Throttled;
        let often = [(0, Throttled), (1, Throttled), (2, Throttled), (3, Throttled)];
        assert_eq!(replies(&often), NextPoll::In(pause(PACE, 0, 1.0)));
    }

    #[test]
    fn failures_slow_a_job_down_and_an_answer_brings_it_back_to_its_pace() {
        use PollOutcome::{Answered, Unreachable};
        assert_eq!(replies(&[(0, Unreachable), (1, Unreachable)]), NextPoll::In(Duration::from_secs(20)));
        assert_eq!(replies(&[(0, Unreachable), (1, Unreachable), (2, Answered)]), NextPoll::In(pause(PACE, 1, 1.0)));
    }
}
