//! Harmless requests to a service, for `check --online`: the status of a job that nobody has, and how far it is where a
//! further key asks for that.

use super::token::Tokens;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::domain::clock::Clock;
use crate::domain::provider::{Next, Peek};
use crate::domain::request::Request;
use crate::domain::response::Response;
use crate::domain::secret::Token;
use crate::domain::service::{PollSettings, Service};
use crate::domain::state::PollOutcome;
use crate::net::{Net, Sink, decode};
use crate::providers;

use super::mask;
use super::peek::has_secrets;

/// Longer than a service that is there takes to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckedAnswer {
    /// It speaks to us.
    Accepted,
    /// It would, but not now; its HTTP code.
    RateLimited(u16),
}

impl fmt::Display for CheckedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("OK, token accepted"),
            Self::RateLimited(status) => write!(f, "OK, but rate limited for now (HTTP {status})"),
        }
    }
}

/// Why a service gave no good answer. Reasons are foreign text and not sanitised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnlineError {
    #[error("no answer within {} s", LIMIT.as_secs())]
    TimedOut,
    /// None came: why.
    #[error("{0}")]
    NoAnswer(String),
    /// It refuses the token.
    #[error("token rejected, {}", with_status(*.0, .1))]
    TokenRejected(u16, String),
    /// It answered with this HTTP code, for this reason.
    #[error("{}", with_status(*.0, .1))]
    Bad(u16, String),
}

/// What a service that was asked came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedService {
    pub service: Arc<str>,
    /// What its own token came to.
    pub answer: Result<CheckedAnswer, OnlineError>,
    /// What its platform key came to, where it has one.
    pub platform: Option<Result<CheckedAnswer, OnlineError>>,
}

/// Asks every service that has a token, all at once.
pub async fn ask_all(poll: &PollSettings, services: &Tokens) -> Vec<CheckedService> {
    let net = Net::new(poll, Clock::new(Timestamp::now));
    let asked = services.iter().filter_map(|(service, token)| Some((service, token.as_ref().ok()?)));
    join_all(asked.map(|(service, token)| async {
        let id = service.provider.about().made_up_id;
        let answer = response(&net, &service.provider.request(service, id), token).await;
        let answer = answer.and_then(|response| of_status(service, id, &response));
        let peek = service.provider.peek(service, id).filter(|request| has_secrets(request, token));
        let platform = match peek {
            Some(request) => {
                let said = response(&net, &request, token).await;
                Some(said.and_then(|response| of_peek(service.provider.peeked(service, id, &response), &response)))
            }
            None => None,
        };
        CheckedService { service: Arc::clone(&service.name), answer, platform }
    }))
    .await
}

/// The response to a request, our secrets masked.
async fn response(net: &Net, request: &Request, token: &Token) -> Result<Response, OnlineError> {
    let mut body = BodyBytes::default();
    // The sender is kept: nobody leaves.
    let (_stay, mut leave) = watch::channel(false);
    let arrived = timeout(LIMIT, net.send(request, token, &mut body, &mut leave)).await;
    let arrived = match arrived {
        Ok(arrived) => arrived.map_err(|no_reply| OnlineError::NoAnswer(no_reply.reason))?,
        Err(_) => return Err(OnlineError::TimedOut),
    };
    let received = body.0.freeze();
    let body = decode::decoded(arrived.headers.content_encoding.as_deref(), &received);
    let body = body.ok().flatten().map_or(received, |decoded| decoded.bytes);
    Ok(Response {
        status: arrived.status,
        headers: mask::headers(arrived.headers, token),
        body: mask::bytes(&body, token).unwrap_or(body),
        broken: arrived.broken,
        at: arrived.at,
    })
}

fn of_status(service: &Service, id: &str, response: &Response) -> Result<CheckedAnswer, OnlineError> {
    let reading = match providers::read(service, id, response) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => fetch.status,
    };
    let reason = reading.reason.unwrap_or_else(|| "no reason given".to_owned());
    let status = response.status;
    match reading.read {
        PollOutcome::Answered | PollOutcome::NotFound => Ok(CheckedAnswer::Accepted),
        PollOutcome::Throttled => Ok(CheckedAnswer::RateLimited(status)),
        PollOutcome::Rejected if matches!(status, 400 | 422) => Ok(CheckedAnswer::Accepted),
        PollOutcome::Unauthorized => Err(OnlineError::TokenRejected(status, reason)),
        PollOutcome::Unreachable | PollOutcome::ServerError | PollOutcome::Malformed | PollOutcome::Rejected => {
            Err(OnlineError::Bad(status, reason))
        }
    }
}

fn of_peek(said: Peek, response: &Response) -> Result<CheckedAnswer, OnlineError> {
    match (said, response.status) {
        // That nobody has such a job is said to who may ask.
        (Peek::GoesOn(_) | Peek::Over { .. } | Peek::Unknown { of_this_job: true, .. }, _) => {
            Ok(CheckedAnswer::Accepted)
        }
        (Peek::Unknown { reason, .. }, status @ (401 | 403)) => Err(OnlineError::TokenRejected(status, reason)),
        (Peek::Unknown { .. }, status @ 429) => Ok(CheckedAnswer::RateLimited(status)),
        (Peek::Unknown { reason, .. }, status) => Err(OnlineError::Bad(status, reason)),
    }
}

/// A reason with its HTTP code, which many name themselves.
fn with_status(status: u16, reason: &str) -> String {
    let code = format!("HTTP {status}");
    if reason.contains(&code) { reason.to_owned() } else { format!("{code}: {reason}") }
}

#[derive(Default)]
struct BodyBytes(BytesMut);

/// More than any error page has.
const LONGEST: usize = 1024 * 1024;

impl Sink for BodyBytes {
    fn begin(&mut self, _: u16) {}

    fn push(&mut self, chunk: &[u8]) {
        if self.0.len() < LONGEST {
            self.0.extend_from_slice(chunk);
        }
    }
}
