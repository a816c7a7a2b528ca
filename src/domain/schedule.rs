//! When a job is read next: pure functions of the pace, of what happened before and of a number between 0 and 1
//! that the caller draws.

use std::time::Duration;

use super::service::{Pace, Rate};

/// How much slower an unchanged job is read from one read to the next.
const SLOWDOWN: f64 = 1.2;

/// The pause after an `ok` that has now been the same `unchanged` times in a row.
pub fn pause(pace: Pace, unchanged: u32, draw: f64) -> Duration {
    let factor = SLOWDOWN.powi(unchanged.min(64).cast_signed());
    let longest = pace.max_interval.max(pace.interval);
    jittered(bounded(pace.interval, factor, longest), draw).min(longest)
}

/// The pause after the `failures`-th read in a row (from 1) that was no answer: exponential, half of it by chance,
/// and never shorter than that of a job that is well.
pub fn back_off(pace: Pace, failures: u32, draw: f64) -> Duration {
    let factor = 2f64.powi(failures.min(32).cast_signed());
    let longest = pace.max_interval.max(pace.interval);
    bounded(pace.interval, factor, longest).mul_f64(0.5 + 0.5 * draw).max(pace.interval)
}

/// How much more or less a pause may be, as a share of it.
const JITTER: f64 = 0.1;

/// Ten per cent more or less, so that jobs declared together are not read together for ever.
pub fn jittered(pause: Duration, draw: f64) -> Duration {
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * draw)
}

/// The interval at which no pause is shorter than this, whatever chance makes of it.
pub fn never_below(least: Duration) -> Duration {
    least.div_f64(1.0 - JITTER)
}

/// How far apart a service's reads resume after it was held for `held`: over as long, within 1 to 20 seconds.
pub fn resume_spread(held: Duration) -> Duration {
    held.clamp(Duration::from_secs(1), Duration::from_secs(20))
}

/// When a read is made that was due at `due`, on a clock that stood still while the machine slept for so long until
/// `now`; and whether it is overdue. What is overdue is spread over ten seconds after a pause of ten, in which the
/// network may come back.
pub fn after_sleep(due: Duration, slept: Duration, now: Duration, draw: f64) -> (Duration, bool) {
    let due = due.saturating_sub(slept);
    let pause = Duration::from_secs(10);
    if due < now + pause { (now + pause + pause.mul_f64(draw), due <= now) } else { (due, false) }
}

fn bounded(base: Duration, factor: f64, longest: Duration) -> Duration {
    Duration::from_secs_f64((base.as_secs_f64() * factor).min(longest.as_secs_f64()))
}

/// Seconds after which a bucket is asked again, however slow its rate: no date lies too far ahead to be said.
const LONGEST_WAIT: f64 = 366.0 * 86_400.0;

/// A token bucket: never more than this many requests in any such span of time, a fiftieth of a second's worth (at least
/// one) at once. What may come at once is taken off what comes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    per_second: f64,
    burst: f64,
    level: f64,
    updated: Duration,
}

impl Bucket {
    /// A full bucket. `now` is the time since any fixed start.
    pub fn new(rate: Rate, now: Duration) -> Self {
        let (requests, span) = (f64::from(rate.requests), rate.per.as_secs_f64());
        let burst = (requests / span / 50.0).clamp(1.0, requests.max(1.0));
        let per_second = (requests - (burst - 1.0)) / span;
        Self { per_second, burst, level: burst, updated: now }
    }

    /// Takes out this many requests that were sent already: what follows waits for them.
    pub fn owe(&mut self, requests: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a poll has few requests")]
        let owed = requests as f64;
        self.level -= owed;
    }

