//! What things cost, in counts that are the same on every machine and under any load: allocations, bytes held, drawings.
//! Times are measured by `benches/`.
#![cfg(test)] // Helpers of tests are tests to the lints too.
#![expect(
    unsafe_code,
    reason = "an allocator that counts can only be written so; it hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jobdeck::bench_api::{
    App, Charset, Clean, Clock, DashboardOptions, Document, Event, Fact, Headers, Include, Job, JobIx, JobKey,
    JobTraits, Key, Keymap, Net, Next, Now, Observation, Palette, PollSettings, ProviderName, Response, Service, Sink,
    State, Theme, Token, TokenSource, Verdict, by_name, draw_into, names, read,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Counts what is held more, or less.
fn held_more(bytes: usize, fewer: usize) {
    let _ = HELD.try_with(|held| held.set(held.get() + bytes.cast_signed() - fewer.cast_signed()));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        held_more(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        held_more(0, layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        held_more(size, layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

/// How many allocations something takes.
fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = COUNT.get();
    let made = work();
    let after = COUNT.get();
    drop(made);
    after - before
}

/// How many bytes what it makes holds.
fn bytes_held<T>(work: impl FnOnce() -> T) -> usize {
    let before = HELD.get();
    let made = work();
    let after = HELD.get();
    drop(made);
    (after - before).unsigned_abs()
}

const SCREEN: Rect = Rect { x: 0, y: 0, width: 120, height: 40 };

fn now(millisecond: u64) -> Now {
    let start: Timestamp = "2026-11-21T14:26:13Z".parse().unwrap();
    let mono = Duration::from_millis(millisecond);
    Now { wall: start + SignedDuration::try_from(mono).unwrap(), mono }
}

fn known(state: State) -> Arc<Observation> {
    let at = Some(now(0).wall);
    Arc::new(Observation {
        state,
        word: Some(state.to_string()),
        first_seen: at,
        changed_at: at,
        ..Observation::default()
    })
}

/// A list of so many jobs, drawn once.
fn list(jobs: u32) -> App {
    let mut app = App::new(DashboardOptions {
        file: Ok("jobs.toml".into()),
        jobs,
        keymap: Keymap::default(),
        copies_by: "".into(),
        fields: Vec::new(),
        zone: TimeZone::UTC,
        view: None,
        size: (SCREEN.width, SCREEN.height),
        now: now(0),
    });
    for n in 0..jobs {
        let key = JobKey { provider: names()[0], endpoint: "https://example.com".into(), id: format!("job-{n:06}") };
        let job = Job {
            key,
            service: "prod".into(),
            name: None,
            tags: Arc::default(),
            traits: JobTraits::default(),
            batch: None,
            resubmits: Arc::default(),
        };
        let fact = Fact::Declared { ix: JobIx(n), job: Arc::new(job), known: known(State::Running) };
        let _ = app.apply(Event::Fact(fact), now(0));
    }
    draw(&app);
    app.needs_redraw(now(0));
    app
}

fn draw(app: &App) -> Buffer {
    let mut buffer = Buffer::empty(SCREEN);
    draw_into(app, &Theme::new(Charset::Utf8, Palette::Ansi), &mut buffer);
    buffer
}

fn press(app: &mut App, key: &str) {
    let _ = app.apply(Event::Key(Key::parse(key).unwrap()), now(1));
    app.needs_redraw(now(1));
    draw(app);
}

#[test]
fn a_key_and_its_drawing_take_as_many_allocations_in_a_long_list_as_in_a_short_one() {
    let costs = |jobs: u32| {
        let mut app = list(jobs);
        // What is made once is made.
        ["j", "k", "G", "g"].into_iter().for_each(|key| press(&mut app, key));
        ["j", "k", "G", "g"].map(|key| allocations(|| press(&mut app, key)))
    };
    let (short, long) = (costs(200), costs(20_000));
    for (short, long) in short.into_iter().zip(long) {
        assert!(long <= short + short / 4 + 16, "{short} and {long}");
    }
}

#[test]
fn a_poll_that_teaches_nothing_draws_nothing() {
    let mut app = list(100);
    let same = known(State::Running);
    let fact = Fact::Observed { ix: JobIx(99), previous: Some(State::Running), changed: false, known: same };
    let _ = app.apply(Event::Fact(fact), now(1));
    assert!(!app.needs_redraw(now(1)));
}

#[test]
fn a_change_of_one_job_costs_as_many_allocations_in_a_long_list_as_in_a_short_one() {
    let cost = |jobs: u32| {
        let mut app = list(jobs);
        let mut change = |state: State| {
            let fact = Fact::Observed { ix: JobIx(3), previous: None, changed: true, known: known(state) };
            let _ = app.apply(Event::Fact(fact), now(1));
            app.needs_redraw(now(1));
        };
        change(State::Queued);
        change(State::Running);
        allocations(|| change(State::Queued))
    };
    let (short, long) = (cost(200), cost(20_000));
    assert!(long <= short + 32, "{short} and {long}");
}

#[test]
fn an_index_is_at_most_0_4_bytes_a_byte_and_a_few_dozen_allocations_whatever_the_document() {
    let never = AtomicBool::new(false);
    for (element, most) in [("1", 0.4), ("[]", 0.4), (r#"{"a":[1,2,{"b":"text that is a little longer"}]}"#, 0.3)] {
        for count in [10_000, 200_000] {
            let text = Bytes::from(format!("[{element}{}]", format!(",{element}").repeat(count)));
            let parse = || Document::parse(text.clone(), &never).unwrap();
            let share = parse().index_bytes() as f64 / text.len() as f64;
            assert!(share <= most + 0.01, "{element}: {share}");
            let made = allocations(parse);
            assert!(made < 100, "{element}: {made} allocations");
        }
    }
}

#[test]
fn plain_text_is_made_clean_with_one_allocation_or_two() {
    let plain = "page 3 did not load within 60s ".repeat(100);
    let made = allocations(|| Clean::new(&plain));
    assert!(made <= 2, "{made}");
}

#[test]
fn a_job_of_the_list_holds_a_kilobyte() {
    let (few, many) = (bytes_held(|| list(1_000)), bytes_held(|| list(21_000)));
    let each = (many - few) / 20_000;
    assert!(each <= 1_100, "{each} bytes");
}

/// A service that answers every request with the same response, for ever.
fn same_response(body: &'static str) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length";
        let response = format!("{head}: {length}\r\n\r\n{body}");
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                seen.extend_from_slice(&piece[..length]);
                if seen.ends_with(b"\r\n\r\n") {
                    seen.clear();
                    stream.write_all(response.as_bytes()).unwrap();
                }
            }
        }
    });
    address
}

