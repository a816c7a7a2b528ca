//! The wire: one client that sends a request and returns what came back. Follows no redirect, decodes nothing by
//! itself, and keeps what came of a reply that breaks off.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::domain::clock::Clock;
use crate::domain::human;
use crate::domain::inner::is_loopback;
use crate::domain::request::{Header, HeaderPart, Method, Request};
use crate::domain::response::{Headers, NoReply};
use crate::domain::secret::Token;
use crate::domain::service::PollSettings;

pub mod decode;
pub mod environment;
pub mod offload;
mod resolve;

const USER_AGENT: &str = concat!("jobdeck/", env!("CARGO_PKG_VERSION"));

/// A connection idle for longer is not used again: most servers and balancers close theirs after a minute, and a
/// request sent at that moment is a request of which nobody knows whether it arrived.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// How many headers a reply may have that can be read once; any other has the HTTP library's hundred at first, for it
/// clears the room for all of them at every reply.
const MOST_HEADERS: usize = 1000;
/// How the HTTP library says that there were more.
const TOO_MANY_HEADERS: &str = "message head is too large";
/// A process that was stopped finds its timers due before its sockets were read: silence is believed only after
/// another moment of it.
const GRACE: Duration = Duration::from_millis(500);

/// The process, or the whole system, has no file descriptor left.
const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();
const ENFILE: i32 = rustix::io::Errno::NFILE.raw_os_error();

/// Takes a reply's bytes as they arrive.
pub trait Sink {
    /// A reply begins, with this HTTP code.
    fn begin(&mut self, status: u16);

    /// In the next bytes, and perhaps in later ones, something was masked on the way here.
    fn masked(&mut self) {}

    /// The next bytes.
    fn push(&mut self, chunk: &[u8]);

    /// Why it takes no more, if it does not: asked after each chunk.
    fn objection(&mut self) -> Option<String> {
        None
    }
}

/// A reply whose bytes went into a [`Sink`].
#[derive(Debug, Clone)]
pub struct Arrived {
    /// HTTP code.
    pub status: u16,
    /// The headers that matter.
    pub headers: Headers,
    /// Why the body broke off; None if it came whole.
    pub broken: Option<String>,
    /// When the head arrived, by our clock.
    pub at: Timestamp,
    /// From sending to the end of the body.
    pub latency: Duration,
    /// Bytes of the body that came.
    pub bytes: u64,
}

/// No client can be made, for this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to set up HTTPS: {cause}. Install your system's CA certificates (the package is usually called \
     ca-certificates), or set SSL_CERT_FILE to a PEM bundle"
)]
pub struct ClientError {
    /// What the HTTPS library says.
    pub cause: String,
}

/// Why a request's header cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum HeaderError {
    #[error("there is no secret \"{0}\"")]
    NoSecret(String),
    #[error("the token cannot stand in an HTTP header")]
    UnfitToken,
    #[error("\"{0}\" is no HTTP header")]
    NoHeader(String),
}

/// The clients, each made when it is first needed: loading the system's certificates takes longer than a first screen.
#[derive(Debug)]
pub struct Net {
    connect_timeout: Duration,
    read_timeout: Duration,
    max_response: u64,
    clock: Clock,
    clients: Mutex<Vec<(ClientKind, reqwest::Client)>>,
    /// Whether a reply had more headers than the HTTP library takes by itself.
    many_headers: AtomicBool,
}

/// What sets clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClientKind {
    /// One cut HTTP/2 connection would take every reply on it along, so one-shot services get HTTP/1.1.
    http1: bool,
    /// Plain http needs no certificates, and must work where there are none.
    tls: bool,
    /// Loopback is never reached through a proxy.
    loopback: bool,
    /// Names of a network that the world cannot reach are not found.
    outer: bool,
    /// Replies may have [`MOST_HEADERS`].
    many_headers: bool,
}

impl Net {
    /// Clients with these limits, and a clock that says when a reply came. Nothing is made yet.
    pub fn new(poll: &PollSettings, clock: Clock) -> Self {
        let PollSettings { connect_timeout, read_timeout, max_response, .. } = *poll;
        let (clients, many_headers) = Default::default();
        Self { connect_timeout, read_timeout, max_response, clock, clients, many_headers }
    }

