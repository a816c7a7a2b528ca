//! A loopback server that answers, byte for byte and fault by fault, what a test wrote down for each job.
//!
//! Raw TCP, because a real HTTP library is too polite to misbehave. `tests/` includes it by its path.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

/// One reply, as it goes over the wire. `Content-Length` (or the chunking) is added unless `headers` has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// HTTP code.
    pub status: u16,
    /// Headers, as they are written.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Whole,
    /// So many bytes of the body, then the connection is closed.
    CutAfter(usize),
    /// The connection is closed without a byte.
    NoReply,
    /// The connection is reset (RST) without a byte.
    ResetBeforeReply,
    /// So many bytes of the body, then silence for so long, then the rest.
    StallAfter(usize, Duration),
    /// Silence for so long before the head, then all of it.
    StallHead(Duration),
    /// So many bytes of the body at a time, with this pause after each.
    Trickle(usize, Duration),
    /// Chunked, whole.
    Chunked,
    /// Chunked; after this many bytes of the body the connection is closed, in the middle of a chunk.
    CutChunked(usize),
    /// The Content-Length says this many bytes, whatever the body has; then the connection is closed.
    WrongLength(usize),
    /// Neither length nor chunks: the end of the connection is the end of the body.
    UntilClose,
    /// Whole, but called gzip, which it is not.
    WrongGzip,
}

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method, target and version.
    pub line: String,
    /// Headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its head was complete.
    pub at: Instant,
    /// The number of its connection, from 1.
    pub connection: u32,
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Script {
    address: SocketAddr,
    state: Arc<Mutex<ScriptState>>,
    open: watch::Sender<bool>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct ScriptState {
    /// By job id; the last one repeats.
    replies: HashMap<String, Vec<Scripted>>,
    /// By job id, the empty one for requests about no job of the script.
    received: HashMap<String, Vec<Received>>,
    connections: u32,
}

impl Scripted {
    /// A JSON reply without a fault.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![], body: body.into(), fault: Fault::Whole }
            .header("Content-Type", "application/json")
    }

    /// A reply of that type without a fault.
    pub fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![], body: body.into(), fault: Fault::Whole }.header("Content-Type", content_type)
    }

    /// The same with one header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with this fault.
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

