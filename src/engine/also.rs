//! A file that is fetched beside a result which is here already: asked for again where it may come yet, and missing where
//! it does not.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::intake::ReceivedResponse;
use super::poll::{Exchange, PollContext, PollRequest, PollStep, discard, exchange};
use crate::domain::provider::{Fetch, Next};
use crate::domain::schedule;
use crate::domain::service::Pace;
use crate::domain::state::PollOutcome;
use crate::net::offload;
use crate::providers;
use crate::store::Spool;

/// How often a file is asked for in one poll.
const TRIES: u32 = 3;

/// For how long after its result the files of a job are asked for again.
const RETRIED_FOR: Duration = Duration::from_secs(60);

/// When the files of a poll are no longer asked for again.
pub fn retried_until() -> Instant {
    Instant::now() + RETRIED_FOR
}

/// Sees to it that a result that was taken, and the status beside it, outlast a loss of power while further files are
/// asked for.
pub async fn sync_taken(taken: impl Iterator<Item = &ReceivedResponse>, spool: &Spool) {
    let (paths, spool): (Vec<PathBuf>, _) = (taken.filter_map(|taken| taken.spooled.clone()).collect(), spool.clone());
    if let Some(Err(error)) = offload::run(move || spool.sync(&paths)).await {
        tracing::warn!(%error, "a result that was taken is not durable yet");
    }
}

/// A further file: asked for again where it may come yet, since its job is over then, with it or without it. Answers
/// with the number of the last request, too.
pub async fn fetch(
    poll: &PollRequest,
    asked: PollStep<'_>,
    (file, until): (&Fetch, Instant),
    around: &mut PollContext,
) -> (Exchange, u64) {
    let first = asked.seq;
    let mut tries = 1;
    loop {
        let seq = first + u64::from(tries) - 1;
        let exchange = exchange(poll, PollStep { seq, ..asked }, around).await;
        let left = until.saturating_duration_since(Instant::now());
        let is_last = match pause_before_another_try((poll.service.pace, left), &exchange, tries) {
            Some(pause) => tokio::time::timeout(pause, around.leave.wait_for(|leave| *leave)).await.is_ok(),
            None => true,
        };
        if is_last {
            return (whole_or_missed(file, exchange, tries, around.store.spool()), seq);
        }
        if let Some(response) = &exchange.response {
            discard(around.store.spool(), response);
        }
        tries += 1;
    }
}

/// How long to wait before a further file is asked for once more; None where that is of no use, or there is no time
/// left for it.
fn pause_before_another_try((pace, left): (Pace, Duration), exchange: &Exchange, tries: u32) -> Option<Duration> {
    let Next::Done(reading) = &exchange.next else { return None };
    let may_come = match reading.read {
        PollOutcome::Throttled | PollOutcome::Unreachable | PollOutcome::ServerError => true,
        PollOutcome::Answered
        | PollOutcome::Malformed
        | PollOutcome::Unauthorized
        | PollOutcome::NotFound
        | PollOutcome::Rejected => false,
    };
    let pause = schedule::back_off(pace, tries, 0.0).max(reading.retry_after.unwrap_or_default());
    (may_come && tries < TRIES && pause <= pace.max_interval.max(pace.interval).min(left)).then_some(pause)
}

/// The result was here before a further file was asked for: one that breaks off, or of which nothing can be made, is
/// missing, and its job ends all the same.
fn whole_or_missed(fetch: &Fetch, exchange: Exchange, tries: u32, spool: &Spool) -> Exchange {
    let missed = match &exchange.next {
        Next::Done(reading) if reading.read != PollOutcome::Answered => {
            let why = reading.reason.as_deref().unwrap_or("it could not be read");
            let often = if tries > 1 { format!(", asked {tries} times") } else { String::new() };
            providers::further_missed(fetch, &format!("{why}{often}"))
        }
        Next::Done(_) | Next::Fetch(_) => None,
    };
    let Some(next) = missed else { return exchange };
    if let Some(response) = &exchange.response {
        discard(spool, response);
    }
    Exchange { next, response: None, ..exchange }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reading::Reading;

    #[test]
    fn a_further_file_is_asked_for_again_as_often_and_as_long_as_its_job_can_wait() {
        let pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(300) };
        let refused = |read, after: u64| {
            let mut reading = Reading::refused(read, "no");
            reading.retry_after = Some(Duration::from_secs(after));
            Exchange { next: Next::Done(reading), response: None, sent: true, latency: Duration::ZERO }
        };
        let cases = [
            (PollOutcome::ServerError, 20, 1, 60, true),
            (PollOutcome::Unreachable, 0, 2, 60, true),
            (PollOutcome::Throttled, 60, 1, 60, true),
            // The minute that all files of a poll have is over before.
            (PollOutcome::Throttled, 61, 1, 60, false),
            (PollOutcome::ServerError, 20, 1, 19, false),
            (PollOutcome::ServerError, 0, 1, 0, false),
            (PollOutcome::ServerError, 0, TRIES, 60, false),
            (PollOutcome::NotFound, 0, 1, 60, false),
            (PollOutcome::Unauthorized, 0, 1, 60, false),
        ];
        for (read, after, tries, left, again) in cases {
            let pause = pause_before_another_try((pace, Duration::from_secs(left)), &refused(read, after), tries);
            assert_eq!(pause.is_some(), again, "{read} {after} {tries} {left}: {pause:?}");
        }
    }
}
