//! What was saved, out again: the door through which dashboard and commands reach the store and the bodies in it.

use bytes::Bytes;

use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{BodyId, Observation, Role, Saved};
use crate::domain::provider::{Part, Payload, ProviderRef};
use crate::domain::service::Service;
use crate::providers;

pub use crate::store::{Access, Store, StoreError};

/// The body that holds a job's result or, where there is none, what else was kept of it: a reply that broke off or
/// made no sense. None if nothing was kept.
pub fn best(known: &Observation) -> Option<&Saved> {
    known.saved.as_ref().or(known.evidence.as_deref())
}

/// The bytes of a saved body.
pub async fn bytes(store: &Store, saved: &Saved) -> Result<Bytes, StoreError> {
    store.body(saved.body).await
}

/// How a saved body is taken apart: by which provider, and as which of its job's bodies.
#[derive(Debug, Clone)]
pub struct Form {
    /// None where nobody knows the provider any more.
    provider: Option<ProviderRef>,
    part: Part,
}

/// The form of a saved body. A described provider is the description that was kept with the job, whatever its name
/// means today.
pub async fn form(store: &Store, key: &JobKey, body: BodyId) -> Form {
    if providers::in_code(key.provider) {
        return Form { provider: providers::by_name(key.provider), part: Part::Status };
    }
    let description = store.description(key.clone()).await.ok().flatten();
    let kept = description.and_then(|text| providers::from_description(key.provider, &text));
    let bodies = store.kept(key.clone()).await.unwrap_or_default();
    let role = bodies.into_iter().find(|kept| kept.saved.body == body).map(|kept| kept.role);
    let part = match role {
        Some(Role::Result) => Part::Result,
        Some(Role::Also(name)) => Part::Also(name),
        Some(Role::Status) | None => Part::Status,
    };
    Form { provider: kept.or_else(|| providers::by_name(key.provider)), part }
}

impl Form {
    #[cfg(test)]
    pub fn of(name: crate::domain::job::ProviderName) -> Self {
        Self { provider: providers::by_name(name), part: Part::Status }
    }

    /// What is in the body, looked through once.
    pub fn extract(&self, body: &Bytes) -> Payload {
        self.provider.as_ref().map(|provider| providers::extract(provider, &self.part, body)).unwrap_or_default()
    }
}

/// What is in a job's best body.
pub async fn payload(store: &Store, job: &Job, known: &Observation, body: &Bytes) -> Payload {
    match best(known) {
        Some(saved) => form(store, &job.key, saved.body).await.extract(body),
        None => Payload::default(),
    }
}

/// The status read of a job as a curl command for a person: the token is a variable, a gateway's query is masked.
pub fn curl(service: &Service, job: &Job) -> String {
    service.provider.request(service, &job.key.id).curl(&service.token)
}

/// The values of a service's fields in a saved body, as one JSON object.
pub fn fields(service: &Service, body: &Bytes) -> String {
    crate::providers::fields::taken(&service.fields, &service.provider, body)
}

/// The values of a service's fields in one file's object of a saved body, as one JSON object.
pub fn fields_of_file(service: &Service, file: &[u8]) -> String {
    crate::providers::fields::of_file(&service.fields, file)
}
