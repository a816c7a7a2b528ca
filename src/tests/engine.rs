//! The engine against a server that answers, and misbehaves, as the test says: over real sockets, on a real store.

use std::time::Duration;

use super::bench::{Bench, TOKEN};
use super::script::{Fault, Scripted};
use crate::domain::fact::{Fact, Gate, Health, Refusal};
use crate::domain::job::{JobIx, ProviderName};
use crate::domain::observation::{LastPoll, Observation};
use crate::domain::secret::TokenSource;
use crate::domain::state::{LostBecause, PollOutcome, State};
use crate::engine::{EngineCommand, Purpose};
use crate::store::Results;

const RESULT: &str = r#"{"status":"COMPLETED","message":[{"file":"a.pdf","status":"Success","result":{"output":{"n":1}},"error":null}]}"#;

fn executing() -> Scripted {
    Scripted::json(422, r#"{"status":"EXECUTING","message":null}"#)
}

fn result() -> Scripted {
    Scripted::json(200, RESULT)
}

fn acknowledged() -> Scripted {
    Scripted::json(406, r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#)
}

fn done() -> Scripted {
    Scripted::json(200, r#"{"status":"completed","status_code":200,"raw_output":"1"}"#)
}

fn page(status: u16) -> Scripted {
    Scripted::typed(status, "text/html", "<html><title>Bad gateway</title></html>")
}

async fn watched(provider: ProviderName, replies: Vec<Scripted>) -> (Bench, Observation) {
    let bench = Bench::new().job(provider, "job-1", replies);
    let known = bench.watch().await;
    (bench, known)
}

async fn saved_body(bench: &Bench, known: &Observation) -> Vec<u8> {
    let saved = known.saved.as_ref().or(known.evidence.as_deref()).unwrap();
    bench.open_store().results().body(saved.body).await.unwrap().to_vec()
}

#[tokio::test]
async fn a_result_that_can_be_read_once_is_read_once_and_saved_byte_for_byte() {
    let (bench, known) =
        watched(ProviderName::UNSTRACT, vec![executing(), executing(), result(), acknowledged()]).await;
    assert_eq!((known.state, bench.script.reads("job-1")), (State::Succeeded, 3));
    assert_eq!(saved_body(&bench, &known).await, RESULT.as_bytes());
    assert_eq!(bench.watch().await.state, State::Succeeded);
    assert_eq!(bench.script.reads("job-1"), 3, "nothing is read again once it is terminal and saved");
}

#[tokio::test]
async fn a_response_that_is_longer_than_it_may_be_is_cut_and_what_came_of_it_is_kept() {
    let body = RESULT.replace("a.pdf", &"x".repeat(4_000_000));
    for fault in [Fault::Whole, Fault::Chunked, Fault::UntilClose] {
        let mut bench = Bench::new();
        bench.poll.max_response = 100_000;
        let long = Scripted::json(200, body.as_str()).fault(fault);
        let bench = bench.job(ProviderName::UNSTRACT, "job-1", [long, acknowledged()]);
        let known = bench.watch().await;
        assert_eq!((known.state, known.lost), (State::Lost, Some(LostBecause::Cut)));
        let kept = saved_body(&bench, &known).await;
        assert!(kept.len() > 100_000 && kept.len() < 2_000_000 && body.as_bytes().starts_with(&kept), "{}", kept.len());
    }
}

#[tokio::test]
async fn every_read_carries_the_token_asks_for_metadata_and_metrics_and_takes_no_encoding() {
    let (bench, _) = watched(ProviderName::UNSTRACT, vec![result()]).await;
    let request = &bench.script.received("job-1")[0];
    for wanted in ["GET /deployment/api/org/api/?", "include_metadata=true", "include_metrics=true", "HTTP/1.1"] {
        assert!(request.line.contains(wanted), "{}", request.line);
    }
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(request.header("user-agent").unwrap().starts_with("jobdeck/"));
}

#[tokio::test]
async fn every_cause_of_a_loss_is_told_apart() {
    let cut = result().fault(Fault::CutAfter(40));
    let cases: Vec<(Vec<Scripted>, LostBecause)> = vec![
        (vec![executing(), acknowledged()], LostBecause::AlreadyRead),
        (vec![Scripted::json(200, r#"{"status":"COMPLETED","message":null}"#)], LostBecause::Expired),
        (vec![Scripted::json(200, r#"{"status":"COMPLETED","message":[]}"#)], LostBecause::Expired),
        (vec![cut.clone(), acknowledged()], LostBecause::Cut),
        (vec![result().fault(Fault::CutChunked(40)), acknowledged()], LostBecause::Cut),
        (vec![result().fault(Fault::NoReply), acknowledged()], LostBecause::NoReply),
        (vec![result().fault(Fault::ResetBeforeReply), acknowledged()], LostBecause::NoReply),
        (vec![page(504), acknowledged()], LostBecause::NoReply),
        (vec![page(500), acknowledged()], LostBecause::NoReply),
        (vec![Scripted::json(200, RESULT.get(..40).unwrap()), acknowledged()], LostBecause::NoReply),
        (vec![Scripted::json(407, ""), acknowledged()], LostBecause::AlreadyRead),
        (vec![cut, executing(), acknowledged()], LostBecause::AlreadyRead),
        (
            vec![
                executing(),
                Scripted::json(404, r#"{"errors":[{"detail":"Execution with ID 'job-1' does not exist."}]}"#),
            ],
            LostBecause::Gone,
        ),
    ];
    for (replies, cause) in cases {
        let (_, known) = watched(ProviderName::UNSTRACT, replies.clone()).await;
        assert_eq!((known.state, known.lost), (State::Lost, Some(cause)), "{replies:?}");
    }
}

#[tokio::test]
async fn what_came_of_a_reply_that_broke_off_is_kept() {
    let (bench, known) =
        watched(ProviderName::UNSTRACT, vec![result().fault(Fault::CutAfter(40)), acknowledged()]).await;
    assert_eq!(saved_body(&bench, &known).await, &RESULT.as_bytes()[..40]);
}

#[tokio::test]
async fn bytes_that_hold_one_whole_document_count_as_whole_with_a_warning() {
    let short = result().fault(Fault::WrongLength(RESULT.len() + 9));
    let (bench, known) = watched(ProviderName::UNSTRACT, vec![short, acknowledged()]).await;
    assert_eq!((known.state, known.warning.is_some()), (State::Succeeded, true));
    assert_eq!(saved_body(&bench, &known).await, RESULT.as_bytes());
}

#[tokio::test]
async fn a_page_instead_of_the_result_is_kept_and_named_when_the_result_is_lost() {
    for (response, said) in [
        (page(500), "Bad gateway"),
        (page(503), "Bad gateway"),
        (Scripted::typed(500, "text/plain", "ValueError at /x\nnan\n\nTraceback"), "ValueError at /x nan"),
        (Scripted::json(200, RESULT.get(..60).unwrap()), "broken JSON"),
    ] {
        let code = response.status;
        let body = response.body.clone();
        let (bench, known) = watched(ProviderName::UNSTRACT, vec![executing(), response, acknowledged()]).await;
        let reason = known.fail_reason.clone().unwrap();
        assert!(reason.starts_with(&format!("HTTP {code} at ")) && reason.contains(said), "{reason}");
        assert_eq!(saved_body(&bench, &known).await, body);
    }
}

#[tokio::test]
async fn a_whole_document_with_something_behind_it_is_taken_with_a_warning() {
    for rest in ["\0", "\0\0 \n", "<!-- cached -->", "\n# served by a proxy", "]"] {
        let body = format!("{RESULT}{rest}");
        let (bench, known) =
            watched(ProviderName::UNSTRACT, vec![executing(), Scripted::json(200, &*body), acknowledged()]).await;
        assert_eq!((known.state, known.warning.is_some()), (State::Succeeded, true), "{rest:?}");
        let saved = saved_body(&bench, &known).await;
        assert_eq!(saved, body.as_bytes());
        let payload = super::extract(ProviderName::UNSTRACT, &saved.into());
        assert!(payload.output.is_some() && payload.files.len() == 1);
    }
}

#[tokio::test]
async fn an_unfinished_word_under_any_2xx_is_an_answer() {
    for code in [200, 201, 202, 203, 206] {
        let running = Scripted::json(code, r#"{"status":"EXECUTING","message":null}"#);
        let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [running]);
        let mut running = bench.start(Purpose::Dashboard);
        running.until(is_observed).await;
        assert_eq!(running.known(0).state, State::Running, "{code}");
    }
}

#[tokio::test]
async fn a_proxy_that_asks_for_a_login_for_longer_than_the_grace_gives_no_job_up() {
    for code in [407, 511] {
        let mut bench = Bench::new();
        bench.poll.not_found_grace = Duration::from_millis(40);
        let login = Scripted::typed(code, "text/html", "<title>Login</title>");
        let bench = bench.job(ProviderName::VESSL, "job-1", std::iter::repeat_n(login, 8).chain([done()]));
        assert_eq!(bench.watch().await.state, State::Succeeded, "{code}");
    }
}

#[tokio::test]
async fn no_fault_of_the_network_turns_a_job_red_or_loses_its_result() {
    let gzip = result().fault(Fault::WrongGzip);
    let faults: Vec<Scripted> = vec![
        page(502),
        page(500),
        page(200),
        Scripted::json(200, ""),
        Scripted::json(429, "{}").header("Retry-After", "1"),
        Scripted::json(503, "{}").header("Retry-After", "0"),
        Scripted::json(429, "{}"),
        result().fault(Fault::NoReply),
        result().fault(Fault::ResetBeforeReply),
        result().fault(Fault::CutAfter(0)),
        Scripted::json(408, "{}"),
    ];
    for fault in faults {
        let (bench, known) =
            watched(ProviderName::UNSTRACT, vec![executing(), fault.clone(), executing(), result()]).await;
        assert_eq!(known.state, State::Succeeded, "{fault:?}");
        assert_eq!(saved_body(&bench, &known).await, RESULT.as_bytes(), "{fault:?}");
    }
    let odd = [
        gzip,
        result().fault(Fault::Trickle(7, Duration::from_millis(1))),
        result().fault(Fault::Chunked),
        result().fault(Fault::UntilClose),
        result().fault(Fault::StallAfter(20, Duration::from_millis(300))),
    ];
    for whole in odd {
        let (bench, known) = watched(ProviderName::UNSTRACT, vec![whole.clone(), acknowledged()]).await;
        assert_eq!((known.state, bench.script.reads("job-1")), (State::Succeeded, 1), "{whole:?}");
        assert_eq!(saved_body(&bench, &known).await, RESULT.as_bytes(), "{whole:?}");
    }
}

#[tokio::test]
async fn only_silence_ends_a_read_and_never_its_length() {
    let mut bench = Bench::new();
    bench.poll.read_timeout = Duration::from_millis(400);
    let slow = result().fault(Fault::Trickle(RESULT.len() / 8, Duration::from_millis(150)));
    let bench = bench.job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]);
    assert_eq!(bench.watch().await.state, State::Succeeded);
    let silent = result().fault(Fault::StallAfter(10, Duration::from_secs(5)));
    let mut bench = Bench::new();
    bench.poll.read_timeout = Duration::from_millis(300);
    let bench = bench.job(ProviderName::UNSTRACT, "job-1", [silent, acknowledged()]);
    assert_eq!(bench.watch().await.lost, Some(LostBecause::Cut));
}

#[tokio::test]
async fn a_head_that_does_not_come_is_waited_for_as_long_as_silence_may_last_and_not_as_long_as_connecting_may() {
    let silent = result().fault(Fault::StallHead(Duration::from_secs(60)));
    let mut bench = Bench::new();
    bench.poll.read_timeout = Duration::from_millis(300);
    bench.poll.connect_timeout = Duration::from_secs(60);
    let bench = bench.job(ProviderName::UNSTRACT, "job-1", [silent, acknowledged()]);
    assert_eq!(bench.watch().await.lost, Some(LostBecause::NoReply));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    for provider in super::PROVIDERS {
        let away = Scripted::json(307, "").header("Location", "http://127.0.0.1:9/elsewhere?key=1");
        let (_, known) = watched(provider, vec![away]).await;
        assert_eq!((known.state, known.last_poll.unwrap().read), (State::Unknown, PollOutcome::Rejected));
    }
}

#[tokio::test]
async fn a_token_that_a_reply_echoes_is_masked_before_anything_is_saved() {
    let body = format!(r#"{{"status":"completed","status_code":200,"raw_output":"you sent {TOKEN}"}}"#);
    let (bench, known) = watched(ProviderName::VESSL, vec![Scripted::json(200, body.clone())]).await;
    assert!(known.saved.as_ref().unwrap().masked);
    let saved = String::from_utf8(saved_body(&bench, &known).await).unwrap();
    assert_eq!(saved, body.replace(TOKEN, &"*".repeat(TOKEN.len())));
}

#[tokio::test]
async fn a_drain_waits_for_the_one_shot_read_in_flight_and_saves_it() {
    let slow = result().fault(Fault::StallHead(Duration::from_millis(600)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]).job(
        ProviderName::VESSL,
        "job-2",
        [Scripted::json(200, "{}").fault(Fault::StallHead(Duration::from_secs(9)))],
    );
    let mut running = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 1).await;
    running.engine.send(EngineCommand::Drain);
    running.until(|fact| *fact == Fact::Draining(vec![JobIx(0)])).await;
    running.until(|fact| matches!(fact, Fact::Ended(ending) if ending.abandoned.is_empty())).await;
    assert_eq!(running.known(0).state, State::Succeeded);
}

#[tokio::test]
async fn a_front_end_that_is_gone_without_a_word_costs_no_result_and_the_engine_ends() {
    let late = result().fault(Fault::StallHead(Duration::from_millis(800)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [late, acknowledged()]);
    let running = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 1).await;
    let told = running.forsaken().await;
    assert!(matches!(told.last(), Some(Fact::Ended(ending)) if ending.abandoned.is_empty()), "{told:#?}");
    assert_eq!(bench.watch().await.state, State::Succeeded);
    assert_eq!(bench.script.reads("job-1"), 1);
}

#[tokio::test]
async fn a_second_signal_saves_what_came_and_leaves_at_once() {
    let slow = result().fault(Fault::StallAfter(40, Duration::from_secs(9)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]);
    let running = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.engine.send(EngineCommand::Drain);
    let ending = running.end(EngineCommand::Abort).await;
    assert_eq!(ending.abandoned, vec![JobIx(0)]);
    let known =
        bench.open_store().results().load(vec![bench.key(ProviderName::UNSTRACT, "job-1")]).await.unwrap().remove(0);
    assert_eq!(saved_body(&bench, &known).await, &RESULT.as_bytes()[..40]);
    assert_eq!(bench.watch().await.lost, Some(LostBecause::Cut));
}

fn not_found() -> Scripted {
    Scripted::json(404, r#"{"detail":"Request not found."}"#)
}

/// What is on disk of the last read of a job, and how many reads are counted there, in one line.
async fn on_disk(bench: &Bench, results: &Results) -> (Option<LastPoll>, u32) {
    let key = bench.key(ProviderName::VESSL, "job-1");
    let known = results.load(vec![key.clone()]).await.unwrap().remove(0);
    let attempts = results.history(key).await.unwrap().0;
    assert!(attempts.len() < 2, "{attempts:#?}");
    (known.last_poll, attempts.first().map_or(0, |reads| reads.count))
}

fn is_observed(fact: &Fact) -> bool {
    matches!(fact, Fact::Observed { .. })
}

#[tokio::test]
async fn a_read_that_changes_nothing_is_told_at_once_and_written_when_its_reader_is_done() {
    let mut bench = Bench::new().job(ProviderName::VESSL, "job-1", [not_found()]);
    bench.poll.not_found_grace = Duration::from_secs(3600);
    let mut before = 0;
    let ends: [EngineCommand; 3] = [EngineCommand::Drain, EngineCommand::Abort, EngineCommand::Pause(true)];
    for end in ends {
        let mut running = bench.start(Purpose::Dashboard);
        running.until(is_observed).await;
        running.until(is_observed).await;
        let looking = Results::open(bench.dir.path()).unwrap();
        let written = on_disk(&bench, &looking).await;
        for _ in 0..5 {
            running.until(is_observed).await;
        }
        assert_eq!(on_disk(&bench, &looking).await, written, "no read of these asks the disk for anything");
        assert!(running.known(0).last_poll.unwrap().at > written.0.unwrap().at);
        let paused = matches!(end, EngineCommand::Pause(_));
        running.engine.send(end);
        if paused {
            // Another instance goes on with the job once its claim is given up: not before the reads are written.
            let key = bench.key(ProviderName::VESSL, "job-1");
            while looking.owners(vec![key.clone()]).await.unwrap() != [None] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } else {
            running.until(|fact| matches!(fact, Fact::Ended(_))).await;
        }
        let (last, count) = on_disk(&bench, &looking).await;
        assert!(last.unwrap().at >= running.known(0).last_poll.unwrap().at || paused);
        assert!(count >= before + 7, "{count} reads after {before}");
        before = count;
    }
}

#[tokio::test]
async fn a_job_that_is_given_up_says_on_disk_when_it_was_last_read_and_how_often() {
    for purpose in [Purpose::Watch, Purpose::Dashboard] {
        let bench = Bench::new().job(ProviderName::VESSL, "job-1", [not_found()]);
        let mut running = bench.start(purpose);
        running.until(|fact| matches!(fact, Fact::Health { health: Health::GivenUp(_), .. })).await;
        let reads = u32::try_from(bench.script.reads("job-1")).unwrap();
        assert_eq!(on_disk(&bench, bench.open_store().results()).await, (running.known(0).last_poll, reads));
    }
}

#[tokio::test]
async fn one_job_is_read_by_one_instance_and_the_other_follows() {
    let bench = Bench::new().job(
        ProviderName::UNSTRACT,
        "job-1",
        [executing(), executing(), executing(), result(), acknowledged()],
    );
    let mut first = bench.start(Purpose::Watch);
    first.until(|fact| matches!(fact, Fact::Observed { .. })).await;
    let mut second = bench.start(Purpose::Watch);
    second.until(|fact| matches!(fact, Fact::Health { health: Health::Following(_), .. })).await;
    first.until(|fact| *fact == Fact::Settled).await;
    second.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((first.known(0).state, second.known(0).state), (State::Succeeded, State::Succeeded));
    assert_eq!(bench.script.reads("job-1"), 4);
}

#[tokio::test]
async fn a_paused_instance_gives_its_jobs_up_to_another() {
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [Scripted::json(200, r#"{"status":"pending"}"#)]);
    let mut first = bench.start(Purpose::Dashboard);
    first.until(|fact| matches!(fact, Fact::Observed { .. })).await;
    let mut second = bench.start(Purpose::Dashboard);
    second.until(|fact| matches!(fact, Fact::Health { health: Health::Following(_), .. })).await;
    first.engine.send(EngineCommand::Pause(true));
    second.until(|fact| matches!(fact, Fact::Health { health: Health::Fresh, .. })).await;
    first.engine.send(EngineCommand::Pause(false));
    first.until(|fact| matches!(fact, Fact::Health { health: Health::Following(_), .. })).await;
}

#[tokio::test]
async fn what_another_instance_saved_during_a_pause_is_not_asked_for_again_however_often_we_had_asked_before() {
    let replies = std::iter::repeat_n(executing(), 14).chain([result(), acknowledged()]);
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", replies);
    let mut first = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 9).await;
    first.engine.send(EngineCommand::Pause(true));
    let mut second = bench.start(Purpose::Watch);
    second.until(|fact| *fact == Fact::Settled).await;
    first.engine.send(EngineCommand::Pause(false));
    first.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((first.known(0).state, bench.script.reads("job-1")), (State::Succeeded, 15));
}

#[tokio::test]
async fn a_pause_that_ends_while_the_disk_is_being_tried_withholds_nothing_for_ever() {
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [result(), acknowledged()]);
    let mut running = bench.start(Purpose::Watch);
    running.engine.send(EngineCommand::Pause(true));
    running.engine.send(EngineCommand::Pause(false));
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((running.known(0).state, bench.script.reads("job-1")), (State::Succeeded, 1));
}

#[tokio::test]
async fn a_suspend_finishes_one_shot_reads_and_gives_up_the_claims_before_it_is_told() {
    let slow = result().fault(Fault::StallHead(Duration::from_millis(300)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]).job(
        ProviderName::UNSTRACT,
        "job-2",
        [executing()],
    );
    let mut running = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 1).await;
    running.engine.send(EngineCommand::Suspend);
    running.until(|fact| *fact == Fact::Suspended).await;
    assert_eq!(running.known(0).state, State::Succeeded);
    let store = bench.open_store();
    assert_eq!(store.results().owners(vec![bench.key(ProviderName::UNSTRACT, "job-2")]).await.unwrap(), vec![None]);
    let reads = bench.script.reads("job-2");
    running.engine.send(EngineCommand::Resume);
    bench.until_read("job-2", reads + 1).await;
}

#[tokio::test]
async fn two_refusals_close_a_service_and_the_others_go_on() {
    let refused = Scripted::json(401, r#"{"error":"Invalid API key"}"#);
    let bench = Bench::new()
        .job(ProviderName::OPTEXITY, "job-1", [refused.clone()])
        .job(ProviderName::OPTEXITY, "job-2", [refused.clone()])
        .job(ProviderName::OPTEXITY, "job-3", [refused])
        .job(ProviderName::VESSL, "job-4", [Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#)]);
    let mut running = bench.start(Purpose::Watch);
    running.until(|fact| *fact == Fact::Settled).await;
    let closed = |fact: &Fact| matches!(fact, Fact::Gate { gate: Gate::KeyRefused(why), .. } if why.to_string() == "Invalid API key");
    assert!(running.told.iter().any(closed));
    assert_eq!((running.known(0).state, running.known(3).state), (State::Unknown, State::Succeeded));
    let reads: usize = ["job-1", "job-2", "job-3"].iter().map(|id| bench.script.reads(id)).sum();
    assert!((2..=3).contains(&reads), "{reads}");
}

#[tokio::test]
async fn a_watch_waits_for_a_key_that_is_being_rotated_however_often_it_asks() {
    let refused = Scripted::json(401, r#"{"error":"Invalid API key"}"#);
    let done = Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#);
    let mut bench = Bench::new();
    let file = bench.dir.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    bench.token = TokenSource::File(file.clone());
    let bench = bench.job(ProviderName::VESSL, "job-1", [refused.clone(), refused, done]);
    let mut running = bench.start(Purpose::Watch);
    running.until(|fact| matches!(fact, Fact::Gate { gate: Gate::KeyRefused(_), .. })).await;
    tokio::time::sleep(bench.poll.pace.max_interval * 8).await;
    assert_eq!(bench.script.reads("job-1"), 2, "a key that was refused twice is not shown again");
    std::fs::write(&file, "another-token-of-the-tests").unwrap();
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((running.known(0).state, bench.script.reads("job-1")), (State::Succeeded, 3));
}

#[tokio::test]
async fn a_throttled_service_is_not_read_until_the_time_it_asked_for_and_then_all_its_jobs_are() {
    let throttled = Scripted::json(429, "slow down").header("Retry-After", "1");
    let done = Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#);
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [throttled, done.clone()]).job(
        ProviderName::VESSL,
        "job-2",
        [done],
    );
    bench.watch().await;
    let received = bench.script.received("job-1");
    assert_eq!(received.len(), 2);
    assert!(received[1].at - received[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn never_more_requests_at_once_than_allowed_and_no_service_starves_another() {
    let mut bench = Bench::new();
    bench.poll.in_flight = 4;
    let slow = || Scripted::json(200, r#"{"status":"pending"}"#).fault(Fault::StallHead(Duration::from_millis(100)));
    for n in 0..40 {
        bench = bench.job(ProviderName::VESSL, &format!("vessl-job-{n:02}"), [slow()]);
    }
    let done = Scripted::json(200, r#"{"success":true,"status":"completed","result":"x"}"#);
    let bench = bench.job(ProviderName::OPTEXITY, "opt-job-1", [done]);
    let mut running = bench.start(Purpose::Dashboard);
    running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(40), .. })).await;
    let reads: usize = (0..40).map(|n| bench.script.reads(&format!("vessl-job-{n:02}"))).sum();
    assert!(reads <= 4, "{reads} reads of the other service went before");
}

#[tokio::test]
async fn a_terminal_job_is_read_again_only_on_request_and_a_newer_answer_revises_it() {
    let failed = Scripted::json(200, r#"{"status":"failed","fail_reason":"no"}"#);
    let done = Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#);
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [failed, done]).job(
        ProviderName::UNSTRACT,
        "job-2",
        [result(), acknowledged()],
    );
    let mut running = bench.start(Purpose::Dashboard);
    running.until(|fact| *fact == Fact::Settled).await;
    running.engine.send(EngineCommand::ReadNow(vec![JobIx(1), JobIx(0)]));
    let why = running.until(|fact| matches!(fact, Fact::Refused { ix: JobIx(1), .. })).await;
    assert!(matches!(why, Fact::Refused { why: Refusal::OnlyCopySaved, .. }));
    running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(0), .. })).await;
    assert_eq!((running.known(0).state, bench.script.reads("job-2")), (State::Succeeded, 1));
}

#[tokio::test]
async fn a_watch_gives_up_what_is_refused_for_longer_than_the_grace() {
    let (bench, known) = watched(ProviderName::OPTEXITY, vec![Scripted::json(404, r#"{"detail":"Not Found"}"#)]).await;
    assert_eq!((known.state, known.is_observed()), (State::Unknown, false));
    assert!(bench.script.reads("job-1") >= 2);
}

#[tokio::test]
async fn once_reads_every_job_once() {
    let bench = Bench::new()
        .job(ProviderName::UNSTRACT, "job-1", [executing()])
        .job(ProviderName::VESSL, "job-2", [page(502)])
        .job(
            ProviderName::OPTEXITY,
            "job-3",
            [Scripted::json(200, r#"{"success":true,"status":"running","progress":40}"#)],
        );
    let mut running = bench.start(Purpose::Once);
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!(["job-1", "job-2", "job-3"].map(|id| bench.script.reads(id)), [1, 1, 1]);
    assert_eq!(running.known(2).progress, Some(40.0));
}

#[tokio::test]
async fn once_asks_on_where_a_service_answers_nonsense_about_some_jobs() {
    let mut bench = Bench::new();
    bench.poll.in_flight = 1;
    for id in ["job-1", "job-2", "job-3", "job-4"] {
        bench = bench.job(ProviderName::VESSL, id, [page(500)]);
    }
    let bench =
        bench.job(ProviderName::VESSL, "job-5", [Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#)]);
    let mut running = bench.start(Purpose::Once);
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!(running.known(4).state, State::Succeeded);
}

#[tokio::test]
async fn a_job_whose_reader_died_and_whose_result_was_used_up_says_so() {
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [acknowledged()]);
    let dead = bench.open_store();
    dead.claim(bench.file(&Ok(crate::domain::secret::Token::new("t").unwrap()), |_| true).jobs).await.unwrap();
    drop(dead);
    assert_eq!(bench.watch().await.lost, Some(LostBecause::ReaderDied));
}
