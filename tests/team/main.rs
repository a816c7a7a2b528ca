//! The binary as a team uses it: state directories of several machines, one PostgreSQL, and what can go wrong between them.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[expect(dead_code, reason = "other tests of the binary use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod merging;
mod outside;
mod refused;

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use cluster::{Cluster, PASSWORD};
use rustix::process::Signal;
use serde_json::Value;
use support::script::Fault;
use support::{Bench, Ended, RESULT, Running, acknowledged, done, executing, pending, result, row, wait_for};

/// A batch and the team's store.
struct Team {
    bench: Bench,
    cluster: Cluster,
    url: String,
}

impl Team {
    /// With a store whose tables are made; None without PostgreSQL.
    fn over(bench: Bench) -> Option<Self> {
        let cluster = Cluster::start(&[])?;
        let url = cluster.database("deck");
        let team = Self { bench, cluster, url };
        team.run("ana", &["store", "init"]).with(0).said("made the tables");
        Some(team)
    }

    fn start(&self, machine: &str, args: &[&str]) -> Running {
        self.start_with(machine, args, &[])
    }

    fn start_with(&self, machine: &str, args: &[&str], env: &[(&str, &OsStr)]) -> Running {
        let state = self.bench.home().join(machine);
        let mut command = self.bench.command(&[args, &["--state-dir", state.to_str().unwrap()]].concat());
        command.env("JOBDECK_STORE", &self.url).env("PGPASSWORD", PASSWORD).env("USER", machine);
        command.envs(env.iter().copied());
        Running::start(command)
    }

    fn run(&self, machine: &str, args: &[&str]) -> Ended {
        self.start(machine, args).end()
    }

    fn run_with(&self, machine: &str, args: &[&str], env: &[(&str, &OsStr)]) -> Ended {
        self.start_with(machine, args, env).end()
    }

    /// The summary of what a machine knows.
    fn summary(&self, machine: &str) -> Value {
        self.run(machine, &["status", "--format", "jsonl"]).summary()
    }

    fn sql(&self, sql: &str) -> String {
        self.cluster.sql("deck", sql)
    }

    /// A machine's lease runs out now.
    fn end_lease(&self, machine: &str) {
        self.sql(&format!("UPDATE jobdeck.instance SET until = clock_timestamp() WHERE \"user\" = '{machine}'"));
    }
}

fn scan(n: usize) -> String {
    format!("{n:08}-af7d-4a98-813d-4c47344ff595")
}

#[test]
fn a_batch_goes_on_when_the_machine_that_polls_it_dies_and_nothing_that_was_handed_out_is_lost() {
    let mut bench = Bench::new();
    for n in 0..20 {
        let ends = if n < 10 { vec![executing(), result(), acknowledged()] } else { vec![executing()] };
        bench = bench.job("unstract", &scan(n), ends);
    }
    let Some(team) = Team::over(bench) else { return };
    let ana = team.start("ana", &["watch"]);
    wait_for("ana's first results", || team.sql("SELECT count(*) FROM jobdeck.known WHERE is_over") == "10");
    let ben = team.start("ben", &["watch", "--format", "jsonl"]);
    wait_for("ben's look", || team.sql("SELECT count(*) FROM jobdeck.instance WHERE \"user\" = 'ben'") == "1");
    ana.kill();
    let at = Instant::now();
    for n in 10..20 {
        team.bench.script.on(&scan(n), [result()]);
    }
    team.end_lease("ana");
    let ben = ben.end().with(0);
    assert_eq!(ben.summary()["succeeded"], 20, "{ben:?}");
    for machine in ["ben", "cai"] {
        assert_eq!(team.summary(machine)["succeeded"], 20, "{machine}");
        for n in [0, 9, 10, 19] {
            let shown = team.run(machine, &["show", &scan(n), "--body"]);
            assert_eq!(shown.text(), RESULT, "{machine} {n}");
        }
    }
    row("a team: the machine that polls is killed", 1, 0, at.elapsed());
}

