//! What a server that speaks HTTP/2 may do to a connection and to the streams on it.

use std::time::Duration;

use h2::Reason;
use serde_json::Value;

use crate::http2::{Conduct, Front};
use crate::support::{Bench, Ended, TOKEN_VARIABLE, acknowledged, done, executing, pending, result, row, times};

const JOBS: usize = 6;

type Rule = Box<dyn Fn(&str, usize) -> Conduct + Send + Sync>;

/// Six requests that each finish at the third poll, behind a front with such a rule.
fn polled(rule: impl Fn(&str, usize) -> Conduct + Send + Sync + 'static, flags: &[&str]) -> (Ended, Bench, Front) {
    let bench = Bench::new();
    let front = Front::start(bench.script.address(), &["h2", "http/1.1"], rule).unwrap();
    let url = front.url("/api/v1/services/slug");
    let service = format!("provider = \"vessl\"\nbase_url = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}");
    let mut bench = bench.service("vessl", &service);
    for n in 0..JOBS {
        let mut answers = times(2, &pending());
        answers.push(done("ok"));
        bench = bench.job("vessl", &format!("job-{n}"), answers);
    }
    let ended = watch(&bench, &front, flags);
    (ended, bench, front)
}

fn watch(bench: &Bench, front: &Front, flags: &[&str]) -> Ended {
    let certificate = bench.home().join("front.pem");
    front.write_certificate(&certificate).unwrap();
    let mut command = bench.command(&["watch", "--format", "jsonl"]);
    command.env("SSL_CERT_FILE", certificate).args(flags);
    crate::support::Running::start(command).end()
}

/// The polls that were told as anything but an answer.
fn failures(ended: &Ended) -> Vec<Value> {
    ended.lines().into_iter().filter(|line| line["type"] == "read").collect()
}

#[test]
fn a_stream_that_was_refused_or_a_server_that_goes_away_is_no_failure_of_the_service() {
    let first = |conduct: Conduct| move |_: &str, before: usize| if before == 0 { conduct } else { Conduct::Pass };
    let cases: Vec<(&str, Rule)> = vec![
        ("REFUSED_STREAM", Box::new(first(Conduct::Refuse))),
        ("REFUSED_STREAM twice", Box::new(|_, before| if before < 2 { Conduct::Refuse } else { Conduct::Pass })),
        ("GOAWAY after each response", Box::new(|_, _| Conduct::PassAndGoAway)),
        (
            "GOAWAY before it was begun",
            Box::new(|path, before| match path.contains("job-0") && before == 0 {
                true => Conduct::GoAwayUnbegun,
                false => Conduct::Pass,
            }),
        ),
    ];
    for (fault, rule) in cases {
        let (ended, bench, front) = polled(rule, &[]);
        let ended = ended.with(0);
        assert_eq!(failures(&ended), Vec::<Value>::new(), "{fault}");
        assert!(front.seen().iter().all(|seen| seen.met.is_some()), "{fault}: all of it over HTTP/2");
        assert_eq!(bench.script.reads("job-0"), 3, "{fault}: no poll more than there had to be");
        row(&format!("HTTP/2: {fault}"), JOBS, 0, Duration::ZERO);
    }
}

#[test]
fn a_server_that_refuses_every_stream_is_polled_ever_less() {
    let (ended, bench, front) = polled(|_, _| Conduct::Refuse, &["--timeout", "3s"]);
    let ended = ended.with(6);
    assert!(bench.script.received("").is_empty() && bench.script.reads("job-0") == 0);
    let failures = failures(&ended);
    assert!(!failures.is_empty() && failures.iter().all(|line| line["read"] == "unreachable"), "{failures:?}");
    // Six jobs every 50 ms would be 360, tried up to three times each.
    assert!(front.seen().len() < 150, "{} streams", front.seen().len());
}

#[test]
fn a_stream_that_is_reset_costs_its_own_poll_alone() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::ENHANCE_YOUR_CALM] {
        let rule = move |path: &str, before: usize| match path.contains("job-0") && before == 0 {
            true => Conduct::Reset(reason),
            false => Conduct::Pass,
        };
        let (ended, bench, _) = polled(rule, &[]);
        let ended = ended.with(0);
        let failures = failures(&ended);
        assert!(failures.iter().all(|line| line["job"] == "vessl/job-0"), "{reason:?}: {failures:?}");
        assert_eq!(failures.len(), 1, "{reason:?}: {failures:?}");
        assert_eq!(bench.script.reads("job-0"), 3);
    }
}

#[test]
fn a_connection_that_ends_with_what_was_begun_on_it_is_one_failure_for_each_poll_on_it() {
    for reason in [Reason::NO_ERROR, Reason::INTERNAL_ERROR, Reason::ENHANCE_YOUR_CALM] {
        let rule = move |path: &str, before: usize| match path.contains("job-0") && before == 0 {
            true => Conduct::GoAway(reason),
            false => Conduct::Pass,
        };
        let (ended, _, _) = polled(rule, &[]);
        let ended = ended.with(0);
        let failures = failures(&ended);
        assert!((1..=JOBS).contains(&failures.len()), "{reason:?}: {failures:?}");
        assert!(failures.iter().all(|line| line["read"] == "unreachable"), "{reason:?}: {failures:?}");
    }
}

/// One execution behind a front that offers such protocols.
fn taken_once(protocols: &[&str], flags: &[&str]) -> (Ended, Bench, Front) {
    let bench = Bench::new();
    let front = Front::start(bench.script.address(), protocols, |_, _| Conduct::Pass).unwrap();
    let url = front.url("/deployment/api/org/api/");
    let service = format!("provider = \"unstract\"\nurl = \"{url}\"\ntoken = {{ env = \"{TOKEN_VARIABLE}\" }}");
    let bench = bench.service("unstract", &service).job("unstract", "job-1", [executing(), result(), acknowledged()]);
    let ended = watch(&bench, &front, flags);
    (ended, bench, front)
}

#[test]
fn a_result_that_can_be_read_once_is_asked_for_on_a_connection_of_its_own() {
    // Over HTTP/2 nobody could tell a stream that was not looked at from one that was, once the connection is cut.
    let (ended, bench, front) = taken_once(&["h2", "http/1.1"], &[]);
    assert_eq!(ended.with(0).summary()["succeeded"], 1);
    assert!(!front.seen().is_empty() && front.seen().iter().all(|seen| seen.met.is_none()), "{:?}", front.seen());
    assert_eq!(bench.script.reads("job-1"), 2);
}

#[test]
fn a_server_that_speaks_nothing_but_http2_is_asked_for_no_result_and_none_is_in_doubt() {
    let (ended, bench, front) = taken_once(&["h2"], &["--timeout", "1s"]);
    let failures = failures(&ended.with(6));
    assert!(failures.iter().all(|line| line["read"] == "unreachable"), "{failures:?}");
    assert_eq!((front.seen(), bench.script.reads("job-1")), (Vec::new(), 0));
    let known = bench.known("job-1");
    assert_eq!((&known["state"], &known["lost_because"]), (&"unknown".into(), &Value::Null));
    assert!(known["reason"].as_str().unwrap().contains("connect"), "{known}");
}
