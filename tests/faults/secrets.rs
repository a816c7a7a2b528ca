//! Secrets stay where they are: a canary in every token and in a gateway's key is found nowhere else afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::script::{Fault, Script, Scripted};
use crate::support::{Bench, Ended, TOKEN, acknowledged, done, executing, large_result, pending, result, wait_for};

/// In every secret of these tests.
const CANARY: &str = "canary";
const FROM_FILE: &str = "file-canary/1+2=\"x\"&<y>'z'";
const FROM_COMMAND: &str = "command-canary-9d8c7b6a";
const GATEWAY: &str = "gateway-canary-5e4f";

/// A debug page as the backend's framework makes it, with our request in it.
fn debug_page(token: &str) -> String {
    let html = token.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let html = html.replace('\'', "&#x27;");
    format!(
        "<!DOCTYPE html><html><head><title>ProgrammingError at /deployment Bearer {html}</title></head><body>\
         <h1>ProgrammingError</h1><pre>Bearer {html}</pre><td>HTTP_AUTHORIZATION</td><td>&#x27;Bearer {html}&#x27;</td>\
         <textarea>{token}</textarea></body></html>"
    )
}

fn in_json(token: &str) -> String {
    serde_json::to_string(token).unwrap().trim_matches('"').to_owned()
}

