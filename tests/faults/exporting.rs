//! Results written as they arrive, from outside: never half, never before the store has them, all of them in the end.

use std::path::{Path, PathBuf};

use crate::support::script::Scripted;
use crate::support::{Bench, done, pending, wait_for};

/// The folders below `out` that say that they are complete, by the job's id.
fn complete(bench: &Bench) -> Vec<(String, PathBuf)> {
    let Ok(folders) = std::fs::read_dir(bench.home().join("out")) else { return Vec::new() };
    let paths = folders.map(|entry| entry.unwrap().path()).filter(|path| path.join("result.json").exists());
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().replace("vessl__", ""), path)).collect()
}

#[test]
fn a_killed_watch_leaves_whole_results_that_the_store_has_and_the_next_writes_the_rest() {
    let mut bench = Bench::new();
    for n in 0..12 {
        let replies = (0..n).map(|_| pending()).chain([done(&"x".repeat(100_000 + n))]);
        bench = bench.job("vessl", &format!("job-{n}"), replies);
    }
    let watch = bench.start(&["watch", "--export", "out"]);
    wait_for("a result", || !complete(&bench).is_empty());
    watch.kill();
    for (id, folder) in complete(&bench) {
        let saved = bench.body(&id);
        assert_eq!(std::fs::read(folder.join("body")).unwrap(), saved, "{id}");
        assert_eq!(std::fs::read(folder.join("body.json")).unwrap(), saved, "{id}");
    }
    bench.run(&["watch", "--export", "out"]).with(0);
    let all = complete(&bench);
    assert_eq!(all.len(), 12);
    for (id, folder) in all {
        assert_eq!(std::fs::read(folder.join("raw")).unwrap(), bench.run(&["show", &id, "--raw"]).out, "{id}");
    }
    let summary = std::fs::read_to_string(bench.home().join("out/summary.csv")).unwrap();
    assert_eq!(summary.lines().count(), 13, "{summary}");
}

#[test]
fn a_file_where_the_folder_should_be_is_told_before_anything_is_polled() {
    let bench = Bench::new().job("vessl", "job-1", [done("x")]);
    std::fs::write(bench.home().join("out"), "mine").unwrap();
    let ended = bench.run(&["watch", "--export", "out"]);
    assert!(ended.code != Some(0) && ended.err.contains("out") && ended.err.contains("another directory"), "{ended:?}");
    assert_eq!(bench.script.reads("job-1"), 0);
    assert_eq!(std::fs::read_to_string(bench.home().join("out")).unwrap(), "mine");
}

/// Turns the text round, hides, joins: what a stranger's name can hold to look like another.
const TURNS: &str = "gpj.\u{202e}exe \u{2066}a\u{2069}\u{200b}\u{feff}\u{61c}";

fn misleads(text: &str) -> bool {
    text.contains(|c: char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn what_turns_a_text_round_is_written_out_in_every_export_but_in_the_service_s_own_bytes() {
    let output = serde_json::json!({"status": "COMPLETED", "message": [
        {"file": TURNS, "status": "Success", "result": {"output": {"vendor": TURNS}}, "error": null},
        {"file": "b.pdf", "status": "Failed", "result": null, "error": TURNS}]});
    let failed = serde_json::json!({"status": "failed", "status_code": 500, "fail_reason": TURNS});
    let bench = Bench::new().declared("unstract", "good", &format!("name = \"{TURNS}\"\ntags = [\"{TURNS}\"]")).job(
        "vessl",
        "bad",
        [Scripted::json(200, failed.to_string())],
    );
    bench.script.on("good", [Scripted::json(200, output.to_string())]);
    bench.run(&["once"]);
    let printed: [&[&str]; 9] = [
        &["status", "--format", "csv"],
        &["status", "--format", "jsonl"],
        &["status"],
        &["stats", "--by", "reason", "--format", "markdown"],
        &["stats", "--by", "tag", "--format", "csv"],
        &["stats", "--by", "tag"],
        &["batches", "--format", "csv"],
        &["show", "bad"],
        &["show", "good", "--json"],
    ];
    for args in printed {
        let ended = bench.run(args);
        assert!(!ended.text().is_empty() && !misleads(&ended.text()) && !misleads(&ended.err), "{args:?} {ended:?}");
    }
    for args in [
        &["export", "out/files"] as &[&str],
        &["export", "out/flat", "--layout", "flat"],
        &["export", "out/csv", "--format", "csv"],
        &["export", "out/rows", "--format", "csv", "--rows", "files"],
        &["export", "out/jsonl", "--format", "jsonl"],
        &["report", "out/report.html"],
        &["report", "out/report.md"],
    ] {
        std::fs::create_dir_all(bench.home().join("out")).unwrap();
        let ended = bench.run(args).with(0);
        assert!(!misleads(&ended.text()) && !misleads(&ended.err), "{args:?} {ended:?}");
    }
    let mut own_bytes = 0;
    for path in files(&bench.home().join("out")) {
        assert!(!misleads(path.to_str().unwrap()), "{path:?}");
        let is_the_services = ["body", "body.json", "raw", "output.json"].iter().any(|name| path.ends_with(name))
            || path.parent().unwrap().ends_with("files")
            || path.starts_with(bench.home().join("out/flat"));
        let text = std::fs::read_to_string(&path).unwrap();
        if is_the_services {
            own_bytes += usize::from(misleads(&text));
        } else {
            assert!(!misleads(&text), "{}: {text}", path.display());
        }
    }
    assert!(own_bytes >= 4, "what the service sent is there as it came");
}

#[test]
fn a_pointer_that_leads_nowhere_in_all_results_is_named() {
    let fields = "[services.vessl.fields]\nwords = \"/raw_output\"\nnone = \"/raw/output\"";
    let bench = Bench::new().job("vessl", "one", [done("x")]).also(fields);
    bench.run(&["once"]);
    let said = bench.run(&["export", "out", "--format", "csv", "--fields", "words,none"]).with(0).err;
    assert!(said.contains("no job has a value for none:"), "{said}");
    let said = bench.run(&["export", "out", "--format", "csv", "--fields", "words"]).with(0).err;
    assert!(!said.contains("no job has a value"), "{said}");
}
