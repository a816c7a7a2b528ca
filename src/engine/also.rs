//! A file that is fetched beside a result which is here already: asked for again where it may come yet, and missing where
//! it does not.

use std::time::Duration;

use super::poll::{Exchange, PollContext, PollRequest, PollStep, discard, exchange};
use crate::domain::provider::{Fetch, Next};
use crate::domain::schedule;
use crate::domain::service::Pace;
use crate::domain::state::PollOutcome;
use crate::providers;
use crate::store::Spool;

/// How often a file is asked for in one poll.
const TRIES: u32 = 3;

/// A further file: asked for again where it may come yet, since its job is over then, with it or without it. Answers
/// with the number of the last request, too.
pub async fn fetch(poll: &PollRequest, asked: PollStep<'_>, file: &Fetch, around: &mut PollContext) -> (Exchange, u64) {
    let first = asked.seq;
    let mut tries = 1;
    loop {
        let seq = first + u64::from(tries) - 1;
        let exchange = exchange(poll, PollStep { seq, ..asked }, around).await;
        let is_last = match pause_before_another_try(poll.service.pace, &exchange, tries) {
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

/// How long to wait before a further file is asked for once more; None where that is of no use.
fn pause_before_another_try(pace: Pace, exchange: &Exchange, tries: u32) -> Option<Duration> {
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
    (may_come && tries < TRIES && pause <= pace.max_interval.max(pace.interval)).then_some(pause)
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
