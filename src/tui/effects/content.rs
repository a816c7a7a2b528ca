//! What is in a saved body, and the bytes that a copy, a file or the pager gets of it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::error::EffectError;
use crate::app::effect::{JobSnapshot, TAKES, What};
use crate::app::event::Content;
use crate::domain::clean::Clean;
use crate::domain::files::FileResult;
use crate::domain::job::JobKey;
use crate::domain::observation::{BodyId, SavedBody};
use crate::domain::service::Service;
use crate::engine::saved::{self, Form, Results};
use crate::json::pretty::pretty;

/// A saved body and what a person looks for in it.
pub async fn load(store: &Results, key: &JobKey, body: BodyId) -> Result<Arc<Content>, EffectError> {
    let form = saved::form(store, key, body).await;
    let body = store.body(body).await?;
    Ok(spawn_blocking(move || Arc::new(take_apart(&form, body))).await?)
}

/// The same with what is known of the reply that it came with.
pub async fn load_whole(store: &Results, key: &JobKey, body: BodyId) -> Result<Arc<Content>, EffectError> {
    let mut content = load(store, key, body).await?;
    let kept = store.kept(key.clone()).await.unwrap_or_default();
    if let Some(kept) = kept.into_iter().find(|kept| kept.saved.body == body) {
        let known = Arc::make_mut(&mut content);
        known.content_type = kept.headers.content_type.as_deref().map(Clean::new);
        known.broken = kept.broken;
        let (saved, body) = (kept.saved, known.body.clone());
        let damage = spawn_blocking(move || saved.check(&body).err()).await?;
        known.damage = damage.map(|damage| Clean::from(damage.to_string()));
    }
    Ok(content)
}

/// A saved body that is still what was saved: nothing else is handed on without a word.
async fn load_sound(store: &Results, key: &JobKey, saved: &SavedBody) -> Result<Arc<Content>, EffectError> {
    let content = load(store, key, saved.body).await?;
    let (saved, body) = (saved.clone(), content.body.clone());
    let checked = spawn_blocking(move || saved.check(&body)).await?;
    checked.map_err(|damage| EffectError::Damaged { damage, id: key.id.clone() })?;
    Ok(content)
}

/// The files in a saved body; none if it cannot be read.
pub async fn files(store: &Results, key: &JobKey, body: BodyId) -> Vec<FileResult> {
    let form = saved::form(store, key, body).await;
    let Ok(body) = store.body(body).await else { return Vec::new() };
    spawn_blocking(move || form.extract(&body).files).await.unwrap_or_default()
}

/// The bytes that are meant, of one job.
pub async fn bytes(
    store: Option<&Results>,
    service: Option<&Service>,
    what: &What,
    job: &JobSnapshot,
) -> Result<Bytes, EffectError> {
    match what {
        What::Text(text) => Ok(text.clone()),
        What::Curl => curl(service, job).map(Bytes::from),
        What::Report(reports) => {
            let markdown = reports.get(&job.ix).map(String::as_str).unwrap_or_default();
            let curl = curl(service, job).unwrap_or_default();
            Ok(Bytes::from(format!("{}\n\n```sh\n{curl}\n```\n", markdown.trim_end())))
        }
        // Where the file is, is not a matter of bytes: see `effects`.
        What::Raw | What::Body | What::Output | What::SavedPath => {
            let saved = job.known.kept_body().ok_or(EffectError::NothingSaved)?;
            let store = store.ok_or(EffectError::NoStateDirectory)?;
            let content = load_sound(store, &job.job.key, saved).await?;
            part(what, &content).await
        }
    }
}

/// The raw output of a job, or the whole response if there is none in it; and whether it is the output.
pub async fn raw(store: Option<&Results>, job: &JobSnapshot) -> Result<(Bytes, bool), EffectError> {
    let saved = job.known.kept_body().ok_or(EffectError::NothingSaved)?;
    let store = store.ok_or(EffectError::NoStateDirectory)?;
    let content = load_sound(store, &job.job.key, saved).await?;
    let is_output = content.raw.is_some();
    Ok((part(&What::Raw, &content).await?, is_output))
}

async fn part(what: &What, content: &Arc<Content>) -> Result<Bytes, EffectError> {
    if !matches!(what, What::Output) {
        let raw = content.raw.as_ref().filter(|_| matches!(what, What::Raw));
        return Ok(raw.unwrap_or(&content.body).clone());
    }
    let output = content.output.clone().ok_or(EffectError::NoOutput)?;
    let print = move || {
        let mut text = Vec::new();
        pretty(&output, &mut text).map(|()| Bytes::from(text))
    };
    Ok(spawn_blocking(print).await??)
}

