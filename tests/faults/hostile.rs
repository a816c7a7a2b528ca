//! Whatever bytes a service sends, and whatever a job is called: no terminal obeys them, no file stands outside of its
//! directory, and the bytes themselves come out as they came.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::script::Scripted;
use crate::support::{Bench, Ended, executing};

/// Clears the screen, writes the clipboard, sets the title; C1, bidi, zero width, NUL, BOM, DEL, backspace.
const BAD: &str = "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{1b}]0;t\u{1b}\\\u{9b}31m\u{9d}0;x\u{9c}\u{202e}\u{2066}\u{200b}\u{feff}\u{0}\u{7f}\u{8}\r";

fn bad_in_json() -> String {
    serde_json::to_string(BAD).unwrap().trim_matches('"').to_owned()
}

fn is_obeyed(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

#[track_caller]
fn harmless(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what} is no UTF-8: {error}"));
    // A line break of a CSV cell may be of both characters: it overwrites nothing.
    let found = text.replace("\r\n", "\n").chars().find(|c| is_obeyed(*c));
    assert!(found.is_none(), "{found:?} in {what}: {text:?}");
}

#[track_caller]
fn harmless_run(what: &str, ended: &Ended) {
    harmless(&format!("standard output of {what}"), &ended.out);
    harmless(&format!("standard error of {what}"), ended.err.as_bytes());
    assert!(!ended.err.contains("panicked"), "{what}: {ended:?}");
}

fn files_below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut left = vec![dir.to_owned()];
    let mut found = BTreeSet::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.insert(path);
        }
    }
    found
}

