//! What goes wrong outside of jobdeck: clocks that disagree, tables of another version.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::support::{Bench, done, executing, pending, result, wait_for};
use super::{Team, scan};

#[test]
fn leases_are_by_the_servers_clock_however_wrong_those_of_the_machines_are() {
    let Some(library) = faketime() else {
        eprintln!("SKIPPED: the test of wrong clocks needs libfaketime (Debian: apt-get install faketime).");
        return;
    };
    for (ana, ben) in [("+10m", "-10m"), ("-10m", "+10m")] {
        let bench = Bench::new().job("unstract", &scan(1), [executing()]).job("vessl", "again", [pending()]);
        let Some(team) = Team::over(bench) else { return };
        let clock = |offset| {
            [
                ("LD_PRELOAD", library.as_os_str()),
                ("FAKETIME", OsStr::new(offset)),
                ("DONT_FAKE_MONOTONIC", OsStr::new("1")),
            ]
        };
        let ana = team.start_with("ana", &["watch"], &clock(ana));
        let held_by = "SELECT string_agg(DISTINCT i.\"user\", ' ') FROM jobdeck.lease l JOIN jobdeck.instance i ON i.id = l.instance";
        team.bench.until_read(&scan(1), 2);
        let ben = team.start_with("ben", &["watch", "--format", "jsonl"], &clock(ben));
        wait_for("ben's look", || team.sql("SELECT count(*) FROM jobdeck.instance WHERE \"user\" = 'ben'") == "1");
        let renewed = "SELECT max(until - started) > interval '31 s' FROM jobdeck.instance WHERE \"user\" = 'ana'";
        wait_for("ana's next lease", || team.sql(renewed) == "t");
        assert_eq!(team.sql(held_by), "ana", "her lease is good");
        ana.kill();
        team.end_lease("ana");
        wait_for("ben's turn", || team.sql(held_by) == "ben");
        team.bench.script.on(&scan(1), [result()]);
        team.bench.script.on("again", [done("x")]);
        let ben = ben.end().with(0);
        assert_eq!(ben.summary()["succeeded"], 2, "{ben:?}");
        assert_eq!(team.summary("cai")["succeeded"], 2);
    }
}

/// The library that shows a process another time of day.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|folder| folder.path());
    folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.is_file())
}

#[test]
fn a_jobdeck_stops_at_tables_of_another_version_and_says_what_to_do() {
    let bench = Bench::new().job("unstract", &scan(1), [executing()]).job("vessl", "again", [pending()]);
    let Some(team) = Team::over(bench) else { return };
    let ana = team.start("ana", &["watch"]);
    team.bench.until_read(&scan(1), 2);
    // Somebody with a later jobdeck brings the tables up to date while this one runs.
    team.sql("UPDATE jobdeck.store SET version = 99");
    ana.until_said("made by a newer jobdeck");
    ana.until_said("Update jobdeck on this machine");
    wait_for("the end of polls that can be made once", || {
        let (once, again) = (team.bench.script.reads(&scan(1)), team.bench.script.reads("again"));
        wait_for("polls that can be made again", || team.bench.script.reads("again") > again + 9);
        team.bench.script.reads(&scan(1)) == once
    });
    let before = team.sql("SELECT count(*), max(revision) FROM jobdeck.known");
    team.bench.script.on("again", [done("x")]);
    wait_for("what can be polled again", || ana.out().contains("DONE"));
    assert_eq!(team.sql("SELECT count(*), max(revision) FROM jobdeck.known"), before, "it writes nothing there");
    for (command, code) in [(["store", "status"], 1), (["store", "init"], 1)] {
        team.run("ben", &command).with(code).said("made by a newer jobdeck").said("Update jobdeck on this machine");
    }
    let ben =
        team.run("ben", &["status"]).said("made by a newer jobdeck").said("this is what is known on this machine");
    assert!(ben.code.is_some_and(|code| code != 101), "{ben:?}");
    team.sql("UPDATE jobdeck.store SET version = 0");
    team.run("ben", &["store", "status"]).with(1).said("made by an older jobdeck").said("jobdeck store init");
    team.sql("UPDATE jobdeck.store SET version = 1");
    ana.until_said("the team's store answers again");
    team.bench.script.on(&scan(1), [result()]);
    ana.end().with(0);
    assert_eq!(team.summary("ben")["succeeded"], 2);
}
