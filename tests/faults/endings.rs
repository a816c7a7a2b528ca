//! Every way of ending but a kill loses nothing; after a kill it is known what was lost.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::script::Fault;
use crate::support::{Bench, RESULT, Running, acknowledged, executing, large_result, result, row, times};

/// A job whose result comes late: there is time to disturb its one read.
fn slow() -> Bench {
    let late = result().fault(Fault::StallHead(Duration::from_millis(1500)));
    Bench::new().job("unstract", "job-1", [executing(), late, acknowledged()])
}

#[test]
fn a_signal_waits_for_the_result_that_can_be_read_only_once_and_saves_it() {
    let endings = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::QUIT, 131)];
    let others = [(Signal::USR1, 138), (Signal::VTALARM, 154), (Signal::PROF, 155), (Signal::IO, 157)];
    for (signal, code) in endings.into_iter().chain(others) {
        let bench = slow();
        let watch = bench.start(&["watch", "--format", "jsonl"]);
        bench.until_read("job-1", 2);
        let at = Instant::now();
        watch.signal(signal);
        let ended = watch.end().with(code).said("waiting for 1 result that can be read only once");
        row(&format!("signal, exit code {code}, during a one-shot read"), 1, 0, at.elapsed());
        let summary = ended.summary();
        assert_eq!((&summary["succeeded"], &summary["exit"]), (&1.into(), &code.into()), "{ended:?}");
        assert_eq!(bench.body("job-1"), RESULT.as_bytes());
        assert_eq!(bench.script.reads("job-1"), 2);
    }
}

#[test]
fn signals_that_the_one_who_started_it_holds_back_or_ignores_are_heard_all_the_same() {
    use nix::sys::signal::{SigHandler, SigSet, signal};
    for (number, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let bench = slow();
        let mut command = bench.command(&["watch", "--format", "jsonl"]);
        #[expect(unsafe_code, reason = "these calls are safe after a fork")]
        unsafe {
            command.pre_exec(|| Ok(SigSet::all().thread_block()?))
        };
        let watch = Running::start(command);
        bench.until_read("job-1", 2);
        watch.signal(number);
        watch.end().with(code);
        assert_eq!(bench.body("job-1"), RESULT.as_bytes());
    }
    // Of a child's end whoever ignores it learns nothing.
    let token = "{ command = [\"sh\", \"-c\", \"echo a-token-of-a-command\"] }";
    let bench = Bench::new()
        .service("other", &format!("provider = \"vessl\"\nbase_url = \"http://127.0.0.1:1/x\"\ntoken = {token}"));
    let mut command = bench.command(&["check"]);
    #[expect(unsafe_code, reason = "this call is safe after a fork, and no handler is installed")]
    unsafe {
        command.pre_exec(|| {
            signal(nix::sys::signal::Signal::SIGCHLD, SigHandler::SigIgn)?;
            Ok(())
        })
    };
    Running::start(command).end().with(0);
}

#[test]
fn what_nohup_has_started_outlives_its_terminal() {
    let bench = slow();
    let watch = bench.command(&["watch"]);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" watch"]).arg(watch.get_program()).stdin(Stdio::null());
    nohup.current_dir(bench.home()).env_clear();
    nohup.envs(watch.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let watch = Running::start(nohup);
    bench.until_read("job-1", 1);
    watch.signal(Signal::HUP);
    watch.end().with(0);
}

#[test]
fn a_jobs_file_that_does_not_come_can_be_waited_for_no_longer() {
    let bench = Bench::new();
    let run = |args: &[&str]| {
        let pipe = bench.home().join("pipe");
        let _ = std::fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let watch = bench.start(&[args, &["-c", "pipe"]].concat());
        // Opened as soon as it is opened there.
        let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
        (watch, writer)
    };
    for command in ["watch", "once"] {
        let (watch, _writer) = run(&[command]);
        watch.signal(Signal::TERM);
        watch.end().with(143).said("before the jobs file was read, interrupted (SIGTERM)");
    }
    let (watch, _writer) = run(&["watch", "--timeout", "100ms"]);
    watch.end().with(2).said("failed to read the jobs file: timed out after 100 ms");
}