fn hostile() -> Bench {
    let bad = bad_in_json();
    let vessl = format!(
        r#"{{"status":"fai{bad}led","status_code":500,"fail_reason":"{bad}\n=1+1","raw_output":"{bad}","output":{{"{bad}":"{bad}"}}}}"#
    );
    let failed = format!(r#"{{"status":"failed","fail_reason":"{bad}no","raw_output":"{bad}","output":"{bad}"}}"#);
    let optexity = format!(
        r#"{{"success":true,"status":"failed","error":"{bad}","error_code":"{bad}","result":"{bad}","goal":"{bad}"}}"#
    );
    let unstract = format!(
        r#"{{"status":"COMPLETED","message":[{{"file":"{bad}.pdf","status":"Success","result":{{"output":{{"{bad}":"{bad}"}},"metadata":{{"usage":{{"cost_in_dollars":"{bad}"}}}}}},"error":null}},{{"file":"b","status":"Fail{bad}ed","result":null,"error":"{bad}"}}]}}"#
    );
    let page = format!("<html><title>{BAD}</title><body>{BAD}</body></html>");
    let header = "\u{9b}31m\u{202e}x";
    Bench::new()
        .job("vessl", "ve-word", [Scripted::json(200, vessl)])
        .job("vessl", "ve-failed", [Scripted::json(200, failed)])
        .job("vessl", "ve-raw", [Scripted::json(200, format!("{{\"status\":\"failed\",\"fail_reason\":\"{BAD}\"}}"))])
        .job("vessl", "ve-page", [Scripted::typed(502, "text/html", page).header("Retry-After", header)])
        .job("vessl", "ve-away", [Scripted::json(302, "").header("Location", &format!("http://x/{header}"))])
        .job("optexity", "op-failed", [Scripted::json(200, optexity)])
        .job("optexity", "op-type", [Scripted::typed(400, header, format!(r#"{{"error":"{bad}"}}"#))])
        .job("unstract", "un-files", [executing(), Scripted::json(200, unstract)])
}

#[test]
fn no_output_holds_anything_that_a_terminal_would_obey() {
    let bench = hostile();
    for args in [
        &["once", "-vv"][..],
        &["watch", "--format", "plain", "-v", "--timeout", "2s"],
        &["once", "--format", "csv"],
        &["once", "--format", "jsonl"],
        &["status"],
        &["status", "--format", "csv"],
        &["status", "--format", "jsonl"],
        &["status", "--ascii", "--all"],
        &["check", "--online"],
        &["show", BAD.trim_end_matches('\r').split('\0').next().unwrap()],
        &["status", "--filter", "state:\u{1b}[2J\u{202e}"],
        &["status", "-c", "\u{1b}[2J\u{9b}.toml"],
        &["watch", "--timeout", "\u{1b}[2J"],
        &["\u{1b}[2J\u{202e}"],
        &["export", "out-\u{1b}[2J"],
        &["status", "--state-dir", "jobs.toml/\u{1b}[2J"],
    ] {
        harmless_run(&args.join(" "), &bench.run(args));
    }
    for job in ["ve-word", "ve-failed", "ve-raw", "ve-page", "ve-away", "op-failed", "op-type", "un-files"] {
        for part in ["", "--error", "--files", "--json", "--output"] {
            let args: Vec<&str> = ["show", job, part].into_iter().filter(|arg| !arg.is_empty()).collect();
            harmless_run(&args.join(" "), &bench.run(&args));
        }
    }
    harmless("the log file", &fs::read(bench.state_dir().join("jobdeck.log")).unwrap());
}

#[test]
fn raw_output_and_body_come_out_byte_for_byte() {
    let body = format!(r#"{{"status":"completed","raw_output":"{}"}}"#, bad_in_json());
    let message = format!(r#"[ {{"file":"{0}","status":"Success","result":"{0}"}} ]"#, bad_in_json());
    let unstract = format!("\u{feff}{{\"status\":\"COMPLETED\",\"message\":{message},\"x\":1e999}}\n");
    let broken = b"\xff\xfe\x00<html>\x1b[2J".to_vec();
    let bench = Bench::new()
        .job("vessl", "ve", [Scripted::json(200, body.clone())])
        .job("unstract", "un", [Scripted::json(200, unstract.clone())])
        .job("vessl", "broken", [Scripted::json(200, broken.clone())]);
    bench.run(&["once"]);
    assert_eq!(bench.run(&["show", "ve", "--raw"]).out, BAD.as_bytes());
    assert_eq!(bench.run(&["show", "ve", "--body"]).out, body.as_bytes());
    assert_eq!(bench.run(&["show", "un", "--raw"]).out, message.as_bytes());
    assert_eq!(bench.run(&["show", "un", "--body"]).out, unstract.as_bytes());
    assert_eq!(bench.run(&["show", "broken", "--body"]).out, broken);
}

#[test]
fn no_id_climbs_out_of_the_export_directory_or_takes_the_place_of_another() {
    let long = "x".repeat(300);
    let longer = format!("{long}y");
    let ids = [
        "../../etc/passwd",
        "..",
        ".",
        "a/b",
        "a_b",
        "A_B",
        "a\\b",
        "~root",
        "-rf",
        "con",
        "CON.txt",
        "nul",
        "dots...",
        "dots",
        "spaced-out",
        "ünïcødé",
        "日本語",
        "%2e%2e%2f",
        "a\u{301}",
        "á",
        "$(touch${IFS}pwned)",
        "run`id`",
        "*.*",
        "a:b",
        "body.json",
        &long,
        &longer,
    ];
    let mut bench = Bench::new();
    for id in ids {
        let id = id.trim();
        let body =
            format!(r#"{{"success":true,"status":"completed","result":{}}}"#, serde_json::to_string(id).unwrap());
        // The server finds a job by how its id is spelled in the request.
        bench.script.on(serde_json::to_string(id).unwrap().trim_matches('"'), [Scripted::json(200, body)]);
        bench = bench.declared("optexity", id, "");
    }
    bench.run(&["watch"]).with(0);
    let canary = bench.home().join("canary");
    fs::write(&canary, "untouched").unwrap();
    let before = files_below(bench.home());
    bench.run(&["export", "out/deep/er"]).with(0);
    bench.run(&["export", "out/deep/er"]).with(0);
    let after = files_below(bench.home());
    let out = bench.home().join("out/deep/er");
    let new: Vec<_> = after.difference(&before).collect();
    for path in &new {
        assert!(path.starts_with(&out), "{} stands outside", path.display());
        let name = path.strip_prefix(&out).unwrap().to_str().unwrap();
        assert!(
            name.is_ascii() && !name.split('/').any(|part| part.starts_with('.')) && !name.contains('\\'),
            "{name}"
        );
    }
    let bodies = new.iter().filter(|path| path.file_name().is_some_and(|name| name == "body.json")).count();
    assert_eq!(bodies, ids.len(), "each has a folder of its own");
    for id in ids {
        assert_eq!(bench.run(&["show", &format!("optexity/{}", id.trim()), "--raw"]).text(), id.trim());
    }
    assert_eq!(fs::read(canary).unwrap(), b"untouched");
}

#[test]
fn an_id_that_a_path_would_swallow_is_never_asked_for_as_another() {
    let mut bench = Bench::new();
    for id in ["..", ".", "a/../b", "?x=1", "#frag", "a+b", "%2e%2e", "x/../../other"] {
        bench =
            bench.job("vessl", id, [Scripted::json(200, format!(r#"{{"status":"completed","raw_output":"{id}"}}"#))]);
    }
    let ended = bench.run(&["once", "--format", "jsonl", "-v"]).with(0);
    assert!(!ended.err.contains("panicked"), "{ended:?}");
    for id in ["..", ".", "a/../b", "?x=1", "#frag", "a+b", "%2e%2e", "x/../../other", ""] {
        for request in bench.script.received(id) {
            let target = request.line.split(' ').nth(1).unwrap();
            assert!(
                target.starts_with("/api/v1/services/slug/async/") && target.ends_with("/output"),
                "{}",
                request.line
            );
            assert_eq!(target.matches('/').count(), 7, "the id is one piece of the path: {}", request.line);
        }
    }
}

#[test]
fn no_cell_of_a_csv_file_is_a_formula() {
    let formulas = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1"];
    let mut bench = Bench::new();
    for (n, formula) in formulas.iter().enumerate() {
        let text = serde_json::to_string(formula).unwrap();
        let body = format!(
            r#"{{"success":true,"status":"failed","error":{text},"error_code":{text},"result":{text},"task_id":"task-{n}"}}"#
        );
        bench.script.on(&format!("task-{n}"), [Scripted::json(200, body)]);
        bench = bench.declared("optexity", &format!("task-{n}"), &format!("name = {text}\ntags = [{text}]"));
    }
    let once = bench.run(&["once", "--format", "csv"]);
    assert!(once.text().lines().count() > formulas.len(), "{once:?}");
    bench.run(&["export", "out", "--format", "csv"]).with(0);
    let exported = fs::read(bench.home().join("out/jobs.csv")).unwrap();
    for csv_text in [once.out, bench.run(&["status", "--format", "csv"]).out, exported] {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv_text.as_slice());
        for record in reader.records() {
            for cell in record.unwrap().iter() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            }
        }
    }
}

#[test]
fn an_export_takes_no_more_memory_than_its_largest_results() {
    const JOBS: usize = 10;
    let mut bench = Bench::new();
    for n in 0..JOBS {
        bench = bench.job("vessl", &format!("job-{n}"), [crate::support::done(&"x".repeat(4 << 20))]);
    }
    bench.run(&["watch"]).with(0);
    for format in ["csv", "jsonl"] {
        let inner = bench.command(&["export", "out", "--format", format]);
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg("ulimit -d 60000; exec \"$0\" \"$@\"").arg(inner.get_program()).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(bench.home());
        crate::support::Running::start(command).end().with(0);
        let length = fs::metadata(bench.home().join("out").join(format!("jobs.{format}"))).unwrap().len();
        assert!(length > (JOBS as u64) << 22, "{length}");
    }
}

#[test]
fn a_long_line_and_deep_nesting_are_borne() {
    let long = format!(r#"{{"status":"completed","raw_output":"{}"}}"#, "a\\n".repeat(10) + &"x".repeat(10 << 20));
    let deep = format!(r#"{{"status":"completed","output":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let reason = format!(r#"{{"status":"failed","fail_reason":"{}"}}"#, "y".repeat(10 << 20));
    let bench = Bench::new()
        .job("vessl", "long", [Scripted::json(200, long.clone())])
        .job("vessl", "deep", [Scripted::json(200, deep.clone())])
        .job("vessl", "reason", [Scripted::json(200, reason)]);
    let watch = bench.run(&["watch", "--format", "plain"]).with(3);
    assert!(watch.out.len() < 100_000, "{} bytes on a terminal", watch.out.len());
    assert!(bench.run(&["status"]).out.len() < 100_000);
    assert!(fs::metadata(bench.state_dir().join("jobdeck.log")).unwrap().len() < 100_000);
    for (job, body) in [("long", long), ("deep", deep)] {
        assert_eq!(bench.body(job).len(), body.len());
        for part in ["--output", "--raw", "--json", "--error"] {
            let shown = bench.run(&["show", job, part]);
            assert!([Some(0), Some(4)].contains(&shown.code) && !shown.err.contains("panicked"), "{part} of {job}");
        }
    }
    bench.run(&["export", "out"]).with(0);
}
