//! What was saved, out again: the door through which dashboard and commands reach the store and the bodies in it.

use bytes::Bytes;

use crate::domain::job::Job;
use crate::domain::observation::{Observation, Saved};
use crate::domain::service::Service;

pub use crate::providers::extract;
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
