//! Whole batches from outside: `demo --serve` gives the services, the other commands follow its jobs. Where a test has
//! to know what comes when, the services are scripted.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[expect(dead_code, reason = "it is shared with tests that need other parts of it")]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Bench, done, hear_hangups, pending};
use tempfile::TempDir;

/// Simulated services, and a directory with the jobs file that they printed.
struct Services {
    home: TempDir,
    child: Child,
    _stdout: ChildStdout,
}

impl Services {
    fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = jobdeck(home.path(), &["demo", "--serve"]);
        let mut child = command.args(args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // The note on stderr comes after the whole file was printed.
        let mut note = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut note).unwrap();
        assert!(note.contains("http://127.0.0.1:"), "{note}");
        let mut stdout = child.stdout.take().unwrap();
        let mut file = vec![0; 1 << 20];
        let read = stdout.read(&mut file).unwrap();
        std::fs::write(home.path().join("jobs.toml"), &file[..read]).unwrap();
        Self { home, child, _stdout: stdout }
    }

    fn jobdeck(&self, args: &[&str]) -> Command {
        jobdeck(self.home.path(), args)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.jobdeck(args).output().unwrap()
    }

    /// A run that reads this from its standard input.
    fn piped(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.jobdeck(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The body that the services answer to a request.
    fn asked(&self, method: &str, path: &str, header: &str) -> Vec<u8> {
        let file = std::fs::read_to_string(self.home.path().join("jobs.toml")).unwrap();
        let address = file.split("http://").nth(1).unwrap().split('/').next().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        reply.split_off(end + 4)
    }

    fn posted(&self, path: &str, header: &str) -> String {
        String::from_utf8(self.asked("POST", path, header)).unwrap()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn jobdeck(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_jobdeck")));
    command.current_dir(home).env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
    command.env("XDG_STATE_HOME", home.join("state")).args(args).stdin(Stdio::null());
    hear_hangups(&mut command);
    command
}

fn lines(stdout: &[u8]) -> Vec<Value> {
    String::from_utf8(stdout.to_vec()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

const STATES: [&str; 8] = ["queued", "running", "succeeded", "partial", "failed", "cancelled", "lost", "unknown"];

#[test]
fn a_watch_ends_with_a_truthful_summary_and_everything_is_there_offline() {
    let services = Services::start(&["--jobs", "60", "--seed", "1", "--speed", "40"]);
    let watch = services.run(&["watch", "--format", "jsonl"]);
    let lines = lines(&watch.stdout);
    let summary = lines.last().unwrap();
    assert_eq!(watch.status.code(), Some(5), "{summary}");
    assert_eq!((&summary["type"], &summary["total"], &summary["exit"]), (&"summary".into(), &60.into(), &5.into()));
    assert_eq!(STATES.iter().map(|state| summary[state].as_u64().unwrap()).sum::<u64>(), 60);

    let mut last = std::collections::BTreeMap::new();
    for line in lines.iter().filter(|line| line["type"] == "state") {
        let before = last.insert(line["job"].as_str().unwrap(), line);
        assert_eq!(line["previous"], before.map_or(Value::Null, |before| before["state"].clone()), "{line}");
    }
    for state in STATES {
        let count = last.values().filter(|line| line["state"] == state).count() as u64;
        assert_eq!(summary[state], count, "{state}");
    }

    drop_network_and_compare(services, &last);
}

/// What `watch` said last is what `status` says from disk, and `show` gives the bytes that it counted.
fn drop_network_and_compare(mut services: Services, last: &std::collections::BTreeMap<&str, &Value>) {
    services.child.kill().unwrap();
    let status = services.run(&["status", "--format", "jsonl"]);
    assert_eq!(status.status.code(), Some(5));
    for line in lines(&status.stdout).iter().filter(|line| line["type"] == "state") {
        let watched = last[line["job"].as_str().unwrap()];
        for key in ["state", "provider_status", "fail_reason", "saved", "lost_because", "files", "finished_at"] {
            assert_eq!(line[key], watched[key], "{key} of {line}");
        }
        if let Some(bytes) = line["saved"]["bytes"].as_u64() {
            let body = services.run(&["show", line["job"].as_str().unwrap(), "--body"]);
            assert_eq!((body.status.code(), body.stdout.len() as u64), (Some(0), bytes), "{line}");
        }
    }
    let export = |format: &str| {
        let run = services.run(&["export", "out", "--format", format]);
        assert_eq!(run.status.code(), Some(0), "{run:?}");
        String::from_utf8(run.stderr).unwrap()
    };
    let all = services.run(&["status", "--all", "--format", "csv", "-c", "/nowhere"]);
    assert_eq!(String::from_utf8(all.stdout).unwrap().lines().filter(|line| line.contains("/")).count(), 60);
    export("files");
    for format in ["csv", "jsonl"] {
        let file = format!("out/jobs.{format}");
        assert!(export(format).contains(&format!("to {file};")), "it names the file");
        assert!(export(format).contains(&format!("to {file} (it was there already)")), "nothing is written twice");
    }
    let folders = std::fs::read_dir(services.home.path().join("out")).unwrap();
    let saved = last.values().filter(|line| !line["saved"].is_null()).count();
    // A folder for each saved result, the two tables, and the summary of the folders.
    assert_eq!(folders.count(), saved + 3);
}

#[test]
fn the_exit_code_is_that_of_the_selected_jobs() {
    let services = Services::start(&["--jobs", "60", "--seed", "1", "--speed", "40"]);
    for (filter, code) in [("name:summary-*", 0), ("name:fax-*", 3), ("name:weekend-*", 5)] {
        for command in [&["watch"][..], &["once"], &["status"]] {
            let run = services.jobdeck(command).args(["--filter", filter]).output().unwrap();
            assert_eq!(run.status.code(), Some(code), "{command:?} {filter}: {run:?}");
        }
    }
    assert_eq!(services.run(&["status"]).status.code(), Some(5));
    assert_eq!(services.run(&["watch", "--filter", "name:nobody"]).status.code(), Some(2));
}

#[test]
fn a_watch_that_runs_out_of_time_says_what_is_unfinished() {
    let services = Services::start(&["--jobs", "3", "--seed", "2", "--speed", "0.05"]);
    let watch = services.run(&["watch", "--format", "jsonl", "--timeout", "700ms"]);
    let summary = lines(&watch.stdout).pop().unwrap();
    assert_eq!(watch.status.code(), summary["exit"].as_i64().map(|exit| exit as i32));
    assert!([Some(4), Some(6)].contains(&watch.status.code()), "{summary}");
    let said = String::from_utf8(watch.stderr).unwrap();
    assert!(said.contains("timed out after 700 ms: 3 of 3 jobs unfinished; run it again to go on"), "{said}");
}

#[test]
fn a_signal_ends_a_watch_in_good_order_with_its_own_exit_code() {
    let services = Services::start(&["--jobs", "20", "--seed", "3", "--speed", "0.5"]);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut watch = services.jobdeck(&["watch", "--format", "jsonl"]);
        let mut child = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut text, mut said) = (String::new(), String::new());
        out.read_line(&mut text).unwrap();
        send(&child, signal);
        out.read_to_string(&mut text).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(said.lines().last().is_some_and(|line| line.starts_with("jobdeck: interrupted (SIG")), "{said}");
        let summary = lines(text.as_bytes()).pop().unwrap();
        assert_eq!((&summary["type"], &summary["exit"]), (&"summary".into(), &code.into()));
    }
}

#[test]
fn a_watch_that_is_stopped_by_the_shell_leaves_its_jobs_to_another() {
    let services = Services::start(&["--jobs", "60", "--seed", "1", "--speed", "20"]);
    let watch = |stdout: Stdio| {
        let mut watch = services.jobdeck(&["watch", "--format", "jsonl", "--filter", "name:summary-*"]);
        watch.stdout(stdout).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut stopped = watch(Stdio::piped());
    let mut out = BufReader::new(stopped.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    send(&stopped, Signal::TSTP);
    assert_eq!(watch(Stdio::null()).wait().unwrap().code(), Some(0), "it takes over what the stopped one had claimed");
    assert_eq!(stopped.try_wait().unwrap(), None);
    send(&stopped, Signal::CONT);
    stopped.wait().unwrap();
}

#[test]
fn a_reader_who_leaves_ends_a_watch_by_the_table_even_while_nothing_happens() {
    let services = Services::start(&["--jobs", "20", "--seed", "3", "--speed", "0.5"]);
    let mut watch = services.jobdeck(&["watch", "--format", "jsonl"]);
    let mut child = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let code = child.wait().unwrap().code();
    assert!([Some(3), Some(4), Some(5), Some(6)].contains(&code), "{code:?}");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(!err.to_lowercase().contains("broken pipe") && !err.contains("panicked"), "{err}");
}

#[test]
fn the_first_failure_ends_a_watch_where_that_is_asked_for() {
    let services = Services::start(&["--jobs", "60", "--seed", "1", "--speed", "40"]);
    let watch = services.run(&["watch", "--format", "jsonl", "--until", "first-failure"]);
    assert!([Some(3), Some(5)].contains(&watch.status.code()), "{watch:?}");
    let summary = lines(&watch.stdout).pop().unwrap();
    assert!(summary["running"].as_u64().unwrap() + summary["queued"].as_u64().unwrap() > 0, "{summary}");
}

#[test]
fn a_check_asks_each_service_one_harmless_thing() {
    let services = Services::start(&["--jobs", "60", "--seed", "1", "--speed", "1"]);
    assert_eq!(services.run(&["check"]).status.code(), Some(0));
    let check = services.run(&["check", "--online"]);
    let said = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("OK, token accepted").count(), 7, "{said}");
}

#[test]
fn what_a_service_answers_to_a_submission_can_be_added_as_it_stands() {
    let services = Services::start(&["--jobs", "0", "--seed", "1", "--speed", "20"]);
    let cases = [
        ("invoices", "/deployment/api/org_Kq3ZtV81nPx/invoice-extract/", "Authorization: Bearer ", "Unauthorized"),
        ("llama", "/api/v1/services/k3v9m2q7xw1d/async", "Authorization: Bearer ", "Invalid token."),
        ("portals", "/api/v1/inference", "x-api-key: ", "Invalid API key"),
        ("ocr", "/api/v2/whisper", "unstract-key: ", "Access denied due to invalid subscription key."),
        ("farm", "/farm/api/jobs", "Authorization: Bearer ", "this key opens nothing here"),
    ];
    for (service, path, header, refusal) in cases {
        let add = ["add", service, "-"];
        let refused = services.piped(&add, &services.posted(path, &format!("{header}wrong")));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(said, format!("jobdeck: the service began no job: {refusal}\nnothing was added\n"));
        assert_eq!(refused.status.code(), Some(2));
        let added = services.piped(&add, &services.posted(path, &format!("{header}key")));
        let label = String::from_utf8(added.stdout).unwrap();
        assert_eq!((added.status.code(), added.stderr.as_slice()), (Some(0), &b""[..]));
        assert!(label.starts_with(&format!("{service}/")) && label.lines().count() == 1, "{label}");
    }
    // A page where an answer was due: a proxy's, or a wrong address.
    let bad_gateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>\n".to_owned();
    let pages = [(bad_gateway, "502 Bad Gateway"), (services.posted("/deployment/api/x", "A: b"), "Not Found")];
    for (page, title) in pages {
        let refused = services.piped(&["add", "invoices", "-"], &page);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            said.contains(&format!("no job was begun: a web page came in place of the service's answer: {title}")),
            "{said}"
        );
        assert!(!said.contains("white space") && refused.status.code() == Some(2), "{said}");
    }
    assert_eq!(services.run(&["watch"]).status.code(), Some(0));
    let status = services.run(&["status", "--format", "jsonl"]);
    let jobs: Vec<Value> = lines(&status.stdout).into_iter().filter(|line| line["type"] == "state").collect();
    assert_eq!(jobs.len(), 5);
    for job in jobs {
        let id = job["id"].as_str().unwrap().replace('|', "%7C");
        let handed_out = services.asked("GET", &format!("/demo/body/{id}"), "A: b");
        assert_eq!(services.run(&["show", job["job"].as_str().unwrap(), "--body"]).stdout, handed_out, "{job}");
    }
}

#[test]
fn a_watch_puts_a_changed_jobs_file_in_force_and_ends_with_its_last_job() {
    let bench = Bench::new().job("vessl", "job-1", [pending()]);
    let watch = bench.start(&["watch", "--format", "jsonl"]);
    bench.until_read("job-1", 1);
    let path = bench.home().join("jobs.toml");
    let first = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{first}colour = 1\nnme = \"x\"\n")).unwrap();
    for part in ["unknown key `colour`", "unknown key `nme`", "^^^^^^", "still applies"] {
        watch.until_said(part);
    }
    let bench = bench.job("vessl", "job-2", [done("x")]);
    drop(bench.command(&[]));
    watch.until_said("1 job added");
    bench.until_read("job-2", 1);
    let both = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, both.replace("\"job-1\"", "\"job-2\"").replacen("id = \"job-2\"", "ids = []", 1)).unwrap();
    let ended = watch.end().with(0).said("1 job removed");
    let summary = ended.summary();
    assert_eq!((&summary["total"], &summary["succeeded"]), (&1.into(), &1.into()), "{ended:?}");
    let first = ended.lines().into_iter().find(|line| line["id"] == "job-2").unwrap();
    assert_eq!((&first["type"], &first["previous"]), (&"state".into(), &Value::Null));
}

