//! One poll of one job: request, response, token masked, bytes kept, read by its provider; and where the result is at
//! another address, the same again for it. Touches no entry and no state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::domain::attempt::Attempt;
use crate::domain::clean::Clean;
use crate::domain::clock::Clock;
use crate::domain::job::{Job, JobIx, JobKey};
use crate::domain::observation::Role;
use crate::domain::provider::{BodySource, Fetch, Next};
use crate::domain::reading::{Reading, Verdict};
use crate::domain::request::Request;
use crate::domain::response::{NoReply, Response};
use crate::domain::secret::Token;
use crate::domain::service::Service;
use crate::domain::state::PollOutcome;
use crate::net::{Net, offload};
use crate::providers;
use crate::store::{Spool, Store, StoreError};

use super::also;
use super::intake::{Intake, NoRoom, ReceivedResponse, WholeResponse};
use super::mask;
use super::peek::{self, Peeked};

/// More requests than one poll of a provider that makes sense has.
const MOST_REQUESTS: usize = 32;
/// How soon it is tried again to read a response for which there is no room.
const ROOM_LOOK: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

#[derive(Debug, Clone)]
pub struct PollRequest {
    pub ix: JobIx,
    pub job: Arc<Job>,
    pub service: Arc<Service>,
    pub token: Token,
    pub seq: u64,
    /// Whether it may be asked first how far the job is, where that takes nothing.
    pub peeks: bool,
    /// The time of day.
    pub clock: Clock,
}

#[derive(Debug)]
pub struct PollResult {
    /// What the last response said.
    pub reading: Reading,
    /// The number of the last request.
    pub seq: u64,
    /// Whether that request may have reached the service.
    pub sent: bool,
    /// Whether it takes a result from the service, which hands it out once.
    pub takes_result: bool,
    /// The response that `reading` speaks of, if one began.
    pub response: Option<ReceivedResponse>,
    /// What that response is of its job.
    pub role: Role,
    /// Where the job is over: the other responses that belong to it.
    pub further: Vec<(Role, ReceivedResponse)>,
    /// The line for the Attempts tab.
    pub attempt: Attempt,
    /// Why the request that takes nothing says nothing of any job, if it was sent.
    pub peek_failed: Option<String>,
}

/// What polls have in common.
#[derive(Debug, Clone)]
pub struct PollContext {
    /// The wire.
    pub net: Arc<Net>,
    /// The store, which takes responses in.
    pub store: Store,
    /// Becomes true when a request that can be repeated is to be dropped.
    pub leave: watch::Receiver<bool>,
    /// Becomes true when a request that takes a result is to be broken off.
    pub leave_result: watch::Receiver<bool>,
    /// Where it is said how far polls in flight are.
    pub news: mpsc::UnboundedSender<PollNews>,
}

/// How far a poll in flight is.
#[derive(Debug)]
pub enum PollNews {
    Fetching(Box<Fetching>),
    /// The only response of this job is here and cannot be read for want of room: it waits in a file that outlives us.
    WaitsForRoom(JobIx),
}

/// A job that is over by its status, and whose result is being fetched.
#[derive(Debug)]
pub struct Fetching {
    pub ix: JobIx,
    /// The number of the status request.
    pub seq: u64,
    /// What is known until the result is durable: the job runs on, with a word that says so.
    pub meanwhile: Reading,
    /// HTTP code of the status response.
    pub http_status: u16,
    /// When it came.
    pub at: Timestamp,
    /// Whether the request for the result takes it from the service, which hands it out once.
    pub takes_result: bool,
    /// Why such a request is not sent, if that is so: the result could not be saved.
    pub withheld: Option<StoreError>,
}

/// One request and what came of it.
pub(super) struct Exchange {
    pub next: Next,
    pub response: Option<ReceivedResponse>,
    pub sent: bool,
    pub latency: Duration,
}

