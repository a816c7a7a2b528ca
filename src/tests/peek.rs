//! The request that takes nothing before the one that takes an Unstract result: what it tells, and that whatever
//! becomes of it neither takes, delays nor loses a result.

use std::time::Duration;

use super::bench::{Bench, PLATFORM_KEY, TOKEN};
use super::script::{Fault, Scripted};
use crate::domain::fact::Fact;
use crate::domain::files::FileCounts;
use crate::domain::job::ProviderName;
use crate::domain::observation::Observation;
use crate::domain::service::Rate;
use crate::domain::state::{LostBecause, State};
use crate::engine::Purpose;

const DONE: &str = r#"{"status":"COMPLETED","message":[{"file":"a","status":"Success","result":{}}]}"#;

fn platform(status: &str, acknowledged: bool) -> Scripted {
    let body = format!(
        r#"{{"id":"job-1","status":"{status}","result_acknowledged":{acknowledged},"total_files":4,"successful_files":2,"failed_files":1}}"#
    );
    Scripted::json(200, body)
}

fn executing() -> Scripted {
    Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#)
}

fn done() -> Scripted {
    Scripted::json(200, DONE)
}

fn acknowledged() -> Scripted {
    Scripted::json(406, r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#)
}

fn bench(platform: Vec<Scripted>, deployment: Vec<Scripted>) -> Bench {
    let mut bench = Bench::new();
    bench.peeks = true;
    let bench = bench.job(ProviderName::UNSTRACT, "job-1", deployment);
    bench.script.on("execution/job-1", platform);
    bench
}

/// How often the result was asked for, and how far it is.
fn reads(bench: &Bench) -> (usize, usize) {
    (bench.script.reads("job-1"), bench.script.reads("execution/job-1"))
}

#[tokio::test]
async fn how_far_a_job_is_comes_from_the_platform_and_its_result_is_asked_for_once_it_is_over() {
    let going = || platform("EXECUTING", false);
    let bench = bench(vec![platform("PENDING", false), going(), going(), platform("COMPLETED", false)], vec![done()]);
    let mut told = bench.start(Purpose::Watch);
    told.until(|fact| *fact == Fact::Settled).await;
    let known: Vec<&Observation> = told
        .told
        .iter()
        .filter_map(|fact| match fact {
            Fact::Observed { known, changed: true, .. } => Some(&**known),
            _ => None,
        })
        .collect();
    assert_eq!(
        known.iter().map(|known| known.state).collect::<Vec<_>>(),
        [State::Queued, State::Running, State::Succeeded]
    );
    assert_eq!((known[1].progress, known[1].files), (Some(75.0), Some(FileCounts { total: 4, failed: 1 })));
    assert_eq!(reads(&bench), (1, 4), "the result is asked for at the end alone");
    let key = |id: &str| bench.script.received(id)[0].header("authorization").unwrap().to_owned();
    assert_eq!((key("execution/job-1"), key("job-1")), (format!("Bearer {PLATFORM_KEY}"), format!("Bearer {TOKEN}")));
    told.drain().await;
}

#[tokio::test]
async fn a_platform_that_fails_in_whatever_way_changes_nothing_for_the_result() {
    let page = |status| Scripted::typed(status, "text/html", "<title>no</title>");
    let failures = [
        page(502),
        page(200),
        page(401),
        Scripted::json(403, r#"{"detail":"no permission"}"#),
        Scripted::json(404, r#"{"detail":"Not found."}"#),
        Scripted::json(429, "{}").header("Retry-After", "3600"),
        Scripted::json(200, r#"{"id":"another","status":"EXECUTING","result_acknowledged":false}"#),
        Scripted::json(200, r#"{"id":"job-1","status":"SOON"}"#),
        Scripted::json(200, r#"{"id":"job-1","status":"EXECUTING""#),
        Scripted::json(302, "{}").header("Location", "https://other.example/"),
        Scripted::json(200, ""),
        platform("EXECUTING", false).fault(Fault::NoReply),
        platform("EXECUTING", false).fault(Fault::ResetBeforeReply),
        platform("EXECUTING", false).fault(Fault::CutAfter(20)),
    ];
    for failure in failures {
        let bench = bench(vec![failure.clone()], vec![executing(), done()]);
        let known = bench.watch().await;
        assert_eq!((known.state, known.doubt), (State::Succeeded, None), "{failure:?}");
        assert_eq!(bench.script.reads("job-1"), 2, "{failure:?}");
        assert!(bench.script.reads("execution/job-1") <= 2, "{failure:?}");
    }
}

#[tokio::test]
async fn after_a_response_that_did_not_come_the_platform_says_whether_the_result_was_handed_out() {
    // It was: the loss is reported with its cause, as without the platform.
    for (fault, cause) in [(Fault::NoReply, LostBecause::NoReply), (Fault::CutAfter(9), LostBecause::Cut)] {
        let over = vec![platform("COMPLETED", false), platform("COMPLETED", true)];
        let bench = bench(over, vec![done().fault(fault), acknowledged()]);
        let known = bench.watch().await;
        assert_eq!((known.state, known.lost), (State::Lost, Some(cause)));
    }
    // It was not: the request never came through, and the next one has it.
    let bench = bench(vec![platform("COMPLETED", false)], vec![done().fault(Fault::NoReply), done()]);
    assert_eq!(bench.watch().await.state, State::Succeeded);
}

#[tokio::test]
async fn a_job_of_which_the_platform_says_that_nothing_was_taken_is_in_no_doubt() {
    let ways = vec![platform("COMPLETED", false), platform("EXECUTING", false), platform("EXECUTING", false)];
    let bench = bench(ways, vec![done().fault(Fault::NoReply), done()]);
    let mut told = bench.start(Purpose::Watch);
    let running = |fact: &Fact| matches!(fact, Fact::Observed { known, .. } if known.state == State::Running);
    let Fact::Observed { known, .. } = told.until(running).await else { panic!("no observation") };
    assert_eq!((known.doubt, reads(&bench).0), (None, 1));
    told.drain().await;
}

#[tokio::test]
async fn leaving_waits_for_no_request_that_takes_nothing() {
    let slow = platform("EXECUTING", false).fault(Fault::StallHead(Duration::from_secs(60)));
    let bench = bench(vec![slow], vec![done()]);
    let told = bench.start(Purpose::Watch);
    bench.until_read("execution/job-1", 1).await;
    let ending = told.drain().await;
    assert_eq!((reads(&bench).0, ending.abandoned.len()), (0, 0), "the result was not asked for on the way out");
}

#[test]
fn requests_beside_the_first_of_a_poll_count_against_the_rate() {
    use crate::domain::schedule::Bucket;
    let rate = Rate { requests: 10, per: Duration::from_secs(1) };
    let sent = |further: u32| {
        let mut bucket = Bucket::new(rate, Duration::ZERO);
        let (mut polls, mut now) = (0_u32, Duration::ZERO);
        while now < Duration::from_secs(10) {
            match bucket.take(now) {
                Ok(()) => {
                    bucket.owe(further.into());
                    polls += 1;
                }
                Err(wait) => now += wait,
            }
        }
        polls * (1 + further)
    };
    for further in [0, 1, 3] {
        assert!((98..=104).contains(&sent(further)), "{further}: {}", sent(further));
    }
}
