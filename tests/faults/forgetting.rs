//! `forget`, from outside: only what is over and exported goes, unless it is asked for, and the space with it.

use crate::support::{Bench, done, executing, pending};

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
