//! The engine and a time of day that jumps: a machine that slept, a clock that was set back.

use std::time::{Duration, Instant};

use super::bench::Bench;
use super::script::Scripted;
use crate::domain::fact::{Fact, Gate, Health};
use crate::domain::job::JobIx;
use crate::domain::job::ProviderName;
use crate::domain::note;
use crate::domain::service::Pace;
use crate::domain::state::State;
use crate::engine::Purpose;

const HOUR: i64 = 3600;
const RESULT: &str = r#"{"status":"COMPLETED","message":[{"file":"a.pdf","status":"Success","result":{"output":1}}]}"#;

fn executing() -> Scripted {
    Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#)
}

fn pending() -> Scripted {
    Scripted::json(200, r#"{"status":"pending"}"#)
}

fn is_throttled(fact: &Fact) -> bool {
    matches!(fact, Fact::Gate { gate: Gate::Throttled(_), .. })
}

#[tokio::test]
async fn after_a_sleep_all_is_stale_waits_are_over_and_everything_is_read_spread_out_with_nothing_lost() {
    let mut bench = Bench::new();
    bench.poll.pace = Pace { interval: Duration::from_secs(3600), max_interval: Duration::from_secs(3600) };
    let acknowledged = Scripted::json(406, r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#);
    let done = Scripted::json(200, r#"{"success":true,"status":"completed","result":"x"}"#);
    let bench = bench
        .job(
            ProviderName::VESSL,
            "job-1",
            [pending(), Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#)],
        )
        .job(ProviderName::UNSTRACT, "job-2", [executing(), Scripted::json(200, RESULT), acknowledged])
        .job(ProviderName::OPTEXITY, "job-3", [Scripted::json(429, "{}").header("Retry-After", "1800"), done]);
    let mut running = bench.start(Purpose::Watch);
    running.until(is_throttled).await;
    for ix in [0, 1] {
        if !running.known(ix).is_observed() {
            running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(at), .. } if *at == ix)).await;
        }
    }
    let woken = Instant::now();
    bench.jump(2 * HOUR, &running);
    running.until(|fact| matches!(fact, Fact::Gate { gate: Gate::Open, .. })).await;
    for ix in [0, 1, 2] {
        let stale = Fact::Health { ix: JobIx(ix), health: Health::Stale };
        if !running.told.contains(&stale) {
            running.until(|fact| *fact == stale).await;
        }
    }
    running.until(|fact| *fact == Fact::Settled).await;
    for (ix, id) in ["job-1", "job-2", "job-3"].into_iter().enumerate() {
        let received = bench.script.received(id);
        assert_eq!((received.len(), running.known(ix as u32).state), (2, State::Succeeded), "{id}");
        assert!(received[1].at - woken >= Duration::from_secs(10), "{id} is not read before the network is back");
    }
    let saved = running.known(1).saved.unwrap();
    assert_eq!(bench.open_store().results().body(saved.body).await.unwrap(), RESULT.as_bytes());
    running.drain().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_nothing_up_and_makes_nothing_stale() {
    let throttled = Scripted::json(429, "{}")
        .header("Retry-After", "Sat, 21 Nov 2026 10:00:02 GMT")
        .header("Date", "Sat, 21 Nov 2026 10:00:00 GMT");
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [executing()]).job(
        ProviderName::VESSL,
        "job-2",
        [throttled, pending()],
    );
    let mut running = bench.start(Purpose::Dashboard);
    let Fact::Gate { gate: Gate::Throttled(before), .. } = running.until(is_throttled).await else { panic!() };
    if !running.known(0).is_observed() {
        running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(0), .. })).await;
    }
    let reads = bench.script.reads("job-1");
    bench.jump(-HOUR, &running);
    let Fact::Gate { gate: Gate::Throttled(after), .. } = running.until(is_throttled).await else { panic!() };
    assert!(before.duration_since(after).as_secs().abs_diff(HOUR) < 60, "the wait is told anew: {before} {after}");
    running.until(|fact| matches!(fact, Fact::Gate { gate: Gate::Open, .. })).await;
    running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(1), .. })).await;
    let received = bench.script.received("job-2");
    assert!(received[1].at - received[0].at >= Duration::from_secs(2), "what the service asked for still holds");
    assert!(bench.script.reads("job-1") > reads, "the others were read meanwhile");
    bench.script.on("job-1", [Scripted::json(200, RESULT)]);
    running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(0), known, .. } if known.is_over())).await;
    let known = running.known(0);
    assert_eq!((known.state, note::took(&known)), (State::Succeeded, Some(Duration::ZERO)), "no age is below zero");
    assert!(known.finished_at < known.first_seen, "this was about a clock that was set back");
    let is_stale = |fact: &Fact| matches!(fact, Fact::Health { health: Health::Stale, .. });
    assert!(!running.told.iter().any(is_stale), "{:?}", running.told);
    running.drain().await;
}
