//! Until when our lease in the team's store is good for certain, by a clock that goes on while the machine sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Linux stops its monotonic clock while the machine sleeps, others do not.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment that is set by one thread and asked for by others. Nanoseconds of our clock; 0: none.
#[derive(Debug, Default)]
pub struct SharedDeadline(AtomicU64);

impl SharedDeadline {
    /// The lease was asked for at `asked`, and lasts so long at least from then.
    pub fn set(&self, asked: Duration, lasts: Duration) {
        self.0.store(nanoseconds(asked + lasts), Ordering::Release);
    }

    /// There is no lease.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// How long it is still good.
    pub fn left(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Acquire)).saturating_sub(now())
    }
}

/// The time since the machine was started.
pub fn now() -> Duration {
    let now = clock_gettime(CLOCK);
    let seconds = Duration::from_secs(now.tv_sec.cast_unsigned());
    seconds + Duration::from_nanos(now.tv_nsec.cast_unsigned())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_good_from_when_it_was_asked_for_and_not_from_when_the_answer_came() {
        let deadline = SharedDeadline::default();
        assert_eq!(deadline.left(), Duration::ZERO);
        deadline.set(now().saturating_sub(Duration::from_secs(20)), Duration::from_secs(30));
        let left = deadline.left();
        assert!(left <= Duration::from_secs(10) && left > Duration::from_secs(5), "{left:?}");
        deadline.clear();
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