    /// Takes one request out; otherwise how long to wait for it.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let elapsed = now.saturating_sub(self.updated).as_secs_f64();
        self.level = (self.level + elapsed * self.per_second).min(self.burst);
        self.updated = self.updated.max(now);
        // A wait is computed in floating point: a request a microsecond early is on time.
        if self.level >= 1.0 - 1e-6 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(((1.0 - self.level) / self.per_second).min(LONGEST_WAIT)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    const PACE: Pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) };

    #[test]
    fn an_unchanged_job_is_read_ever_more_slowly_up_to_max_interval() {
        let pauses: Vec<_> = (0..40).map(|n| pause(PACE, n, 0.5)).collect();
        assert_eq!(pauses.first(), Some(&Duration::from_secs(5)));
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses.last(), Some(&Duration::from_secs(60)));
        assert!((0..40).all(|n| pause(PACE, n, 1.0) <= PACE.max_interval), "not even by chance");
    }

    #[test]
    fn failures_back_off_exponentially_with_jitter_and_never_beyond_max_interval() {
        assert_eq!(back_off(PACE, 1, 1.0), Duration::from_secs(10));
        assert_eq!(back_off(PACE, 2, 1.0), Duration::from_secs(20));
        assert_eq!(back_off(PACE, 2, 0.0), Duration::from_secs(10));
        assert_eq!(back_off(PACE, u32::MAX, 1.0), Duration::from_secs(60));
    }

    #[test]
    fn a_service_in_trouble_is_never_asked_sooner_than_one_that_is_well() {
        let flat = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(5) };
        for failures in 1..9 {
            assert!(back_off(PACE, failures, 0.0) >= PACE.interval, "{failures}");
            assert_eq!(back_off(flat, failures, 0.0), flat.interval, "{failures}");
        }
    }

    #[test]
    fn a_max_interval_below_the_interval_does_not_speed_a_job_up() {
        let pace = Pace { interval: Duration::from_secs(9), max_interval: Duration::from_secs(1) };
        assert_eq!(pause(pace, 9, 0.5), Duration::from_secs(9));
    }

    #[test]
    fn after_a_sleep_what_is_overdue_is_read_within_10_to_20_seconds_and_the_rest_when_it_would_have_been() {
        let (second, hour) = (Duration::from_secs, Duration::from_secs(3600));
        let now = second(100);
        for (due, draw, expected) in [
            (now + second(60), 0.0, (second(110), true)),
            (now + second(60), 1.0, (second(120), true)),
            (now + hour, 0.5, (second(115), true)),
            (now + hour + second(9), 0.5, (second(115), false)),
            (now + hour + second(11), 0.5, (second(111), false)),
            (now + hour * 2, 0.5, (now + hour, false)),
        ] {
            assert_eq!(after_sleep(due, hour, now, draw), expected, "{due:?}");
        }
    }

    #[test]
    fn a_rate_of_two_a_second_lets_twenty_one_requests_through_in_ten_seconds() {
        let mut bucket = Bucket::new(Rate { requests: 2, per: Duration::from_secs(1) }, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut sent = 0;
        while now <= Duration::from_secs(10) {
            match bucket.take(now) {
                Ok(()) => sent += 1,
                Err(wait) => now += wait,
            }
        }
        assert_eq!(sent, 21);
        // What was sent beyond it is waited for.
        bucket.owe(4);
        assert!(bucket.take(now).is_err_and(|wait| wait >= Duration::from_secs(2)));
        assert_eq!(bucket.take(now + Duration::from_secs(3)), Ok(()));
    }

    #[test]
    fn no_span_of_time_sees_more_requests_than_its_rate_allows_and_nearly_all_of_them_are_used() {
        let mut rng = fastrand::Rng::with_seed(7);
        for (requests, per) in [(400, 60), (2000, 10), (20, 1), (2, 1), (1, 60), (1000, 1), (5, 3600)] {
            let per = Duration::from_secs(per);
            for slowest in [Duration::ZERO, Duration::from_millis(3), per / requests * 3] {
                let mut bucket = Bucket::new(Rate { requests, per }, Duration::ZERO);
                // It was idle, then everything is due; whoever waits may be late.
                let mut now = per * 3;
                let mut sent = Vec::new();
                while sent.len() < requests as usize * 4 {
                    match bucket.take(now) {
                        Ok(()) => sent.push(now),
                        Err(wait) => now += wait + slowest.mul_f64(rng.f64()),
                    }
                }
                let far_enough = |pair: (&Duration, &Duration)| *pair.1 - *pair.0 > per - Duration::from_micros(50);
                let next = sent.iter().skip(requests as usize);
                assert!(sent.iter().zip(next).all(far_enough), "{requests} in {per:?}, late by {slowest:?}");
                let took = *sent.last().unwrap() - sent[0];
                assert!(slowest > Duration::ZERO || took <= per.mul_f64(4.1), "{requests} in {per:?}: {took:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn a_bucket_of_any_rate_answers_with_a_wait_that_can_be_waited(
            requests in proptest::prop_oneof![1..9_u32, 1..=u32::MAX],
            per in proptest::prop_oneof![(1..99_u64).prop_map(Duration::from_millis), (1..=u64::MAX).prop_map(Duration::from_secs)],
        ) {
            let mut bucket = Bucket::new(Rate { requests, per }, Duration::ZERO);
            proptest::prop_assert_eq!(bucket.take(Duration::ZERO), Ok(()), "a full bucket holds one");
            let mut now = Duration::ZERO;
            for _ in 0..9 {
                bucket.owe(1);
                if let Err(wait) = bucket.take(now) {
                    proptest::prop_assert!(wait <= Duration::from_secs_f64(LONGEST_WAIT), "{:?}", wait);
                    now += wait;
                }
            }
        }
    }

    #[test]
    fn a_least_interval_holds_whatever_chance_makes_of_a_pause() {
        let least = Duration::from_secs(5);
        let pace = Pace { interval: never_below(least), max_interval: never_below(least) };
        for draw in [0.0, 0.1, 0.5, 1.0] {
            for n in 0..9 {
                assert!(pause(pace, n, draw) >= least - Duration::from_micros(1), "{n} {draw}");
                assert!(back_off(pace, n, draw) >= least, "{n} {draw}");
            }
        }
    }
}
