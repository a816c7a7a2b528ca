//! What an instance had received whole before it died: read as the response that it is, and saved as the result.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hook_news::Hooks;
use crate::domain::attempt::StateChange;
use crate::domain::hook;
use crate::domain::job::Job;
use crate::domain::observation::{Applied, Keep, Observation, Role, Seen};
use crate::domain::provider::Next;
use crate::domain::response::Response;
use crate::domain::service::Service;
use crate::net::decode;
use crate::providers;
use crate::store::{KeptBody, Save, SaveBody, Store, StoreError};

/// Looks through what was kept of a job whose only result may have been used up, and saves the result that is among it.
/// Answers whether there was one.
pub async fn recover(store: &Store, hooks: &mut Hooks, service: &Service, job: &Arc<Job>) -> Result<bool, StoreError> {
    let known = store.results().load(vec![job.key.clone()]).await?.pop().unwrap_or_default();
    if !job.traits.one_shot || known.is_over() {
        return Ok(false);
    }
    for kept in store.results().kept(job.key.clone()).await?.into_iter().rev() {
        store.spool().check_memory()?;
        let bytes = store.results().body(kept.saved.body).await?;
        let bytes = match decode::decoded(kept.headers.content_encoding.as_deref(), &bytes) {
            Ok(decoded) => decoded.map_or(bytes, |decoded| decoded.bytes),
            Err(_) => return Err(StoreError::no_memory("read a response that was left behind")),
        };
        let Some(save) = result_in(&known, service, job, &kept, bytes) else { continue };
        let (attempts, _) = store.results().history(job.key.clone()).await?;
        let change = hook::Transition { job, before: &known, after: &save.observation, gives_up: false };
        let hooks = hooks.news(change, kept.saved.at);
        let saved = store.save(Save { attempts, hooks, ..save }).await?;
        tracing::warn!("{}: a response that was left behind holds the result: {}", job.label(), saved.state);
        return Ok(true);
    }
    Ok(false)
}

/// The step that saves these bytes, if they are a whole response that says how the job ended.
fn result_in(known: &Observation, service: &Service, job: &Arc<Job>, kept: &KeptBody, body: Bytes) -> Option<Save> {
    let saved = &kept.saved;
    // The code is not known of what was rescued. Whether it is whole is for the provider to say, as of any that broke off.
    let status = if saved.http_status == 0 { 200 } else { saved.http_status };
    let broken = Some("jobdeck ended before it was taken in".to_owned());
    let response = Response { status, headers: kept.headers.clone(), body: body.clone(), broken, at: saved.at };
    let Next::Done(reading) = providers::read(service, &job.key.id, &response) else { return None };
    let seen = Seen {
        reading: &reading,
        seq: known.applied + 1,
        at: saved.at,
        http_status: Some(status),
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
    let body = SaveBody {
        keep: Keep::Result,
        role: Role::Status,
        broken: false,
        bytes: body,
        spooled: None,
        http_status: status,
        headers: response.headers,
        masked: saved.masked,
        at: saved.at,
    };
    Some(Save { change, body: Some(body), ..Save::new(Arc::clone(job), *observation) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobKey, ProviderName};
    use crate::domain::state::{LostBecause, State};
    use crate::store::Claim;

    const ID: &str = "e748d90f-af7d-4a98-813d-4c47344ff595";

    fn job(service: &Service) -> Arc<Job> {
        let key = JobKey { provider: ProviderName::UNSTRACT, endpoint: service.endpoint.clone(), id: ID.to_owned() };
        Arc::new(crate::tests::job(key, "s"))
    }

    fn service() -> Service {
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
        let dir = tempfile::tempdir().unwrap();
        let service = service();
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
