//! One read of one job: request, reply, token masked, bytes kept, read by its provider. Touches no slot and no state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::attempt::Attempt;
use crate::domain::clock::Clock;
use crate::domain::job::{JobIx, JobKey};
use crate::domain::provider::Next;
use crate::domain::reading::Reading;
use crate::domain::response::{Headers, NoReply, Response};
use crate::domain::secret::Token;
use crate::domain::service::Service;
use crate::domain::state::PollOutcome;
use crate::net::decode::{self, Decoded};
use crate::net::{Arrived, Net, Sink};
use crate::providers;
use crate::store::{Spool, Store};

use super::mask::{self, Masking};

/// A reply longer than this is read off the loop's thread.
const LONG_BODY: usize = 256 * 1024;

/// What one read needs.
#[derive(Debug, Clone)]
pub struct PollRequest {
    /// Whose slot it is for.
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

/// What one read came to.
#[derive(Debug)]
pub struct PollResult {
    /// Whose slot it is for.
    pub ix: JobIx,
    /// The request's number.
    pub seq: u64,
    /// What the reply said.
    pub reading: Reading,
    /// Whether the request may have reached the service.
    pub sent: bool,
    /// The reply, if one began.
    pub reply: Option<Received>,
    /// The line for the Attempts tab.
    pub attempt: Attempt,
}

/// A reply whose bytes are held.
#[derive(Debug, Clone)]
pub struct Received {
    /// HTTP code.
    pub status: u16,
    /// The headers that matter, our token masked.
    pub headers: Headers,
    /// The body, decoded where it could be, our token masked.
    pub bytes: Bytes,
    /// The store's file that holds exactly these bytes, if there is one.
    pub spooled: Option<PathBuf>,
    /// Whether it broke off, and the bytes are not one whole document all the same.
    pub broken: bool,
    /// Whether our token stood in it.
    pub masked: bool,
    /// When its head arrived.
    pub at: Timestamp,
}

impl Sink for Spool {
    fn begin(&mut self, status: u16) {
        self.set_status(status);
    }

    fn masked(&mut self) {
        self.set_masked();
    }

    fn push(&mut self, chunk: &[u8]) {
        Spool::push(self, chunk);
    }
}

/// Does one read to its end, or until `leave` becomes true.
pub async fn read(errand: PollRequest, net: Arc<Net>, store: Store, mut leave: watch::Receiver<bool>) -> PollResult {
    let sent_at = errand.clock.now();
    let request = errand.service.provider.request(&errand.service, &errand.key.id);
    let mut spool = store.spool(&errand.key, errand.seq, request.one_shot);
    let mut masking = Masking::new(&mut spool, &errand.token);
    let result = net.send(&request, &errand.token, &mut masking, &mut leave).await;
    let broken = result.as_ref().map_or(true, |arrived| arrived.broken.is_some());
    let masked = masking.finish(broken);
    match result {
        Ok(arrived) => taken(errand, arrived, (spool, masked), store, sent_at).await,
        Err(no_reply) => {
            forget(&store, spool.finish().1);
            nothing((errand.ix, errand.seq), &no_reply, sent_at)
        }
    }
}

/// What a read came to that failed of a fault of ours: nobody knows how far it got.
pub fn failed(ix: JobIx, seq: u64, at: Timestamp) -> PollResult {
    let reason = "jobdeck failed to take the reply in: please report it".to_owned();
    nothing((ix, seq), &NoReply { sent: true, reason }, at)
}

async fn taken(
    errand: PollRequest,
    arrived: Arrived,
    (spool, masked): (Spool, bool),
    store: Store,
    sent_at: Timestamp,
) -> PollResult {
    let long = spool.len() > LONG_BODY as u64;
    let (ix, seq) = (errand.ix, errand.seq);
    let latency = arrived.latency;
    let work = move || digest(&errand, arrived, (spool, masked), &store);
    let digested = if long { tokio::task::spawn_blocking(work).await.ok() } else { Some(work()) };
    let (received, reading) = match digested {
        Some((received, reading)) => (Some(received), reading),
        None => (None, Reading::refused(PollOutcome::Malformed, "the reply could not be taken in")),
    };
    let attempt = Attempt {
        first: sent_at,
        last: sent_at,
        count: 1,
        read: reading.read,
        http_status: received.as_ref().map(|received| received.status),
        latency,
        bytes: received.as_ref().map_or(0, |received| received.bytes.len() as u64),
        retry_after: reading.retry_after,
        word: reading.answer.as_ref().and_then(|answer| answer.word.clone()),
        reason: reading.reason.clone(),
    };
    PollResult { ix, seq, reading, sent: true, reply: received, attempt }
}

/// The bytes are whole in memory or in a synced file before anything looks into them, and a fault of ours while
/// looking costs the reading, never the bytes.
fn digest(
    errand: &PollRequest,
    arrived: Arrived,
    (spool, masked): (Spool, bool),
    store: &Store,
) -> (Received, Reading) {
    let (received_bytes, spooled) = spool.finish();
    let headers = mask::headers(arrived.headers, &errand.token);
    let decoded = decode::decoded(headers.content_encoding.as_deref(), &received_bytes);
    let warning = decoded.as_ref().and_then(|decoded| decoded.warning);
    let (bytes, spooled, masked) = match decoded {
        Some(Decoded { bytes, .. }) => {
            forget(store, spooled);
            match mask::bytes(&bytes, &errand.token) {
                Some(clean) => (clean, None, true),
                None => (bytes, None, masked),
            }
        }
        None => (received_bytes, spooled, masked),
    };
    let (bytes, spooled) = respooled(bytes, spooled, errand, (arrived.status, masked), store);
    let reply = Response { status: arrived.status, headers, body: bytes, broken: arrived.broken, at: arrived.at };
    let mut reading = catch_unwind(AssertUnwindSafe(|| understood(errand, &reply))).unwrap_or_else(|_| {
        Reading::refused(PollOutcome::Malformed, "jobdeck failed to read this reply: please report it")
    });
    if let (Some(answer), Some(warning)) = (&mut reading.answer, warning) {
        answer.warning.get_or_insert_with(|| warning.to_owned());
    }
    let broken = reply.broken.is_some() && reading.read != PollOutcome::Answered;
    let Response { status, headers, body, at, .. } = reply;
    (Received { status, headers, bytes: body, spooled, broken, masked, at }, reading)
}

fn understood(errand: &PollRequest, response: &Response) -> Reading {
    match providers::read(&errand.service, &errand.key.id, response) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => fetch.meanwhile(),
    }
}

/// A long body that is not in a file of its own any more, because it was decoded, goes into one again.
fn respooled(
    bytes: Bytes,
    spooled: Option<PathBuf>,
    errand: &PollRequest,
    (status, masked): (u16, bool),
    store: &Store,
) -> (Bytes, Option<PathBuf>) {
    if spooled.is_some() || bytes.len() <= LONG_BODY {
        return (bytes, spooled);
    }
    let mut spool = store.spool(&errand.key, errand.seq, errand.service.is_one_shot());
    spool.set_status(status);
    if masked {
        spool.set_masked();
    }
    spool.push(&bytes);
    spool.finish()
}

fn forget(store: &Store, spooled: Option<PathBuf>) {
    if let Some(path) = spooled {
        store.discard(&path);
    }
}

fn nothing((ix, seq): (JobIx, u64), no_reply: &NoReply, sent_at: Timestamp) -> PollResult {
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
    PollResult { ix, seq, reading, sent: no_reply.sent, reply: None, attempt }
}
