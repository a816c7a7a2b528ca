//! How fast large JSON is indexed, walked, searched and shown. `JOBDECK_BENCH_JSON` names a file to take instead of the
//! made-up one.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "a benchmark may stop and says what it measures")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jobdeck::bench_api::{Document, FoldAction, Motion, RawView, SearchOutcome, TreeView, pretty};

fn body() -> Bytes {
    if let Some(path) = std::env::var_os("JOBDECK_BENCH_JSON") {
        return Bytes::from(std::fs::read(path).expect("the file that JOBDECK_BENCH_JSON names"));
    }
    let file = r#"{"file":"a.pdf","status":"Success","result":{"output":{"net":1290.55,"items":[{"line":1,"text":"two \"large\" bolts"},{"line":2,"text":"nuts"}],"ok":true}},"extracted_text":"some words that fill the page and go on for a while"}"#;
    Bytes::from(format!("{{\"message\":[{}{file}],\"last\":\"needle\"}}", format!("{file},").repeat(40_000)))
}

fn json(c: &mut Criterion) {
    let body = body();
    let cancel = AtomicBool::new(false);
    let parse = || Document::parse(body.clone(), &cancel).expect("JSON");
    let document = Arc::new(parse());
    eprintln!("{} bytes, {:.3} bytes of index a byte", body.len(), document.index_bytes() as f64 / body.len() as f64);

    let mut whole = c.benchmark_group("whole document");
    whole.sample_size(10).throughput(Throughput::Bytes(body.len() as u64));
    whole.bench_function("index", |b| b.iter(parse));
    whole.bench_function("search without a match", |b| {
        let mut view = TreeView::new(Arc::clone(&document), "");
        b.iter(|| {
            let mut found = view.search("no such words", 40);
            while found == SearchOutcome::NotYet {
                found = view.go_on_searching(40);
            }
            assert_eq!(found, SearchOutcome::Nowhere);
        });
    });
    whole.bench_function("pretty", |b| b.iter(|| pretty(&body, &mut std::io::sink())));
    whole.finish();

    let mut screen = c.benchmark_group("one key and one screen");
    for (name, motions) in
        [("to the end and back", [Motion::Bottom, Motion::Top]), ("a page", [Motion::PageDown, Motion::PageUp])]
    {
        let mut view = TreeView::new(Arc::clone(&document), "");
        assert!(view.fold(FoldAction::UnfoldAll, 40).is_none());
        screen.bench_function(format!("tree, {name}"), |b| {
            b.iter(|| {
                for motion in motions {
                    view.go(motion, 40);
                    black_box(view.window(40, 120));
                }
            });
        });
        let mut raw = RawView::new(body.clone());
        screen.bench_function(format!("raw, {name}"), |b| {
            b.iter(|| {
                for motion in motions {
                    raw.go(motion, 120, 40);
                    black_box(raw.window(120, 40));
                }
            });
        });
    }
    screen.finish();
}

criterion_group!(benches, json);
criterion_main!(benches);
