//! Hooks, from outside: run once for each event, whoever dies in between, and never for what was over before.

use std::os::unix::fs::PermissionsExt;

use crate::support::script::Scripted;
use crate::support::{Bench, done, executing, pending, result, wait_for};

fn failed(reason: &str) -> Scripted {
    let body = serde_json::json!({"status": "failed", "status_code": 500, "fail_reason": reason});
    Scripted::json(200, body.to_string())
}

/// A script of this name in the home; what it is given on standard input is appended to `log` first.
fn script(bench: &Bench, text: &str) {
    let path = bench.home().join("hook.sh");
    std::fs::write(&path, format!("#!/bin/sh\ncat >> log\necho \"end $JOBDECK_EVENT\" >> log\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn log(bench: &Bench) -> String {
    std::fs::read_to_string(bench.home().join("log")).unwrap_or_default()
}

/// How often a hook was run to its end.
fn runs(bench: &Bench) -> usize {
    log(bench).lines().filter(|line| line.starts_with("end")).count()
}

fn hook(more: &str) -> String {
    format!("[[hooks]]\nrun = [\"./hook.sh\"]\n{more}")
}

#[test]
fn a_hook_is_run_once_for_each_event_of_the_jobs_that_it_is_about() {
    let bench = Bench::new()
        .job("vessl", "good", [pending(), done("x")])
        .job("vessl", "bad", [pending(), failed("it broke")])
        .job("vessl", "other", [failed("this too")])
        .also(&hook("on = [\"failed\", \"lost\"]\nfilter = \"!id:other\""));
    script(&bench, "");
    bench.run(&["watch"]).with(3);
    let said = log(&bench);
    assert_eq!(runs(&bench), 1, "{said}");
    assert!(said.contains("\"id\":\"bad\"") && said.contains("\"fail_reason\":\"it broke\""), "{said}");
    assert!(said.contains("\"previous\":\"queued\",\"provider_status\""), "the state before: {said}");
    assert!(said.contains("\"type\":\"state\"") && said.contains("end failed"), "{said}");
    bench.run(&["watch"]).with(3);
    bench.run(&["once"]).with(3);
    assert_eq!(runs(&bench), 1, "not again: {}", log(&bench));
}

#[test]
fn what_was_over_before_the_hook_stood_in_the_file_is_no_event() {
    let bench = Bench::new().job("vessl", "bad", [failed("it broke")]);
    bench.run(&["watch"]).with(3);
    let bench = bench.also(&hook("on = [\"failed\", \"over\", \"finished\", \"first-failure\"]"));
    script(&bench, "");
    bench.run(&["watch"]).with(3);
    assert_eq!(log(&bench), "");
}

#[test]
fn the_end_of_the_batch_and_its_first_failure_are_told_once_with_their_jobs() {
    let bench = Bench::new()
        .job("vessl", "one", [pending(), failed("a")])
        .job("vessl", "two", [pending(), failed("b")])
        .also(&hook("on = [\"finished\"]"))
        .also("[[hooks]]\nrun = [\"./hook.sh\"]\non = [\"first-failure\"]");
    script(&bench, "");
    bench.run(&["watch"]).with(3);
    let said = log(&bench);
    assert_eq!(said.matches("end finished").count(), 1, "{said}");
    assert_eq!(said.matches("end first-failure").count(), 1, "{said}");
    assert_eq!(said.matches("\"type\":\"state\"").count(), 3, "two jobs at the end, one at the first failure: {said}");
}

#[test]
fn what_comes_within_the_time_of_a_batch_comes_together() {
    let mut bench = Bench::new().also(&hook("on = [\"over\"]\nbatch = \"1h\""));
    for n in 0..6 {
        bench = bench.job("vessl", &format!("job-{n}"), [pending(), pending(), done("x")]);
    }
    script(&bench, "");
    bench.run(&["watch"]).with(0);
    assert_eq!(log(&bench).matches("\"type\":\"state\"").count(), 6, "{}", log(&bench));
    assert!(runs(&bench) <= 2, "one at the first event, one with the rest: {}", log(&bench));
}

#[test]
fn a_hook_that_fails_is_said_and_tried_three_times_over_restarts() {
    let bench = Bench::new().job("vessl", "bad", [failed("it broke")]).also(&hook("on = [\"failed\"]"));
    script(&bench, "echo no network >&2; exit 4");
    let first = bench.run(&["watch"]).with(3);
    assert!(first.err.contains("the hook at jobs.toml:") && first.err.contains("no network"), "{first:?}");
    assert!(first.err.contains("it is tried again"), "{first:?}");
    for _ in 0..4 {
        bench.run(&["watch"]).with(3);
    }
    assert_eq!(runs(&bench), 3, "{}", log(&bench));
}

#[test]
fn after_a_kill_in_the_middle_of_a_hook_it_is_run_again_and_never_after_it_was_done() {
    let bench = Bench::new()
        .job("unstract", "job-1", [executing(), result()])
        .job("vessl", "slow", [pending()])
        .also(&hook("on = [\"succeeded\"]"));
    script(&bench, "[ -e stay ] && { touch staying; sleep 100; }; touch finished; exit 0");
    std::fs::write(bench.home().join("stay"), "").unwrap();
    let watch = bench.start(&["watch"]);
    wait_for("the hook", || bench.home().join("staying").exists());
    watch.kill();
    std::fs::remove_file(bench.home().join("stay")).unwrap();
    let watch = bench.start(&["watch"]);
    wait_for("the hook again", || bench.home().join("finished").exists());
    // What was done is noted right after it.
    wait_for("the note", || bench.run(&["paths"]).code == Some(0) && runs(&bench) == 2);
    std::thread::sleep(std::time::Duration::from_millis(500));
    watch.kill();
    let watch = bench.start(&["watch"]);
    let before = bench.script.reads("slow");
    wait_for("polls", || bench.script.reads("slow") > before + 3);
    watch.kill();
    assert_eq!(runs(&bench), 2, "{}", log(&bench));
}

#[test]
fn a_hook_that_hangs_holds_up_no_poll_and_leaving_only_for_a_moment() {
    let bench = Bench::new()
        .job("vessl", "bad", [failed("it broke")])
        .job("unstract", "job-1", [executing(), executing(), result()])
        .also(&hook("on = [\"failed\"]"));
    script(&bench, "sleep 1000");
    bench.run(&["watch"]).with(3);
    assert_eq!(bench.known("job-1")["state"], "succeeded");
    assert_eq!(runs(&bench), 1);
}

#[test]
fn a_job_that_is_stuck_is_an_event_once() {
    let bench = Bench::new();
    let url = bench.script.url("/api/v1/services/slug");
    let service = format!(
        "provider = \"vessl\"\nbase_url = \"{url}\"\ntoken = {{ command = [\"echo\", \"t\"] }}\nalert_after = \"300ms\""
    );
    let bench = bench
        .service("vessl", &service)
        .job("vessl", "stuck-one", [pending()])
        .job("vessl", "quick", [done("x")])
        .also(&hook("on = [\"stuck\"]"));
    script(&bench, "");
    for _ in 0..2 {
        bench.run(&["watch", "--timeout", "2s"]).with(4);
        let said = log(&bench);
        assert_eq!((runs(&bench), said.matches("\"event\":\"stuck\"").count()), (1, 1), "{said}");
        assert!(said.contains("\"id\":\"stuck-one\""), "{said}");
    }
}

#[test]
fn the_end_of_a_batch_is_tried_three_times_over_restarts_too() {
    let bench = Bench::new()
        .job("vessl", "bad", [pending(), failed("it broke")])
        .also(&hook("on = [\"finished\", \"failed\"]"));
    script(&bench, "exit 4");
    for _ in 0..5 {
        bench.run(&["watch"]).with(3);
    }
    let said = log(&bench);
    assert_eq!(said.matches("\"event\":\"finished\"").count(), 3, "{said}");
    assert_eq!(said.matches("\"event\":\"failed\"").count(), 3, "a line for each event: {said}");
}
