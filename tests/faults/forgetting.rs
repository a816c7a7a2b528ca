//! `forget`, from outside: only what is over and exported goes, unless it is asked for, and the space with it.

use crate::support::{Bench, done, executing, pending, wait_for};

#[test]
fn what_is_over_and_exported_goes_and_the_rest_stays_unless_it_is_asked_for() {
    let large = "x".repeat(200_000);
    let bench = Bench::new()
        .job("vessl", "exported", [done(&large)])
        .job("vessl", "kept", [done("y")])
        .job("unstract", "job-1", [executing()])
        .job("vessl", "going-on", [pending()]);
    bench.run(&["once"]).with(4);
    bench.run(&["export", "results", "--filter", "id:exported"]).with(0);
    let bodies = || std::fs::read_dir(bench.state_dir().join("bodies")).unwrap().count();
    assert_eq!(bodies(), 1);
    let cases: [(&[&str], i32, &str, &str); 8] = [
        (&["forget", "--before", "1ms"], 0, "", "4 jobs of the jobs file stay"),
        (&["forget", "going-on", "--yes"], 1, "", "it is not over"),
        (&["forget", "kept"], 1, "", "it was never exported; --yes deletes it all the same"),
        (&["forget", "exported", "kept"], 1, "vessl/exported", "forgot 1 job, 2"),
        (&["forget", "kept", "--yes"], 0, "vessl/kept", "forgot 1 job"),
        (&["forget", "--batch", "nobody"], 2, "", "there is no batch"),
        (&["forget", "--before", "30d"], 0, "", "there is nothing to forget"),
        (&["forget", "--before", "soon"], 2, "", "--before"),
    ];
    for (args, code, out, err) in cases {
        let ended = bench.run(args).with(code);
        assert!(ended.text().contains(out) && ended.err.contains(err), "{args:?} {ended:?}");
    }
    assert_eq!(bodies(), 0, "the space is given back");
    let left = bench.run(&["status", "--all"]).with(4);
    assert!(left.text().contains("going-on") && !left.text().contains("kept"), "{left:?}");
}

#[test]
fn what_was_written_out_as_it_arrived_counts_as_exported_also_where_that_was_killed() {
    for export in ["", "export = \"out\"\n"] {
        let bench = Bench::new().job("vessl", "here", [done("x")]).job("vessl", "going-on", [pending()]);
        let mut command = bench.command(if export.is_empty() { &["watch", "--export", "out"] } else { &["watch"] });
        let file = bench.home().join("jobs.toml");
        let jobs = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{export}{jobs}")).unwrap();
        command.stdin(std::process::Stdio::null());
        let watch = crate::support::Running::start(command);
        wait_for("a result", || bench.home().join("out/vessl__here/result.json").exists());
        watch.kill();
        let again = bench.command(if export.is_empty() { &["watch", "--export", "out"] } else { &["watch"] });
        std::fs::write(&file, format!("{export}{jobs}")).unwrap();
        bench.script.on("going-on", [done("y")]);
        crate::support::Running::start(again).end().with(0);
        bench.run(&["forget", "here"]).with(0).said("forgot 1 job");
    }
}

#[test]
fn what_no_jobs_file_here_has_is_named_and_not_forgotten_unasked() {
    let bench = Bench::new().job("vessl", "own", [done("y")]).job("vessl", "elsewhere", [done("x")]);
    bench.run(&["watch", "--export", "out"]).with(0);
    let folder = bench.home().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let forget = |args: &[&str]| {
        let mut command = bench.command(args);
        command.current_dir(&folder);
        crate::support::Running::start(command).end()
    };
    let refused = forget(&["forget", "--before", "1ms"]).with(1);
    assert!(refused.text().contains("vessl/elsewhere") && refused.text().contains("vessl/own"), "{refused:?}");
    refused.said("nothing was forgotten: this would forget 2 jobs, ").said("of the batch \"jobs\"").said("--batch");
    assert!(!bench.body("elsewhere").is_empty());
    forget(&["forget", "--before", "1ms", "--batch", "jobs"]).with(0).said("forgot 2 jobs");
}
