//! A service on loopback that answers each request at once, tens of thousands a second.
//!
//!     bare-server running          every job is in progress, for ever
//!     bare-server BYTES            every job is over, with a result of so many bytes
//!     bare-server changing MS      every job says something else each so many milliseconds; one whose id begins with
//!                                  "short" ends with a result; and in turn the whole service fails in every way
//!
//! It prints its port, then at each line on its standard input how many requests it has answered.

use std::cell::Cell;
use std::io::BufRead as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let what = std::env::args().nth(1).ok_or("bare-server running|BYTES|changing")?;
    let responses = match what.as_str() {
        "running" => Responses::same(r#"{"status":"in_progress","output":null}"#),
        "changing" => Responses::changing(std::env::args().nth(2).ok_or("changing MS")?.parse()?),
        bytes => Responses::same(&completed(bytes.parse()?)),
    };
    let responses = Rc::new(responses);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(responses))
}

/// What is answered.
struct Responses {
    /// In turn, each job by itself.
    all: Vec<Vec<u8>>,
    /// In turn, to every job, between the others; an empty one by closing the connection.
    faults: Vec<Vec<u8>>,
    /// Of jobs that end.
    over: Vec<u8>,
    /// How long each lasts; None where there is one.
    lasts: Option<Duration>,
    since: Instant,
}

impl Responses {
    fn same(body: &str) -> Self {
        Self { all: vec![response("200 OK", body)], faults: Vec::new(), over: Vec::new(), lasts: None, since: Instant::now() }
    }

    fn changing(milliseconds: u64) -> Self {
        let running = response("200 OK", r#"{"status":"in_progress","output":null}"#);
        let all = vec![
            response("200 OK", r#"{"status":"queued","output":null}"#),
            running.clone(),
            response("200 OK", r#"{"status":"a word that nobody knows"}"#),
            running.clone(),
            response("404 Not Found", r#"{"detail":"no such request"}"#),
            running,
        ];
        let faults = vec![
            response("500 Internal Server Error", r#"{"detail":"it broke"}"#),
            response("429 Too Many Requests\r\nretry-after: 1", r#"{"detail":"too many"}"#),
            response("200 OK", "no JSON at all"),
            response("502 Bad Gateway", "<html>a page of a proxy</html>"),
            Vec::new(),
        ];
        let lasts = Some(Duration::from_millis(milliseconds.max(1)));
        Self { all, faults, over: response("200 OK", &completed(5_000)), lasts, since: Instant::now() }
    }

    fn to(&self, request: &[u8]) -> &[u8] {
        let Some(lasts) = self.lasts else { return &self.all[0] };
        let id = request.split(|byte| *byte == b'/').skip_while(|part| *part != b"async").nth(1).unwrap_or_default();
        let own = id.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        let turn = usize::try_from(self.since.elapsed().as_millis() / lasts.as_millis()).unwrap_or_default();
        if turn % 8 == 7 {
            return &self.faults[turn / 8 % self.faults.len()];
        }
        let turn = turn.wrapping_add(own) % self.all.len();
        if id.starts_with(b"short") && turn == self.all.len() - 1 { &self.over } else { &self.all[turn] }
    }
}

fn response(status: &str, body: &str) -> Vec<u8> {
    let head = "content-type: application/json\r\nserver: bare\r\ncontent-length";
    format!("HTTP/1.1 {status}\r\n{head}: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn completed(bytes: usize) -> String {
    format!(r#"{{"status":"completed","status_code":200,"output":{}}}"#, output(bytes))
}

/// Fields of an extraction, so many bytes of them.
fn output(bytes: usize) -> String {
    let field = |n: usize| {
        format!(r#""field_{n:05}":{{"value":"Invoice line {n}, net 30 days","page":{},"sure":0.9}}"#, n % 7 + 1)
    };
    let fields: Vec<String> = (0..bytes.div_ceil(74)).map(field).collect();
    format!("{{{}}}", fields.join(","))
}

async fn serve(responses: Rc<Responses>) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let answered = Rc::new(Cell::new(0_u64));
    let (asked, mut asks) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lock().lines().map_while(Result::ok).all(|_| asked.send(()).is_ok()));
    loop {
        tokio::select! {
            Some(()) = asks.recv() => println!("{}", answered.get()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::task::spawn_local(connection(stream, responses.clone(), answered.clone()));
            }
        }
    }
}

async fn connection(mut stream: TcpStream, responses: Rc<Responses>, answered: Rc<Cell<u64>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut heads = Vec::with_capacity(16 * 1024);
    loop {
        // Requests have no bodies here.
        while let Some(end) = heads.windows(4).position(|four| four == b"\r\n\r\n") {
            let response = responses.to(&heads[..end]);
            answered.set(answered.get() + 1);
            if response.is_empty() {
                return Ok(());
            }
            stream.write_all(response).await?;
            heads.drain(..end + 4);
        }
        if stream.read_buf(&mut heads).await? == 0 {
            return Ok(());
        }
    }
}
