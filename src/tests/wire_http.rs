//! Every recorded or documented reply over a real socket: sent by a server, fetched by the HTTP client, decoded, read.

use std::time::Duration;

use tokio::sync::watch;

use super::script::{Fault, Script, Scripted};
use super::wire_cases::{Case, cases, service};
use crate::domain::clock::Clock;
use crate::domain::job::{JobKey, ProviderName};
use crate::domain::response::Response;
use crate::domain::secret::Token;
use crate::domain::service::PollSettings;
use crate::net::{Net, Sink, decode};

#[derive(Default)]
struct Body {
    status: u16,
    bytes: Vec<u8>,
}

impl Sink for Body {
    fn begin(&mut self, status: u16) {
        self.status = status;
    }

    fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }
}

/// What the case's server sends. Codes that have no body by their nature get none.
fn scripted(case: &Case) -> Scripted {
    let framing = ["content-length", "transfer-encoding", "connection"];
    let headers = case.headers().into_iter().filter(|(name, _)| !framing.contains(&name.as_str())).collect();
    let body = case.body().to_vec();
    let fault = match (case.is_cut(), body.len()) {
        // More was promised than came.
        (true, len) => Fault::WrongLength(len + 1000),
        (false, _) => Fault::Whole,
    };
    Scripted { status: case.status(), headers, body, fault }
}

async fn fetched(case: &Case, script: &Script, net: &Net) -> (JobKey, Response) {
    let recorded = case.service();
    let path = recorded.base.path();
    let base = if recorded.provider.name() == ProviderName::OPTEXITY { script.url("") } else { script.url(path) };
    let service = service(case.provider, &base);
    let key = JobKey { provider: case.provider, endpoint: service.endpoint.clone(), id: case.id() };
    let request = service.provider.request(&service, &key.id);
    let token = Token::new("token-of-the-wire-tests").unwrap();
    let (_stay, mut leave) = watch::channel(false);
    let mut body = Body::default();
    let arrived = net.send(&request, &token, &mut body, &mut leave).await.expect(&case.name);
    assert_eq!((body.status, arrived.status), (case.status(), case.status()), "{}", case.name);
    let received = bytes::Bytes::from(body.bytes);
    let decoded = decode::decoded(arrived.headers.content_encoding.as_deref(), &received).unwrap();
    let decoded = decoded.map_or(received, |decoded| decoded.bytes);
    let reply = Response {
        status: arrived.status,
        headers: arrived.headers,
        body: decoded,
        broken: arrived.broken,
        at: arrived.at,
    };
    (key, reply)
}

#[tokio::test]
async fn every_reply_reads_over_the_wire_as_its_case_expects_and_no_redirect_is_followed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let poll = PollSettings { read_timeout: Duration::from_secs(30), ..PollSettings::default() };
    let net = Net::new(&poll, Clock::new(jiff::Timestamp::now));
    for case in cases() {
        let script = Script::start().unwrap();
        script.on(&case.id(), [scripted(&case)]);
        let (key, reply) = fetched(&case, &script, &net).await;
        let name = &case.name;
        assert_eq!(reply.broken.is_some(), case.is_cut(), "{name}");
        assert_eq!(reply.body, case.body(), "{name}: not byte for byte");
        case.check(&super::read(&key, &reply), &reply.body);
        assert_eq!((script.connections(), script.reads(&case.id())), (1, 1), "{name}: asked once, nothing followed");
    }
}
