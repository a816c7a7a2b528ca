//! Commands of the user's own, from outside: over which jobs, with what, and how they end.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::support::{Bench, TOKEN, done, pending, result};

/// Two jobs that are over and one that is not, and a command over them, which runs this script.
fn bench(command: &str, script: &str) -> Bench {
    let bench = Bench::new()
        .job("vessl", "one", [done("first")])
        .job("vessl", "two", [done("second")])
        .job("vessl", "three", [pending()])
        .also(&format!("[[commands]]\nname = \"act\"\n{command}"));
    let path = bench.home().join("act.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    bench.run(&["once"]);
    bench
}

#[test]
fn a_command_runs_for_each_job_that_it_is_for_with_its_values() {
    let command = "run = [\"./act.sh\", \"--id={id}\", \"{state}\", \"{body}\"]\nwhen = \"state:succeeded\"";
    let bench = bench(command, "read line; echo \"$1 $2 $JOBDECK_SERVICE $(wc -c < \"$3\") $line\"");
    let ran = bench.run(&["run", "act"]).with(0).said("1 of 3 left out").said("vessl/one: done");
    let mut lines: Vec<String> = ran.text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines.len(), 2, "{ran:?}");
    assert!(lines[0].starts_with("--id=one succeeded vessl ") && lines[0].contains("\"type\":\"state\""), "{ran:?}");
    let left = std::fs::read_dir(bench.state_dir().join("commands")).unwrap().count();
    assert_eq!(left, 0, "private files are removed");
    let one = bench.run(&["run", "act", "--filter", "id:one"]).with(0);
    assert_eq!(one.text().lines().count(), 1);
}

#[test]
fn the_worst_of_the_runs_makes_the_exit_code_and_says_why() {
    let bench =
        bench("run = [\"./act.sh\", \"{id}\"]\nwhen = \"is:finished\"", "[ $1 = one ] || { echo broken >&2; exit 7; }");
    bench.run(&["run", "act"]).with(1).said("vessl/two: exit code 7: broken").said("1 run failed");
    bench.run(&["run", "act", "--filter", "id:one"]).with(0);
    bench.run(&["run", "nothing"]).with(2).said("there is no command `nothing`; there are: act");
    bench.run(&["run", "act", "--filter", "id:three"]).with(2).said("no job to run `act` for");
    std::fs::remove_file(bench.home().join("act.sh")).unwrap();
    bench.run(&["run", "act", "--filter", "id:one"]).with(1).said("failed to start").said("act.sh");
}

#[test]
fn all_jobs_stand_on_standard_input_where_a_command_runs_once() {
    let bench = bench("run = [\"./act.sh\"]\nmarked = \"all\"", "wc -l | tr -d ' '");
    assert_eq!(bench.run(&["run", "act"]).with(0).text(), "3\n");
}

#[test]
fn what_it_prints_is_added_to_the_jobs_file() {
    let bench =
        bench("run = [\"./act.sh\", \"{id}\"]\nadds = \"{service}\"\nwhen = \"is:finished\"", "echo \"again-$1\"");
    let ran = bench.run(&["run", "act", "--filter", "id:one"]).with(0).said("1 job added");
    assert_eq!(ran.text(), "vessl/again-one\n");
    let file = std::fs::read_to_string(bench.home().join("jobs.toml")).unwrap();
    assert!(file.contains("again-one"), "{file}");
}

#[test]
fn what_was_sent_again_is_not_sent_a_second_time_unless_it_is_asked_for() {
    let adds = "run = [\"./act.sh\", \"{id}\"]\nadds = \"{service}\"\nwhen = \"id:one,two\"\nconfirm = true\n\
                [[commands]]\nname = \"look\"\nrun = [\"echo\", \"{id}\"]";
    let bench = bench(adds, "echo \"$1-$(date +%N)\"; [ $1 != two ]");
    bench.run(&["run", "act"]).with(1).said("vessl/one: done, 1 job added").said("vessl/two: exit code 1");
    let ran = bench.run(&["run", "act", "--filter", "id:one"]).with(2);
    ran.said("1 of 1 left out: sent again already; --again sends them once more").said("no job to run `act` for");
    // What failed to be sent was not sent; and what sends nothing is for all.
    let ran =
        bench.run(&["run", "act"]).with(1).said("1 of 3 left out: sent again already").said("vessl/two: exit code 1");
    assert_eq!(ran.text(), "");
    bench.run(&["run", "look", "--filter", "id:one"]).with(0);
    let again = bench.run(&["run", "act", "--filter", "id:one", "--again", "--yes"]).with(0);
    assert!(again.text().starts_with("vessl/one-"), "{again:?}");
}

#[test]
fn of_two_that_send_a_job_again_at_once_one_does() {
    for marked in ["each", "all"] {
        let adds = format!("run = [\"./act.sh\"]\nadds = \"vessl\"\nwhen = \"id:one,two\"\nmarked = \"{marked}\"");
        let bench =
            bench(&adds, "touch began; until [ -e go ]; do sleep 0.1; done; read line; echo sent >> sent; echo new-$$");
        let running = bench.start(&["run", "act", "--filter", "id:one"]);
        crate::support::wait_for("the script", || bench.home().join("began").exists());
        let late = bench.run(&["run", "act", "--filter", "id:one"]).with(2);
        late.said("vessl/one: left out: it was sent again meanwhile, or is being sent");
        std::fs::write(bench.home().join("go"), "").unwrap();
        running.end().with(0).said("1 job added");
        // The others of one run for all are sent all the same.
        bench.run(&["run", "act", "--filter", "id:one,two"]).with(0).said("1 of 2 left out: sent again already");
        let sent = std::fs::read_to_string(bench.home().join("sent")).unwrap();
        assert_eq!(sent.lines().count(), 2, "{marked}");
    }
}

