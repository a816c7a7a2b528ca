//! Whether a service may be read now. Pure: replies in order of arrival go in, times are since the engine's start.

use std::time::Duration;

use crate::domain::fact::{Gate, KeyTrouble};
use crate::domain::observation::Seen;
use crate::domain::schedule::{back_off, resume_spread};
use crate::domain::service::Pace;
use crate::domain::state::PollOutcome;

/// Failures in a row, over all jobs of a service, after which the whole service waits.
const FAILURES_TO_CLOSE: u32 = 3;
/// Refusals in a row after which the token is not shown again.
const REFUSALS_TO_CLOSE: u32 = 2;
/// The longest that a service may make us wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceGate {
    gate: Gate<Duration>,
    since: Duration,
    failures: u32,
    refusals: u32,
    throttles: u32,
}

impl ServiceGate {
    /// A gate that has no token to show.
    pub fn without_token(trouble: KeyTrouble) -> Self {
        Self { gate: Gate::KeyRefused(trouble), ..Self::default() }
    }

    /// Whether it is open, and why not.
    pub fn gate(&self) -> &Gate<Duration> {
        &self.gate
    }

    /// Whether a read may be sent now, when `in_flight` of this service's are under way. While reads fail in a row
    /// they are tried one by one.
    pub fn admits(&self, now: Duration, in_flight: usize) -> bool {
        match &self.gate {
            Gate::Open => true,
            Gate::Throttled(until) => now >= *until,
            Gate::BackingOff(until) => now >= *until && in_flight == 0,
            Gate::KeyRefused(_) => false,
        }
    }

    /// When it opens by itself, if it is closed now and does.
    pub fn opens_at(&self, now: Duration) -> Option<Duration> {
        match &self.gate {
            Gate::Open | Gate::KeyRefused(_) => None,
            Gate::Throttled(until) | Gate::BackingOff(until) => Some(*until).filter(|until| *until > now),
        }
    }

    /// When [`expire`](Self::expire) has something to do. A service that is backed off from opens by a reply alone.
    pub fn expires_at(&self) -> Option<Duration> {
        match self.gate {
            Gate::Throttled(until) => Some(until),
            Gate::Open | Gate::BackingOff(_) | Gate::KeyRefused(_) => None,
        }
    }

    /// Takes a reply into account. Some(spread) if the gate has opened by it: the reads that became due meanwhile
    /// resume over that time.
    pub fn arrived(&mut self, seen: Seen<'_>, pace: Pace) -> Option<Duration> {
        match seen.reading.read {
            PollOutcome::Answered => {
                if self.is_throttled(seen.now) {
                    // The answer to an older request: what the service asked for since then still holds.
                    self.failures = 0;
                    self.refusals = 0;
                    return None;
                }
                let was_open = self.gate == Gate::Open;
                let held = seen.now.saturating_sub(self.since);
                *self = Self { since: seen.now, ..Self::default() };
                return (!was_open).then(|| resume_spread(held));
            }
            PollOutcome::Throttled => {
                // The responses to requests that were sent before it asked say no more than the first of them.
                if !self.is_throttled(seen.now) {
                    self.throttles += 1;
                }
                // A service that refuses is polled ever less, whatever it says.
                let wait = back_off(pace, self.throttles, seen.draw).max(seen.reading.retry_after.unwrap_or_default());
                let until = seen.now + wait.min(LONGEST_WAIT);
                self.close(Gate::Throttled(until), seen.now);
            }
            PollOutcome::Unreachable | PollOutcome::ServerError | PollOutcome::Malformed => {
                self.failures += 1;
                if self.failures >= FAILURES_TO_CLOSE {
                    let wait = back_off(pace, self.failures - FAILURES_TO_CLOSE + 1, seen.draw);
                    self.close(Gate::BackingOff(seen.now + wait), seen.now);
                }
            }
            PollOutcome::Unauthorized => {
                self.refusals += 1;
                if self.refusals >= REFUSALS_TO_CLOSE {
                    let said = seen.reading.reason.clone().unwrap_or_default();
                    self.close(Gate::KeyRefused(KeyTrouble::Rejected(said)), seen.now);
                }
            }
            PollOutcome::NotFound | PollOutcome::Rejected => {}
        }
        None
    }

