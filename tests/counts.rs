//! What things cost, in counts that are the same on every machine and under any load: allocations, bytes held, drawings.
//! Times are measured by `benches/`.
#![cfg(test)] // Helpers of tests are tests to the lints too.
#![expect(
    unsafe_code,
    reason = "an allocator that counts can only be written so; it hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jobdeck::bench_api::{
    App, Charset, Clean, DashboardOptions, Document, Event, Fact, Job, JobIx, JobKey, JobTraits, Key, Keymap, Now,
    Observation, Palette, State, Theme, draw_into, names,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
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