/// Three services, one for each source of a token, that echo it wherever one can.
fn echoing(elsewhere: &Script) -> Bench {
    let bench = Bench::new();
    let home = bench.home().to_owned();
    fs::write(home.join("token"), FROM_FILE).unwrap();
    let ask = home.join("ask");
    fs::write(
        &ask,
        format!(
            "#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ | grep -v ^JOBDECK_TEST_TOKEN= >{0}/seen-environ\n\
             cat /proc/$$/cmdline /proc/$PPID/cmdline >{0}/seen-cmdline\necho {FROM_COMMAND}\n",
            home.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&ask, fs::Permissions::from_mode(0o755)).unwrap();
    let vessl = format!(
        "provider = \"vessl\"\nbase_url = \"{}\"\ntoken = {{ file = \"{}\" }}",
        bench.script.url(&format!("/api/v1/services/slug?apikey={GATEWAY}")),
        home.join("token").display()
    );
    let optexity = format!(
        "provider = \"optexity\"\nbase_url = \"{}\"\ntoken = {{ command = [\"{}\", \"--field\", \"key\"] }}",
        bench.script.url(""),
        ask.display()
    );
    let away = format!("{}?x-api-key={FROM_COMMAND}", elsewhere.url("/collect"));
    let refused = |token: &str| {
        let token = in_json(token);
        Scripted::json(
            401,
            format!(r#"{{"detail":"Bad key {token}","error":"{token}","code":"{token}","x":"{token}"}}"#),
        )
        .header("Location", &format!("/{token}"))
    };
    let failed = |token: &str| {
        let token = in_json(token);
        let body = format!(
            r#"{{"status":"failed","status_code":500,"fail_reason":"sent {token}","raw_output":"{token}","output":{{"{token}":"{token}"}}}}"#
        );
        Scripted::json(200, body)
    };
    let echo = result().body_with(|body| {
        body.replace("a.pdf", &in_json(TOKEN)).replace("\"n\":1", &format!("\"n\":\"{}\"", in_json(TOKEN)))
    });
    let large = large_result(400 << 10).replace("0123456789abcdef0123456789abcdef", TOKEN);
    bench
        .service("vessl", &vessl)
        .service("optexity", &optexity)
        .job("unstract", "un-page", [executing(), Scripted::typed(500, "text/html", debug_page(TOKEN)), echo])
        .job("unstract", "un-large", [Scripted::json(200, large.clone()), acknowledged()])
        .job("unstract", "un-cut", [Scripted::json(200, large).fault(Fault::CutAfter(150 << 10)), acknowledged()])
        .job(
            "vessl",
            "ve-failed",
            [pending(), Scripted::typed(502, "text/html", debug_page(FROM_FILE)), failed(FROM_FILE)],
        )
        .job("vessl", "ve-refused", [refused(FROM_FILE), pending(), failed(FROM_FILE)])
        .job("optexity", "op-away", [Scripted::json(307, FROM_COMMAND).header("Location", &away)])
        .job("optexity", "op-refused", [Scripted::json(400, format!(r#"{{"error":"no such key {FROM_COMMAND}"}}"#))])
}

impl Scripted {
    fn body_with(mut self, change: impl Fn(&str) -> String) -> Self {
        self.body = change(std::str::from_utf8(&self.body).unwrap()).into_bytes();
        self
    }
}

#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    let found = memchr::memmem::find(bytes, CANARY.as_bytes());
    let around = found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..bytes.len().min(at + 100)]));
    assert!(found.is_none(), "a secret in {what}: …{}…", around.unwrap());
}

#[track_caller]
fn clean_run(what: &str, ended: &Ended) {
    clean(&format!("standard output of {what}"), &ended.out);
    clean(&format!("standard error of {what}"), ended.err.as_bytes());
    assert!(!ended.err.contains("panicked"), "{what}: {ended:?}");
}

#[track_caller]
fn clean_tree(dir: &Path) {
    let mut left: Vec<PathBuf> = vec![dir.to_owned()];
    let mut files = 0;
    while let Some(path) = left.pop() {
        clean("a file's name", path.to_string_lossy().as_bytes());
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            files += 1;
            clean(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
    assert!(files > 0, "nothing in {}", dir.display());
}

#[test]
fn no_secret_is_found_in_any_file_output_or_child_whatever_the_services_echo() {
    let elsewhere = Script::start().unwrap();
    let bench = echoing(&elsewhere);
    let home = bench.home().to_owned();
    for args in [
        &["once", "-v", "-v", "-v"][..],
        &["watch", "--format", "plain", "-v"],
        &["watch", "--format", "jsonl", "-vv"],
        &["check"],
        &["check", "--online"],
        &["once", "--format", "jsonl"],
        &["status"],
        &["status", "--format", "csv", "--all"],
        &["status", "--format", "jsonl"],
        &["export", "out-files"],
        &["export", "out-csv", "--format", "csv"],
        &["export", "out-jsonl", "--format", "jsonl"],
        &["paths"],
        &["status", "--filter", "nothing-matches-this"],
        &["show", "nobody"],
    ] {
        clean_run(&args.join(" "), &bench.run(args));
        clean_tree(&bench.state_dir());
    }
    for job in ["un-page", "un-large", "un-cut", "ve-failed", "ve-refused", "op-away", "op-refused"] {
        for part in ["", "--raw", "--body", "--output", "--files", "--error", "--json"] {
            let args: Vec<&str> = ["show", job, part].into_iter().filter(|arg| !arg.is_empty()).collect();
            clean_run(&args.join(" "), &bench.run(&args));
        }
    }
    for directory in ["out-files", "out-csv", "out-jsonl"] {
        clean_tree(&home.join(directory));
    }
    clean("the environment of a token command", &fs::read(home.join("seen-environ")).unwrap());
    clean("the arguments of a token command and of its parent", &fs::read(home.join("seen-cmdline")).unwrap());
    assert!(bench.known("un-large")["saved"]["bytes"].as_u64().unwrap() > 200 << 10, "the canary was really served");
    assert!(bench.run(&["show", "un-large", "--body"]).err.contains("masked"), "and it is said that it was masked");
    assert_eq!(elsewhere.connections(), 0, "a redirect is never followed, least of all with a key");
}

#[test]
fn a_token_in_a_reply_that_a_kill_cuts_short_is_on_no_disk() {
    let body = large_result(600 << 10).replace("0123456789abcdef0123456789abcdef", TOKEN);
    let cut = Scripted::json(200, body).fault(Fault::StallAfter(250 << 10, Duration::from_secs(45)));
    let bench = Bench::new().job("unstract", "job-1", [cut, acknowledged()]);
    let watch = bench.start(&["watch"]);
    bench.until_spooled(200 << 10);
    clean_tree(&bench.state_dir());
    watch.kill();
    clean_tree(&bench.state_dir());
    bench.run(&["watch"]).with(5);
    clean_tree(&bench.state_dir());
    let shown = bench.run(&["show", "job-1", "--body"]).with(0).said("masked");
    clean_run("show --body", &shown);
}

#[test]
fn a_secret_in_the_jobs_file_is_refused_and_never_shown() {
    let files = [
        "[services.a]\nprovider = \"vessl\"\nbase_url = \"https://h.example/s\"\ntoken = \"plain-canary\"\n",
        "[services.a]\nprovider = \"vessl\"\nbase_url = \"https://h.example/s\"\napi_key = \"plain-canary\" # canary\n",
        "[services.a]\nprovider = \"vessl\"\nbase_url = \"https://me:plain-canary@h.example/s\"\ntoken = { env = \"A\" }\n",
        "[services.a]\nprovider = \"vessl\"\nbase_url = \"http://h.example/s?key=plain-canary\"\ntoken = { env = \"A\" }\n",
        "[services.a]\nprovider = \"vessl\ntoken = \"plain-canary\"\n",
    ];
    for file in files {
        let bench = Bench::new();
        fs::write(bench.home().join("other.toml"), file).unwrap();
        for command in [&["check"][..], &["watch"], &["once"], &["status"], &["add", "a", "1"]] {
            let ended = bench.run(&[command, &["-c", "other.toml", "-vv"]].concat()).with(2);
            clean_run(&format!("{command:?} over {file}"), &ended);
            assert!(!ended.err.is_empty() || !ended.out.is_empty());
        }
    }
}

#[test]
fn a_token_command_that_takes_its_time_is_said_and_waited_for_at_the_start_and_when_the_file_changes() {
    let bench = Bench::new();
    let slow = |bench: &Bench, path: &str| {
        let command = format!("until [ -e {0}/go ]; do sleep 0.05; done; echo {FROM_COMMAND}", bench.home().display());
        let url = bench.script.url(path);
        format!("provider = \"vessl\"\nbase_url = \"{url}\"\ntoken = {{ command = [\"sh\", \"-c\", \"{command}\"] }}")
    };
    let text = slow(&bench, "/s");
    let bench = bench.service("vessl", &text).job("vessl", "job-1", [pending()]);
    let go = bench.home().join("go");
    let watch = bench.start(&["watch"]);
    let said = |service: &str| {
        let sentence = format!("waiting for the token command of service {service}, for 30 s at most");
        wait_for(&sentence, || watch.err().matches(&sentence).count() == 1);
    };
    said("vessl");
    fs::write(&go, "").unwrap();
    bench.until_read("job-1", 1);
    fs::remove_file(&go).unwrap();
    // The token of a service that was there before is not asked for again.
    let text = slow(&bench, "/other");
    let bench = bench.service("other", &text).job("other", "job-2", [done("x")]);
    drop(bench.command(&[]));
    said("other");
    bench.script.on("job-1", [done("x")]);
    fs::write(&go, "").unwrap();
    clean_run("watch", &watch.end().with(0));
    assert_eq!(bench.script.reads("job-2"), 1);
}

#[test]
fn plain_http_is_for_loopback_unless_it_was_allowed() {
    let cases = [
        ("http://127.0.0.1:9/s", "", 0),
        ("http://localhost:9/s", "", 0),
        ("http://[::1]:9/s", "", 0),
        ("http://192.0.2.1/s", "", 2),
        ("http://127.0.0.1.example/s", "", 2),
        ("http://localhost.example/s", "", 2),
        ("http://192.0.2.1/s", "insecure = true", 0),
    ];
    for (url, more, code) in cases {
        let text = format!("provider = \"vessl\"\nbase_url = \"{url}\"\ntoken = {{ env = \"PATH\" }}\n{more}");
        let bench = Bench::new().service("a", &text).declared("a", "1", "");
        let ended = bench.run(&["check"]);
        assert_eq!(ended.code, Some(code), "{url}: {ended:?}");
    }
}

#[test]
fn what_is_kept_is_for_its_user_alone() {
    let bench = Bench::new().job("unstract", "job-1", [Scripted::json(200, large_result(100 << 10))]).job(
        "vessl",
        "job-2",
        [crate::support::done("x")],
    );
    bench.run(&["watch"]).with(0);
    let mut left = vec![bench.state_dir()];
    while let Some(path) = left.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
