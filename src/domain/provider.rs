//! What a provider is: the one interface through which everything else asks how a service speaks. The values behind
//! it are made in `providers`; a service carries its own.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::files::FileResult;
use super::job::ProviderName;
use super::observation::Role;
use super::reading::{Answer, Reading, Verdict};
use super::request::Request;
use super::response::Response;
use super::service::Service;
use super::state::State;

/// Why a text is no id of a service's job, and what to do instead. Holds nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {help}")]
pub struct IdError {
    pub what: &'static str,
    pub help: &'static str,
}

impl IdError {
    /// This is wrong, and this to be done.
    pub const fn new(what: &'static str, help: &'static str) -> Self {
        Self { what, help }
    }
}

/// Whether a result is handed out once, and by which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneShot {
    /// Every read can be repeated.
    Never,
    /// The status read itself takes the result.
    Status,
    /// The status read is harmless, the request for the result takes it.
    Result,
}

/// How a service speaks. Pure: no network, no disk, no clock.
pub trait Provider: fmt::Debug + Send + Sync {
    fn name(&self) -> ProviderName;

    /// Texts about it, for people.
    fn about(&self) -> About;

    /// Whether and by which request a result is handed out once.
    fn one_shot(&self) -> OneShot;

    /// The normalised endpoint under which the jobs of a service with this base and these settings are kept: no query,
    /// no token.
    fn endpoint(&self, base: &Url, settings: &BTreeMap<String, String>) -> String;

    /// The status read of a job. The id stays one segment of a path, or one value of a query, whatever it holds.
    fn request(&self, service: &Service, id: &str) -> Request;

    /// What the response to the status read means. Never panics, whatever the bytes.
    fn read(&self, service: &Service, id: &str, response: &Response) -> Next;

    /// What the response to a further request of the same poll means. Only providers that ask for one are asked.
    fn fetched(&self, service: &Service, id: &str, fetch: &Fetch, response: &Response) -> Next {
        let _ = (service, id, response);
        Next::Done(fetch.status.clone())
    }

    /// The request that says whether a job is over without taking its result, for providers whose status read takes it.
    /// None: there is none.
    fn peek(&self, service: &Service, id: &str) -> Option<Request> {
        let _ = (service, id);
        None
    }

    /// What the response to that means.
    fn peeked(&self, service: &Service, id: &str, response: &Response) -> Peek {
        let _ = (service, id, response);
        Peek::Unknown { reason: String::new(), of_this_job: true }
    }

    /// The id in a trimmed text of the jobs file: an id as it is, or a URL or path as the service returned it, which
    /// must be of this very service.
    fn id_from(&self, service: &Service, text: &str) -> Result<String, IdError>;

    /// What is in a saved body, looked through once.
    fn extract(&self, source: &BodySource, body: &Bytes) -> Payload;

    /// What `read` answers, and what decided it, each step as a sentence. Empty where code decides.
    fn explain(&self, service: &Service, id: &str, response: &Response) -> (Next, Vec<String>) {
        (self.read(service, id, response), Vec::new())
    }

    /// What `fetched` answers, and what decided it, likewise.
    fn explain_fetched(&self, service: &Service, id: &str, fetch: &Fetch, response: &Response) -> (Next, Vec<String>) {
        (self.fetched(service, id, fetch, response), Vec::new())
    }

    /// The id of the job that a response to a status read names, if it names one.
    fn named_id(&self, body: &Bytes) -> Option<String> {
        let _ = body;
        None
    }

    /// How long the service keeps a result, where that is short.
    fn keeps(&self) -> Option<Duration> {
        None
    }

    /// The least time between two polls of one job.
    fn least_interval(&self) -> Option<Duration> {
        None
    }

    /// The job's page for a browser.
    fn web(&self, service: &Service, id: &str) -> Option<Url> {
        let _ = (service, id);
        None
    }

    /// The description to be kept with a job, so that its bodies stay readable when the description changes or goes.
    /// None for providers that are code.
    fn description(&self) -> Option<&str> {
        None
    }
}

