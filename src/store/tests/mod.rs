//! The store's promises, held against real directories.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Changes, Claim, HookNews, NewHookEvent, Results, Save, SaveBody, Store, StoreErrorKind};
use crate::domain::attempt::{Attempt, StateChange};
use crate::domain::job::{Job, JobKey, JobTraits, ProviderName};
use crate::domain::observation::{Keep, LastPoll, Observation, Role};
use crate::domain::response::Headers;
use crate::domain::state::{PollOutcome, State};

mod claims;
mod migration;
mod outside;
mod processes;
mod saving;
mod trouble;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn key(provider: ProviderName, id: &str) -> JobKey {
    JobKey { provider, endpoint: "https://host.example".into(), id: id.to_owned() }
}

fn scan(id: &str) -> JobKey {
    key(ProviderName::UNSTRACT, id)
}

fn job(key: &JobKey) -> Arc<Job> {
    let tags = ["nightly".to_owned(), "a \"b\"".to_owned()].into();
    Arc::new(Job {
        traits: JobTraits { one_shot: key.provider == ProviderName::UNSTRACT, ..JobTraits::default() },
        key: key.clone(),
        service: "invoices".into(),
        name: Some("scan".to_owned()),
        tags,
        batch: None,
        resubmits: Arc::default(),
    })
}

fn jobs_of(keys: Vec<JobKey>) -> Vec<Arc<Job>> {
    keys.iter().map(job).collect()
}

fn open(dir: &Path) -> Store {
    let (store, notes) = Store::open(dir).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    store
}

fn view(dir: &Path) -> Results {
    Results::open(dir).unwrap()
}

fn knowing(state: State, applied: u64) -> Observation {
    Observation {
        state,
        word: Some(state.to_string()),
        first_seen: Some(at(1)),
        applied,
        last_poll: Some(LastPoll {
            read: PollOutcome::Answered,
            http_status: Some(200),
            reason: None,
            at: at(applied as i64),
        }),
        ..Observation::default()
    }
}

fn step(key: &JobKey, observation: Observation) -> Save {
    Save::new(job(key), observation)
}

fn body(keep: Keep, bytes: impl Into<Vec<u8>>) -> SaveBody {
    SaveBody {
        keep,
        role: Role::Status,
        broken: false,
        bytes: Bytes::from(bytes.into()),
        spooled: None,
        http_status: 200,
        headers: Headers { content_type: Some("application/json".to_owned()), ..Headers::default() },
        masked: false,
        at: at(7),
    }
}

fn with_copy(key: &JobKey, applied: u64, bytes: impl Into<Vec<u8>>) -> Save {
    Save { body: Some(body(Keep::Result, bytes)), ..step(key, knowing(State::Succeeded, applied)) }
}

fn with_evidence(key: &JobKey, applied: u64, bytes: &str) -> Save {
    Save { body: Some(body(Keep::Evidence, bytes)), ..step(key, knowing(State::Running, applied)) }
}

fn broken(save: Save) -> Save {
    let body = save.body.map(|body| SaveBody { broken: true, ..body });
    Save { body, ..save }
}

async fn known(results: &Results, key: &JobKey) -> Observation {
    results.load(vec![key.clone()]).await.unwrap().remove(0)
}

async fn claimed(store: &Store, key: &JobKey) -> Claim {
    store.claim(jobs_of(vec![key.clone()])).await.unwrap().remove(0)
}

/// The process of the instance whose a job is, if it is another's of this machine.
fn pid_of(claim: &Claim) -> Option<u32> {
    match claim {
        Claim::Ours { .. } | Claim::Blocked(_) => None,
        Claim::Theirs(owner) => owner.is_here.then_some(owner.pid),
    }
}

fn files_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn attempt() -> Attempt {
    Attempt {
        first: at(1),
        last: at(3),
        count: 3,
        read: PollOutcome::Throttled,
        http_status: Some(429),
        latency: std::time::Duration::from_micros(1234),
        bytes: 17,
        retry_after: Some(std::time::Duration::from_secs(18)),
        word: None,
        reason: Some("slow down".to_owned()),
    }
}

fn change() -> StateChange {
    StateChange {
        at: at(5),
        previous: Some(State::Running),
        state: State::Succeeded,
        word: Some("COMPLETED".to_owned()),
    }
}
