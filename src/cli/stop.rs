//! What ends a command before its jobs are over: a signal, the time, a first failure.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::domain::human;
use crate::domain::stats::StateCounts;
use crate::exit::Signal;

/// When the time is up, and how long that is.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimit {
    at: Instant,
    after: Duration,
}

impl TimeLimit {
    /// So long from now; None if that is longer than time is reckoned.
    pub fn after(after: Duration) -> Option<Self> {
        Some(Self { at: Instant::now().checked_add(after)?, after })
    }
}

/// What made an end before the jobs', as it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    Signal(Signal),
    /// The time was up that was given.
    TimedOut(Duration),
    FirstFailure,
}

impl StopCause {
    /// The signal, if it was one.
    pub fn signal(self) -> Option<Signal> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::TimedOut(_) | Self::FirstFailure => None,
        }
    }

    /// The one line that says what made the end, what is open, and how to go on.
    pub fn sentence(self, jobs: &StateCounts) -> String {
        let (why, how) = match self {
            Self::Signal(signal) => (format!("interrupted ({})", signal), "run it again to go on"),
            Self::TimedOut(after) => (format!("timed out after {}", human::latency(after)), "run it again to go on"),
            Self::FirstFailure => ("left at the first failure".to_owned(), "leave out --until to go on"),
        };
        let open = jobs.total() - jobs.finished();
        if open == 0 { why } else { format!("{why}: {open} of {} jobs unfinished; {how}", jobs.total()) }
    }
}

/// Resolves at a time; never without one.
pub async fn wait_until(deadline: Option<TimeLimit>) -> StopCause {
    match deadline {
        Some(TimeLimit { at, after }) => {
            sleep_until(at).await;
            StopCause::TimedOut(after)
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Observation;
    use crate::domain::state::State;

    #[test]
    fn an_early_end_says_what_made_it_what_is_open_and_how_to_go_on() {
        let counts = |states: &[State]| {
            let mut counts = StateCounts::default();
            states.iter().for_each(|state| counts.add(&Observation { state: *state, ..Observation::default() }));
            counts
        };
        let (open, over) = (counts(&[State::Running, State::Succeeded, State::Unknown]), counts(&[State::Failed]));
        let cases = [
            (
                StopCause::TimedOut(Duration::from_secs(600)),
                &open,
                "timed out after 10m: 2 of 3 jobs unfinished; run it again to go on",
            ),
            (
                StopCause::Signal(Signal::INTERRUPT),
                &open,
                "interrupted (SIGINT): 2 of 3 jobs unfinished; run it again to go on",
            ),
            (
                StopCause::FirstFailure,
                &open,
                "left at the first failure: 2 of 3 jobs unfinished; leave out --until to go on",
            ),
            (StopCause::Signal(Signal::TERMINATE), &over, "interrupted (SIGTERM)"),
        ];
        for (cut, jobs, sentence) in cases {
            assert_eq!(cut.sentence(jobs), sentence);
        }
    }
}