    /// Makes the client that a URL needs, so that a missing certificate bundle is reported before the first poll.
    pub fn prepare(&self, url: &Url, one_shot: bool) -> Result<(), ClientError> {
        self.client(url, one_shot, false).map(drop)
    }

    /// Sends a request and takes its reply to the end, or until `leave` becomes true. The reply's head and every
    /// following silence may last `read_timeout`; nothing bounds the time of the whole. A body ends at `max_response`
    /// bytes, or where the sink takes no more: as one that broke off.
    pub async fn send(
        &self,
        request: &Request,
        token: &Token,
        sink: &mut (dyn Sink + Send),
        leave: &mut watch::Receiver<bool>,
    ) -> Result<Arrived, NoReply> {
        loop {
            let took_many_headers = self.many_headers.load(Ordering::Relaxed);
            let reply = self.send_once(request, token, sink, leave).await;
            let is_to_be_repeated =
                reply.is_err() && !request.one_shot && !took_many_headers && self.many_headers.load(Ordering::Relaxed);
            if !is_to_be_repeated {
                return reply;
            }
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        token: &Token,
        sink: &mut (dyn Sink + Send),
        leave: &mut watch::Receiver<bool>,
    ) -> Result<Arrived, NoReply> {
        let unsent = |reason: &dyn Display| NoReply { sent: false, reason: reason.to_string() };
        let outer = match &request.named_by {
            Some(host) => !resolve::is_inside(host).await,
            None => false,
        };
        let client = self.client(&request.url, request.one_shot, outer).map_err(|error| unsent(&error))?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut builder = client.request(method, request.url.clone());
        for header in &request.headers {
            let (name, value) = header_of(header, token).map_err(|error| unsent(&error))?;
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let started = Instant::now();
        let mut left = std::pin::pin!(cancelled(leave));
        let mut response = tokio::select! {
            biased;
            response = within(self.head_limit(), builder.send()) => match response {
                Some(response) => response.map_err(|error| self.no_reply(&error))?,
                None => return Err(NoReply { sent: true, reason: self.silence() }),
            },
            () = &mut left => return Err(NoReply { sent: true, reason: "left before the reply came".to_owned() }),
        };
        let at = self.clock.now();
        let status = response.status().as_u16();
        let headers = headers(response.headers());
        sink.begin(status);
        let mut received = 0;
        let broken = loop {
            let chunk = tokio::select! {
                chunk = within(self.read_timeout, response.chunk()) => chunk,
                () = &mut left => break Some("left before the reply was whole".to_owned()),
            };
            match chunk {
                Some(Ok(Some(bytes))) => {
                    received += bytes.len() as u64;
                    sink.push(&bytes);
                    let too_long = (received > self.max_response).then(|| self.too_long());
                    if let Some(why) = too_long.or_else(|| sink.objection()) {
                        break Some(why);
                    }
                }
                Some(Ok(None)) => break None,
                Some(Err(error)) => break Some(self.sentence(&error)),
                None => break Some(self.silence()),
            }
        };
        Ok(Arrived { status, headers, broken, at, latency: started.elapsed(), bytes: received })
    }

    fn client(&self, url: &Url, one_shot: bool, outer: bool) -> Result<reqwest::Client, ClientError> {
        let kind = ClientKind {
            http1: one_shot,
            tls: url.scheme() == "https",
            loopback: is_loopback(url),
            outer,
            many_headers: one_shot || self.many_headers.load(Ordering::Relaxed),
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == kind) {
            return Ok(client.clone());
        }
        let client = self.build(kind)?;
        clients.push((kind, client.clone()));
        Ok(client)
    }

    fn build(&self, kind: ClientKind) -> Result<reqwest::Client, ClientError> {
        let mut always = HeaderMap::new();
        always.insert(ACCEPT, HeaderValue::from_static("application/json"));
        always.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(always)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // A reply that can be read once is not thrown away over how its head is written.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE);
        builder = match kind.outer {
            true => builder.dns_resolver(resolve::OuterResolver),
            false => builder.dns_resolver(resolve::SystemResolver),
        };
        if kind.many_headers {
            builder = builder.http1_max_headers(MOST_HEADERS);
        }
        if kind.http1 {
            // Sent twice by nobody but us. Over HTTP/2 a request that the server says it did not begin (GOAWAY,
            // REFUSED_STREAM) is sent again at once: that is no failure of the service.
            // What begins as no head that is known is a body, so that its bytes are kept.
            builder = builder.http1_only().http09_responses().retry(reqwest::retry::never());
        }
        if !kind.tls {
            builder = builder.tls_certs_only([]);
        }
        if kind.loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| ClientError { cause: root_cause(&error) })
    }

    fn no_reply(&self, error: &reqwest::Error) -> NoReply {
        if is_out_of_descriptors(error) {
            // Connections that are idle hold some: with the clients they are let go.
            self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let reason = "no file descriptor is left for a connection: raise the limit (ulimit -n)".to_owned();
            return NoReply { sent: false, reason };
        }
        if root_cause(error) == TOO_MANY_HEADERS {
            // From now on they are taken.
            self.many_headers.store(true, Ordering::Relaxed);
        }
        NoReply { sent: !(error.is_connect() || error.is_builder()), reason: self.sentence(error) }
    }

    /// How long the head may be waited for. The client does not tell when it has connected, so that the silence after
    /// it cannot be timed by itself: what connecting may take comes on top, but never so much that a short
    /// `read_timeout` would mean nothing.
    fn head_limit(&self) -> Duration {
        self.read_timeout + self.connect_timeout.min(self.read_timeout / 2)
    }

    fn too_long(&self) -> String {
        let most = human::bytes(self.max_response);
        format!("it is longer than {most}: set max_response under [poll] higher if that is right")
    }

    fn silence(&self) -> String {
        format!("no byte came for {:?}", self.read_timeout)
    }

    /// What went wrong, in words that never hold the URL: it may carry a gateway's key.
    fn sentence(&self, error: &reqwest::Error) -> String {
        let cause = root_cause(error);
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => format!("connect timed out after {:?}", self.connect_timeout),
            (false, true) => self.silence(),
            (true, false) => format!("cannot connect: {cause}"),
            (false, false) => format!("connection dropped: {cause}"),
        }
    }
}

