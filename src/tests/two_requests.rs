//! A poll of several requests: status, then result, then files beside it. By a provider of the tests whose result can
//! be fetched again, and by one that hands it out once.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::bench::Bench;
use super::script::{Fault, Scripted};
use crate::domain::fact::Fact;
use crate::domain::job::{JobIx, ProviderName};
use crate::domain::observation::{Observation, Role};
use crate::domain::provider::{
    About, AddressForm, BodySource, FETCHING, Fetch, IdError, Next, OneShot, Payload, Provider, ProviderRef,
};
use crate::domain::reading::{Answer, Reading, Verdict};
use crate::domain::request::{Header, Method, Request};
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::domain::state::{LostBecause, PollOutcome, State};
use crate::engine::{EngineCommand, Purpose};
use crate::store::Results;

const REPEATABLE: &str = "two-requests";
const ONCE: &str = "two-requests-once";
const STATUS: &str = r#"{"status":"completed"}"#;
/// What is in the query of a result's address.
const SIGNATURE: &str = "0123456789abcdef+/";
const RESULT: &str = "a,b\n1,2\n";

/// Status and result by two requests; the body of a status may name a file beside the result.
#[derive(Debug)]
struct TwoRequests {
    once: bool,
}

/// The provider of this name, if it is one of these.
pub(super) fn provider(name: ProviderName) -> Option<ProviderRef> {
    let once = name.as_str() == ONCE;
    (once || name.as_str() == REPEATABLE).then(|| ProviderRef::new(TwoRequests { once }))
}

impl TwoRequests {
    fn get(service: &Service, path: &str, one_shot: bool) -> Request {
        let url = service.base.join(path).unwrap();
        Request {
            method: Method::Get,
            url,
            headers: vec![Header::bearer()],
            body: None,
            one_shot,
            own_query: Vec::new(),
            named_by: None,
        }
    }
}

fn said(state: State, word: &str) -> Reading {
    Reading::answered(Answer { verdict: Verdict::State(state), word: Some(word.to_owned()), ..Answer::default() })
}

impl Provider for TwoRequests {
    fn name(&self) -> ProviderName {
        ProviderName::new(if self.once { ONCE } else { REPEATABLE })
    }

    fn about(&self) -> About {
        let address = AddressForm::Settings { base_is_given: true };
        About { id_noun: "job", made_up_id: "0", token_env: "TOKEN", address }
    }

    fn one_shot(&self) -> OneShot {
        if self.once { OneShot::Result } else { OneShot::Never }
    }

    fn endpoint(&self, base: &Url, _: &std::collections::BTreeMap<String, String>) -> String {
        base.origin().ascii_serialization()
    }

    fn request(&self, service: &Service, id: &str) -> Request {
        Self::get(service, &format!("/status/{id}"), false)
    }

    fn read(&self, service: &Service, id: &str, response: &Response) -> Next {
        if response.status != 200 {
            return Next::Done(Reading::refused(PollOutcome::ServerError, format!("HTTP {}", response.status)));
        }
        if !response.body.starts_with(br#"{"status":"completed""#) {
            return Next::Done(said(State::Running, "processing"));
        }
        let status = said(State::Succeeded, "completed");
        let request = Self::get(service, &format!("/result-of-{id}?signature={SIGNATURE}"), self.once);
        // What follows the word is the name of the file beside the result.
        let step = usize::from(response.body.len() > STATUS.len());
        Next::Fetch(Box::new(Fetch { request, role: Role::Result, status, step, then: Vec::new() }))
    }

    fn fetched(&self, service: &Service, id: &str, fetch: &Fetch, response: &Response) -> Next {
        let refused = |outcome| Next::Done(Reading::refused(outcome, format!("HTTP {}", response.status)));
        let acknowledged =
            Answer { verdict: Verdict::Acknowledged, word: Some("completed".into()), ..Answer::default() };
        match (&fetch.role, response.status) {
            (Role::Also(_), _) => Next::Done(fetch.status.clone()),
            (_, 200) if response.body.starts_with(b"<") => refused(PollOutcome::Malformed),
            (_, 200) if response.broken.is_some() => refused(PollOutcome::Unreachable),
            (_, 200) if fetch.step > 0 => {
                let request = Self::get(service, &format!("/errors-of-{id}"), false);
                let role = Role::Also("errors".to_owned());
                Next::Fetch(Box::new(Fetch { request, role, status: fetch.status.clone(), step: 0, then: Vec::new() }))
            }
            (_, 200) => Next::Done(fetch.status.clone()),
            (_, 202) => Next::Done(fetch.meanwhile()),
            (_, 422) => Next::Done(said(State::Failed, "completed")),
            (_, 410) => Next::Done(Reading::answered(acknowledged)),
            (_, 403) => {
                let said = String::from_utf8_lossy(&response.body).into_owned();
                Next::Done(Reading::refused(PollOutcome::Unauthorized, said))
            }
            (_, _) => refused(PollOutcome::ServerError),
        }
    }

