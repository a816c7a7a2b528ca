//! What a description says, read and checked: nothing in here can be wrong any more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::condition::Condition;
use super::template::Template;
use super::words::StateWords;
use crate::domain::job::ProviderName;
use crate::domain::provider::OneShot;
use crate::domain::request::Method;
use crate::domain::service::Rate;
use crate::domain::state::State;
use crate::json::pointer::{Lookup, PointerId};

#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    pub name: ProviderName,
    /// What people call the service.
    pub title: String,
    /// The page that it was made from.
    pub docs: Option<String>,
    /// When that page was last looked at.
    pub checked: Option<String>,
    /// What its users call the variable with the token.
    pub token_env: Option<String>,
    /// What the service calls a job, in small letters: a 404 that speaks of one is about the job. Empty: what most call
    /// it.
    pub nouns: Vec<String>,
    /// What a service's jobs are kept under.
    pub endpoint: Endpoint,
    /// How settings that must be given are written.
    pub examples: Vec<(String, String)>,
    /// Its settings and their defaults; an empty one must be given.
    pub settings: Vec<(String, String)>,
    /// The status read.
    pub status: StatusRequest,
    pub words: StateWords,
    /// Looked at before the word, in order.
    pub rules: Vec<StateRule>,
    /// What an HTTP code means where the body has no known word.
    pub codes: BTreeMap<u16, State>,
    /// Where the result is: the first whose conditions hold.
    pub results: Vec<ResultPlace>,
    pub web: Option<Template>,
    /// Addresses beside the status URL that name a job.
    pub ids: Vec<Template>,
    /// How long the service keeps results.
    pub keeps: Option<Duration>,
    /// The least time between two polls of one job.
    pub interval: Option<Duration>,
    /// The most requests that the service takes.
    pub rate: Option<Rate>,
    /// All pointers into the status response.
    pub lookup: Lookup,
    /// The whole description as TOML, nothing left to another one.
    pub text: String,
}

impl Description {
    /// Whether a result is handed out once, and by which request.
    pub fn one_shot(&self) -> OneShot {
        let by_result = self.results.iter().filter_map(|place| place.fetch.as_ref()).any(|fetch| fetch.one_shot);
        match (self.status.one_shot, by_result) {
            (true, _) => OneShot::Status,
            (false, true) => OneShot::Result,
            (false, false) => OneShot::Never,
        }
    }
}

/// What a service's jobs are kept under: two services that agree in it have one and the same job under one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Endpoint {
    /// The status URL without the id.
    #[default]
    Status,
    Base,
    /// Scheme, host and port.
    Origin,
}

/// The status read.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusRequest {
    /// GET, or a POST that only reads.
    pub method: Method,
    pub url: Template,
    pub headers: Vec<(String, Template)>,
    pub body: Option<BodyTemplate>,
    /// Whether it hands the result out once.
    pub one_shot: bool,
    /// Where the word is: the first place that is not empty.
    pub word: Vec<PointerId>,
    /// Taken off the word's front.
    pub strip: Option<String>,
    /// Where the response names its job: another id there is no answer about this one.
    pub id: Vec<PointerId>,
    /// When a 2xx is no answer but a refusal; never if empty.
    pub rejected: Vec<Condition>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Why it failed: the first place that is not empty.
    pub reason: Vec<PointerId>,
    /// The service's code for that.
    pub error_code: Vec<PointerId>,
    /// What is odd about a job that did not fail: the first place that is not empty.
    pub warning: Vec<PointerId>,
    /// The code with which the user's own program ended.
    pub service_code: Option<PointerId>,
    /// What it cost in US dollars.
    pub cost: Option<PointerId>,
    /// Counters of its items.
    pub items: Option<Items>,
    pub item_list: Option<ItemList>,
    pub times: TimePlaces,
}

/// A JSON body with holes in its texts.
#[derive(Debug, Clone, PartialEq)]
pub enum BodyTemplate {
    Text(Template),
    /// Anything else that stands for itself, as JSON.
    Literal(String),
    List(Vec<BodyTemplate>),
    Object(Vec<(String, BodyTemplate)>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub at: PointerId,
    /// What is whole; None: a fraction below 1 is one, above it is percent.
    pub scale: Option<f64>,
    /// The number in a text: the first group of its last match.
    pub pattern: Option<RegexPattern>,
    /// In which states it counts; empty: in all.
    pub states: Vec<State>,
}

/// A regular expression that compares by its text.
#[derive(Debug, Clone)]
pub struct RegexPattern(pub regex::Regex);

impl PartialEq for RegexPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// Counters of a job's items. What several places count is added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Items {
    pub total: Vec<PointerId>,
    /// Those that worked.
    pub succeeded: Vec<PointerId>,
    /// Those that failed.
    pub failed: Vec<PointerId>,
    /// When they count.
    pub when: Vec<Condition>,
}

/// A list of items in a response.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemList {
    pub at: PointerId,
    /// Pointers into an item.
    pub lookup: Lookup,
    /// An item's name.
    pub name: Option<PointerId>,
    pub failed: Vec<Condition>,
    pub reason: Vec<PointerId>,
    pub output: Option<PointerId>,
    pub cost: Option<PointerId>,
}

/// Where the times are: of each the first place that is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimePlaces {
    /// Accepted.
    pub created: Vec<PointerId>,
    /// Begun.
    pub started: Vec<PointerId>,
    /// Over.
    pub finished: Vec<PointerId>,
    /// When its result goes.
    pub expires: Vec<PointerId>,
    /// When the service expects it to be over.
    pub expected: Vec<PointerId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StateRule {
    /// All of these hold.
    pub when: Vec<Condition>,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ResultPlace {
    pub when: Vec<Condition>,
    /// The request for it; None: it is in the status response.
    pub fetch: Option<FetchPlace>,
    /// Where in the response that holds it.
    pub at: PointerId,
    /// Where the raw text is that `at` has decoded; None: it is at `at` too.
    pub raw: Option<PointerId>,
    /// Whether a text at `at` that is JSON itself is taken as that JSON.
    pub decode: bool,
    /// `at` and `raw` by themselves: in the response that holds the result.
    pub lookup: Lookup,
    /// The same two in the status response, if the result is in it.
    pub here: Vec<PointerId>,
    pub states: Vec<State>,
    /// Further files beside it.
    pub also: Vec<Also>,
}

/// A request for a result.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPlace {
    pub url: Template,
    /// Its headers; None: those of the status read.
    pub headers: Option<Vec<(String, Template)>>,
    /// Whether the token goes along.
    pub token: bool,
    /// Whether it hands the result out once.
    pub one_shot: bool,
    /// HTTP codes that mean "not there yet".
    pub again_on: Vec<u16>,
    /// HTTP codes that mean that the job failed after all.
    pub fails_on: Vec<u16>,
    /// HTTP codes, with conditions, that mean that the result is gone.
    pub lost_on: Vec<(u16, Vec<Condition>)>,
    /// Why, in the response of `fails_on` and `lost_on`.
    pub reason: Vec<PointerId>,
    /// Pointers into that response.
    pub lookup: Lookup,
}

/// A further file.
#[derive(Debug, Clone, PartialEq)]
pub struct Also {
    pub name: String,
    pub url: Template,
    /// Whether the token goes along.
    pub token: bool,
}
