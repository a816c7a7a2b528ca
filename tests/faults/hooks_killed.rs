//! Hooks over kills at any moment: none is missed, and none is run twice but for one that a kill caught in its middle.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Bench, acknowledged, done, executing, pending, result, wait_for};

const HOOKS: &str = "[[hooks]]\nrun = [\"./hook.sh\"]\n\
    on = [\"succeeded\", \"failed\", \"lost\", \"over\", \"first-failure\", \"finished\"]\n";

/// A hook that appends its lines at once, and only then ends. One that got none was caught before its lines were written.
fn with_hook(bench: Bench) -> Bench {
    let path = bench.home().join("hook.sh");
    std::fs::write(&path, "#!/bin/sh\nlines=$(cat)\n[ -n \"$lines\" ] || exit 1\necho \"$lines\" >> log\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.also(HOOKS)
}

/// How often the hook was run for each event and job.
fn runs(bench: &Bench) -> BTreeMap<(String, String), usize> {
    let log = std::fs::read_to_string(bench.home().join("log")).unwrap_or_default();
    let mut runs = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let word = |field: &str| line[field].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        *runs.entry((word("event"), word("id"))).or_default() += 1;
    }
    runs
}

fn database(bench: &Bench) -> Connection {
    Connection::open(bench.state_dir().join("jobdeck.db")).unwrap()
}

/// The events that are not noted as delivered: a hook that was run for one of them was caught in its middle.
fn undelivered(bench: &Bench) -> Vec<(String, String)> {
    let sql = "SELECT h.event, j.service_id FROM hook_event h JOIN job j ON j.id = h.job WHERE h.delivered IS NULL";
    let Ok(database) = Connection::open(bench.state_dir().join("jobdeck.db")) else { return Vec::new() };
    let Ok(mut statement) = database.prepare(sql) else { return Vec::new() };
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Kills `watch` after each of these times, lets it end, and compares what hooks were run for with what was due.
fn after_kills(bench: &Bench, kills: impl IntoIterator<Item = Duration>, due: &[(&str, &str)]) {
    let mut caught: BTreeMap<(String, String), usize> = BTreeMap::new();
    for after in kills {
        let watch = bench.start(&["watch"]);
        std::thread::sleep(after);
        watch.kill();
        // The hook itself outlives a kill; what it writes belongs to the run that was caught.
        let left = undelivered(bench);
        left.into_iter().for_each(|event| *caught.entry(event).or_default() += 1);
    }
    bench.run(&["watch"]);
    let runs = runs(bench);
    let mut names: Vec<(&str, &str)> = runs.keys().map(|(event, id)| (&**event, &**id)).collect();
    let mut due = due.to_vec();
    names.sort_unstable();
    due.sort_unstable();
    assert_eq!(names, due, "each event once, and no other");
    for (event, count) in &runs {
        let most = 1 + caught.get(event).copied().unwrap_or_default();
        assert!(*count <= most, "{event:?} {count} times, caught {most} - 1 times");
    }
}

fn failed() -> crate::support::script::Scripted {
    let body = serde_json::json!({"status": "failed", "status_code": 500, "fail_reason": "it broke"});
    crate::support::script::Scripted::json(200, body.to_string())
}

const DUE: [(&str, &str); 7] = [
    ("failed", "bad"),
    ("over", "bad"),
    ("first-failure", "bad"),
    ("finished", "bad"),
    ("succeeded", "paid"),
    ("over", "paid"),
    ("finished", "paid"),
];

/// A job that fails and one whose result is handed out once.
fn two_jobs() -> Bench {
    with_hook(Bench::new().job("vessl", "bad", [pending(), failed()]).job("unstract", "paid", [executing(), result()]))
}

#[test]
fn a_kill_at_every_step_of_a_batch_loses_no_event_and_repeats_none() {
    for step in 0..48 {
        let bench = two_jobs();
        // A paid result that a kill cut off is lost, and that is what is told then.
        bench.script.on("paid", [executing(), result(), acknowledged(), acknowledged(), acknowledged()]);
        let watch = bench.start(&["watch"]);
        std::thread::sleep(Duration::from_millis(4 * step));
        watch.kill();
        let caught: Vec<_> = undelivered(&bench);
        bench.run(&["watch"]);
        let state = bench.known("paid")["state"].as_str().unwrap().to_owned();
        let due = DUE.map(|(event, id)| (if event == "succeeded" { state.clone() } else { event.to_owned() }, id));
        let mut due: BTreeMap<_, usize> = due.into_iter().map(|(event, id)| ((event, id.to_owned()), 1)).collect();
        if state == "lost" && runs(&bench).contains_key(&("first-failure".to_owned(), "paid".to_owned())) {
            due.remove(&("first-failure".to_owned(), "bad".to_owned()));
            due.insert(("first-failure".to_owned(), "paid".to_owned()), 1);
        }
        let mut runs = runs(&bench);
        for event in caught {
            // Whether the hook had begun when the kill came is not known: once or twice.
            runs.entry(event).and_modify(|count| *count = 1);
        }
        assert_eq!(runs, due, "killed after {} ms", 4 * step);
    }
}

#[test]
fn many_kills_at_random_moments_lose_no_event_and_repeat_none() {
    let seed = fastrand::u64(..);
    let mut dice = fastrand::Rng::with_seed(seed);
    eprintln!("seed {seed}");
    let mut bench = Bench::new();
    let mut due = Vec::new();
    let names: Vec<String> = (0..10).map(|n| format!("job-{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let mut replies = vec![pending(); 2 + 3 * n];
        replies.push(if n == 0 { failed() } else { done("x") });
        bench = bench.job("vessl", name, replies);
        let end = if n == 0 { "failed" } else { "succeeded" };
        due.extend([(end, &**name), ("over", &**name), ("finished", &**name)]);
    }
    due.push(("first-failure", "job-0"));
    let bench = with_hook(bench);
    let kills: Vec<Duration> = (0..40).map(|_| Duration::from_millis(dice.u64(10..250))).collect();
    after_kills(&bench, kills, &due);
}

#[test]
fn the_end_of_a_batch_that_nobody_lived_to_note_is_noted_at_the_next_start() {
    let bench = two_jobs();
    bench.run(&["once"]);
    assert!(runs(&bench).is_empty(), "asked once is not over: {:?}", runs(&bench));
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON hook_event WHEN NEW.event = 'finished' \
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    database(&bench).execute_batch(refuse).unwrap();
    let watch = bench.start(&["watch"]);
    wait_for("both jobs", || {
        let over = |id: &&str| runs(&bench).contains_key(&("over".to_owned(), (*id).to_owned()));
        ["bad", "paid"].iter().all(over) && undelivered(&bench).is_empty()
    });
    watch.kill();
    database(&bench).execute_batch("DROP TRIGGER refuse").unwrap();
    assert!(runs(&bench).keys().all(|(event, _)| event != "finished"), "{:?}", runs(&bench));
    for _ in 0..3 {
        bench.run(&["watch"]);
        let found = runs(&bench);
        for event in DUE {
            assert_eq!(found.get(&(event.0.to_owned(), event.1.to_owned())), Some(&1), "{event:?} of {found:?}");
        }
    }
}
