//! What an instance had received whole before it died: read as the response that it is, and saved as the result.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hook_news::Hooks;
use crate::domain::attempt::StateChange;
use crate::domain::hook;
use crate::domain::job::Job;
use crate::domain::observation::{Applied, Keep, Observation, Role, Seen};
use crate::domain::provider::{Fetch, Next};
use crate::domain::reading::Reading;
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::net::decode;
use crate::providers;
use crate::store::{KeptBody, Save, SaveBody, Store, StoreError, StoreErrorKind};

/// Looks through what was kept of a job whose only result may have been used up, and saves the result that is among it.
/// Answers whether there was one. After an error the job must not be polled: the result may be there.
pub async fn recover(store: &Store, hooks: &mut Hooks, service: &Service, job: &Arc<Job>) -> Result<bool, StoreError> {
    let known = store.results().load(vec![job.key.clone()]).await?.pop().unwrap_or_default();
    if !job.traits.one_shot || known.is_over() {
        return Ok(false);
    }
    let mut left = Vec::new();
    for kept in store.results().kept(job.key.clone()).await?.into_iter().rev() {
        store.spool().check_memory()?;
        let bytes = match store.results().body(kept.saved.body).await {
            Ok(bytes) => bytes,
            // What is gone is no reason to leave the others.
            Err(error) if error.kind == StoreErrorKind::NotFound => {
                tracing::warn!("{}: a response that was left behind is gone: {error}", job.label());
                continue;
            }
            Err(error) => return Err(error),
        };
        let coding = kept.headers.content_encoding.as_deref();
        let body = match decode::decoded(coding, &bytes) {
            Ok(decoded) => decoded.map_or(bytes, |decoded| decoded.bytes),
            Err(_) => return Err(StoreError::no_memory("read a response that was left behind")),
        };
        left.push(Left::new(kept, body));
    }
    for result in &left {
        let Some(save) = ended_by(result, &left, service, job).and_then(|end| end.save(&known, job)) else { continue };
        let (attempts, _) = store.results().history(job.key.clone()).await?;
        let change = hook::Transition { job, before: &known, after: &save.observation, gives_up: false };
        let hooks = hooks.news(change, result.kept.saved.at);
        let saved = store.save(Save { attempts, hooks, ..save }).await?;
        tracing::warn!("{}: a response that was left behind holds the result: {}", job.label(), saved.state);
        return Ok(true);
    }
    Ok(false)
}

/// What was left of one response.
struct Left {
    kept: KeptBody,
    response: Response,
}

impl Left {
    fn new(kept: KeptBody, body: Bytes) -> Self {
        // The code is not known of what was rescued.
        let status = if kept.saved.http_status == 0 { 200 } else { kept.saved.http_status };
        // Of what is not known to be whole the provider says whether it is, as of any that broke off.
        let broken = kept.broken.then(|| "jobdeck ended before it was taken in".to_owned());
        let response = Response { status, headers: kept.headers.clone(), body, broken, at: kept.saved.at };
        Self { kept, response }
    }

    fn body(&self) -> SaveBody {
        let Response { status, headers, body, .. } = self.response.clone();
        SaveBody {
            keep: Keep::Result,
            role: self.kept.role.clone(),
            broken: false,
            bytes: body,
            spooled: None,
            http_status: status,
            headers,
            masked: self.kept.saved.masked,
            at: self.kept.saved.at,
        }
    }
}

/// How a job ended by what was left of it.
struct End<'a> {
    reading: Reading,
    result: &'a Left,
    /// The status that led to the result.
    status: Option<&'a Left>,
}

/// What a response says about the end of its job: by itself, or where a request of its own took it behind the status that
/// stood by.
fn ended_by<'a>(result: &'a Left, left: &'a [Left], service: &Service, job: &Job) -> Option<End<'a>> {
    let id = &job.key.id;
    let read = |status: &Left| providers::read(service, id, &status.response);
    match result.kept.role {
        Role::Status => match read(result) {
            Next::Done(reading) => Some(End { reading, result, status: None }),
            Next::Fetch(_) => None,
        },
        Role::Result => left.iter().filter(|status| status.kept.role == Role::Status).find_map(|status| {
            let Next::Fetch(fetch) = read(status) else { return None };
            let reading = taken_by(&fetch, service, id, &result.response);
            Some(End { reading, result, status: Some(status) })
        }),
        Role::Also(_) => None,
    }
}

/// What a poll would have come to; the files that were to come after the result are not here.
fn taken_by(fetch: &Fetch, service: &Service, id: &str, result: &Response) -> Reading {
    match providers::fetched(service, id, fetch, result) {
        Next::Done(reading) => reading,
        Next::Fetch(file) => providers::none_further(&file, "jobdeck ended before it came"),
    }
}