/// Polls once, to the end or until it is to leave. A result at another address is asked for before the job counts as
/// over.
pub async fn poll(poll: PollRequest, mut around: PollContext) -> PollResult {
    let sent_at = poll.clock.now();
    let mut request = poll.service.provider.request(&poll.service, &poll.job.key.id);
    let mut fetch: Option<Fetch> = None;
    let mut seq = poll.seq;
    let mut before: Vec<(Role, ReceivedResponse)> = Vec::new();
    let mut retried_until = None;
    let (acknowledged, peek_failed) = match peek::peek(&poll, &mut around).await {
        Peeked::NotAsked => (false, None),
        Peeked::Ask { acknowledged, failed } => {
            seq += 1;
            // Time has passed since the disk was last seen to take a write.
            let leaves = *around.leave.borrow();
            if leaves || may_be_saved(&request, &around.store).await.is_err() {
                return left(seq, sent_at, "the result was not asked for: it could not be saved now");
            }
            (acknowledged, failed)
        }
        Peeked::GoesOn(said) => {
            let (reading, response, latency) = *said;
            let ended = LastRequest { seq, sent: true, takes_result: false, latency, sent_at };
            return finished(ended, reading, (Role::Status, Some(response)), before, around.store.spool());
        }
        Peeked::Left => return left(seq, sent_at, "left before the response came"),
    };
    let told = |result: PollResult| PollResult {
        reading: if acknowledged { blamed(result.reading) } else { result.reading },
        peek_failed: peek_failed.clone(),
        ..result
    };
    loop {
        let asked = PollStep { request: &request, fetch: fetch.as_ref(), seq };
        let (Exchange { next, response, sent, latency }, asked_last) = match &fetch {
            Some(fetch) if matches!(fetch.role, Role::Also(_)) => {
                let until = *retried_until.get_or_insert_with(also::retried_until);
                Box::pin(also::fetch(&poll, asked, (fetch, until), &mut around)).await
            }
            Some(_) | None => (exchange(&poll, asked, &mut around).await, seq),
        };
        seq = asked_last;
        let role = fetch.as_ref().map_or(Role::Status, |fetch| fetch.role.clone());
        let ended = LastRequest { seq, sent, takes_result: request.one_shot, latency, sent_at };
        let next_fetch = match next {
            Next::Done(reading) => {
                return told(finished(ended, reading, (role, response), before, around.store.spool()));
            }
            Next::Fetch(next) => *next,
        };
        let is_first = fetch.is_none();
        let stops = if before.len() + 1 >= MOST_REQUESTS {
            Some("one poll sends 32 requests at most")
        } else {
            around.leave.borrow().then_some("jobdeck was left before it came")
        };
        let may_go_on = stops.is_none();
        let (may_go_on, withheld) = match may_be_saved(&next_fetch.request, &around.store).await {
            Ok(()) => (may_go_on, None),
            Err(why) => (false, Some(why)),
        };
        if let (true, Some(response)) = (is_first, &response) {
            let (meanwhile, http_status, at) = (next_fetch.meanwhile(), response.status, response.at);
            let takes_result = may_go_on && next_fetch.request.one_shot;
            let fetching = Fetching { ix: poll.ix, seq, meanwhile, http_status, at, takes_result, withheld };
            let _ = around.news.send(PollNews::Fetching(Box::new(fetching)));
        }
        if !may_go_on {
            let reading = match stops {
                Some(why) if !is_first => providers::none_further(&next_fetch, why),
                Some(_) | None => next_fetch.meanwhile(),
            };
            return told(finished(ended, reading, (role, response), before, around.store.spool()));
        }
        let mut response = response;
        if let (true, true, Some(status)) = (is_first, next_fetch.request.one_shot, &mut response) {
            stand_by((&poll.job.key, seq), status, around.store.spool());
        }
        let was_taken = role == Role::Result && request.one_shot;
        before.extend(response.map(|response| (role, response)));
        if was_taken {
            also::sync_taken(before.iter().map(|(_, taken)| taken), around.store.spool()).await;
        }
        request = next_fetch.request.clone();
        fetch = Some(next_fetch);
        seq += 1;
    }
}

/// What a poll came to that failed inside jobdeck: nobody knows how far it got.
pub fn failed(seq: u64, at: Timestamp) -> PollResult {
    let reason = "jobdeck failed to take the response in: please report it".to_owned();
    failed_with(providers::read_nothing(&NoReply { sent: true, reason }), seq, at)
}

fn failed_with(reading: Reading, seq: u64, at: Timestamp) -> PollResult {
    let attempt = attempt(&reading, None, Duration::ZERO, at);
    PollResult {
        reading,
        seq,
        sent: true,
        takes_result: true,
        response: None,
        role: Role::Status,
        further: Vec::new(),
        attempt,
        peek_failed: None,
    }
}

/// A poll that was dropped before anything was taken.
fn left(seq: u64, at: Timestamp, reason: &str) -> PollResult {
    let reading = providers::read_nothing(&NoReply { sent: true, reason: reason.to_owned() });
    PollResult { takes_result: false, ..failed_with(reading, seq, at) }
}

/// A request for a result of which the service said before that it was handed out.
fn blamed(mut reading: Reading) -> Reading {
    if reading.read != PollOutcome::Answered {
        let said = reading.reason.take().unwrap_or_default();
        reading.reason = Some(format!("{said}; the platform says that the result was handed out"));
    }
    reading
}

