//! One harmless request to a service, for `check --online`: the status of a job that nobody has.

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
use crate::domain::provider::Next;
use crate::domain::response::Response;
use crate::domain::secret::Token;
use crate::domain::service::{PollSettings, Service};
use crate::domain::state::PollOutcome;
use crate::net::{Net, Sink, decode};
use crate::providers;

use super::mask;

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
    /// None came in time.
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

/// What each service that was asked came to, by its name.
pub type Answers = Vec<(Arc<str>, Result<CheckedAnswer, OnlineError>)>;

/// Asks every service that has a token, all at once.
pub async fn ask_all(poll: &PollSettings, services: &Tokens) -> Answers {
    let net = Net::new(poll, Clock::new(Timestamp::now));
    let asked = services.iter().filter_map(|(service, token)| Some((service, token.as_ref().ok()?)));
    join_all(asked.map(|(service, token)| async {
        let answer = timeout(LIMIT, ask(&net, service, token)).await;
        let answer = answer.unwrap_or(Err(OnlineError::TimedOut));
        (Arc::clone(&service.name), answer)
    }))
    .await
}

async fn ask(net: &Net, service: &Service, token: &Token) -> Result<CheckedAnswer, OnlineError> {
    let id = service.provider.about().made_up_id;
    let request = service.provider.request(service, id);
    let mut body = BodyBytes::default();
    // The sender is kept: nobody leaves.
    let (_stay, mut leave) = watch::channel(false);
    let arrived = net
        .send(&request, token, &mut body, &mut leave)
        .await
        .map_err(|no_reply| OnlineError::NoAnswer(no_reply.reason))?;
    let received = body.0.freeze();
    let body = decode::decoded(arrived.headers.content_encoding.as_deref(), &received);
    let body = body.map_or(received, |decoded| decoded.bytes);
    let reply = Response {
        status: arrived.status,
        headers: mask::headers(arrived.headers, token),
        body: mask::bytes(&body, token).unwrap_or(body),
        broken: arrived.broken,
        at: arrived.at,
    };
    let reading = match providers::read(service, id, &reply) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => fetch.status,
    };
    let reason = reading.reason.unwrap_or_else(|| "no reason given".to_owned());
    let status = reply.status;
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