impl End<'_> {
    /// The step that saves it, if it is one.
    fn save(self, known: &Observation, job: &Arc<Job>) -> Option<Save> {
        let Self { reading, result, status } = self;
        let seen = Seen {
            reading: &reading,
            seq: known.applied + 1,
            at: result.kept.saved.at,
            http_status: Some(result.response.status),
            one_shot: true,
            takes_result: true,
            sent: true,
            broken: false,
            now: Duration::ZERO,
            draw: 0.0,
        };
        let Applied::Known { observation, changed, keep: Keep::Result, .. } = known.apply(seen) else { return None };
        let change = observation.changed_at.filter(|_| changed).map(|at| StateChange {
            at,
            previous: known.is_observed().then_some(known.state),
            state: observation.state,
            word: observation.word.clone(),
        });
        let further = status.map(Left::body).into_iter().collect();
        Some(Save { change, body: Some(result.body()), further, ..Save::new(Arc::clone(job), *observation) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::state::{LostBecause, State};
    use crate::store::Claim;

    const ID: &str = "e748d90f-af7d-4a98-813d-4c47344ff595";

    fn job(service: &Service) -> Arc<Job> {
        let (provider, endpoint) = (service.provider.name(), service.endpoint.clone());
        let key = JobKey { provider, endpoint, id: ID.to_owned() };
        let unstract = JobKey { provider: ProviderName::UNSTRACT, ..key.clone() };
        Arc::new(Job { key, ..crate::tests::job(unstract, "s") })
    }

    fn unstract() -> Service {
        crate::tests::wire_cases::service(ProviderName::UNSTRACT, "https://us.example/deployment/api/o/n/")
    }

    /// A finished result so long that it is spooled to a file.
    fn result() -> String {
        let long = "x".repeat(200_000);
        format!(
            r#"{{"status":"COMPLETED","message":[{{"file":"a.pdf","status":"Success","result":{{"output":"{long}"}},"error":null}}]}}"#
        )
    }

    async fn after_a_death(left: impl FnOnce(&Store, &Job)) -> (Observation, Store, tempfile::TempDir) {
        after_a_death_of(unstract(), left).await
    }

    async fn after_a_death_of(
        service: Service,
        left: impl FnOnce(&Store, &Job),
    ) -> (Observation, Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let job = job(&service);
        let (first, _) = Store::open(dir.path()).unwrap();
        first.claim(vec![Arc::clone(&job)]).await.unwrap();
        left(&first, &job);
        drop(first);
        let (store, _) = Store::open(dir.path()).unwrap();
        let claims = store.claim(vec![Arc::clone(&job)]).await.unwrap();
        assert_eq!(claims, [Claim::Ours { orphaned: true }]);
        recover(&store, &mut Hooks::new(Vec::new()), &service, &job).await.unwrap();
        let known = store.results().load(vec![job.key.clone()]).await.unwrap().remove(0);
        (known, store, dir)
    }

    #[tokio::test]
    async fn a_response_that_lies_whole_in_the_spool_is_the_result() {
        let (known, store, _dir) = after_a_death(|store, job| {
            let mut spool = store.spool().begin(&job.key, 1, true);
            spool.set_status(200);
            spool.push(result().as_bytes());
            drop(spool.finish());
        })
        .await;
        assert_eq!((known.state, known.doubt), (State::Succeeded, None));
        assert_eq!(store.results().body(known.saved.unwrap().body).await.unwrap(), result());
    }

    #[tokio::test]
    async fn a_response_that_is_whole_though_it_was_never_finished_is_the_result() {
        let (known, ..) = after_a_death(|store, job| {
            let mut spool = store.spool().begin(&job.key, 1, true);
            spool.set_status(422);
            spool.push(result().as_bytes());
        })
        .await;
        assert_eq!(known.state, State::Succeeded);
    }

    #[tokio::test]
    async fn half_a_response_is_evidence_and_no_result() {
        let (known, ..) = after_a_death(|store, job| {
            let mut spool = store.spool().begin(&job.key, 1, true);
            spool.push(&result().as_bytes()[..150_000]);
        })
        .await;
        assert_eq!((known.state, known.saved), (State::Unknown, None));
        assert_eq!(known.doubt.map(|doubt| doubt.cause()), Some(LostBecause::ReaderDied));
        assert_eq!(known.evidence.unwrap().bytes, 150_000);
    }

    /// A provider whose result a request of its own takes, with two further files.
    fn with_a_result_of_its_own() -> Service {
        let description = r#"
            title = "Own"
            [settings]
            base = "https://own.example"
            [status]
            url = "{base}/jobs/{id}"
            word = ["/status"]
            [states]
            succeeded = ["done"]
            failed = ["broken"]
            [result]
            url = "{base}/results/{id}"
            one_shot = true
            lost_on = [{ code = 410 }]
            states = ["succeeded", "failed"]
            [[result.also]]
            name = "log"
            url = "{/log}"
        "#;
        let name = ProviderName::new("own");
        let provider = crate::providers::from_description(name, description).unwrap();
        let base = url::Url::parse("https://own.example").unwrap();
        let settings = [("base".to_owned(), base.to_string())].into();
        Service { endpoint: provider.endpoint(&base, &settings).into(), provider, base, settings, ..unstract() }
    }

    #[tokio::test]
    async fn a_result_that_a_request_of_its_own_took_is_adopted_where_it_lies_whole_with_the_status_that_led_to_it() {
        const DONE: &str = r#"{"status":"done"}"#;
        const LOGGED: &str = r#"{"status":"done","log":"https://own.example/log"}"#;
        const BROKEN: &str = r#"{"status":"broken"}"#;
        let page = "x".repeat(200_000);
        let long_status = format!(r#"{{"status":"done","more":"{page}"}}"#);
        let whole_json = result();
        let cut_json = whole_json.get(..150_000).unwrap();
        // The status, the HTTP code and bytes of the result, whether all of it came; the state, and what the row says.
        let cases = [
            (DONE, 200, "short", true, State::Succeeded, None),
            (DONE, 200, &*page, true, State::Succeeded, None),
            (DONE, 200, cut_json, true, State::Succeeded, Some("may have been cut off")),
            (&*long_status, 200, "{}", true, State::Succeeded, None),
            (LOGGED, 200, "short", true, State::Succeeded, Some("the file `log` is not here")),
            (BROKEN, 200, "short", true, State::Failed, None),
            (DONE, 410, "short", true, State::Unknown, None),
            (DONE, 500, "short", true, State::Unknown, None),
            (DONE, 200, &*page, false, State::Unknown, None),
            ("", 200, "short", true, State::Unknown, None),
            (r#"{"status":"goes on"}"#, 200, "short", true, State::Unknown, None),
        ];
        for (status, code, body, is_whole, state, warning) in cases {
            let (known, store, _dir) = after_a_death_of(with_a_result_of_its_own(), |store, job| {
                let mut stands_by = store.spool().begin(&job.key, 1, true);
                stands_by.set_status(200);
                stands_by.push(status.as_bytes());
                stands_by.ends_as(Some(Role::Status), true);
                drop(stands_by.finish());
                let mut taken = store.spool().begin(&job.key, 2, true);
                taken.set_status(code);
                taken.push(body.as_bytes());
                taken.ends_as(is_whole.then_some(Role::Result), true);
                drop(taken.finish());
            })
            .await;
            let about = format!("{:.30} {code} {:.30}", status, body);
            assert_eq!(known.state, state, "{about}");
            let said = known.warning.clone().unwrap_or_default();
            assert_eq!(
                (said.is_empty(), said.contains(warning.unwrap_or_default())),
                (warning.is_none(), true),
                "{about}"
            );
            let kept = store.results().kept(known_key(&with_a_result_of_its_own())).await.unwrap();
            let left = kept.iter().find(|kept| kept.saved.bytes == body.len() as u64).unwrap();
            let bytes = if state == State::Unknown { left.saved.body } else { known.saved.unwrap().body };
            assert_eq!(store.results().body(bytes).await.unwrap(), body, "whatever comes of it, it is kept: {about}");
            let copies = kept.iter().filter(|kept| kept.keep == Keep::Result).count();
            assert_eq!(copies, if state == State::Unknown { 0 } else { 2 }, "the status is kept beside it: {about}");
            let doubt = known.doubt.map(|doubt| doubt.cause());
            assert_eq!(doubt, (state == State::Unknown).then_some(LostBecause::ReaderDied), "{about}");
        }
    }

    fn known_key(service: &Service) -> JobKey {
        job(service).key.clone()
    }

    #[tokio::test]
    async fn a_rescue_file_in_the_state_directory_is_the_result() {
        let (known, store, dir) = after_a_death(|store, job| {
            store.spool().rescue(&job.key, result().as_bytes()).unwrap();
        })
        .await;
        assert_eq!(known.state, State::Succeeded);
        assert_eq!(store.results().body(known.saved.unwrap().body).await.unwrap(), result());
        let left = std::fs::read_dir(dir.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("jobdeck-rescued"));
        assert_eq!(left.count(), 0, "it is in the store now");
    }
}