impl Received {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Script {
    /// Starts a server on a free port of 127.0.0.1, on its own thread.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(ScriptState::default()));
        let (open, opened) = watch::channel(true);
        let (end, ended) = oneshot::channel();
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, shared, opened) => {}
                    _ = ended => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, state, open, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>` and this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What a job's reads are answered, in this order; the last repeats. Replaces what was said before.
    pub fn on(&self, id: &str, replies: impl IntoIterator<Item = Scripted>) {
        self.state().replies.insert(id.to_owned(), replies.into_iter().collect());
    }

    /// Stops (false) or goes on (true) answering: connections are then closed as soon as they are accepted.
    pub fn open(&self, open: bool) {
        let _ = self.open.send(open);
    }

    /// How often a job was asked for.
    pub fn reads(&self, id: &str) -> usize {
        self.state().received.get(id).map_or(0, Vec::len)
    }

    /// The requests about a job; `""` for those about no job of the script.
    pub fn received(&self, id: &str) -> Vec<Received> {
        self.state().received.get(id).cloned().unwrap_or_default()
    }

    /// How many connections were made.
    pub fn connections(&self) -> u32 {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, ScriptState> {
        lock(&self.state)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<ScriptState>>, open: watch::Receiver<bool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let connection = {
            let mut state = lock(&state);
            state.connections += 1;
            state.connections
        };
        if *open.borrow() {
            let _ = stream.set_nodelay(true);
            tokio::spawn(talk(stream, connection, state.clone()));
        }
    }
}

/// Answers the requests of one connection until one of the two ends it.
async fn talk(mut stream: TcpStream, connection: u32, state: Arc<Mutex<ScriptState>>) {
    let mut buffer = Vec::new();
    while let Some(received) = receive(&mut stream, &mut buffer, connection).await {
        let scripted = lock(&state).next(received);
        if !send(&mut stream, scripted).await {
            return;
        }
    }
}

impl ScriptState {
    /// Notes the request and gives the reply that is next for its job.
    fn next(&mut self, received: Received) -> Scripted {
        let id = self.id_of(&received);
        let requests = self.received.entry(id.clone().unwrap_or_default()).or_default();
        requests.push(received);
        let count = requests.len();
        let replies = id.and_then(|id| self.replies.get(&id));
        let next = replies.and_then(|replies| replies.get(count - 1).or(replies.last()));
        next.cloned().unwrap_or_else(|| Scripted::json(404, r#"{"detail":"Not Found"}"#))
    }

    /// The job that a request names in its target or in its body; the longest id, if several would fit.
    fn id_of(&self, received: &Received) -> Option<String> {
        let target = percent_decode_str(&received.line).decode_utf8_lossy();
        let body = String::from_utf8_lossy(&received.body);
        let named = self.replies.keys().filter(|id| target.contains(*id) || body.contains(*id));
        named.max_by_key(|id| id.len()).cloned()
    }
}

async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: u32) -> Option<Received> {
    let head = loop {
        if let Some(at) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let at = Instant::now();
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let mut lines = text.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let end = head + length.unwrap_or(0usize);
    while buffer.len() < end {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head..end].to_vec();
    buffer.drain(..end);
    Some(Received { line, headers, body, at, connection })
}

/// Sends the reply; whether the connection goes on.
async fn send(stream: &mut TcpStream, scripted: Scripted) -> bool {
    let body = scripted.body.as_slice();
    let until = |bytes: usize| bytes.min(body.len());
    let head = head(&scripted);
    match scripted.fault {
        Fault::NoReply => false,
        Fault::ResetBeforeReply => {
            let _ = stream.set_zero_linger();
            false
        }
        Fault::Whole | Fault::WrongGzip => write(stream, &[&head, body].concat()).await,
        Fault::StallHead(silence) => {
            tokio::time::sleep(silence).await;
            write(stream, &[&head, body].concat()).await
        }
        Fault::CutAfter(bytes) => {
            write(stream, &[&head, &body[..until(bytes)]].concat()).await;
            false
        }
        Fault::WrongLength(_) | Fault::UntilClose => {
            write(stream, &[&head, body].concat()).await;
            false
        }
        Fault::StallAfter(bytes, silence) => {
            let (first, rest) = body.split_at(until(bytes));
            if !write(stream, &[&head, first].concat()).await {
                return false;
            }
            tokio::time::sleep(silence).await;
            write(stream, rest).await
        }
        Fault::Trickle(bytes, pause) => {
            let mut going = write(stream, &head).await;
            for piece in body.chunks(bytes.max(1)) {
                going = going && write(stream, piece).await;
                tokio::time::sleep(pause).await;
            }
            going
        }
        Fault::Chunked => write(stream, &[head.as_slice(), &chunk(body), b"0\r\n\r\n"].concat()).await,
        Fault::CutChunked(bytes) => {
            let (first, _) = body.split_at(until(bytes));
            let mut chunked = chunk(body);
            chunked.truncate(chunked.len() - 2 - (body.len() - first.len()));
            write(stream, &[head, chunked].concat()).await;
            false
        }
    }
}

fn head(scripted: &Scripted) -> Vec<u8> {
    let mut head = Vec::new();
    let mut line = |name: &str, value: &str| {
        let _ = write!(head, "{name}: {value}\r\n");
    };
    for (name, value) in &scripted.headers {
        line(name, value);
    }
    let has = |name: &str| scripted.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    match scripted.fault {
        Fault::Chunked | Fault::CutChunked(_) => line("Transfer-Encoding", "chunked"),
        Fault::WrongLength(length) => line("Content-Length", &length.to_string()),
        Fault::UntilClose => line("Connection", "close"),
        Fault::Whole
        | Fault::CutAfter(_)
        | Fault::NoReply
        | Fault::ResetBeforeReply
        | Fault::StallAfter(..)
        | Fault::StallHead(_)
        | Fault::Trickle(..)
        | Fault::WrongGzip => {
            if !has("content-length") {
                line("Content-Length", &scripted.body.len().to_string());
            }
        }
    }
    if scripted.fault == Fault::WrongGzip {
        line("Content-Encoding", "gzip");
    }
    [format!("HTTP/1.1 {} Scripted\r\n", scripted.status).as_bytes(), &head, b"\r\n"].concat()
}

fn chunk(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

fn lock(state: &Mutex<ScriptState>) -> MutexGuard<'_, ScriptState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpStream;

    use super::*;

    /// Everything that the server says to one request, until it closes or falls silent.
    fn said(script: &Script, target: &str) -> String {
        let mut stream = TcpStream::connect(script.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // A server that is shut may have closed the connection before the request is written.
        let _ = write!(stream, "GET {target} HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\n");
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    #[test]
    fn a_job_is_answered_in_the_order_of_its_script_and_the_last_reply_repeats() {
        let script = Script::start().unwrap();
        script.on("abc", [Scripted::json(422, "one"), Scripted::json(200, "two").header("X-A", "b")]);
        assert!(said(&script, "/async/abc/output").ends_with("\r\n\r\none"));
        for _ in 0..2 {
            let reply = said(&script, "/?execution_id=a%62c");
            assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("X-A: b\r\n") && reply.ends_with("two"));
        }
        assert_eq!(script.reads("abc"), 3);
        assert_eq!(script.received("abc")[0].header("authorization"), Some("Bearer t"));
        assert!(said(&script, "/other").starts_with("HTTP/1.1 404 "));
        assert_eq!(script.received("")[0].line, "GET /other HTTP/1.1");
    }

    #[test]
    fn every_fault_looks_on_the_wire_as_it_is_called() {
        let cases = [
            (Fault::Whole, "Content-Length: 6\r\n\r\nabcdef"),
            (Fault::CutAfter(2), "Content-Length: 6\r\n\r\nab"),
            (Fault::NoReply, ""),
            (Fault::ResetBeforeReply, ""),
            (Fault::StallAfter(2, Duration::from_millis(20)), "Content-Length: 6\r\n\r\nabcdef"),
            (Fault::StallAfter(2, Duration::from_secs(60)), "Content-Length: 6\r\n\r\nab"),
            (Fault::StallHead(Duration::from_secs(60)), ""),
            (Fault::Trickle(4, Duration::from_millis(5)), "Content-Length: 6\r\n\r\nabcdef"),
            (Fault::Chunked, "chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"),
            (Fault::CutChunked(2), "chunked\r\n\r\n6\r\nab"),
            (Fault::WrongLength(9), "Content-Length: 9\r\n\r\nabcdef"),
            (Fault::UntilClose, "Connection: close\r\n\r\nabcdef"),
            (Fault::WrongGzip, "Content-Encoding: gzip\r\n\r\nabcdef"),
        ];
        let script = Script::start().unwrap();
        for (fault, end) in cases {
            script.on("job", [Scripted::json(200, "abcdef").fault(fault)]);
            let reply = said(&script, "/job");
            assert!(reply.ends_with(end) && reply.is_empty() == end.is_empty(), "{fault:?}: {reply:?}");
        }
    }

    #[test]
    fn a_server_that_is_shut_answers_nobody_until_it_opens_again() {
        let script = Script::start().unwrap();
        script.on("job", [Scripted::json(200, "ok")]);
        script.open(false);
        assert_eq!(said(&script, "/job"), "");
        script.open(true);
        assert!(said(&script, "/job").ends_with("ok"));
    }
}