#[test]
fn what_a_command_prints_changes_nothing_in_that_its_jobs_were_sent() {
    for (script, code, said) in [
        ("echo '{\"queued\": true}'", 1, "what it printed are no ids"),
        ("true", 0, "0 jobs added"),
        ("head -c 20000000 /dev/zero", 1, "no id was added"),
    ] {
        let bench = bench("run = [\"./act.sh\"]\nadds = \"vessl\"\nwhen = \"id:one\"", script);
        bench.run(&["run", "act"]).with(code).said(said);
        bench.run(&["run", "act"]).with(2).said("1 of 3 left out: sent again already");
    }
}

#[test]
fn a_job_without_the_value_that_is_asked_for_is_left_out_and_named() {
    for (value, is_of_all) in [("output", false), ("body", false), ("web", false), ("reason", true)] {
        let bench = Bench::new()
            .job("unstract", "good", [result()])
            .job("vessl", "waits", [pending()])
            .also(&format!("[[commands]]\nname = \"act\"\nrun = [\"echo\", \"{{id}}\", \"{{{value}}}\"]"));
        bench.run(&["once"]);
        if is_of_all {
            bench.run(&["run", "act"]).with(0);
            continue;
        }
        let why = format!("vessl/waits: left out: there is no {{{value}}} of it: ");
        let ran = bench.run(&["run", "act"]).said(&why);
        let (code, lines) = if value == "web" { (2, 0) } else { (0, 1) };
        assert_eq!((ran.code, ran.text().lines().count()), (Some(code), lines), "{value} {ran:?}");
        let alone = bench.run(&["run", "act", "--filter", "id:waits"]).with(2);
        alone.said(&why).said("there is no job to run `act` for");
    }
}

#[test]
fn no_token_reaches_a_program_that_does_not_ask_for_one() {
    let script = "env | grep -c \"$(cat secret)\"; true";
    for (token, count) in [("", "0\n"), ("token = true\n", "1\n")] {
        let bench = bench(&format!("{token}run = [\"./act.sh\"]\nwhen = \"id:one\""), script);
        std::fs::write(bench.home().join("secret"), TOKEN).unwrap();
        assert_eq!(bench.run(&["run", "act"]).with(0).text(), count, "{token:?}");
    }
}

#[test]
fn a_token_that_a_program_prints_is_masked_on_the_screen_and_in_the_log() {
    for (script, code) in [
        ("echo \"> Authorization: Bearer $JOBDECK_TOKEN\" >&2; exit 1", 1),
        ("echo \"auth $JOBDECK_TOKEN failed\"; exit 3", 1),
        ("echo $JOBDECK_TOKEN", 0),
    ] {
        let bench = bench("token = true\nrun = [\"./act.sh\"]\nwhen = \"id:one\"", script);
        let ended = bench.run(&["run", "act", "-v"]).with(code);
        let log = std::fs::read_to_string(bench.state_dir().join("jobdeck.log")).unwrap_or_default();
        for text in [ended.text(), ended.err.clone(), log] {
            assert!(!text.contains(TOKEN), "{script}: {text}");
        }
        assert!(ended.text().contains("***") || ended.err.contains("***"), "{ended:?}");
    }
}

#[test]
fn a_strangers_text_is_no_option_and_no_shell() {
    let bench = Bench::new().declared("vessl", "one", "name = \"-rf $(touch pwned); `id`\"").also(
        "[[commands]]\nname = \"bare\"\nrun = [\"printf\", \"%s\", \"{name}\"]\n\
               [[commands]]\nname = \"behind\"\nrun = [\"printf\", \"%s\", \"--name={name}\"]",
    );
    bench.run(&["run", "bare"]).with(1).said("begins with `-` and would be taken for an option");
    let ran = bench.run(&["run", "behind"]).with(0);
    assert_eq!(ran.text(), "--name=-rf $(touch pwned); `id`");
    assert!(!bench.home().join("pwned").exists());
}

#[test]
fn a_command_that_hangs_is_waited_for_and_killed_by_a_second_signal() {
    let bench = bench("run = [\"./act.sh\"]\nwhen = \"id:one\"", "echo $$ > pid; sleep 1000 & wait");
    let running = bench.start(&["run", "act"]);
    crate::support::wait_for("the script", || {
        std::fs::read_to_string(bench.home().join("pid")).is_ok_and(|pid| pid.ends_with('\n'))
    });
    running.signal(Signal::INT);
    running.until_said("waiting for what runs");
    running.signal(Signal::INT);
    running.end().with(130).said("is killed");
    let pid = std::fs::read_to_string(bench.home().join("pid")).unwrap();
    crate::support::wait_for("its end", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn check_lists_every_program_that_the_file_would_run_and_runs_no_command() {
    let bench = bench("key = \"R\"\nrun = [\"./act.sh\"]", "touch ran");
    let checked = bench.run(&["check"]).with(0);
    assert!(checked.text().contains("act.sh  as `act`, when you ask for it (R, or `jobdeck run act`)"), "{checked:?}");
    assert!(!bench.home().join("ran").exists());
}