/// What the future comes to; None after so much silence and the grace beyond it.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    match tokio::time::timeout(limit, &mut future).await {
        Ok(output) => Some(output),
        Err(_) => tokio::time::timeout(GRACE.min(limit / 2), future).await.ok(),
    }
}

/// Resolves once the flag is true; never if it can no longer become so.
async fn cancelled(leave: &mut watch::Receiver<bool>) {
    if leave.wait_for(|leave| *leave).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Whether no more files or connections could be opened, in this process or in the whole system.
fn is_out_of_descriptors(error: &reqwest::Error) -> bool {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |error| error.source()).any(|error| {
        let io = error.downcast_ref::<std::io::Error>();
        io.and_then(std::io::Error::raw_os_error).is_some_and(|code| code == EMFILE || code == ENFILE)
    })
}

fn header_of(header: &Header, token: &Token) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let mut text = String::with_capacity(128);
    for part in &header.value {
        text.push_str(match part {
            HeaderPart::Text(text) => text,
            HeaderPart::Token => token.expose(),
            HeaderPart::Secret(name) => {
                token.expose_further(name).ok_or_else(|| HeaderError::NoSecret(name.clone()))?
            }
        });
    }
    let unfit = || match header.is_secret() {
        true => HeaderError::UnfitToken,
        false => HeaderError::NoHeader(header.name.clone()),
    };
    let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| unfit())?;
    let mut value = HeaderValue::try_from(text).map_err(|_| unfit())?;
    value.set_sensitive(header.is_secret());
    Ok((name, value))
}

fn headers(map: &HeaderMap) -> Headers {
    let text = |name: &str| map.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Headers {
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        retry_after: text("retry-after"),
        date: text("date"),
        location: text("location"),
    }
}

/// Why a certificate was refused, else the innermost error: the others only say that there is one, and some of them
/// name the URL.
fn root_cause(error: &reqwest::Error) -> String {
    if let Some(why) = crate::tls::refusal(error) {
        return why;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::eq(cause, error) {
        return "the request failed".to_owned();
    }
    cause.to_string()
}
