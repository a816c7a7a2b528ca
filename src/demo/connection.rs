//! Connections that can be made to misbehave: a listener whose lines hang up on demand, and bodies that break off or trickle.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// The content type of all answers but a proxy's.
pub const JSON: &str = "application/json";

#[derive(Debug)]
pub struct ConnectionListener(pub TcpListener);

#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    line: Connection,
}

/// A handler's hold on its connection.
#[derive(Debug, Clone, Default)]
pub struct Connection(Arc<AtomicBool>);

/// How a reply is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// At once and whole.
    Whole,
    /// Whole, in pieces with this pause between them.
    Trickle(Duration),
    /// Half of what its Content-Length promises, then the connection is closed.
    Cut,
    /// Chunked, half of it, then the connection is closed.
    CutChunked,
    /// Not at all: the connection is closed without a byte.
    HangUp,
}

enum SendStep {
    Send(Bytes),
    Wait(Duration),
    Break,
    Done(Box<dyn FnOnce() + Send>),
}

/// A JSON reply of that code, at once and whole.
pub fn json(line: &Connection, status: u16, body: &Value) -> Response {
    reply(line, status, JSON, body.to_string().into(), Sending::Whole)
}

/// Sets a member of an object.
pub fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}

/// The object without those of its members that are null.
pub fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// A reply of that code and type, sent in that way.
pub fn reply(line: &Connection, status: u16, content_type: &'static str, body: Vec<u8>, sending: Sending) -> Response {
    reply_then(line, status, content_type, body, sending, || {})
}

/// The same, and a word when the last of it is on its way; none if it breaks off.
pub fn reply_then(
    line: &Connection,
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    sending: Sending,
    done: impl FnOnce() + Send + 'static,
) -> Response {
    let body = Bytes::from(body);
    let length = body.len();
    let half = body.slice(..length / 2);
    // What was sent before the break has to leave the house first.
    let broken = vec![SendStep::Send(half), SendStep::Wait(Duration::from_millis(30)), SendStep::Break];
    let (content, announced) = match sending {
        Sending::Whole => {
            done();
            (Body::from(body), None)
        }
        Sending::Trickle(pause) => (steps(trickle(&body, pause, Box::new(done))), Some(length)),
        Sending::Cut => (steps(broken), Some(length)),
        Sending::CutChunked => (steps(broken), None),
        Sending::HangUp => {
            line.hang_up();
            (Body::empty(), None)
        }
    };
    let mut response = Response::new(content);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(announced) = announced {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(announced));
    }
    response
}

fn trickle(body: &Bytes, pause: Duration, done: Box<dyn FnOnce() + Send>) -> Vec<SendStep> {
    let piece = (body.len() / 12).max(1);
    let mut steps = Vec::new();
    let mut rest = body.clone();
    while rest.len() > piece {
        steps.push(SendStep::Send(rest.split_to(piece)));
        steps.push(SendStep::Wait(pause));
    }
    // Once the announced length is reached, the stream is not asked again.
    steps.extend([SendStep::Done(done), SendStep::Send(rest)]);
    steps
}

fn steps(steps: Vec<SendStep>) -> Body {
    Body::from_stream(stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                SendStep::Send(bytes) => return Some((Ok(bytes), steps)),
                SendStep::Wait(pause) => tokio::time::sleep(pause).await,
                SendStep::Done(done) => done(),
                SendStep::Break => return Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), steps)),
            }
        }
    }))
}

impl Connection {
    /// From now on, nothing that is written to this connection leaves it: it is closed instead.
    pub fn hang_up(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Listener for ConnectionListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.0.accept().await {
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    return (Wire { stream, line: Connection::default() }, address);
                }
                // Out of file descriptors, as a rule: wait until some are free.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, ConnectionListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, ConnectionListener>) -> Self {
        stream.io().line.clone()
    }
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.line.0.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
