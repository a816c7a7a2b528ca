//! What goes wrong outside of jobdeck: no room on the server's disk, clocks that disagree, tables of another version.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use super::support::script::Scripted;
use super::support::{Bench, Running, done, executing, large_result, pending, result, row, wait_for};
use super::{Cluster, Team, scan};

/// A file system of 24 MiB, gone with the value.
struct Small(PathBuf);

impl Small {
    /// None, with a sentence, where nobody may mount one.
    fn mount(cluster: &Cluster) -> Option<Self> {
        let at = cluster.dir().join("small");
        std::fs::create_dir(&at).ok()?;
        let small = Self(at);
        if !small.mount_with(&["-t", "tmpfs", "-o", "size=24m", "tmpfs"]) {
            eprintln!("SKIPPED: the test of a server's full disk mounts a small one, which needs root.");
            return None;
        }
        let owned = Command::new("chown").arg("--reference").arg(cluster.dir()).arg(&small.0).status();
        owned.is_ok_and(|status| status.success()).then_some(small)
    }

    fn mount_with(&self, options: &[&str]) -> bool {
        let mounted = Command::new("mount").args(options).arg(&self.0).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    }

    fn make_room(&self) {
        assert!(self.mount_with(&["-o", "remount,size=200m"]), "mount");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn nothing_is_lost_while_the_servers_disk_is_full_and_it_goes_on_when_there_is_room() {
    let large = large_result(4 << 20);
    let mut bench = Bench::new().job("vessl", "again", [pending()]);
    for n in 0..8 {
        bench = bench.job("unstract", &scan(n), [executing(), Scripted::json(200, large.as_str())]);
    }
    let Some(mut team) = Team::over(bench) else { return };
    let Some(small) = Small::mount(&team.cluster) else { return };
    team.cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", small.0.display()));
    team.cluster.sql("postgres", "CREATE DATABASE narrow OWNER jobdeck TABLESPACE small");
    team.url = team.cluster.url("narrow");
    team.run("ana", &["store", "init"]).with(0);
    team.cluster.sql("narrow", "ALTER TABLE jobdeck.chunk ALTER data SET STORAGE EXTERNAL");
    let ana = team.start("ana", &["watch"]);
    let log = team.cluster.dir().join("log");
    let is_full =
        || std::fs::read(&log).is_ok_and(|log| String::from_utf8_lossy(&log).contains("No space left on device"));
    wait_for("the server's full disk", is_full);
    team.bench.script.on("again", [done("x")]);
    let ana = ana
        .end()
        .with(0)
        .said("saved on this machine alone")
        .said("the disk of the team's store is full")
        .said("Make room on the server");
    assert!(ana.err.contains("The next jobdeck over this state directory uploads them"), "{ana:?}");
    let status = team.run("ana", &["store", "status"]);
    assert!(!status.text().contains("0 jobs saved here"), "{status:?}");
    let at = Instant::now();
    small.make_room();
    // An end waits a few seconds for what is to be uploaded, so it may take more than one.
    wait_for("the uploads", || {
        team.run("ana", &["watch"]).with(0);
        team.cluster.sql("narrow", "SELECT count(*) FROM jobdeck.known WHERE saved IS NOT NULL") == "9"
    });
    for n in 0..8 {
        assert_eq!(team.run("ben", &["show", &scan(n), "--body"]).text(), large, "{n}");
        assert_eq!(team.bench.script.reads(&scan(n)), 2, "{n}");
    }
    row("a team: the server's disk is full", 1, 0, at.elapsed());
    drop(small);
}

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
    let reads = || (team.bench.script.reads(&scan(1)), team.bench.script.reads("again"));
    let last = Cell::new(reads());
    wait_for("the end of polls that can be made once, while others go on", || {
        let (once, again) = reads();
        if once != last.get().0 {
            last.set((once, again));
        }
        again > last.get().1 + 9
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

#[test]
fn whoever_ends_while_the_team_store_takes_nothing_is_told_what_is_saved_on_this_machine_alone() {
    let bench = Bench::new().job("vessl", "again", [pending(), done("x")]).job("vessl", "open", [pending()]);
    let Some(team) = Team::over(bench) else { return };
    team.sql("UPDATE jobdeck.store SET version = 99");
    let ana = team.start("ana", &["watch"]);
    wait_for("what can be polled again", || ana.out().contains("DONE"));
    ana.signal(Signal::TERM);
    ana.end().with(143).said("made by a newer jobdeck").said("2 jobs, saved on this machine alone");
    team.run("ana", &["once"]).said("2 jobs, saved on this machine alone");
    team.sql("UPDATE jobdeck.store SET version = 1");
    team.bench.script.on("open", [done("y")]);
    let ana = team.run("ana", &["watch"]).with(0);
    assert!(!ana.err.contains("saved on this machine alone"), "{ana:?}");
    assert_eq!(team.summary("ben")["succeeded"], 2);
}

#[test]
fn without_the_setting_nothing_of_a_team_runs_and_no_database_is_asked() {
    let bench = Bench::new().job("vessl", "again", [pending()]);
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    database.set_nonblocking(true).unwrap();
    let port = database.local_addr().unwrap().port().to_string();
    let mut command = bench.command(&["watch"]);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", port).env("PGPASSWORD", "x").env("JOBDECK_STORE", "");
    let alone = Running::start(command);
    bench.until_read("again", 3);
    if cfg!(target_os = "linux") {
        let tasks = format!("/proc/{}/task", alone.pid().as_raw_nonzero());
        let names =
            std::fs::read_dir(tasks).unwrap().flatten().map(|task| std::fs::read_to_string(task.path().join("comm")));
        let names: Vec<String> = names.flatten().map(|name| name.trim().to_owned()).collect();
        assert!(!names.is_empty() && !names.iter().any(|name| name == "team"), "{names:?}");
    }
    bench.script.on("again", [done("x")]);
    alone.end().with(0);
    assert_eq!(database.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
