//! Every cause of a loss is told apart, and nothing else is called one.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::script::{Fault, Scripted};
use crate::support::{Bench, RESULT, acknowledged, executing, rests, result, row, times};

/// The last state line of a watch over one job with these answers.
fn last_line(replies: Vec<Scripted>) -> (Value, Bench) {
    let bench = Bench::new().job("unstract", "job-1", replies);
    let ended = bench.run(&["watch", "--format", "jsonl"]);
    let line = ended.line(|line| line["type"] == "state").unwrap_or_else(|| panic!("{ended:?}"));
    assert_eq!(ended.code.map(Value::from), Some(ended.summary()["exit"].clone()));
    (line, bench)
}

fn completed(message: &str) -> Scripted {
    Scripted::json(200, format!(r#"{{"status":"COMPLETED","message":{message}}}"#))
}

fn not_found() -> Scripted {
    Scripted::json(
        404,
        r#"{"type":"client_error","errors":[{"code":"not_found","detail":"Execution with ID 'job-1' does not exist.","attr":null}]}"#,
    )
}

#[test]
fn every_cause_of_a_loss_has_its_own_word_and_exit_code_5() {
    let cases: Vec<(&str, Vec<Scripted>)> = vec![
        ("already read", vec![acknowledged()]),
        ("already read", vec![executing(), acknowledged()]),
        ("expired", vec![completed("null")]),
        ("expired", vec![executing(), completed("[]")]),
        ("cut", vec![result().fault(Fault::CutAfter(40)), acknowledged()]),
        ("cut", vec![executing(), result().fault(Fault::CutChunked(40)), acknowledged()]),
        ("no reply", vec![result().fault(Fault::NoReply), acknowledged()]),
        ("no reply", vec![executing(), result().fault(Fault::ResetBeforeReply), acknowledged()]),
        ("gone", vec![executing(), not_found()]),
    ];
    for (cause, replies) in cases {
        let (line, bench) = last_line(replies.clone());
        assert_eq!((&line["state"], &line["lost_because"]), (&"lost".into(), &cause.into()), "{replies:?}");
        bench.run(&["status"]).with(5);
        let error = bench.run(&["show", "job-1", "--error"]);
        assert!(error.text().starts_with(&format!("{cause}:")), "{error:?}");
        row(&format!("lost by the service or the wire: {cause}"), 1, 1, Duration::ZERO);
    }
    // `reader died` takes a kill: see endings.rs.
}

#[test]
fn an_acknowledgement_of_a_result_that_is_here_changes_nothing() {
    let bench = Bench::new().job("unstract", "job-1", [result(), acknowledged()]);
    bench.run(&["watch"]).with(0);
    for command in [&["watch"][..], &["once"], &["status"]] {
        bench.run(command).with(0);
    }
    assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 1));
}

#[test]
fn no_fault_of_the_wire_that_leaves_the_result_with_the_service_or_brings_it_whole_loses_it() {
    let many = (0..500).fold(result(), |reply, n| reply.header(&format!("X-Header-{n}"), &"x".repeat(60)));
    let storm = |status| times(6, &Scripted::json(status, "{}"));
    let faults: Vec<(&str, Vec<Scripted>)> = vec![
        ("closed without a byte", vec![result().fault(Fault::NoReply), executing(), result()]),
        ("reset after the request", vec![result().fault(Fault::ResetBeforeReply), executing(), result()]),
        ("cut before the first byte of the body", vec![result().fault(Fault::CutAfter(0)), executing(), result()]),
        ("the head comes late", vec![result().fault(Fault::StallHead(Duration::from_millis(700)))]),
        ("a body in pieces of a few bytes", vec![result().fault(Fault::Trickle(3, Duration::from_millis(2)))]),
        ("chunked", vec![result().fault(Fault::Chunked)]),
        ("called gzip and is not", vec![result().fault(Fault::WrongGzip)]),
        ("500 headers", vec![many]),
        ("a storm of 500", [storm(500), vec![result()]].concat()),
        ("a storm of 503", [storm(503), vec![result()]].concat()),
        ("429 without Retry-After", [storm(429), vec![result()]].concat()),
        ("429 with Retry-After 1", vec![Scripted::json(429, "{}").header("Retry-After", "1"), result()]),
    ];
    for (name, replies) in faults {
        let at = Instant::now();
        let reads = replies.len();
        let (line, bench) = last_line([replies, vec![acknowledged()]].concat());
        assert_eq!(line["state"], "succeeded", "{name}");
        assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), reads), "{name}");
        row(&format!("the wire: {name}"), 1, 0, at.elapsed());
    }
}

