//! What one response costs on its way from the wire to the disk: masked, read, digested, saved, taken apart, sanitised;
//! and what choosing the next poll costs.

#![expect(clippy::expect_used, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use jobdeck::bench_api::{
    BodySource, Clean, Headers, Job, JobKey, JobTraits, Keep, Masking, Observation, Pace, ProviderName, Role, Save,
    SaveBody, Sink, State, Store, Token, by_name, names, schedule,
};
use sha2::{Digest, Sha256};

/// A finished Unstract response of about so many bytes.
fn result(bytes: usize) -> Bytes {
    let line = r#"{"line":1,"text":"two \"large\" bolts","net":1290.55},"#;
    let lines = line.repeat(bytes / line.len());
    Bytes::from(format!(
        r#"{{"status":"COMPLETED","message":[{{"file":"a.pdf","status":"Success","result":{{"output":{{"items":[{}]}}}},"error":null}}]}}"#,
        lines.trim_end_matches(',')
    ))
}

fn unstract() -> ProviderName {
    *names().iter().find(|name| name.as_str() == "unstract").expect("a built-in provider")
}

struct Nowhere;

impl Sink for Nowhere {
    fn begin(&mut self, _status: u16) {}

    fn push(&mut self, chunk: &[u8]) {
        black_box(chunk);
    }
}

fn bytes(c: &mut Criterion) {
    let token = Token::new("sk-6f1c9a0b7e2d4c58").expect("a token");
    for size in [5_000, 60_000, 1_000_000] {
        let body = result(size);
        let mut group = c.benchmark_group(format!("a response of {size} bytes"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("masked in pieces of 16 KiB", |b| {
            b.iter(|| {
                let mut masking = Masking::new(Nowhere, &token);
                body.chunks(16 << 10).for_each(|piece| masking.push(piece));
                masking.finish(false).1
            });
        });
        group.bench_function("digested", |b| b.iter(|| Sha256::digest(&body)));
        let provider = by_name(unstract()).expect("a built-in provider");
        let source = BodySource { role: Role::Status, http_status: 200 };
        group.bench_function("taken apart", |b| b.iter(|| provider.extract(&source, &body)));
        group.finish();
    }
}

fn texts(c: &mut Criterion) {
    let mut group = c.benchmark_group("sanitised");
    let plain = "page 3 did not load within 60s, retried twice ".repeat(40);
    let hostile = "red \u{1b}[31m\u{202e}\u{200b}text\u{7f} ".repeat(60);
    for (name, text) in [("plain text", &plain), ("hostile text", &hostile)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| Clean::new(text)));
    }
    group.finish();
}

fn next_poll(c: &mut Criterion) {
    let pace = Pace { interval: Duration::from_secs(5), max_interval: Duration::from_secs(60) };
    c.bench_function("when to poll next", |b| {
        let mut draw = 0.0;
        b.iter(|| {
            draw = (draw + 0.37) % 1.0;
            black_box((schedule::pause(pace, 7, draw), schedule::back_off(pace, 3, draw)))
        });
    });
}

fn save(n: usize, body: &Bytes) -> Save {
    let key = JobKey { provider: unstract(), endpoint: "https://example.com".into(), id: format!("job-{n}") };
    let job = Job {
        key,
        service: "prod".into(),
        name: None,
        tags: Arc::default(),
        traits: JobTraits::default(),
        batch: None,
        resubmits: Arc::default(),
    };
    let at = Timestamp::UNIX_EPOCH;
    let body = SaveBody {
        role: Role::Status,
        keep: Keep::Result,
        broken: false,
        bytes: body.clone(),
        spooled: None,
        http_status: 200,
        headers: Headers::default(),
        masked: false,
        at,
    };
    let observation = Observation { state: State::Succeeded, finished_at: Some(at), ..Observation::default() };
    Save { body: Some(body), ..Save::new(Arc::new(job), observation) }
}

fn saved(c: &mut Criterion) {
    const TOGETHER: usize = 1000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = c.benchmark_group("made durable");
    group.sample_size(10).throughput(Throughput::Elements(TOGETHER as u64));
    let body = result(5_000);
    group.bench_function("1,000 results of 5 kB that come together", |b| {
        let fresh = || {
            let dir = tempfile::tempdir().expect("a directory");
            let store = Store::open(dir.path()).expect("a state directory").0;
            (dir, store, (0..TOGETHER).map(|n| save(n, &body)).collect::<Vec<_>>())
        };
        b.iter_batched(
            fresh,
            |(dir, store, saves)| {
                runtime.block_on(async {
                    let all = futures_util::future::join_all(saves.into_iter().map(|save| store.save(save))).await;
                    assert!(all.iter().all(Result::is_ok));
                });
                (dir, store)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bytes, texts, next_poll, saved);
criterion_main!(benches);
