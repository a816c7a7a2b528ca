//! A service on loopback that answers each request at once, tens of thousands a second.
//!
//!     bare-server running          every job is in progress, for ever
//!     bare-server BYTES            every job is over, with a result of so many bytes
//!
//! It prints its port, then at each line on its standard input how many requests it has answered.

use std::cell::Cell;
use std::io::BufRead as _;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let what = std::env::args().nth(1).ok_or("bare-server running|BYTES")?;
    let body = match what.as_str() {
        "running" => r#"{"id":"x","status":"in_progress","output":null}"#.to_owned(),
        bytes => format!(r#"{{"id":"x","status":"completed","status_code":200,"output":{}}}"#, output(bytes.parse()?)),
    };
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: bare\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let response: Rc<[u8]> = response.into_bytes().into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(response))
}

/// Fields of an extraction, so many bytes of them.
fn output(bytes: usize) -> String {
    let field = |n: usize| {
        format!(r#""field_{n:05}":{{"value":"Invoice line {n}, net 30 days","page":{},"sure":0.9}}"#, n % 7 + 1)
    };
    let fields: Vec<String> = (0..bytes.div_ceil(74)).map(field).collect();
    format!("{{{}}}", fields.join(","))
}

async fn serve(response: Rc<[u8]>) -> Result<(), Box<dyn std::error::Error>> {
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
                tokio::task::spawn_local(connection(stream, response.clone(), answered.clone()));
            }
        }
    }
}

async fn connection(mut stream: TcpStream, response: Rc<[u8]>, answered: Rc<Cell<u64>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut heads = Vec::with_capacity(16 * 1024);
    loop {
        // Requests have no bodies here.
        while let Some(end) = heads.windows(4).position(|four| four == b"\r\n\r\n") {
            heads.drain(..end + 4);
            answered.set(answered.get() + 1);
            stream.write_all(&response).await?;
        }
        if stream.read_buf(&mut heads).await? == 0 {
            return Ok(());
        }
    }
}
