//! What was saved, out again: the door through which dashboard and commands reach the store and the bodies in it.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use crate::domain::field::Field;
use crate::domain::job::{Job, JobKey, ProviderName};
use crate::domain::observation::{BodyId, Keep, Observation, Role, SavedBody};
use crate::domain::provider::{BodySource, Payload, ProviderRef};
use crate::domain::service::Service;
use crate::providers;
use crate::store::Store;

pub use crate::store::{
    Caught, HookQueue, NewHookEvent, Notes, PendingHook, Presence, Results, ServerTarget, StoreError, StoreErrorKind,
    TeamStatus, VIEWS, Waiting, forget_instance, init_team_store, team_status,
};

/// A store that was opened to poll with. An engine takes it and writes; whoever starts the engine gets out of it what can
/// be read, and the few things that can be noted.
#[derive(Debug, Clone)]
pub struct OpenStore(pub(super) Store);

impl OpenStore {
    /// Opens a state directory, see [`Store::open`].
    pub fn open(dir: &Path) -> Result<(Self, Vec<String>), StoreError> {
        Store::open(dir).map(|(store, notes)| (Self(store), notes))
    }

    /// The same, kept in step with the store that a team shares, see [`Store::shared`].
    pub fn shared(self, target: ServerTarget) -> Result<Self, StoreError> {
        self.0.shared(target).map(Self)
    }

    /// Takes over what others saved there, for who does not poll.
    pub async fn catch_up(&self, target: ServerTarget, told: impl FnMut(u64, u64)) -> Result<Caught, StoreError> {
        self.0.catch_up(target, told).await
    }

    /// What is saved here and was not uploaded to the team's store yet.
    pub async fn waiting_for_upload(&self) -> Result<Waiting, StoreError> {
        self.0.waiting_for_upload().await
    }

    /// What is known and kept, to be read.
    pub fn results(&self) -> Results {
        self.0.results().clone()
    }

    /// What may be noted about results.
    pub fn notes(&self) -> Notes {
        self.0.notes()
    }

    /// The events that hooks are to be run for.
    pub fn hook_queue(&self) -> HookQueue {
        self.0.hook_queue()
    }

    /// Gives up all claims and closes the store, see [`Store::close`].
    pub async fn close(&self) -> Option<String> {
        self.0.close().await
    }
}

#[cfg(test)]
impl From<Store> for OpenStore {
    fn from(store: Store) -> Self {
        Self(store)
    }
}

/// How a saved body is taken apart: by which provider, and as which of its job's bodies.
#[derive(Debug, Clone)]
pub struct Form {
    /// None where nobody knows the provider any more.
    provider: Option<ProviderRef>,
    source: BodySource,
}

/// The form of a saved body. A described provider is the description that was kept with the job, whatever its name
/// means today.
pub async fn form(results: &Results, key: &JobKey, body: BodyId) -> Form {
    if providers::in_code(key.provider) {
        return Form::of(key.provider);
    }
    let description = results.description(key.clone()).await.ok().flatten();
    let kept = description.and_then(|text| providers::from_description(key.provider, &text));
    let bodies = results.kept(key.clone()).await.unwrap_or_default();
    let body = bodies.into_iter().find(|kept| kept.saved.body == body);
    let http_status = body.as_ref().map_or(200, |body| body.saved.http_status);
    let role = body.map(|body| body.role).unwrap_or_default();
    let provider = kept.or_else(|| providers::by_name(key.provider));
    Form { provider, source: BodySource { role, http_status } }
}

impl Form {
    /// That of a status response by this provider, which reads every code alike.
    pub fn of(name: ProviderName) -> Self {
        Self { provider: providers::by_name(name), source: BodySource { role: Role::Status, http_status: 200 } }
    }

    /// What is in the body, looked through once.
    pub fn extract(&self, body: &Bytes) -> Payload {
        self.provider.as_ref().map(|provider| providers::extract(provider, &self.source, body)).unwrap_or_default()
    }

    /// The values of a user's fields in the body, as one JSON object.
    pub fn fields(&self, fields: &[Field], body: &Bytes) -> String {
        providers::fields::taken(fields, body, || self.extract(body).output)
    }
}

/// All that is saved of a job's result.
#[derive(Debug, Clone, Default)]
pub struct WholeResult {
    /// The body that holds the result.
    pub body: Bytes,
    /// What is in it.
    pub payload: Payload,
    /// What was fetched beside it.
    pub also: Vec<AlsoFile>,
}

/// A further file of a job, fetched beside its result.
#[derive(Debug, Clone)]
pub struct AlsoFile {
    /// Its name in the provider's description.
    pub name: String,
    /// What was saved of it.
    pub saved: SavedBody,
    /// Its bytes.
    pub bytes: Bytes,
}

/// All of a job's result, the bytes of whose best body these are.
pub async fn whole(results: &Results, job: &Job, known: &Observation, body: Bytes) -> Result<WholeResult, StoreError> {
    let payload = payload(results, job, known, &body).await;
    let mut also = Vec::new();
    for (name, saved) in also_files(results, &job.key).await? {
        let bytes = results.body(saved.body).await?;
        also.push(AlsoFile { name, saved, bytes });
    }
    Ok(WholeResult { body, payload, also })
}

/// What was fetched beside a job's result, by name: the last of each.
pub async fn also_files(results: &Results, key: &JobKey) -> Result<BTreeMap<String, SavedBody>, StoreError> {
    let kept = results.kept(key.clone()).await?.into_iter().filter(|kept| kept.keep == Keep::Result);
    Ok(kept
        .filter_map(|kept| match kept.role {
            Role::Also(name) => Some((name, kept.saved)),
            Role::Status | Role::Result => None,
        })
        .collect())
}

/// What is in a job's best body.
pub async fn payload(results: &Results, job: &Job, known: &Observation, body: &Bytes) -> Payload {
    match known.kept_body() {
        Some(saved) => form(results, &job.key, saved.body).await.extract(body),
        None => Payload::default(),
    }
}

/// The status read of a job as a curl command for a person: the token is a variable, a gateway's query is masked.
pub fn curl(service: &Service, job: &Job) -> String {
    service.provider.request(service, &job.key.id).curl(&service.token)
}

/// The values of a service's fields in one file's object of a saved body, as one JSON object.
pub fn fields_of_file(service: &Service, file: &[u8]) -> String {
    crate::providers::fields::of_file(&service.fields, file)
}
