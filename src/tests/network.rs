//! The engine and a network that fails in every other way: names, certificates, bombs, storms.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc::unbounded_channel;
use url::Url;

use super::bench::{Bench, TOKEN, open};
use super::script::{Script, Scripted};
use crate::domain::clock::Clock;
use crate::domain::fact::Fact;
use crate::domain::job::{JobKey, ProviderName};
use crate::domain::observation::LastPoll;
use crate::domain::request::{Header, Method, Request};
use crate::domain::secret::{Token, TokenSource};
use crate::domain::service::{Include, Pace, PollSettings, Service};
use crate::domain::state::{PollOutcome, State};
use crate::engine::{self, EngineCommand, Purpose, Setup};
use crate::net::{Net, Sink};

/// What the last read of one job at such an address came to.
async fn read_at(provider: ProviderName, base: &str) -> LastPoll {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let base = Url::parse(base).unwrap();
    let pace = Pace { interval: Duration::from_millis(20), max_interval: Duration::from_millis(50) };
    let service = Arc::new(Service {
        name: "s".into(),
        provider: super::provider(provider),
        endpoint: super::provider(provider).endpoint(&base, &Default::default()).into(),
        settings: [("base".to_owned(), base.to_string())].into(),
        base,
        token: TokenSource::Env("TOKEN".to_owned()),
        secrets: Vec::new(),
        pace,
        in_flight: None,
        rate: None,
        include: Include::default(),
        alert_after: None,
        fields: Arc::default(),
    });
    let poll = PollSettings {
        pace,
        in_flight: 2,
        connect_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_secs(30),
        not_found_grace: Duration::from_millis(50),
        max_response: 4 << 30,
    };
    let key = JobKey { provider, endpoint: service.endpoint.clone(), id: "job-1".to_owned() };
    let job = Arc::new(crate::tests::job(key, "s"));
    let (tell, mut facts) = unbounded_channel();
    let services = vec![(service, Ok(Token::new(TOKEN).unwrap()))];
    let (store, clock) = (open(dir.path()), Clock::new(jiff::Timestamp::now));
    let setup = Setup {
        purpose: Purpose::Once,
        poll,
        services,
        jobs: vec![job],
        hooks: Vec::new(),
        store: store.into(),
        seed: 1,
        clock,
    };
    let engine = engine::start(setup, tell).unwrap();
    let mut told = None;
    let ended = async {
        while let Some(fact) = facts.recv().await {
            match fact {
                Fact::NotOk { read, http_status, reason, .. } => {
                    told = Some(LastPoll { read, http_status, reason: Some(reason), at: jiff::Timestamp::now() });
                }
                Fact::Settled => engine.send(EngineCommand::Drain),
                Fact::Ended(_) => break,
                _ => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("once ends whatever the network does");
    told.expect("what went wrong is told")
}

#[tokio::test]
async fn a_name_that_nobody_knows_a_closed_port_and_a_plain_one_under_https_are_unreachable_and_say_why() {
    let plain = Script::start().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        ("http://no-such-host.invalid/x".to_owned(), "connect"),
        (format!("http://{closed}/x"), "connect"),
        (format!("https://{}/x", plain.address()), "connect"),
    ];
    for provider in [ProviderName::VESSL, ProviderName::UNSTRACT] {
        for (base, word) in &cases {
            let last = read_at(provider, base).await;
            let reason = last.reason.unwrap();
            assert_eq!((last.read, last.http_status), (PollOutcome::Unreachable, None), "{base}: {reason}");
            assert!(reason.contains(word) && !reason.contains("://"), "{base}: {reason}");
        }
    }
    assert!(plain.received("").is_empty(), "nothing of the request, least of all the token, went out in plain");
}

/// So many gzip members of a mebibyte each, which is how a bomb is made in no time.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    encoder.finish().unwrap().repeat(mebibytes)
}

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn a_decompression_bomb_takes_bounded_memory_and_what_came_of_it_is_kept() {
    let bomb = bomb(4096);
    let replies = [Scripted::json(200, bomb.clone()).header("Content-Encoding", "gzip")];
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", replies);
    let before = peak();
    let mut running = bench.start(Purpose::Once);
    running.until(|fact| *fact == Fact::Settled).await;
    // Other tests run in this process: only the order of magnitude can be asserted.
    assert!(peak() - before < 2 << 30, "{} MiB more", (peak() - before) >> 20);
    let known = running.known(0);
    running.drain().await;
    assert_eq!((known.state, known.evidence.as_ref().unwrap().bytes), (State::Unknown, bomb.len() as u64));
    let kept = bench.open_store().results().body(known.evidence.unwrap().body).await.unwrap();
    assert!(kept == bomb, "byte for byte as received");
}

#[tokio::test]
async fn a_response_with_hundreds_of_headers_is_read_at_the_first_poll_also_where_it_could_be_read_again() {
    let plain = Scripted::json(200, r#"{"status":"completed","status_code":200,"output":{}}"#);
    let reply = (0..300).fold(plain, |reply, n| reply.header(&format!("X-{n}"), "y"));
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [reply]);
    let mut running = bench.start(Purpose::Once);
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!(running.known(0).state, State::Succeeded);
    running.drain().await;
}

#[tokio::test]
async fn a_service_that_fails_for_a_thousand_jobs_is_tried_one_read_at_a_time() {
    let mut bench = Bench::new();
    bench.poll.pace = Pace { interval: Duration::from_millis(200), max_interval: Duration::from_secs(2) };
    let down = Scripted::json(500, r#"{"error":"down"}"#);
    for n in 0..1000 {
        bench = bench.job(ProviderName::VESSL, &format!("job-{n:04}"), [down.clone()]);
    }
    let bench =
        bench.job(ProviderName::UNSTRACT, "other", [Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#)]);
    let mut running = bench.start(Purpose::Watch);
    while bench.script.reads("other") < 8 {
        running.until(|fact| matches!(fact, Fact::NextRead(_) | Fact::Observed { .. } | Fact::NotOk { .. })).await;
    }
    let reads: usize = (0..1000).map(|n| bench.script.reads(&format!("job-{n:04}"))).sum();
    assert!((3..100).contains(&reads), "{reads} reads");
    let told = running.told.iter().filter(|fact| matches!(fact, Fact::NotOk { .. })).count();
    assert!(told <= reads, "each failure is told once at most: {told} of {reads}");
    running.drain().await;
}

/// What a client of ours makes of these bytes from a server: the code and the body's length, or why there is no reply.
async fn exchange(server: &std::net::TcpListener, raw: &[u8]) -> Result<(u16, Vec<u8>), String> {
    struct Taken(Vec<u8>);
    impl Sink for Taken {
        fn begin(&mut self, _status: u16) {}

        fn push(&mut self, chunk: &[u8]) {
            self.0.extend_from_slice(chunk);
        }
    }
    let url = Url::parse(&format!("http://{}/?key=s3cret-of-a-gateway", server.local_addr().unwrap())).unwrap();
    let request = Request {
        method: Method::Get,
        url,
        headers: vec![Header::bearer()],
        body: None,
        one_shot: true,
        own_query: Vec::new(),
        named_by: None,
    };
    let limit = Duration::from_secs(20);
    let pace = Pace { interval: limit, max_interval: limit };
    let poll = PollSettings {
        pace,
        in_flight: 1,
        connect_timeout: limit,
        read_timeout: limit,
        not_found_grace: limit,
        max_response: 4 << 30,
    };
    let net = Net::new(&poll, Clock::new(jiff::Timestamp::now));
    let (server, raw) = (server.try_clone().unwrap(), raw.to_vec());
    let serve = tokio::task::spawn_blocking(move || {
        let (mut peer, _) = server.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if std::io::Read::read(&mut peer, &mut byte).unwrap_or(0) == 0 {
                return;
            }
            request.push(byte[0]);
        }
        let _ = peer.write_all(&raw);
    });
    let (_stay, mut leave) = tokio::sync::watch::channel(false);
    let mut taken = Taken(Vec::new());
    let arrived = net.send(&request, &Token::new(TOKEN).unwrap(), &mut taken, &mut leave).await;
    serve.await.unwrap();
    arrived.map(|arrived| (arrived.status, taken.0)).map_err(|none| none.reason)
}

/// Heads of replies, well made, nearly so, and not at all.
fn raw_heads() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let name = "(?i)(content-length|transfer-encoding|content-encoding|retry-after|connection|location|x)[ :]{0,2}";
    let value = "([0-9]{0,20}|chunked|gzip|close|-1|0x1f|[ -~]{0,12}|\\PC{0,4}|[\\x00-\\x1f]{0,3})";
    let line = format!("{name}{value}(\r\n|\n|\r)");
    let made = format!("HTTP/(1\\.[01]|2|9)  ?[0-9]{{2,4}}[ -~]{{0,6}}(\r\n|\n)({line}){{0,6}}(\r\n|\n)?[ -~]{{0,30}}");
    prop_oneof![
        6 => proptest::string::string_regex(&made).unwrap().prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..80),
        1 => (0..3000_usize).prop_map(|count| {
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\n{{}}", "x: y\r\n".repeat(count)).into_bytes()
        }),
    ]
}

#[tokio::test]
async fn a_result_that_can_be_read_once_comes_whole_however_odd_its_head_is_and_with_it_where_none_is_known() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    const BODY: &str = "{\"status\":\"COMPLETED\"}";
    let whole = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {0}\r\nContent-Length: {0}\r\n\r\n{BODY}", BODY.len()),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n16;e=\"x;y\"\r\n{BODY}\r\n0\r\nX: y\r\n\r\n"
        ),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{BODY}"),
        format!("HTTP/1.0 200 OK\r\n\r\n{BODY}"),
        format!("\r\nHTTP/1.1 200\r\n\r\n{BODY}"),
        format!("HTTP/1.1 200 OK\nX: y\n\n{BODY}"),
        format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{BODY}"
        ),
        format!("HTTP/1.1 200 OK\r\nnonsense\r\n: x\r\nX Y: z\r\nX: a\r\n  b\r\n\r\n{BODY}"),
        BODY.to_owned(),
    ];
    let with_the_head = ["HTTP/1.2 200 OK", "HTTP/2 200", "http/1.1 200 OK", "ICY 200 OK"];
    let with_the_head = with_the_head.map(|head| format!("{head}\r\n\r\n{BODY}"));
    let cases = whole.iter().map(|raw| (raw, BODY)).chain(with_the_head.iter().map(|raw| (raw, raw.as_str())));
    for (raw, body) in cases {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let came = exchange(&server, raw.as_bytes()).await;
        assert_eq!(came, Ok((200, body.as_bytes().to_vec())), "{raw:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(150))]
    #[test]
    fn whatever_head_a_server_sends_it_is_read_or_refused_in_words_without_the_address(raw in raw_heads()) {
        // No other test has to have run before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(exchange(&server, &raw)) {
            Ok((status, body)) => {
                proptest::prop_assert!((100..=999).contains(&status) && body.len() <= raw.len());
            }
            Err(why) => {
                proptest::prop_assert!(!why.is_empty() && !why.contains("://") && !why.contains("s3cret"), "{}", why);
            }
        }
    }
}

