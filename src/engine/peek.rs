//! The request that takes nothing, before the one that takes a result: whether the job is over yet. Only the service's
//! own word that it goes on puts the taking request off; whatever else becomes of this one, that follows at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::domain::provider::Peek;
use crate::domain::reading::Reading;
use crate::domain::request::{HeaderPart, Request};
use crate::domain::secret::Token;

use super::intake::{Intake, ReceivedResponse};
use super::poll::{PollContext, PollRequest};

/// How long it may take: a platform that hangs must not keep a result waiting until it expires.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug)]
pub enum Peeked {
    /// The service has none, or none of it is wanted now.
    NotAsked,
    /// The job goes on.
    GoesOn(Box<(Reading, ReceivedResponse, Duration)>),
    /// It was dropped because all that can be repeated is.
    Left,
    /// The result is to be taken.
    Ask {
        /// Whether the service says that it was handed out before.
        acknowledged: bool,
        /// Why nothing is known, where that is so of every job of the service.
        failed: Option<String>,
    },
}

/// Asks, if the service has such a request and its key is there.
pub async fn peek(poll: &PollRequest, around: &mut PollContext) -> Peeked {
    let request = poll.service.provider.peek(&poll.service, &poll.job.key.id).filter(|_| poll.peeks);
    let Some(request) = request.filter(|request| has_secrets(request, &poll.token)) else { return Peeked::NotAsked };
    let mut intake = Intake::new(around.store.spool(), Arc::clone(&poll.job), poll.seq, false, poll.token.clone());
    let sent = timeout(PATIENCE, around.net.send(&request, &poll.token, &mut intake, &mut around.leave)).await;
    let arrived = match sent {
        Ok(Ok(arrived)) => arrived,
        Ok(Err(no_reply)) => {
            intake.discard();
            let failed = Some(no_reply.reason);
            return if *around.leave.borrow() { Peeked::Left } else { Peeked::Ask { acknowledged: false, failed } };
        }
        Err(_) => {
            intake.discard();
            let failed = Some(format!("no response within {} s", PATIENCE.as_secs()));
            return Peeked::Ask { acknowledged: false, failed };
        }
    };
    let latency = arrived.latency;
    let Ok(decoded) = intake.whole(arrived).decoded() else {
        return Peeked::Ask { acknowledged: false, failed: Some("there was no room to read its response".to_owned()) };
    };
    let peeked = || poll.service.provider.peeked(&poll.service, &poll.job.key.id, &decoded.response);
    let said = catch_unwind(AssertUnwindSafe(peeked));
    let received = decoded.received(false);
    if let (true, Some(path)) = (!matches!(said, Ok(Peek::GoesOn(_))), &received.spooled) {
        around.store.spool().discard(path);
    }
    match said {
        Ok(Peek::GoesOn(reading)) => Peeked::GoesOn(Box::new((*reading, received, latency))),
        Ok(Peek::Over { acknowledged }) => Peeked::Ask { acknowledged, failed: None },
        Ok(Peek::Unknown { reason, of_this_job }) => {
            Peeked::Ask { acknowledged: false, failed: (!of_this_job).then_some(reason) }
        }
        Err(_) => Peeked::Ask { acknowledged: false, failed: Some("jobdeck failed to read its response".to_owned()) },
    }
}

/// Where the key could not be read the service is polled without it.
pub fn has_secrets(request: &Request, token: &Token) -> bool {
    request.headers.iter().flat_map(|header| &header.value).all(|part| match part {
        HeaderPart::Secret(name) => token.has(name),
        HeaderPart::Text(_) | HeaderPart::Token => true,
    })
}
