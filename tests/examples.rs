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
    let own = bench.home().join("bin");
    let path = format!("{}:{}:{}", own.display(), binary.display(), std::env::var("PATH").unwrap());
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

/// The block of the guide that holds this text.
fn block_of_the_guide(text: &str) -> String {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).unwrap();
    let blocks = guide.split("```").skip(1).step_by(2);
    let block = blocks.into_iter().find(|block| block.contains(text)).unwrap();
    block.split_once('\n').unwrap().1.to_owned()
}

/// Makes a program of a test's own: the first on the path of `run`.
fn program(bench: &Bench, name: &str, script: &str) {
    let bin = bench.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = bin.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_recipe_for_slack_sends_any_message_as_json() {
    let bench = batch();
    program(&bench, "curl", "for word; do case $word in \\{*) printf %s \"$word\" > \"$HOME/sent\";; esac; done");
    let block: toml::Table = block_of_the_guide("SLACK_WEBHOOK").parse().unwrap();
    let words = block["notify"]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    let words: Vec<String> = words.collect();
    for message in ["jobs: 3 failed", r#"a "quoted" \ and \n, $(touch pwned) `x`"#, "ünïcode – 漢"] {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(message);
        let ended = run(&bench, command);
        assert!(ended.status.success(), "{ended:?}");
        let sent: serde_json::Value =
            serde_json::from_slice(&std::fs::read(bench.home().join("sent")).unwrap()).unwrap();
        assert_eq!(sent["text"], message);
    }
    assert!(!bench.home().join("pwned").exists());
}

#[test]
fn the_recipe_for_sending_failed_jobs_again_adds_what_the_service_answers() {
    let bench = batch().also(&block_of_the_guide("run = [\"./resubmit.sh\", \"./inbox/{name}\"]"));
    let script = block_of_the_guide("# resubmit.sh FILE");
    let path = bench.home().join("resubmit.sh");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program(&bench, "curl", "echo \"$@\" > \"$HOME/curl-args\"; echo '{\"id\": \"again-1\"}'");
    bench.run(&["once"]);
    let mut command = bench.command(&["run", "resubmit", "--filter", "reason:~\"no such\""]);
    let bin = bench.home().join("bin");
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    let ended = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "vessl/again-1\n", "{ended:?}");
    let args = std::fs::read_to_string(bench.home().join("curl-args")).unwrap();
    assert!(args.contains(&format!("Bearer {TOKEN}")) && args.contains("files=@./inbox/"), "{args}");
    assert!(std::fs::read_to_string(bench.home().join("jobs.toml")).unwrap().contains("again-1"));
}

#[test]
fn the_script_of_the_guide_for_ci_takes_the_results_and_exits_with_the_batch_s_code() {
    if Command::new("jq").arg("--version").output().is_err() {
        println!("skipped: there is no jq");
        return;
    }
    let bench = batch();
    let mut bash = Command::new("bash");
    bash.args(["-e", "-c", &block_of_the_guide("jobdeck watch --export results")]);
    let ended = run(&bench, bash);
    check(&bench, &ended);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout).lines().count(), 1, "{ended:?}");
}