#[test]
fn what_a_proxy_a_gateway_or_a_wrong_key_says_loses_no_job() {
    let html = |status| Scripted::typed(status, "text/html", "<html><title>Bad gateway</title></html>");
    let faults = [
        html(502),
        html(200),
        html(404),
        Scripted::json(406, r#"{"detail":"Could not satisfy the request Accept header."}"#),
        Scripted::json(404, r#"{"errors":[{"detail":"API not found"}]}"#),
        Scripted::json(401, r#"{"errors":[{"detail":"Invalid token"}]}"#),
        Scripted::json(422, r#"{"detail":"no status here"}"#),
        Scripted::json(200, ""),
        Scripted::json(200, r#"["COMPLETED"]"#),
        Scripted::json(200, r#"{"status":"COMPLETED","message":"please wait"}"#),
        Scripted::json(200, &RESULT.as_bytes()[..60]),
        Scripted::json(503, "{}").header("Retry-After", "0"),
        Scripted::json(429, "{}")
            .header("Retry-After", "Sat, 21 Nov 2026 10:00:00 GMT")
            .header("Date", "Sat, 21 Nov 2026 09:59:59 GMT"),
        Scripted::json(307, "").header("Location", "https://elsewhere.example/"),
    ];
    let (at, runs) = (Instant::now(), faults.len());
    for fault in faults {
        let (line, bench) = last_line(vec![executing(), fault.clone(), executing(), result(), acknowledged()]);
        assert_eq!(line["state"], "succeeded", "{fault:?}");
        assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 4), "{fault:?}");
    }
    row("what a proxy, a gateway or a wrong key says", runs, 0, at.elapsed() / u32::try_from(runs).unwrap());
}

#[test]
fn a_thousand_failing_jobs_leave_a_small_log_and_no_storm() {
    let down = Scripted::typed(500, "text/html", "<html><title>Server Error (500)</title></html>");
    let mut bench = Bench::new().poll("interval = \"100ms\"\nmax_interval = \"2s\"");
    for n in 0..1000 {
        bench = bench.job("vessl", &format!("job-{n:04}"), times(1, &down));
    }
    let ended = bench.run(&["watch", "--format", "jsonl", "-v", "--timeout", "5s"]).with(6);
    let reads: usize = (0..1000).map(|n| bench.script.reads(&format!("job-{n:04}"))).sum();
    // Three failures close the service; then one read at a time tries it.
    assert!(reads < 100, "{reads} reads of a service that is down");
    let log = std::fs::read(bench.state_dir().join("jobdeck.log")).unwrap();
    let lines = log.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines < 200 && log.len() < 64 << 10, "{lines} lines, {} bytes", log.len());
    assert!(ended.err.lines().count() < 200, "{} lines on standard error", ended.err.lines().count());
    row("1,000 jobs of a service that answers 500, 5 s", 1, 0, Duration::ZERO);
}

#[test]
fn an_engine_that_waits_for_the_one_read_that_tries_a_failing_service_sleeps() {
    let down = Scripted::json(500, "{}");
    let hanging = down.clone().fault(Fault::StallHead(Duration::from_secs(45)));
    let bench = Bench::new().job("vessl", "job-1", [times(3, &down), vec![hanging]].concat());
    let watch = bench.start(&["watch"]);
    bench.until_read("job-1", 4);
    let before = rests(watch.pid());
    std::thread::sleep(Duration::from_secs(1));
    let rests = rests(watch.pid()) - before;
    assert!(rests < 100, "it woke {rests} times in a second");
}

#[test]
fn a_service_that_is_away_takes_no_other_along_and_is_read_on_when_it_is_back() {
    let mut bench =
        Bench::new().job("optexity", "task-1", [Scripted::json(200, r#"{"success":true,"status":"completed"}"#)]);
    for n in 0..20 {
        bench = bench.job("unstract", &format!("job-{n:02}"), [executing()]);
    }
    let elsewhere = crate::support::script::Script::start().unwrap();
    let bench = bench.service(
        "vessl",
        &format!("provider = \"vessl\"\nbase_url = \"{}\"\ntoken = {{ env = \"PATH\" }}", elsewhere.url("/s")),
    );
    let bench = bench.declared("vessl", "v-1", "");
    elsewhere.on("v-1", [crate::support::done("x")]);
    elsewhere.open(false);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("task-1", 1);
    bench.until_read("job-19", 2);
    for n in 0..20 {
        let id = format!("job-{n:02}");
        bench
            .script
            .on(&id, [times(bench.script.reads(&id) + 2, &executing()), vec![result(), acknowledged()]].concat());
    }
    crate::support::wait_for("the other services' ends", || {
        watch.out().matches("\"state\":\"succeeded\"").count() == 21
    });
    elsewhere.open(true);
    let at = std::time::Instant::now();
    watch.end().with(0);
    row("a service refuses every connection, then is back", 1, 0, at.elapsed());
}
