//! Results written as they arrive, from outside: never half, never before the store has them, all of them in the end.

use std::path::PathBuf;

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
