//! One poll of one job: request, response, token masked, bytes kept, read by its provider. Touches no entry and no state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::attempt::Attempt;
use crate::domain::clock::Clock;
use crate::domain::job::{JobIx, JobKey};
use crate::domain::provider::Next;
use crate::domain::reading::Reading;
use crate::domain::response::{NoReply, Response};
use crate::domain::secret::Token;
use crate::domain::service::Service;
use crate::domain::state::PollOutcome;
use crate::net::{Arrived, Net, offload};
use crate::providers;
use crate::store::Store;

use super::intake::{Intake, Received};

/// A response longer than this is read off the loop's thread.
const LONG_BODY: u64 = 256 * 1024;

/// What one poll needs.
#[derive(Debug, Clone)]
pub struct PollRequest {
    /// The job's number.
    pub ix: JobIx,
    /// The job.
    pub key: JobKey,
    /// Its service.
    pub service: Arc<Service>,
    /// The service's token.
    pub token: Token,
    /// The request's number.
    pub seq: u64,
    /// The time of day.
    pub clock: Clock,
}

/// What one poll came to.
#[derive(Debug)]
pub struct PollResult {
    /// What the response said.
    pub reading: Reading,
    /// Whether the request may have reached the service.
    pub sent: bool,
    /// The response, if one began.
    pub response: Option<Received>,
    /// The line for the Attempts tab.
    pub attempt: Attempt,
}

/// Polls once, to the end or until `leave` becomes true.
pub async fn poll(poll: PollRequest, net: Arc<Net>, store: Store, mut leave: watch::Receiver<bool>) -> PollResult {
    let sent_at = poll.clock.now();
    let request = poll.service.provider.request(&poll.service, &poll.key.id);
    let mut intake = Intake::new(store, poll.key.clone(), poll.seq, request.one_shot, poll.token.clone());
    match net.send(&request, &poll.token, &mut intake, &mut leave).await {
        Ok(arrived) => received(poll, intake, arrived, sent_at).await,
        Err(no_reply) => {
            intake.discard();
            no_response(&no_reply, sent_at)
        }
    }
}

/// What a poll came to that failed inside jobdeck: nobody knows how far it got.
pub fn failed(at: Timestamp) -> PollResult {
    let reason = "jobdeck failed to take the response in: please report it".to_owned();
    no_response(&NoReply { sent: true, reason }, at)
}

async fn received(poll: PollRequest, intake: Intake, arrived: Arrived, sent_at: Timestamp) -> PollResult {
    let latency = arrived.latency;
    let is_long = arrived.bytes > LONG_BODY;
    let work = move || read(&poll, intake, arrived);
    let read = if is_long { offload::run(work).await } else { Some(work()) };
    let (response, reading) = match read {
        Some((response, reading)) => (Some(response), reading),
        None => (None, Reading::refused(PollOutcome::Malformed, "the response could not be taken in")),
    };
    let attempt = Attempt {
        first: sent_at,
        last: sent_at,
        count: 1,
        read: reading.read,
        http_status: response.as_ref().map(|response| response.status),
        latency,
        bytes: response.as_ref().map_or(0, |response| response.bytes.len() as u64),
        retry_after: reading.retry_after,
        word: reading.answer.as_ref().and_then(|answer| answer.word.clone()),
        reason: reading.reason.clone(),
    };
    PollResult { reading, sent: true, response, attempt }
}

/// A fault of ours while reading costs the reading, never the bytes.
fn read(poll: &PollRequest, intake: Intake, arrived: Arrived) -> (Received, Reading) {
    let broken = arrived.broken.clone();
    let (mut received, warning) = intake.finish(arrived);
    let Received { status, headers, bytes, at, .. } = received.clone();
    let response = Response { status, headers, body: bytes, broken, at };
    let mut reading = catch_unwind(AssertUnwindSafe(|| understood(poll, &response))).unwrap_or_else(|_| {
        Reading::refused(PollOutcome::Malformed, "jobdeck failed to read this response: please report it")
    });
    if let (Some(answer), Some(warning)) = (&mut reading.answer, warning) {
        answer.warning.get_or_insert_with(|| warning.to_owned());
    }
    received.broken &= reading.read != PollOutcome::Answered;
    (received, reading)
}

fn understood(poll: &PollRequest, response: &Response) -> Reading {
    match providers::read(&poll.service, &poll.key.id, response) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => fetch.meanwhile(),
    }
}

fn no_response(no_reply: &NoReply, sent_at: Timestamp) -> PollResult {
    let reading = providers::read_nothing(no_reply);
    let attempt = Attempt {
        first: sent_at,
        last: sent_at,
        count: 1,
        read: reading.read,
        http_status: None,
        latency: Duration::ZERO,
        bytes: 0,
        retry_after: None,
        word: None,
        reason: reading.reason.clone(),
    };
    PollResult { reading, sent: no_reply.sent, response: None, attempt }
}
