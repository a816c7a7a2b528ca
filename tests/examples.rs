//! The examples of the documents are run as they stand: the Makefile, and the steps of the GitHub Actions job.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[expect(dead_code, reason = "what other tests need of it is of no use here")]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{Bench, TOKEN, TOKEN_VARIABLE, done, result};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name)
}

/// A batch of which one job succeeds at each of two services, and one fails.
fn batch() -> Bench {
    Bench::new()
        .job("unstract", "6b1f2f0a-7d5e-4c39-9d2c-0a3f5e8b1c77", [result()])
        .job("vessl", "job-1", [done("words")])
        .job(
            "vessl",
            "job-2",
            [support::script::Scripted::json(200, r#"{"status":"failed","fail_reason":"no such page"}"#)],
        )
}

/// Runs a command in the bench's home, where jobdeck is on the path.
fn run(bench: &Bench, mut command: Command) -> Output {
    // It writes the jobs file.
    drop(bench.command(&["status"]));
    let binary = Path::new(env!("CARGO_BIN_EXE_jobdeck")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    command
        .current_dir(bench.home())
        .env("PATH", path)
        .env("HOME", bench.home())
        .env("XDG_STATE_HOME", bench.home().join("state"))
        .env("GITHUB_STEP_SUMMARY", bench.home().join("summary.md"))
        .env(TOKEN_VARIABLE, TOKEN)
        .output()
        .unwrap()
}

fn check(bench: &Bench, ended: &Output) {
    let said = String::from_utf8_lossy(&ended.stderr);
    let text = |name: &str| {
        std::fs::read_to_string(bench.home().join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{said}"))
    };
    assert!(text("events.jsonl").lines().count() >= 3, "{said}");
    assert!(text("summary.md").contains("| "), "{said}");
    assert!(std::fs::read_dir(bench.home().join("results")).unwrap().count() >= 3, "{said}");
    assert!(!said.contains(TOKEN));
}

#[test]
fn the_makefile_follows_a_batch_takes_its_results_away_and_fails_when_a_job_did() {
    let bench = batch();
    let mut make = Command::new("make");
    make.arg("-f").arg(example("Makefile")).arg("batch");
    if Command::new("make").arg("--version").output().is_err() {
        println!("skipped: there is no make");
        return;
    }
    let ended = run(&bench, make);
    check(&bench, &ended);
    // make's own code for a recipe that failed; which code it was is in what it says.
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("Error 3"));
}

#[test]
fn the_step_of_the_actions_job_follows_a_batch_and_exits_with_its_code() {
    let text = std::fs::read_to_string(example("batch.yml")).unwrap();
    let step = text.split("- name: follow the batch\n        run: |\n").nth(1).unwrap();
    let lines = step.lines().map_while(|line| line.strip_prefix("          "));
    let bench = batch();
    let mut bash = Command::new("bash");
    // As the service's runners call it.
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &lines.collect::<Vec<_>>().join("\n")]);
    let ended = run(&bench, bash);
    check(&bench, &ended);
    assert_eq!(ended.status.code(), Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
}