struct Taken(Vec<u8>);

impl Sink for Taken {
    fn begin(&mut self, _status: u16) {
        self.0.clear();
    }

    fn push(&mut self, chunk: &[u8]) {
        self.0.extend_from_slice(chunk);
    }
}

#[test]
fn a_poll_takes_as_many_allocations_as_it_did_and_its_service_no_more_for_having_been_polled_before() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = same_response(r#"{"id":"x","status":"in_progress","output":null}"#);
    let base = format!("http://{address}/s");
    let provider = by_name(ProviderName::VESSL).unwrap();
    let poll = PollSettings::default();
    let service = Service {
        name: "s".into(),
        provider,
        endpoint: base.as_str().into(),
        settings: [("base".to_owned(), base.clone())].into(),
        base: base.parse().unwrap(),
        token: TokenSource::Env("TOKEN".to_owned()),
        secrets: Vec::new(),
        pace: poll.pace,
        in_flight: None,
        rate: None,
        include: Include::default(),
        alert_after: None,
        fields: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let net = Net::new(&poll, Clock::new(Timestamp::now));
    let (token, mut taken) = (Token::new("s3cret-token").unwrap(), Taken(Vec::new()));
    let (_stay, mut leave) = tokio::sync::watch::channel(false);
    let mut poll = |id: &str| {
        let request = service.provider.request(&service, id);
        let arrived = runtime.block_on(net.send(&request, &token, &mut taken, &mut leave)).unwrap();
        let body = Bytes::copy_from_slice(&taken.0);
        let headers = Headers { date: None, ..arrived.headers };
        let response = Response { status: arrived.status, headers, body, broken: None, at: arrived.at };
        let Next::Done(reading) = read(&service, id, &response) else { panic!("it runs on") };
        assert_eq!(reading.answer.unwrap().verdict, Verdict::State(State::Running));
    };
    // The client is made, its connection is open.
    (0..20).for_each(|_| poll("job-1"));
    let each = allocations(|| (0..200).for_each(|_| poll("job-1"))) / 200;
    assert!(each <= 72, "{each} allocations a poll");
    let held = bytes_held(|| (0..200).for_each(|_| poll("job-1")));
    assert!(held < 4096, "{held} bytes");
}
