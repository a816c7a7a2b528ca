//! Any bytes from a server's socket: they are a response or a refusal in words that hold no address.

#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::OnceLock;
use std::time::Duration;

use jobdeck::bench_api::{Clock, Header, Method, Net, Pace, PollSettings, Request, Sink, Token};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use url::Url;

struct Taken(usize);

impl Sink for Taken {
    fn begin(&mut self, _status: u16) {}

    fn push(&mut self, chunk: &[u8]) {
        self.0 += chunk.len();
    }
}

fn server() -> &'static (TcpListener, Runtime) {
    static SERVER: OnceLock<(TcpListener, Runtime)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        (TcpListener::bind("127.0.0.1:0").expect("a port"), runtime)
    })
}

fuzz_target!(|raw: &[u8]| {
    let (listener, runtime) = server();
    let address = listener.local_addr().expect("an address");
    let url = Url::parse(&format!("http://{address}/?key=s3cret-of-a-gateway")).expect("a URL");
    let request = Request {
        method: Method::Get,
        url,
        headers: vec![Header::bearer()],
        body: None,
        one_shot: true,
        own_query: Vec::new(),
        named_by: None,
    };
    let limit = Duration::from_secs(10);
    let pace = Pace { interval: limit, max_interval: limit };
    let poll = PollSettings {
        pace,
        in_flight: 1,
        connect_timeout: limit,
        read_timeout: limit,
        not_found_grace: limit,
        max_response: 1 << 20,
    };
    // A client of its own each time: no connection is used twice.
    let net = Net::new(&poll, Clock::new(jiff::Timestamp::now));
    let token = Token::new("canary-7f3a9c1e5b2d").expect("a token");
    let mut taken = Taken(0);
    let arrived = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut peer, _) = listener.accept().expect("a connection");
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && peer.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            let _ = peer.write_all(raw);
        });
        let (_stay, mut leave) = tokio::sync::watch::channel(false);
        runtime.block_on(net.send(&request, &token, &mut taken, &mut leave))
    });
    match arrived {
        Ok(arrived) => assert!((100..=999).contains(&arrived.status) && taken.0 <= raw.len()),
        Err(none) => assert!(!none.reason.contains("://") && !none.reason.contains("s3cret"), "{}", none.reason),
    }
});