/// Texts about a provider, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What the service calls the thing that an id names: "request", "task", "execution".
    pub id_noun: &'static str,
    /// An id of the right form that the service gives to nobody, for a request that reads no job.
    pub made_up_id: &'static str,
    /// The environment variable that most users keep the token in.
    pub token_env: &'static str,
    /// How a service says where it is.
    pub address: AddressForm,
}

/// How a service of the jobs file says where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressForm {
    /// By the `url` of an Unstract deployment, or its parts.
    Deployment,
    /// By the settings that its description names.
    Settings {
        /// Whether the base is one that the file must give.
        base_is_given: bool,
    },
}

/// What is in a saved body. Parts that stand in the body as they are share its memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payload {
    /// Why the body is no JSON. Everything else is empty then.
    pub fault: Option<String>,
    /// The raw output, byte for byte. Lone surrogates come out as U+FFFD, bytes that are no UTF-8 as they are.
    pub raw: Option<Bytes>,
    /// The decoded output as JSON text.
    pub output: Option<Bytes>,
    /// Where the output is in the body, as a path that jq takes. Empty if it is made from several places.
    pub output_path: String,
    /// The files, or other items, of a job that has many.
    pub files: Vec<FileResult>,
    /// What the job cost in US dollars, digit for digit where one number says so.
    pub cost: Option<String>,
    /// What the job is about, as far as its body says: the first file's name, and how many more.
    pub title: Option<String>,
}

/// What follows from a response.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every poll is done with one response, and pays for no allocation"
)]
pub enum Next {
    /// The poll is over, and this is what it came to.
    Done(Reading),
    /// The result is at another address: ask there before the job counts as over.
    Fetch(Box<Fetch>),
}

/// What a request says that takes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Peek {
    /// The job goes on: there is nothing to take yet, and this is how far it is.
    GoesOn(Box<Reading>),
    Over {
        /// Whether its result was handed out before.
        acknowledged: bool,
    },
    /// It cannot be decided.
    Unknown {
        reason: String,
        /// Whether that is so of this job alone.
        of_this_job: bool,
    },
}

/// A further request of the same poll.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetch {
    /// What to send. Where the token may not go along, no header of it holds one.
    pub request: Request,
    /// Which of the job's bodies the response is.
    pub role: Role,
    /// What the status read comes to once the response to this request is durable.
    pub status: Reading,
    /// Which of the provider's own ways to a result this is.
    pub step: usize,
    /// What is to be asked for behind it.
    pub then: Vec<(Role, Request)>,
}

/// Where a saved body came from: which of its job's responses it is, and the HTTP code of that response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodySource {
    /// Which response.
    pub role: Role,
    pub http_status: u16,
}

/// The word of a job whose status is known to be over while its result is still being fetched.
pub const FETCHING: &str = "fetching";

impl Fetch {
    /// What the status read says until the result is durable: the job runs on, with the word "fetching".
    pub fn meanwhile(&self) -> Reading {
        Self::waiting(&self.status)
    }

    /// The same of the status reading alone.
    pub fn waiting(status: &Reading) -> Reading {
        let answer = status.answer.as_ref().map(|answer| Answer {
            verdict: Verdict::State(State::Running),
            word: Some(FETCHING.to_owned()),
            finished_at: None,
            ..answer.clone()
        });
        Reading { answer, ..status.clone() }
    }
}

/// A provider as services carry it. Two are equal if they have one name and one description.
#[derive(Clone)]
pub struct ProviderRef(Arc<dyn Provider>);

impl ProviderRef {
    /// The value behind the interface.
    pub fn new(provider: impl Provider + 'static) -> Self {
        Self(Arc::new(provider))
    }
}

impl Deref for ProviderRef {
    type Target = dyn Provider;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for ProviderRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.name().fmt(f)
    }
}

impl PartialEq for ProviderRef {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.description() == other.description()
    }
}

impl Eq for ProviderRef {}