    /// Opens a gate whose throttling is over: gives the time over which its reads resume.
    pub fn expire(&mut self, now: Duration) -> Option<Duration> {
        match self.gate {
            Gate::Throttled(until) if until <= now => {
                let held = now.saturating_sub(self.since);
                self.gate = Gate::Open;
                self.since = now;
                Some(resume_spread(held))
            }
            Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_) => None,
        }
    }

    /// The machine slept for so long, on a clock that stood still meanwhile: what was waited for may be over.
    pub fn slept(&mut self, slept: Duration) {
        if let Gate::Throttled(until) | Gate::BackingOff(until) = &mut self.gate {
            *until = until.saturating_sub(slept);
        }
    }

    /// Another token is here, or the user asks: the service is read again. Gives the time over which its reads resume.
    pub fn reopen(&mut self, now: Duration) -> Duration {
        let held = now.saturating_sub(self.since);
        *self = Self { since: now, ..Self::default() };
        resume_spread(held)
    }

    fn is_throttled(&self, now: Duration) -> bool {
        matches!(self.gate, Gate::Throttled(until) if until > now)
    }

    /// A stricter closing wins over a milder one; a longer wait over a shorter one.
    fn close(&mut self, closed: Gate<Duration>, now: Duration) {
        let stays = match (&self.gate, &closed) {
            (Gate::KeyRefused(_), Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_)) => true,
            (Gate::Throttled(held), Gate::Throttled(until) | Gate::BackingOff(until)) => held > until,
            (Gate::BackingOff(held), Gate::BackingOff(until)) => held > until,
            (
                Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_),
                Gate::Open | Gate::Throttled(_) | Gate::BackingOff(_) | Gate::KeyRefused(_),
            ) => false,
        };
        if stays {
            return;
        }
        if self.gate == Gate::Open {
            self.since = now;
        }
        self.gate = closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::tests::seen;
    use crate::domain::reading::Reading;

    const PACE: Pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) };

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn after(replies: &[(u64, PollOutcome, Option<u64>)]) -> ServiceGate {
        let mut gate = ServiceGate::default();
        for (second, read, retry_after) in replies {
            let reading = Reading { retry_after: retry_after.map(at), ..Reading::refused(*read, "no") };
            gate.arrived(seen(&reading, at(*second)), PACE);
        }
        gate
    }

    #[test]
    fn three_failures_in_a_row_without_an_ok_between_hold_the_whole_service() {
        use PollOutcome::{Answered, Malformed, NotFound, ServerError, Unreachable};
        let open = [
            vec![(1, Unreachable, None), (2, ServerError, None)],
            vec![(1, Unreachable, None), (2, ServerError, None), (3, Answered, None), (4, Malformed, None)],
        ];
        for replies in open {
            assert!(after(&replies).admits(at(9), 5), "{replies:?}");
        }
        let closed =
            after(&[(1, Unreachable, None), (2, ServerError, None), (2, NotFound, None), (3, Malformed, None)]);
        assert_eq!(closed.gate(), &Gate::BackingOff(at(13)));
        assert!(!closed.admits(at(12), 0));
        assert!(closed.admits(at(13), 0) && !closed.admits(at(13), 1));
    }

    #[test]
    fn a_throttled_service_waits_as_long_as_it_asked_and_at_most_an_hour() {
        let gate = after(&[(10, PollOutcome::Throttled, Some(45))]);
        assert_eq!((gate.admits(at(54), 0), gate.admits(at(55), 9)), (false, true));
        assert!(after(&[(0, PollOutcome::Throttled, Some(100_000))]).admits(at(3600), 0));
        assert_eq!(
            after(&[(0, PollOutcome::Throttled, None), (10, PollOutcome::Throttled, None)]).gate(),
            &Gate::Throttled(at(30))
        );
    }

    #[test]
    fn a_service_that_refuses_is_polled_ever_less_whatever_it_says() {
        for asked in [None, Some(0), Some(1)] {
            let mut gate = ServiceGate::default();
            let (mut now, mut waits) = (at(0), Vec::new());
            for _ in 0..6 {
                let refused = Reading::refused(PollOutcome::Throttled, "no");
                let reading = Reading { retry_after: asked.map(at), ..refused };
                // Sixteen requests were in flight: what they are answered counts once.
                for _ in 0..16 {
                    gate.arrived(seen(&reading, now), PACE);
                }
                let until = gate.expires_at().unwrap();
                waits.push((until - now).as_secs());
                now = until;
                gate.expire(now);
            }
            assert_eq!(waits, [10, 20, 40, 60, 60, 60], "{asked:?}");
        }
    }

    #[test]
    fn an_answer_to_an_older_request_does_not_end_what_the_service_asked_for() {
        let mut gate = after(&[(0, PollOutcome::Throttled, Some(60)), (1, PollOutcome::Answered, None)]);
        assert_eq!((gate.admits(at(59), 0), gate.expire(at(59))), (false, None));
        assert_eq!((gate.expire(at(60)), gate.gate()), (Some(at(20)), &Gate::Open));
    }

    #[test]
    fn a_shorter_wait_never_cuts_a_longer_one_short() {
        let gate = after(&[(0, PollOutcome::Throttled, Some(60)), (1, PollOutcome::Throttled, Some(2))]);
        assert_eq!(gate.gate(), &Gate::Throttled(at(60)));
    }

    #[test]
    fn a_wait_goes_on_while_the_machine_sleeps() {
        let mut gate = after(&[(10, PollOutcome::Throttled, Some(60))]);
        gate.slept(at(50));
        assert_eq!((gate.expire(at(19)), gate.gate()), (None, &Gate::Throttled(at(20))));
        gate.slept(at(50));
        assert_eq!((gate.expire(at(19)), gate.gate()), (Some(at(9)), &Gate::Open));
    }

    #[test]
    fn two_refusals_in_a_row_close_the_service_until_it_is_reopened() {
        assert!(after(&[(0, PollOutcome::Unauthorized, None)]).admits(at(1), 0));
        let mut gate = after(&[
            (0, PollOutcome::Unauthorized, None),
            (1, PollOutcome::Unauthorized, None),
            (2, PollOutcome::Throttled, None),
        ]);
        assert_eq!(
            (gate.gate(), gate.admits(at(9999), 0)),
            (&Gate::KeyRefused(KeyTrouble::Rejected("no".to_owned())), false)
        );
        gate.reopen(at(50));
        assert!(gate.admits(at(50), 3));
    }
}