fn curl(service: Option<&Service>, job: &JobSnapshot) -> Result<String, EffectError> {
    let service = service.ok_or_else(|| EffectError::NoService(Arc::clone(&job.job.service)))?;
    Ok(warned(saved::curl(service, &job.job), job))
}

/// Whoever pastes it into a shell shall know what it may do.
fn warned(curl: String, job: &JobSnapshot) -> String {
    if job.may_take_the_result() { format!("# {TAKES}\n{curl}") } else { curl }
}

fn take_apart(form: &Form, body: Bytes) -> Content {
    let payload = form.extract(&body);
    Content {
        content_type: None,
        fault: payload.fault.as_deref().map(Clean::new),
        broken: false,
        damage: None,
        raw: payload.raw,
        output: payload.output,
        output_path: payload.output_path,
        files: payload.files,
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobIx, ProviderName};
    use crate::domain::observation::Observation;
    use crate::domain::state::State;

    #[test]
    fn a_body_is_taken_apart_without_being_copied() {
        let body =
            Bytes::from_static(br#"{"execution_status":"COMPLETED","message":[{"file":"a.pdf","status":"Success"}]}"#);
        let content = take_apart(&Form::of(ProviderName::UNSTRACT), body.clone());
        let raw = content.raw.unwrap();
        assert!(raw.starts_with(b"[{") && body.as_ptr_range().contains(&raw.as_ptr()));
        assert_eq!(content.files.len(), 1);
        assert_eq!(take_apart(&Form::of(ProviderName::VESSL), Bytes::from_static(b"<html>")).raw, None);
    }

    #[tokio::test]
    async fn a_saved_body_that_is_no_longer_what_was_saved_is_shown_as_damaged_and_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let writer = crate::store::Store::open(dir.path()).unwrap().0;
        let store = writer.results().clone();
        let key = JobKey { provider: ProviderName::VESSL, endpoint: "https://x.example".into(), id: "1".into() };
        let job = Arc::new(crate::tests::job(key.clone(), "prod"));
        let body = crate::store::SaveBody {
            keep: crate::domain::observation::Keep::Result,
            role: Default::default(),
            broken: false,
            bytes: Bytes::from(format!("{{\"raw_output\":\"{}\"}}", "x".repeat(100_000))),
            spooled: None,
            http_status: 200,
            headers: Default::default(),
            masked: false,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let known = Observation { state: State::Succeeded, applied: 1, ..Observation::default() };
        let save = crate::store::Save { body: Some(body), ..crate::store::Save::new(Arc::clone(&job), known) };
        let known = Arc::new(writer.save(save).await.unwrap());
        let number = known.saved.as_ref().unwrap().body;
        let subject = JobSnapshot { ix: JobIx(0), job, known };
        assert_eq!(load_whole(&store, &key, number).await.unwrap().damage, None);
        assert!(raw(Some(&store), &subject).await.is_ok());

        let file = store.body_path(number).await.unwrap().unwrap();
        let damaged =
            std::fs::read(&file).unwrap().iter().map(|byte| byte ^ u8::from(*byte == b'x')).collect::<Vec<_>>();
        std::fs::write(&file, damaged).unwrap();
        let shown = load_whole(&store, &key, number).await.unwrap();
        assert!(shown.damage.as_deref().is_some_and(|why| why.contains("SHA-256")), "{:?}", shown.damage);
        for copied in [
            raw(Some(&store), &subject).await.map(|(bytes, _)| bytes),
            bytes(Some(&store), None, &What::Body, &subject).await,
        ] {
            assert!(
                copied
                    .is_err_and(|why| why.to_string().contains("damaged") && why.to_string().contains("show 1 --body"))
            );
        }
    }

    #[test]
    fn a_curl_command_of_an_unfinished_one_shot_job_says_what_it_may_do() {
        let warning = "# this read may take the result: it can be read once\n";
        let cases = [
            (ProviderName::UNSTRACT, State::Running, warning),
            (ProviderName::UNSTRACT, State::Unknown, warning),
            (ProviderName::UNSTRACT, State::Succeeded, ""),
            (ProviderName::VESSL, State::Running, ""),
        ];
        for (provider, state, before) in cases {
            let key = JobKey { provider, endpoint: "https://x.example".into(), id: "1".into() };
            let job = Arc::new(crate::tests::job(key, "prod"));
            let known = Arc::new(Observation { state, ..Observation::default() });
            let subject = JobSnapshot { ix: JobIx(0), job, known };
            assert_eq!(warned("curl x".to_owned(), &subject), format!("{before}curl x"), "{provider} {state}");
        }
    }
}