    fn id_from(&self, _: &Service, text: &str) -> Result<String, IdError> {
        Ok(text.to_owned())
    }

    fn extract(&self, _: &BodySource, _: &Bytes) -> Payload {
        Payload::default()
    }
}

fn completed() -> Scripted {
    Scripted::json(200, STATUS)
}

fn running() -> Scripted {
    Scripted::json(200, r#"{"status":"processing"}"#)
}

fn result() -> Scripted {
    Scripted::typed(200, "text/csv", RESULT)
}

fn delivered() -> Scripted {
    Scripted::json(410, "{}")
}

fn page() -> Scripted {
    Scripted::typed(502, "text/html", "<title>Bad gateway</title>")
}

fn bench(name: &str, status: Vec<Scripted>, results: Vec<Scripted>) -> Bench {
    let bench = Bench::new().job(ProviderName::new(name), "job-1", status);
    bench.script.on("result-of-job-1", results);
    bench
}

async fn kept(bench: &Bench, name: &str) -> Vec<(Role, Vec<u8>)> {
    let store = bench.open_store();
    let mut bodies = Vec::new();
    for kept in store.results().kept(bench.key(ProviderName::new(name), "job-1")).await.unwrap() {
        bodies.push((kept.role, store.results().body(kept.saved.body).await.unwrap().to_vec()));
    }
    bodies.sort();
    bodies
}

#[tokio::test]
async fn a_result_at_another_address_is_fetched_before_its_job_is_over_and_both_responses_are_kept() {
    for name in [REPEATABLE, ONCE] {
        let bench = bench(name, vec![running(), completed()], vec![result(), delivered()]);
        let mut told = bench.start(Purpose::Watch);
        told.until(|fact| *fact == Fact::Settled).await;
        let words = told.told.iter().filter_map(|fact| match fact {
            Fact::Observed { known, changed: true, .. } => Some((known.state, known.word.clone().unwrap())),
            _ => None,
        });
        let words: Vec<(State, String)> = words.collect();
        let expected = [(State::Running, "processing"), (State::Running, FETCHING), (State::Succeeded, "completed")];
        assert_eq!(words, expected.map(|(state, word)| (state, word.to_owned())));
        told.drain().await;
        let bodies = [(Role::Status, STATUS.as_bytes().to_vec()), (Role::Result, RESULT.as_bytes().to_vec())];
        assert_eq!(kept(&bench, name).await, bodies);
        let reads = (bench.script.reads("job-1"), bench.script.reads("result-of-job-1"));
        assert_eq!(reads, (2, 1), "what is over and saved is not polled again");
        assert_eq!(bench.watch().await.state, State::Succeeded);
        assert_eq!(bench.script.reads("result-of-job-1"), 1);
    }
}

#[tokio::test]
async fn a_file_beside_the_result_is_kept_with_it_and_keeps_no_job_from_its_end() {
    let named = || Scripted::json(200, r#"{"status":"completed","errors":1}"#);
    for (errors, is_kept) in
        [(Scripted::json(200, "[1]"), true), (page(), false), (result().fault(Fault::NoReply), false)]
    {
        let bench = bench(REPEATABLE, vec![named()], vec![result()]);
        bench.script.on("errors-of-job-1", [errors]);
        assert_eq!(bench.watch().await.state, State::Succeeded);
        let roles: Vec<Role> = kept(&bench, REPEATABLE).await.into_iter().map(|(role, _)| role).collect();
        let also = is_kept.then(|| Role::Also("errors".to_owned()));
        assert_eq!(roles, [Role::Status, Role::Result].into_iter().chain(also).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_the_second_response_says_decides_about_the_job() {
    let cases: Vec<(Vec<Scripted>, State)> = vec![
        (vec![Scripted::json(202, "{}"), Scripted::json(202, "{}"), result()], State::Succeeded),
        (vec![Scripted::json(422, "{}")], State::Failed),
        (vec![page(), result()], State::Succeeded),
        (vec![result().fault(Fault::ResetBeforeReply), result()], State::Succeeded),
        (vec![result().fault(Fault::CutAfter(3)), result()], State::Succeeded),
        (vec![Scripted::typed(200, "text/html", "<html>"), result()], State::Succeeded),
        (vec![delivered()], State::Lost),
    ];
    for (results, state) in cases {
        let bench = bench(REPEATABLE, vec![completed()], results.clone());
        assert_eq!(bench.watch().await.state, state, "{results:?}");
    }
}

async fn lost(results: Vec<Scripted>) -> (Bench, Observation) {
    let bench = bench(ONCE, vec![running(), completed()], results);
    let known = bench.watch().await;
    (bench, known)
}

#[tokio::test]
async fn every_cause_of_a_loss_of_a_result_that_a_second_request_takes_is_told_apart() {
    let cases = [
        (vec![delivered()], LostBecause::AlreadyRead),
        (vec![result().fault(Fault::CutAfter(3)), delivered()], LostBecause::Cut),
        (vec![result().fault(Fault::NoReply), delivered()], LostBecause::NoReply),
        (vec![result().fault(Fault::ResetBeforeReply), delivered()], LostBecause::NoReply),
        (vec![page(), delivered()], LostBecause::NoReply),
        (vec![Scripted::typed(200, "text/html", "<html>"), delivered()], LostBecause::NoReply),
        (vec![Scripted::json(202, "{}"), delivered()], LostBecause::AlreadyRead),
    ];
    for (results, cause) in cases {
        let (_, known) = lost(results.clone()).await;
        assert_eq!((known.state, known.lost), (State::Lost, Some(cause)), "{results:?}");
    }
    let (bench, known) = lost(vec![result().fault(Fault::CutAfter(3)), delivered()]).await;
    let evidence = known.evidence.unwrap();
    assert_eq!(
        bench.open_store().results().body(evidence.body).await.unwrap(),
        RESULT.as_bytes()[..3],
        "what came of it is kept"
    );
}

#[tokio::test]
async fn a_status_that_fails_says_nothing_about_a_result_that_a_second_request_takes() {
    let status = vec![running(), page(), completed()];
    let bench = bench(ONCE, status, vec![delivered()]);
    assert_eq!(bench.watch().await.lost, Some(LostBecause::AlreadyRead));
}

#[tokio::test]
async fn a_drain_waits_for_a_result_that_can_be_fetched_once_and_begins_none() {
    let slow = result().fault(Fault::StallHead(Duration::from_millis(500)));
    let one = bench(ONCE, vec![completed()], vec![slow, delivered()]);
    let mut running = one.start(Purpose::Dashboard);
    one.until_read("result-of-job-1", 1).await;
    running.engine.send(EngineCommand::Drain);
    running.until(|fact| *fact == Fact::Draining(vec![JobIx(0)])).await;
    running.until(|fact| matches!(fact, Fact::Ended(ending) if ending.abandoned.is_empty())).await;
    assert_eq!(running.known(0).state, State::Succeeded);

    let slow = completed().fault(Fault::StallHead(Duration::from_millis(500)));
    let other = bench(ONCE, vec![slow, completed()], vec![result(), delivered()]);
    let running = other.start(Purpose::Dashboard);
    other.until_read("job-1", 1).await;
    running.drain().await;
    assert_eq!(other.script.reads("result-of-job-1"), 0);
    assert_eq!(other.watch().await.state, State::Succeeded);
}

#[tokio::test]
async fn while_a_result_is_being_fetched_another_process_sees_that_its_job_runs() {
    for (name, status) in [
        (REPEATABLE, vec![completed()]),
        (ONCE, vec![completed()]),
        (ONCE, vec![Scripted::json(200, STATUS).fault(Fault::NoReply), completed()]),
    ] {
        let slow = result().fault(Fault::StallHead(Duration::from_millis(1500)));
        let bench = bench(name, status, vec![slow, delivered()]);
        let mut running = bench.start(Purpose::Watch);
        bench.until_read("result-of-job-1", 1).await;
        let other = Results::open(bench.dir.path()).unwrap();
        let key = bench.key(ProviderName::new(name), "job-1");
        let known = loop {
            match other.load(vec![key.clone()]).await.unwrap().pop().filter(Observation::is_observed) {
                Some(known) => break known,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        assert_eq!((known.state, known.word.as_deref()), (State::Running, Some(FETCHING)));
        running.until(|fact| *fact == Fact::Settled).await;
        assert_eq!(running.known(0).state, State::Succeeded);
        running.drain().await;
        let (attempts, changes) = bench.open_store().results().history(key).await.unwrap();
        let states: Vec<State> = changes.iter().map(|change| change.state).collect();
        assert_eq!(states, [State::Running, State::Succeeded], "one write, and the end");
        assert!(!attempts.is_empty());
    }
}

#[tokio::test]
async fn an_error_that_repeats_the_signature_of_a_results_address_is_told_and_kept_without_it() {
    for name in [REPEATABLE, ONCE] {
        let said = format!("SignatureDoesNotMatch: {SIGNATURE} of /result-of-job-1?signature={SIGNATURE}");
        let bench = bench(name, vec![completed()], vec![Scripted::typed(403, "text/plain", said)]);
        let mut running = bench.start(Purpose::Once);
        running.until(|fact| *fact == Fact::Settled).await;
        let told = format!("{:?}", running.told);
        running.drain().await;
        assert!(told.contains("SignatureDoesNotMatch: ***") && !told.contains(SIGNATURE), "{told}");
        let files = walk(bench.dir.path());
        let has = |file: &Vec<u8>| memchr::memmem::find(file, SIGNATURE.as_bytes()).is_some();
        assert!(!files.is_empty() && !files.iter().any(has), "the signature is on disk");
    }
}

/// The bytes of every file below.
fn walk(dir: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![std::fs::read(&path).unwrap()] }).collect()
}
