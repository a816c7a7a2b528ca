//! What a fact, a key and a drawing cost with a hundred thousand jobs on the list.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jobdeck::bench_api::{
    App, Charset, Event, Fact, Job, JobIx, JobKey, Key, Keymap, Now, Observation, Options, Palette, Provider, State,
    Theme, draw_into,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const JOBS: u32 = 100_000;
const SCREEN: Rect = Rect { x: 0, y: 0, width: 120, height: 40 };

fn now(millisecond: u64) -> Now {
    let start: Timestamp = "2026-11-21T14:26:13Z".parse().expect("a time");
    let mono = Duration::from_millis(millisecond);
    Now { wall: start + SignedDuration::try_from(mono).expect("a duration"), mono }
}

fn known(state: State, n: u32) -> Arc<Observation> {
    let at = now(0).wall - SignedDuration::from_secs(i64::from(n % 5000));
    let reason = state.is_problem().then(|| format!("page {n} did not load within 60s"));
    let over = state.is_terminal().then_some(at);
    Arc::new(Observation {
        state,
        word: Some(state.to_string()),
        fail_reason: reason,
        first_seen: Some(at),
        changed_at: Some(at),
        finished_at: over,
        ..Observation::default()
    })
}

fn declared(n: u32) -> Fact {
    let provider = Provider::ALL[n as usize % 3];
    let key = JobKey { provider, endpoint: "https://example.com".to_owned(), id: format!("6b1f2f0a-{n:08x}") };
    let job = Job { key, service: "prod".into(), name: Some(format!("scan-{n:06}")), tags: vec!["nov".to_owned()] };
    let state = State::ALL[(n as usize * 7) % State::ALL.len()];
    Fact::Declared { ix: JobIx(n), job: Arc::new(job), known: known(state, n) }
}

fn empty() -> App {
    App::new(Options {
        file: Ok("jobs.toml".into()),
        keymap: Keymap::default(),
        copies_by: "".into(),
        zone: TimeZone::UTC,
        view: None,
        size: (SCREEN.width, SCREEN.height),
        now: now(0),
    })
}

fn full() -> App {
    let mut app = empty();
    for n in 0..JOBS {
        let _ = app.apply(Event::Fact(declared(n)), now(0));
    }
    app.needs_redraw(now(0));
    app
}

fn key(app: &mut App, key: &str, at: u64) {
    let _ = app.apply(Event::Key(Key::parse(key).expect("a key")), now(at));
    black_box(app.needs_redraw(now(at)));
}

fn list(c: &mut Criterion) {
    let mut group = c.benchmark_group("100,000 jobs");
    group.sample_size(20);
    let theme = Theme::new(Charset::Utf8, Palette::Ansi);
    group.bench_function("start: all declared, sorted and drawn", |b| {
        let facts: Vec<Fact> = (0..JOBS).map(declared).collect();
        let run = |facts: Vec<Fact>| {
            let mut app = empty();
            for fact in facts {
                let _ = app.apply(Event::Fact(fact), now(0));
            }
            app.needs_redraw(now(0));
            draw_into(&app, &theme, &mut Buffer::empty(SCREEN));
            app
        };
        b.iter_batched(|| facts.clone(), run, BatchSize::LargeInput);
    });
    let mut app = full();
    group.bench_function("one job changes its state, and the rows are in order again", |b| {
        let mut step = 0_u32;
        b.iter(|| {
            step = step.wrapping_add(1);
            let state = if step.is_multiple_of(2) { State::Running } else { State::Failed };
            let ix = JobIx(step.wrapping_mul(7919) % JOBS);
            let fact = Fact::Observed { ix, previous: None, changed: true, known: known(state, step) };
            let _ = app.apply(Event::Fact(fact), now(5000));
            black_box(app.needs_redraw(now(5000)));
        });
    });
    group.bench_function("draw at 120x40", |b| {
        let mut buffer = Buffer::empty(SCREEN);
        b.iter(|| draw_into(&app, &theme, &mut buffer));
    });
    group.bench_function("j and k", |b| {
        b.iter(|| {
            key(&mut app, "j", 6000);
            key(&mut app, "k", 6000);
        });
    });
    group.bench_function("next and previous problem", |b| {
        b.iter(|| {
            key(&mut app, "f", 6000);
            key(&mut app, "F", 6000);
        });
    });
    group.bench_function("a letter of a filter and back", |b| {
        key(&mut app, "/", 7000);
        key(&mut app, "9", 7000);
        b.iter(|| {
            key(&mut app, "9", 7000);
            key(&mut app, "Backspace", 7000);
        });
        key(&mut app, "Esc", 7000);
    });
    group.finish();
}

criterion_group!(benches, list);
criterion_main!(benches);