#[test]
fn of_a_changed_jobs_file_a_watch_takes_what_it_followed_already_and_what_its_filter_matches() {
    let bench = Bench::new();
    bench.script.on("job-1", [pending()]);
    let bench = bench.declared("vessl", "job-1", "tags = [\"nov\"]");
    let watch =
        bench.start(&["watch", "--format", "jsonl", "--filter", "tag:nov state:unknown", "--until", "first-failure"]);
    bench.until_read("job-1", 1);
    let failed = support::script::Scripted::json(200, r#"{"status":"failed","fail_reason":"no"}"#);
    bench.script.on("job-3", [failed]);
    let bench = bench.job("vessl", "job-2", [pending()]).declared("vessl", "job-3", "tags = [\"nov\"]");
    drop(bench.command(&[]));
    let ended = watch.end().with(3).said("1 job added").said("left at the first failure: 1 of 2 jobs unfinished");
    assert_eq!(bench.script.reads("job-2"), 0, "{ended:?}");
}

#[test]
fn a_watch_that_begins_again_tells_what_was_known_from_what_happens() {
    let bench = Bench::new().job("vessl", "job-1", [done("x")]);
    let first = bench.run(&["watch"]).with(0).text();
    assert!(first.starts_with(|c: char| c.is_ascii_digit()) && first.contains("vessl/job-1"), "{first}");
    let again = bench.run(&["watch"]).with(0).text();
    assert!(again.starts_with("known     ✓ DONE  vessl/job-1"), "{again}");
}

/// Of these the reference names the first and the last.
const SUMMED: [&str; 13] = [
    "queued",
    "running",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
    "lost",
    "unknown",
    "newly_failed",
    "fixed",
    "slower",
    "dearer",
    "other_output",
];

/// Two batches one after the other in one state directory: the jobs `kept`, `broken`, `mended` and `changed` of each.
fn two_batches() -> Bench {
    let failed = || support::script::Scripted::json(200, r#"{"status":"failed","fail_reason":"no GPU"}"#);
    let runs = [
        ("october", [done(r#"{"n":1}"#), done("x"), failed(), done(r#"{"total":1,"vendor":"a"}"#)]),
        ("november", [done(r#"{"n":1}"#), failed(), done("x"), done(r#"{"total":2,"vendor":"a"}"#)]),
    ];
    let bench = Bench::new();
    let url = bench.script.url("/api/v1/services/slug");
    for (batch, replies) in runs {
        let mut file = format!(
            "batch = \"{batch}\"\n[poll]\ninterval = \"50ms\"\n[services.vessl]\nprovider = \"vessl\"\nbase_url = \"{url}\"\n\
             token = {{ env = \"{}\" }}\n",
            support::TOKEN_VARIABLE
        );
        for (name, reply) in ["kept", "broken", "mended", "changed"].into_iter().zip(replies) {
            let id = format!("{batch}-{name}");
            bench.script.on(&id, [reply]);
            file.push_str(&format!("[[jobs]]\nservice = \"vessl\"\nid = \"{id}\"\nname = \"{name}\"\n"));
        }
        std::fs::write(bench.home().join(format!("{batch}.toml")), file).unwrap();
        bench.run(&["watch", "-c", &format!("{batch}.toml")]).with(3);
    }
    bench
}

#[test]
fn the_batches_on_disk_are_listed_with_what_they_came_to_and_compared_job_by_job() {
    let bench = two_batches();
    let listed = bench.run(&["batches", "--format", "jsonl"]).with(0).lines();
    let named: Vec<_> = listed.iter().map(|line| line["batch"].as_str().unwrap()).collect();
    assert_eq!(named, ["october", "november"]);
    for line in &listed {
        assert_eq!((&line["jobs"], &line["succeeded"], &line["failed"]), (&4.into(), &3.into(), &1.into()), "{line}");
        assert!(line["first"].as_str() <= line["last"].as_str() && line["first"].is_string(), "{line}");
    }
    let table = bench.run(&["batches"]).with(0).text();
    assert!(table.starts_with("BATCH") && table.contains("3 succeeded, 1 failed"), "{table}");
    let csv = bench.run(&["batches", "--format", "csv"]).with(0).text();
    assert!(csv.starts_with("batch,first,last,jobs,") && csv.lines().count() == 3, "{csv}");

    let compared = bench.run(&["compare", "october", "november", "--format", "jsonl"]).with(3).lines();
    let changed: Vec<_> = compared.iter().filter(|line| line["type"] == "change").collect();
    let of = |change: &str| changed.iter().find(|line| line["change"] == change).unwrap();
    assert_eq!(of("newly_failed")["name"], "broken");
    assert_eq!(of("fixed")["name"], "mended");
    assert_eq!((&of("other_output")["name"], &of("other_output")["fields"][0]), (&"changed".into(), &"total".into()));
    let summary = compared.last().unwrap();
    assert_eq!((&summary["jobs"], &summary["other_output"], &summary["exit"]), (&4.into(), &1.into(), &3.into()));
    let reference = include_str!("../docs/reference.md");
    let figures = bench.run(&["stats", "--all", "--format", "jsonl"]).with(0).lines();
    for line in listed.iter().chain(&compared).chain(&figures) {
        for key in line.as_object().unwrap().keys() {
            let is_named = reference.contains(&format!("`{key}`"))
                || reference.contains(&format!("`{key}, "))
                || reference.contains(&format!(", {key}`"))
                || reference.contains(&format!(", {key}, "))
                || SUMMED.contains(&key.as_str());
            assert!(is_named, "{key} of {line}");
        }
    }
    let table = bench.run(&["compare", "october", "november"]).with(3).text();
    assert!(
        table.contains("succeeded -> failed: no GPU") && table.contains("4 jobs in both: 1 newly failed"),
        "{table}"
    );
}

#[test]
fn a_batch_is_no_worse_than_itself_and_one_that_is_not_there_is_a_usage_error() {
    let bench = two_batches();
    let same = bench.run(&["compare", "november", "november", "--by", "id"]).with(0).text();
    assert_eq!(same.trim_end(), "4 jobs in both: nothing differs");
    let strangers = ["compare", "october", "november", "--by", "id"];
    let said = bench.run(&strangers).with(2).said("no job of B has the id of one of A; `--by name` compares").text();
    assert_eq!(said.trim_end(), "nothing to compare: no job is in both (4 jobs only in A, 4 jobs only in B)");
    let line = bench.run(&[&strangers[..], &["--format", "jsonl"]].concat()).with(2).lines().remove(0);
    assert_eq!((&line["jobs"], &line["only_a"], &line["exit"]), (&0.into(), &4.into(), &2.into()));
    let jobs = bench.run(&["compare", "october-changed", "vessl/november-changed"]).with(0).text();
    assert!(jobs.contains("other output  changed  total") && jobs.contains("1 job in both: 1 other output"), "{jobs}");
    bench.run(&["compare", "october-broken", "november-broken"]).with(3);
    bench.run(&["compare", "octobr", "november"]).with(2).said("did you mean october?");
    bench.run(&["compare", "october", "zebra"]).with(2).said("`jobdeck batches` lists what is there");
}

#[test]
fn what_a_service_answers_to_a_submission_is_added_as_it_stands_and_a_refusal_is_said_in_its_words() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl");
        return;
    }
    let services = Services::start(&["--jobs", "6", "--seed", "5"]);
    let file = std::fs::read_to_string(services.home.path().join("jobs.toml")).unwrap();
    let of = |provider: &str| {
        let table = file.split("[services.").find(|table| table.contains(&format!("\"{provider}\"")))?;
        let url = table.split("url = \"").nth(1)?.split('"').next()?;
        Some((table.split(']').next()?.to_owned(), url.to_owned()))
    };
    let submit = |name: &str, curl: &str| {
        let binary = env!("CARGO_BIN_EXE_jobdeck");
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("curl -sS {curl} | '{binary}' add {name} - --tag sent")]);
        sh.current_dir(services.home.path()).env("HOME", services.home.path()).output().unwrap()
    };
    let (invoices, url) = of("unstract").unwrap();
    let (llama, base) = of("vessl").unwrap();
    let sent = [
        (&invoices, format!("-H 'Authorization: Bearer demo' -F files=@jobs.toml '{url}'")),
        (&llama, format!("-H 'Authorization: Bearer demo' -X POST -d '{{}}' '{base}/async'")),
    ];
    for (name, curl) in &sent {
        let added = submit(name, curl);
        assert_eq!(added.status.code(), Some(0), "{name}: {added:?}");
    }
    let watched = services.run(&["once", "--filter", "tag:sent", "--format", "jsonl"]);
    let states = lines(&watched.stdout);
    assert_eq!(states.iter().filter(|line| line["type"] == "state").count(), 2, "{watched:?}");
    let before = std::fs::read(services.home.path().join("jobs.toml")).unwrap();
    let refused = [
        (&invoices, format!("-F files=@jobs.toml '{url}'"), "the service began no job: "),
        (&invoices, format!("-H 'Authorization: Bearer wrong' -X POST '{url}'"), "the service began no job: "),
        (&llama, format!("-X POST -d '{{}}' '{base}/async'"), "the service began no job: "),
    ];
    for (name, curl, said) in &refused {
        let added = submit(name, curl);
        let err = String::from_utf8_lossy(&added.stderr).into_owned();
        assert!(added.status.code() == Some(2) && err.contains(said), "{name}: {added:?}");
    }
    assert_eq!(std::fs::read(services.home.path().join("jobs.toml")).unwrap(), before, "nothing was added");
}

/// A browser that shows no window, where there is one.
fn browser() -> Option<&'static str> {
    let names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
    names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success()))
}

#[test]
fn a_browser_reads_and_prints_the_report_and_runs_nothing_that_a_stranger_wrote() {
    let Some(browser) = browser() else {
        println!("skipped: there is no browser");
        return;
    };
    let hostile =
        "</script></table><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let failed = serde_json::json!({"status": "failed", "status_code": 500, "fail_reason": hostile});
    let bench = Bench::new().job("vessl", "good", [done("x")]).job(
        "vessl",
        "bad",
        [support::script::Scripted::json(200, failed.to_string())],
    );
    bench.run(&["once"]);
    bench.run(&["report", "report.html"]).with(0);
    let page = format!("file://{}", bench.home().join("report.html").display());
    let see = |what: &str| {
        let mut run = Command::new(browser);
        run.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"]);
        run.arg(format!("--user-data-dir={}", bench.home().join("browser").display()));
        run.args([what, &page]).current_dir(bench.home()).output().unwrap()
    };
    let seen = see("--dump-dom");
    let dom = String::from_utf8(seen.stdout).unwrap();
    assert!(dom.contains("<h1>jobs") && !dom.contains("<title>owned"), "{dom}");
    assert!(dom.contains("&lt;img src=x") && !dom.contains("<img"), "{dom}");
    let head = dom.split("id=\"jobs\"").nth(1).and_then(|table| table.split("</thead>").next()).unwrap();
    assert_eq!(head.matches("cursor: pointer").count(), head.matches("<th").count() - 1, "the table can be sorted");
    see("--print-to-pdf=report.pdf");
    assert!(std::fs::read(bench.home().join("report.pdf")).unwrap().starts_with(b"%PDF"));
}
