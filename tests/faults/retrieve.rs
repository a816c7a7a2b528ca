//! A result that a second request hands out once, as LLMWhisperer's retrieve does, under every fault that the one read of
//! an Unstract job is under: claimed, never cut short, withheld while it could not be saved, each loss with its cause.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::disk::{Small, WITHHELD, limit_file_size, path_after};
use crate::support::script::{Fault, Scripted};
use crate::support::{Bench, TOKEN_VARIABLE, done, large_result, pending, row, times, wait_for};

/// What a request for the result of the job has in its target, and one for its status has not.
const RETRIEVE: &str = "whisper-retrieve?whisper_hash=job-1";
const RESULT: &str = r#"{"confidence_metadata":[],"result_text":"ACME 12.50","webhook_metadata":""}"#;

fn processing() -> Scripted {
    Scripted::json(200, r#"{"status":"processing","message":"","detail":[]}"#)
}

fn processed() -> Scripted {
    Scripted::json(200, r#"{"status":"processed","message":"","detail":[]}"#)
}

fn result() -> Scripted {
    Scripted::json(200, RESULT)
}

fn late(silence: Duration) -> Scripted {
    result().fault(Fault::StallHead(silence))
}

fn delivered() -> Scripted {
    Scripted::json(400, r#"{"message":"Whisper already delivered"}"#)
}

/// A job that is over by its status, and how the requests for its result are answered.
fn bench(results: Vec<Scripted>) -> Bench {
    after(Vec::new(), results)
}

/// The same after other answers to the status.
fn after(status: Vec<Scripted>, results: Vec<Scripted>) -> Bench {
    let bench = Bench::new().job("llmwhisperer", "job-1", [status, vec![processed()]].concat());
    bench.script.on(RETRIEVE, results);
    bench
}

fn last_line(bench: &Bench) -> Value {
    let ended = bench.run(&["watch", "--format", "jsonl"]);
    let line = ended.line(|line| line["type"] == "state").unwrap_or_else(|| panic!("{ended:?}"));
    assert_eq!(ended.code.map(Value::from), Some(ended.summary()["exit"].clone()));
    line
}

#[track_caller]
fn has_its_result(bench: &Bench, requests: usize) {
    assert_eq!((bench.body("job-1"), bench.script.reads(RETRIEVE)), (RESULT.into(), requests));
}

#[test]
fn every_cause_of_a_loss_has_its_own_word_and_exit_code_5() {
    let retrieved = Scripted::json(200, r#"{"status":"retrieved"}"#);
    let unknown = Scripted::json(400, r#"{"message":"Whisper job not found for the provided whisper hash"}"#);
    let html = Scripted::typed(500, "text/html", "<title>Server Error (500)</title>");
    let cases = [
        ("already read", bench(vec![delivered()])),
        ("already read", after(vec![processing()], vec![delivered()])),
        ("already read", after(vec![processing(), retrieved], vec![])),
        ("cut", bench(vec![result().fault(Fault::CutAfter(40)), delivered()])),
        ("cut", bench(vec![result().fault(Fault::CutChunked(40)), delivered()])),
        ("no reply", bench(vec![result().fault(Fault::NoReply), delivered()])),
        ("no reply", bench(vec![result().fault(Fault::ResetBeforeReply), delivered()])),
        ("no reply", bench(vec![html, delivered()])),
        ("expired", after(vec![processing(), unknown], vec![])),
    ];
    for (cause, bench) in cases {
        let line = last_line(&bench);
        assert_eq!((&line["state"], &line["lost_because"]), (&"lost".into(), &cause.into()), "{line}");
        bench.run(&["status"]).with(5);
        let error = bench.run(&["show", "job-1", "--error"]);
        assert!(error.text().starts_with(&format!("{cause}:")), "{error:?}");
        row(&format!("a second request, lost by the service or the wire: {cause}"), 1, 1, Duration::ZERO);
    }
}

#[test]
fn no_fault_of_the_wire_that_leaves_the_result_with_the_service_or_brings_it_whole_loses_it() {
    let not_ready = || Scripted::json(400, r#"{"message":"Whisper not ready : processing"}"#);
    let storm = |status| times(6, &Scripted::json(status, "{}"));
    let html = |status| Scripted::typed(status, "text/html", "<html><title>Bad gateway</title></html>");
    let faults: Vec<(&str, Vec<Scripted>)> = vec![
        ("closed without a byte", vec![result().fault(Fault::NoReply)]),
        ("reset after the request", vec![result().fault(Fault::ResetBeforeReply)]),
        ("cut before the first byte of the body", vec![result().fault(Fault::CutAfter(0))]),
        ("not ready yet", vec![not_ready()]),
        ("a page of a proxy: 502", vec![html(502)]),
        ("a page of a proxy: 200", vec![html(200)]),
        ("a page of a proxy: 404", vec![html(404)]),
        ("an empty answer", vec![Scripted::json(200, "")]),
        ("no content", vec![Scripted::json(204, "")]),
        ("a refused key", vec![Scripted::json(401, r#"{"message":"Invalid API key"}"#)]),
        ("a redirect", vec![Scripted::json(307, "").header("Location", "https://elsewhere.example/")]),
        ("a storm of 500", storm(500)),
        ("a storm of 503", storm(503)),
        ("429 without Retry-After", storm(429)),
        ("429 with Retry-After 1", vec![Scripted::json(429, "{}").header("Retry-After", "1")]),
        ("the head comes late", vec![]),
        ("a body in pieces of a few bytes", vec![result().fault(Fault::Trickle(3, Duration::from_millis(2)))]),
        ("chunked", vec![result().fault(Fault::Chunked)]),
        ("called gzip and is not", vec![result().fault(Fault::WrongGzip)]),
    ];
    for (name, mut replies) in faults {
        if replies.last().is_none_or(|last| {
            last.body != RESULT.as_bytes()
                || last.fault == Fault::NoReply
                || last.fault == Fault::ResetBeforeReply
                || last.fault == Fault::CutAfter(0)
        }) {
            replies.push(late(Duration::from_millis(300)));
        }
        let (at, requests) = (Instant::now(), replies.len());
        let bench = bench([replies, vec![delivered()]].concat());
        let line = last_line(&bench);
        assert_eq!(line["state"], "succeeded", "{name}: {line}");
        has_its_result(&bench, requests);
        row(&format!("a second request, the wire: {name}"), 1, 0, at.elapsed());
    }
}

#[test]
fn a_signal_waits_for_the_result_and_for_no_status() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let bench = bench(vec![late(Duration::from_millis(1500)), delivered()]);
        let watch = bench.start(&["watch", "--format", "jsonl"]);
        bench.until_read(RETRIEVE, 1);
        let at = Instant::now();
        watch.signal(signal);
        let ended = watch.end().with(code).said("waiting for 1 result that can be read only once");
        row(&format!("a second request, signal, exit code {code}"), 1, 0, at.elapsed());
        assert_eq!(ended.summary()["succeeded"], 1, "{ended:?}");
        has_its_result(&bench, 1);
    }
    let slow = processed().fault(Fault::StallHead(Duration::from_secs(45)));
    let bench = after(vec![slow], vec![result(), delivered()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    watch.signal(Signal::TERM);
    let ended = watch.end().with(143);
    assert!(!ended.err.contains("waiting for"), "a status can be read again: {ended:?}");
    assert_eq!(bench.script.reads(RETRIEVE), 0);
    bench.run(&["watch"]).with(0);
    has_its_result(&bench, 1);
}

#[test]
fn a_second_signal_leaves_at_once_saves_what_came_and_says_what_may_be_lost() {
    let body = large_result(300 << 10);
    let cut = Scripted::json(200, body.clone()).fault(Fault::StallAfter(200 << 10, Duration::from_secs(45)));
    let bench = bench(vec![cut, delivered()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_spooled(190 << 10);
    watch.signal(Signal::INT);
    watch.until_said("waiting for 1 result");
    watch.signal(Signal::TERM);
    watch.end().with(130).said("leaving at once").said("llmwhisperer/job-1: its only response was broken off");
    row("a second request, a second signal: what came is kept", 1, 1, Duration::ZERO);
    assert_eq!(bench.body("job-1"), &body.as_bytes()[..200 << 10]);
    assert_eq!(last_line(&bench)["lost_because"], "cut");
    assert_eq!(bench.body("job-1"), &body.as_bytes()[..200 << 10], "what came stays after the loss is known");
}

#[test]
fn after_a_kill_the_next_run_knows_whether_the_result_is_lost() {
    for (next, state, cause) in
        [(delivered(), "lost", Value::from("reader died")), (result(), "succeeded", Value::Null)]
    {
        let bench = bench(vec![late(Duration::from_secs(45)), next, delivered()]);
        let watch = bench.start(&["watch"]);
        bench.until_read(RETRIEVE, 1);
        watch.kill();
        let at = Instant::now();
        let line = last_line(&bench);
        row(&format!("a second request, kill -9: {state}"), 1, usize::from(state == "lost"), at.elapsed());
        assert_eq!((&line["state"], &line["lost_because"]), (&state.into(), &cause), "{line}");
    }
}

#[test]
fn a_result_that_was_here_whole_before_a_kill_is_adopted_by_the_next_run_byte_for_byte() {
    let description = "[providers.own]\ntitle = \"Own\"\nsettings = { base = \"\" }\n\
        status = { url = \"{base}/{id}\", word = [\"/status\"] }\nstates = { succeeded = [\"done\"] }\n\
        result = { url = \"{base}/taken\", one_shot = true, also = [{ name = \"log\", url = \"{base}/log\" }] }\n";
    let (long, text) = (large_result(300 << 10), "line 1\nline 2, and no JSON".to_owned());
    for result in [text, long, String::new()] {
        let bench = Bench::new();
        let base = bench.script.url("");
        let bench = bench
            .also(description)
            .service("own", &format!("provider = \"own\"\nbase = \"{base}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}"))
            .job("own", "job-1", [Scripted::json(200, r#"{"status":"done"}"#)]);
        bench.script.on("taken", [Scripted::typed(200, "text/plain", result.clone()), Scripted::json(410, "{}")]);
        bench.script.on("log", [Scripted::json(200, "{}").fault(Fault::StallHead(Duration::from_secs(45)))]);
        let watch = bench.start(&["watch"]);
        bench.until_read("log", 1);
        watch.kill();
        // Nobody answers any more.
        bench.script.on("job-1", [Scripted::json(410, "{}")]);
        let line = last_line(&bench);
        row("a second request, kill -9 while a further file is waited for", 1, 0, Duration::ZERO);
        assert_eq!(line["state"], "succeeded", "{line}");
        assert!(line["warning"].as_str().unwrap().contains("the file `log` is not here"), "{line}");
        assert_eq!((bench.body("job-1"), bench.script.reads("taken")), (result.into(), 1));
    }
}

#[test]
fn what_had_come_of_a_result_before_a_kill_is_found_by_the_next_run() {
    let body = large_result(300 << 10);
    let cut = Scripted::json(200, body.clone()).fault(Fault::StallAfter(200 << 10, Duration::from_secs(45)));
    let bench = bench(vec![cut, delivered()]);
    let watch = bench.start(&["watch"]);
    bench.until_spooled(190 << 10);
    watch.kill();
    let line = last_line(&bench);
    assert_eq!(line["state"], "lost");
    assert!(["cut", "reader died"].contains(&line["lost_because"].as_str().unwrap()), "{line}");
    let kept = bench.body("job-1");
    assert!(kept.len() >= 64 << 10 && body.as_bytes().starts_with(&kept), "{} bytes are kept", kept.len());
}

#[test]
fn of_two_processes_one_takes_the_result_and_both_know_it() {
    let bench = after(times(10, &processing()), vec![late(Duration::from_millis(300)), delivered()]);
    let both = [0, 1].map(|_| bench.start(&["watch", "--format", "jsonl"]));
    for watch in both {
        let ended = watch.end().with(0);
        assert_eq!(ended.summary()["succeeded"], 1, "{ended:?}");
    }
    row("a second request, two processes over one job", 2, 0, Duration::ZERO);
    has_its_result(&bench, 1);
}

#[test]
fn a_reader_who_leaves_a_time_limit_and_a_stop_cost_no_result() {
    let bench = bench(vec![late(Duration::from_millis(1500)), delivered()]);
    let mut child =
        bench.command(&["watch", "--format", "jsonl"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    bench.until_read(RETRIEVE, 1);
    drop(out);
    child.wait().unwrap();
    has_its_result(&bench, 1);

    let bench = self::bench(vec![late(Duration::from_secs(4)), delivered()]);
    bench.run(&["watch", "--timeout", "2s"]).said("waiting for 1 result");
    has_its_result(&bench, 1);

    let bench = self::bench(vec![late(Duration::from_millis(1500)), delivered()]);
    let watch = bench.start(&["watch"]);
    bench.until_read(RETRIEVE, 1);
    watch.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(2));
    watch.signal(Signal::CONT);
    watch.end().with(0);
    has_its_result(&bench, 1);
    row("a second request: EPIPE, --timeout, SIGSTOP", 3, 0, Duration::ZERO);
}

#[test]
fn with_little_room_on_the_disk_the_result_is_not_asked_for_and_the_status_is() {
    let bench = bench(vec![result()]).job("vessl", "job-2", [done("x")]);
    let Some(_small) = Small::mount(&bench.state_dir(), 32) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    watch.until_said(WITHHELD);
    bench.until_read("job-1", 2);
    wait_for("the line of the other job", || watch.out().contains("\"succeeded\""));
    watch.signal(Signal::TERM);
    watch.end().with(143).said("64 MiB are needed");
    assert_eq!(bench.script.reads(RETRIEVE), 0);
    row("a second request: less than 64 MiB free", 1, 0, Duration::ZERO);
}

#[test]
fn a_disk_that_fills_up_holds_the_result_back_and_it_comes_once_there_is_room() {
    let bench = after(times(2, &processing()), vec![result(), delivered()]);
    bench.script.on("job-1", [processing()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    small.fill();
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![processing(); reads], vec![processed()]].concat());
    watch.until_said(WITHHELD);
    bench.until_read("job-1", reads + 3);
    assert_eq!(bench.script.reads(RETRIEVE), 0, "withheld");
    small.free();
    let at = Instant::now();
    watch.end().with(0);
    row("a second request: disk full, then free again", 1, 0, at.elapsed());
    has_its_result(&bench, 1);
}

#[test]
fn a_result_that_a_full_disk_does_not_take_is_tried_again_until_it_does() {
    let bench = bench(vec![late(Duration::from_secs(2)), delivered()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read(RETRIEVE, 1);
    small.fill();
    watch.until_said(WITHHELD);
    assert!(!watch.out().contains("\"state\":\"succeeded\""), "nothing is shown before it is saved");
    small.free();
    let at = Instant::now();
    watch.end().with(0);
    row("a second request: disk full while the result arrives, then free", 1, 0, at.elapsed());
    has_its_result(&bench, 1);
}

#[test]
fn a_result_that_the_disk_never_takes_goes_to_a_rescue_file_whose_path_is_printed() {
    let bench = bench(vec![late(Duration::from_secs(2)), delivered()]);
    let Some(small) = Small::mount(&bench.state_dir(), 100) else { return };
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read(RETRIEVE, 1);
    small.fill();
    watch.until_said(WITHHELD);
    watch.signal(Signal::TERM);
    let ended = watch.end().with(143);
    assert_eq!(fs::read(path_after(&ended.err, "was saved to ")).unwrap(), RESULT.as_bytes());
    row("a second request: disk full to the end, rescue file", 1, 0, Duration::ZERO);
}

#[test]
fn a_limit_on_file_sizes_is_a_disk_that_is_full_and_never_the_end_of_the_program() {
    let bench = bench(vec![result(), delivered()]).job("vessl", "job-2", [pending()]);
    bench.script.on("job-1", [processing()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    limit_file_size(&watch, Some(0));
    let reads = bench.script.reads("job-1");
    bench.script.on("job-1", [vec![processing(); reads], vec![processed()]].concat());
    watch.until_said(WITHHELD);
    bench.until_read("job-1", reads + 3);
    assert_eq!(bench.script.reads(RETRIEVE), 0, "withheld");
    bench.script.on("job-2", [done("x")]);
    limit_file_size(&watch, None);
    watch.end().with(0);
    has_its_result(&bench, 1);
    row("a second request: every write fails (RLIMIT_FSIZE), then none", 1, 0, Duration::ZERO);
}
