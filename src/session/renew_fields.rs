//! The user's fields of jobs whose definitions changed after their results were saved: taken anew from what is saved.

use std::collections::HashMap;
use std::sync::Arc;

use super::select::{self, KnownJob};
use crate::domain::field;
use crate::domain::job::{Job, JobKey};
use crate::domain::observation::{FieldValues, Observation};
use crate::domain::service::Service;
use crate::engine::saved::{self, Notes, Results};

/// Takes the fields of those entries anew whose definitions are others than they were taken by, and says of which jobs.
/// What cannot be read keeps what it has.
pub async fn renew(store: &Results, services: &[Arc<Service>], entries: &mut [KnownJob]) -> Vec<(JobKey, FieldValues)> {
    let definitions: HashMap<&str, (&Arc<Service>, String)> =
        services.iter().map(|service| (&*service.name, (service, field::definition(&service.fields)))).collect();
    let mut renewed = Vec::new();
    for entry in entries {
        let Some((service, definition)) = definitions.get(&*entry.job.service) else { continue };
        let taken_by = entry.known.fields.as_ref().map(|fields| fields.taken_by.as_str()).unwrap_or_default();
        let Some(saved) = entry.known.saved.as_ref().filter(|_| taken_by != definition) else { continue };
        let Ok(body) = store.body(saved.body).await else { continue };
        let form = saved::form(store, &entry.job.key, saved.body).await;
        let fields = FieldValues { taken_by: definition.clone(), values: form.fields(&service.fields, &body) };
        entry.known =
            Arc::new(Observation { fields: Some(Box::new(fields.clone())), ..Observation::clone(&entry.known) });
        renewed.push((entry.job.key.clone(), fields));
    }
    renewed
}

/// The same for these jobs, kept in the store. Costs nothing where no service has fields.
pub async fn keep((results, notes): (&Results, &Notes), services: &[Arc<Service>], jobs: &[Arc<Job>]) {
    if services.iter().all(|service| service.fields.is_empty()) {
        return;
    }
    let Ok(mut entries) = select::of_file(results, jobs).await else { return };
    let renewed = renew(results, services, &mut entries).await;
    if renewed.is_empty() {
        return;
    }
    if let Err(error) = notes.set_fields(renewed).await {
        tracing::warn!("failed to keep the fields of saved results: {error}");
    }
}