#[tokio::test]
async fn an_address_out_of_a_response_is_not_asked_where_its_name_stands_for_a_host_inside() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    struct Ignored;
    impl Sink for Ignored {
        fn begin(&mut self, _status: u16) {}

        fn push(&mut self, _chunk: &[u8]) {}
    }
    let script = Script::start().unwrap();
    script.on("job-1", [Scripted::json(200, "{}")]);
    let port = Url::parse(&script.url("/")).unwrap().port().unwrap();
    let net = Net::new(&PollSettings::default(), Clock::new(jiff::Timestamp::now));
    // The status URL's host, and whether what it names may be asked: a name that stands for loopback.
    let cases = [(None, true), (Some("192.0.2.1"), false), (Some("localhost"), true), (Some("192.0.2.1"), false)];
    let mut reads = 0;
    for (home, may) in cases {
        let request = Request {
            method: Method::Get,
            url: Url::parse(&format!("http://localhost:{port}/status/job-1?sig=SIGNATURE")).unwrap(),
            headers: Vec::new(),
            body: None,
            one_shot: false,
            own_query: Vec::new(),
            named_by: home.map(str::to_owned),
        };
        let (_stay, mut leave) = tokio::sync::watch::channel(false);
        let arrived = net.send(&request, &Token::new(TOKEN).unwrap(), &mut Ignored, &mut leave).await;
        reads += usize::from(may);
        assert_eq!((arrived.is_ok(), script.reads("job-1")), (may, reads), "{home:?}: {arrived:?}");
        if let Err(none) = arrived {
            assert!(!none.sent && none.reason.contains("private, link-local or loopback"), "{}", none.reason);
        }
    }
}
