//! What machines know that were apart: what is over stays over, and whoever comes back learns it before it polls.

use super::*;

/// What a poll that comes late must not change.
const DATES: &str =
    "SELECT record->>'first_seen', record->>'finished_at', record->>'saved' FROM jobdeck.known ORDER BY job";

fn running() -> support::script::Scripted {
    support::script::Scripted::json(200, r#"{"status":"running"}"#)
}

#[test]
fn a_machine_that_comes_back_with_old_states_undoes_nothing_and_keeps_no_job_from_being_polled() {
    let over = DATES.replace(" ORDER", " WHERE is_over ORDER");
    let again: Vec<String> = (0..4).map(|n| format!("again{n}")).collect();
    let mut bench = Bench::new().job("unstract", &scan(1), [executing()]);
    for id in &again {
        bench = bench.job("vessl", id, [pending()]);
    }
    let Some(team) = Team::over(bench) else { return };
    let known = |what: &str| team.sql(&format!("SELECT count(*) FROM jobdeck.known WHERE {what}"));
    let ben = team.start("ben", &["watch", "--format", "jsonl"]);
    wait_for("all states", || known("state <> 'unknown'") == "5");
    let ana = team.start("ana", &["watch", "--format", "jsonl"]);
    wait_for("ana", || team.sql("SELECT count(*) FROM jobdeck.instance WHERE ended IS NULL") == "2");
    // Ben's last states stay with him, and he dies.
    team.cluster.kill();
    ben.until_said("the team's store cannot be reached");
    again.iter().for_each(|id| team.bench.script.on(id, [running()]));
    wait_for("states that were not uploaded", || ben.out().matches(r#""state":"running""#).count() >= 4);
    ben.kill();
    // All but one come to their end without him.
    team.cluster.go_on();
    team.end_lease("ben");
    again.iter().skip(1).for_each(|id| team.bench.script.on(id, [done("x")]));
    team.bench.script.on(&scan(1), [result()]);
    wait_for("ana's results", || known("is_over") == "4");
    let dates = team.sql(&over);

    let ben = team.start("ben", &["watch", "--format", "jsonl"]);
    wait_for("ben's upload", || {
        known("instance = (SELECT max(id) FROM jobdeck.instance)") == "1" || ben.out().contains("again3")
    });
    let idle = "SELECT count(*) FROM jobdeck.lease l JOIN jobdeck.instance i ON i.id = l.instance AND i.ended IS NULL \
                JOIN jobdeck.known k USING (job) WHERE k.is_over";
    wait_for("leases of what nobody polls, given back", || team.sql(idle) == "0");
    let reads = team.bench.script.reads("again0");
    wait_for("polls of what is left", || team.bench.script.reads("again0") > reads + 3);
    assert_eq!(known("is_over"), "4");
    assert_eq!(team.sql(&over), dates);
    let left = |machine: &Running| machine.err().contains("leaving");
    assert!(!left(&ana) && !left(&ben), "nobody leaves while a job is unfinished");
    team.bench.script.on("again0", [done("x")]);
    for (name, machine) in [("ana", ana), ("ben", ben)] {
        let ended = machine.end().with(0);
        assert_eq!(ended.summary()["succeeded"], 5, "{name}: {ended:?}");
        assert_eq!(team.summary(name)["succeeded"], 5, "{name}");
    }
}

#[test]
fn what_was_lost_on_a_machine_apart_is_the_copy_of_another_as_soon_as_the_store_answers() {
    let bench = Bench::new().job("unstract", &scan(1), [result(), acknowledged()]).job("vessl", "again", [done("x")]);
    let Some(mut team) = Team::over(bench) else { return };
    team.run("ana", &["watch"]).with(0);
    let dates = team.sql(DATES);
    // Ben has no store at first, so nobody tells him; then each command knows better at its first run.
    for command in ["status", "watch", "export"] {
        let url = std::mem::take(&mut team.url);
        let apart = team.run(command, &["watch", "--format", "jsonl"]).with(5);
        assert_eq!(apart.summary()["lost"], 1, "{apart:?}");
        team.url = url;
        let out = team.bench.home().join(format!("results-{command}"));
        let args = match command {
            "export" => vec!["export", out.to_str().unwrap()],
            other => vec![other, "--format", "jsonl"],
        };
        let told = team.run(command, &args).with(0);
        match command {
            "export" => told.said("exported 2 of 2 jobs"),
            _ => {
                assert_eq!(told.summary()["succeeded"], 2, "{command}: {told:?}");
                told
            }
        };
        assert_eq!(team.sql(DATES), dates, "{command}");
    }
}

#[test]
fn without_a_password_or_with_a_wrong_one_commands_warn_and_go_on_with_what_is_known_here() {
    let bench = Bench::new().job("vessl", "one", [done("x")]);
    let Some(mut team) = Team::over(bench) else { return };
    team.run("ana", &["watch"]).with(0);
    let good = std::mem::take(&mut team.url);
    let config = team.bench.home().join(".config/jobdeck");
    std::fs::create_dir_all(&config).unwrap();
    for password in ["{ env = \"NOT_SET\" }", "{ command = [\"false\"] }", "{ command = [\"echo\", \"wrong\"] }"] {
        std::fs::write(config.join("config.toml"), format!("store = {{ url = \"{good}\", password = {password} }}\n"))
            .unwrap();
        for args in [&["status"][..], &["watch"], &["show", "one"]] {
            let ended = team.run("ana", args).with(0).said("the team's store");
            assert!(!ended.err.contains("token command"), "{ended:?}");
        }
        team.run("ana", &["store", "status"]).with(if password.contains("echo") { 1 } else { 2 });
    }
}

#[test]
fn a_watch_over_jobs_that_can_all_be_polled_again_says_once_that_the_store_is_away_and_that_it_is_back() {
    let bench = Bench::new().job("vessl", "again", [pending()]);
    let Some(team) = Team::over(bench) else { return };
    let ana = team.start("ana", &["watch"]);
    wait_for("a lease", || team.sql("SELECT count(*) FROM jobdeck.lease WHERE instance IS NOT NULL") == "1");
    team.cluster.kill();
    ana.until_said("the team's store cannot be reached");
    team.cluster.go_on();
    ana.until_said("the team's store answers again");
    team.bench.script.on("again", [done("x")]);
    let ended = ana.end().with(0);
    for said in ["the team's store cannot be reached", "the team's store answers again"] {
        assert_eq!(ended.err.matches(said).count(), 1, "{said}: {ended:?}");
    }
}