/// A status stands in a file while its result is taken: whoever finds the result after our death knows by it how the job
/// ended.
fn stand_by((key, seq): (&JobKey, u64), status: &mut ReceivedResponse, spool: &Spool) {
    let mut writer = spool.begin(key, seq, true);
    writer.set_status(status.status);
    if status.masked {
        writer.set_masked();
    }
    writer.push(&status.bytes);
    writer.ends_as(Some(Role::Status), true);
    let written = writer.finish().bytes().ok().and_then(|(_, path)| path);
    status.spooled = written.or(status.spooled.take());
}

/// No result is taken that could not be saved.
async fn may_be_saved(request: &Request, store: &Store) -> Result<(), StoreError> {
    if !request.one_shot {
        return Ok(());
    }
    store.quick_check()?;
    store.probe().await
}

/// One request of a poll.
#[derive(Clone, Copy)]
pub(super) struct PollStep<'a> {
    /// What is sent.
    pub request: &'a Request,
    /// What led to it, if it is not the first.
    pub fetch: Option<&'a Fetch>,
    /// Its number.
    pub seq: u64,
}

/// Sends one request, and reads what comes of it.
pub(super) async fn exchange(poll: &PollRequest, asked: PollStep<'_>, around: &mut PollContext) -> Exchange {
    let PollStep { request, fetch, seq } = asked;
    let (job, token) = (Arc::clone(&poll.job), poll.token.clone());
    let mut intake = Intake::new(around.store.spool(), job, seq, request.one_shot, token);
    let of_errors = fetch.map(|_| mask::with_query(&poll.token, &request.url));
    if let Some(token) = of_errors.clone() {
        intake = intake.masking_errors_by(token);
    }
    if let Some(fetch) = fetch.filter(|_| request.one_shot) {
        intake = intake.of_own_request(!fetch.then.is_empty());
    }
    let leave = if request.one_shot { &mut around.leave_result } else { &mut around.leave };
    match around.net.send(request, &poll.token, &mut intake, leave).await {
        Ok(arrived) => {
            let latency = arrived.latency;
            // Boxed: a poll that waits for its response is not to hold what reading one takes.
            let read = Box::pin(received(poll, asked, intake.whole(arrived), around)).await;
            let Some(read) = read else {
                let reason = "there was no room to read the response".to_owned();
                let next = Next::Done(providers::read_nothing(&NoReply { sent: true, reason }));
                return Exchange { next, response: None, sent: true, latency };
            };
            let (response, next) = read;
            let mut exchange = Exchange { next, response, sent: true, latency };
            if let (Next::Done(reading), Some(token)) = (&mut exchange.next, of_errors) {
                // A success may hold the text of an error, too.
                reading.reason = reading.reason.take().map(|reason| mask::text(reason, &token));
            }
            exchange
        }
        Err(no_reply) => {
            intake.discard();
            let next = Next::Done(providers::read_nothing(&no_reply));
            Exchange { next, response: None, sent: no_reply.sent, latency: Duration::ZERO }
        }
    }
}