#[test]
fn a_result_that_comes_while_the_server_is_dead_is_kept_and_the_next_is_not_asked_for() {
    let bench = Bench::new()
        .job("unstract", &scan(1), [result().fault(Fault::StallHead(Duration::from_secs(3))), acknowledged()])
        .job("unstract", &scan(2), [executing()])
        .job("vessl", "again", [pending()]);
    let Some(team) = Team::over(bench) else { return };
    let ana = team.start("ana", &["watch", "--format", "jsonl"]);
    team.bench.until_read(&scan(1), 1);
    team.bench.until_read(&scan(2), 2);
    team.cluster.kill();
    ana.until_said("the team's store cannot be reached");
    wait_for("the result that was under way", || ana.out().contains("succeeded"));
    // As long as the lease is good nobody else can ask; then only what can be asked again is.
    wait_for("the end of polls that can be made once", || {
        let (once, again) = (team.bench.script.reads(&scan(2)), team.bench.script.reads("again"));
        wait_for("polls that can be made again", || team.bench.script.reads("again") > again + 9);
        team.bench.script.reads(&scan(2)) == once
    });
    let at = Instant::now();
    team.bench.script.on(&scan(2), [result()]);
    team.bench.script.on("again", [done("x")]);
    team.cluster.go_on();
    ana.until_said("the team's store answers again");
    let ana = ana.end().with(0);
    assert_eq!(ana.summary()["succeeded"], 3, "{ana:?}");
    assert_eq!(team.summary("ben")["succeeded"], 3);
    assert_eq!(team.run("ben", &["show", &scan(1), "--body"]).text(), RESULT);
    row("a team: the server is killed with a one-shot poll under way", 1, 0, at.elapsed());
}

#[test]
fn that_the_server_is_away_and_back_is_said_once_each_though_every_job_can_be_polled_again() {
    let Some(team) = Team::over(Bench::new().job("vessl", "again", [pending()])) else { return };
    let ana = team.start("ana", &["watch"]);
    team.bench.until_read("again", 2);
    team.cluster.kill();
    ana.until_said("the team's store cannot be reached");
    let reads = team.bench.script.reads("again");
    team.bench.until_read("again", reads + 5);
    team.cluster.go_on();
    ana.until_said("the team's store answers again");
    team.bench.script.on("again", [done("x")]);
    let ana = ana.end().with(0);
    for said in ["the team's store cannot be reached", "the team's store answers again"] {
        assert_eq!(ana.err.matches(said).count(), 1, "{ana:?}");
    }
}

#[test]
fn a_batch_is_begun_and_ended_while_the_server_cannot_be_reached_as_far_as_nothing_can_be_lost() {
    let bench = Bench::new().job("vessl", "again", [pending(), done("x")]).job("unstract", &scan(1), [result()]);
    let Some(team) = Team::over(bench) else { return };
    team.cluster.kill();
    let ana = team.start("ana", &["watch"]);
    ana.until_said("the team's store cannot be reached");
    wait_for("what can be polled again", || ana.out().contains("DONE"));
    assert_eq!(team.bench.script.reads(&scan(1)), 0);
    ana.signal(Signal::TERM);
    let ana = ana.end().with(143);
    assert!(!ana.err.contains(PASSWORD), "{ana:?}");
    team.run("ana", &["status"]).with(6).said("cannot be reached").said("this is what is known on this machine");
    team.run("ana", &["store", "status"]).with(1);
    team.cluster.go_on();
    let status = team.run("ana", &["store", "status"]).with(0);
    assert!(status.text().contains("1 result saved here and not uploaded yet"), "{status:?}");
    team.run("ana", &["watch"]).with(0);
    assert_eq!(team.summary("ben")["succeeded"], 2);
}

#[test]
fn a_store_that_cannot_be_used_is_named_with_what_to_do_and_a_password_in_its_url_is_refused() {
    let bench = Bench::new().job("vessl", "one", [done("x")]);
    let Some(mut team) = Team::over(bench) else { return };
    let good = team.url.clone();
    let cases = [
        (good.replace("jobdeck@", "jobdeck:hunter2@"), 2, "holds a password", "take it out of the URL"),
        (good.replace("postgres://", "mysql://"), 2, "is no PostgreSQL URL", "write it like postgres://"),
        (good.replace("/deck", "/nowhere"), 1, "has no database nowhere", ""),
        (good.replace("jobdeck@", "nobody@"), 1, "refuses to let nobody in", ""),
        (format!("{good}?sslmode=verify-full"), 1, "cannot be reached", ""),
    ];
    for (url, code, said, help) in cases {
        team.url = url;
        let names = team.run("ana", &["complete", "batches"]).with(0);
        assert!(names.err.is_empty(), "a Tab asks no server: {names:?}");
        let ended = team.run("ana", &["store", "status"]).with(code).said(said).said(help);
        assert!(!format!("{ended:?}").contains("hunter2") && !format!("{ended:?}").contains(PASSWORD), "{ended:?}");
    }
    team.url = good;
    team.run("ana", &["store", "forget", "99"]).with(2).said("there is no instance 99");
    team.url = String::new();
    team.run("ana", &["store", "status"]).with(2).said("no store of a team is set");
    team.run("ana", &["watch"]).with(0);
}
