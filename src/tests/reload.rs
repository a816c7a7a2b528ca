//! The engine while its jobs file changes: what comes is read, what goes is finished, nothing is read twice.

use crate::engine::token::TokenError;
use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Running, TOKEN};
use super::script::{Fault, Scripted};
use crate::domain::fact::Fact;
use crate::domain::job::{Job, JobIx, ProviderName};
use crate::domain::secret::Token;
use crate::domain::service::Service;
use crate::domain::state::State;
use crate::engine::{EngineCommand, Purpose, Reload};

fn pending() -> Scripted {
    Scripted::json(200, r#"{"status":"pending"}"#)
}

fn done() -> Scripted {
    Scripted::json(200, r#"{"status":"completed","raw_output":"x"}"#)
}

fn result() -> Scripted {
    Scripted::json(200, r#"{"status":"COMPLETED","message":[{"file":"a.pdf","status":"Success","result":1}]}"#)
}

fn acknowledged() -> Scripted {
    Scripted::json(406, r#"{"status":"COMPLETED","message":"Result already acknowledged"}"#)
}

/// Applies a file with these jobs, and waits until that is done: how many came and went.
async fn reload(
    bench: &Bench,
    running: &mut Running,
    jobs: &[&str],
    token: &Result<Token, TokenError>,
) -> (usize, usize) {
    put_in_force(running, bench.file(token, |id| jobs.contains(&id))).await
}

async fn put_in_force(running: &mut Running, file: Reload) -> (usize, usize) {
    running.engine.send(EngineCommand::Reload(Box::new(file)));
    match running.until(|fact| matches!(fact, Fact::Reloaded { .. })).await {
        Fact::Reloaded { added, removed } => (added, removed),
        other => panic!("{other:?}"),
    }
}

fn token() -> Result<Token, TokenError> {
    Ok(Token::new(TOKEN).unwrap())
}

fn other_token() -> Result<Token, TokenError> {
    Ok(Token::new("another-token-of-the-tests").unwrap())
}

/// The file with every service under another name.
fn renamed(Reload { poll, services, jobs, hooks }: Reload) -> Reload {
    let name = |name: &str| format!("new-{name}").into();
    let service = |service: &Service| Arc::new(Service { name: name(&service.name), ..service.clone() });
    let job = |job: &Job| Arc::new(Job { service: name(&job.service), ..job.clone() });
    let services = services.into_iter().map(|(old, token)| (service(&old), token)).collect();
    Reload { poll, services, jobs: jobs.iter().map(|old| job(old)).collect(), hooks }
}

#[tokio::test]
async fn a_watch_goes_on_with_the_jobs_that_come_and_without_those_that_go() {
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [pending()]).job(ProviderName::VESSL, "job-2", [done()]);
    let mut running = bench.start(Purpose::Watch);
    running.until(|fact| matches!(fact, Fact::Observed { ix: JobIx(1), .. })).await;
    assert_eq!(reload(&bench, &mut running, &["job-2"], &token()).await, (0, 1));
    assert!(running.told.contains(&Fact::Withdrawn(JobIx(0))));
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!(reload(&bench, &mut running, &["job-2"], &token()).await, (0, 0));
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!(reload(&bench, &mut running, &["job-1", "job-2"], &token()).await, (1, 0));
    let reads = bench.script.reads("job-1");
    bench.until_read("job-1", reads + 1).await;
}

#[tokio::test]
async fn a_job_that_is_put_back_while_its_only_reply_is_on_its_way_is_not_asked_for_again() {
    let slow = result().fault(Fault::StallHead(Duration::from_millis(500)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]);
    let mut running = bench.start(Purpose::Watch);
    bench.until_read("job-1", 1).await;
    assert_eq!(reload(&bench, &mut running, &[], &token()).await, (0, 1));
    assert_eq!(reload(&bench, &mut running, &["job-1"], &token()).await, (1, 0));
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((running.known(0).state, bench.script.reads("job-1")), (State::Succeeded, 1));
}

#[tokio::test]
async fn a_job_that_goes_while_its_only_reply_is_on_its_way_is_saved() {
    let slow = result().fault(Fault::StallHead(Duration::from_millis(300)));
    let bench = Bench::new().job(ProviderName::UNSTRACT, "job-1", [slow, acknowledged()]);
    let mut running = bench.start(Purpose::Watch);
    bench.until_read("job-1", 1).await;
    reload(&bench, &mut running, &[], &token()).await;
    running.until(|fact| *fact == Fact::Settled).await;
    running.drain().await;
    let known =
        bench.open_store().results().load(vec![bench.key(ProviderName::UNSTRACT, "job-1")]).await.unwrap().remove(0);
    assert_eq!(known.state, State::Succeeded);
}

#[tokio::test]
async fn new_jobs_of_a_service_that_a_watch_has_given_up_are_given_up_too_until_its_token_changes() {
    let refused = Scripted::json(401, r#"{"error":"Invalid API key"}"#);
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [refused.clone(), refused, done()]);
    let mut running = bench.start(Purpose::Watch);
    running.until(|fact| *fact == Fact::Settled).await;
    let bench = bench.job(ProviderName::VESSL, "job-2", [done()]);
    reload(&bench, &mut running, &["job-1", "job-2"], &token()).await;
    running.until(|fact| *fact == Fact::Settled).await;
    reload(&bench, &mut running, &["job-1", "job-2"], &other_token()).await;
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((running.known(0).state, running.known(1).state), (State::Succeeded, State::Succeeded));
}

#[tokio::test]
async fn a_job_whose_service_is_renamed_while_it_is_read_is_read_on_as_the_new_one_says() {
    let slow = pending().fault(Fault::StallHead(Duration::from_millis(300)));
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [slow, done()]);
    let mut running = bench.start(Purpose::Watch);
    bench.until_read("job-1", 1).await;
    put_in_force(&mut running, renamed(bench.file(&other_token(), |_| true))).await;
    running.until(|fact| *fact == Fact::Settled).await;
    let asked = bench.script.received("job-1");
    let shown: Vec<_> = asked.iter().filter_map(|request| request.header("authorization")).collect();
    assert_eq!(shown, [format!("Bearer {TOKEN}").as_str(), "Bearer another-token-of-the-tests"]);
}

#[tokio::test]
async fn a_new_token_is_not_refused_for_what_is_said_of_the_one_before() {
    let refused = Scripted::json(401, r#"{"error":"Invalid API key"}"#);
    let refused = refused.fault(Fault::StallHead(Duration::from_millis(300)));
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [refused.clone(), done()]).job(
        ProviderName::VESSL,
        "job-2",
        [refused, done()],
    );
    let mut running = bench.start(Purpose::Watch);
    bench.until_read("job-1", 1).await;
    bench.until_read("job-2", 1).await;
    reload(&bench, &mut running, &["job-1", "job-2"], &other_token()).await;
    running.until(|fact| *fact == Fact::Settled).await;
    assert_eq!((running.known(0).state, running.known(1).state), (State::Succeeded, State::Succeeded));
}

#[tokio::test]
async fn a_job_that_comes_during_a_pause_is_left_to_others_until_reading_goes_on() {
    let bench =
        Bench::new().job(ProviderName::VESSL, "job-1", [pending()]).job(ProviderName::VESSL, "job-2", [pending()]);
    let mut running = bench.start(Purpose::Dashboard);
    reload(&bench, &mut running, &["job-1"], &token()).await;
    running.engine.send(EngineCommand::Pause(true));
    reload(&bench, &mut running, &["job-1", "job-2"], &token()).await;
    let (store, keys) =
        (bench.open_store(), [bench.key(ProviderName::VESSL, "job-1"), bench.key(ProviderName::VESSL, "job-2")]);
    let given_up = async {
        while store.results().owners(keys.to_vec()).await.unwrap() != [None, None] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), given_up).await.unwrap();
    let reads = bench.script.reads("job-2");
    running.engine.send(EngineCommand::Pause(false));
    while bench.script.reads("job-2") == reads {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_job_that_was_taken_out_stays_out_when_its_read_is_dropped_for_a_stop() {
    let slow = pending().fault(Fault::StallHead(Duration::from_secs(60)));
    let bench = Bench::new().job(ProviderName::VESSL, "job-1", [slow]);
    let mut running = bench.start(Purpose::Dashboard);
    bench.until_read("job-1", 1).await;
    reload(&bench, &mut running, &[], &token()).await;
    running.engine.send(EngineCommand::Suspend);
    running.until(|fact| *fact == Fact::Settled).await;
}
