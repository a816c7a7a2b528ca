//! What a fact, a key and a drawing cost with a thousand jobs on the list and with a hundred thousand: in one run, so that
//! the two can be compared on a machine that does other work as well.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jobdeck::bench_api::{
    App, Charset, DashboardOptions, Event, Fact, Job, JobIx, JobKey, JobTraits, Key, Keymap, Now, Observation, Palette,
    State, Theme, draw_into, names,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SIZES: [u32; 2] = [1000, 100_000];
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

fn declared(n: u32, state: State) -> Fact {
    let provider = names()[n as usize % 3];
    let key = JobKey { provider, endpoint: "https://example.com".into(), id: format!("6b1f2f0a-{n:08x}") };
    let job = Job {
        key,
        service: "prod".into(),
        name: Some(format!("scan-{n:06}")),
        tags: ["nov".to_owned()].into(),
        traits: JobTraits::default(),
        batch: None,
        resubmits: Arc::default(),
    };
    Fact::Declared { ix: JobIx(n), job: Arc::new(job), known: known(state, n) }
}

fn mixed(n: u32) -> Fact {
    declared(n, State::ALL[(n as usize * 7) % State::ALL.len()])
}

fn running(n: u32) -> Fact {
    declared(n, State::Running)
}

fn empty(jobs: u32) -> App {
    App::new(DashboardOptions {
        file: Ok("jobs.toml".into()),
        jobs,
        keymap: Keymap::default(),
        copies_by: "".into(),
        fields: Vec::new(),
        zone: TimeZone::UTC,
        view: None,
        size: (SCREEN.width, SCREEN.height),
        now: now(0),
    })
}

fn filled(facts: Vec<Fact>) -> App {
    let mut app = empty(u32::try_from(facts.len()).expect("not too many"));
    for fact in facts {
        let _ = app.apply(Event::Fact(fact), now(0));
    }
    app.needs_redraw(now(0));
    app
}

fn key(app: &mut App, key: &str, at: u64) {
    event(app, Event::Key(Key::parse(key).expect("a key")), at);
}

fn event(app: &mut App, event: Event, at: u64) {
    let _ = app.apply(event, now(at));
    black_box(app.needs_redraw(now(at)));
}

fn list(c: &mut Criterion) {
    for jobs in SIZES {
        list_of(c, jobs);
    }
}

fn list_of(c: &mut Criterion, jobs: u32) {
    let mut group = c.benchmark_group(format!("{jobs} jobs"));
    group.sample_size(20);
    let theme = Theme::new(Charset::Utf8, Palette::Ansi);
    let draw = |app: &App| draw_into(app, &theme, &mut Buffer::empty(SCREEN));
    group.bench_function("start: all declared, sorted and drawn", |b| {
        let facts: Vec<Fact> = (0..jobs).map(mixed).collect();
        let run = |facts: Vec<Fact>| {
            let app = filled(facts);
            draw(&app);
            app
        };
        b.iter_batched(|| facts.clone(), run, BatchSize::LargeInput);
    });
    let mut app = filled((0..jobs).map(mixed).collect());
    group.bench_function("one job changes its state, and the rows are in order again", |b| {
        let mut step = 0_u32;
        b.iter(|| {
            step = step.wrapping_add(1);
            let state = if step.is_multiple_of(2) { State::Running } else { State::Failed };
            let ix = JobIx(step.wrapping_mul(7919) % jobs);
            let fact = Fact::Observed { ix, previous: None, changed: true, known: known(state, step) };
            event(&mut app, Event::Fact(fact), 5000);
        });
    });
    group.bench_function("draw at 120x40", |b| b.iter(|| draw(&app)));
    let mut pair = |name: &str, keys: [&str; 2], at: u64| {
        group.bench_function(name, |b| b.iter(|| keys.map(|name| key(&mut app, name, at))));
    };
    pair("j and k", ["j", "k"], 6000);
    pair("to the end and back", ["G", "g"], 6000);
    pair("next and previous problem", ["f", "F"], 6000);
    pair("the failures by reason, and away", ["e", "Esc"], 6000);
    pair("sorted by the next column, and reversed", ["o", "O"], 6000);
    key(&mut app, "/", 7000);
    key(&mut app, "9", 7000);
    group.bench_function("a letter of a filter and back", |b| {
        b.iter(|| ["9", "Backspace"].map(|name| key(&mut app, name, 7000)));
    });
    key(&mut app, "Esc", 7000);
    group.bench_function("another size and drawn", |b| {
        let mut width = SCREEN.width;
        b.iter(|| {
            width ^= 1;
            event(&mut app, Event::Resize { width, height: SCREEN.height }, 8000);
            draw(&app);
        });
    });
    let mut app = filled((0..jobs).map(running).collect());
    group.bench_function("a second passes while all run, and drawn", |b| {
        let mut second = 10;
        b.iter(|| {
            second += 1;
            event(&mut app, Event::Tick, second * 1000);
            black_box(app.wake_at());
            draw(&app);
        });
    });
    group.finish();
}

criterion_group!(benches, list);
criterion_main!(benches);