/// Reads a response as soon as there is room for it, in memory and on disk; None if we are to leave before. The only one
/// of its job waits in its file until this is dropped, and its job stays claimed: the next start finds it there.
async fn received(
    poll: &PollRequest,
    asked: PollStep<'_>,
    mut whole: WholeResponse,
    around: &mut PollContext,
) -> Option<(Option<ReceivedResponse>, Next)> {
    let mut pause = ROOM_LOOK;
    let mut stays = false;
    loop {
        let (service, job, fetch) = (Arc::clone(&poll.service), Arc::clone(&poll.job), asked.fetch.cloned());
        let is_long = whole.is_long();
        let work = move || read(&service, &job.key.id, fetch.as_ref(), whole);
        let worked = if is_long { offload::run(work).await } else { Some(work()) };
        let why = match worked {
            Some(Ok((response, next))) => return Some((Some(response), next)),
            Some(Err(no_room)) => {
                let why;
                (why, whole) = *no_room;
                why
            }
            None => {
                let reading = Reading::refused(PollOutcome::Malformed, "the response could not be taken in");
                return Some((None, Next::Done(reading)));
            }
        };
        if pause == ROOM_LOOK {
            let id = Clean::new(&poll.job.key.id);
            tracing::warn!("{id}: no room to read a response, which waits on disk for it: {why}");
        }
        if !stays && whole.outlives_us() {
            stays = true;
            let _ = around.news.send(PollNews::WaitsForRoom(poll.ix));
        }
        let leave = if asked.request.one_shot { &mut around.leave_result } else { &mut around.leave };
        // Where nobody is left to say so, we are leaving.
        if stays {
            tokio::time::sleep(pause).await;
        } else if tokio::time::timeout(pause, leave.wait_for(|leave| *leave)).await.is_ok() {
            return None;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A fault of ours while reading costs the reading, never the bytes.
fn read(
    service: &Service,
    id: &str,
    fetch: Option<&Fetch>,
    whole: WholeResponse,
) -> Result<(ReceivedResponse, Next), Box<NoRoom>> {
    let decoded = whole.decoded()?;
    let understand = || {
        let mut next = match fetch {
            Some(fetch) => providers::fetched(service, id, fetch, &decoded.response),
            None => providers::read(service, id, &decoded.response),
        };
        take_fields(service, fetch, &decoded.response, &mut next);
        next
    };
    let mut next = catch_unwind(AssertUnwindSafe(understand)).unwrap_or_else(|_| {
        let reason = "jobdeck failed to read this response: please report it";
        Next::Done(Reading::refused(PollOutcome::Malformed, reason))
    });
    let reading = match &mut next {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => &mut fetch.status,
    };
    if let (Some(answer), Some(warning)) = (&mut reading.answer, decoded.warning) {
        answer.warning.get_or_insert_with(|| warning.to_owned());
    }
    let is_whole = reading.read == PollOutcome::Answered;
    Ok((decoded.received(is_whole), next))
}

/// Takes the user's fields from the response that holds the result of a job that is over.
fn take_fields(service: &Service, fetch: Option<&Fetch>, response: &Response, next: &mut Next) {
    let (reading, holds_result) = match (next, fetch) {
        (Next::Done(reading), None) => (reading, true),
        (Next::Done(reading), Some(fetch)) => (reading, fetch.role == Role::Result),
        (Next::Fetch(further), Some(fetch)) => (&mut further.status, fetch.role == Role::Result),
        (Next::Fetch(_), None) => return,
    };
    let role = fetch.map_or(Role::Status, |fetch| fetch.role.clone());
    let source = BodySource { role, http_status: response.status };
    if let (Some(answer), true) = (&mut reading.answer, holds_result)
        && matches!(answer.verdict, Verdict::State(state) if state.is_terminal())
    {
        providers::fields::take(service, &source, &response.body, answer);
    }
}

/// The last request of a poll.
struct LastRequest {
    seq: u64,
    sent: bool,
    takes_result: bool,
    latency: Duration,
    sent_at: Timestamp,
}

/// The response that the reading speaks of is that of the result, or the last one; the others are kept with it where
/// the job is over.
fn finished(
    ended: LastRequest,
    reading: Reading,
    (mut role, mut response): (Role, Option<ReceivedResponse>),
    before: Vec<(Role, ReceivedResponse)>,
    spool: &Spool,
) -> PollResult {
    let attempt = attempt(&reading, response.as_ref(), ended.latency, ended.sent_at);
    let verdict = reading.answer.as_ref().map(|answer| answer.verdict);
    let is_over = matches!(verdict, Some(Verdict::State(state)) if state.is_terminal());
    let mut further = Vec::new();
    for (other_role, other) in before {
        if !is_over {
            discard(spool, &other);
        } else if other_role == Role::Result {
            // A further file came after it, and what it is worth its HTTP code says.
            let late = response.replace(other).filter(|late| (200..300).contains(&late.status));
            further.extend(late.map(|late| (std::mem::replace(&mut role, Role::Result), late)));
            role = Role::Result;
        } else {
            further.push((other_role, other));
        }
    }
    let LastRequest { seq, sent, takes_result, .. } = ended;
    PollResult { reading, seq, sent, takes_result, response, role, further, attempt, peek_failed: None }
}

/// Takes the file of a response away that is not kept.
pub(super) fn discard(spool: &Spool, response: &ReceivedResponse) {
    if let Some(path) = &response.spooled {
        spool.discard(path);
    }
}

fn attempt(reading: &Reading, response: Option<&ReceivedResponse>, latency: Duration, sent_at: Timestamp) -> Attempt {
    Attempt {
        first: sent_at,
        last: sent_at,
        count: 1,
        read: reading.read,
        http_status: response.map(|response| response.status),
        latency,
        bytes: response.map_or(0, |response| response.bytes.len() as u64),
        retry_after: reading.retry_after,
        word: reading.answer.as_ref().and_then(|answer| answer.word.clone()),
        reason: reading.reason.clone(),
    }
}