#[test]
fn a_second_signal_leaves_at_once_saves_what_came_and_says_what_may_be_lost() {
    let body = large_result(300 << 10);
    let cut = crate::support::script::Scripted::json(200, body.clone())
        .fault(Fault::StallAfter(200 << 10, Duration::from_secs(45)));
    let bench = Bench::new().job("unstract", "job-1", [cut, acknowledged()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_spooled(190 << 10);
    watch.signal(Signal::INT);
    watch.until_said("waiting for 1 result");
    let at = Instant::now();
    watch.signal(Signal::TERM);
    watch.end().with(130).said("leaving at once").said("unstract/job-1: its only response was broken off");
    assert!(at.elapsed() < Duration::from_secs(30), "it waited for the reply");
    row("a second signal during a one-shot read: what came is kept", 1, 1, at.elapsed());
    let kept = bench.run(&["show", "job-1", "--body"]).with(0).said("no result is saved");
    assert_eq!(kept.out, &body.as_bytes()[..200 << 10]);
    let after = bench.run(&["watch", "--format", "jsonl"]).with(5);
    assert_eq!(after.line(|line| line["type"] == "state").unwrap()["lost_because"], "cut");
    assert_eq!(bench.body("job-1"), &body.as_bytes()[..200 << 10], "what came stays after the loss is known");
}

#[test]
fn after_a_kill_the_next_run_knows_what_was_lost_and_why() {
    let hanging = result().fault(Fault::StallHead(Duration::from_secs(45)));
    let bench = Bench::new().job("unstract", "job-1", [executing(), hanging, acknowledged()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    watch.kill();
    let at = Instant::now();
    let after = bench.run(&["watch", "--format", "jsonl"]).with(5);
    row("kill -9 during a one-shot read, the result used up", 1, 1, at.elapsed());
    let line = after.line(|line| line["type"] == "state").unwrap();
    assert_eq!((&line["state"], &line["lost_because"]), (&"lost".into(), &"reader died".into()));
    assert_eq!(bench.known("job-1")["lost_because"], "reader died");
    let error = bench.run(&["show", "job-1", "--error"]);
    assert!(error.text().starts_with("reader died:"), "{error:?}");
}

#[test]
fn after_a_kill_the_next_run_reads_the_result_if_the_service_still_has_it() {
    let hanging = result().fault(Fault::StallHead(Duration::from_secs(45)));
    let bench = Bench::new().job("unstract", "job-1", [hanging, executing(), result(), acknowledged()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    watch.kill();
    let at = Instant::now();
    bench.run(&["watch"]).with(0);
    row("kill -9 during a one-shot read, the result still there", 1, 0, at.elapsed());
    assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 3));
}

#[test]
fn what_had_come_of_a_reply_before_a_kill_is_found_by_the_next_run() {
    let body = large_result(300 << 10);
    let cut = crate::support::script::Scripted::json(200, body.clone())
        .fault(Fault::StallAfter(200 << 10, Duration::from_secs(45)));
    let bench = Bench::new().job("unstract", "job-1", [cut, acknowledged()]);
    let watch = bench.start(&["watch"]);
    bench.until_spooled(190 << 10);
    watch.kill();
    bench.run(&["watch"]).with(5);
    let known = bench.known("job-1");
    assert_eq!((&known["state"], &known["saved"]), (&"lost".into(), &Value::Null));
    assert!(["cut", "reader died"].contains(&known["lost_because"].as_str().unwrap()), "{known}");
    let kept = bench.body("job-1");
    assert!(kept.len() >= 64 << 10 && body.as_bytes().starts_with(&kept), "{} bytes are kept", kept.len());
}

#[test]
fn of_two_processes_one_reads_and_after_its_kill_the_other_does() {
    let replies = [times(40, &executing()), vec![result(), acknowledged()]].concat();
    let bench = Bench::new().poll("interval = \"100ms\"\nmax_interval = \"100ms\"").job("unstract", "job-1", replies);
    let first = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    let second = bench.start(&["watch", "--format", "jsonl", "-v"]);
    second.until_said("following");
    let at = Instant::now();
    first.kill();
    let ended = second.end().with(0);
    row("kill -9 of the reader, another process takes over", 1, 0, at.elapsed());
    assert_eq!(ended.summary()["succeeded"], 1);
    assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 41));
}

#[test]
fn two_processes_together_use_a_result_up_once_and_both_know_it() {
    let replies = [times(10, &executing()), vec![result(), acknowledged()]].concat();
    let bench = Bench::new().job("unstract", "job-1", replies);
    let both = [0, 1].map(|_| bench.start(&["watch", "--format", "jsonl"]));
    let at = Instant::now();
    for watch in both {
        let ended = watch.end().with(0);
        assert_eq!(ended.summary()["succeeded"], 1, "{ended:?}");
    }
    row("two processes over one job", 2, 0, at.elapsed());
    assert_eq!(bench.script.reads("job-1"), 11, "no read after the one that used it up");
}

#[test]
fn a_reader_of_the_output_who_leaves_costs_no_result() {
    let late = result().fault(Fault::StallHead(Duration::from_millis(1500)));
    let bench = Bench::new().job("vessl", "job-0", [crate::support::pending()]).job(
        "unstract",
        "job-1",
        [late, acknowledged()],
    );
    for format in ["jsonl", "plain"] {
        let bench = if format == "jsonl" { &bench } else { &slow() };
        let mut child = bench
            .command(&["watch", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        bench.until_read("job-1", 1);
        drop(out);
        let at = Instant::now();
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert!(!err.to_lowercase().contains("broken pipe") && !err.contains("panicked"), "{err}");
        if format == "jsonl" {
            assert_eq!((ended.status.code(), bench.body("job-1")), (Some(4), RESULT.into()), "{err}");
            row("standard output is closed (EPIPE) during a one-shot read", 1, 0, at.elapsed());
        } else {
            assert!([Some(0), Some(4)].contains(&ended.status.code()), "{err}");
        }
    }
}

#[test]
fn a_time_limit_waits_for_the_result_that_is_under_way() {
    let late = result().fault(Fault::StallHead(Duration::from_secs(5)));
    let bench = Bench::new().job("vessl", "job-0", [crate::support::pending()]).job(
        "unstract",
        "job-1",
        [late, acknowledged()],
    );
    let at = Instant::now();
    let ended = bench.run(&["watch", "--format", "jsonl", "--timeout", "2s"]).with(4).said("waiting for 1 result");
    assert_eq!((&ended.summary()["succeeded"], &ended.summary()["queued"]), (&1.into(), &1.into()));
    row("--timeout 2s during a one-shot read of 5 s", 1, 0, at.elapsed());
    assert_eq!(bench.body("job-1"), RESULT.as_bytes());
}

#[test]
fn a_stop_and_a_continuation_cost_no_result() {
    let bench = slow();
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 2);
    watch.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(2));
    watch.signal(Signal::CONT);
    let at = Instant::now();
    watch.end().with(0);
    row("SIGSTOP for 2 s during a one-shot read, then SIGCONT", 1, 0, at.elapsed());
    assert_eq!((bench.body("job-1"), bench.script.reads("job-1")), (RESULT.into(), 2));
}
