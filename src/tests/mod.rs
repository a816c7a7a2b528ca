//! In-crate tests that need the insides.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks out what it waits for")]

mod any_keys;
mod architecture;
mod bench;
mod clock;
mod dashboard;
pub mod described;
mod documents;
mod engine;
mod network;
mod own_commands;
mod panics;
mod peek;
mod properties;
mod reload;
mod screens;
pub mod script;
mod two_requests;
pub mod wire_cases;
mod wire_http;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::provider::{Next, OneShot, ProviderRef};
use crate::domain::reading::Reading;
use crate::domain::response::Response;

/// Counts how often whoever waits is woken: each time costs a system call where another thread does it.
#[derive(Debug, Default)]
pub struct WakeCounter(AtomicUsize);

impl WakeCounter {
    /// How often it was woken so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::task::Wake for WakeCounter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Three providers that are most unlike each other.
pub const PROVIDERS: [ProviderName; 3] = [ProviderName::VESSL, ProviderName::OPTEXITY, ProviderName::UNSTRACT];

/// A provider that jobdeck brings along.
pub fn provider(name: ProviderName) -> ProviderRef {
    crate::providers::by_name(name).or_else(|| two_requests::provider(name)).expect("a provider that is brought along")
}

/// What holds for its jobs.
pub fn traits(name: ProviderName) -> JobTraits {
    let provider = provider(name);
    JobTraits {
        one_shot: provider.one_shot() != OneShot::Never,
        id_noun: provider.about().id_noun,
        ..JobTraits::default()
    }
}

/// A job without a name, tags or a batch.
pub fn job(key: JobKey, service: impl Into<Arc<str>>) -> Job {
    let traits = traits(key.provider);
    Job {
        key,
        service: service.into(),
        name: None,
        tags: Arc::default(),
        traits,
        batch: None,
        resubmits: Arc::default(),
    }
}

/// What a response to the status read of a job comes to, for providers that ask no second time.
pub fn read(key: &JobKey, response: &Response) -> Reading {
    match crate::providers::read(&wire_cases::service(key.provider, &key.endpoint), &key.id, response) {
        Next::Done(reading) => reading,
        Next::Fetch(fetch) => panic!("a second request: {fetch:?}"),
    }
}

/// What is in a saved response to a status read.
pub fn extract(name: ProviderName, body: &bytes::Bytes) -> crate::domain::provider::Payload {
    let source =
        crate::domain::provider::BodySource { role: crate::domain::observation::Role::Status, http_status: 200 };
    crate::providers::extract(&provider(name), &source, body)
}
